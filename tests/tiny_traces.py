"""Hand-written traces in a shorthand: one line an entry, the node first, one millisecond apart.

    tiny("p: sent e1 k", "p: acked e1 0", "c: polled e1 0", "s: applied e1 ledger", "quiet")

Topic `orders`, partition 0 (or `@1` after the word) and group `billing` go without saying.
"""

from simulator.trace.events import EVENTS
from simulator.trace.trace import Trace

GROUP, TOPIC = "billing", "orders"


def sent(_, event_id, key=None):
    return ("record_sent", event_id, TOPIC, key)


def acked(partition, event_id, offset):
    return ("record_acknowledged", event_id, TOPIC, partition, int(offset))


def polled(partition, event_id, offset):
    return ("record_polled", GROUP, TOPIC, partition, int(offset), event_id)


def started(partition, event_id, offset):
    return ("processing_started", GROUP, TOPIC, partition, int(offset), event_id)


def processed(partition, event_id, offset, outcome="done"):
    return ("processing_ended", GROUP, TOPIC, partition, int(offset), event_id, outcome)


def applied(_, event_id, table, key="row", value="1"):
    return ("effect_applied", table, key, value, event_id)


def committed(partition, offset, member="m1", group=GROUP):
    return ("offset_committed", group, TOPIC, partition, int(offset), member, 1)


def assigned(partition):
    return ("partitions_assigned", GROUP, 1, ((TOPIC, partition),))


def revoked(partition):
    return ("partitions_revoked", GROUP, 1, ((TOPIC, partition),))


def reset(partition, offset, policy="seek"):
    return ("position_reset", GROUP, TOPIC, partition, int(offset), policy)


def crashed(_):
    return ("node_crashed", "process", "after_process")


def restarted(_):
    return ("node_restarted", 1)


def lost_answer(_, event_id):
    del event_id
    return ("message_dropped", 7, "billing-0", "broker-0", "OffsetCommitRequest", "loss")


WORDS = {word.__name__: word for word in (
    sent, acked, polled, started, processed, applied, committed, assigned, revoked, reset, crashed,
    restarted, lost_answer,
)}  # fmt: skip

ENDINGS = {
    "quiet": [("workload_ended", 1), ("faults_ended",), ("run_ended", "quiet")],
    "horizon": [("workload_ended", 1), ("faults_ended",), ("run_ended", "horizon")],
    "quiet without healing": [("run_ended", "quiet")],
}


def entry(line):
    """The node and the event of one line."""
    node, _, rest = line.partition(": ")
    word, *arguments = rest.split()
    word, _, partition = word.partition("@")
    event = WORDS[word](int(partition or 0), *arguments)
    assert event[0] in EVENTS
    return node, event


def tiny(*lines, keep=True, observers=()):
    """A trace of these lines."""
    trace = Trace(keep=keep, observers=observers)
    at_us = 0
    for line in lines:
        events = [("world", event) for event in ENDINGS[line]] if line in ENDINGS else [entry(line)]
        for node, event in events:
            at_us += 1_000
            trace.record(at_us, node, (), event)
    return trace
