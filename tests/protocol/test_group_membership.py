"""How members stay, leave, fall silent, and come back under a name of their own."""

from simulator.protocol.errors import Error
from simulator.protocol.group_state import (
    JoinDeadline,
    MemberSeen,
    SessionDeadline,
    SessionTimerSet,
    State,
    SyncDeadline,
)
from simulator.protocol.machine import Request, SetTimer
from simulator.protocol.messages import (
    HeartbeatRequest,
)
from tests.groups import Ledger

# --- Staying and leaving -----------------------------------------------------------------------


def test_heartbeats_keep_the_session_and_set_no_timer():
    """One that fires looks at the deadline and sleeps for the rest."""
    ledger = Ledger()
    (a,) = ledger.stable("a")
    body = HeartbeatRequest("g", 1, a)

    for _ in range(100):
        ledger.wait(6_000)
        step = ledger.driven.tell(Request("beat", body))
        assert [type(fact) for fact in step.facts] == [MemberSeen]
        assert not any(isinstance(effect, SetTimer) for effect in step.effects)
    ledger.driven.answers.clear()

    ledger.wait(9_999)
    assert ledger.group.state is State.STABLE
    ledger.wait(1)
    assert ledger.removals() == [(a, "session_timeout")]
    assert ledger.group.state is State.EMPTY


def test_ten_hours_of_heartbeats_wake_the_coordinator_once_a_session():
    ledger = Ledger()
    (a,) = ledger.stable("a", session_ms=45_000)
    known = len(ledger.driven.facts)

    for _ in range(12_000):
        ledger.wait(3_000)
        assert ledger.heartbeat(a, 1) is Error.NONE

    woken = [one for one in ledger.driven.facts[known:] if isinstance(one, SessionTimerSet)]
    assert len(woken) <= 36_000 // 42 + 1


def test_timers_of_different_purposes_have_different_names():
    assert len({JoinDeadline(), SyncDeadline(), SessionDeadline("a"), SessionDeadline("b")}) == 4


def test_commits_keep_the_session():
    ledger = Ledger()
    (a,) = ledger.stable("a")
    ledger.wait(6_000)
    ledger.commit(a, 1)
    ledger.wait(9_999)

    assert ledger.group.state is State.STABLE


def test_a_heartbeat_of_another_generation_or_member_is_refused():
    ledger = Ledger()
    assert ledger.heartbeat("a", 1) is Error.UNKNOWN_MEMBER_ID
    (a,) = ledger.stable("a")

    assert ledger.heartbeat(a, 0) is Error.ILLEGAL_GENERATION
    assert ledger.heartbeat("b", 1) is Error.UNKNOWN_MEMBER_ID


def test_a_member_that_waits_for_us_is_not_silent():
    ledger = Ledger()
    a, b = ledger.stable("a", "b", rebalance_ms=60_000)
    waits = ledger.join(a, rebalance_ms=60_000)
    for _ in range(6):
        ledger.wait(9_000)
        assert ledger.heartbeat(b, 1) is Error.REBALANCE_IN_PROGRESS

    assert ledger.group.state is State.PREPARING
    ledger.wait(6_000)

    assert ledger.removals() == [(b, "rebalance_timeout")]
    assert ledger.answer_to(waits).generation == 2
    ledger.wait(10_000)
    assert ledger.removals()[1:] == [(a, "session_timeout")]


def test_a_member_that_leaves_starts_a_rebalance():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")

    assert ledger.leave(b) == [Error.NONE]

    assert ledger.group.state is State.PREPARING
    assert ledger.join(a).generation == 2


def test_the_last_member_that_leaves_empties_the_group():
    ledger = Ledger()
    (a,) = ledger.stable("a")

    assert ledger.leave(a, "who") == [Error.NONE, Error.UNKNOWN_MEMBER_ID]

    assert ledger.group.state is State.EMPTY
    assert ledger.group.generation == 2
    assert ledger.changes()[-2:] == [State.PREPARING, State.EMPTY]


def test_who_leaves_while_it_waits_is_answered():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")
    waits = ledger.join(a)

    ledger.leave(a)

    assert ledger.answer_to(waits).error is Error.UNKNOWN_MEMBER_ID
    assert ledger.join(b).leader == b


def test_a_pending_id_can_be_given_back():
    ledger = Ledger()
    (a,) = ledger.stable("a")
    pending = ledger.join().member_id
    waits = ledger.join(a)

    assert ledger.leave(pending) == [Error.NONE]
    assert ledger.answer_to(waits).generation == 2


# --- Static members ----------------------------------------------------------------------------


def two_static(ledger):
    first = ledger.join(static="i1")
    second = ledger.join(static="i2")
    ledger.wait(6_000)
    a, b = ledger.answer_to(first).member_id, ledger.answer_to(second).member_id
    ledger.sync(a, 1, [(a, "x"), (b, "y")], static="i1")
    ledger.sync(b, 1, static="i2")
    return a, b


def test_a_static_member_that_restarts_keeps_its_assignment_without_a_rebalance():
    ledger = Ledger()
    _, b = two_static(ledger)

    again = ledger.join(static="i2")

    assert (again.error, again.generation, again.skip_assignment) == (Error.NONE, 1, False)
    assert again.member_id != b
    assert ledger.sync(again.member_id, 1, static="i2").assignment == "y"
    assert ledger.group.state is State.STABLE


def test_a_static_leader_that_restarts_stays_leader_and_skips_the_assignment():
    ledger = Ledger()
    two_static(ledger)

    again = ledger.join(static="i1")

    assert again.leader == again.member_id == ledger.group.leader
    assert again.skip_assignment
    assert len(again.members) == 2


def test_the_id_before_the_restart_is_fenced():
    ledger = Ledger()
    _, b = two_static(ledger)
    ledger.join(static="i2")

    assert ledger.heartbeat(b, 1, static="i2") is Error.FENCED_INSTANCE_ID
    assert ledger.commit(b, 1, static="i2") is Error.FENCED_INSTANCE_ID
    assert ledger.join(b, static="i2").error is Error.FENCED_INSTANCE_ID
    assert ledger.commit(b, 1) is Error.UNKNOWN_MEMBER_ID


def test_a_parked_request_of_the_fenced_id_is_answered():
    ledger = Ledger()
    waits = ledger.join(static="i1")

    ledger.join(static="i1")

    assert ledger.answer_to(waits).error is Error.FENCED_INSTANCE_ID
    assert len(ledger.group.members) == 1


def test_a_static_member_back_while_completing_rebalances():
    ledger = Ledger()
    ledger.join(static="i1")
    ledger.join(static="i2")
    ledger.wait(6_000)

    ledger.join(static="i2")

    assert ledger.group.state is State.PREPARING


def test_a_static_member_that_changes_the_chosen_protocol_rebalances():
    ledger = Ledger()
    ledger.join(static="i1", protocols=("range", "roundrobin"))
    ledger.join(static="i2", protocols=("range", "roundrobin"))
    ledger.wait(6_000)
    a = ledger.group.leader
    ledger.sync(a, 1, static="i1")

    ledger.join(static="i2", protocols=("roundrobin",))

    assert ledger.group.state is State.PREPARING


def test_static_members_that_do_not_rejoin_stay_for_their_session():
    ledger = Ledger()
    first = ledger.join(static="i1", session_ms=60_000)
    ledger.join(static="i2", session_ms=60_000)
    ledger.wait(6_000)
    a = ledger.answer_to(first).member_id
    ledger.sync(a, 1, static="i1")

    waits = ledger.join(a, static="i1", session_ms=60_000)
    ledger.wait(30_000)

    assert ledger.answer_to(waits).generation == 2
    assert len(ledger.group.members) == 2


def test_a_join_phase_to_which_only_absent_static_members_are_left_goes_on():
    """It ends when one comes back, or when their sessions end."""
    ledger = Ledger()
    first = ledger.join(static="i1", session_ms=200_000)
    ledger.wait(3_000)
    a = ledger.answer_to(first).member_id
    ledger.sync(a, 1, static="i1")
    b, _ = ledger.enter("b")
    ledger.leave(b)
    ledger.wait(60_000)
    assert ledger.group.state is State.PREPARING

    back = ledger.join(a, static="i1")

    assert (back.generation, back.leader) == (2, a)


def test_a_static_member_is_removed_by_its_instance_id():
    ledger = Ledger()
    a, _ = two_static(ledger)

    assert ledger.leave(("", "i2"), ("", "nope")) == [Error.NONE, Error.UNKNOWN_MEMBER_ID]
    assert [one.member_id for one in ledger.group.members] == [a]
