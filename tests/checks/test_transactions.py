"""The checks of transactions: each kept, each broken, and where each cannot tell."""

import pytest

from simulator.checks.check import watch
from simulator.checks.transactions import (
    aborted_is_never_read,
    aborted_is_never_read_by,
    transactions_atomic,
    transactions_end,
)
from simulator.checks.transactions_output import exactly_once_output
from simulator.checks.verdict import Status
from simulator.trace.trace import Trace
from tests.checks.transaction_traces import (
    CUT,
    IN,
    QUIET,
    began,
    ended,
    ending,
    polled,
    told,
)

KEPT, BROKEN, CANNOT_TELL = Status.KEPT, Status.BROKEN, Status.CANNOT_TELL


def wrote(offset, *event_ids, producer_id=7, partition=0, sequence=0, node="b"):
    told = (event_ids, producer_id, 0, sequence)
    return (f"@{node}", "batch_appended", "bills", partition, offset, *told)


def marker(offset, result="commit", producer_id=7, partition=0, node="b"):
    place = ("bills", partition, offset)
    return (f"@{node}", "transaction_marker_written", *place, producer_id, 0, result)


def state(after, whose="pay", producer_id=7):
    return ("@c", "transaction_state_changed", whose, producer_id, 0, "Ongoing", after)


# --- Aborted reads -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((began(), wrote(0, "e1"), marker(1), polled(0, "e1")), KEPT),
        ((wrote(0, "e1", producer_id=3), polled(0, "e1")), KEPT),  # In no transaction.
        ((began(), wrote(0, "e1"), marker(1, "abort"), polled(0, "e1")), BROKEN),
        ((began(), wrote(0, "e1"), polled(0, "e1"), marker(1)), BROKEN),  # Too early.
        ((began(), wrote(0, "e1"), marker(1, producer_id=8), polled(0, "e1")), BROKEN),
        ((began(), wrote(0, "e1"), marker(1, partition=1), polled(0, "e1")), BROKEN),
        # A leader that had written its end alone is none any more, and cuts it off.
        (
            (
                began(), wrote(0, "e1"), marker(1),
                ("@b", "log_truncated", "bills", 0, 1, ()), polled(0, "e1"),
            ),
            BROKEN,
        ),
        (
            (
                began(), wrote(0, "e1"), marker(1), marker(1, node="other"),
                ("@b", "log_truncated", "bills", 0, 1, ()), polled(0, "e1"),
            ),
            KEPT,
        ),
    ],
)  # fmt: skip
def test_what_is_aborted_or_open_is_for_nobody(events, status):
    assert aborted_is_never_read(told(*events)).status is status


@pytest.mark.parametrize("cut", [1, 2])
def test_an_end_that_came_again_and_was_cut_off_leaves_the_first(cut):
    """A coordinator that got no answer asks again; a leader writes that alone, and cuts it."""
    twice = (began(), wrote(0, "e1"), marker(1), marker(2))
    cut_off = ("@b", "log_truncated", "bills", 0, cut, ())
    trace = told(
        *twice, cut_off, ending("commit", "e1"), ended("commit"), polled(0, "e1"), *QUIET
    )

    for check in (aborted_is_never_read, transactions_atomic, transactions_end):
        assert check(trace).status is (BROKEN if cut == 1 else KEPT)


def leads(epoch, node, end=0):
    return (f"@{node}", "became_leader", "bills", 0, epoch, end)


ONE_DONE = (ending("commit", "e1"), ended("commit"))
TWO = (began(), began(8, "other"))


@pytest.mark.parametrize("late", [leads(0, "old"), leads(1, "old")])
def test_what_a_leader_writes_that_has_not_heard_of_its_successor_is_in_no_log(late):
    """It writes another record where its successor has written one, and an end of its own."""
    new = (*TWO, leads(2, "new"), wrote(0, "e1", node="new"), marker(1, node="new"), late)
    old = (wrote(0, "e2", producer_id=8, node="old"), marker(1, "abort", node="old"))
    trace = told(*new, *old, *ONE_DONE, polled(0, "e1"), *QUIET)

    for check in (aborted_is_never_read, transactions_atomic, transactions_end):
        assert check(trace).status is KEPT


def test_what_a_leader_wrote_where_its_successor_writes_is_gone():
    """Nobody ends it: it is not open, though its writer may never come back to cut it off."""
    old = (*TWO, leads(0, "old"), wrote(0, "e2", producer_id=8, node="old"))
    new = (leads(1, "new"), wrote(0, "e1", node="new"), marker(1, node="new"))
    other = state("CompleteAbort", "other", 8)

    assert transactions_end(told(*old, other, *QUIET)).status is BROKEN
    assert transactions_end(told(*old, *new, *ONE_DONE, other, *QUIET)).status is KEPT


def test_a_former_leader_that_cuts_what_its_successor_holds_takes_nothing_from_the_log():
    """Before KIP-101 it cuts off all behind its high watermark, and fetches it again."""
    old = (began(), leads(0, "old"), wrote(0, "e1", node="old"), marker(1, node="old"), *ONE_DONE)
    new = (leads(1, "new", 2), ("@old", "log_truncated", "bills", 0, 0, ("e1",)))
    trace = told(*old, *new, polled(0, "e1"), *QUIET)

    for check in (aborted_is_never_read, transactions_atomic, transactions_end):
        assert check(trace).status is KEPT


@pytest.mark.parametrize(("end", "status"), [(0, KEPT), (1, BROKEN)])
def test_what_lies_behind_the_log_of_who_begins_to_lead_is_gone(end, status):
    """Its writer may never come back to cut it off, and nobody may write there again."""
    old = (began(), leads(0, "old"), wrote(0, "e1", node="old"), state("CompleteAbort"))

    assert transactions_end(told(*old, leads(1, "new", end), *QUIET)).status is status


@pytest.mark.parametrize(("end", "status"), [(1, BROKEN), (2, KEPT)])
def test_an_end_that_lies_behind_the_log_of_who_begins_to_lead_is_gone(end, status):
    old = (began(), leads(0, "old"), wrote(0, "e1", node="old"), marker(1, node="old"))

    trace = told(*old, leads(1, "new", end), polled(0, "e1"))
    assert aborted_is_never_read(trace).status is status


def test_a_group_that_reads_uncommitted_records_may_be_left_out():
    trace = told(began(), wrote(0, "e1"), polled(0, "e1", group="dirty"))

    assert not aborted_is_never_read(trace)
    assert aborted_is_never_read_by("audit")(trace)
    assert not aborted_is_never_read_by("dirty")(trace)


def test_an_aborted_read_is_told():
    trace = told(began(), wrote(0, "e1"), ending("abort", "e1"), marker(1, "abort"),
                 polled(0, "e1"))  # fmt: skip
    story = aborted_is_never_read(trace).explain(trace)

    assert "reader (audit) was given e1 at bills-0@0, of an aborted transaction of pay" in story
    assert "app asks for the abort of its transaction with it" in story
    assert "b writes the abort of it at bills-0@1" in story


# --- All or nothing ------------------------------------------------------------------------------

COMMITTED = (began(), wrote(0, "e1"), wrote(0, "e2", partition=1), ending("commit", "e1", "e2"))


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((*COMMITTED, ended("commit"), marker(1), marker(1, partition=1), *QUIET), KEPT),
        ((*COMMITTED, ended("commit"), marker(1), *QUIET), BROKEN),  # Half of it.
        ((*COMMITTED, ended("commit"), marker(1), *CUT), CANNOT_TELL),
        ((*COMMITTED, ended("commit"), marker(1), marker(1, "abort", partition=1), *QUIET), BROKEN),
        ((*COMMITTED, marker(1), marker(1, partition=1), *QUIET), KEPT),  # It learnt nothing.
        ((*COMMITTED, marker(1, "abort"), marker(1, "abort", partition=1), *QUIET), KEPT),
        ((*COMMITTED, ended("commit", "unknown"), marker(1, "abort"), *QUIET), KEPT),
        ((*COMMITTED, ended("commit", "failed"), marker(1), *QUIET), BROKEN),
        ((began(), wrote(0, "e1"), ending("abort", "e1"), ended("abort"), marker(1)), BROKEN),
        # What was late comes with the next transaction, which is committed.
        (
            (
                began(), ending("abort", "e1"), ended("abort"), began(), wrote(0, "e1"),
                wrote(1, "e2", sequence=1), ending("commit", "e2"), ended("commit"), marker(2),
            ),
            BROKEN,
        ),
        # The same batch, written again by the next leader.
        (
            (
                began(), wrote(0, "e1"), ending("commit", "e1"), wrote(0, "e1", node="other"),
                marker(1, node="other"), ended("commit"),
            ),
            KEPT,
        ),
    ],
)  # fmt: skip
def test_a_transaction_is_all_or_nothing(events, status):
    assert transactions_atomic(told(*events)).status is status


@pytest.mark.parametrize(("first", "status"), [("commit", KEPT), ("abort", BROKEN)])
def test_each_partition_numbers_its_batches_by_itself(first, status):
    """An event is in two transactions, with the same sequence; both are committed."""
    one = (began(), wrote(0, "e1"), ending(first, "e1"), ended(first), marker(1))
    other = (ending("commit", "e1"), ended("commit"), marker(1, partition=1))

    trace = told(*one, began(), wrote(0, "e1", partition=1), *other, *QUIET)
    assert transactions_atomic(trace).status is status


# --- An end to everything ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((began(), wrote(0, "e1"), marker(1), state("CompleteCommit"), *QUIET), KEPT),
        ((began(), state("CompleteAbort"), wrote(0, "e1"), *CUT), BROKEN),
        ((began(), wrote(0, "e1"), *CUT), BROKEN),  # No coordinator ever heard of it.
        ((began(), wrote(0, "e1"), state("Ongoing"), *CUT), CANNOT_TELL),
        ((began(), wrote(0, "e1"), state("PrepareCommit"), *CUT), BROKEN),
        ((began(), wrote(0, "e1"), ("@world", "faults_ended"), state("PrepareCommit"),
          ("@world", "run_ended", "horizon")), CANNOT_TELL),
        ((began(), state("Empty"), wrote(0, "e1")), CANNOT_TELL),  # The run goes on.
        ((began(), state("Empty"), wrote(0, "e1"),
          ("@b", "log_truncated", "bills", 0, 0, ("e1",)), *CUT), KEPT),
    ],
)  # fmt: skip
def test_every_transaction_ends(events, status):
    assert transactions_end(told(*events)).status is status


def test_online_and_afterwards_these_checks_say_the_same():
    checks = (aborted_is_never_read, transactions_atomic, transactions_end, exactly_once_output)
    kept = told(*COMMITTED, marker(1, "abort"), polled(0, "e1"), *IN, *QUIET)
    observers, finish = watch(checks)
    trace = Trace(keep=False, observers=observers)
    for _, at_us, node, causes, event in kept.flat:
        trace.record(at_us, node, causes, event)

    assert finish() == tuple(check(kept) for check in checks)
