"""A few orders on a small cluster: the scenarios of the properties, quick enough to be run often.

Five events with two keys to two partitions on two brokers; a group of two that notices a dead
member after two seconds; clients that give an answer up after one.
"""

from typing import Any

import attrs

from simulator import (
    AT_LEAST_ONCE,
    Consumers,
    Guarantee,
    Scenario,
    Topic,
    Topology,
    Workload,
    constant,
    steady,
    uniform_keys,
)

PRODUCER = "orders-producer"
PATIENCE = {"request.timeout.ms": 1_000, "delivery.timeout.ms": 10_000}
SESSION = {
    "session.timeout.ms": 2_000,
    "heartbeat.interval.ms": 500,
    "request.timeout.ms": 2_000,
    "default.api.timeout.ms": 5_000,
    "max.poll.interval.ms": 5_000,  # A lost JoinGroup is waited for 5 s longer than this.
}
BROKER = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000}


def few_orders(
    guarantee: Guarantee = AT_LEAST_ONCE,
    *,
    events: int = 5,
    per_s: float = 10,
    producer: dict[str, Any] | None = None,
    consumer: dict[str, Any] | None = None,
    **more: Any,
) -> Scenario:
    """The scenario, under a guarantee.

    Args:
        per_s: how many events are handed over in a second.
        producer, consumer: settings beside those of the guarantee and of SESSION.
        more: other fields of the Scenario.
    """
    settings = {**guarantee.producer, **PATIENCE, **(producer or {})}
    more.setdefault(
        "consumers",
        Consumers(settings={**SESSION, **(consumer or {})}, processing=constant(5_000)),
    )
    more.setdefault("topology", Topology(brokers=2, topics=(Topic("orders", 2),)))
    more.setdefault(
        "workload", Workload(events=events, arrivals=steady(per_s), keys=uniform_keys(2))
    )
    more.setdefault("horizon_ms", 120_000)
    return Scenario(
        guarantee=attrs.evolve(guarantee, producer=settings), broker=BROKER, **more
    )
