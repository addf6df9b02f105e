"""What a run did to its events, counted from hand-made entries."""

import pytest

from simulator.checks.delivery import never_applied_twice, never_lost
from simulator.checks.order import key_order
from simulator.stats.delivery import Delivery
from simulator.trace.trace import Trace


def told(*entries, ended="quiet"):
    """What a Delivery makes of (at_us, node, event) entries, and their trace."""
    delivery = Delivery()
    trace = Trace(observers=delivery.observers())
    for at_us, node, event in entries:
        trace.record(at_us, node, (), event)
    trace.record(10**9, "world", (), ("faults_ended",))
    if ended:
        trace.record(10**9, "world", (), ("run_ended", ended))
    return delivery, trace


def sent(event_id, at_us=0, key="k", topic="orders", node="shop"):
    return at_us, node, ("record_sent", event_id, topic, key)


def acknowledged(event_id, topic="orders"):
    return 0, "shop", ("record_acknowledged", event_id, topic, 0, 0)


def applied(event_id, at_us=0, row="r", table="ledger"):
    return at_us, "ledger", ("effect_applied", table, row, 1, event_id)


def polled(topic="orders"):
    return 0, "g-0", ("record_polled", "g", topic, 0, 0, "any")


def between():
    """Something else of the ledger's: what follows is another transaction."""
    return 0, "ledger", ("noted", "else", "")


def test_nothing_happened():
    delivery, _ = told()

    assert (delivery.sent, delivery.acknowledged, delivery.applied) == (0, 0, 0)
    assert (delivery.lost, delivery.applied_twice, delivery.out_of_order) == (0, 0, 0)
    assert delivery.latencies_us == []


def test_events_are_counted_once_however_often_they_are_sent_and_acknowledged():
    delivery, _ = told(sent("a"), sent("a", 5), sent("b"), acknowledged("a"), acknowledged("a"))

    assert (delivery.sent, delivery.acknowledged) == (2, 1)


def test_lost_is_acknowledged_and_not_applied_when_the_run_came_to_rest():
    entries = [sent(name) for name in "abc"]
    entries += [polled(), acknowledged("a"), acknowledged("b"), applied("a"), applied("c")]
    delivery, trace = told(*entries)

    assert (delivery.lost, delivery.applied) == (1, 2)
    assert never_lost(trace).cases == 1


@pytest.mark.parametrize("ended", ["horizon", "stopped", ""])
def test_a_run_that_was_cut_off_does_not_tell_what_is_lost(ended):
    delivery, _ = told(sent("a"), acknowledged("a"), applied("a"), ended=ended)

    assert delivery.lost is None
    assert delivery.applied == 1


def test_applied_twice_is_a_second_transaction_on_one_table():
    delivery, trace = told(applied("a"), applied("b"), applied("a"), applied("c"))

    assert (delivery.applied, delivery.applied_twice) == (3, 1)
    assert never_applied_twice(trace).cases == 1


def test_several_rows_and_tables_of_one_transaction_are_one_application():
    """A transfer takes from one account and gives to another."""
    delivery, trace = told(
        applied("a", row="from"), applied("a", row="to"), applied("a", table="log"), between()
    )

    assert (delivery.applied, delivery.applied_twice) == (1, 0)
    assert never_applied_twice(trace).cases == 0


@pytest.mark.parametrize(
    "again",
    [
        [applied("a", row="to")],
        [between(), applied("a", row="from"), applied("a", row="to")],
        [applied("b"), applied("a", row="elsewhere")],
        [between(), applied("a", row="elsewhere")],
    ],
)
def test_the_same_transaction_again_is_applied_twice_whichever_rows_it_changes(again):
    delivery, trace = told(applied("a", row="from"), applied("a", row="to"), *again)

    assert delivery.applied_twice == 1
    assert never_applied_twice(trace).cases == 1


def test_an_event_is_counted_once_however_often_it_is_applied():
    delivery, _ = told(*[applied("a") for _ in range(5)])

    assert (delivery.applied, delivery.applied_twice) == (1, 1)


def test_effects_on_behalf_of_no_event_are_not_counted():
    delivery, _ = told(applied(""), applied(""))

    assert (delivery.applied, delivery.applied_twice) == (0, 0)


def test_latency_is_from_the_first_sending_to_the_first_effect():
    delivery, _ = told(
        sent("a", 100), sent("a", 300), applied("a", 450), applied("a", 900), applied("x", 1_000)
    )

    assert delivery.latencies_us == [350]


def test_out_of_order_is_applied_after_what_was_sent_later_with_the_same_key():
    entries = [sent(name) for name in "abcd"]
    delivery, trace = told(*entries, *map(applied, "adbc"))

    assert delivery.out_of_order == 2
    assert key_order(trace).cases == 2


@pytest.mark.parametrize(
    "entries",
    [
        [sent("a", key="k"), sent("b", key="l")],
        [sent("a", key=None), sent("b", key=None)],
        [sent("a", topic="orders"), sent("b", topic="payments")],
        [sent("a", node="shop"), sent("b", node="other")],
    ],
    ids=["key", "no key", "topic", "client"],
)
def test_only_what_one_client_sends_to_one_topic_with_one_key_has_an_order(entries):
    delivery, trace = told(*entries, applied("b"), applied("a"))

    assert delivery.out_of_order == 0
    assert key_order(trace).cases == 0


def test_only_the_first_application_counts_for_order():
    delivery, _ = told(sent("a"), sent("b"), *map(applied, "abab"))

    assert delivery.out_of_order == 0
