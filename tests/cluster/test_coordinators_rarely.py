"""What coordinators seldom meet: logs that take nothing, leaders that come back, empty requests."""

import pytest

from simulator.cluster.internal_topics import OFFSETS
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.transaction_messages import (
    AddOffsetsToTxnRequest,
    TxnOffsetCommitRequest,
)
from simulator.scenario.faults import Crash, Partition
from simulator.scenario.topology import Topic
from tests.cluster.test_coordinator import QUICK as AT_ONCE
from tests.cluster.test_coordinator import commit
from tests.cluster.test_coordinator_moves import coordinated, moving
from tests.clustered import ORDERS, events
from tests.replicated_orders import QUICK
from tests.transacted import UNLOOKED, V1, transacting

GROUPS = TopicPartition(OFFSETS, 3)  # Where "g" is; broker-0 leads it first.
ALL = m.OffsetFetchRequest("g", None)
ALONE = (("broker-0",), ("broker-1", "broker-2", "controller"))


def ended(producer_id, epoch, result):
    marker = m.TxnMarker(producer_id, epoch, result, (GROUPS,), 0)
    return m.WriteTxnMarkersRequest((marker,))


def staged(producer_id, epoch, offset, name="payments"):
    offsets = (m.CommittedOffset(ORDERS, offset),)
    return TxnOffsetCommitRequest(name, "g", producer_id, epoch, offsets)


def test_a_commit_of_nothing_is_answered():
    said = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        said.append((yield asking(m.OffsetCommitRequest("g", -1, "", ()))))

    moving(program)

    assert said == [m.OffsetCommitResponse(())]


def test_a_marker_that_is_not_committed_is_to_be_sent_to_another_leader():
    """Its sender knows leaders, not coordinators; what it would commit is not told before."""
    said = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        yield asking(staged(5, 0, 7))
        yield node.sleep(2_000_000 - node.now_us)
        answer = yield asking(ended(5, 0, "commit"), timeout_ms=20_000)
        said.append([error for _, _, error in answer.results])

    trace = moving(program, Partition(*ALONE, 1_500, 6_000), variant=UNLOOKED)

    assert said == [[Error.NOT_LEADER_OR_FOLLOWER]]
    assert [one[3] for one in events(trace, "offset_committed")] == [1]


def test_a_producer_whom_the_log_has_fenced_is_told_so():
    """The group has never heard of it: another group's marker stands in the same partition."""
    said = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        yield asking(ended(5, 1, "abort"))
        said.append((yield asking(staged(5, 0, 9))).results)

    moving(program, variant=UNLOOKED)

    assert said == [((ORDERS, Error.INVALID_PRODUCER_EPOCH),)]


def test_commits_count_in_the_order_of_the_log_whoever_is_answered_first():
    """Three connections wait for replicas that are gone, each with a commit behind. When the last
    replica has left, each answer lets in the next, which is committed at once."""
    said = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        yield node.sleep(2_000_000 - node.now_us)
        waiting = [
            asking(commit(10 * number + lane), purpose=f"{lane}", timeout_ms=20_000)
            for number in (1, 2)
            for lane in range(3)
        ]
        for one in waiting:
            assert (yield one).results == ((ORDERS, Error.NONE),)
        said.append((yield asking(ALL)).offsets[0].offset)
        yield node.sleep(9_000_000 - node.now_us)
        _, kept = yield from coordinated(asking, node, ALL)
        said.append(kept.offsets[0].offset)

    trace = moving(
        program,
        *(Crash(one, at_ms=1_990, down_ms=3_000) for one in ("broker-1", "broker-2")),
        Crash("broker-0", at_ms=8_000, down_ms=30_000),
        broker={"min.insync.replicas": 1},
    )

    told = [one[3] for one in events(trace, "offset_committed")]
    assert said == [22, 22]
    assert told == [1, 10, 11, 12, 20, 21, 22]


def test_what_a_new_coordinator_has_read_is_told_when_it_is_committed():
    """The old one has not answered, and one of two replicas does not fetch from the new one."""
    seen = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        yield node.sleep(2_000_000 - node.now_us)
        lost = yield asking(commit(2), timeout_ms=500)
        assert lost is None
        yield node.sleep(3_600_000 - node.now_us)
        kept = yield asking(ALL, "broker-1", timeout_ms=20_000)
        seen.append((kept.offsets[0].offset, node.now_us))

    trace = moving(
        program,
        Crash("broker-0", at_ms=2_002, down_ms=60_000),
        Partition(("broker-1",), ("broker-2",), 2_002, 30_000),
        broker={"min.insync.replicas": 1, "group.coordinator.append.linger.ms": 0},
    )

    ((offset, at_us),) = seen
    groups = [one for one in trace.of("isr_changed") if one[4][1:3] == GROUPS]
    (left_us,) = [one[1] for one in groups if one[4][4] == ("broker-1",)]
    assert offset == 2
    assert 3_600_000 < left_us < at_us


def test_a_coordinator_that_comes_back_asks_anew_whether_a_transaction_is_open():
    """It ended while another broker led, and this one knows nothing of that."""
    said = []

    def program(producer, node):
        ask = producer.ask
        yield from coordinated(ask, node, commit(1))
        yield from producer.init()
        yield from producer.patiently(AddOffsetsToTxnRequest("payments", *producer.who, "g"))
        said.append((yield ask(staged(*producer.who, 7))).results[0][1])
        yield node.sleep(6_000_000 - node.now_us)
        said.append((yield from producer.end("commit")))
        yield node.sleep(50_000_000 - node.now_us)
        where, _ = yield from coordinated(ask, node, ALL)
        late = yield ask(staged(*producer.who, 99), where)
        said.append((where, late.results[0][1]))

    transacting(
        program,
        Partition(*ALONE, 2_000, 4_000),
        Crash("broker-1", at_ms=45_000, down_ms=30_000),
        brokers=3,
        topics=(Topic("orders", 3, 3),),
        broker={**QUICK, **AT_ONCE},
        variant=V1,
    )

    assert said == [Error.NONE, Error.NONE, ("broker-0", Error.TRANSACTION_ABORTABLE)]


@pytest.mark.parametrize("at_ms", [3_004, 3_005])
def test_a_prepared_transaction_of_no_partitions_is_completed_when_the_log_takes_it(at_ms):
    """Its coordinator dies before it is complete; the next one has too few replicas at first."""
    said = []

    def program(producer, node):
        yield from producer.init()
        yield node.sleep(3_000_000 - node.now_us)
        target = yield from producer.find()
        said.append(target)
        body = m.EndTxnRequest("payments", *producer.who, "abort")
        yield producer.ask(body, target, "coordinator", 2_000)
        yield node.sleep(20_000_000 - node.now_us)
        said.append((yield from producer.init()))

    trace, _ = transacting(
        program,
        Crash("broker-1", at_ms=at_ms, down_ms=8_000),
        Crash("broker-2", at_ms=at_ms, down_ms=7_000),
        brokers=3,
        topics=(Topic("orders", 3, 3),),
        broker={**QUICK, **AT_ONCE},
    )

    loaded = [one[-1] for one in events(trace, "transaction_loaded")]
    changed = [one[-2:] for one in events(trace, "transaction_state_changed")]
    assert said == ["broker-1", Error.NONE]
    assert loaded == ["PrepareAbort"]
    assert changed[-2] == ("PrepareAbort", "CompleteAbort")
