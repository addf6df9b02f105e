"""A slot's reader in the world: it misses nothing, whoever crashes, and repeats what it must."""

import pytest

from simulator.errors import StoreError, StoreTimeout
from simulator.protocol.store_operations import Add, Insert, Select
from simulator.scenario.faults import Crash, Drop
from tests.clustered import run

LEDGER = "ledger"
T = "t"
MS = 1_000
WRITES = 20


def writing(cluster):
    """A program that writes rows 0, 1, ... every 10 ms, and tries each until it is there."""

    def drive(node):
        ledger = cluster.context(node).store(LEDGER)
        for number in range(WRITES):
            while True:
                try:
                    yield ledger.transact(Insert(T, number))
                except StoreTimeout:
                    continue
                except StoreError:
                    pass  # It was there all the same.
                break
            yield node.sleep(10 * MS)

    return drive


def reading(cluster, seen, disk):
    """A program that copies the log, and confirms what it has; `disk` survives its crashes."""

    def drive(node):
        ledger = cluster.context(node).store(LEDGER)
        while len(set(seen)) < WRITES:
            try:
                if "lsn" not in disk:
                    slot = yield ledger.create_slot("cdc")
                    tx = yield ledger.begin("repeatable read", slot.snapshot)
                    (rows,) = yield tx.run(Select(T))
                    yield tx.commit()
                    seen.extend(row.key for row in rows)
                    disk["lsn"] = slot.lsn
                while len(set(seen)) < WRITES:
                    commits = yield ledger.read_slot("cdc", disk["lsn"], 3, 200)
                    for commit in commits:
                        seen.extend(change.key for change in commit.changes)
                        disk["lsn"] = commit.lsn
                        yield ledger.confirm("cdc", commit.lsn)
            except StoreError:
                yield node.sleep(20 * MS)

    return drive


@pytest.mark.parametrize(
    "faults",
    [
        (),
        (Crash(LEDGER, at_ms=80, mode="power", down_ms=300),),
        (Crash("reader", at_ms=80, down_ms=30),),
        (Crash(LEDGER, "after_append", nth=7, down_ms=50),),
        (Drop(LEDGER, "reader", "ReadSlotResponse", nth=2),),
        (Drop("reader", LEDGER, "ConfirmSlotRequest", nth=1),),
    ],
)
def test_a_reader_gets_every_commit_in_order_whatever_crashes(faults):
    seen, disk = [], {}

    def deploy(cluster):
        cluster.store(LEDGER)
        cluster.driver("writer", writing(cluster))
        cluster.driver("reader", reading(cluster, seen, disk))

    run(None, *faults, deploy=deploy)

    assert seen == list(range(WRITES))


def test_a_slot_that_nobody_reads_retains_the_log_and_another_can_look_at_it():
    kept = []

    def program(cluster, node):
        ledger = cluster.context(node).store(LEDGER)
        kept.append((yield ledger.slot("cdc")))
        yield ledger.create_slot("cdc")
        for number in range(3):
            yield ledger.transact(Add(T, number, 1))
            kept.append((yield ledger.slot("cdc")).retained_transactions)
        yield ledger.confirm("cdc", 2)
        kept.append((yield ledger.slot("cdc")).retained_transactions)
        yield ledger.drop_slot("cdc")
        kept.append((yield ledger.slot("cdc")))

    run(program, deploy=lambda cluster: cluster.store(LEDGER))

    assert kept == [None, 1, 2, 3, 1, None]
