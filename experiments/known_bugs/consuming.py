"""What the rows of consumers have in common: orders, the group that bills them, and its ledger.

Who reads is a service of the cluster, or, where the row is about how an application treats its
consumer, a program of these rows: `Reading` says by which habits.
"""

from collections import deque
from collections.abc import Generator, Mapping
from typing import Any

import attrs

from experiments.known_bugs.scenarios import (
    GROUP,
    LEDGER,
    PATIENCE,
    QUICK_GROUPS,
    READING,
    TOPIC,
    sold,
)
from simulator import (
    AT_LEAST_ONCE,
    Context,
    KafkaError,
    RequestTimedOut,
    Scenario,
    Topic,
    TopicPartition,
    Topology,
    WorkItem,
    idempotent_sink,
    naive_sink,
)

FIRST, SECOND, THIRD = (f"{GROUP}-{number}" for number in range(3))
SOURCE = "orders-producer"
MILLISECOND_US = 1_000
SILENCE_US = 5_000_000  # So long without an order, and an application takes it to be the last.
WORK_US = 50_000
# Members of a group of KIP-848 are told by its brokers how often to be heard.
NEW_PROTOCOL = {
    "auto.offset.reset": "earliest",
    "group.protocol": "consumer",
    "request.timeout.ms": 1_000,
    "default.api.timeout.ms": 5_000,
}
QUICK_MEMBERS = {
    "group.consumer.session.timeout.ms": 1_000,
    "group.consumer.min.session.timeout.ms": 1_000,
    "group.consumer.heartbeat.interval.ms": 200,
    "group.consumer.min.heartbeat.interval.ms": 200,
}
PRODUCING = {**AT_LEAST_ONCE.producer, **PATIENCE}
FROM_THE_BEGINNING = {"auto.offset.reset": "earliest", **READING}
BY_HAND = {**FROM_THE_BEGINNING, "group.id": GROUP, "enable.auto.commit": False}
OF_ITSELF = {**BY_HAND, "enable.auto.commit": True, "auto.commit.interval.ms": 100}

Steps = Generator[Any, Any, Any]


def orders(
    number: int, *, every_ms: int = 50, from_ms: int = 0, keys: int = 4
) -> tuple[WorkItem, ...]:
    """So many orders of customers in turn."""
    return tuple(
        WorkItem((from_ms + every_ms * one) * MILLISECOND_US, TOPIC, f"k{one % keys}", "sold",
                 f"e{one + 1}")
        for one in range(number)
    )  # fmt: skip


def consuming(
    application: Any, *, partitions: int = 2, broker: Mapping[str, Any] | None = None, **more: Any
) -> Scenario:
    """An application at one broker.

    Args:
        broker: settings beside QUICK_GROUPS.
        more: other fields of the Scenario.
    """
    return Scenario(
        topology=Topology(topics=(Topic(TOPIC, partitions),)),
        broker={**QUICK_GROUPS, **(broker or {})},
        application=application,
        **more,
    )


# --- A group of the cluster's own services -------------------------------------------------------


@attrs.frozen(kw_only=True)
class Billed:
    """Orders, and a service that applies each to the ledger.

    Args:
        serving: how the group serves.
        instances: how many there are of it.
        marked: an order's id is stored with its effect, so that it is applied once.
        grows: to how many partitions the topic grows, and at which time; None: it does not.
    """

    serving: Any = attrs.field(hash=False)
    items: tuple[WorkItem, ...] = orders(16)
    instances: int = 2
    marked: bool = False
    grows: tuple[int, int] | None = None
    producer: Mapping[str, Any] = attrs.field(factory=dict, hash=False)

    def __call__(self, cluster: Any) -> None:
        """Deploy it."""
        cluster.store(LEDGER)
        cluster.source(SOURCE, iter(self.items), {**PRODUCING, **self.producer})
        factory = idempotent_sink(sold) if self.marked else naive_sink(sold)
        cluster.group(GROUP, self.instances, factory, self.serving)
        if self.grows is not None:
            partitions, at_ms = self.grows
            cluster.add_partitions(TOPIC, partitions, at_ms=at_ms)


# --- Programs with habits of their own -----------------------------------------------------------


@attrs.frozen(kw_only=True)
class Reading:
    """Orders, and programs that read and apply them one by one.

    Args:
        settings: of their consumers.
        joins_ms: when each program starts to read; so many there are.
        ahead: how many orders a program reads before it works on them.
        patient: it reads only when it has none at hand; else whenever it has fewer than `ahead`.
        commits_each: it commits what it has applied whenever that is so many orders more, and at
            the end; 0: it never does by itself.
        commits_at_last: it commits when partitions are taken from it.
        lets_go: of partitions that are taken from it, it drops the orders at hand.
        marked: as of Billed.
        items: the orders.
    """

    settings: Mapping[str, Any] = attrs.field(hash=False)
    joins_ms: tuple[int, ...] = (0,)
    ahead: int = 1
    patient: bool = False
    commits_each: int = 0
    commits_at_last: bool = False
    lets_go: bool = True
    marked: bool = False
    items: tuple[WorkItem, ...] = orders(24, every_ms=10)

    def __call__(self, cluster: Any) -> None:
        """Deploy it."""
        cluster.store(LEDGER)
        cluster.source(SOURCE, iter(self.items), PRODUCING)
        for number, joins_ms in enumerate(self.joins_ms):
            cluster.driver(f"{GROUP}-{number}", self._program(cluster, joins_ms))

    def _program(self, cluster: Any, joins_ms: int) -> Any:
        def read(node: Any) -> Steps:
            wait_us = joins_ms * MILLISECOND_US - node.now_us
            if wait_us > 0:
                yield node.sleep(wait_us)
            yield from _Reader(self, cluster, node).read()

        return read


class _Reader:
    """One incarnation of a program; it is its own rebalance listener."""

    def __init__(self, habits: Reading, cluster: Any, node: Any) -> None:
        self._habits = habits
        self._node = node
        self._context = context = Context(cluster, node, {})
        settings = {**habits.settings, "max.poll.records": habits.ahead}
        self._consumer = cluster.consumer(node, settings)
        factory = idempotent_sink(sold) if habits.marked else naive_sink(sold)
        self._apply = factory(context)
        self._at_hand: deque[Any] = deque()
        self._done: dict[TopicPartition, int] = {}  # What is applied, and not yet committed.
        self._since = 0  # How many orders it has applied since it committed.

    def read(self) -> Steps:
        """Until no more orders come."""
        habits, consumer, node, at_hand = self._habits, self._consumer, self._node, self._at_hand
        consumer.subscribe((TOPIC,), self)
        enough = 1 if habits.patient else habits.ahead
        heard_us = node.now_us
        while node.now_us - heard_us < SILENCE_US:
            if len(at_hand) < enough:
                at_hand.extend((yield consumer.poll(0 if at_hand else 200)))
            if at_hand:
                yield from self._work(at_hand.popleft())
                heard_us = node.now_us
            if habits.commits_each and self._since >= habits.commits_each:
                yield from self._commit()
        if habits.commits_each:
            yield from self._commit()
        yield consumer.close()

    def _work(self, record: Any) -> Steps:
        yield self._node.sleep(WORK_US)
        self._context.record = record
        yield from self._apply(record)
        self._context.record = None
        self._done[TopicPartition(record.topic, record.partition)] = record.offset + 1
        self._since += 1

    def _commit(self) -> Steps:
        done, self._done, self._since = self._done, {}, 0
        while done:
            try:
                yield self._consumer.commit_sync(done)
            except RequestTimedOut:
                continue
            except KafkaError:
                pass  # They are others' by now.
            return

    def on_revoked(self, partitions: tuple[TopicPartition, ...]) -> Steps:
        """They are going to be others'."""
        self._drop(partitions)
        if self._habits.commits_at_last:
            yield from self._commit()
        self._forget(partitions)

    def on_lost(self, partitions: tuple[TopicPartition, ...]) -> None:
        """They are others', perhaps since long."""
        self._drop(partitions)
        self._forget(partitions)

    def _forget(self, partitions: tuple[TopicPartition, ...]) -> None:
        for partition in partitions:
            self._done.pop(partition, None)

    def _drop(self, partitions: tuple[TopicPartition, ...]) -> None:
        if self._habits.lets_go:
            kept = [one for one in self._at_hand if (one.topic, one.partition) not in partitions]
            self._at_hand.clear()
            self._at_hand.extend(kept)
