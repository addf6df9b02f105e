"""A producer's client, as rules: from the record that is handed over to what became of it.

1. How a record comes into a batch stands in `admission`; what is sent when, and what an answer
   means, in `dispatch`; batches in `accumulator`, sequences in `idempotence`, and where the
   partitions are in `whereabouts`. Here they are put together.
2. A producer id is asked for with the first record, of any broker; nothing is sent before it. A
   transactional producer is told its own by its coordinator (`transacting`).
3. With acks=0 a record is acknowledged when it is sent, and nothing is ever learnt of it.
4. flush() waits for what was handed over before it, and makes it not linger; so does close().

The machine knows no clock: every method is told the time, and `wake_us` is when `wake` must be
called at last. What it wants done is taken by `take_effects`, in order. It is a client, so all of
its state is soft (see `machine`).

Sources: KafkaProducer.java, Sender.java (runOnce), TransactionManager.java.

Not modelled: a producer's network thread racing with its callers: what can be sent is sent in
the instant in which it becomes so.
"""

from collections.abc import Callable
from typing import Any

from simulator.protocol.accumulator import (
    GREW,
    NO_MEMORY,
    OPENED,
    Accumulator,
    Destination,
    Flush,
    PartitionQueue,
)
from simulator.protocol.admission import Admission, Blocked
from simulator.protocol.dispatch import Dispatch
from simulator.protocol.errors import Error
from simulator.protocol.messages import InitProducerIdRequest, InitProducerIdResponse
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.partitioning import positive_hash
from simulator.protocol.producer_settings import ProducerSettings
from simulator.protocol.records import (
    BATCH_OVERHEAD_BYTES,
    RECORD_OVERHEAD_BYTES,
    Record,
    byte_length,
    record_bytes,
)
from simulator.protocol.sending_effects import Effect, Flushed, Outgoing, Transmit
from simulator.protocol.transacting import Transacting
from simulator.protocol.transaction_manager import TransactionManager
from simulator.protocol.transaction_requests import Fate, failure
from simulator.protocol.variant import PRESENT, Variant
from simulator.protocol.whereabouts import NEVER_US, Whereabouts

_TRANSACTION_TIMEOUT_MS = 2**31 - 1  # What a producer without transactions sends.
_CLOSED = "PRODUCER_CLOSED"
_BY_FORCE = "the producer was closed before the record was through"

__all__ = ["NEVER_US", "Sending"]


class Sending:
    """One producer's client, from its start to its close.

    Args:
        bootstrap: names of the brokers to ask first.
        pick: `pick(topic, n)` draws one of 0..n-1, for a topic's records without a key.
        between: `between(least_us, most_us)` draws a wait.
        variant: whether it has behaviours of older producers.
    """

    __slots__ = (
        "_admission",
        "_asking_for_id",
        "_asks_partitioner",
        "_by_key",
        "_delivery_us",
        "_dispatch",
        "_fate",
        "_id_retry_us",
        "_ids",
        "_max_block_us",
        "_most_bytes",
        "_most_in_flight",
        "_retry_backoff_us",
        "_store",
        "_transacting",
        "_waits_for_slot",
        "_where",
        "closed",
        "wake_us",
    )

    def __init__(
        self,
        settings: ProducerSettings,
        bootstrap: tuple[str, ...],
        *,
        pick: Callable[[str, int], int],
        between: Callable[[int, int], int],
        variant: Variant = PRESENT,
    ) -> None:
        assert bootstrap, "a producer needs a broker to begin with"
        self.wake_us = NEVER_US
        self.closed = False
        store = Accumulator(settings.batch_size, settings.buffer_memory, settings.linger_us)
        self._store = store
        self._dispatch = Dispatch(
            settings, store, between, bumps_own_epoch=variant.bumps_own_epoch
        )
        self._where = Whereabouts(settings, bootstrap, pick, between)
        self._admission = Admission(settings, store, self._dispatch, self._where, pick)
        self._ids = self._dispatch.ids
        self._transacting: Transacting | None = None
        if settings.transactional_id is not None:
            parts = settings, self._dispatch, self._where, self._admission
            self._transacting = Transacting(*parts, variant.transaction_version)
        self._delivery_us = settings.delivery_ms * MICROS_PER_MS
        self._max_block_us = settings.max_block_ms * MICROS_PER_MS
        self._retry_backoff_us = settings.retry_backoff_ms * MICROS_PER_MS
        self._most_bytes = min(settings.max_request_size, settings.buffer_memory)
        self._most_in_flight = settings.max_in_flight_requests_per_connection
        self._asks_partitioner = settings.partitioner_class is not None
        self._by_key = not (settings.partitioner_ignore_keys or self._asks_partitioner)
        self._waits_for_slot = False  # A request waits until some broker has answered another.
        self._asking_for_id = False
        self._id_retry_us = 0
        self._fate: Fate | TransactionManager = self.transaction or Fate()

    def take_effects(self) -> list[Effect]:
        """What is to be done now, in order; it is handed out once."""
        dispatch = self._dispatch
        effects = dispatch.effects
        if effects:
            dispatch.effects = []
        return effects

    @property
    def transaction(self) -> TransactionManager | None:
        """What concerns transactions; after calling it, call `wake`. None: there are none."""
        return None if self._transacting is None else self._transacting.manager

    @property
    def idle(self) -> bool:
        """Whether every record handed over has ended."""
        return not self._admission.waiting and not self._dispatch.unfinished(self._destinations())

    # --- What the application does ---------------------------------------------------------

    def send(
        self, topic: str, partition: int | None, record: Record, handle: Any, now_us: int
    ) -> bool:
        """Take over one record; `handle` comes back with what became of it.

        False: it joined a batch that was open, so effects and `wake_us` are as they were.
        """
        assert not self.closed, "a closed producer takes no record"
        key, value, _, _, headers = record
        if headers:
            size_bytes = record_bytes(record)
        else:  # The same, in the hot path.
            size_bytes = RECORD_OVERHEAD_BYTES
            if key is not None:
                size_bytes += len(key) if key.isascii() else byte_length(key)
            if value is not None:
                size_bytes += len(value) if value.isascii() else byte_length(value)
        admission = self._admission
        if size_bytes + BATCH_OVERHEAD_BYTES > self._most_bytes:
            detail = f"{size_bytes} bytes are over max.request.size or buffer.memory"
            admission.refuse(topic, record, handle, Error.MESSAGE_TOO_LARGE.name, detail)
            return True
        if self._fate.failure is not None:
            name, detail, *_ = self._fate.failure
            admission.refuse(topic, record, handle, name, detail)
            return True
        known = self._where.topics.get(topic)
        store = self._store
        outcome = NO_MEMORY
        if self._asks_partitioner and known is not None:
            partition = admission.choice(known, partition, record)
        if known is not None and not store.starved:
            if partition is None and key is not None and self._by_key:
                # Mostly it joins the open batch of its key's partition: the shortest way there.
                queues = known.queues
                batch = queues[positive_hash(key) % len(queues)].open
                if batch is not None and batch.size_bytes + size_bytes < store.batch_bytes:
                    batch.size_bytes += size_bytes
                    batch.records.append(record)
                    batch.handles.append(handle)
                    return bool(self._dispatch.effects)
            outcome, queue = admission.place(known, partition, record, size_bytes, handle, now_us)
            if queue is not None:
                if outcome == GREW:
                    return bool(self._dispatch.effects)
                self._opened(queue, outcome, now_us)
                return True
        until_us = now_us + self._max_block_us
        blocked = Blocked(topic, partition, record, size_bytes, handle, until_us)
        self._block(blocked, now_us, for_memory=known is not None and outcome == NO_MEMORY)
        return True

    def _block(self, blocked: Blocked, now_us: int, *, for_memory: bool) -> None:
        """A record must wait: for memory, or for its topic or partition to be known."""
        where, admission, store = self._where, self._admission, self._store
        admission.waiting.append(blocked)
        self.wake_us = min(self.wake_us, blocked.until_us)
        if for_memory:
            if not store.starved:
                store.starved = True
                self._run(now_us)
        elif blocked.topic in where.refused:
            admission.due = True
            self._run(now_us)
        else:
            where.wanted = True
            if not where.asked:
                self._run(now_us)

    def _opened(self, queue: PartitionQueue, outcome: int, now_us: int) -> None:
        """A batch was opened or filled: send it, or make sure that it is looked at in time."""
        store, dispatch, destination = self._store, self._dispatch, queue.destination
        wake_us = now_us + self._delivery_us
        if dispatch.transaction is not None:
            dispatch.stirred = dispatch.transaction.add(queue.partition) or dispatch.stirred
        if outcome == OPENED and store.linger_us and not store.hasty:
            wake_us = min(wake_us, now_us + store.linger_us)
        elif destination.name:
            dispatch.drain(destination, now_us)
        self.wake_us = min(self.wake_us, wake_us)
        if dispatch.stirred or not destination.name:
            self._run(now_us)

    def flush(self, handle: Any, now_us: int, *, closing: bool = False) -> None:
        """Send everything without lingering; `Flushed(handle)` when all of it has ended."""
        dispatch, flush = self._dispatch, Flush(handle)
        if closing and self._transacting is not None:
            self._transacting.closing.append(flush)
            flush.remaining = 1
        for batch in dispatch.unfinished(self._destinations()):
            flush.remaining += 1
            batch.flushes = [*(batch.flushes or ()), flush]
        for blocked in self._admission.waiting:
            flush.remaining += 1
            blocked.flushes.append(flush)
        if flush.remaining:
            dispatch.flushing += 1
            self._run(now_us)
        else:
            dispatch.effects.append(Flushed(handle))

    def close(self, handle: Any, now_us: int) -> None:
        """Take no more records; `Flushed(handle)` when those taken have ended."""
        self.closed = True
        self.flush(handle, now_us, closing=True)

    def abort(self, now_us: int) -> None:
        """Give up everything unfinished, as close() does when its timeout is over."""
        self.closed = True
        self._give_up(_CLOSED, _BY_FORCE)
        if self.transaction is not None:
            self.transaction.close(forced=True)
        self._run(now_us)

    def _give_up(self, name: str, detail: str) -> None:
        self._admission.give_up(self._dispatch.unfinished(self._destinations()), name, detail)

    # --- What the driver does --------------------------------------------------------------

    def wake(self, now_us: int) -> None:
        """`wake_us` has come."""
        self._run(now_us)

    def connected(self, name: str, now_us: int, *, usable: bool) -> None:
        """A broker's connection was lost, or may be used again; its batches wait meanwhile.

        Without answers nobody else would know of it: what is sent counts as acknowledged.
        """
        where = self._where
        broker = where.brokers.get(name)
        if broker is None or (usable and not broker.lost):
            return
        broker.lost = not usable
        # As often as it cannot be had, its partitions may have gone to another.
        where.wanted = where.wanted or not usable
        self._run(now_us)

    def answered(self, outgoing: Outgoing, body: Any, now_us: int) -> None:
        """A request was answered; None: it never will be, whatever became of it."""
        destination = outgoing.destination
        destination.in_flight -= 1
        dispatch = self._dispatch
        if outgoing.batches:
            dispatch.answered(outgoing, body, now_us)
            if body is not None and body.leaders:
                self._where.learn_leaders(body.leaders, now_us)
            if not dispatch.stirred and not self._waits_for_slot:
                if destination.pending:
                    dispatch.drain(destination, now_us)
                if not dispatch.stirred:
                    return
        elif outgoing.for_id:
            self._identified(body, now_us)
        elif outgoing.for_transaction and self._transacting is not None:
            self._transacting.answered(outgoing, body)
        else:
            self._where.answered(body, now_us)
            self._admission.due = True
        self._run(now_us)

    def _identified(self, response: InitProducerIdResponse | None, now_us: int) -> None:
        """InitProducerId was answered, or will not be."""
        assert self._ids is not None
        self._asking_for_id = False
        if response is None or response.error.retriable:
            self._id_retry_us = now_us + self._retry_backoff_us
            self._where.wanted = self._where.wanted or response is None
        elif response.error is Error.NONE:
            self._ids.started(response.producer_id, response.producer_epoch)
        else:
            why = self._fate.failure = failure(response.error, "no producer id")
            self._give_up(why.name, why.detail)

    # --- From time to time -----------------------------------------------------------------

    def _destinations(self) -> list[Destination]:
        where = self._where
        return [*where.brokers.values(), where.nowhere]

    def _run(self, now_us: int) -> None:
        """Look at everything, and again if that has changed something (Sender.runOnce)."""
        dispatch, store, where = self._dispatch, self._store, self._where
        admission, transaction = self._admission, self.transaction
        while True:
            dispatch.stirred = False
            admission.fail_overdue(now_us)
            if admission.due or store.starved:
                admission.admit(now_us)
            completing = transaction is not None and transaction.completing
            store.hasty = store.starved or self.closed or dispatch.flushing > 0 or completing
            if self._ids is not None:
                self._ids.settle()
            destinations = self._destinations()
            dispatch.expire(destinations, now_us)
            where.wanted = where.wanted or dispatch.stale or bool(where.nowhere.pending)
            dispatch.stale = False
            self._ask(now_us)
            if self._transacting is not None and self._transacting.run(now_us, destinations):
                self._waits_for_slot = True
            for destination in destinations:
                if destination.pending:
                    dispatch.drain(destination, now_us)
            if not dispatch.stirred:
                break
        self.wake_us = self._next_us(destinations, now_us)

    def _ask(self, now_us: int) -> None:
        """Ask for metadata and for a producer id, if it is time."""
        where, effects = self._where, self._dispatch.effects
        self._waits_for_slot = False
        if self.closed and self.idle:
            return
        if where.due_us() <= now_us:
            broker = where.least_loaded(self._most_in_flight)
            self._waits_for_slot = broker is None
            if broker is not None:
                broker.in_flight += 1
                asked = where.request(tuple(one.topic for one in self._admission.waiting))
                effects.append(Transmit(broker.name, asked, Outgoing(broker, [])))
        if self._needs_id() and self._id_retry_us <= now_us:
            broker = where.least_loaded(self._most_in_flight)
            self._waits_for_slot = self._waits_for_slot or broker is None
            if broker is not None:
                broker.in_flight += 1
                self._asking_for_id = True
                request = InitProducerIdRequest(None, _TRANSACTION_TIMEOUT_MS)
                effects.append(Transmit(broker.name, request, Outgoing(broker, [], for_id=True)))

    def _needs_id(self) -> bool:
        return (
            self._ids is not None
            and self._ids.producer_id < 0
            and not self._asking_for_id
            and self._transacting is None
            and self._fate.failure is None
            and bool(self._admission.waiting or self._where.topics)
        )

    def _next_us(self, destinations: list[Destination], now_us: int) -> int:
        """When something must be looked at again, if nothing happens before."""
        transaction = self.transaction
        next_us = NEVER_US if transaction is None else transaction.due_us(now_us, NEVER_US)
        if self.closed and self.idle:
            return next_us
        next_us = min(next_us, self._dispatch.next_us(destinations, now_us, NEVER_US))
        if self._admission.waiting:
            next_us = min(next_us, self._admission.waiting[0].until_us)
        if not self._waits_for_slot:
            next_us = min(next_us, self._where.due_us())
            if self._needs_id():
                next_us = min(next_us, self._id_retry_us)
        return next_us
