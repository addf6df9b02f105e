"""Rows C01, C04, C07 and C12: what is done twice when partitions change hands."""

from typing import Any

from hypothesis import strategies as st

from experiments.known_bugs.consuming import (
    BY_HAND,
    FIRST,
    FROM_THE_BEGINNING,
    OF_ITSELF,
    SECOND,
    Billed,
    Reading,
    consuming,
)
from experiments.known_bugs.known_bug import Faults, KnownBug, Planned
from experiments.known_bugs.planning import between
from experiments.known_bugs.scenarios import BROKER, LEDGER, TOPIC
from simulator import Delay, FaultPlan, Scenario, Serving, Variant, constant

BUDGET = 60
LATER_MS = 300


def late_joining(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """The second member's first JoinGroup comes later than usual, or as soon."""

    def delayed(late_ms: int) -> FaultPlan:
        late = (Delay(SECOND, BROKER, "JoinGroupRequest", extra_ms=late_ms),)
        return FaultPlan(late if late_ms else ())

    return between(0, 1_500).map(delayed)


LATE = Planned("the second member's JoinGroup comes late", late_joining)


def sometimes(**habits: Any) -> Scenario:
    """Two members that commit now and then."""
    reading = Reading(settings=BY_HAND, joins_ms=(0, LATER_MS), commits_each=8, **habits)
    return consuming(reading)


C01 = KnownBug(
    name="C01",
    title="what was not committed before a rebalance is done twice",
    source="KafkaConsumer's documentation; Jepsen's counts of what is consumed",
    anomaly="never_applied_twice",
    story="A member commits after every eighth order. Another one joins, partitions are taken away "
    "in between, and their new owner begins where was committed last.",
    broken=sometimes(),
    fixes={
        "a commit when partitions are revoked": sometimes(commits_at_last=True),
        "an idempotent sink": sometimes(marked=True),
    },
    faults=LATE,
    budget=BUDGET,
)

IMPATIENT = {"max.poll.interval.ms": 2_500}


def calling(*, marked: bool = False, patience: dict[str, int] | None = None) -> Scenario:
    """Two instances, whose calls to the ledger may take long."""
    settings = {**FROM_THE_BEGINNING, **(IMPATIENT if patience is None else patience)}
    serving = Serving((TOPIC,), settings, processing=constant(20_000))
    return consuming(Billed(serving=serving, marked=marked))


def slow_calls(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """One of the first instance's calls takes long, though not so long that it is given up."""

    def slow(nth: int, late_ms: int) -> FaultPlan:
        return FaultPlan((Delay(FIRST, LEDGER, "TransactRequest", nth, extra_ms=late_ms),))

    return st.builds(slow, st.integers(0, 3), between(500, 4_500, 500))


C04 = KnownBug(
    name="C04",
    title="a member that was away for too long does its work all the same",
    source="CommitFailedException's documentation, KAFKA-9823",
    anomaly="never_applied_twice",
    story="A handler takes longer than max.poll.interval.ms: the member leaves the group, and its "
    "partitions go to another one, who does the work again. What the first had begun takes effect "
    "at last: its commit is refused, but what it does outside of Kafka is not.",
    broken=calling(),
    fixes={
        "an idempotent sink": calling(marked=True),
        "a max.poll.interval.ms that the slowest handler keeps": calling(patience={}),
    },
    faults=Planned("a call of the first member to the ledger takes long", slow_calls),
    budget=BUDGET,
)


def committing(strategy: str, *, waits: bool) -> Scenario:
    """Two members that commit automatically, and only when they must."""
    settings = {
        **OF_ITSELF,
        "auto.commit.interval.ms": 60_000,
        "partition.assignment.strategy": strategy,
    }
    reading = Reading(settings=settings, joins_ms=(0, LATER_MS))
    return consuming(reading, variant=Variant(consumers_wait_for_commit=waits))


C07 = KnownBug(
    name="C07",
    title="a rebalance does not wait for the commit before it",
    source="KAFKA-13310, KAFKA-14024",
    anomaly="never_applied_twice",
    story="Before a rebalance a member commits automatically, and does not wait for the answer. "
    "The commit is lost; the partition goes to another member, who begins at the old offset.",
    broken=committing("range", waits=False),
    fixes={"the rebalance waits for the commit": committing("range", waits=True)},
    faults=Faults(("drop",), messages="OffsetCommit*"),
    budget=BUDGET,
)


def keeping(*, lets_go: bool) -> Scenario:
    """Two members that keep orders at hand."""
    reading = Reading(
        settings=BY_HAND,
        joins_ms=(0, LATER_MS),
        ahead=8,
        commits_each=4,
        commits_at_last=True,
        lets_go=lets_go,
    )
    return consuming(reading)


C12 = KnownBug(
    name="C12",
    title="records of revoked partitions are still in a buffer, and done",
    source="akka/alpakka-kafka#382, #946, #1016",
    anomaly="never_applied_twice",
    story="An application reads ahead. A rebalance takes partitions away, of which it has orders "
    "at hand; it goes on with these, while the new owner is given them again.",
    broken=keeping(lets_go=False),
    fixes={"the buffer drops what is revoked": keeping(lets_go=True)},
    faults=LATE,
    budget=BUDGET,
)

ROWS = (C01, C04, C07, C12)
