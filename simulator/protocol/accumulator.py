"""What a producer has been handed and has not yet seen the end of: batches, queued by partition.

1. A record joins the open batch of its partition, or opens a new one; a batch that had no room
   for a record is closed.
2. Every open batch takes batch.size of buffer.memory (or more, for a larger record) until its
   records are done. Without memory nothing is appended.
3. A batch is sendable when it is closed or full, when linger.ms has passed since it was opened,
   or when haste is asked for (a flush, a close, senders waiting for memory); a batch that is
   tried again waits for its backoff, and with it all that queue behind it.
4. A batch that is tried again goes to the front of its queue. (With sequences it goes to its
   place in their order: see `idempotence`.)

Sources: RecordAccumulator.java, ProducerBatch.java, BufferPool.java, KAFKA-8350 (the halves).

Not modelled: compression, and with it the estimate of a batch's size: sizes are exact.
"""

from collections import deque
from typing import Any

from simulator.protocol.names import (
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    UNKNOWN_OFFSET,
    TopicPartition,
    next_sequence,
)
from simulator.protocol.records import BATCH_OVERHEAD_BYTES, Batch, Record, record_bytes

GREW = 0  # The record joined a batch, and nothing else has changed.
OPENED = 1  # It opened a batch: something may have become sendable.
FILLED = 2  # It filled a batch: that one is sendable.
NO_MEMORY = 3  # It was not appended.


class Flush:
    """One flush() or close(): how many batches and blocked records it still waits for."""

    __slots__ = ("handle", "remaining")

    def __init__(self, handle: Any) -> None:
        self.handle = handle
        self.remaining = 0


class PendingBatch:
    """Records on their way to one partition; `handles` are the caller's, one a record."""

    __slots__ = (
        "attempts",  # How often it has been put back to be sent again.
        "base_sequence",
        "body",  # The batch as it is sent; None until then, and after a renumbering.
        "created_us",
        "done",
        "error",  # Why the last attempt failed.
        "flushes",
        "handles",
        "in_flight",
        "is_split",
        "leader_epoch",  # Of the leader that it was last sent to.
        "maybe_written",  # An attempt ended without saying whether it took effect.
        "memory_bytes",
        "producer_epoch",
        "producer_id",
        "queue",
        "ready_us",  # The end of its backoff.
        "records",
        "renumbered",  # Since it was last sent.
        "size_bytes",
    )

    def __init__(
        self, queue: "PartitionQueue", created_us: int, size_bytes: int, memory_bytes: int
    ) -> None:
        self.queue = queue
        self.records: list[Record] = []
        self.handles: list[Any] = []
        self.created_us = created_us
        self.size_bytes = size_bytes
        self.memory_bytes = memory_bytes
        self.attempts = 0
        self.ready_us = 0
        self.base_sequence = NO_SEQUENCE
        self.producer_id = NO_PRODUCER_ID
        self.producer_epoch = NO_PRODUCER_EPOCH
        self.body: Batch | None = None
        self.done = False
        self.error = ""
        self.flushes: list[Flush] | None = None
        self.in_flight = False
        self.is_split = False
        self.leader_epoch = -1
        self.maybe_written = False
        self.renumbered = False

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record."""
        return next_sequence(self.base_sequence, len(self.records) - 1)


class Destination:
    """A broker as the producer sees it; the one with no name stands for "no leader known".

    While it is `lost` nothing is sent to it: only who waits for no answers is told (acks=0).

    When something was last ready for it, and when it last took something, is noted only with
    partitioner.availability.timeout.ms (RecordAccumulator.NodeLatencyStats).
    """

    __slots__ = ("drained_us", "in_flight", "lost", "name", "pending", "ready_us")

    def __init__(self, name: str) -> None:
        self.name = name
        self.in_flight = 0
        self.lost = False
        self.drained_us = -1
        self.ready_us = -1
        # Queues with batches, by number; the one that has waited longest for its turn first.
        self.pending: dict[int, PartitionQueue] = {}


class PartitionQueue:
    """All that the producer knows of one partition.

    The fields from `producer_id` on belong to `idempotence`: the sequences of this partition.
    """

    __slots__ = (
        "batches",
        "destination",
        "last_acked",
        "last_acked_offset",
        "leader_epoch",
        "muted",
        "next_sequence",
        "number",
        "open",
        "partition",
        "producer_epoch",
        "producer_id",
        "tracked",
        "unresolved",
        "used",
    )

    def __init__(self, partition: TopicPartition, number: int, destination: Destination) -> None:
        self.partition = partition
        self.number = number
        self.destination = destination
        self.leader_epoch = -1
        self.batches: deque[PendingBatch] = deque()
        self.open: PendingBatch | None = None  # The last of `batches`, if it takes more records.
        self.muted = False  # A batch is in flight, and only one may be.
        self.used = False  # It has had a batch.
        self.producer_id = NO_PRODUCER_ID
        self.producer_epoch = NO_PRODUCER_EPOCH
        self.next_sequence = 0
        self.last_acked = NO_SEQUENCE
        self.last_acked_offset = UNKNOWN_OFFSET
        self.tracked: list[PendingBatch] = []  # Numbered and not done, in sequence order.
        self.unresolved: int | None = None  # The sequence after the batches of unknown fate.


class Accumulator:
    """Batches by partition, within the bounds of batch.size and buffer.memory."""

    __slots__ = ("batch_bytes", "free_bytes", "hasty", "linger_us", "starved")

    def __init__(self, batch_bytes: int, memory_bytes: int, linger_us: int) -> None:
        self.batch_bytes = max(batch_bytes, 1)
        self.free_bytes = memory_bytes
        self.linger_us = linger_us
        self.hasty = False  # Nothing lingers.
        self.starved = False  # A record waits for memory.

    def append(
        self, queue: PartitionQueue, record: Record, size_bytes: int, handle: Any, now_us: int
    ) -> int:
        """Add a record of that size; the answer is GREW, OPENED, FILLED or NO_MEMORY."""
        batch = queue.open
        if batch is not None:
            grown = batch.size_bytes + size_bytes
            if grown <= self.batch_bytes:
                batch.size_bytes = grown
                batch.records.append(record)
                batch.handles.append(handle)
                return FILLED if grown == self.batch_bytes else GREW
            queue.open = None
        size_bytes += BATCH_OVERHEAD_BYTES
        memory_bytes = max(self.batch_bytes, size_bytes)
        if memory_bytes > self.free_bytes:
            return NO_MEMORY
        self.free_bytes -= memory_bytes
        batch = PendingBatch(queue, now_us, size_bytes, memory_bytes)
        batch.records.append(record)
        batch.handles.append(handle)
        queue.open = batch
        queue.used = True
        queue.batches.append(batch)
        queue.destination.pending[queue.number] = queue
        return FILLED if size_bytes >= self.batch_bytes or len(queue.batches) > 1 else OPENED

    def sendable(self, queue: PartitionQueue, now_us: int) -> bool:
        """Whether the first batch of a queue that has one should be on its way."""
        head = queue.batches[0]
        if queue.muted or head.ready_us > now_us:
            return False
        return (
            head is not queue.open
            or self.hasty
            or head.size_bytes >= self.batch_bytes
            or now_us - head.created_us >= self.linger_us
        )

    def take(self, queue: PartitionQueue) -> PendingBatch:
        """Take the first batch out of the queue, which then has its next turn after the others."""
        batch = queue.batches.popleft()
        if queue.open is batch:
            queue.open = None
        pending = queue.destination.pending
        del pending[queue.number]
        if queue.batches:
            pending[queue.number] = queue
        return batch

    def put_back(self, batch: PendingBatch, place: int = 0) -> None:
        """Queue a batch to be sent again, as the `place`-th."""
        queue = batch.queue
        queue.batches.insert(place, batch)
        queue.destination.pending.setdefault(queue.number, queue)

    def discard(self, batch: PendingBatch) -> None:
        """Take a batch out of its queue, wherever it stands there, for good."""
        queue = batch.queue
        queue.batches.remove(batch)
        if queue.open is batch:
            queue.open = None
        if not queue.batches:
            del queue.destination.pending[queue.number]

    def finish(self, batch: PendingBatch) -> None:
        """The batch is done: its memory is free again."""
        batch.done = True
        self.free_bytes += batch.memory_bytes

    def split(self, batch: PendingBatch) -> list[PendingBatch]:
        """The records of a batch that was too large, in smaller ones.

        At first they are batched anew by batch.size; what is split again is halved.
        """
        sizes = [record_bytes(record) for record in batch.records]
        most = self.batch_bytes
        if batch.is_split:
            most = max(max(sizes) + BATCH_OVERHEAD_BYTES, batch.size_bytes // 2)
        parts: list[PendingBatch] = []
        part = None
        for record, handle, size in zip(batch.records, batch.handles, sizes, strict=True):
            if part is None or part.size_bytes + size > most:
                part = PendingBatch(batch.queue, batch.created_us, BATCH_OVERHEAD_BYTES, 0)
                part.is_split = True
                part.maybe_written = batch.maybe_written
                part.error = batch.error
                parts.append(part)
            part.records.append(record)
            part.handles.append(handle)
            part.size_bytes += size
        for flush in batch.flushes or ():
            flush.remaining += len(parts) - 1
        for part in parts:
            part.flushes = batch.flushes and list(batch.flushes)
        self.finish(batch)
        return parts
