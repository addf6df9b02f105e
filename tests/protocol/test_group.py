"""What a group keeps through a crash, and what its facts tell."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.errors import Error
from simulator.protocol.group import Group, GroupConfig
from simulator.protocol.group_state import (
    TRANSITIONS,
    GenerationStarted,
    GroupMetadata,
    MemberRemoved,
    OffsetsCommitted,
    State,
    StateChanged,
    Unload,
)
from simulator.protocol.messages import (
    CommittedOffset,
    HeartbeatRequest,
)
from tests.groups import T0, Ledger

# --- Crashes -----------------------------------------------------------------------------------


def test_a_coordinator_that_restarts_knows_members_generation_and_offsets():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")
    ledger.commit(a, 1, 5)
    before = ledger.group.hard_state()
    ledger.wait(9_000)

    ledger.driven.start()

    assert ledger.group.hard_state() == before
    assert ledger.group.state is State.STABLE
    assert ledger.heartbeat(b, 1) is Error.NONE
    assert ledger.sync(a, 1).assignment == f"of {a}"
    assert ledger.group.committed(T0).offset == 5


def test_a_restart_starts_every_session_afresh():
    ledger = Ledger()
    ledger.stable("a", "b")
    ledger.wait(9_000)
    ledger.driven.start()

    ledger.wait(9_999)
    assert len(ledger.group.members) == 2
    ledger.wait(1)
    assert ledger.group.members == ()


def test_a_restart_forgets_the_rebalance_that_was_under_way():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")
    ledger.join(b, said="changed")
    ledger.join(a)
    assert (ledger.group.generation, ledger.group.state) == (2, State.COMPLETING)

    ledger.driven.start()

    assert (ledger.group.generation, ledger.group.state) == (1, State.STABLE)
    assert ledger.sync(a, 2).error is Error.ILLEGAL_GENERATION


def test_no_member_id_is_given_out_twice_across_restarts():
    ledger = Ledger()
    given = []
    for _ in range(3):
        given += [ledger.join(client="c").member_id for _ in range(3)]
        ledger.driven.start()

    assert len(set(given)) == 9


def test_offsets_alone_bring_an_empty_group_back():
    ledger = Ledger()
    ledger.commit("", -1)
    ledger.driven.start()

    assert ledger.group.state is State.EMPTY


def test_a_group_that_is_over_a_lowered_limit_rebalances_when_it_is_loaded():
    ledger = Ledger()
    a, b = ledger.stable("a", "b")
    ledger.driven.build = lambda life: Group("g", GroupConfig(group_max_size=1), life)
    ledger.driven.start()
    assert ledger.group.state is State.PREPARING

    ledger.join(a)

    assert ledger.join(b).error is Error.GROUP_MAX_SIZE_REACHED


def test_a_coordinator_that_gives_a_group_up_sends_away_who_waits():
    ledger = Ledger()
    a, _ = ledger.stable("a", "b")
    waits = ledger.join(a)

    ledger.driven.tell(Unload())

    assert ledger.answer_to(waits).error is Error.NOT_COORDINATOR
    assert ledger.group.state is State.DEAD
    assert ledger.driven.timers == {}
    unavailable = Error.COORDINATOR_NOT_AVAILABLE
    assert ledger.join().error is unavailable
    assert ledger.sync(a, 1).error is unavailable
    assert ledger.heartbeat(a, 1) is unavailable
    assert ledger.commit(a, 1) is unavailable


# --- What a run can be told --------------------------------------------------------------------


def test_the_facts_tell_the_story_of_a_group():
    ledger = Ledger()
    (a,) = ledger.stable("a")
    ledger.commit(a, 1, 5)
    ledger.leave(a)

    told = (GenerationStarted, MemberRemoved, OffsetsCommitted)
    assert [fact for fact in ledger.driven.facts if isinstance(fact, told)] == [
        GenerationStarted(1, "range", a, (a,)),
        OffsetsCommitted(a, 1, (CommittedOffset(T0, 5),), 3_000_000),
        MemberRemoved(a, "left"),
        GenerationStarted(2, "", "", ()),
    ]
    assert ledger.changes() == [
        State.EMPTY,
        State.PREPARING,
        State.COMPLETING,
        State.STABLE,
        State.PREPARING,
        State.EMPTY,
    ]


def test_a_group_is_written_when_it_comes_to_be_is_assigned_and_is_empty_again():
    ledger = Ledger()
    (a,) = ledger.stable("a")
    ledger.leave(a)

    written = [fact for fact in ledger.driven.disk if isinstance(fact, GroupMetadata)]
    assert [(one.generation, len(one.members)) for one in written] == [(0, 0), (1, 1), (2, 0)]


def test_a_change_of_state_that_the_table_does_not_name_is_a_bug_of_ours():
    group = Group("g")

    with pytest.raises(AssertionError, match="no such change"):
        group.apply(StateChanged(State.ABSENT, State.STABLE, HeartbeatRequest, 0))
    assert group.state is State.ABSENT


def test_no_state_is_left_by_a_heartbeat():
    assert not any(on is HeartbeatRequest for _, on in TRANSITIONS)


def test_settings_are_read_by_kafkas_names():
    config = GroupConfig.parse({"group.initial.rebalance.delay.ms": 0, "group.max.size": 3})

    assert (config.group_initial_rebalance_delay_ms, config.group_max_size) == (0, 3)
    with pytest.raises(BadInput, match=r"group\.max\.session\.timeout\.ms is below"):
        GroupConfig.parse({"group.max.session.timeout.ms": 10})
    with pytest.raises(BadInput, match="is not modelled"):
        GroupConfig.parse({"offset.metadata.max.bytes": 1})
    with pytest.raises(BadInput, match=r"did you mean group\.max\.size"):
        GroupConfig.parse({"group.max.sise": 1})
