"""The checks of an outbox on hand-made traces: kept, broken, and what nobody can tell."""

import json

import pytest

from models.patterns.outboxes.outbox import TOPIC
from models.patterns.outboxes.outbox_checks import (
    at_most_repeated,
    commit_order,
    never_repeated,
    no_ghost,
    no_loss,
    numbered_as_committed,
    passed_by_no_one,
)
from models.patterns.outboxes.outbox_counts import Telling
from models.patterns.outboxes.outbox_promises import (
    all_or_none,
    bounded,
    carried_over,
    equal_repeats,
    nothing_doubled,
    nothing_lost,
    told_within,
)
from simulator import Status, Trace

KEPT, BROKEN, CANNOT_TELL = Status.KEPT, Status.BROKEN, Status.CANNOT_TELL
PLACED, PAID = "o-1/placed", "o-1/paid"
QUIET, CUT = ("world", ("run_ended", "quiet")), ("world", ("run_ended", "horizon"))
CRASHED = ("relay-0", ("node_crashed", "process", "published"))


def committed(event_id, table="changes", by=""):
    return "ledger", ("effect_applied", table, event_id, "o-1", by)


def appended(*event_ids, topic=TOPIC):
    return "broker-0", ("batch_appended", topic, 0, 0, event_ids, 0, 0, 0)


def sent(event_id, topic=TOPIC):
    return "relay-0", ("record_sent", event_id, topic, "o-1")


def noted(name, detail):
    return "orders-0", ("noted", name, detail)


def numbered(event_id, number):
    return noted("numbered", f"{event_id} {number}")


def received(event_id, fact="placed", key="o-1"):
    return noted("received", json.dumps([event_id, key, fact]))


def shipped(event_id):
    return "ledger", ("effect_applied", "shipments", "o-1", 1, event_id)


def seen(trace_of):
    """One entry a millisecond; those in a list happen at once."""
    trace, at_us = Trace(), 0
    for one in trace_of:
        for node, event in one if isinstance(one, list) else [one]:
            trace.record(at_us, node, (), event)
        at_us += 1_000
    return trace


CASES = [
    (no_ghost, (committed(PLACED), appended(PLACED)), KEPT, 1),
    (no_ghost, (appended(PLACED, topic="other"),), KEPT, 0),
    (no_ghost, (appended(PLACED), committed(PLACED)), BROKEN, 1),
    (no_ghost, (appended(PLACED),), BROKEN, 1),
    (no_loss, (committed(PLACED), appended(PLACED), QUIET), KEPT, 1),
    (no_loss, (committed(PLACED), appended(PLACED)), KEPT, 1),
    (no_loss, (committed(PLACED), QUIET), BROKEN, 1),
    (no_loss, (committed(PLACED), appended(PLACED, topic="other"), QUIET), BROKEN, 1),
    (no_loss, (committed(PLACED), CUT), CANNOT_TELL, 1),
    (no_loss, (committed(PLACED),), CANNOT_TELL, 1),
    (commit_order, (committed(PLACED), committed(PAID), appended(PLACED, PAID)), KEPT, 1),
    (commit_order, (committed(PAID), committed(PLACED), appended(PLACED, PAID)), BROKEN, 1),
    (commit_order, (committed(PLACED), committed("o-2/placed"), appended("o-2/placed", PLACED)),
     KEPT, 0),
    (commit_order, (committed(PLACED), committed(PAID), appended(PLACED, PAID, PLACED)), KEPT, 1),
    (never_repeated, (appended(PLACED), appended(PAID)), KEPT, 2),
    (never_repeated, (appended(PLACED), CRASHED, appended(PLACED)), BROKEN, 1),
    (at_most_repeated(1), (appended(PLACED), CRASHED, appended(PLACED)), KEPT, 1),
    (at_most_repeated(1), (appended(PLACED), appended(PLACED)), BROKEN, 1),
    (at_most_repeated(1), (appended(PLACED, PAID), CRASHED, appended(PLACED, PAID)), BROKEN, 2),
    (passed_by_no_one,
     (numbered(PLACED, 1), numbered(PAID, 2), committed(PLACED), sent(PAID), committed(PAID)),
     KEPT, 0),
    (passed_by_no_one,
     (numbered(PLACED, 1), numbered(PAID, 2), committed(PAID), committed(PLACED), sent(PAID)),
     KEPT, 1),
    (passed_by_no_one,
     (numbered(PLACED, 1), numbered(PAID, 2), committed(PAID), sent(PAID), committed(PLACED)),
     BROKEN, 1),
    (passed_by_no_one, (committed(PAID), sent(PAID)), KEPT, 0),
    (numbered_as_committed,
     (numbered(PLACED, 1), committed(PLACED), numbered(PAID, 2), committed(PAID)), KEPT, 2),
    (numbered_as_committed,
     (numbered(PLACED, 1), numbered(PAID, 2), committed(PAID), committed(PLACED)), BROKEN, 2),
    (equal_repeats, (received(PLACED), received(PAID, fact="paid")), KEPT, 0),
    (equal_repeats, (received(PLACED), received(PLACED)), KEPT, 1),
    (equal_repeats, (received(PLACED), received(f"{PLACED}/2")), BROKEN, 1),
    (equal_repeats, (received(PLACED), received(PLACED, key="o-2")), BROKEN, 1),
    (equal_repeats, (received(PLACED), received(PLACED, fact="paid")), BROKEN, 1),
    (nothing_lost, (committed(PLACED), shipped(PLACED), QUIET), KEPT, 1),
    (nothing_lost, (committed(PLACED), QUIET), BROKEN, 1),
    (nothing_lost, (committed(PLACED), CUT), CANNOT_TELL, 1),
    (nothing_doubled, (shipped(PLACED), shipped(PAID)), KEPT, 2),
    (nothing_doubled, (shipped(PLACED), shipped(PLACED)), BROKEN, 1),
    (carried_over, (committed(PLACED), shipped(PLACED), QUIET), KEPT, 2),
    (carried_over, (committed(PLACED), shipped(PLACED), shipped(PLACED), CUT), BROKEN, 2),
    (carried_over, (committed(PLACED), CUT), CANNOT_TELL, 1),
    (bounded, (noted("old rows", "0 0"),), KEPT, 1),
    (bounded, (noted("old rows", "2 1"),), BROKEN, 1),
    (bounded, (), KEPT, 0),
    (told_within(1_000), (committed(PLACED), appended(PLACED)), KEPT, 1),
    (told_within(1_000), (committed(PLACED), committed(PAID), appended(PLACED)), BROKEN, 1),
    (told_within(1_000), (appended(PLACED), committed(PLACED), QUIET), KEPT, 0),
]  # fmt: skip


@pytest.mark.parametrize(("check", "told", "status", "reached"), CASES)
def test_a_check_tells_kept_from_broken_and_from_what_is_still_open(check, told, status, reached):
    verdict = check(seen(told))

    assert (verdict.status, verdict.reached) == (status, reached)
    assert verdict.check == check.name


def test_a_runs_counts_are_those_of_its_entries():
    run = Telling()
    asks = ("message_sent", 1, "relay-0", "ledger", "StoreRunRequest", ())
    told = (
        committed(PLACED), committed(PAID), appended(PAID), appended(PLACED), appended(PAID),
        appended("o-9/placed"), committed("o-2/placed"), shipped(PLACED), shipped(PLACED),
        shipped(PAID), noted("old rows", "3 1"), ("relay-0", asks), QUIET,
    )  # fmt: skip
    for kind, observe in run.observers():
        for entry in seen(told).flat:
            if entry[4][0] == kind:
                observe(entry)

    assert (run.lost, run.ghosts, run.out_of_order) == ((1, 3), (1, 3), (1, 1))
    assert (run.told_again, run.shipped_twice, run.asked_per_event) == ((1, 3), (1, 2), (1, 3))
    assert (run.latencies_us, run.old_rows, run.old_unsent) == ([1_000, 3_000], 3, 1)
    assert run.took_s == 0.005


def test_of_a_run_that_was_cut_nobody_says_what_it_lost():
    assert (Telling().lost, Telling().took_s) == (None, None)


BOTH = all_or_none(("inbox", "changes"))
IN, CHANGE = committed("row", "inbox", "e1"), committed("row", "changes", "e1")


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (([IN, CHANGE],), KEPT),
        ((IN, CHANGE), BROKEN),
        ((IN,), BROKEN),
        (([IN, committed("row", "outbox", "e2"), CHANGE],), BROKEN),
        ((committed("row", "outbox", "e1"),), KEPT),
    ],
)
def test_what_is_written_at_two_moments_is_at_one_of_them_half_there(told, status):
    assert BOTH(seen(told)).status is status
