"""What each kind of failure leaves on a node's disk."""

import pytest

from simulator.chance import Replay
from simulator.protocol.records import Batch
from simulator.scenario.faults import Crash, DiskLoss
from simulator.world.disk import Disk
from tests.world.test_node import world_of

SECOND = 1_000_000


def disk_with(*seconds, flushed=0):
    """A disk with one journal, of batches that were appended at these times."""
    disk = Disk()
    journal = disk.journal("orders-0")
    for at in seconds:
        journal.append(Batch((), append_time_us=at * SECOND))
    journal.flush_to(flushed)
    journal.checkpoints["high_watermark"] = len(seconds)
    return disk, journal


@pytest.mark.parametrize(
    ("mode", "kept"), [("process", [0, 10, 20, 40]), ("power", [0, 10]), ("disk", [])]
)
def test_what_stays_on_a_disk_depends_on_what_failed(mode, kept):
    """Flushed up to 0; at 45 what was written at 10 is written back, at 20 not yet."""
    disk, journal = disk_with(0, 10, 20, 40, flushed=1)
    disk.crash(mode, 45 * SECOND)

    assert [one.append_time_us // SECOND for one in journal.facts] == kept
    assert bool(journal.checkpoints) == (mode != "disk")


def test_what_survived_a_power_loss_is_on_the_platter():
    disk, journal = disk_with(0, 40)
    disk.crash("power", 45 * SECOND)

    assert (journal.flushed, len(journal), disk.dirty) == (1, 1, False)


def test_without_write_back_only_a_flush_saves():
    disk, journal = disk_with(0, 10, flushed=1)
    disk.written_back_after_us = None
    disk.crash("power", 10_000 * SECOND)

    assert len(journal) == 1


def test_everything_may_have_been_written_back_a_moment_before():
    disk, journal = disk_with(0, 10)
    assert disk.dirty
    disk.crash("power", 11 * SECOND, written_back=True, torn=True)

    assert (len(journal), disk.dirty, journal.mend()) == (2, False, False)


def test_the_write_at_the_edge_of_what_was_written_back_may_be_torn():
    disk, journal = disk_with(0, 40)
    disk.crash("power", 45 * SECOND, torn=True)

    assert len(journal) == 1
    assert journal.mend()


def test_a_replaced_broker_has_its_name_and_nothing_else():
    disk, journal = disk_with(0, 10, flushed=2)
    disk.crash("disk", 45 * SECOND)

    assert disk.names() == ("orders-0",)
    assert (journal.facts, journal.snapshots, journal.checkpoints) == ([], [], {})


def kept_after(fault, chooser=None, age_ms=0):
    """How much of one unflushed batch, so old when the fault strikes, a node boots with."""
    kept = []

    def boot(node):
        journal = node.disk.journal("log")
        kept.append(len(journal))
        if not node.incarnation:
            at_us = fault.at_ms * 1_000 - age_ms * 1_000
            journal.append(Batch((), append_time_us=at_us))

    world_of(boot, fault, chooser=chooser).run()
    return kept[-1]


def test_a_nodes_power_loss_goes_by_the_nodes_clock():
    fault = Crash("n", at_ms=60_000, down_ms=1, mode="power")

    assert kept_after(fault, age_ms=29_999) == 0
    assert kept_after(fault, age_ms=30_000) == 1
    assert kept_after(DiskLoss("n", at_ms=60_000, down_ms=1), age_ms=60_000) == 0


def test_writing_back_is_a_choice_of_a_power_loss():
    fault = Crash("n", at_ms=1, down_ms=1, mode="power")

    assert kept_after(fault) == 0
    assert kept_after(fault, Replay({("writeback@n", 0): 1})) == 1
