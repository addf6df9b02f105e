"""Rows T01 to T03: what a transaction writes, or asks for, and comes when it is over.

Versions of the protocol differ in what such a message may still do.
"""

from collections.abc import Callable
from typing import Any

from experiments.known_bugs.asking import WHERE
from experiments.known_bugs.known_bug import KnownBug
from experiments.known_bugs.paying import (
    FIRST_VERSION,
    PAYING,
    PAYMENTS,
    SOURCES,
    UNVERIFIED,
    Steps,
    auditing,
    ended,
    late,
    paid,
    paid_and_audited,
    running,
)
from experiments.known_bugs.scenarios import TOPIC
from simulator import KafkaError, Scenario, Variant

T01 = KnownBug(
    name="T01",
    title="the end of a transaction comes late, and ends another",
    source="KAFKA-17754, Jepsen on Bufstream 0.1.0",
    anomaly="transactions_atomic",
    story="A commit is on its way for so long that the producer asks again, over another "
    "connection, and begins its next transaction. Then the first request arrives, of the same "
    "producer id and epoch, and commits what has been written of that one, which is cancelled.",
    broken=paid_and_audited(FIRST_VERSION),
    fixes={"each transaction has an epoch of its own (KIP-890)": paid_and_audited(Variant())},
    faults=late("EndTxnRequest", "the request for the end of a transaction comes late"),
)

HASTY = {"delivery.timeout.ms": 1_000, "request.timeout.ms": 1_000}
PAUSE_US = 500_000


def until_one_fails(cluster: Any) -> Callable[[Any], Steps]:
    """A program that pays into one partition, and once a payment has failed into the other."""

    def pay(node: Any) -> Steps:
        producer = cluster.producer(node, {**PAYING, **HASTY})
        try:
            yield from ended(producer.init_transactions)
            place = 0
            for number in range(3):
                result = yield from paid(node, producer, number, entries=SOURCES[place:][:1])
                if result == "failed":
                    place = 1
        except KafkaError:
            return

    return pay


def one_by_one(variant: Variant) -> Scenario:
    """The program, and its auditor."""

    def deployed(cluster: Any) -> None:
        cluster.driver(PAYMENTS, until_one_fails(cluster))
        auditing(cluster)

    return running(deployed, variant)


T02 = KnownBug(
    name="T02",
    title="a record that comes after the abort opens a transaction that never ends",
    source="KIP-890, KAFKA-14561",
    anomaly="transactions_end",
    story="A record of a transaction is on its way for so long that it is given up, and the "
    "transaction is aborted. Then the record arrives: to the partition it is the first of "
    "another transaction, of which no coordinator knows, and read_committed never comes beyond "
    "it.",
    broken=one_by_one(UNVERIFIED),
    fixes={
        "a partition asks whether the transaction is open": one_by_one(FIRST_VERSION),
        "each transaction has an epoch of its own": one_by_one(Variant()),
    },
    faults=late("ProduceRequest", "a record of a transaction comes late"),
)


def trying_again(cluster: Any) -> Callable[[Any], Steps]:
    """A program that hands its entries over, commits at once, and pays anew what has failed."""

    def pay(node: Any) -> Steps:
        producer = cluster.producer(node, {**PAYING, **HASTY})
        try:
            yield from ended(producer.init_transactions)
            for number in range(4):
                producer.begin_transaction()
                name = f"payment-{number}"
                producer.send(TOPIC, name, event_id=name, partition=0)
                try:
                    yield from ended(producer.commit_transaction)
                except KafkaError:
                    yield from ended(producer.abort_transaction)
                yield node.sleep(PAUSE_US)
        except KafkaError:
            return

    return pay


def at_once(variant: Variant) -> Scenario:
    """The program that tries again, and its auditor.

    One broker leads the partition, and another coordinates the transactions: so what is late to
    one does not make late what follows to the other.
    """

    def deployed(cluster: Any) -> None:
        cluster.driver(PAYMENTS, trying_again(cluster))
        auditing(cluster, partitions=(WHERE,))

    return running(deployed, variant, partitions=1, brokers=2)


T03 = KnownBug(
    name="T03",
    title="a record that comes after the abort joins the next transaction",
    source="KIP-890",
    anomaly="transactions_atomic",
    story="A record is on its way for so long that it is given up while its transaction is to be "
    "committed, which is aborted then. It arrives when the next transaction writes to the same "
    "partition under the same epoch, and is committed with that one. That the partition asks the "
    "coordinator does not help: a transaction is open there.",
    broken=at_once(FIRST_VERSION),
    fixes={"each transaction has an epoch of its own (KIP-890, second part)": at_once(Variant())},
    faults=late("ProduceRequest", "a record of a transaction comes late"),
)

ROWS = (T01, T02, T03)
