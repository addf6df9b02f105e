"""Transactions by hand: what a producer asked for and learnt, and what a reader was given."""

from simulator.trace.trace import Trace

QUIET = (("@world", "faults_ended"), ("@world", "run_ended", "quiet"))
CUT = (("@world", "faults_ended"), ("@world", "run_ended", "horizon"))


def told(*events):
    """A trace of these events; one that begins with @node was told by that node."""
    trace = Trace()
    for number, event in enumerate(events):
        elsewhere = event[0].startswith("@")
        node = event[0][1:] if elsewhere else "app"
        trace.record(number * 1_000, node, (), event[1:] if elsewhere else event)
    return trace


def began(producer_id=7, whose="pay"):
    return ("transaction_began", whose, producer_id, 0)


def polled(offset, event_id, group="audit", partition=0, topic="bills"):
    return ("@reader", "record_polled", group, topic, partition, offset, event_id)


def ending(result, *event_ids, whose="pay"):
    return ("transaction_ending", whose, result, event_ids, ())


def ended(result, outcome="done", whose="pay"):
    error = "NONE" if outcome == "done" else "PRODUCER_FENCED"
    return ("transaction_ended", whose, result, outcome, error)


def acked(event_id, offset):
    return ("@shop", "record_acknowledged", event_id, "orders", 0, offset)


def made(event_id, offset, *outputs):
    return ("record_transformed", "billing", "orders", 0, offset, event_id, "bills", outputs)


IN = (acked("e1", 0), made("e1", 0, "e1"))
