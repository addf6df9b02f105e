"""A group coordinator gathers what it writes for some milliseconds, and writes it as one batch."""

from types import SimpleNamespace

import pytest

from simulator.cluster.internal_topics import OFFSETS
from simulator.cluster.replicated_log import ReplicatedLog
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest
from simulator.scenario.faults import Crash, Partition
from tests.cluster.test_coordinator import commit
from tests.cluster.test_coordinator_moves import coordinated, moving
from tests.clustered import ORDERS, events
from tests.transacted import UNLOOKED

GROUPS = TopicPartition(OFFSETS, 3)  # Where "g" is; broker-0 leads it first.
ALL = m.OffsetFetchRequest("g", None)
OFFSET = (m.CommittedOffset(ORDERS, 9),)
LINGER = "group.coordinator.append.linger.ms"
OTHERS = ("broker-1", "broker-2", "controller")


def logged(program, *faults, linger_ms=5, broker=None, **more):
    """The trace, and for each batch of the group's partition how many records it has."""
    seen = {}

    def deploy(cluster):
        seen["cluster"] = cluster

    settings = {LINGER: linger_ms, **(broker or {})}
    trace = moving(program, *faults, deploy=deploy, broker=settings, **more)
    batches = seen["cluster"].replica("broker-0", *GROUPS).log.journal.facts
    return trace, [one.control or len(one.records) for one in batches]


def three_at_once(said):
    """Three commits on connections of their own, in one instant."""

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        begun_us = node.now_us
        waiting = [asking(commit(offset), purpose=f"{offset}") for offset in (2, 3, 4)]
        for one in waiting:
            assert (yield one).results == ((ORDERS, Error.NONE),)
            said.append(node.now_us - begun_us)

    return program


def test_commits_of_the_same_milliseconds_are_one_batch_and_count_together():
    said = []

    trace, batches = logged(three_at_once(said))

    assert batches == [1, 3]
    assert len(set(said)) == 1
    assert said[0] > 5_000
    assert [one[3] for one in events(trace, "offset_committed")] == [1, 2, 3, 4]


def test_without_linger_every_commit_is_a_batch_of_its_own():
    said = []

    _, batches = logged(three_at_once(said), linger_ms=0)

    assert batches == [1, 1, 1, 1]


def test_what_belongs_to_a_transaction_is_written_at_once_and_what_was_gathered_before_it():
    said = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        begun_us = node.now_us
        plain = asking(commit(2), purpose="plain")
        yield asking(TxnOffsetCommitRequest("payments", "g", 5, 0, OFFSET))
        said.append(node.now_us - begun_us)
        yield plain
        said.append(node.now_us - begun_us)

    _, batches = logged(program, linger_ms=400, variant=UNLOOKED)

    assert batches == [1, 1, 1]
    assert max(said) < 50_000


def test_a_batch_is_written_as_soon_as_no_more_fits_into_it():
    said = []

    _, batches = logged(three_at_once(said), linger_ms=400, broker={"message.max.bytes": 250})

    assert batches == [1, 2, 1]
    assert said[0] < 50_000
    assert said[2] > 400_000


def test_what_the_log_refuses_then_has_never_been():
    """It was gathered while the replicas were in sync, and was to be written when none was."""
    said = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        yield node.sleep(6_000_000 - node.now_us)
        asking(TxnOffsetCommitRequest("payments", "g", 5, 0, OFFSET), purpose="behind")
        yield node.sleep(1_000_000)
        said.append((yield asking(commit(2), timeout_ms=20_000)).results[0][1])
        _, kept = yield from coordinated(asking, node, ALL)
        said.append(kept.offsets[0].offset)

    away = Partition(("broker-0",), OTHERS[:2], 5_990, 30_000)
    trace, _ = logged(program, away, linger_ms=4_000, variant=UNLOOKED)

    assert said == [Error.COORDINATOR_NOT_AVAILABLE, 1]
    assert {one[3] for one in events(trace, "offset_committed")} == {1}


@pytest.mark.parametrize("back_ms", [200, 9_000])
def test_what_was_gathered_dies_with_its_coordinator(back_ms):
    said = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        yield node.sleep(6_000_000 - node.now_us)
        said.append((yield asking(commit(2), timeout_ms=1_000)))
        _, kept = yield from coordinated(asking, node, ALL)
        said.append(kept.offsets[0].offset)

    logged(program, Crash("broker-0", at_ms=6_003, down_ms=back_ms), linger_ms=100)

    assert said == [None, 1]


def test_a_coordinator_that_is_deposed_writes_nothing_that_it_has_gathered():
    """The controller does not hear of it, and lets another broker lead."""
    said = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        yield node.sleep(6_000_000 - node.now_us)
        said.append((yield asking(commit(2), timeout_ms=30_000)).results[0][1])
        _, kept = yield from coordinated(asking, node, ALL)
        said.append(kept.offsets[0].offset)

    logged(program, Partition(("broker-0",), OTHERS, 5_990, 9_000), linger_ms=4_000)

    assert said == [Error.NOT_COORDINATOR, 1]


@pytest.mark.interpreted  # Half a log.
def test_who_waits_is_told_once_though_the_log_is_closed_while_others_are_told():
    """An answer lets a request in whose append the log refuses, and it is read again."""
    told = []
    bare = SimpleNamespace(high_watermark=0, log_end_offset=0)
    log = ReplicatedLog(None, GROUPS, SimpleNamespace(leader_epoch=0, log=bare), 0)

    def closing(error):
        told.append(("first", error))
        log.close()

    for offset, done in ((1, closing), (2, lambda error: told.append(("second", error)))):
        bare.log_end_offset = offset
        log._waiting.append((offset, done))
    log.committed(2)

    assert told == [("first", Error.NONE), ("second", Error.NOT_COORDINATOR)]
