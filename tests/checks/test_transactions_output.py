"""What is read of a transformation's sink: once for each input, twice, not at all, or untold."""

import pytest

from simulator.checks.transactions_output import exactly_once_output, exactly_once_output_for
from simulator.checks.verdict import Status
from tests.checks.transaction_traces import (
    CUT,
    IN,
    QUIET,
    acked,
    began,
    ended,
    ending,
    made,
    polled,
    told,
)

KEPT, BROKEN, CANNOT_TELL = Status.KEPT, Status.BROKEN, Status.CANNOT_TELL


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((*IN, polled(0, "e1"), *QUIET), KEPT),
        ((*IN, polled(0, "e1"), polled(0, "e1"), *QUIET), KEPT),  # Read twice, at one place.
        ((*IN, polled(0, "e1"), polled(3, "e1")), BROKEN),
        ((*IN, polled(0, "e1"), polled(0, "e1", partition=1)), BROKEN),
        ((*IN, made("e1", 0, "e1"), polled(0, "e1"), *QUIET), KEPT),  # Its first try was aborted.
        # Two records that tell of one event are two inputs.
        ((*IN, made("e1", 1, "e1"), polled(0, "e1"), polled(1, "e1"), *QUIET), KEPT),
        ((*IN, polled(5, "other"), *QUIET), BROKEN),
        ((*IN, acked("e2", 1), polled(0, "e1"), *QUIET), BROKEN),  # Nothing was made of it.
        ((*IN, acked("e2", 1), polled(0, "e1"), *CUT), CANNOT_TELL),
        ((*IN, *QUIET), CANNOT_TELL),  # Nobody reads.
        ((acked("e1", 0), made("e1", 0, "e1/0", "e1/1"), polled(0, "e1/0"), *QUIET), BROKEN),
        ((acked("e1", 0), made("e1", 0, "e1/0", "e1/1"), polled(0, "e1/0"), polled(1, "e1/1"),
          *QUIET), KEPT),
        ((*IN, acked("e2", 1), made("e2", 1), polled(0, "e1"), *QUIET), KEPT),  # Nothing is made.
        ((*IN, made("e1", 0, "x"), polled(0, "e1"), polled(2, "x"), *QUIET), BROKEN),
    ],
)  # fmt: skip
def test_what_is_read_is_what_was_made_once(events, status):
    assert exactly_once_output(told(*events)).status is status


SENT = ("@shop", "record_sent", "e1", "orders", "k")


@pytest.mark.parametrize(
    ("outcome", "status"), [("commit", BROKEN), ("abort", KEPT)], ids=["commit", "abort"]
)
def test_an_input_of_a_transaction_counts_when_it_is_committed(outcome, status):
    trace = told(
        made("e0", 0, "e0"), polled(0, "e0"), ("@shop", *began()), SENT, acked("e1", 1),
        ("@shop", *ending(outcome, "e1")), ("@shop", *ended(outcome)), *QUIET,
    )  # fmt: skip

    assert exactly_once_output(trace).status is status


def test_the_output_is_judged_by_chosen_readers():
    trace = told(*IN, polled(0, "e1", "dirty"), polled(2, "e1", "dirty"), polled(0, "e1"), *QUIET)

    assert not exactly_once_output(trace)
    assert exactly_once_output_for("audit")(trace)


def test_a_sink_that_nobody_reads_hides_no_loss_in_another():
    """Broken beats unknown; and in a run that was cut nothing is certain yet."""
    receipts = ("record_transformed", "billing", "orders", 0, 0, "e1", "receipts", ("e1",))
    lost = (*IN, receipts, acked("e2", 1), polled(0, "e1"))

    assert exactly_once_output(told(*lost, *QUIET)).status is BROKEN
    assert exactly_once_output(told(*lost, *CUT)).status is CANNOT_TELL
    assert exactly_once_output(told(*IN, receipts, polled(0, "e1"), *QUIET)).status is CANNOT_TELL


# --- Of several tries ----------------------------------------------------------------------------

TRIES = (made("e1", 0, "e1/0"), made("e1", 0, "e1/0", "e1/1"))


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((polled(0, "e1/0"), polled(1, "e1/1"), *QUIET), KEPT),  # The first try was aborted.
        ((polled(0, "e1/0"), *QUIET), KEPT),
        ((made("e1", 0, "x", "y"), polled(0, "e1/0"), polled(1, "x"), *QUIET), BROKEN),
        ((made("e1", 0, "x", "y"), polled(0, "x"), *QUIET), BROKEN),
        ((made("e1", 0, "x", "y"), polled(0, "x"), *CUT), CANNOT_TELL),
    ],
)
def test_one_of_the_things_that_were_made_of_an_input_is_read(events, status):
    """Wholly, and nothing of another: that some of their ids are the same is no breach."""
    assert exactly_once_output(told(acked("e1", 0), *TRIES, *events)).status is status


# --- What is not there any more ------------------------------------------------------------------


def trimmed(topic, start):
    return ("@b", "log_start_moved", topic, 0, start, "retention.ms")


def cleaned(topic, event_id):
    return ("@b", "log_cleaned", topic, 0, 0, 9, (event_id,))


def passed(offset):
    return ("commit_answered", "billing", "orders", 0, offset, "NONE")


def billed(event_id, offset):
    return ("record_acknowledged", event_id, "bills", 0, offset)


READ = (*IN, polled(0, "e1"), acked("e2", 1))


@pytest.mark.parametrize("taken", [trimmed("orders", 2), cleaned("orders", "e2")])
def test_an_input_that_is_taken_before_it_could_be_transformed_need_not_be(taken):
    assert exactly_once_output(told(*READ, passed(1), taken, *QUIET))
    assert exactly_once_output(told(*READ, made("e2", 1, "e2"), passed(1), taken, *QUIET))
    assert not exactly_once_output(told(*READ, passed(2), taken, *QUIET))


def test_a_commit_in_a_transaction_passes_an_input_too():
    offsets = (("billing", "orders", 0, 2),)
    commits = (began(), ("transaction_ending", "pay", "commit", (), offsets), ended("commit"))

    assert not exactly_once_output(told(*READ, *commits, trimmed("orders", 2), *QUIET))


@pytest.mark.parametrize("taken", [trimmed("bills", 2), cleaned("bills", "e2")])
def test_an_output_that_is_taken_before_anybody_came_to_it_need_not_be_read(taken):
    written = (*READ, made("e2", 1, "e2"), billed("e2", 1), passed(2))

    assert exactly_once_output(told(*written, taken, *QUIET))
    assert not exactly_once_output(told(*written, polled(2, "other"), taken, *QUIET))


def test_an_input_may_go_to_several_topics_in_one_transaction():
    other = ("@shop", "record_sent", "e1", "archive", "k")
    trace = told(
        made("e0", 0, "e0"), polled(0, "e0"), ("@shop", *began()), SENT, other, acked("e1", 1),
        ("@shop", *ending("commit", "e1")), ("@shop", *ended("commit")), *QUIET,
    )  # fmt: skip

    assert exactly_once_output(trace).status is BROKEN
