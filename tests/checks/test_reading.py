"""Readers of one log, and of whole transactions: kept, broken, and where it cannot be told."""

import pytest

from simulator.checks.reading import (
    readers_agree,
    transactions_read_whole,
    transactions_read_whole_by,
)
from simulator.checks.verdict import Status
from simulator.trace.trace import Trace
from tests.tiny_traces import tiny

KEPT, BROKEN, CANNOT_TELL = Status.KEPT, Status.BROKEN, Status.CANNOT_TELL
STRAIGHT = ("c: polled e1 1", "c: polled e2 2", "c: polled e3 3")


def test_readers_who_are_given_the_same_agree():
    verdict = readers_agree(tiny(*STRAIGHT, "d: polled e1 1", "d: polled e2 2", "d: polled e3 3"))

    assert verdict
    assert verdict.reached == 6


def test_a_gap_that_everybody_has_is_no_disagreement():
    """Markers and the cleaner leave gaps."""
    assert readers_agree(tiny("c: polled e1 1", "c: polled e3 3", "d: polled e1 1",
                              "d: polled e3 3"))


@pytest.mark.parametrize("first", [True, False])
def test_who_jumps_over_what_another_is_given_disagrees(first):
    jumping = ("d: polled e1 1", "d: polled e3 3")
    trace = tiny(*jumping, *STRAIGHT) if first else tiny(*STRAIGHT, *jumping)
    verdict = readers_agree(trace)

    assert verdict.status is BROKEN
    assert len(verdict.entries) == 3
    said = "after @1 d was given @3, and others e2 (orders-0@2)"
    assert verdict.evidence[0].sentence == said
    assert said in verdict.explain(trace)


@pytest.mark.parametrize("between", ["d: reset 3", "d: assigned", "d: revoked", "d: crashed"])
def test_who_begins_anew_does_not_go_on(between):
    assert readers_agree(tiny(*STRAIGHT, "d: polled e1 1", between, "d: polled e3 3"))


@pytest.mark.parametrize("gone", ["b: cleaned 0 3 e2", "b: trimmed 3"])
def test_what_was_removed_meanwhile_need_not_be_read(gone):
    assert readers_agree(tiny(*STRAIGHT, gone, "d: polled e1 1", "d: polled e3 3"))


# --- Transactions --------------------------------------------------------------------------------

HEALED = (("world", ("faults_ended",)), ("world", ("run_ended", "quiet")))
CUT = (("world", ("faults_ended",)), ("world", ("run_ended", "horizon")))


def told(*steps):
    """A trace of (node, event), one that is no pair is by the application."""
    trace = Trace()
    for number, step in enumerate(steps):
        node, event = step if isinstance(step[1], tuple) else ("app", step)
        trace.record(number * 1_000, node, (), event)
    return trace


def wrote(event_id, partition, offset):
    return (
        ("record_sent", event_id, "bills", "k"),
        ("record_acknowledged", event_id, "bills", partition, offset),
    )


def ending(result, *event_ids, outcome="done"):
    asked = ("transaction_ending", "pay", result, event_ids, ())
    if outcome == "none":
        return (asked,)
    return asked, ("transaction_ended", "pay", result, outcome, "NONE")


def owns(*partitions, group="audit"):
    places = tuple(("bills", one) for one in partitions)
    return "r", ("partitions_assigned", group, 1, places)


def given(event_id, partition, offset, group="audit"):
    return "r", ("record_polled", group, "bills", partition, offset, event_id)


BOTH = (*wrote("e1", 0, 4), *wrote("e2", 1, 7), owns(0, 1))


@pytest.mark.parametrize(
    ("steps", "status", "reached"),
    [
        ((*ending("commit", "e1", "e2"), given("e1", 0, 4), given("e2", 1, 7)), KEPT, 1),
        ((*ending("commit", "e1", "e2"), given("e1", 0, 4)), BROKEN, 1),
        (ending("commit", "e1", "e2"), KEPT, 0),  # Nothing at all: acknowledged_is_read's matter.
        ((*ending("commit", "e1", "e2", outcome="unknown"), given("e1", 0, 4)), BROKEN, 1),
        ((*ending("commit", "e1", "e2", outcome="none"), given("e1", 0, 4)), BROKEN, 1),
        ((*ending("commit", "e1", "e2", outcome="failed"), given("e1", 0, 4)), KEPT, 0),
        ((*ending("abort", "e1", "e2"), given("e1", 0, 4)), KEPT, 0),  # aborted_is_never_read's.
        # One record more, of which nobody knows where it lies.
        ((*ending("commit", "e1", "e3"), given("e1", 0, 4)), KEPT, 0),
        (
            (("record_sent", "e3", "bills", "k"), *ending("commit", "e1", "e3"),
             given("e1", 0, 4)), BROKEN, 1,
        ),
        # What is sent again in the next transaction, the first one's end being unknown.
        (
            (*ending("commit", "e1", "e2", outcome="unknown"), *ending("commit", "e1"),
             given("e1", 0, 4)), KEPT, 0,
        ),
        # The cleaner took it.
        (
            (*ending("commit", "e1", "e2"), given("e1", 0, 4),
             ("b", ("log_cleaned", "bills", 1, 0, 9, ("e2",)))), KEPT, 0,
        ),
    ],
)  # fmt: skip
def test_a_committed_transaction_is_read_wholly_or_not_at_all(steps, status, reached):
    verdict = transactions_read_whole(told(*BOTH, *steps, *HEALED))

    assert verdict.status is status
    assert verdict.reached == reached


def test_who_reads_one_partition_only_is_given_its_part():
    trace = told(*BOTH[:-1], owns(0), *ending("commit", "e1", "e2"), given("e1", 0, 4), *HEALED)

    assert transactions_read_whole(trace).status is KEPT


def test_a_transaction_that_is_read_in_part_is_told():
    trace = told(*BOTH, *ending("commit", "e1", "e2"), given("e1", 0, 4), *HEALED)
    verdict = transactions_read_whole(trace)

    said = "audit was given e1 of a transaction of pay, and never e2"
    assert verdict.evidence[0].sentence == said
    assert verdict.entries == (5, 7)
    assert "asks for the commit of its transaction with e1, e2" in verdict.explain(trace)


def test_the_rest_may_come_while_the_run_is_not_over():
    trace = told(*BOTH, *ending("commit", "e1", "e2"), given("e1", 0, 4), *CUT)

    assert transactions_read_whole(trace).status is CANNOT_TELL


def test_groups_that_read_uncommitted_records_may_be_left_out():
    steps = (owns(0, 1, group="dirty"), given("e1", 0, 4, group="dirty"))
    trace = told(*BOTH, *ending("commit", "e1", "e2"), *steps, *HEALED)

    assert transactions_read_whole_by("audit")(trace)
    assert not transactions_read_whole_by("dirty")(trace)


def test_who_begins_behind_a_record_does_not_want_it():
    """auto.offset.reset=latest; not so whoever skips it later."""
    asked = ("r", ("position_reset", "audit", "bills", 1, 8, "latest"))
    rest = (*ending("commit", "e1", "e2"), given("e1", 0, 4), *HEALED)

    assert transactions_read_whole(told(*BOTH, asked, *rest)).status is KEPT
    assert not transactions_read_whole(told(*BOTH, given("e0", 1, 6), asked, *rest))


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ((given("e1", 0, 4),), BROKEN),
        ((given("e1", 0, 4), ("r", ("record_polled", "audit", "orders", 0, 2, "e1"))), KEPT),
    ],
)
def test_a_record_may_go_to_several_topics_in_one_transaction(steps, status):
    """Under one id. Where it went in a transaction before is that one's matter."""
    before = (
        ("transaction_began", "pay", 7, 0), ("record_sent", "e1", "archive", "k"),
        *ending("abort", "e1"), ("transaction_began", "pay", 7, 0),
    )  # fmt: skip
    both = (
        ("record_sent", "e1", "orders", "k"), ("record_acknowledged", "e1", "orders", 0, 2),
        *wrote("e1", 0, 4), owns(0),
        ("r", ("partitions_assigned", "audit", 1, (("orders", 0), ("archive", 0)))),
    )  # fmt: skip
    verdict = transactions_read_whole(told(*before, *both, *ending("commit", "e1"), *steps,
                                           *HEALED))  # fmt: skip

    assert verdict.status is status
    if status is BROKEN:
        said = "audit was given e1 of a transaction of pay, and never e1 of orders"
        assert verdict.evidence[0].sentence == said
