"""A broker: it keeps the partitions that it leads, and lets machines decide on each request.

1. One request of a connection at a time, in order: while one is answered late (a fetch that
   waits, a join), those behind it wait (SocketServer.scala mutes the channel). What arrived of a
   connection that was closed since is still handled.
2. A batch is written, then its fetches are woken, then it is answered. A crash in between leaves
   the batch without an answer (point `after_append`).
3. At replication factor 1 a batch is committed once its only replica has it, so acks=all is
   answered as acks=1 is.

Not modelled here: replication, controller and elections (leaders are fixed), request queues and
service time (a request takes no time of its own), quotas, fetch sessions, rack awareness, and
closing the connection over an error of a request with acks=0.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.cluster.coordinator import LATER, Coordinators
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.partition import Partition
from simulator.trace.about import event_ids

if TYPE_CHECKING:
    from simulator.cluster.layout import Layout
    from simulator.world.kernel import Timer
    from simulator.world.network import Connection
    from simulator.world.node import Node

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_NONE = Error.NONE
EXPIRATION_CHECK_US = 600_000 * MICROS_PER_MS  # producer.id.expiration.check.interval.ms


class _Session:
    """The broker's side of a connection."""

    __slots__ = ("busy", "queue")

    def __init__(self) -> None:
        self.busy = False
        self.queue: deque[tuple[int, Any]] = deque()


class _Waiting:
    """A fetch that waits for records.

    `answer` is what it would be answered now: only an append changes that, and looks again.
    """

    __slots__ = ("answer", "body", "connection", "correlation", "done", "timer")

    def __init__(
        self,
        connection: "Connection",
        correlation: int,
        body: m.FetchRequest,
        answer: m.FetchResponse,
    ) -> None:
        self.answer = answer
        self.connection = connection
        self.correlation = correlation
        self.body = body
        self.done = False
        self.timer: Timer | None = None


class Broker:
    """One incarnation of a broker on its node."""

    def __init__(self, node: "Node", layout: "Layout") -> None:
        self.node = node
        self.layout = layout
        self.partitions: dict[TopicPartition, Partition] = {}
        self._waiting: dict[TopicPartition, list[_Waiting]] = {}
        for where in layout.led_by(node.name):
            self._lead(where)
        self.coordinators = Coordinators(self)
        self._handlers: dict[type, Callable[[Connection, int, Any], Any]] = {
            m.ProduceRequest: self._produce,
            m.FetchRequest: self._fetch,
            m.ListOffsetsRequest: self._list_offsets,
            m.MetadataRequest: self._metadata,
            m.FindCoordinatorRequest: self._find_coordinator,
            m.InitProducerIdRequest: self._init_producer_id,
            **self.coordinators.handlers,
        }
        self._tells_appended = node.trace.wants("batch_appended")
        node.on_request = self.receive
        node.after(EXPIRATION_CHECK_US, self._expire_producers)

    def _lead(self, where: TopicPartition) -> None:
        settings = self.layout.settings
        self._waiting[where] = []
        self.partitions[where] = Partition(
            where, self.node.disk.journal(str(where)), settings.log, now_us=self.node.now_us
        )

    def _expire_producers(self, _: Any) -> None:
        for partition in self.partitions.values():
            partition.expire_producers(self.node.now_us)
        self.node.after(EXPIRATION_CHECK_US, self._expire_producers)

    # --- One request at a time -----------------------------------------------------------------

    def receive(self, connection: "Connection", correlation: int, body: Any) -> None:
        """Handle a request, or queue it behind the one of its connection that is not answered."""
        session = connection.state
        if session is None:
            session = connection.state = _Session()
        if session.busy:
            session.queue.append((correlation, body))
            return
        answer = self._handlers[type(body)](connection, correlation, body)
        if answer is LATER:
            session.busy = True
        elif answer is not None:
            connection.back.send(correlation, answer)

    def answer(self, connection: "Connection", correlation: int, body: Any) -> None:
        """Give a late answer, and go on with what its connection has queued."""
        connection.back.send(correlation, body)
        session = connection.state
        session.busy = False
        while session.queue and not session.busy and self.node.gate.open:
            number, request = session.queue.popleft()
            self.receive(connection, number, request)

    # --- Records -------------------------------------------------------------------------------

    def _produce(self, _: "Connection", __: int, body: m.ProduceRequest) -> Any:
        node = self.node
        now_us = node.now_us
        results = []
        for where, batch in body.batches:
            partition = self.partitions.get(where)
            if partition is None:
                results.append(m.PartitionProduced(where, self.layout.not_here(where)))
                continue
            fact, answer = partition.decide_append(batch, now_us)
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
                if self._waiting[where]:
                    self._wake(where)
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

    def _fetch(self, connection: "Connection", correlation: int, body: m.FetchRequest) -> Any:
        answer, enough = self._read(body)
        if enough or not body.max_wait_ms:
            return answer
        waiting = _Waiting(connection, correlation, body, answer)
        for one in body.partitions:
            self._waiting[one[0]].append(waiting)
        waiting.timer = self.node.after(
            body.max_wait_ms * MICROS_PER_MS, self._answer_fetch, waiting
        )
        return LATER

    def _read(self, body: m.FetchRequest) -> tuple[m.FetchResponse, bool]:
        """The answer as of now, and whether there is reason to give it now."""
        size, enough = 0, not body.partitions
        left = body.max_bytes
        measured = body.min_bytes > 1 or len(body.partitions) > 1
        results = []
        for where, offset, most, _, _ in body.partitions:
            partition = self.partitions.get(where)
            if partition is None:
                error = self.layout.not_here(where)
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

    def _wake(self, where: TopicPartition) -> None:
        """A partition has grown: answer the fetches that now have enough."""
        for waiting in tuple(self._waiting[where]):
            if not waiting.done:
                waiting.answer, enough = self._read(waiting.body)
                if enough:
                    self._finish(waiting)

    def _answer_fetch(self, waiting: _Waiting) -> None:
        """Time is up: answer with what there is."""
        self._finish(waiting)

    def _finish(self, waiting: _Waiting) -> None:
        waiting.done = True
        if waiting.timer is not None:
            waiting.timer.cancel()
        for one in waiting.body.partitions:
            self._waiting[one[0]].remove(waiting)
        self.answer(waiting.connection, waiting.correlation, waiting.answer)

    def _list_offsets(self, _: "Connection", __: int, body: m.ListOffsetsRequest) -> Any:
        results = []
        for where, timestamp_ms in body.partitions:
            partition = self.partitions.get(where)
            if partition is None:
                results.append(m.OffsetListed(where, self.layout.not_here(where)))
            else:
                results.append(partition.list_offset(timestamp_ms, body.isolation_level))
        return m.ListOffsetsResponse(tuple(results))

    # --- Where things are ------------------------------------------------------------------------

    def _metadata(self, _: "Connection", __: int, body: m.MetadataRequest) -> Any:
        return self.layout.metadata(body.topics)

    def _find_coordinator(self, _: "Connection", __: int, body: m.FindCoordinatorRequest) -> Any:
        if body.key_type != "group":
            return m.FindCoordinatorResponse(Error.COORDINATOR_NOT_AVAILABLE)
        if not body.key:
            return m.FindCoordinatorResponse(Error.INVALID_GROUP_ID)
        return m.FindCoordinatorResponse(_NONE, self.layout.coordinator_of(body.key))

    def _init_producer_id(self, _: "Connection", __: int, body: m.InitProducerIdRequest) -> Any:
        if body.transactional_id is not None:
            return m.InitProducerIdResponse(Error.COORDINATOR_NOT_AVAILABLE)
        return m.InitProducerIdResponse(_NONE, self.layout.next_producer_id(), 0)
