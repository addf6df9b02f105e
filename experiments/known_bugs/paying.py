"""What the rows of transactions have in common: a program pays in transactions, an auditor reads.

The program uses a producer as any application does. A payment has two entries, one in each
partition, some time apart; at its end it is committed, or cancelled: its transaction is aborted.
"""

from collections.abc import Callable, Generator
from typing import Any

import attrs
from hypothesis import strategies as st

from experiments.known_bugs.asking import WHERE
from experiments.known_bugs.known_bug import Planned
from experiments.known_bugs.planning import between
from experiments.known_bugs.scenarios import BROKER, PATIENCE, TOPIC, producing
from simulator import (
    Delay,
    FaultPlan,
    KafkaError,
    RequestTimedOut,
    Scenario,
    Variant,
    Workload,
)

PAYMENTS, AUDITOR = "payments", "auditor"
SOURCES = (WHERE, WHERE._replace(partition=1))
SILENCE_US = 10_000_000  # Longer than any fault that is searched, or transaction, lasts.
STEP_US = 1_500_000
PAYING = {**PATIENCE, "transactional.id": PAYMENTS, "retry.backoff.ms": 100}
AUDITING = {
    "group.id": "audit",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "request.timeout.ms": 1_000,
}
FIRST_VERSION = Variant(transaction_version=1)
UNVERIFIED = attrs.evolve(FIRST_VERSION, verifies_transactions=False)

LATE_MS = between(1_000, 4_000)

Steps = Generator[Any, Any, Any]
Cancels = Callable[[int, int], bool]


def late(message: str, words: str) -> Planned:
    """One of the program's messages of a kind comes late, after it was sent again or given up."""

    def plans(_: Scenario) -> st.SearchStrategy[FaultPlan]:
        return st.builds(
            lambda nth, by_ms: FaultPlan((Delay(PAYMENTS, BROKER, message, nth, by_ms),)),
            st.integers(0, 3),
            LATE_MS,
        )

    return Planned(words, plans)


def every_second(number: int, _: int) -> bool:
    """Every second payment is cancelled."""
    return number % 2 == 1


def never(_: int, __: int) -> bool:
    """All are committed."""
    return False


def if_slow(_: int, took_us: int) -> bool:
    """A payment that took too long is cancelled."""
    return took_us >= 3 * STEP_US


def ended(end: Callable[[], Any]) -> Steps:
    """Commit or abort, and call it again as long as it only takes too long."""
    while True:
        try:
            yield end()
        except RequestTimedOut:
            continue
        return


def paid(
    node: Any, producer: Any, number: int, cancels: Cancels = never, entries: Any = SOURCES
) -> Steps:
    """Pay once; how it ended: commit, abort, or failed.

    What fails is aborted, if it still can be. entries: the partition of each.
    """
    began_us = node.now_us
    producer.begin_transaction()
    try:
        for where in entries:
            name = f"{node.name}-{number}.{where.partition}"
            yield producer.send(
                TOPIC, name, f"k{number}", event_id=name, partition=where.partition
            )
            yield node.sleep(STEP_US)
        if not cancels(number, node.now_us - began_us):
            yield from ended(producer.commit_transaction)
            return "commit"
    except KafkaError:
        yield from ended(producer.abort_transaction)
        return "failed"
    yield from ended(producer.abort_transaction)
    return "abort"


def paying(
    cluster: Any,
    payments: int,
    cancels: Cancels,
    entries: Any = SOURCES,
    name: str = PAYMENTS,
) -> None:
    """The program: so many payments, one after the other, unless it is fenced.

    Its transactional.id is its node's name.
    """

    def pay(node: Any) -> Steps:
        producer = cluster.producer(node, {**PAYING, "transactional.id": name})
        try:
            yield from ended(producer.init_transactions)
            for number in range(payments):
                yield from paid(node, producer, number, cancels, entries)
        except KafkaError:
            return  # Another has its transactional.id, or its transaction is over.

    cluster.driver(name, pay)


def auditing(cluster: Any, *, begins_us: int = 0, partitions: Any = SOURCES) -> None:
    """A reader of what is committed, from the beginning until nothing more comes."""

    def audit(node: Any) -> Steps:
        yield node.sleep(begins_us)
        consumer = cluster.consumer(node, AUDITING)
        consumer.assign(partitions)
        heard_us = node.now_us
        while node.now_us - heard_us < SILENCE_US:
            if (yield consumer.poll(500)):
                heard_us = node.now_us

    cluster.driver(AUDITOR, audit)


def paid_and_audited(
    variant: Variant,
    *,
    payments: int = 4,
    cancels: Cancels = every_second,
    entries: Any = SOURCES,
    audited_us: int = 0,
    topic: Any = None,
    broker: Any = None,
) -> Scenario:
    """The program, and its auditor."""

    def deployed(cluster: Any) -> None:
        paying(cluster, payments, cancels, entries)
        auditing(cluster, begins_us=audited_us)

    return running(deployed, variant, topic=topic, broker=broker)


def running(
    application: Any,
    variant: Variant,
    *,
    partitions: int = 2,
    brokers: int = 1,
    topic: Any = None,
    broker: Any = None,
) -> Scenario:
    """A scenario of an application of its own; nothing is replicated."""
    scenario = producing(variant=variant, partitions=partitions, topic=topic, broker=broker)
    topology = attrs.evolve(scenario.topology, brokers=brokers)
    return attrs.evolve(
        scenario, topology=topology, workload=Workload(), application=application
    )
