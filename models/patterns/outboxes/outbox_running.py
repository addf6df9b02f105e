"""Services that take requests, relays, a ledger and a topic: what an outbox runs among.

A run is over when no request is left and every relay has looked since the last one and found
nothing; whatever is then not on the topic will never be.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from models.patterns.outboxes.outbox import (
    LEDGER,
    PRODUCER,
    TOPIC,
    Publishing,
    Request,
    Steps,
    with_outbox,
)
from simulator import (
    Cluster,
    ConsumerRecord,
    Context,
    KafkaError,
    Scenario,
    Serving,
    WorkItem,
)

PAYMENTS = "payments"
READY_US = 5_000  # How often a service looks whether it may begin.
# A client whose connection is lost holds its locks, and a relay holds some while it publishes.
SETTINGS: Mapping[str, Any] = {
    "idle_in_transaction_session_timeout": 10_000, "wal_sender_timeout": 10_000
}  # fmt: skip
LOCKED = None  # What a relay finds where others have the rows.
BROKER: Mapping[str, Any] = {"group.initial.rebalance.delay.ms": 0}
GROUP: Mapping[str, Any] = {
    "auto.offset.reset": "earliest", "session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000,
    "request.timeout.ms": 2_000, "default.api.timeout.ms": 5_000,
}  # fmt: skip


@attrs.define
class Quiet:
    """When nothing is left to do: each relay has looked since the last request ended.

    Attributes:
        worked_us: when a service last began to live, or ended a request.
        idle_us: for each relay, when it last began to look and had nothing to do.
        empty_us: when one of them last began to look, and nothing was there.
        awaited: relays that are not ready; the services take no request before.
    """

    worked_us: int = -1
    empty_us: int = -1
    idle_us: dict[str, int] = attrs.field(factory=dict)
    awaited: dict[str, None] = attrs.field(factory=dict)

    def looked(self, relay: str, at_us: int, rows: Any) -> None:
        """A relay has looked: at these rows, or at none (LOCKED: others have them)."""
        if not rows:
            self.idle_us[relay] = at_us
        if rows is not LOCKED and not rows:
            self.empty_us = at_us

    def holds(self) -> bool:
        """Whether that is so."""
        looks = self.idle_us.values()
        return not looks or min(*looks, self.empty_us) > self.worked_us


Relaying = Callable[[Cluster, Quiet], None]


def outbox_scenario(
    services: Sequence[Sequence[Request]],
    publishing: Publishing = with_outbox,
    relays: Iterable[Relaying] = (),
    *,
    partitions: int = 1,
    reader: Callable[[Cluster], None] | None = None,
    **more: Any,
) -> Scenario:
    """Services `orders-0`, `orders-1`, ... with the requests of each, and relays.

    Args:
        publishing: how a service tells of a change.
        relays: what brings the outbox to the topic.
        partitions: of the topic.
        reader: deploys who reads the topic.
        more: other fields of the Scenario.
    """
    application = partial(
        deploy, services=services, publishing=publishing, relays=tuple(relays),
        partitions=partitions, reader=reader,
    )  # fmt: skip
    more.setdefault("horizon_ms", 60_000)
    return Scenario(application=application, broker=BROKER, **more)


def deploy(
    cluster: Cluster,
    services: Sequence[Sequence[Request]],
    publishing: Publishing,
    relays: Iterable[Relaying],
    *,
    partitions: int = 1,
    reader: Callable[[Cluster], None] | None = None,
) -> None:
    """As `outbox_scenario`, on a cluster."""
    quiet = _begin(cluster, partitions)
    for number, requests in enumerate(services):
        _serve(cluster, f"orders-{number}", requests, publishing, quiet)
    for relay in relays:
        relay(cluster, quiet)
    if reader is not None:
        reader(cluster)


def _begin(cluster: Cluster, partitions: int = 1) -> Quiet:
    cluster.store(LEDGER, SETTINGS)
    cluster.topic(TOPIC, partitions)
    quiet = Quiet()
    cluster.rests_when(quiet.holds)
    return quiet


def asked(request: Request) -> ConsumerRecord:
    """A request as what is at hand: what is done for its sake has its event's id."""
    return ConsumerRecord(
        "requests", 0, 0, request.order, request.status, request.event_id, request.at_us, ()
    )


def _serve(
    cluster: Cluster, name: str, requests: Sequence[Request], publishing: Publishing, quiet: Quiet
) -> None:
    def drive(node: Any) -> Steps:
        context = cluster.context(node, PRODUCER)
        while quiet.awaited:
            yield context.sleep(READY_US)
        started_us = quiet.worked_us = node.now_us
        for request in requests:
            if request.at_us < started_us:
                continue  # It came before the crash: it died, or nobody was there to take it.
            yield context.sleep(max(0, request.at_us - node.now_us))
            context.record = asked(request)
            try:
                yield from publishing(context, request)
            except KafkaError as error:  # Of the database, too. The user is told, and no more.
                context.note("refused", f"{request.event_id}: {type(error).__name__}")
            quiet.worked_us = node.now_us

    cluster.driver(name, drive)


def handling(
    handler: Callable[[Context], Callable[[Any], Any]],
    relays: Iterable[Relaying] = (),
    *,
    payments: int = 1,
    reader: Callable[[Cluster], None] | None = None,
    **more: Any,
) -> Scenario:
    """A group `invoicing` that is given payments, and tells of its invoices on the topic.

    Args:
        handler: a factory of handlers (see `atomic_handler`).
        relays: what brings the outbox to the topic, if the handler does not.
        payments: how many come in.
        reader: deploys who reads the topic.
        more: other fields of the Scenario.
    """
    application = partial(
        _handle, handler=handler, relays=tuple(relays), payments=payments, reader=reader
    )
    more.setdefault("horizon_ms", 60_000)
    return Scenario(application=application, broker=BROKER, **more)


def _worked(
    handler: Callable[[Context], Callable[[Any], Any]], quiet: Quiet
) -> Callable[[Context], Callable[[Any], Steps]]:
    """The same handlers; what they have written is waited for until a relay has looked."""

    def factory(context: Context) -> Callable[[Any], Steps]:
        handle = handler(context)

        def working(record: Any) -> Steps:
            yield from handle(record)
            quiet.worked_us = context.node.now_us

        return working

    return factory


def _handle(
    cluster: Cluster, handler: Any, relays: tuple[Relaying, ...], payments: int, reader: Any
) -> None:
    quiet = _begin(cluster)
    cluster.store("elsewhere")
    cluster.topic(PAYMENTS)
    items = [
        WorkItem(50_000 + 30_000 * number, PAYMENTS, f"o-{number}", "paid", f"o-{number}/paid")
        for number in range(payments)
    ]
    cluster.source("shop", iter(items), PRODUCER)
    serving = Serving((PAYMENTS,), GROUP, producer=PRODUCER, static=True)
    cluster.group("invoicing", 1, _worked(handler, quiet), serving)
    for relay in relays:
        relay(cluster, quiet)
    if reader is not None:
        reader(cluster)
