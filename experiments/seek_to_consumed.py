"""After a rebalance, go on where you have read to, not at the committed offset?

A service handles one order after the other from what it has read, and commits once a second. When
another instance joins, all give their partitions back, and what was read and not handled yet is
dropped. Who gets a partition back begins at its committed offset, and handles again what was done
since. Would it not be better to seek to where one has read to? Or to where one has done everything?
Or to commit before giving anything back?

Predict before you run it: the partition stays with whoever had it, or moves to the newcomer. Which
way loses events, which repeats some, and which does neither?

Asked in zio/zio-kafka#591.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from experiments._shared import APPLIED_TWICE, FROM_US, LOST, PATIENCE, SESSION, WIRE, plotted
from models.patterns.idempotency.in_the_end import applied_by_each
from models.patterns.idempotency.inbox import counted
from models.systems.orders import LEDGER, TOPIC
from models.topics.load import Load
from simulator import (
    Cluster,
    Crash,
    Experiment,
    FaultPlan,
    KafkaError,
    RebalanceListener,
    Scenario,
    Topic,
    Topology,
    WorkItem,
)

COMMITTED, CONSUMED, DONE, GIVES_BACK = (
    "the committed offset", "what was read", "what is done", "committed before it goes"
)
FROM = (COMMITTED, CONSUMED, DONE, GIVES_BACK)
PARTITIONS = {"stays": 1, "moves": 2}
EVENTS, EVERY_US, TAKES_US, COMMIT_US = 100, 30_000, 45_000, 1_000_000
JOINS_MS, LATER_MS = 10_300, 130
LASTS_US = 30_000_000
Place = tuple[str, int]


@attrs.define
class Worker:
    """What one instance has in hand, and how far it is in each partition."""

    cluster: Cluster
    node: Any
    start: str
    consumer: Any = None
    hand: list[Any] = attrs.field(factory=list)
    read: dict[Place, int] = attrs.field(factory=dict)
    done: dict[Place, int] = attrs.field(factory=dict)

    def live(self) -> Any:
        """Poll, handle one, and commit once a second."""
        settings = {
            **SESSION, "group.id": "billing", "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }  # fmt: skip
        consumer = self.consumer = self.cluster.consumer(self.node, settings)
        context = self.cluster.context(self.node)
        store, committed_us = context.store(LEDGER), self.node.now_us
        listener = RebalanceListener(on_assigned=self.assigned, on_revoked=self.revoked)
        consumer.subscribe([TOPIC], listener)
        while True:
            for record in (yield consumer.poll(1 if self.hand else 100)):
                self.hand.append(record)
                self.read[record.topic, record.partition] = record.offset + 1
            if self.hand:
                record = context.record = self.hand.pop(0)
                yield self.node.sleep(TAKES_US)
                yield store.transact(*counted(record))
                self.done[record.topic, record.partition] = record.offset + 1
            if self.node.now_us - committed_us > COMMIT_US:
                committed_us = self.node.now_us
                yield from self.commit(consumer.assignment())

    def commit(self, partitions: Any) -> Any:
        """What is done of these partitions."""
        mine = {place: self.done[place] for place in partitions if place in self.done}
        if mine:
            try:
                yield self.consumer.commit_sync(mine)
            except KafkaError as refused:
                self.node.record(("noted", "refused", str(refused)))

    def revoked(self, partitions: Any) -> Any:
        """What was read and is not done is dropped."""
        self.hand.clear()
        if self.start == GIVES_BACK:
            yield from self.commit(partitions)

    def assigned(self, partitions: Any) -> Any:
        """Begin where the policy says, and never before what is committed."""
        known = {CONSUMED: self.read, DONE: self.done}.get(self.start, {})
        committed = yield self.consumer.committed(partitions)
        for place in partitions:
            found = committed.get(place) or 0
            if known.get(place, 0) > found:
                self.consumer.seek(place, known[place])
            self.done[place] = max(self.done.get(place, 0), found) if place in known else found


def deploy(cluster: Cluster, start: str, partitions: int) -> None:
    """A shop and two workers; the second one comes later."""
    cluster.store(LEDGER)
    keys = ("k0", "k3")[:partitions]  # Of two partitions.
    items = [
        WorkItem(FROM_US + place * EVERY_US, TOPIC, keys[place % partitions], "order", f"e{place}")
        for place in range(EVENTS)
    ]
    cluster.source("order-service", iter(items), {"linger.ms": 0, **PATIENCE})

    def boot(node: Any) -> None:
        node.start(Worker(cluster, node, start).live(), "worker")

    for number in range(2):
        cluster.node(f"billing-{number}", boot)
    cluster.driver("clock", lambda node: (yield node.sleep(LASTS_US)))


def scenario(factors: Mapping[str, Any], run: int) -> Scenario:
    """Three seconds of orders, more than can be handled at once; an instance joins after two."""
    joins_ms = JOINS_MS + run * LATER_MS % 1_000
    return Scenario(
        name="seek to consumed",
        topology=Topology(topics=(Topic(TOPIC, factors["partition"]),), links=(WIRE,)),
        application=partial(deploy, start=factors["from"], partitions=factors["partition"]),
        faults=FaultPlan((Crash("billing-1", at_ms=1, down_ms=joins_ms),)),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """What was read is not done; and what one has done the next owner does not know."""
    start, moves = factors["from"], factors["partition"] == PARTITIONS["moves"]
    repeats = start == COMMITTED or (moves and start != GIVES_BACK)
    return {
        "everything applied": "broken" if start == CONSUMED else "kept",
        "never_applied_twice": "broken" if repeats else "kept",
    }


EXPERIMENT = Experiment(
    name="seek_to_consumed",
    question="After a rebalance, go on where you have read to, not at the committed offset?",
    scenario=scenario,
    factors={"from": FROM, "partition": PARTITIONS},
    measures={"lost": LOST, "applied twice": APPLIED_TWICE},
    checks={
        "everything applied": applied_by_each(LEDGER),
        "never_applied_twice": "never_applied_twice",
    },
    promises=expected,
    runs=6,
    baseline={"from": COMMITTED},
    gather=Load,
)

illustrate = plotted
