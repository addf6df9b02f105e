"""The small systems of the matrix: a producer, one topic, a group, and a ledger that it writes.

Everybody who waits, waits for a short while, and everything is over soon: so a run costs little,
and all schedules of a scope can be run. Laws give each fault of a scope its probability; a search
that weighs nothing does not look at them.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from simulator.chance import constant
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.variant import PRESENT, Variant
from simulator.scenario.faults import CrashHazard, Fault, FaultPlan, Hazards
from simulator.scenario.guarantee import Guarantee
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Link, Topic, Topology
from simulator.scenario.workload import WorkItem, Workload

TOPIC, PRODUCER, GROUP, LEADER = "orders", "orders-producer", "billing", "broker-0"
CHANCE = 0.001  # Of each fault of a scope, one by one.
FROM_MS = 1_000  # By then the group is stable.
HORIZON_MS = 60_000  # So soon after the last fault everything must have come to rest.
AFTER_MS = 1  # So soon an event follows another.

SENDING: Mapping[str, Any] = {
    "request.timeout.ms": 300,
    "delivery.timeout.ms": 60_000,
    "linger.ms": 0,
    "batch.size": 0,  # A record a batch, so that several are under way.
}
READING: Mapping[str, Any] = {
    "session.timeout.ms": 1_000,
    "heartbeat.interval.ms": 900,
    "request.timeout.ms": 300,
    "fetch.max.wait.ms": 250,
    "default.api.timeout.ms": 5_000,
    "max.poll.interval.ms": 2_000,
}
# KIP-848: the group says these, not its members.
OF_CLASSIC_GROUPS = ("session.timeout.ms", "heartbeat.interval.ms")
QUICK_GROUPS: Mapping[str, Any] = {
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    "group.consumer.session.timeout.ms": 1_000,
    "group.consumer.min.session.timeout.ms": 1_000,
    "group.consumer.heartbeat.interval.ms": 900,
    "group.consumer.min.heartbeat.interval.ms": 900,
}
QUICK_REPLICAS: Mapping[str, Any] = {
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 1_000,
    "replica.lag.time.max.ms": 1_000,
    "replica.fetch.backoff.ms": 100,
}


def handed_over(*at_ms: int) -> Workload:
    """An event of one key at each of these times."""
    items = (
        WorkItem(at * MICROS_PER_MS, TOPIC, "k0", "{}", f"e{number}")
        for number, at in enumerate(at_ms, start=1)
    )
    return Workload(items=tuple(items))


def one_by_one(events: int, partitions: int = 1) -> Workload:
    """So many events, one soon after the other; with several partitions, keys in turn."""
    items = tuple(
        WorkItem(
            (FROM_MS + AFTER_MS * number) * MICROS_PER_MS, TOPIC, f"k{number % partitions}", "{}",
            f"e{number + 1}",
        )
        for number in range(events)
    )  # fmt: skip
    return Workload(items=items)


def small(
    guarantee: Guarantee,
    workload: Workload,
    *,
    producer: Mapping[str, Any] | None = None,
    consumer: Mapping[str, Any] | None = None,
    instances: int = 1,
    partitions: int = 1,
    faults: tuple[Fault, ...] = (),
    **more: Any,
) -> Scenario:
    """One broker, and a group whose members commit what they have processed.

    Args:
        producer, consumer: settings beside those of the guarantee and of this module.
        faults: what happens in every run.
        more: other fields of the Scenario.
    """
    settings = {**SENDING, **guarantee.producer, **(producer or {})}
    reading = {**READING, **(consumer or {})}
    if reading.get("group.protocol") == "consumer":
        reading = {name: reading[name] for name in reading if name not in OF_CLASSIC_GROUPS}
    more.setdefault("hazards", Hazards(crash=(CrashHazard(p=CHANCE),)))
    more.setdefault(
        "topology", Topology(1, (Topic(TOPIC, partitions),), (Link(loss=CHANCE),))
    )
    more.setdefault("broker", QUICK_GROUPS)
    return Scenario(
        workload=workload,
        guarantee=attrs.evolve(guarantee, producer=settings),
        consumers=Consumers(
            group=GROUP, instances=instances, settings=reading, processing=constant(1_000),
            commit_each=guarantee.commit in ("before", "after"),
        ),
        faults=FaultPlan(faults),
        horizon_ms=HORIZON_MS,
        **more,
    )  # fmt: skip


# --- Replicas --------------------------------------------------------------------------------

AWAY_MS = 6_000  # So long a broker that crashed is away: another leads meanwhile.
READER = {"session.timeout.ms": 10_000, "heartbeat.interval.ms": 3_000}


def replicated(
    guarantee: Guarantee,
    workload: Workload,
    *,
    heal_after_ms: int,
    in_sync: int = 1,
    mode: str = "process",
    away_ms: int = AWAY_MS,
    topic: Mapping[str, Any] | None = None,
    variant: Variant = PRESENT,
    **more: Any,
) -> Scenario:
    """Three brokers keep the topic, broker-0 leads; a fourth coordinates the group.

    Args:
        heal_after_ms: from then on nothing more goes wrong by chance.
        in_sync: min.insync.replicas.
        mode, away_ms: of a broker's crash.
        topic: settings of the topic.
    """
    crash = CrashHazard("broker-*", "*", CHANCE, constant(away_ms * MICROS_PER_MS), mode)
    return small(
        guarantee,
        workload,
        consumer=READER,
        topology=Topology(4, (Topic(TOPIC, 1, 3, topic or {}),), (Link(loss=CHANCE),)),
        broker={**QUICK_GROUPS, **QUICK_REPLICAS, "min.insync.replicas": in_sync},
        hazards=Hazards(crash=(crash,)),
        heal_after_ms=heal_after_ms,
        variant=variant,
        **more,
    )


__all__ = [
    "AFTER_MS",
    "CHANCE",
    "FROM_MS",
    "GROUP",
    "LEADER",
    "PRODUCER",
    "TOPIC",
    "handed_over",
    "one_by_one",
    "replicated",
    "small",
]
