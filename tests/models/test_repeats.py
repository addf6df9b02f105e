"""Checks of what is repeated, committed and aborted, on traces that are written by hand."""

import pytest

from models.patterns.idempotency.commits import commits_follow_effects
from models.patterns.idempotency.ghosts import no_ghost_is_read
from models.patterns.idempotency.repeats import (
    RAN,
    repeats_explained,
    runs_as_it_acts,
)
from models.topics.accounts import newest_are_kept
from simulator import Status
from simulator.trace.trace import Trace
from tests.told_traces import CUT, QUIET, applied, told

KEPT, BROKEN, CANNOT_TELL = Status.KEPT, Status.BROKEN, Status.CANNOT_TELL
RUN = ("noted", RAN, "e1")
DONE = applied("ledger", "a", 1, "e1")
TWO = ("batch_appended", "orders", 0, 0, ("e1", "e2"), 7, 0, 0)
POLLED = ("record_polled", "audit", "orders", 0, 0, "e1")
STARTED = ("processing_started", "billing", "orders", 0, 0, "e1")
HELD = ("partitions_assigned", "billing", 1, (("orders", 0),))


def committed(offset):
    return ("offset_committed", "billing", "orders", 0, offset, "m", 1)


def ended(result):
    return ("transaction_marker_written", "orders", 0, 2, 7, 0, result)


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((RUN, DONE, QUIET), KEPT),
        ((RUN, DONE, RUN, DONE, QUIET), KEPT),
        ((RUN, RUN, DONE, QUIET), BROKEN),
        ((RUN, RUN, DONE, CUT), CANNOT_TELL),
        ((RUN, DONE), KEPT),
    ],
)
def test_runs_as_it_acts_counts_runs_and_effects(events, status):
    assert runs_as_it_acts(told(*events)).status is status


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((TWO, DONE, committed(1)), KEPT),
        ((TWO, DONE, committed(2)), BROKEN),
        ((TWO, applied("ledger", "a", 1, "e2"), committed(2)), BROKEN),
        ((TWO, committed(1), DONE), BROKEN),
        ((committed(1),), KEPT),
    ],
)
def test_commits_follow_effects_wants_all_that_lies_before(events, status):
    """What takes effect after the commit came too late: another may have died in between."""
    assert commits_follow_effects(told(*events)).status is status


@pytest.mark.parametrize(
    ("events", "status", "reached"),
    [
        ((TWO, POLLED, ended("abort")), BROKEN, 2),
        ((TWO, ended("abort"), POLLED), BROKEN, 2),
        ((TWO, ended("abort")), KEPT, 2),
        ((TWO, POLLED, ended("commit")), KEPT, 0),
        ((TWO, POLLED), KEPT, 0),
    ],
)
def test_no_ghost_is_read_looks_for_what_was_aborted(events, status, reached):
    verdict = no_ghost_is_read(told(*events))

    assert (verdict.status, verdict.reached) == (status, reached)


@pytest.mark.parametrize(
    ("between", "status"),
    [
        ((("b", HELD),), KEPT),
        ((("a", ("node_crashed", "clean", "at")),), KEPT),
        ((("broker", committed(1)), ("a", ("node_crashed", "clean", "at"))), BROKEN),
        ((("broker", committed(0)), ("b", HELD)), KEPT),
        ((("broker", committed(1)), ("b", HELD)), KEPT),  # It has slept, and is no owner any more.
        ((("broker", committed(1)), ("a", HELD)), BROKEN),
        ((("a", HELD),), BROKEN),
    ],
)
def test_a_repeat_is_explained_by_what_came_before_its_commit(between, status):
    """That somebody else has the partition says that it was taken away."""
    trace, once = Trace(), (("a", STARTED), ("store", DONE))
    for place, (node, event) in enumerate([("a", HELD), *once, *between, *once]):
        trace.record(place * 1_000, node, (), event)

    assert repeats_explained(trace).status is status


@pytest.mark.parametrize(
    ("removed", "status"), [(("a/1",), KEPT), (("a/2",), BROKEN), (("b/1",), KEPT)]
)
def test_the_newest_of_each_key_stays_and_a_tombstone_may_go(removed, status):
    sent = [("record_sent", one, "accounts", one[0]) for one in ("a/1", "a/2", "b/1")]
    appended = ("batch_appended", "accounts", 0, 0, ("a/1", "a/2", "b/1"), 7, 0, 0)
    cleaned = ("log_cleaned", "accounts", 0, 0, 3, removed)

    verdict = newest_are_kept(["b/1"])(told(*sent, appended, cleaned))

    assert (verdict.status, verdict.reached) == (status, 1)
