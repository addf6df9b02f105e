"""What experiments of consumer groups have in common: a group under orders, and its measures."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._shared import FROM_US, MILLISECOND_US, PATIENCE, SESSION, WIRE
from models.groups.running import Restart, deploy, steady_orders
from models.systems.orders import TOPIC, naive
from simulator import (
    FaultPlan,
    Hazards,
    Scenario,
    Topic,
    Topology,
    number,
    ratio,
    samples,
    share,
    uniform,
)

FROM_MS = FROM_US // MILLISECOND_US
HANDLING = uniform(1_000, 5_000)
FRESH: Mapping[str, Any] = {"auto.offset.reset": "earliest"}
# KIP-848: the brokers say what session and heartbeat are.
CONSUMER_GROUPS: Mapping[str, Any] = {
    "group.consumer.session.timeout.ms": SESSION["session.timeout.ms"],
    "group.consumer.min.session.timeout.ms": SESSION["session.timeout.ms"],
    "group.consumer.heartbeat.interval.ms": SESSION["heartbeat.interval.ms"],
    "group.consumer.min.heartbeat.interval.ms": SESSION["heartbeat.interval.ms"],
}


def grouped(
    name: str,
    *,
    orders: int,
    every_us: int,
    instances: int,
    serving: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    partitions: int = 4,
    restarts: tuple[Restart, ...] = (),
    faults: tuple[Any, ...] = (),
    handler: Any = naive,
    more: Mapping[str, Any] | None = None,
) -> Scenario:
    """Orders for a group that has formed by the time that they come.

    Args:
        every_us: the time from an event to the next.
        serving: fields of Serving; unless it says otherwise a record takes one to five ms.
        settings: the consumers' own, by Kafka's names.
        restarts: of instances; those in order are asked to end before.
        more: other fields of the Scenario, such as hazards.
    """
    consumers = {**SESSION, **FRESH, **(settings or {})}
    if consumers.get("group.protocol") == "consumer":
        del consumers["session.timeout.ms"], consumers["heartbeat.interval.ms"]
    crashes = tuple(one.crash for one in restarts)
    return Scenario(
        name=name,
        topology=Topology(topics=(Topic(TOPIC, partitions),), links=(WIRE,)),
        application=partial(
            deploy,
            items=steady_orders(orders, every_us, FROM_US),
            instances=instances,
            serving={
                "processing": HANDLING,
                "poll_timeout_ms": 100,
                **serving,
                "settings": consumers,
            },
            restarts=restarts,
            handler=handler,
            producer=PATIENCE,
        ),
        faults=FaultPlan((*crashes, *faults)),
        broker=CONSUMER_GROUPS,
        **(more or {"hazards": Hazards()}),
    )


def _ms(us: float) -> float:
    return us / MILLISECOND_US


OWNERLESS = number(lambda run: _ms(run.ownerless_us), unit="ms", more_is_better=False)
STILL = number(lambda run: _ms(run.still_us), unit="ms", more_is_better=False)
ALL_STILL = number(lambda run: _ms(run.all_still_us), unit="ms", more_is_better=False)
LONGEST = number(lambda run: _ms(run.longest_us), unit="ms", more_is_better=False)
MOVES = number(lambda run: run.moves, unit="partitions", more_is_better=False)
REBALANCES = number(lambda run: run.rebalances, unit="rebalances", more_is_better=False)
AGAIN = share(lambda run: run.again)
MISSING = share(lambda run: run.missing)
PER_EVENT = ratio(lambda run: run.per_event, unit="times", more_is_better=False)
COMMITS = ratio(lambda run: (run.commits, run.per_event[1]), unit="commits", more_is_better=False)
LATENCY = samples(lambda run: run.delivery.latencies_us, quantiles=(0.5, 0.99))
