"""The way of a record into a batch: its topic's metadata, its partition, memory.

1. A record of an unknown topic waits for metadata; one for a partition that the topic does not
   have waits too, because it may be added; one without memory waits for batches to end.
2. It waits at most max.block.ms, then it fails; it was never sent, so that is definite.
3. First come, first served: while a record waits for memory, all later ones wait behind it.
4. It goes to the partition it names, or to the one that partitioner.class gives, or to that of
   its key, or to the one that sticks. A partitioner is asked once a record, as soon as the topic
   is known.

Sources: KafkaProducer.java (doSend, waitOnMetadata), BufferPool.java, RecordAccumulator.append.

Not modelled: threads. Records that wait for one topic do not hold up those of another.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from simulator.protocol.accumulator import (
    FILLED,
    GREW,
    NO_MEMORY,
    Accumulator,
    Flush,
    PartitionQueue,
    PendingBatch,
)
from simulator.protocol.dispatch import Dispatch
from simulator.protocol.errors import Error
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.partitioning import chosen_by, positive_hash
from simulator.protocol.producer_settings import ProducerSettings
from simulator.protocol.records import BATCH_OVERHEAD_BYTES, Record
from simulator.protocol.sending_effects import Failed
from simulator.protocol.whereabouts import Topic, Whereabouts


class Blocked:
    """A record that waits for metadata or for memory."""

    __slots__ = ("flushes", "handle", "partition", "record", "size_bytes", "topic", "until_us")

    def __init__(  # noqa: PLR0917 - a slot each
        self,
        topic: str,
        partition: int | None,
        record: Record,
        size_bytes: int,
        handle: Any,
        until_us: int,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.record = record
        self.size_bytes = size_bytes
        self.handle = handle
        self.until_us = until_us
        self.flushes: list[Flush] = []


class Admission:
    """Records before they are in a batch; `waiting` are those that could not go on."""

    __slots__ = (
        "_adaptive",
        "_by_key",
        "_choose",
        "_dispatch",
        "_max_block_ms",
        "_patience_us",
        "_store",
        "_where",
        "due",
        "waiting",
    )

    def __init__(
        self,
        settings: ProducerSettings,
        store: Accumulator,
        dispatch: Dispatch,
        where: Whereabouts,
        pick: Callable[[str, int], int],
    ) -> None:
        self.waiting: deque[Blocked] = deque()
        self.due = False  # Some of them may have found their topic.
        self._store = store
        self._dispatch = dispatch
        self._where = where
        self._by_key = not settings.partitioner_ignore_keys
        self._adaptive = settings.partitioner_adaptive_partitioning_enable
        self._patience_us = settings.partitioner_availability_timeout_ms * MICROS_PER_MS
        partitioner = settings.partitioner_class
        self._choose = None if partitioner is None else chosen_by(partitioner, pick)
        self._max_block_ms = settings.max_block_ms

    def choice(self, topic: Topic, partition: int | None, record: Record) -> int | None:
        """The partition that a record names, or the one that partitioner.class gives, if any."""
        if partition is not None or self._choose is None:
            return partition
        return self._choose(topic.name, record.key, record.value, topic.led, len(topic.queues))

    def place(  # noqa: PLR0917 - the hot path
        self,
        topic: Topic,
        partition: int | None,
        record: Record,
        size_bytes: int,
        handle: Any,
        now_us: int,
    ) -> tuple[int, PartitionQueue | None]:
        """Put a record into a batch of its partition.

        The answer is the accumulator's, and the queue; no queue: the record must wait.
        """
        queues = topic.queues
        if partition is None:
            key = record.key
            if key is None or not self._by_key:
                return self._place_sticky(topic, record, size_bytes, handle, now_us)
            partition = positive_hash(key) % len(queues)
        elif partition >= len(queues):
            return GREW, None
        queue = queues[partition]
        outcome = self._store.append(queue, record, size_bytes, handle, now_us)
        return outcome, (None if outcome == NO_MEMORY else queue)

    def _place_sticky(
        self, topic: Topic, record: Record, size_bytes: int, handle: Any, now_us: int
    ) -> tuple[int, PartitionQueue | None]:
        """The same for a record that goes where its topic's records stick at the moment."""
        sticky, queues, led, store = topic.sticky, topic.queues, topic.led, self._store
        if self._adaptive and len(queues) > 1:
            self._load(topic)
        queue = queues[sticky.partition(led, len(queues))]
        batch = queue.open
        if batch is None or batch.size_bytes + size_bytes > store.batch_bytes:
            # All its batches are full: to leave it now costs no batching.
            if batch is not None:
                queue.open = None
                self._dispatch.drain(queue.destination, now_us)
            sticky.appended(0, led, len(queues), batch_closed=True)
            queue = queues[sticky.partition(led, len(queues))]
        outcome = store.append(queue, record, size_bytes, handle, now_us)
        if outcome == NO_MEMORY:
            return outcome, None
        appended = size_bytes if outcome == GREW else size_bytes + BATCH_OVERHEAD_BYTES
        sticky.appended(appended, led, len(queues), batch_closed=outcome == FILLED)
        return outcome, queue

    def _load(self, topic: Topic) -> None:
        """Tell how many batches wait for each partition (RecordAccumulator.partitionReady)."""
        queues, led, patience_us = topic.queues, topic.led, self._patience_us
        if topic.fresh:
            topic.fresh = not all(queue.used for queue in queues)
            if topic.fresh:
                topic.sticky.load((), (), 0)
                return
        if patience_us:
            led = tuple(
                number
                for number in led
                if not (queue := queues[number]).batches
                or queue.destination.ready_us - queue.destination.drained_us <= patience_us
            )
        topic.sticky.load([len(queues[number].batches) for number in led], led, len(queues))

    def admit(self, now_us: int) -> None:
        """Let those who wait go on, as far as they can."""
        self.due = False
        where, store, waiting = self._where, self._store, self.waiting
        store.starved = False
        stay: list[Blocked] = []
        while waiting and not store.starved:
            blocked = waiting.popleft()
            if refused := where.refused.get(blocked.topic):
                self._fail(blocked, refused.name, f"topic {blocked.topic}")
                continue
            outcome = GREW
            queue = None
            if known := where.topics.get(blocked.topic):
                blocked.partition = self.choice(known, blocked.partition, blocked.record)
                outcome, queue = self.place(
                    known,
                    blocked.partition,
                    blocked.record,
                    blocked.size_bytes,
                    blocked.handle,
                    now_us,
                )
            if queue is None:
                stay.append(blocked)
                store.starved = outcome == NO_MEMORY
                where.wanted = where.wanted or not store.starved
                continue
            if self._dispatch.transaction is not None:
                self._dispatch.transaction.add(queue.partition)
            if blocked.flushes:
                self._hand_over(blocked.flushes, queue)
        waiting.extendleft(reversed(stay))

    def _hand_over(self, flushes: list[Flush], queue: PartitionQueue) -> None:
        """What waited for a record now waits for the batch that it has joined."""
        batch = queue.batches[-1]
        known = batch.flushes or []
        new = [flush for flush in flushes if flush not in known]
        for flush in new:
            flush.remaining += 1
        batch.flushes = known + new
        self._dispatch.count_down(flushes)

    def fail_overdue(self, now_us: int) -> None:
        """Fail those who have waited for max.block.ms."""
        while self.waiting and self.waiting[0].until_us <= now_us:
            blocked = self.waiting.popleft()
            known = self._where.topics.get(blocked.topic)
            if known is None:
                lack = f"topic {blocked.topic} is not in the metadata"
            elif blocked.partition is not None and blocked.partition >= len(known.queues):
                lack = f"topic {blocked.topic} has {len(known.queues)} partitions"
            else:
                lack = "buffer.memory is exhausted"
            detail = f"{lack} after {self._max_block_ms} ms"
            self._fail(blocked, Error.REQUEST_TIMED_OUT.name, detail)

    def fail_all(self, error: str, detail: str) -> None:
        """Fail everyone who waits."""
        while self.waiting:
            self._fail(self.waiting.popleft(), error, detail)

    def give_up(self, batches: list[PendingBatch], name: str, detail: str) -> None:
        """Fail everyone who waits, and batches; a transaction does not fail by it."""
        for batch in batches:
            if not batch.in_flight:
                self._store.discard(batch)
            self._dispatch.fail(batch, Error.NONE, name=name, detail=detail)
        self.fail_all(name, detail)

    def refuse(self, topic: str, record: Record, handle: Any, error: str, detail: str) -> None:
        """Fail a record that never came into a batch; with it, its transaction."""
        transaction = self._dispatch.transaction
        if transaction is not None and transaction.failure is None and error in Error.__members__:
            transaction.record_failed(Error[error], detail)
        self._dispatch.effects.append(Failed(topic, error, detail, True, [record], [handle]))

    def _fail(self, blocked: Blocked, error: str, detail: str) -> None:
        self.refuse(blocked.topic, blocked.record, blocked.handle, error, detail)
        self._dispatch.count_down(blocked.flushes)
