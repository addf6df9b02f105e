"""Who joins a group, when a generation starts, and who is told what of it."""

from simulator.protocol.errors import Error
from simulator.protocol.group_state import (
    State,
)
from tests.groups import MINUTE_MS, Ledger


def test_a_new_dynamic_member_is_given_an_id_first():
    ledger = Ledger()

    told = ledger.join(client="billing-0")

    assert told.error is Error.MEMBER_ID_REQUIRED
    assert told.member_id == "billing-0-0.1"
    assert ledger.group.pending == (told.member_id,)
    assert ledger.group.state is State.EMPTY


def test_an_old_client_joins_without_asking_for_an_id():
    ledger = Ledger()

    waits = ledger.join(known=False)
    ledger.wait(3_000)

    assert ledger.answer_to(waits).generation == 1


def test_the_first_join_waits_for_the_initial_delay():
    ledger = Ledger()
    member_id, waits = ledger.enter()

    ledger.wait(2_999)
    assert ledger.group.state is State.PREPARING
    ledger.wait(1)

    answer = ledger.answer_to(waits)
    assert (answer.error, answer.generation, answer.leader) == (Error.NONE, 1, member_id)
    assert ledger.group.state is State.COMPLETING


def test_a_new_member_extends_the_initial_delay_once_more():
    ledger = Ledger()
    ledger.enter("a")
    ledger.wait(2_000)
    ledger.enter("b")

    ledger.wait(3_999)
    assert ledger.group.state is State.PREPARING
    ledger.wait(1)

    assert ledger.group.state is State.COMPLETING


def test_the_initial_delay_ends_with_the_rebalance_timeout():
    """Whoever comes: 3 s, then 3 s, then what is left of the first member's 7 s."""
    ledger = Ledger()
    for client in "abcdefg":
        ledger.enter(client, rebalance_ms=7_000)
        ledger.wait(1_000)

    assert ledger.group.state is State.COMPLETING
    assert len(ledger.group.members) == 7


def test_without_an_initial_delay_a_generation_starts_at_once():
    ledger = Ledger(group_initial_rebalance_delay_ms=0)

    _, waits = ledger.enter()
    ledger.wait(0)

    assert ledger.answer_to(waits).generation == 1


def test_only_the_leader_is_told_who_the_members_are():
    ledger = Ledger()
    a, first = ledger.enter("a", said="from a")
    b, second = ledger.enter("b", said="from b")
    ledger.wait(6_000)

    leader, follower = ledger.answer_to(first), ledger.answer_to(second)
    assert [(one.member_id, one.metadata) for one in leader.members] == [
        (a, "from a"),
        (b, "from b"),
    ]
    assert (follower.members, follower.leader) == ((), a)


def test_a_pending_id_holds_up_a_rebalance_until_it_expires():
    ledger = Ledger()
    (a,) = ledger.stable("a", session_ms=60_000)
    pending = ledger.join(client="b").member_id
    waits = ledger.join(a, "a", session_ms=60_000)

    ledger.wait(9_999)
    assert ledger.group.state is State.PREPARING
    ledger.wait(1)

    assert ledger.answer_to(waits).generation == 2
    assert ledger.removals() == [(pending, "never_joined")]
    assert ledger.join(pending).error is Error.UNKNOWN_MEMBER_ID


def test_an_id_that_nobody_gave_out_is_refused():
    ledger = Ledger()
    assert ledger.join("made-up").error is Error.UNKNOWN_MEMBER_ID
    assert ledger.group.state is State.ABSENT

    ledger.stable("a")
    assert ledger.join("made-up").error is Error.UNKNOWN_MEMBER_ID


def test_a_rebalance_waits_for_all_members():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")
    c, third = ledger.enter("c")
    assert ledger.heartbeat(a, 1) is Error.REBALANCE_IN_PROGRESS
    first = ledger.join(a)
    assert ledger.group.state is State.PREPARING

    second = ledger.join(b)

    assert second.generation == 2
    assert {ledger.answer_to(first).leader, ledger.answer_to(third).leader} == {a}
    assert [one.member_id for one in ledger.group.members] == [a, b, c]


def test_who_does_not_rejoin_in_time_is_out():
    """The time is the longest rebalance timeout of all members."""
    ledger = Ledger()
    (a,) = ledger.stable("a", session_ms=60_000, rebalance_ms=5_000)
    b, waits = ledger.enter("b", rebalance_ms=20_000)

    ledger.wait(19_999)
    assert ledger.group.state is State.PREPARING
    ledger.wait(1)

    assert ledger.removals() == [(a, "rebalance_timeout")]
    assert ledger.answer_to(waits).leader == b
    assert ledger.heartbeat(a, 1) is Error.UNKNOWN_MEMBER_ID


def test_a_new_member_that_waits_is_given_up_after_five_minutes():
    ledger = Ledger()
    (a,) = ledger.stable("a", rebalance_ms=1_000_000, session_ms=1_000_000)
    b, waits = ledger.enter("b")

    ledger.wait(5 * MINUTE_MS)

    assert ledger.answer_to(waits).error is Error.UNKNOWN_MEMBER_ID
    assert ledger.removals() == [(b, "never_joined")]
    assert [one.member_id for one in ledger.group.members] == [a]


def test_an_unchanged_follower_costs_no_rebalance_and_the_leader_does():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")

    again = ledger.join(b)
    assert (again.generation, again.leader, ledger.group.state) == (1, a, State.STABLE)

    ledger.join(a)
    assert ledger.group.state is State.PREPARING


def test_a_follower_with_new_metadata_rebalances():
    ledger = Ledger()
    _, b = ledger.stable("a", "b")

    ledger.join(b, said="new topics")

    assert ledger.group.state is State.PREPARING


def test_while_completing_the_same_join_is_answered_again_and_a_changed_one_rebalances():
    ledger = Ledger()
    a, _ = ledger.enter("a")
    b, _ = ledger.enter("b")
    ledger.wait(6_000)

    assert len(ledger.join(a).members) == 2
    assert ledger.group.state is State.COMPLETING
    ledger.join(b, said="changed")
    assert ledger.group.state is State.PREPARING


def test_a_join_without_a_common_protocol_is_refused():
    ledger = Ledger()
    ledger.stable("a")

    assert ledger.join(protocols=("roundrobin",)).error is Error.INCONSISTENT_GROUP_PROTOCOL
    assert ledger.join(protocols=()).error is Error.INCONSISTENT_GROUP_PROTOCOL


def test_the_protocol_with_most_votes_among_those_that_all_support_is_chosen():
    ledger = Ledger()
    _, first = ledger.enter("a", protocols=("range", "roundrobin"))
    ledger.enter("b", protocols=("sticky", "roundrobin", "range"))
    ledger.enter("c", protocols=("roundrobin", "range"))
    ledger.wait(6_000)

    assert ledger.answer_to(first).protocol == "roundrobin"


def test_a_full_group_turns_new_members_away():
    ledger = Ledger(group_max_size=1)
    (a,) = ledger.stable("a")

    assert ledger.join(client="b").error is Error.GROUP_MAX_SIZE_REACHED
    assert ledger.heartbeat(a, 1) is Error.NONE


def test_of_too_many_pending_ids_the_last_to_join_is_turned_away():
    ledger = Ledger(group_max_size=1)
    ids = [ledger.join(client=client).member_id for client in "ab"]
    ledger.join(ids[0])

    assert ledger.join(ids[1]).error is Error.GROUP_MAX_SIZE_REACHED
    assert ledger.group.pending == ()


def test_a_session_timeout_out_of_bounds_is_refused():
    assert Ledger().join(session_ms=5_999).error is Error.INVALID_SESSION_TIMEOUT
    assert Ledger().join(session_ms=1_800_001).error is Error.INVALID_SESSION_TIMEOUT
    ledger = Ledger(group_min_session_timeout_ms=10)
    assert ledger.join(session_ms=10).error is Error.MEMBER_ID_REQUIRED


def test_a_group_needs_a_name():
    ledger = Ledger(group_id="")

    assert ledger.join().error is Error.INVALID_GROUP_ID
    assert ledger.heartbeat("a", 1) is Error.INVALID_GROUP_ID
