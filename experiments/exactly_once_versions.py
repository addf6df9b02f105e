"""What can a record that is late do to a transaction that has ended without it?

A service makes bills of orders, exactly once: a poll is a transaction. One of its records is late
on its way, by more than its producer waits. It aborts, reads again, and goes on; then the record
arrives. Under version 1 of transactions a producer keeps its epoch from one transaction to the
next, so the record may come to lie in the next one, and be committed with that: the bill is there
twice. Brokers that verify do not help, for a transaction of this producer is open. Under version 2
every end raises the epoch, and what is late is refused (KIP-890).

Predict before you run it: at which of the three is an aborted bill committed?
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from experiments._shared import WIRE, plotted
from simulator import (
    Cluster,
    Delay,
    Experiment,
    FaultPlan,
    Scenario,
    Serving,
    Topic,
    Topology,
    Transforming,
    Variant,
    Workload,
    passed_on,
    share,
    steady,
    uniform_keys,
)

VARIANTS = {
    "1, not verified": Variant(transaction_version=1, verifies_transactions=False),
    "1": Variant(transaction_version=1),
    "2": Variant(transaction_version=2),
}
LATE_MS = {"not": 0, "longer than the producer waits": 620}
ORDERS, BILLS = 12, "bills"
SENDING = {
    "linger.ms": 0, "request.timeout.ms": 500, "delivery.timeout.ms": 600, "max.block.ms": 2_000,
    "transaction.timeout.ms": 5_000,
}  # fmt: skip
READING = {
    "auto.offset.reset": "earliest", "isolation.level": "read_committed",
    "session.timeout.ms": 2_000, "heartbeat.interval.ms": 500, "max.poll.records": 2,
}  # fmt: skip
BROKER = {
    "group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000,
}  # fmt: skip


@attrs.define
class Bills:
    """What a reader of committed records finds: where each bill lies."""

    orders: int = 0
    places: dict[str, dict[tuple[int, int], None]] = attrs.field(factory=dict)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return ("record_acknowledged", self._on_acknowledged), ("record_polled", self._on_polled)

    def _on_acknowledged(self, entry: Any) -> None:
        if entry[2] == "shop":
            self.orders += 1

    def _on_polled(self, entry: Any) -> None:
        _, group, _, partition, offset, event_id = entry[4]
        if group == "audit":
            self.places.setdefault(event_id, {})[partition, offset] = None

    @property
    def twice(self) -> tuple[int, int]:
        """Orders that were billed more than once."""
        return sum(len(one) > 1 for one in self.places.values()), self.orders

    @property
    def unbilled(self) -> tuple[int, int]:
        """Orders whose bill nobody has read."""
        return self.orders - len(self.places), self.orders


def idle(_: Any) -> Any:
    """A handler that only reads."""
    return lambda _: None


def deploy(cluster: Cluster) -> None:
    """A shop, who bills its orders, and who reads the bills."""
    work = cluster.world.scenario.workload
    cluster.source("shop", work, {"linger.ms": 0, "enable.idempotence": True})
    transforming = Transforming(
        sources=work.topics, sink=BILLS, settings=READING, producer=SENDING, poll_timeout_ms=100
    )
    cluster.transform("billing", 1, passed_on, transforming)
    cluster.group("audit", 1, idle, Serving((BILLS,), READING))


def scenario(factors: Mapping[str, Any], number: int) -> Scenario:
    """One of the first records that are billed is late."""
    late_ms = factors["late"]
    late = Delay("billing-0", "broker-1", "ProduceRequest", number % 3, extra_ms=late_ms)
    return Scenario(
        name="late records",
        topology=Topology(brokers=2, topics=(Topic("orders"), Topic(BILLS)), links=(WIRE,)),
        workload=Workload(
            events=ORDERS, arrivals=steady(4), keys=uniform_keys(2), producer="shop"
        ),
        application=deploy,
        broker=BROKER,
        variant=factors["version"],
        faults=FaultPlan((late,) if late_ms else ()),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only who raises epochs can tell a late record from the next."""
    broken = factors["late"] and factors["version"].transaction_version == 1
    state = "broken" if broken else "kept"
    return {"transactions_atomic": state, "exactly_once_output": state, "transactions_end": "kept"}


EXPERIMENT = Experiment(
    name="exactly_once_versions",
    question="What can a record that is late do to a transaction that has ended without it?",
    scenario=scenario,
    factors={"version": VARIANTS, "late": LATE_MS},
    measures={
        "billed twice": share(lambda run: run.twice),
        "not billed": share(lambda run: run.unbilled),
    },
    checks=("transactions_atomic", "exactly_once_output", "transactions_end"),
    promises=expected,
    runs=30,
    gather=Bills,
)

illustrate = plotted
