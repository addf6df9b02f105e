"""Rows C05, C06, C13 and C14: two owners of one partition, and order among those who follow."""

from experiments.known_bugs import group_slips
from experiments.known_bugs.consuming import (
    FIRST,
    FROM_THE_BEGINNING,
    NEW_PROTOCOL,
    QUICK_MEMBERS,
    SECOND,
    Billed,
    Reading,
    consuming,
    orders,
)
from experiments.known_bugs.copying import Copying, copying
from experiments.known_bugs.known_bug import KnownBug, Planned
from experiments.known_bugs.planning import between, crash, pause, together
from experiments.known_bugs.scenarios import GROUP, TOPIC
from simulator import Scenario, Serving, WorkItem, constant

BUDGET = 60


# --- Two owners ----------------------------------------------------------------------------------


def busy() -> Scenario:
    """A member that is at work for seconds before it polls again, and one that joins later."""
    reading = Reading(
        settings={**NEW_PROTOCOL, "group.id": GROUP, "enable.auto.commit": False},
        joins_ms=(500, 1_000),
        ahead=100,
        patient=True,
        commits_each=1,
        items=orders(80, every_ms=5),
    )
    return consuming(reading, broker=QUICK_MEMBERS)


C05 = KnownBug(
    name="C05",
    title="a partition that comes back while it is given up has two owners",
    source="KAFKA-16147",
    anomaly="one_owner",
    story="A member is asked to give a partition up for another one, who dies; so it is to keep "
    "the partition after all. The coordinator writes that down, and then strikes off that anybody "
    "holds it: the next member that joins is given the partition at once.",
    broken=busy(),
    faults=Planned(
        "the second member dies soon after it has joined",
        together(crash(SECOND, between(1_000, 2_000), between(1_000, 6_000, 500))),
    ),
    budget=BUDGET,
    slip=group_slips.loses_the_epoch_of_what_comes_back,
)


def cooperating() -> Scenario:
    """Three members, of which each keeps what it can."""
    settings = {**FROM_THE_BEGINNING, "partition.assignment.strategy": "cooperative-sticky"}
    serving = Serving((TOPIC,), settings, processing=constant(20_000))
    billed = Billed(serving=serving, instances=3, items=orders(40, every_ms=100))
    return consuming(billed, partitions=3)


C06 = KnownBug(
    name="C06",
    title="a member claims what it owned in a generation of long ago",
    source="KAFKA-13419, KAFKA-14639",
    anomaly="one_owner",
    story="A member stands still, and its partitions go to others. It wakes up and joins again "
    "with all that it had, and to the assignor any claim is as good as another, of whatever "
    "generation: two members have the same partition.",
    broken=cooperating(),
    faults=Planned(
        "a member stands still for some time",
        together(pause(FIRST, between(500, 2_000), between(1_000, 6_000, 500))),
    ),
    budget=BUDGET,
    slip=group_slips.claims_what_it_had,
)

# --- Order ---------------------------------------------------------------------------------------

C13 = KnownBug(
    name="C13",
    title="a former owner writes its state behind its successor's",
    source="KAFKA-12693",
    anomaly="owners_write_in_turn",
    story="A member stands still before it writes what it knows of a customer. Its partition goes "
    "to another one, which writes what it knows; then the first wakes up, and its old state lies "
    "behind that: whoever restores from there goes back.",
    broken=copying(Copying()),
    fixes={
        "state and offsets in one transaction (exactly once, version 2)": copying(
            Copying(transactional=True)
        )
    },
    faults=Planned(
        "a member stands still for some time",
        together(pause(FIRST, between(0, 1_000, 50), between(1_000, 6_000, 500))),
    ),
    budget=BUDGET,
)

CHANGED_MS, DRAINED_MS, KNOWN_MS = 1_000, 4_000, 2_000


def growing(*, by: int | None = None, drained: bool = False) -> Scenario:
    """A topic of two partitions that gets more while orders flow, or when all is read."""
    known = {"metadata.max.age.ms": 500}
    serving = Serving((TOPIC,), {**FROM_THE_BEGINNING, **known}, processing=constant(30_000))
    items = orders(60, every_ms=30, keys=6)
    at_ms = CHANGED_MS
    if drained:
        items, at_ms = _interrupted(items), DRAINED_MS
    billed = Billed(
        serving=serving,
        items=items,
        grows=None if by is None else (2 + by, at_ms),
        producer=known,
    )
    return consuming(billed)


def _interrupted(items: tuple[WorkItem, ...]) -> tuple[WorkItem, ...]:
    """The same orders; what would come after the change comes when everybody knows of it."""
    late_us = (DRAINED_MS + KNOWN_MS - CHANGED_MS) * 1_000
    return tuple(
        one if one.at_us < CHANGED_MS * 1_000 else one._replace(at_us=one.at_us + late_us)
        for one in items
    )


C14 = KnownBug(
    name="C14",
    title="more partitions break the order of keys",
    source="Kafka's documentation of adding partitions",
    anomaly="key_order",
    story="Orders of a customer lie in one partition, whose reader is behind. The topic gets more "
    "partitions, and the customer's next orders go to another one, whose reader is not.",
    broken=growing(by=3),
    fixes={
        "a fixed number of partitions": growing(),
        "drained before the change, and on when all know of it": growing(by=3, drained=True),
    },
    faults=Planned(
        "a member stands still for a while",
        together(pause(FIRST, between(0, 1_500), between(200, 1_400, 200))),
    ),
    budget=BUDGET,
)

ROWS = (C05, C06, C13, C14)
