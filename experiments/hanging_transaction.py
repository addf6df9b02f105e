"""Who ends a transaction of which no coordinator knows, and who waits for that?

A bank writes transfers in transactions, now to one partition, now to the other; a shop writes to
the first one as well, in none. One transfer is late on its way, by more than the bank's producer
waits: it aborts, and writes elsewhere. Then the transfer arrives. If the partition takes it, it has
opened a transaction that nobody will ever end; and who reads committed records only comes no
further than there, whatever the shop writes behind it.

Predict before you run it: at which of the three does the auditor come to the end of the topic? What
becomes of an auditor that reads uncommitted records?
"""

from collections.abc import Generator, Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from experiments._shared import WIRE, plotted
from experiments.exactly_once_versions import BROKER, READING, SENDING, VARIANTS, idle
from simulator import (
    Cluster,
    Delay,
    Experiment,
    FaultPlan,
    KafkaError,
    Scenario,
    Serving,
    Topic,
    Topology,
    Workload,
    share,
    steady,
    uniform_keys,
)

TOPIC, BANK = "account", "bank"
TRANSFERS, ORDERS = 6, 20
EVERY_US = 400_000
LATE_MS = 620
ISOLATIONS = ("read_committed", "read_uncommitted")


@attrs.define
class Audit:
    """How far an auditor comes."""

    orders: dict[str, None] = attrs.field(factory=dict)
    read: dict[str, None] = attrs.field(factory=dict)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return ("record_acknowledged", self._on_acknowledged), ("record_polled", self._on_polled)

    def _on_acknowledged(self, entry: Any) -> None:
        if entry[2] == "shop":
            self.orders[entry[4][1]] = None

    def _on_polled(self, entry: Any) -> None:
        self.read[entry[4][5]] = None

    @property
    def unread(self) -> tuple[int, int]:
        """The shop's orders that the auditor never came to."""
        return sum(one not in self.read for one in self.orders), len(self.orders)


def transferring(cluster: Cluster, node: Any) -> Generator[Any, Any, None]:
    """Transfer after transfer, each in a transaction, to one partition and the other in turn."""
    producer = cluster.producer(node, {**SENDING, "transactional.id": BANK})
    yield producer.init_transactions()
    for number in range(TRANSFERS):
        producer.begin_transaction()
        where = 0 if number == 0 else 1  # The first one is late.
        producer.send(TOPIC, "v", event_id=f"transfer-{number}", partition=where)
        try:
            yield producer.commit_transaction()
        except KafkaError:
            yield producer.abort_transaction()
        yield node.sleep(EVERY_US)


def deploy(cluster: Cluster, isolation: str) -> None:
    """A bank, a shop, and an auditor."""
    work = cluster.world.scenario.workload
    cluster.source("shop", work, {"linger.ms": 0})
    cluster.driver(BANK, partial(transferring, cluster))
    reading = {**READING, "isolation.level": isolation}
    cluster.group("audit", 1, idle, Serving((TOPIC,), reading))


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """The first transfer is late."""
    return Scenario(
        name="a hanging transaction",
        topology=Topology(brokers=2, topics=(Topic(TOPIC, 2),), links=(WIRE,)),
        workload=Workload(
            topic=TOPIC, events=ORDERS, arrivals=steady(10), keys=uniform_keys(8),
            producer="shop",
        ),
        application=partial(deploy, isolation=factors["isolation"]),
        broker=BROKER,
        variant=factors["version"],
        faults=FaultPlan((Delay(BANK, "broker-0", "ProduceRequest", extra_ms=LATE_MS),)),
        horizon_ms=15_000,
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only where nobody verifies is it taken; who reads uncommitted reads what is open, always."""
    version = factors["version"]
    taken = version.transaction_version == 1 and not version.verifies_transactions
    dirty = factors["isolation"] == "read_uncommitted"
    return {
        "transactions_end": "broken" if taken else "kept",
        "aborted_is_never_read": "broken" if dirty else "kept",
    }


EXPERIMENT = Experiment(
    name="hanging_transaction",
    question="Who ends a transaction of which no coordinator knows, and who waits for that?",
    scenario=scenario,
    factors={"version": VARIANTS, "isolation": ISOLATIONS},
    measures={"never read": share(lambda run: run.unread)},
    checks=("transactions_end", "aborted_is_never_read"),
    promises=expected,
    runs=20,
    gather=Audit,
)

illustrate = plotted
