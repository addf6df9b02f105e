"""Who reads the topic of an outbox: each event takes effect once, by its id.

`shipping` counts an order's events, with the event's id in the transaction of the count (an
inbox); its twin `counting` believes that what is sent once comes once. Both note what they were
given, as evidence.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from models.patterns.outboxes.outbox import LEDGER, TOPIC, Steps
from models.patterns.outboxes.outbox_running import GROUP
from simulator import Add, Cluster, Context, Insert, Serving, UniqueViolation

Handler = Callable[[Any], Steps]


def shipping(context: Context) -> Handler:
    """The id and the effect are one commit."""
    ledger = context.store(LEDGER)

    def handle(record: Any) -> Steps:
        _note(context, record)
        mark = Insert("inbox", ("shipping", record.event_id), effect=False)
        try:
            yield ledger.transact(mark, Add("shipments", record.key, 1))
        except UniqueViolation:
            return

    return handle


def counting(context: Context) -> Handler:
    """Twin: without an inbox."""
    ledger = context.store(LEDGER)

    def handle(record: Any) -> Steps:
        _note(context, record)
        yield ledger.transact(Add("shipments", record.key, 1))

    return handle


def _note(context: Context, record: Any) -> None:
    context.note("received", json.dumps([record.event_id, record.key, record.value]))


def read_by(handler: Callable[[Context], Handler], instances: int = 1) -> Callable[..., None]:
    """What deploys a group `shipping` with this handler."""
    return partial(_deploy, handler=handler, instances=instances)


def _deploy(cluster: Cluster, handler: Callable[[Context], Handler], instances: int) -> None:
    serving = Serving((TOPIC,), GROUP, static=True)
    cluster.group("shipping", instances, handler, serving)
