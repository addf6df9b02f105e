"""From the join phase to Stable, and what ends a rebalance that does not come so far."""

from simulator.protocol.errors import Error
from simulator.protocol.group_state import (
    State,
)
from tests.groups import Ledger


def test_a_follower_waits_for_the_leaders_assignment():
    ledger = Ledger()
    a, _ = ledger.enter("a")
    b, _ = ledger.enter("b")
    ledger.wait(6_000)

    waits = ledger.sync(b, 1)
    leader = ledger.sync(a, 1, [(a, "x"), (b, "y")])

    assert leader.assignment == "x"
    assert ledger.answer_to(waits).assignment == "y"
    assert ledger.group.state is State.STABLE


def test_a_member_that_the_leader_forgot_has_an_empty_assignment():
    ledger = Ledger()
    a, _ = ledger.enter("a")
    ledger.wait(3_000)

    assert ledger.sync(a, 1).assignment == ()


def test_a_sync_of_another_generation_protocol_or_member_is_refused():
    ledger = Ledger()
    (a,) = ledger.stable("a")

    assert ledger.sync(a, 2).error is Error.ILLEGAL_GENERATION
    assert ledger.sync("who", 1).error is Error.UNKNOWN_MEMBER_ID
    assert ledger.sync(a, 1, protocol="sticky").error is Error.INCONSISTENT_GROUP_PROTOCOL
    ledger.join(a)
    ledger.enter("b")
    assert ledger.sync(a, 1).error is not Error.NONE


def test_a_rebalance_answers_the_syncs_that_wait():
    ledger = Ledger()
    ledger.enter("a")
    b, _ = ledger.enter("b")
    ledger.wait(6_000)
    waits = ledger.sync(b, 1)

    ledger.enter("c")

    assert ledger.answer_to(waits).error is Error.REBALANCE_IN_PROGRESS
    assert ledger.sync(b, 1).error is Error.REBALANCE_IN_PROGRESS


def test_a_leader_that_never_syncs_is_removed():
    ledger = Ledger()
    a, _ = ledger.enter("a", session_ms=60_000, rebalance_ms=10_000)
    b, _ = ledger.enter("b", session_ms=60_000, rebalance_ms=10_000)
    ledger.wait(6_000)
    waits = ledger.sync(b, 1)

    ledger.wait(9_999)
    assert ledger.group.state is State.COMPLETING
    ledger.wait(1)

    assert ledger.removals() == [(a, "never_synced")]
    assert ledger.answer_to(waits).error is Error.REBALANCE_IN_PROGRESS
    assert ledger.join(b, session_ms=60_000).leader == b


def test_a_follower_that_never_syncs_is_removed_from_a_stable_group_too():
    ledger = Ledger()
    a, _ = ledger.enter("a", session_ms=60_000, rebalance_ms=10_000)
    b, _ = ledger.enter("b", session_ms=60_000, rebalance_ms=10_000)
    ledger.wait(6_000)
    ledger.sync(a, 1, [(a, "x"), (b, "y")])

    ledger.wait(10_000)

    assert ledger.removals() == [(b, "never_synced")]
    assert ledger.group.state is State.PREPARING


def test_a_group_in_which_nobody_syncs_is_empty_again():
    ledger = Ledger()
    ledger.enter(session_ms=60_000, rebalance_ms=10_000)
    ledger.wait(13_000)

    assert ledger.group.state is State.EMPTY
    assert ledger.group.generation == 2
