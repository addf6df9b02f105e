"""A shop whose readers depend on a service in trouble: what is sent, the ledger, and who reads.

An application is given the cluster, and the handler that needs the service; it deploys who reads:
a consumer group whose handler is wrapped by a pattern (`grouped`), or something of its own.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from models.patterns.retrying.troubles import (
    DEAD,
    GROUP,
    LEDGER,
    TOPIC,
    Effect,
    Troubles,
    changes,
    depending,
    overwritten,
    service,
)
from models.patterns.retrying.wrapping import Factory
from simulator import Cluster, Link, Scenario, Serving, Topic, Topology, WorkItem

Application = Callable[[Cluster, Factory], None]

UNTROUBLED = Troubles()
BROKER: Mapping[str, Any] = {
    "group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000
}  # fmt: skip
PATIENCE: Mapping[str, Any] = {"request.timeout.ms": 1_000, "delivery.timeout.ms": 5_000}
SESSION: Mapping[str, Any] = {
    "auto.offset.reset": "earliest",
    "session.timeout.ms": 2_000,
    "heartbeat.interval.ms": 500,
    "request.timeout.ms": 2_000,
    "default.api.timeout.ms": 5_000,
}


def troubled(
    application: Application,
    troubles: Troubles = UNTROUBLED,
    *,
    items: tuple[WorkItem, ...] | None = None,
    effect: Effect = overwritten,
    partitions: int = 1,
    topics: tuple[str, ...] = (DEAD,),
    links: tuple[Link, ...] = (),
    more: Mapping[str, Any] | None = None,
) -> Scenario:
    """A producer, a ledger, a service in trouble, and an application of the records.

    Args:
        application: given the cluster and the handler that needs the service, deploys who reads.
        items: what is sent; two changes of one key by default.
        partitions: of the topic of the orders.
        topics: beside that one, each of one partition.
        links: the network's, from the special to the general.
        more: other fields of the Scenario.
    """
    chosen = changes() if items is None else items
    return Scenario(
        name="troubled",
        topology=Topology(topics=(Topic(TOPIC, partitions), *map(Topic, topics)), links=links),
        application=partial(_deploy, chosen, troubles, effect, application),
        **{"hazards": troubles.hazards, "broker": BROKER, "horizon_ms": 60_000, **(more or {})},
    )


def _deploy(
    items: tuple[WorkItem, ...],
    troubles: Troubles,
    effect: Effect,
    application: Application,
    cluster: Cluster,
) -> None:
    cluster.store(LEDGER)
    cluster.source("order-service", iter(items), {"linger.ms": 0, **PATIENCE})
    application(cluster, depending(service(troubles), effect))


def grouped(
    wrapped: Callable[[Factory], Factory],
    *,
    instances: int = 1,
    settings: Mapping[str, Any] | None = None,
    **serving: Any,
) -> Application:
    """A consumer group whose handler is wrapped by a pattern.

    Args:
        settings: the consumers' own, by Kafka's names.
        serving: other fields of Serving.
    """

    def application(cluster: Cluster, handling: Factory) -> None:
        given: dict[str, Any] = {"poll_timeout_ms": 500, **serving}
        ready = Serving(topics=(TOPIC,), settings={**SESSION, **(settings or {})}, **given)
        cluster.group(GROUP, instances, wrapped(handling), ready)

    return application
