"""What coordinators wrote is compacted as any topic is, and nothing that counts is lost by it."""

from simulator.cluster.internal_topics import OFFSETS
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.scenario.faults import Crash
from tests.cluster.test_coordinator import commit
from tests.cluster.test_coordinator_moves import coordinated, entered, moving
from tests.clustered import ORDERS, events

OFTEN = {
    "offsets.topic.segment.bytes": 2_000,
    "log.cleaner.backoff.ms": 500,
    "log.cleaner.min.cleanable.ratio": 0.01,
}
ONCE = TopicPartition("orders", 7)  # Committed once, long before.


def test_the_next_coordinator_reads_a_compacted_log():
    """Two hundred commits leave a few records; the one that was never repeated is among them."""
    seen = []

    def program(asking, node):
        member_id, generation = yield from entered(asking, node)
        yield from coordinated(asking, node, commit(77, member_id, generation, where=ONCE))
        for offset in range(1, 200):
            yield from coordinated(asking, node, commit(offset, member_id, generation))
        yield node.sleep(20_000_000 - node.now_us)
        beat = m.HeartbeatRequest("g", generation, member_id)
        after, told = yield from coordinated(asking, node, beat)
        _, kept = yield from coordinated(asking, node, m.OffsetFetchRequest("g", None))
        seen.append((after, told.error, {one.partition: one.offset for one in kept.offsets}))

    trace = moving(program, Crash("broker-0", at_ms=12_000, down_ms=60_000), broker=OFTEN)

    ((after, error, offsets),) = seen
    assert after != "broker-0"
    assert error is Error.NONE
    assert offsets == {ORDERS: 199, ONCE: 77}
    cleaned = [one for one in events(trace, "log_cleaned") if one[0] == OFFSETS]
    assert cleaned, "nothing was cleaned: the test says nothing"
