"""Rows P04 and P11: transactions that never end, and a log whose offsets are given twice.

Who writes in transactions is a program of these rows, which speaks the protocol itself. Beside it
a shop sells, whose orders an auditor reads.
"""

from collections.abc import Generator
from typing import Any

import attrs
from hypothesis import strategies as st

from experiments.known_bugs import slips
from experiments.known_bugs.asking import TIMEOUT_MS, WHERE, Line
from experiments.known_bugs.known_bug import KnownBug, Planned
from experiments.known_bugs.planning import between, pause
from experiments.known_bugs.scenarios import BROKER, SHOP, TOPIC, producing
from simulator import FaultPlan, ProducerFailed, Scenario, Variant, Workload

TRANSFERS, AUDITOR, OPERATOR = "transfers", "auditor", "operator"
TRANSACTION_TIMEOUT_MS = 1_500
LOOKING_OFTEN = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": 100}
STEP_US = 200_000
ENTRIES = 4
ORDERS = 40
SOLD_US = 9_000_000  # A little later than the last order.
DELETED_US = 3_000_000
SILENCE_US = 5_000_000  # Longer than any transaction may last.
READING = {
    "group.id": "audit",
    "enable.auto.commit": False,
    "auto.offset.reset": "earliest",
    "request.timeout.ms": TIMEOUT_MS,
}

Steps = Generator[Any, Any, None]


def transferring(*, bumps_own_epoch: bool) -> Any:
    """A program that writes its entries one by one in one transaction.

    One that is told that it is unknown begins again with sequence 0, under its old epoch; with
    `bumps_own_epoch` it asks for the next epoch instead, and learns that it is fenced.
    """

    def transfer(node: Any) -> Steps:
        line = Line(node)
        for number in range(ENTRIES):
            node.record(("record_sent", f"entry-{number}", TOPIC, "k0"))
        producer = yield from line.begin(BROKER, TRANSACTION_TIMEOUT_MS)
        sequence = 0
        offsets: dict[str, int] = {}
        while len(offsets) < ENTRIES:
            name = f"entry-{len(offsets)}"
            answer = yield from line.write(BROKER, name, producer, sequence)
            if answer is None:
                continue
            error, offset = answer
            if error == "NONE":
                offsets[name] = offset
                sequence += 1
                yield node.sleep(STEP_US)
            elif error == "UNKNOWN_PRODUCER_ID" and not bumps_own_epoch:
                sequence = 0
            else:
                return  # It is fenced, or its transaction is over.
        if (yield from line.commit(BROKER, producer)):
            for name, offset in offsets.items():
                node.record(("record_acknowledged", name, TOPIC, 0, offset))

    return transfer


def deploying(*, deletes: bool, isolation: str, audited_us: int) -> Any:
    """All of them on one broker.

    Args:
        deletes: an operator empties the log once.
        isolation: of the auditor, who begins at `audited_us`.
    """

    def deployed(cluster: Any) -> None:
        scenario = cluster.world.scenario

        def sell(node: Any) -> Steps:
            producer = cluster.producer(node, scenario.guarantee.producer)
            for number in range(ORDERS):
                try:
                    yield producer.send(TOPIC, "sold", "k0", event_id=f"order-{number}")
                except ProducerFailed:
                    continue
                yield node.sleep(STEP_US)

        def audit(node: Any) -> Steps:
            yield node.sleep(audited_us)
            consumer = cluster.consumer(node, {**READING, "isolation.level": isolation})
            consumer.assign([WHERE])
            heard_us = node.now_us
            while node.now_us - heard_us < SILENCE_US:
                if (yield consumer.poll(500)):
                    heard_us = node.now_us

        def operate(node: Any) -> Steps:
            line = Line(node)
            yield node.sleep(DELETED_US)
            yield from line.delete_all(BROKER)

        bumps_own_epoch = scenario.variant.bumps_own_epoch
        cluster.driver(SHOP, sell)
        cluster.driver(AUDITOR, audit)
        cluster.driver(TRANSFERS, transferring(bumps_own_epoch=bumps_own_epoch))
        if deletes:
            cluster.driver(OPERATOR, operate)

    return deployed


def transactional(application: Any, variant: Variant) -> Scenario:
    """The shop, the transfers, and who reads them."""
    scenario = producing(variant=variant, broker=LOOKING_OFTEN)
    return attrs.evolve(scenario, workload=Workload(), application=application)


FIRST_VERSION = Variant(transaction_version=1)
FORGETFUL = attrs.evolve(
    FIRST_VERSION, keeps_idle_producers=False, bumps_own_epoch=False, verifies_transactions=False
)


def stands_still(_: Scenario) -> st.SearchStrategy[FaultPlan]:
    """The program that writes in a transaction stands still for some time."""
    still = pause(TRANSFERS, between(0, 1_000), between(500, 5_000, 500))
    return still.map(lambda fault: FaultPlan((fault,)))


EMPTIED = deploying(deletes=True, isolation="read_committed", audited_us=0)
READ_BACK = deploying(deletes=False, isolation="read_uncommitted", audited_us=SOLD_US)


def emptied(**mended: Any) -> Scenario:
    """The log is emptied while a producer may stand still."""
    return transactional(EMPTIED, attrs.evolve(FORGETFUL, **mended))


P04 = KnownBug(
    name="P04",
    title="a fenced producer that was forgotten opens a transaction that never ends",
    source="KIP-360, KIP-890",
    anomaly="acknowledged_is_read",
    story="A producer stands still in its transaction, which is aborted; records are deleted, and "
    "with them all that the broker knows of the producer, that it is fenced too. It goes on, is "
    "told that it is unknown, and begins again at sequence 0: that opens a transaction of which "
    "no coordinator knows, and read_committed never comes beyond it.",
    broken=emptied(),
    fixes={
        "a partition asks whether the transaction is open (KIP-890)": emptied(
            verifies_transactions=True
        ),
        "producers are known until they expire": emptied(keeps_idle_producers=True),
        "a producer asks for an epoch, and is told that it is fenced (KIP-360)": emptied(
            bumps_own_epoch=True
        ),
    },
    faults=Planned("the transactional producer stands still for a while", stands_still),
)

P11 = KnownBug(
    name="P11",
    title="an offset is given twice after the index of transactions failed",
    source="KAFKA-7866",
    anomaly="acknowledged_is_read",
    story="A transaction takes too long and is aborted. The marker is in the log; then the index "
    "of aborted transactions fails, before the log's end has moved. The next record gets the "
    "marker's offset, and who reads the log again passes the record with the marker.",
    broken=transactional(READ_BACK, FIRST_VERSION),
    faults=Planned("the transactional producer stands still for a while", stands_still),
    slip=slips.fails_in_the_transaction_index,
)

ROWS = (P04, P11)
