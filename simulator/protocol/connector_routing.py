"""The outbox router at work in a connector: a captured row becomes the event that it holds.

Rule 1: every record of the connector passes through it, before it is published; what it drops
counts as acknowledged (Connect's filtered records).
Rule 2: what it fails at ends the task.

Not modelled: predicates (transforms.outbox.predicate): a connector with a router captures outbox
tables only.
"""

from typing import Any

from simulator.errors import BadInput
from simulator.protocol.connector_records import Outgoing, dumps
from simulator.protocol.outbox_router import (
    CapturedChange,
    Dropped,
    Failed,
    OutboxRouter,
    PassedThrough,
)


def routed(router: OutboxRouter, record: Outgoing, now_us: int) -> Outgoing | None:
    """What the router makes of a record; None: nothing.

    The event's id is what its header `id` says.

    Raises:
        BadInput: it fails.
    """
    made = router.route(_as_change(record, now_us))
    match made:
        case Dropped():
            return None
        case PassedThrough():
            return record
        case Failed(error, why):
            raise BadInput(f"the outbox router stops with {error}:", "connector", why)
    headers = tuple((name, _text(value) or "") for name, value in made.headers)
    event_id = dict(headers).get("id", record.event_id)
    return Outgoing(
        made.topic, _text(made.key), _text(made.value), event_id, headers, record.told,
        made.partition,
    )  # fmt: skip


def _as_change(record: Outgoing, now_us: int) -> Any:
    """The record as the router sees it; None is a tombstone."""
    if record.value is None:
        return None
    op = record.value.get("op")
    if op is None or op == "m":  # A heartbeat, a transaction's boundary, a message.
        return record
    value = record.value
    return CapturedChange(
        op=op, before=value["before"], after=value["after"], ts_ms=now_us // 1_000,
        headers=record.headers,
    )  # fmt: skip


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return dumps(value)
