"""A group that answers each order by a record in another topic, and an auditor who reads that.

The record tells the newest that is known of a customer, as a changelog does. It is written either
by itself, with the order's offset committed later, or in one transaction with the offset.
"""

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import attrs

from experiments.known_bugs.consuming import (
    BY_HAND,
    PRODUCING,
    SILENCE_US,
    SOURCE,
    WORK_US,
    orders,
)
from experiments.known_bugs.scenarios import GROUP, QUICK_GROUPS, TOPIC
from simulator import (
    KafkaError,
    RequestTimedOut,
    Scenario,
    Topic,
    TopicPartition,
    Topology,
    WorkItem,
)

CHANGELOG, AUDITOR = "changelog", "auditor"
AUDITED_US = 12_000_000  # Later than the last order is answered.
READING_CHANGES = {
    **BY_HAND,
    "group.id": "audit",
    "isolation.level": "read_committed",
}

Steps = Generator[Any, Any, Any]


@attrs.frozen(kw_only=True)
class Copying:
    """Orders, the programs that answer them, and the auditor.

    Args:
        instances: how many programs.
        transactional: the answer and the order's offset are one transaction.
        audited: whether there is an auditor.
        items: the orders.
    """

    instances: int = 2
    transactional: bool = False
    audited: bool = True
    items: tuple[WorkItem, ...] = orders(12, every_ms=100)

    def __call__(self, cluster: Any) -> None:
        """Deploy it."""

        def answer(node: Any) -> Steps:
            while (yield from _Life(self, cluster, node).live()):
                pass

        def audit(node: Any) -> Steps:
            yield node.sleep(max(0, AUDITED_US - node.now_us))
            consumer = cluster.consumer(node, READING_CHANGES)
            consumer.assign([TopicPartition(CHANGELOG, 0)])
            yield from _until_silent(node, consumer)

        cluster.source(SOURCE, iter(self.items), PRODUCING)
        for number in range(self.instances):
            cluster.driver(f"{GROUP}-{number}", answer)
        if self.audited:
            cluster.driver(AUDITOR, audit)


def _until_silent(node: Any, consumer: Any) -> Steps:
    heard_us = node.now_us
    while node.now_us - heard_us < SILENCE_US:
        if (yield consumer.poll(500)):
            heard_us = node.now_us


class _Life:
    """A consumer and a producer, until something goes wrong with either."""

    def __init__(self, habits: Copying, cluster: Any, node: Any) -> None:
        self._transactional = habits.transactional
        self._node = node
        self._consumer = cluster.consumer(node, {**BY_HAND, "max.poll.records": 4})
        own = {"transactional.id": node.name} if habits.transactional else {}
        self._producer = cluster.producer(node, {**PRODUCING, **own})

    def live(self) -> Steps:
        """Answer orders; whether to begin another life, because it went wrong."""
        node, consumer = self._node, self._consumer
        try:
            if self._transactional:
                yield from _insisting(self._producer.init_transactions)
            consumer.subscribe((TOPIC,))
            heard_us = node.now_us
            while node.now_us - heard_us < SILENCE_US:
                records = yield consumer.poll(500)
                if records:
                    yield from self._answer(records)
                    heard_us = node.now_us
        except KafkaError:
            yield from self._give_up()
            return True
        return False

    def _answer(self, records: list[Any]) -> Steps:
        producer = self._producer
        offsets: dict[TopicPartition, int] = {}
        # Who it was when it was given them: later it may know itself to be out, and say nothing.
        metadata = self._consumer.group_metadata()
        if self._transactional:
            producer.begin_transaction()
        for record in records:
            yield self._node.sleep(WORK_US)
            yield producer.send(CHANGELOG, "billed", record.key, event_id=record.event_id)
            offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
            if self._transactional:
                yield producer.send_offsets_to_transaction(offsets, metadata)
        if self._transactional:
            yield from _insisting(producer.commit_transaction)
        else:
            yield self._consumer.commit_sync(offsets)

    def _give_up(self) -> Steps:
        if self._transactional:
            with suppress(KafkaError):  # Then the next life's init_transactions aborts it.
                yield self._producer.abort_transaction()
        yield self._producer.close()
        yield self._consumer.close()


def _insisting(call: Any) -> Steps:
    while True:
        try:
            return (yield call())
        except RequestTimedOut:
            continue


def copying(habits: Copying) -> Scenario:
    """All of it at one broker."""
    return Scenario(
        topology=Topology(topics=(Topic(TOPIC, 2), Topic(CHANGELOG))),
        broker=QUICK_GROUPS,
        application=habits,
    )
