"""Rows T04, T05, T11 and T12: a group that reads, transforms and writes in transactions.

What it writes for each input must be there once. A shop writes the inputs, and an auditor reads
what came of them.
"""

from typing import Any

import attrs
from hypothesis import strategies as st

from experiments.known_bugs.asking import WHERE
from experiments.known_bugs.known_bug import Faults, KnownBug, Planned
from experiments.known_bugs.paying import PAYING, SILENCE_US, Steps, auditing, ended
from experiments.known_bugs.planning import between, pause
from experiments.known_bugs.scenarios import (
    BROKER,
    PATIENCE,
    READING,
    SHOP,
    TOPIC,
    producing,
)
from simulator import (
    Delay,
    FaultPlan,
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
    Scenario,
    Topic,
    Topology,
    Transforming,
    Variant,
    Workload,
    constant,
    passed_on,
)

FENCED = (ProducerFenced, InvalidProducerEpoch)
INPUTS, GROUP = "inputs", "billing"
ORDERS = 12
ORDER_US = 300_000
BILLED_US = 100_000
EXACTLY_ONCE = Transforming(
    (INPUTS,),
    TOPIC,
    settings={**READING, "max.poll.records": 3},
    producer={**PATIENCE, "retry.backoff.ms": 100},
    processing=constant(100_000),
    poll_timeout_ms=500,
)


def selling(cluster: Any) -> None:
    """The shop."""

    def sell(node: Any) -> Steps:
        producer = cluster.producer(node, PATIENCE)
        for number in range(ORDERS):
            yield producer.send(
                INPUTS, "sold", event_id=f"order-{number}", partition=number % 2
            )
            yield node.sleep(ORDER_US)
        yield producer.close()

    cluster.driver(SHOP, sell)


def transformed(how: Transforming, variant: Variant | None = None) -> Scenario:
    """The shop, two instances that transform, and the auditor."""

    def deployed(cluster: Any) -> None:
        selling(cluster)
        cluster.transform(GROUP, 2, passed_on, how)
        auditing(cluster, partitions=(WHERE,))

    return attrs.evolve(
        producing(variant=variant or Variant()),
        topology=Topology(topics=(Topic(TOPIC, 1), Topic(INPUTS, 2))),
        workload=Workload(),
        application=deployed,
    )


def zombies(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """An instance stands still for longer than its group waits for it."""
    still = pause(f"{GROUP}-0", between(0, 4_000), between(3_000, 6_000, 500))
    return still.map(lambda fault: FaultPlan((fault,)))


OFTEN = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": 100}


def billed(cluster: Any, node: Any, timeout_ms: int) -> Steps:
    """Read and write in transactions until nothing more comes; why it ended before that, if so."""
    producer = cluster.producer(node, {**PAYING, "transaction.timeout.ms": timeout_ms})
    consumer = cluster.consumer(
        node, {**READING, "group.id": GROUP, "enable.auto.commit": False,
               "auto.offset.reset": "earliest", "max.poll.records": 3}
    )  # fmt: skip
    consumer.subscribe((INPUTS,))
    failed = None
    try:
        yield from ended(producer.init_transactions)
        heard_us = node.now_us
        while node.now_us - heard_us < SILENCE_US:
            records = yield consumer.poll(500)
            if records:
                yield from passed(node, producer, consumer, records)
                heard_us = node.now_us
    except KafkaError as error:
        failed = error
    producer.close(1_000)
    yield consumer.close(1_000)
    return failed


def passed(node: Any, producer: Any, consumer: Any, records: Any) -> Steps:
    """Write what was read, and commit that it was, in one transaction."""
    producer.begin_transaction()
    offsets = {}
    for record in records:
        yield producer.send(TOPIC, "billed", event_id=record.event_id)
        yield node.sleep(BILLED_US)
        offsets[record.topic, record.partition] = record.offset + 1
    yield producer.send_offsets_to_transaction(offsets, consumer.group_metadata())
    yield from ended(producer.commit_transaction)


def alone(*, begins_anew: bool = False, timeout_ms: int = 2_000) -> Scenario:
    """A program that ends when it is told that it is fenced, or begins anew."""

    def deployed(cluster: Any) -> None:
        def bill(node: Any) -> Steps:
            failed = yield from billed(cluster, node, timeout_ms)
            while failed is not None and (begins_anew or not isinstance(failed, FENCED)):
                failed = yield from billed(cluster, node, timeout_ms)

        selling(cluster)
        cluster.driver(f"{GROUP}-0", bill)

    return attrs.evolve(
        producing(broker=OFTEN),
        topology=Topology(topics=(Topic(TOPIC, 1), Topic(INPUTS, 2))),
        workload=Workload(),
        application=deployed,
    )


T11 = KnownBug(
    name="T11",
    title="a transaction that took too long looks like a second instance",
    source="KIP-588, KIP-691",
    anomaly="drained",
    story="The program stands still for longer than its transaction may last. The coordinator "
    "aborts it under another epoch, and all that the program is told is that a newer producer "
    "has its transactional.id: so it ends. There is none, and nobody reads on.",
    broken=alone(),
    fixes={
        "it begins anew with another producer": alone(begins_anew=True),
        "a transaction may last longer": alone(timeout_ms=60_000),
    },
    faults=Planned("the program stands still for a while", zombies),
)


T05 = KnownBug(
    name="T05",
    title="a zombie commits its offsets after another has its partitions",
    source="KIP-447, aiokafka#844",
    anomaly="exactly_once_output",
    story="An instance stands still in its transaction, and its partition is given to another "
    "one, who reads the same inputs and commits. Then the first goes on, with a transactional.id "
    "of its own, and nobody asks whether it is still a member: both outputs are committed.",
    broken=transformed(attrs.evolve(EXACTLY_ONCE, metadata="group_id_only")),
    fixes={"offsets come with the member's generation (KIP-447)": transformed(EXACTLY_ONCE)},
    faults=Planned("an instance stands still for a while", zombies),
)

HASTY = {"delivery.timeout.ms": 1_000, "request.timeout.ms": 1_000}
GIVES_UP = attrs.evolve(EXACTLY_ONCE, producer={**EXACTLY_ONCE.producer, **HASTY})

T12 = KnownBug(
    name="T12",
    title="after an abort the consumer reads on",
    source="KAFKA-17582, Jepsen on Bufstream 0.1.0",
    anomaly="exactly_once_output",
    story="A record is lost and given up, and the transaction is aborted. With it go the offsets, "
    "but the consumer stands where it stood: the next transaction begins behind the inputs of the "
    "aborted one, and commits offsets that say they are done.",
    broken=transformed(attrs.evolve(GIVES_UP, rewinds=False)),
    fixes={"it goes back to what is committed": transformed(GIVES_UP)},
    faults=Faults(("drop",), nodes=f"{GROUP}-*", messages="Produce*"),
)


UNPOLLED = {"max.poll.interval.ms": 1_000}  # Who takes longer for a poll leaves the group.
PATIENT = {"request.timeout.ms": 30_000}
SLOW = attrs.evolve(
    EXACTLY_ONCE,
    settings={**EXACTLY_ONCE.settings, **UNPOLLED},
    producer={**EXACTLY_ONCE.producer, **PATIENT},
)


def late_ends(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """A commit of an instance is on its way for longer than its group waits."""
    return st.builds(
        lambda nth, late_ms: FaultPlan(
            (Delay(f"{GROUP}-0", BROKER, "EndTxnRequest", nth, late_ms),)
        ),
        st.integers(0, 3),
        between(1_000, 5_000, 500),
    )


T04 = KnownBug(
    name="T04",
    title="who takes a partition over begins before a commit that is under way",
    source="KIP-447",
    anomaly="exactly_once_output",
    story="An instance has sent its offsets to its transaction, and the commit is on its way. "
    "Meanwhile its partition is given to another, who is told the offsets of before, and reads "
    "the same inputs. Both transactions are committed.",
    broken=transformed(SLOW, Variant(consumers_wait_for_stable_offsets=False)),
    fixes={"it waits until what is committed is stable (KIP-447)": transformed(SLOW)},
    faults=Planned("a commit of an instance comes late", late_ends),
)

ROWS = (T04, T05, T11, T12)
