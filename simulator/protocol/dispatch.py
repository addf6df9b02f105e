"""Batches out, answers in: what a producer sends when, and what an answer means for its batches.

1. One ProduceRequest carries at most one batch a partition and goes to one broker; per broker at
   most max.in.flight requests are unanswered. When one batch must go, those of the broker's
   other partitions go along.
2. A batch is tried again while Kafka would: the error is retriable, retries are left, and
   delivery.timeout.ms, counted from when the batch was opened, has not passed.
3. With one request in flight a partition is muted until its batch is answered: order is kept.
   With more, and without sequences, a batch that is tried again may come after its successor.
4. A batch expires wherever it is, even in flight: then it may have been written, or may still be.
5. A failure is *definite* only if no attempt can have been written.

Sources: Sender.java, RecordAccumulator.java (drainBatchesForOneNode).

Not modelled: waiting for a connection before a batch is taken out of its queue. A batch may be
taken for a broker that cannot be reached, and then counts as perhaps written.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulator.protocol.accumulator import Accumulator, Destination, Flush, PendingBatch
from simulator.protocol.backoff import exponential_backoff
from simulator.protocol.errors import Error
from simulator.protocol.idempotence import Idempotence
from simulator.protocol.messages import PartitionProduced, ProduceRequest, ProduceResponse
from simulator.protocol.names import MICROS_PER_MS, UNKNOWN_OFFSET
from simulator.protocol.producer_settings import ProducerSettings
from simulator.protocol.records import Batch
from simulator.protocol.sending_effects import (
    Acknowledged,
    Effect,
    Failed,
    Flushed,
    Outgoing,
    Retried,
    Transmit,
)

if TYPE_CHECKING:
    from simulator.protocol.transaction_manager import TransactionManager

# After these the leaders are asked for again (the subclasses of InvalidMetadataException).
STALE_METADATA = (
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.LEADER_NOT_AVAILABLE,
    Error.NOT_LEADER_OR_FOLLOWER,
    Error.REPLICA_NOT_AVAILABLE,
    Error.KAFKA_STORAGE_ERROR,
    Error.FENCED_LEADER_EPOCH,
    Error.NETWORK_EXCEPTION,
)

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
# What a batch has after its sequence.
_PLAIN = Batch((), 0, 0, 0, 0)[5:]
_TRANSACTIONAL = Batch((), 0, 0, 0, 0, transactional=True)[5:]


class Dispatch:
    """The batches of one producer, from the accumulator to their end.

    Args:
        store: where the batches wait.
        between: draws a wait from a range.
        bumps_own_epoch: see `Variant`.

    `stirred` says that something has changed which concerns more than one broker's queues;
    `stale` that the leaders should be asked for again; `held` that no batch may leave just now.
    """

    __slots__ = (
        "_acks",
        "_backoff_us",
        "_between",
        "_delivery_us",
        "_most_bytes",
        "_most_in_flight",
        "_mute",
        "_rest",
        "_retries",
        "_store",
        "_timeout_ms",
        "_transactional_id",
        "_watches",
        "effects",
        "flushing",
        "held",
        "ids",
        "in_flight",
        "stale",
        "stirred",
        "transaction",
    )

    def __init__(
        self,
        settings: ProducerSettings,
        store: Accumulator,
        between: Callable[[int, int], int],
        *,
        bumps_own_epoch: bool = True,
    ) -> None:
        self.effects: list[Effect] = []
        self.in_flight: dict[Outgoing, None] = {}
        self.ids = Idempotence(bumps_own_epoch=bumps_own_epoch) if settings.idempotent else None
        self.transaction: TransactionManager | None = None
        self.flushing = 0
        self.held = False
        self.stale = False
        self.stirred = False
        self._store = store
        self._transactional_id = settings.transactional_id
        self._rest = _PLAIN if settings.transactional_id is None else _TRANSACTIONAL
        self._between = between
        self._acks = settings.acks_code
        self._timeout_ms = settings.request_timeout_ms
        self._retries = settings.retries
        self._most_bytes = settings.max_request_size
        self._most_in_flight = settings.max_in_flight_requests_per_connection
        self._mute = self._most_in_flight == 1
        self._watches = settings.partitioner_availability_timeout_ms > 0
        self._delivery_us = settings.delivery_ms * MICROS_PER_MS
        self._backoff_us = (
            settings.retry_backoff_ms * MICROS_PER_MS,
            settings.retry_backoff_max_ms * MICROS_PER_MS,
        )

    # --- Out -------------------------------------------------------------------------------

    def drain(self, destination: Destination, now_us: int) -> None:
        """Send what is sendable to a broker, as long as it takes requests."""
        ids = self.ids
        if (ids is not None and ids.producer_id < 0) or not destination.name or destination.lost:
            return
        if self.held:
            return
        pending = destination.pending
        sendable = self._store.sendable
        if self._watches:
            self._watch(destination, now_us)
        while pending and destination.in_flight < self._most_in_flight:
            for queue in pending.values():
                if sendable(queue, now_us):
                    break
            else:
                return
            batches = self._collect(destination, now_us)
            if not batches:
                return
            self._transmit(destination, batches)

    def _watch(self, destination: Destination, now_us: int) -> None:
        """Note that something is ready for a broker, and whether the broker takes it."""
        sendable = self._store.sendable
        if any(sendable(queue, now_us) for queue in destination.pending.values()):
            if destination.in_flight < self._most_in_flight or destination.ready_us < 0:
                destination.drained_us = now_us
            destination.ready_us = now_us

    def _collect(self, destination: Destination, now_us: int) -> list[PendingBatch]:
        """The first batch of each queue, within max.request.size."""
        ids, take = self.ids, self._store.take
        total = 0
        chosen: list[PendingBatch] = []
        for queue in list(destination.pending.values()):
            head = queue.batches[0]
            if queue.muted or head.ready_us > now_us:
                continue
            if chosen and total + head.size_bytes > self._most_bytes:
                break
            if ids is not None:
                if ids.must_wait(queue, head):
                    break  # As in Kafka, the partitions whose turn comes after it wait, too.
                ids.number(queue, head)
            total += head.size_bytes
            chosen.append(take(queue))
        return chosen

    def _transmit(self, destination: Destination, batches: list[PendingBatch]) -> None:
        bodies = []
        effects = self.effects
        for batch in batches:
            queue = batch.queue
            body = batch.body
            if body is None:
                numbers = (batch.producer_id, batch.producer_epoch, batch.base_sequence)
                body = batch.body = _new(
                    Batch, (tuple(batch.records), UNKNOWN_OFFSET, *numbers, *self._rest)
                )
                batch.renumbered = False
            batch.in_flight = True
            batch.leader_epoch = queue.leader_epoch
            bodies.append((queue.partition, body))
            if batch.attempts:
                again = Retried(queue.partition, batch.records, batch.attempts, batch.error)
                effects.append(again)
            queue.muted = self._mute
        asked = (self._acks, self._timeout_ms, tuple(bodies), self._transactional_id)
        request = _new(ProduceRequest, asked)
        if self._acks == 0:
            effects.append(Transmit(destination.name, request, None))
            for batch in batches:
                self._completed(batch, UNKNOWN_OFFSET)
            return
        outgoing = Outgoing(destination, batches)
        self.in_flight[outgoing] = None
        destination.in_flight += 1
        effects.append(_new(Transmit, (destination.name, request, outgoing)))

    # --- In --------------------------------------------------------------------------------

    def answered(self, outgoing: Outgoing, response: ProduceResponse | None, now_us: int) -> None:
        """A ProduceRequest was answered; None: the connection was lost, or it took too long."""
        del self.in_flight[outgoing]
        if response is None:
            for batch in outgoing.batches:
                lost = PartitionProduced(batch.queue.partition, Error.NETWORK_EXCEPTION)
                self._refused(batch, lost, now_us)
            return
        for batch, result in zip(outgoing.batches, response.results, strict=True):
            queue = batch.queue
            assert result.partition == queue.partition, "answers stand in the request's order"
            if result.error is Error.NONE:
                self._completed(batch, result.base_offset)
                if queue.destination is not outgoing.destination:
                    self.stirred = True  # Its next batch waits for another broker.
            else:
                self._refused(batch, result, now_us)

    def _completed(self, batch: PendingBatch, base_offset: int) -> None:
        batch.in_flight = False
        batch.queue.muted = False
        if self.ids is not None:
            self.ids.acknowledged(batch, base_offset)
            if self.transaction is not None or self.ids.unsettled:
                self.stirred = True  # The transaction may wait for this batch to end.
        if batch.done:
            return  # It has expired, and its senders were told so.
        self._store.finish(batch)
        self.effects.append(
            _new(
                Acknowledged,
                (batch.queue.partition, base_offset, batch.records, batch.handles),
            )
        )
        if batch.flushes is not None:
            self.count_down(batch.flushes)
        if self._store.starved:
            self.stirred = True

    def _refused(self, batch: PendingBatch, result: PartitionProduced, now_us: int) -> None:
        """One batch of a request was answered with an error."""
        error = result.error
        self.stirred = True
        batch.in_flight = False
        batch.queue.muted = False
        batch.error = error.name
        if not error.definite:
            batch.maybe_written = True
        if error is Error.MESSAGE_TOO_LARGE and len(batch.records) > 1 and not batch.done:
            self._split(batch)
        elif self._can_retry(batch, result, now_us):
            self._put_back(batch, now_us)
        elif error is Error.DUPLICATE_SEQUENCE_NUMBER:
            self._completed(batch, UNKNOWN_OFFSET)  # It is there; nobody remembers where.
        else:
            # After the last retry nobody knows whether its sequences were used.
            self.fail(batch, error, closes_gap=batch.attempts < self._retries)
        if error in STALE_METADATA:
            self.stale = True

    def _can_retry(self, batch: PendingBatch, result: PartitionProduced, now_us: int) -> bool:
        if (
            batch.done
            or batch.attempts >= self._retries
            or now_us - batch.created_us >= self._delivery_us
        ):
            return False
        if self.ids is not None:
            return self.ids.can_retry(batch, result)
        return result.error.retriable

    def _put_back(self, batch: PendingBatch, now_us: int) -> None:
        if batch.queue.leader_epoch > batch.leader_epoch:
            batch.ready_us = now_us  # Another leads by now: that one was not asked yet.
        else:
            wait = exponential_backoff(batch.attempts, *self._backoff_us)
            batch.ready_us = now_us + self._between(*wait)
        batch.attempts += 1
        self._store.put_back(batch, 0 if self.ids is None else self.ids.place_of(batch))

    def _split(self, batch: PendingBatch) -> None:
        parts = self._store.split(batch)
        if self.ids is not None:
            self.ids.split(batch, parts)
        for part in reversed(parts):
            self._store.put_back(part, 0 if self.ids is None else self.ids.place_of(part))

    # --- The end of a batch ----------------------------------------------------------------

    def fail(
        self,
        batch: PendingBatch,
        error: Error,
        *,
        name: str = "",
        detail: str = "",
        closes_gap: bool = False,
    ) -> None:
        """Give a batch up; `name` and `detail` say what its senders are told.

        Error.NONE: it is nobody's fault, so that its transaction, if any, does not fail by it.
        """
        if batch.done:
            return
        self.stirred = True
        self._store.finish(batch)
        if self.transaction is not None and error is not Error.NONE:
            topic, number = batch.queue.partition
            self.transaction.record_failed(error, detail or f"a batch of {topic}-{number}")
        if self.ids is not None:
            self.ids.failed(batch, error, closes_gap=closes_gap)
        definite = not (batch.maybe_written or batch.in_flight)
        self.effects.append(
            Failed(
                batch.queue.partition.topic,
                name or error.name,
                detail,
                definite,
                batch.records,
                batch.handles,
            )
        )
        if batch.flushes is not None:
            self.count_down(batch.flushes)

    def count_down(self, flushes: list[Flush]) -> None:
        """One thing that these flushes waited for has ended."""
        for flush in flushes:
            flush.remaining -= 1
            if not flush.remaining:
                self.flushing -= 1
                self.stirred = True  # What comes now may linger again.
                self.effects.append(Flushed(flush.handle))

    def unfinished(self, destinations: list[Destination]) -> list[PendingBatch]:
        """Every batch whose records have not ended: in flight first, then in the queues."""
        found = [batch for outgoing in self.in_flight for batch in outgoing.batches]
        for destination in destinations:
            for queue in destination.pending.values():
                found.extend(queue.batches)
        return [batch for batch in found if not batch.done]

    def expire(self, destinations: list[Destination], now_us: int) -> None:
        """Fail what has taken longer than delivery.timeout.ms."""
        for batch in self.unfinished(destinations):
            if now_us - batch.created_us < self._delivery_us:
                continue
            if not batch.in_flight:
                self._store.discard(batch)
            detail = f"{(now_us - batch.created_us) // MICROS_PER_MS} ms since it was batched"
            self.fail(batch, Error.REQUEST_TIMED_OUT, detail=detail)
            if self.ids is not None and batch.attempts:
                self.ids.expired_in_retry(batch)

    def next_us(self, destinations: list[Destination], now_us: int, never_us: int) -> int:
        """The next time at which a batch here must be looked at."""
        next_us = never_us
        for batch in self.unfinished(destinations):
            next_us = min(next_us, batch.created_us + self._delivery_us)
        for destination in destinations:
            for queue in destination.pending.values():
                head = queue.batches[0]
                if head.ready_us > now_us:
                    next_us = min(next_us, head.ready_us)
                elif not queue.muted and not self._store.sendable(queue, now_us):
                    next_us = min(next_us, head.created_us + self._store.linger_us)
        return next_us
