"""Hand-written traces in a shorthand: one line an entry, the node first, one millisecond apart.

    tiny("p: sent e1 k", "p: acked e1 0", "c: polled e1 0", "s: applied e1 ledger", "quiet")

Topic `orders`, partition 0 (or `@1` after the word) and group `billing` go without saying.
"""

from simulator.protocol.names import OFFSETS_TOPIC
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


def loaded(_, group=GROUP):
    return ("group_loaded", group, "classic", 1, ())


def assigned(partition):
    return ("partitions_assigned", GROUP, 1, ((TOPIC, partition),))


def revoked(partition):
    return ("partitions_revoked", GROUP, 1, ((TOPIC, partition),))


def reset(partition, offset, policy="seek"):
    return ("position_reset", GROUP, TOPIC, partition, int(offset), policy)


def lost(partition):
    return ("partitions_lost", GROUP, 1, ((TOPIC, partition),))


def failed(_, event_id, certain="certain"):
    return ("record_failed", event_id, TOPIC, "NOT_LEADER_OR_FOLLOWER", certain == "certain")


def appended(partition, base, *event_ids):
    return ("batch_appended", TOPIC, partition, int(base), event_ids, 0, 0, 0)


def opened(_, transactional_id="pay"):
    """The producer of `appended` is given its id for transactions."""
    return ("transaction_began", transactional_id, 0, 0)


def ended(partition, offset, result):
    return ("transaction_marker_written", TOPIC, partition, int(offset), 0, 0, result)


def replicated(partition, base, *event_ids):
    """`-` is a hole in a batch that was cleaned."""
    ids = tuple("" if one == "-" else one for one in event_ids)
    return ("replica_appended", TOPIC, partition, int(base), ids, 0)


def truncated(partition, offset, *event_ids):
    return ("log_truncated", TOPIC, partition, int(offset), event_ids)


def recovered(partition, end, start=0):
    return ("log_recovered", TOPIC, partition, int(start), int(end))


def mark(partition, offset):
    return ("high_watermark_moved", TOPIC, partition, int(offset))


def leads(partition, epoch, end=0):
    return ("became_leader", TOPIC, partition, int(epoch), int(end))


def coordinates(partition, epoch):
    """What is loaded next is of this partition of the groups'."""
    return ("became_leader", OFFSETS_TOPIC, partition, int(epoch), 0)


def follows(partition, epoch, leader):
    return ("became_follower", TOPIC, partition, int(epoch), leader)


def elected(partition, leader, epoch, election="clean"):
    leader = "" if leader == "nobody" else leader
    return ("leader_elected", TOPIC, partition, leader, int(epoch), (leader,), election)


def in_sync(partition, *isr):
    return ("isr_changed", TOPIC, partition, 0, isr, ())


def trimmed(partition, start, reason="retention.ms"):
    return ("log_start_moved", TOPIC, partition, int(start), reason)


def cleaned(partition, first, until, *event_ids):
    return ("log_cleaned", TOPIC, partition, int(first), int(until), event_ids)


def found_cut(partition, offset, diverging):
    return ("truncation_found", GROUP, TOPIC, partition, int(offset), int(diverging))


def crashed(_, mode="process", point="after_process"):
    return ("node_crashed", mode, point)


def restarted(_):
    return ("node_restarted", 1)


def lost_answer(_, event_id):
    del event_id
    return ("message_dropped", 7, "billing-0", "broker-0", "OffsetCommitRequest", "loss")


WORDS = {word.__name__: word for word in (
    sent, acked, failed, polled, started, processed, applied, committed, assigned, revoked, lost,
    reset, found_cut, crashed, restarted, lost_answer, appended, replicated, truncated, recovered,
    mark, leads, coordinates, follows, elected, in_sync, trimmed, cleaned, opened, ended, loaded,
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
