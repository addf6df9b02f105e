"""Row T13: what an old coordinator says of a transaction, when another one has spoken already."""

from typing import Any

import attrs
from hypothesis import strategies as st

from experiments.known_bugs import transaction_slips as slips
from experiments.known_bugs.asking import WHERE
from experiments.known_bugs.known_bug import KnownBug, Planned
from experiments.known_bugs.paying import (
    FIRST_VERSION,
    every_second,
    paying,
)
from experiments.known_bugs.planning import between
from experiments.known_bugs.replicas import BUDGET, LEADER, SECOND, replicated
from simulator import Crash, Delay, FaultPlan, Scenario, Workload

COORDINATOR = SECOND  # Of the program's transactions, at first.
IDLE_MS = 2_000
EXPIRING = {
    "producer.id.expiration.ms": IDLE_MS,
    "producer.id.expiration.check.interval.ms": 20,
}


def moving() -> Scenario:
    """The program writes to a partition that others keep than its coordinator."""

    def deployed(cluster: Any) -> None:
        paying(cluster, 3, every_second, (WHERE, WHERE))

    scenario = replicated(variant=FIRST_VERSION)
    return attrs.evolve(
        scenario,
        workload=Workload(),
        application=deployed,
        broker={**scenario.broker, **EXPIRING},
    )


def overtaken(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """A marker comes late, and who sent it crashes meanwhile."""
    return st.builds(
        lambda nth, late_ms, at_ms: FaultPlan(
            (
                Delay(COORDINATOR, LEADER, "WriteTxnMarkersRequest", nth, late_ms),
                Crash(COORDINATOR, at_ms=at_ms, down_ms=10_000),
            )
        ),
        st.integers(0, 1),
        between(1_000, 6_000, 500),
        between(1_000, 6_000, 500),
    )


T13 = KnownBug(
    name="T13",
    title="a producer is forgotten too soon, and with it which coordinator is the newest",
    source="KAFKA-9144",
    anomaly="transactions_atomic",
    story="A transaction lasts long. The marker of its end is on its way for a while; its "
    "coordinator dies, and the next one writes the same marker. Since then no record was written: "
    "the partition counts from the last of them, and forgets the producer. When the first marker "
    "comes nothing says that it is of an older coordinator, and it ends the next transaction.",
    broken=moving(),
    faults=Planned("a marker comes late, and who sent it crashes", overtaken),
    budget=BUDGET,
    slip=slips.data_alone_keeps_a_producer,
)

ROWS = (T13,)
