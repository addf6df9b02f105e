"""A transactional.id that is drawn anew at each start: whom does it fence, who waits?

One worker makes bills of orders, in transactions; another stands by, and takes over when nothing is
heard of the first. If both use one transactional.id, the second's first act (initTransactions) ends
what the first has left open, and raises the epoch: should the first one come back, it is refused.
With an id of its own, such as a random one, each is nobody to the other.

Predict before you run it: the first worker is dead, or was only paused. In which case is an order
billed twice, and under which id? In which case do readers of committed bills stand still, and for
how long?

Asked in databricks/iceberg-kafka-connect#200.
"""

from collections.abc import Generator, Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from experiments._shared import WIRE, plotted
from experiments.exactly_once_versions import BROKER, SENDING, idle
from simulator import (
    Cluster,
    Crash,
    Experiment,
    FaultPlan,
    GroupMetadata,
    KafkaError,
    Pause,
    Scenario,
    Serving,
    Topic,
    Topology,
    Workload,
    number,
    share,
    steady,
)

ORDERS, BILLS, GROUP = "orders", "bills", "billing"
IDS = ("one for the task", "one for each start")
FAILS_MS, OVER_MS, LATER_MS = 3_000, 4_000, 70
HAPPENS = ("nothing", "dead", "paused")
EVENTS, PER_S = 60, 10
COMMITS_AFTER_US = 150_000
READING = {
    "auto.offset.reset": "earliest", "isolation.level": "read_committed", "max.poll.records": 2,
    "enable.auto.commit": False,
}  # fmt: skip


@attrs.define
class Bills:
    """Where each bill lies, and for how long nobody could read on."""

    orders: int = 0
    places: dict[str, dict[tuple[int, int], None]] = attrs.field(factory=dict)
    longest_us: int = 0
    _read_us: int = -1

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return ("record_acknowledged", self._on_acknowledged), ("record_polled", self._on_polled)

    def _on_acknowledged(self, entry: Any) -> None:
        self.orders += entry[2] == "shop"

    def _on_polled(self, entry: Any) -> None:
        _, group, _, partition, offset, event_id = entry[4]
        if group == "audit":
            self.places.setdefault(event_id, {})[partition, offset] = None
            if self._read_us >= 0:
                self.longest_us = max(self.longest_us, entry[1] - self._read_us)
            self._read_us = entry[1]

    @property
    def twice(self) -> tuple[int, int]:
        """Orders that were billed more than once."""
        return sum(len(one) > 1 for one in self.places.values()), self.orders


def working(
    cluster: Cluster, node: Any, transactional_id: str, from_ms: int
) -> Generator[Any, Any, None]:
    """From a time on: read, write, and commit both in one transaction; until somebody objects."""
    if node.now_us < from_ms * 1_000:
        yield node.sleep(from_ms * 1_000 - node.now_us)
    producer = cluster.producer(node, {**SENDING, "transactional.id": transactional_id})
    consumer = cluster.consumer(node, {**READING, "group.id": GROUP})
    consumer.assign([(ORDERS, 0)])
    try:
        yield producer.init_transactions()  # Before the offsets are read: they count from here on.
        while True:
            records = yield consumer.poll(500)
            if not records:
                continue
            producer.begin_transaction()
            for record in records:
                producer.send(BILLS, record.value, record.key, event_id=record.event_id)
            yield node.sleep(COMMITS_AFTER_US)
            offsets = {(ORDERS, 0): records[-1].offset + 1}
            yield producer.send_offsets_to_transaction(offsets, GroupMetadata(GROUP))
            yield producer.commit_transaction()
    except KafkaError as objection:
        node.record(("noted", "gave up", f"{node.name}: {type(objection).__name__}"))


def deploy(cluster: Cluster, ids: str, over_ms: int) -> None:
    """A shop, a worker, one that stands by, and who reads the bills."""
    cluster.source("shop", cluster.world.scenario.workload, {"linger.ms": 0})
    for name, from_ms in (("worker-0", 0), ("worker-1", over_ms)):
        own = GROUP if ids == IDS[0] else f"{GROUP}-{name}"

        def boot(node: Any, own: str = own, from_ms: int = from_ms) -> None:
            if node.incarnation == 0 or node.name == "worker-1":
                node.start(working(cluster, node, own, from_ms), "worker")

        cluster.node(name, boot)
    cluster.group("audit", 1, idle, Serving((BILLS,), {**READING, "enable.auto.commit": False}))
    cluster.driver("clock", lambda node: (yield node.sleep(20_000_000)))


def scenario(factors: Mapping[str, Any], run: int) -> Scenario:
    """Six seconds of orders; after three the first worker is not heard of any more."""
    fails_ms = FAILS_MS + run * LATER_MS % 1_000
    faults = {
        "nothing": (),
        "dead": (Crash("worker-0", at_ms=fails_ms, down_ms=60_000),),
        "paused": (Pause("worker-0", fails_ms, 3_000),),
    }
    over_ms = fails_ms + OVER_MS - FAILS_MS
    if factors["happens"] == "nothing":
        over_ms = 1_000_000
    return Scenario(
        name="transactional ids",
        topology=Topology(brokers=2, topics=(Topic(ORDERS), Topic(BILLS)), links=(WIRE,)),
        workload=Workload(topic=ORDERS, events=EVENTS, arrivals=steady(PER_S), producer="shop"),
        application=partial(deploy, ids=factors["transactional id"], over_ms=over_ms),
        broker={**BROKER, "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000},
        faults=FaultPlan(faults[factors["happens"]]),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Who was only paused writes on, unless it is fenced."""
    twice = factors["happens"] == "paused" and factors["transactional id"] != IDS[0]
    return {"stored_once": "broken" if twice else "kept"}


EXPERIMENT = Experiment(
    name="transactional_ids",
    question="A transactional.id that is drawn anew at each start: whom does it fence, who waits?",
    scenario=scenario,
    factors={"transactional id": IDS, "happens": HAPPENS},
    measures={
        "billed twice": share(lambda run: run.twice),
        "longest without a bill": number(
            lambda run: run.longest_us / 1_000, unit="ms", more_is_better=False
        ),
    },
    checks=("stored_once",),
    promises=expected,
    runs=8,
    baseline={"transactional id": IDS[0]},
    gather=Bills,
)

illustrate = plotted
