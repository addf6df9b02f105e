"""Rows R11 and R15: what brokers that lead no more tell to those who ask them."""

from collections.abc import Generator
from typing import Any

import attrs
from hypothesis import strategies as st

from experiments.known_bugs import slips
from experiments.known_bugs.asking import WHERE, Line
from experiments.known_bugs.known_bug import KnownBug, Planned
from experiments.known_bugs.planning import between
from experiments.known_bugs.replicas import (
    BUDGET,
    CONTROLLER,
    FOLLOWERS,
    FOURTH,
    LEADER,
    SECOND,
    replicated,
)
from experiments.known_bugs.scenarios import SHOP, TOPIC
from simulator import (
    Crash,
    FaultPlan,
    Partition,
    ProducerFailed,
    Scenario,
    Variant,
    Workload,
)

# What is not acknowledged in time is given up, so that nobody ever hands it to the new leader.
IMPATIENT: dict[str, Any] = {
    "acks": "all",
    "enable.idempotence": False,
    "delivery.timeout.ms": 1_000,
    "batch.size": 1,
}


def nearby(*, truncates_first: bool) -> Scenario:
    """The reader fetches from the last replica, the second broker, whoever leads."""
    variant = Variant(consumers_fetch_from_followers=True, truncates_first=truncates_first)
    return replicated(replicas=2, producer=IMPATIENT, records=60, per_s=5, variant=variant)


def led_for_a_while(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """The second broker leads, is cut off, and hears that it leads no more before it may fetch."""
    return st.builds(
        lambda at, down, deaf, alone: FaultPlan(
            (
                Crash(LEADER, at_ms=500, down_ms=down),
                Partition((SECOND,), (CONTROLLER,), at, at + deaf),
                Partition((SECOND,), (LEADER,), at, at + deaf + alone),
            )
        ),
        between(3_500, 4_500),
        between(1_200, 1_500),
        between(1_500, 2_500, 500),
        between(4_000, 6_000, 500),
    )


R11 = KnownBug(
    name="R11",
    title="a former leader shows what it is about to cut",
    source="KAFKA-14704",
    anomaly="offsets_agree",
    story="A leader that was cut off comes back as a follower, with records that nobody else has. "
    "The new leader tells it where to cut, and a high watermark beyond; it takes the mark over "
    "first, and a consumer that fetches from this replica reads what is cut in the next moment.",
    broken=nearby(truncates_first=False),
    fixes={"followers cut before they take the mark over": nearby(truncates_first=True)},
    faults=Planned(
        "the leadership goes to the second broker, which is cut off, first from the controller "
        "too",
        led_for_a_while,
    ),
    budget=BUDGET,
)

# --- R15: an audit that ends too early --------------------------------------------------------

AUDITOR = {
    "group.id": "audit",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "max.poll.records": 1,  # So that it stops where it means to.
    "request.timeout.ms": 1_000,
}
AWHILE_US = 100_000


def end_told(line: Line, leader: str) -> Generator[Any, Any, int]:
    """Where the log ends: who led once is asked first, and another if it refuses."""
    end: int | None = None
    while end is None:
        if leader:
            end = yield from line.end(leader)
        if end is None:
            yield line.node.sleep(AWHILE_US)
            leader = yield from line.leader(FOURTH)
    return end


def audited(orders: int) -> Scenario:
    """A shop that reads its orders again when all are sold, up to where the log ends by then."""

    def deployed(cluster: Any) -> None:
        settings = cluster.world.scenario.guarantee.producer

        def sell(node: Any) -> Generator[Any, Any, None]:
            line = Line(node)
            leader = yield from line.leader(FOURTH)  # Kept, as clients keep it.
            producer = cluster.producer(node, settings)
            for number in range(orders):
                try:
                    yield producer.send(TOPIC, "sold", "k0", event_id=f"order-{number}")
                except ProducerFailed:
                    continue  # It was not acknowledged, and need not be there.
                yield node.sleep(2 * AWHILE_US)
            end = yield from end_told(line, leader)
            consumer = cluster.consumer(node, AUDITOR)
            consumer.assign([WHERE])
            while (consumer.position(WHERE) or 0) < end:
                yield consumer.poll(100)

        cluster.driver(SHOP, sell)

    return attrs.evolve(replicated(), workload=Workload(), application=deployed)


def out_of_touch(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """The leader crashes, and comes back to a follower's life without reaching its leader."""
    return st.builds(
        lambda at, down, alone: FaultPlan(
            (
                Crash(LEADER, at_ms=at, down_ms=down),
                Partition((LEADER,), FOLLOWERS, at, at + alone),
            )
        ),
        between(500, 2_000),
        between(1_200, 2_000),
        between(5_000, 8_000, 1_000),
    )


R15 = KnownBug(
    name="R15",
    title="a broker that leads no more says where the log ends",
    source="redpanda#2954",
    anomaly="acknowledged_is_read",
    story="A leader crashes, and another is elected and appends. The first comes back; it is asked "
    "where the log ends, and answers from its own log without asking whether it still leads. An "
    "application that reads up to there believes that it has seen all.",
    broken=audited(orders=20),
    faults=Planned("the leader crashes, and is cut off from its followers from then on",
                   out_of_touch),
    budget=BUDGET,
    slip=slips.lists_offsets_of_any_replica,
)

ROWS = (R11, R15)
