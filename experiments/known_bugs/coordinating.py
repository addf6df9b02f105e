"""Rows T06 to T10: what brokers, coordinators and cleaners of one product made of transactions.

The protocol is right in all of them; the slips stand in `transaction_slips`.
"""

from typing import Any

from experiments.known_bugs import transaction_slips as slips
from experiments.known_bugs.asking import WHERE
from experiments.known_bugs.known_bug import Faults, KnownBug, Planned
from experiments.known_bugs.paying import (
    FIRST_VERSION,
    PAYING,
    PAYMENTS,
    SOURCES,
    STEP_US,
    Steps,
    auditing,
    ended,
    if_slow,
    paid,
    paid_and_audited,
    running,
)
from experiments.known_bugs.planning import between, crash, pause, together
from experiments.known_bugs.scenarios import BROKER, TOPIC
from simulator import GroupMetadata, KafkaError, Scenario, Variant

SLOW = together(pause(PAYMENTS, between(0, 6_000, 500), between(500, 4_000, 500)))
STILL_ONCE = Faults(("pause",), nodes=PAYMENTS, most=1)
STANDS_STILL = Planned("the program stands still for a while", SLOW)

T06 = KnownBug(
    name="T06",
    title="the bound of committed reads is one too far",
    source="redpanda#3036",
    anomaly="aborted_is_never_read",
    story="A reader of what is committed is given the first record of a transaction that is open "
    "still, for it lies at the last stable offset; and the transaction may yet be aborted.",
    broken=paid_and_audited(Variant(), cancels=if_slow),
    faults=STILL_ONCE,
    slip=slips.reads_the_last_stable_offset_too,
)

T07 = KnownBug(
    name="T07",
    title="the high watermark moves while the last stable offset is computed",
    source="KAFKA-9807",
    anomaly="aborted_is_never_read",
    story="A fetch waits at the end of the log. The first record of a transaction wakes it: when "
    "it looks whether one is open below the high watermark, none is; when it looks where to "
    "stop, the mark has moved. So it is given the record of a transaction that is open still, "
    "and may yet be aborted.",
    broken=paid_and_audited(Variant(), cancels=if_slow),
    faults=STILL_ONCE,
    slip=slips.looks_at_the_high_watermark_twice,
)


def insisting(cluster: Any) -> None:
    """A program that pays again whatever has failed, as it believes."""

    def pay(node: Any) -> Steps:
        producer = None
        for number in range(4):
            result = ""
            while result != "commit":
                try:
                    if producer is None:
                        producer = cluster.producer(node, PAYING)
                        yield from ended(producer.init_transactions)
                    result = yield from paid(node, producer, number)
                except KafkaError:
                    producer = None

    cluster.driver(PAYMENTS, pay)


def paid_at_all_costs() -> Scenario:
    """The program that insists, and the auditor."""

    def deployed(cluster: Any) -> None:
        insisting(cluster)
        auditing(cluster)

    return running(deployed, Variant())


T08 = KnownBug(
    name="T08",
    title="a commit has succeeded, and its retry is called invalid",
    source="redpanda#3616",
    anomaly="never_delivered_twice",
    story="A transaction is committed, and the answer is lost. To the retry the coordinator says "
    "that no transaction is open; the program takes that for an abort, and pays again.",
    broken=paid_at_all_costs(),
    faults=Faults(("drop",), nodes=PAYMENTS, messages="EndTxn*"),
    slip=slips.forgets_how_a_transaction_ended,
)

BOOKING = GroupMetadata("booking")


def booking(cluster: Any) -> None:
    """A program that writes an entry, and then says with it how far it has read its input."""

    def book(node: Any) -> Steps:
        producer = cluster.producer(node, PAYING)
        try:
            yield from ended(producer.init_transactions)
            for number in range(4):
                where = SOURCES[number % 2]
                name = f"payment-{number}"
                producer.begin_transaction()
                yield producer.send(TOPIC, name, event_id=name, partition=where.partition)
                yield node.sleep(STEP_US)
                yield producer.send_offsets_to_transaction({(TOPIC, 0): number + 1}, BOOKING)
                yield from ended(producer.commit_transaction)
        except KafkaError:
            return

    cluster.driver(PAYMENTS, book)


def booked() -> Scenario:
    """The program that books, and the auditor."""

    def deployed(cluster: Any) -> None:
        booking(cluster)
        auditing(cluster)

    return running(deployed, FIRST_VERSION)


T09 = KnownBug(
    name="T09",
    title="a coordinator forgets an open transaction, and commits the rest of it",
    source="redpanda#6018, redpanda#6019",
    anomaly="transactions_atomic",
    story="A record is written in a transaction. The coordinator dies, and knows of no open "
    "transaction when it is back; with the offsets that the program adds it opens another one, "
    "and that one is committed. The offsets count, and the record is never read.",
    broken=booked(),
    faults=Planned(
        "the broker crashes",
        together(crash(BROKER, between(0, 8_000), between(100, 1_000))),
    ),
    slip=slips.keeps_open_transactions_in_memory,
)

CLEANED_SOON = {
    "cleanup.policy": "compact",
    "segment.bytes": 100,
    "min.cleanable.dirty.ratio": 0.01,
    "delete.retention.ms": 0,
}
CLEANER = {"log.cleaner.backoff.ms": 1_000, "log.initial.task.delay.ms": 0}

T10 = KnownBug(
    name="T10",
    title="the cleaner lets a transaction end with its segment",
    source="KAFKA-8351",
    anomaly="aborted_is_never_read",
    story="A transaction that is cancelled spans two segments. The cleaner begins the second as "
    "if no transaction were under way: it takes the records there for committed and the marker "
    "for one that ends nothing, and nobody who reads later is told that they were aborted.",
    broken=paid_and_audited(
        Variant(),
        cancels=if_slow,
        entries=(WHERE, WHERE),
        audited_us=30_000_000,
        topic=CLEANED_SOON,
        broker=CLEANER,
    ),
    faults=STANDS_STILL,
    slip=slips.forgets_transactions_between_segments,
)

ROWS = (T06, T07, T08, T09, T10)
