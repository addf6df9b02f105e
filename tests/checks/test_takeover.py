"""What former owners of a partition wrote: before their successors' writes, or behind them."""

import pytest

from simulator.checks.takeover import owners_write_in_turn
from simulator.checks.verdict import Status
from simulator.trace.trace import Trace

IN, OUT = ("orders", 0), ("changelog", 0)


def told(*events):
    """A trace of (node, event)."""
    trace = Trace()
    for number, (node, event) in enumerate(events):
        trace.record(number * 1_000, node, (), event)
    return trace


def assigned(node, generation=1):
    return node, ("partitions_assigned", "billing", generation, (IN,))


def polled(node, event_id, offset=0):
    return node, ("record_polled", "billing", *IN, offset, event_id)


def sent(node, event_id):
    return node, ("record_sent", event_id, "changelog", "k")


def landed(node, event_id, offset):
    return node, ("record_acknowledged", event_id, *OUT, offset)


def read(event_id, offset):
    return "auditor", ("record_polled", "audit", *OUT, offset, event_id)


def wrote(node, event_id, offset):
    return sent(node, event_id), landed(node, event_id, offset)


MOVED = (
    assigned("a"),
    polled("a", "e1"),
    assigned("b", 2),
    polled("b", "e1"),
)


def test_a_write_before_the_successor_s_is_in_turn():
    trace = told(*MOVED, *wrote("a", "e1", 0), *wrote("b", "e1", 1), read("e1", 0), read("e1", 1))
    verdict = owners_write_in_turn(trace)

    assert verdict
    assert verdict.reached == 2


def test_a_write_behind_the_successor_s_is_not():
    trace = told(*MOVED, *wrote("b", "e1", 0), *wrote("a", "e1", 1), read("e1", 0), read("e1", 1))
    verdict = owners_write_in_turn(trace)

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (8, 9)
    said = (
        "a wrote for e1 at changelog-0@1, behind what b had written, who owned orders-0 after it"
    )
    assert verdict.evidence[0].sentence == said


def test_it_is_the_order_of_the_log_that_counts():
    """Not that of the acknowledgements, nor of the reader's polls."""
    trace = told(*MOVED, *wrote("b", "e1", 1), *wrote("a", "e1", 0), read("e1", 1), read("e1", 0))

    assert owners_write_in_turn(trace)


@pytest.mark.parametrize("also", [(), (read("e1", 0),)])
def test_what_no_reader_was_given_is_no_case(also):
    """As the write of a transaction that was aborted."""
    trace = told(*MOVED, *wrote("b", "e1", 0), *wrote("a", "e1", 1), *also)
    verdict = owners_write_in_turn(trace)

    assert verdict.status is (Status.KEPT if also else Status.CANNOT_TELL)


def test_who_is_assigned_the_partition_again_writes_as_its_owner():
    again = (assigned("a", 3), polled("a", "e2", 1), *wrote("a", "e2", 1))
    trace = told(*MOVED, *wrote("b", "e1", 0), *again, read("e1", 0), read("e2", 1))

    assert owners_write_in_turn(trace)


def test_what_was_sent_before_it_was_assigned_anew_is_of_the_old_owner():
    """It was on its way all the while."""
    late = (sent("a", "e1"), assigned("a", 3), landed("a", "e1", 1))
    trace = told(*MOVED, *wrote("b", "e1", 0), *late, read("e1", 0), read("e1", 1))

    assert not owners_write_in_turn(trace)


def test_other_writes_are_nobody_s():
    """For no record that was polled, or to the topic that it was polled from."""
    trace = told(
        *MOVED,
        *wrote("c", "e7", 0),
        ("a", ("record_sent", "e1", "orders", "k")),
        ("a", ("record_acknowledged", "e1", *IN, 4)),
        read("e7", 0),
    )

    assert owners_write_in_turn(trace).reached == 0
