"""What a broker writes into the trace of its replicas.

Of the topics in which coordinators write only who leads them is told: what they write they tell
themselves (offset_committed and its like).
"""

from typing import TYPE_CHECKING, Any

from simulator.cluster.internal_topics import INTERNAL
from simulator.protocol.errors import Error
from simulator.protocol.log import Truncated
from simulator.protocol.messages import PartitionProduced
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch
from simulator.protocol.replication import Replica
from simulator.trace.about import event_ids

if TYPE_CHECKING:
    from simulator.world.node import Node


class ReplicaTrace:
    """The words of one incarnation of a broker."""

    def __init__(self, node: "Node") -> None:
        self._node = node
        self._appended = node.trace.wants("batch_appended")
        self._replicated = node.trace.wants("replica_appended")
        self._mark = node.trace.wants("high_watermark_moved")

    def recovered(self, where: TopicPartition, replica: Replica) -> None:
        """What the disk had of a replica."""
        if where[0] in INTERNAL:
            return
        log = replica.log
        self._node.record(
            ("log_recovered", where.topic, where.partition, log.log_start_offset,
             log.log_end_offset)
        )  # fmt: skip
        if log.high_watermark:
            self.mark(where, replica)

    def role(self, where: TopicPartition, replica: Replica, leader: str) -> None:
        """A replica leads now, or follows `leader`."""
        topic, number = where
        if replica.leading is not None:
            end = replica.log_end_offset
            self._node.record(("became_leader", topic, number, replica.leader_epoch, end))
        else:
            self._node.record(("became_follower", topic, number, replica.leader_epoch, leader))

    def appended(self, where: TopicPartition, batch: Batch) -> None:
        """A leader is about to append a producer's batch."""
        if where[0] in INTERNAL:
            return
        if not self._appended:
            self._node.trace.seq += 1
        else:
            self._node.record(
                ("batch_appended", where.topic, where.partition, batch.base_offset,
                 event_ids((batch,)), batch.producer_id, batch.producer_epoch, batch.base_sequence)
            )  # fmt: skip
        if batch.control:
            self._node.record(marker_written(where, batch))

    def replicated(self, where: TopicPartition, batch: Any) -> None:
        """A follower has appended its leader's batch."""
        if where[0] in INTERNAL:
            return
        if not self._replicated:
            self._node.trace.seq += 1
            return
        # One for each offset: a cleaned batch has holes.
        ids = tuple(record.event_id if record else "" for record in batch.records)
        self._node.record(
            ("replica_appended", where.topic, where.partition, batch[1], ids, batch[5])
        )

    def not_appended(self, where: TopicPartition, batch: Batch, answer: PartitionProduced) -> None:
        """A batch was there already, or is refused."""
        topic, number = where
        ids = event_ids((batch,))
        if answer.error is Error.NONE:
            self._node.record(("batch_deduplicated", topic, number, answer.base_offset, ids))
        else:
            self._node.record(("append_refused", topic, number, ids, answer.error.name))

    def mark(self, where: TopicPartition, replica: Replica) -> None:
        """A high watermark has moved."""
        if not self._mark:
            self._node.trace.seq += 1
            return
        offset = replica.log.high_watermark
        self._node.record(("high_watermark_moved", where.topic, where.partition, offset))

    def cut(self, where: TopicPartition, end: int, gone: tuple[str, ...]) -> None:
        """A follower has cut its log; it ends there now."""
        if where[0] in INTERNAL:
            return
        self._node.record(("log_truncated", where.topic, where.partition, end, gone))

    def start_moved(self, where: TopicPartition, replica: Replica) -> None:
        """A follower's log starts where its leader's does."""
        if where[0] in INTERNAL:
            return
        start = replica.log.log_start_offset
        self._node.record(("log_start_moved", where.topic, where.partition, start, "leader"))


def marker_written(where: TopicPartition, batch: Batch) -> tuple[Any, ...]:
    """The end of a transaction in a partition."""
    topic, partition = where
    told = batch.base_offset, batch.producer_id, batch.producer_epoch, batch.control
    return ("transaction_marker_written", topic, partition, *told)


def events_from(facts: list[Any], cut: Truncated) -> tuple[str, ...]:
    """The event ids of what a cut takes away."""
    gone = []
    for batch in facts[::-1]:
        if not cut.fully and batch.next_offset <= cut.offset:
            break
        gone.append(batch)
    return event_ids(tuple(reversed(gone)))
