"""What former owners of a partition wrote: before their successors' writes, or behind them."""

import pytest

from simulator.checks.takeover import owners_apply_in_turn, owners_write_in_turn
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


# --- Stores --------------------------------------------------------------------------------------


def asked(node, event_id, message):
    """A node asks the store for an effect."""
    about = (event_id, "Upsert")
    return node, ("message_sent", message, node, "ledger", "TransactRequest", about)


def done(node, event_id, message, rows=1):
    """The store is asked, and does it."""
    came = "ledger", ("message_delivered", message, node, "ledger", "TransactRequest")
    return came, *(("ledger", ("effect_applied", "t", f"r{n}", 1, event_id)) for n in range(rows))


def test_effects_that_owners_ask_for_one_after_the_other_are_in_turn():
    trace = told(*MOVED, asked("a", "e1", 1), *done("a", "e1", 1, rows=2), asked("b", "e1", 2),
                 *done("b", "e1", 2))  # fmt: skip
    verdict = owners_apply_in_turn(trace)

    assert verdict
    assert verdict.reached == 3


def test_what_a_former_owner_asked_for_comes_too_late():
    trace = told(*MOVED, asked("a", "e1", 1), asked("b", "e1", 2), *done("b", "e1", 2),
                 *done("a", "e1", 1))  # fmt: skip
    verdict = owners_apply_in_turn(trace)

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (7, 9)
    said = "ledger changed t 'r0' for e1 as a asked, behind what b had it do, "
    assert verdict.evidence[0].sentence == said + "who owned orders-0 after that one"
    assert "ledger applies it again" in verdict.explain(trace)


def test_who_owns_it_again_is_no_former_owner():
    """What it asked for before it was assigned anew, it asked for as the former one."""
    again = (assigned("a", 3), polled("a", "e1"))
    taken = (*MOVED, asked("b", "e1", 2), *done("b", "e1", 2))

    assert owners_apply_in_turn(told(*taken, *again, asked("a", "e1", 3), *done("a", "e1", 3)))
    assert not owners_apply_in_turn(
        told(*MOVED, asked("a", "e1", 1), asked("b", "e1", 2), *done("b", "e1", 2), *again,
             *done("a", "e1", 1))
    )  # fmt: skip


def test_of_plain_calls_it_is_not_told_who_asked():
    trace = told(*MOVED, ("ledger", ("effect_applied", "t", "r", 1, "e1")))
    verdict = owners_apply_in_turn(trace)

    assert verdict.status is Status.CANNOT_TELL
    assert "no effect was asked for by a request" in verdict.why


def test_a_run_without_effects_has_nothing_to_judge():
    assert owners_apply_in_turn(told(*MOVED)).reached == 0
