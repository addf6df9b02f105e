"""Partitions of one replica each: their broker leads them for good, and nobody else has them.

1. A batch is written, then its fetches are woken, then it is answered. A crash in between leaves
   the batch without an answer (point `after_append`).
2. A batch is committed once its only replica has it, so acks=all is answered as acks=1 is.

Not modelled here: that a controller notices the loss of such a broker; clients see it themselves.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.cluster.later import LATER
from simulator.cluster.markers import Markers
from simulator.cluster.parked import Parked
from simulator.cluster.replica_trace import marker_written
from simulator.cluster.verifying import Verified, Verifying
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.log import Fact
from simulator.protocol.names import TopicPartition
from simulator.protocol.partition import Partition
from simulator.trace.about import event_ids

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_NONE = Error.NONE


class Partitions:
    """What a broker keeps and serves when every partition has one replica."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._node = broker.node
        self._layout = broker.layout
        self._parked = Parked(broker, self._read)
        self.logs: dict[TopicPartition, Partition] = {}
        for where in broker.layout.led_by(broker.node.name):
            self.lead(where)
        self._verifying = Verifying(broker, self.logs, self.refusal, self._produce)
        self.markers = Markers(broker, self._produce, lambda answer: answer)
        self.handlers: dict[type, Callable[[Asker, int, Any], Any]] = {
            m.ProduceRequest: self._produce,
            m.FetchRequest: self._fetch,
            m.ListOffsetsRequest: self._list_offsets,
            m.MetadataRequest: self._metadata,
            m.WriteTxnMarkersRequest: self.markers.write,
        }
        self._tells_appended = self._node.trace.wants("batch_appended")

    def lead(self, where: TopicPartition) -> None:
        """Load a partition's log, or begin it."""
        node = self._node
        log = self._layout.log_config(where)
        journal = node.disk.journal(str(where))
        self._parked.at[where] = []
        self.logs[where] = Partition(where, journal, log, now_us=node.now_us)

    def refusal(self, where: TopicPartition) -> Error | None:
        """Why this broker does not lead a partition, or None."""
        return None if where in self.logs else self._layout.not_here(where)

    def apply(self, where: TopicPartition, fact: Fact) -> None:
        """Make a fact true in a log."""
        self.logs[where].apply(fact)

    def changed(self, where: TopicPartition) -> None:
        """A log's start or content has changed otherwise than by a producer."""
        self._parked.wake(where)

    def _produce(
        self,
        connection: "Asker",
        number: int,
        body: m.ProduceRequest,
        told: Verified | None = None,
    ) -> Any:
        """told: what the coordinator says of a request within a transaction."""
        node = self._node
        if told is None and body[3] is not None:
            looked = self._verifying.look(connection, number, body)
            if looked is LATER:
                return LATER
            told = looked
        now_us = node.now_us
        results = []
        for where, batch in body.batches:
            partition = self.logs.get(where)
            if partition is None:
                results.append(m.PartitionProduced(where, self._layout.not_here(where)))
                continue
            if told is not None and where in told.refused:
                fact, answer = None, m.PartitionProduced(where, told.refused[where])
            else:
                verified = not batch[6] or self._verifying.takes(where, batch, told)
                fact, answer = partition.decide_append(batch, now_us, verified=verified)
            if fact is not None:
                partition.apply(fact)
                if self._tells_appended:
                    node.record(
                        ("batch_appended", where.topic, where.partition, answer.base_offset,
                         event_ids((batch,)), batch.producer_id, batch.producer_epoch,
                         batch.base_sequence)
                    )
                else:
                    node.trace.seq += 1
                if batch[7]:
                    node.record(marker_written(where, fact))
                if self._broker.housekeeping.watches_appends:
                    self._broker.housekeeping.appended(where)
                if self._parked.at[where]:
                    self._parked.wake(where)
            elif answer.error is _NONE:
                node.record(
                    ("batch_deduplicated", where.topic, where.partition, answer.base_offset,
                     event_ids((batch,)))
                )
            else:
                node.record(
                    ("append_refused", where.topic, where.partition, event_ids((batch,)),
                     answer.error.name)
                )
            results.append(answer)
        if not node.point("after_append"):
            return LATER
        return m.ProduceResponse(tuple(results)) if body.acks else None

    def _fetch(self, connection: "Asker", correlation: int, body: m.FetchRequest) -> Any:
        answer, enough = self._read(body)
        if enough or not body.max_wait_ms:
            return answer
        self._parked.hold(connection, correlation, body, answer)
        return LATER

    def _read(self, body: m.FetchRequest) -> tuple[m.FetchResponse, bool]:
        """The answer as of now, and whether there is reason to give it now."""
        size, enough = 0, not body.partitions
        left = body.max_bytes
        measured = body.min_bytes > 1 or len(body.partitions) > 1
        results = []
        for where, offset, most, _, _ in body.partitions:
            partition = self.logs.get(where)
            if partition is None:
                error = self._layout.not_here(where)
                results.append(m.PartitionFetched(where, error))
                enough = True
                continue
            if left <= 0:  # The response is full: this partition's turn comes next time.
                results.append(m.PartitionFetched(where, _NONE, partition.high_watermark))
                continue
            read = partition.read(offset, min(most, left), body.isolation_level)
            results.append(read)
            if read.error is not _NONE:
                enough = True
            if read.batches:
                taken = partition.bytes_of(read.batches) if measured else 1
                size += taken
                left -= taken
        answer = _new(m.FetchResponse, (tuple(results),))
        return answer, enough or size >= body.min_bytes

    def _list_offsets(self, _: "Asker", __: int, body: m.ListOffsetsRequest) -> Any:
        results = []
        for where, timestamp_ms, _leader_epoch in body.partitions:
            partition = self.logs.get(where)
            if partition is None:
                results.append(m.OffsetListed(where, self._layout.not_here(where)))
            else:
                results.append(partition.list_offset(timestamp_ms, body.isolation_level))
        return m.ListOffsetsResponse(tuple(results))

    def _metadata(self, _: "Asker", __: int, body: m.MetadataRequest) -> Any:
        return self._layout.metadata(body.topics)
