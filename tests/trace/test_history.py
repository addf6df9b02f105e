"""The client's view: ok, fail and unknown, and nothing that only a server knows."""

import pytest

from simulator.errors import BadInput
from simulator.trace.history import FAIL, OK, UNKNOWN, Historian, Seen, history
from simulator.trace.trace import Trace

P = "orders-producer"
SENT = ("record_sent", "e1", "orders", b"k")
ACKED = ("record_acknowledged", "e1", "orders", 2, 7)


def ledger(*lines):
    """Lines of (time, node, event) as a trace."""
    trace = Trace()
    for at_us, node, event in lines:
        trace.record(at_us, node, (), event)
    return trace


def only_send(*lines):
    (send,) = history(ledger(*lines)).sends
    return send


def failed(error, *, definite):
    return ("record_failed", "e1", "orders", error, definite)


def test_an_acknowledged_send_is_ok_and_knows_its_place():
    send = only_send((1, P, SENT), (5, P, ACKED))

    assert send.outcome == OK
    assert (send.event_id, send.topic, send.key) == ("e1", "orders", b"k")
    assert (send.partition, send.offset, send.error) == (2, 7, "")
    assert (send.invoked_seq, send.invoked_us, send.ended_seq, send.ended_us) == (0, 1, 1, 5)
    assert send.process == f"{P}/0"


def test_a_send_that_failed_for_certain_is_fail():
    send = only_send((1, P, SENT), (5, P, failed("RECORD_TOO_LARGE", definite=True)))

    assert (send.outcome, send.error) == (FAIL, "RECORD_TOO_LARGE")
    assert (send.partition, send.offset) == (-1, -1)


def test_a_send_that_perhaps_failed_is_unknown():
    """The request may have reached the broker, and only the answer was lost."""
    send = only_send((1, P, SENT), (5, P, failed("REQUEST_TIMED_OUT", definite=False)))

    assert (send.outcome, send.error, send.ended_seq) == (UNKNOWN, "REQUEST_TIMED_OUT", 1)


def test_a_send_that_is_still_open_is_unknown():
    send = only_send((1, P, SENT), (9, "world", ("run_ended", "horizon")))

    assert (send.outcome, send.error, send.ended_seq) == (UNKNOWN, "still open", None)


def test_a_crash_leaves_what_was_open_unknown_and_the_client_another():
    """Sent again after the restart, the same record is another operation of another process."""
    trace = ledger(
        (1, P, SENT),
        (1, "other", SENT),
        (2, P, ("node_crashed", "process", "at")),
        (3, P, ("node_restarted", 1)),
        (4, P, SENT),
        (5, P, ACKED),
        (6, "other", ACKED),
    )

    assert [(s.process, s.outcome, s.error, s.ended_us) for s in history(trace).sends] == [
        (f"{P}/0", UNKNOWN, "crashed", 2),
        ("other/0", OK, "", 6),
        (f"{P}/1", OK, "", 5),
    ]


def test_equal_sends_are_answered_in_their_order():
    """An application that sends the same record twice has two operations."""
    trace = ledger((1, P, SENT), (2, P, SENT), (3, P, ACKED), (4, P, SENT))

    assert [(s.invoked_us, s.ended_us, s.outcome) for s in history(trace).sends] == [
        (1, 3, OK),
        (2, None, UNKNOWN),
        (4, None, UNKNOWN),
    ]


def test_one_record_to_two_topics_is_two_operations():
    trace = ledger(
        (1, P, SENT),
        (1, P, ("record_sent", "e1", "audit", None)),
        (2, P, ("record_acknowledged", "e1", "audit", 0, 0)),
    )

    assert [(s.topic, s.outcome) for s in history(trace).sends] == [
        ("orders", UNKNOWN),
        ("audit", OK),
    ]


def test_sends_are_found_by_their_outcome():
    told = history(ledger((1, P, SENT), (2, P, SENT), (3, P, ACKED)))

    assert [s.invoked_us for s in told.sends_that(OK)] == [1]
    assert [s.invoked_us for s in told.sends_that(UNKNOWN)] == [2]
    assert told.sends_that(FAIL) == ()


def test_what_brokers_say_is_no_part_of_it():
    trace = ledger(
        (1, P, SENT),
        (2, "broker-0", ("batch_appended", "orders", 2, 7, ("e1",), -1, -1, -1)),
    )

    assert history(trace).sends[0].outcome == UNKNOWN


def polled(offset, event_id, partition=0):
    return ("record_polled", "billing", "orders", partition, offset, event_id)


def test_a_poll_holds_what_was_handed_over_together():
    trace = ledger(
        (1, "billing-0", polled(0, "e1")),
        (1, "billing-0", polled(1, "e2")),
        (1, "billing-1", polled(0, "e3", 1)),
        (4, "billing-0", polled(2, "e4")),
        (4, "billing-0", ("processing_started", "billing", "orders", 0, 2, "e4")),
        (4, "billing-0", polled(3, "e5")),
    )
    told = history(trace)

    assert [(p.process, p.at_us, [r.event_id for r in p.records]) for p in told.polls] == [
        ("billing-0/0", 1, ["e1", "e2"]),
        ("billing-1/0", 1, ["e3"]),
        ("billing-0/0", 4, ["e4"]),
        ("billing-0/0", 4, ["e5"]),
    ]
    assert told.seen[2] == Seen("orders", 1, 0, "e3", 2)
    assert [record.event_id for record in told.seen] == ["e1", "e2", "e3", "e4", "e5"]
    assert told.polls[0].group == "billing"


def test_a_record_delivered_again_after_a_crash_is_seen_twice_by_two_processes():
    trace = ledger(
        (1, "billing-0", polled(0, "e1")),
        (2, "billing-0", ("node_crashed", "process", "after_process")),
        (3, "billing-0", ("node_restarted", 1)),
        (4, "billing-0", polled(0, "e1")),
    )

    assert [p.process for p in history(trace).polls] == ["billing-0/0", "billing-0/1"]


def test_a_run_that_keeps_no_trace_has_the_same_history():
    lines = [(1, P, SENT), (2, P, ACKED), (2, P, SENT), (3, "billing-0", polled(0, "e1"))]
    historian = Historian()
    online = Trace(keep=False, observers=historian.observers())
    for at_us, node, event in lines:
        online.record(at_us, node, (), event)

    assert historian.history() == history(ledger(*lines))
    assert historian.history().sends[1].outcome == UNKNOWN


def test_an_answer_to_what_was_never_sent_is_refused():
    """Only a trace that was changed by hand can hold one."""
    with pytest.raises(BadInput, match=r"entry 0: orders-producer has sent no such .* 'e1'"):
        history(ledger((5, P, ACKED)))
