"""A few orders on three brokers that keep everything three times, and notice failures quickly."""

from typing import Any

import attrs

from simulator import (
    AT_LEAST_ONCE,
    Guarantee,
    Scenario,
    Topic,
    Topology,
    Variant,
    constant,
)
from simulator.scenario.topology import Link
from tests.few_orders import BROKER, few_orders

QUICK = {
    **BROKER,
    "broker.heartbeat.interval.ms": 250,
    "broker.session.timeout.ms": 1_000,
    "replica.lag.time.max.ms": 2_000,
    "replica.fetch.backoff.ms": 100,
    "min.insync.replicas": 2,
}


def replicated_orders(
    guarantee: Guarantee = AT_LEAST_ONCE,
    *,
    partitions: int = 1,
    brokers: int = 3,
    replicas: int = 3,
    broker: dict[str, Any] | None = None,
    topic: dict[str, Any] | None = None,
    variant: Variant | None = None,
    **more: Any,
) -> Scenario:
    """As `few_orders`, with replicas.

    Args:
        broker, topic: settings beside QUICK, and of the topic alone.
    """
    made = few_orders(
        guarantee,
        topology=Topology(
            brokers,
            (Topic("orders", partitions, replicas, topic or {}),),
            (Link(latency=constant(1_000)),),
        ),
        **more,
    )
    return attrs.evolve(
        made, broker={**QUICK, **(broker or {})}, variant=variant or made.variant
    )
