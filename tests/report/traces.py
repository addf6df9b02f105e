"""Traces of a few entries for pictures, each at a time of its own: `(ms, node, event, ...)`."""

from simulator.trace.trace import Trace

ORDERS = ("orders", 0)


def traced(*lines):
    """A trace of `(at_ms, node, kind, field, ...)`."""
    trace = Trace()
    for at_ms, node, *event in lines:
        trace.record(at_ms * 1_000, node, (), tuple(event))
    return trace


def sent(at_ms, number, source, target, api, *about):
    return (at_ms, source, "message_sent", number, source, target, api, about)


def delivered(at_ms, number, source, target, api):
    return (at_ms, target, "message_delivered", number, source, target, api)


def dropped(at_ms, number, source, target, api, *, reason="loss"):
    return (at_ms, target, "message_dropped", number, source, target, api, reason)


def message(at_ms, until_ms, number, source, target, api, *about):  # noqa: PLR0917
    """A message from its sending to its arrival."""
    return (
        sent(at_ms, number, source, target, api, *about),
        delivered(until_ms, number, source, target, api),
    )


def appended(at_ms, offset, *event_ids, partition=0):
    return (at_ms, "broker-0", "batch_appended", "orders", partition, offset, event_ids, -1, -1, -1)


def polled(at_ms, node, offset, event_id):
    return (at_ms, node, "record_polled", "billing", *ORDERS, offset, event_id)


def started(at_ms, node, offset, event_id):
    return (at_ms, node, "processing_started", "billing", *ORDERS, offset, event_id)


def ended(at_ms, node, offset, event_id, outcome="done"):
    return (at_ms, node, "processing_ended", "billing", *ORDERS, offset, event_id, outcome)


def applied(at_ms, event_id, table="ledger", key="row"):
    return (at_ms, "ledger", "effect_applied", table, key, 1, event_id)


def committed(at_ms, offset):
    return (at_ms, "broker-0", "offset_committed", "billing", *ORDERS, offset, "m", 1)


def assigned(at_ms, node, generation, *partitions):
    return (at_ms, node, "partitions_assigned", "billing", generation, partitions)


def crashed(at_ms, node, point="at"):
    return (at_ms, node, "node_crashed", "process", point)


def restarted(at_ms, node):
    return (at_ms, node, "node_restarted", 1)


def produced(at_ms, number, event_id, offset):
    """A record handed over, sent, appended and acknowledged, in 10 ms each way."""
    return (
        (at_ms, "shop", "record_sent", event_id, "orders", "k-" + event_id),
        *message(at_ms, at_ms + 10, number, "shop", "broker-0", "ProduceRequest",
                 (*ORDERS, -1, (event_id,))),
        appended(at_ms + 10, offset, event_id),
        *message(at_ms + 10, at_ms + 20, number + 1, "broker-0", "shop", "ProduceResponse",
                 (*ORDERS, offset, "NONE")),
        (at_ms + 20, "shop", "record_acknowledged", event_id, *ORDERS, offset),
    )  # fmt: skip


def handled(at_ms, number, event_id, offset, node="billing-0"):
    """A record fetched, polled, processed and applied, in 10 ms each."""
    return (
        *message(at_ms, at_ms + 10, number, "broker-0", node, "FetchResponse",
                 (*ORDERS, offset, (event_id,))),
        polled(at_ms + 10, node, offset, event_id),
        started(at_ms + 10, node, offset, event_id),
        *message(at_ms + 15, at_ms + 25, number + 1, node, "ledger", "TransactRequest",
                 event_id, "Add"),
        applied(at_ms + 25, event_id),
        ended(at_ms + 30, node, offset, event_id),
    )  # fmt: skip


def commit(at_ms, number, offset, node="billing-0"):
    return (
        *message(at_ms, at_ms + 10, number, node, "broker-0", "OffsetCommitRequest",
                 "billing", 1, "m", (*ORDERS, offset)),
        committed(at_ms + 10, offset),
    )  # fmt: skip


QUIET = (
    (900, "world", "workload_ended", 1),
    (900, "world", "faults_ended"),
    (900, "world", "run_ended", "quiet"),
)
