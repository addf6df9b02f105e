"""What a transactional producer says to its coordinators: one request at a time, until it is heard.

1. Requests wait in the order of their priority. Whatever becomes of one, it is answered or
   repeated before the next leaves; before a repetition retry.backoff.ms passes, but only 20 ms
   where the transaction before is still being completed.
2. While a request is on its way, or waits to be repeated, no batch leaves (Sender.runOnce).
3. A coordinator is looked up when it is unknown, when it does not answer, and when it says that it
   is not the one. Who had to be looked up for is repeated, with its wait.
4. When a transaction must be aborted, what still waits is given up, but for lookups.

Sources: TransactionManager.java (nextRequest and the handlers), Sender.java
(maybeSendAndPollTransactionalRequest), KAFKA-5477 (the 20 ms).

Not modelled: a thread that sleeps before it repeats a request: answers are heard meanwhile.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    EndTxnResponse,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    InitProducerIdResponse,
)
from simulator.protocol.names import MICROS_PER_MS, NO_PRODUCER_ID, TopicPartition
from simulator.protocol.transaction_messages import (
    AddOffsetsToTxnResponse,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)
from simulator.protocol.transaction_requests import (
    MEANINGS,
    TRANSACTION,
    Call,
    Meaning,
    TransactionRequest,
    failure,
    meaning,
    told,
)

if TYPE_CHECKING:
    from simulator.protocol.transaction_manager import TransactionManager

CONCURRENT_BACKOFF_US = 20 * MICROS_PER_MS  # TransactionManager.ADD_PARTITIONS_RETRY_BACKOFF_MS


class Asking:
    """The requests of one transactional producer.

    Attributes:
        coordinators: the nodes that are known, by type.
        in_flight: what awaits its answer.
        new: partitions that were written to, and not asked for yet.
        asked: those that were asked for, and are not added yet.
    """

    __slots__ = (
        "_backoff_us",
        "_head",
        "_head_us",
        "_manager",
        "_queue",
        "asked",
        "coordinators",
        "in_flight",
        "new",
    )

    def __init__(self, manager: "TransactionManager", backoff_us: int) -> None:
        self._manager = manager
        self._backoff_us = backoff_us
        self._queue: list[TransactionRequest] = []
        self._head: TransactionRequest | None = None  # The next to leave, not before `_head_us`.
        self._head_us = 0
        self.coordinators: dict[str, str] = {}
        self.in_flight: TransactionRequest | None = None
        self.new: dict[TopicPartition, None] = {}
        self.asked: dict[TopicPartition, None] = {}

    @property
    def busy(self) -> bool:
        """Whether a request is on its way, or is about to leave: no batch leaves then."""
        return self.in_flight is not None or self._head is not None

    @property
    def at_rest(self) -> bool:
        """Whether there is nothing to ask."""
        return not (self.busy or self._queue or self.new)

    @property
    def is_ending(self) -> bool:
        """Whether the end of the transaction is being asked for."""
        return self.in_flight is not None and self.in_flight.ends

    def due_us(self, now_us: int, never_us: int) -> int:
        """When the next request may leave, if it waits for that and for nothing else."""
        return self._head_us if self._head is not None and self._head_us > now_us else never_us

    # --- Out -----------------------------------------------------------------------------------

    def enqueue(self, request: TransactionRequest) -> None:
        """Let a request wait for its turn: behind those of its priority."""
        self._queue.append(request)
        self._queue.sort(key=_priority)

    def _repeat(self, request: TransactionRequest, backoff_us: int | None = None) -> None:
        request.again = True
        request.backoff_us = self._backoff_us if backoff_us is None else backoff_us
        self.enqueue(request)

    def _seek(self, kind: str, key: str) -> None:
        """Look a coordinator up."""
        self.coordinators.pop(kind, None)
        self.enqueue(TransactionRequest(FindCoordinatorRequest(key, kind), "", "", None))

    def add_new(self) -> None:
        """Ask for the partitions that were written to."""
        if not self.new:
            return
        manager = self._manager
        self.asked.update(self.new)
        self.new.clear()
        identity = manager.ids.producer_id, manager.ids.producer_epoch
        name = manager.transactional_id
        body = AddPartitionsToTxnRequest(name, *identity, tuple(self.asked))
        self.enqueue(TransactionRequest(body, TRANSACTION, name, None))

    def next(self, incomplete: Callable[[], bool], now_us: int) -> TransactionRequest | None:
        """The request that is to leave now, if any; `sent` says that it did.

        Args:
            incomplete: whether there are batches that have not ended.
        """
        while self.in_flight is None:
            request = self._head
            if request is None:
                request = self._take(incomplete)
                if request is None:
                    return None
                self._head = request
                self._head_us = now_us
                if self._given_up(request) or self._must_be_sought(request):
                    continue
                if request.again:
                    self._head_us = now_us + request.backoff_us
            elif self._given_up(request):
                continue
            return request if self._head_us <= now_us else None
        return None

    def _take(self, incomplete: Callable[[], bool]) -> TransactionRequest | None:
        self.add_new()
        manager = self._manager
        while self._queue:
            request = self._queue[0]
            if request.ends and incomplete():
                return None
            del self._queue[0]
            if not request.ends or manager.started or manager.failure is not None:
                return request
            manager.completed()  # Nothing was added: nobody needs to be told.
            manager.settle(request.call)
        return None

    def _given_up(self, request: TransactionRequest) -> bool:
        """After an error only lookups go on."""
        why = self._manager.failure
        if why is None or type(request.body) is FindCoordinatorRequest:
            return False
        self._head = None
        if type(request.body) is AddPartitionsToTxnRequest:
            self.asked.clear()
        self._manager.settle(request.call, why)
        return True

    def _must_be_sought(self, request: TransactionRequest) -> bool:
        """Whether its coordinator is unknown; then that one is looked up before."""
        if not request.coordinator or request.coordinator in self.coordinators:
            return False
        self._head = None
        self._seek(request.coordinator, request.key)
        self._repeat(request)
        return True

    def sent(self) -> None:
        """What `next` gave has left."""
        assert self._head is not None, "nothing was to be sent"
        self.in_flight, self._head = self._head, None

    def end_for_nobody(self) -> None:
        """Whoever waits for the end waits for something else behind it."""
        for request in self._queue:
            if request.ends:
                request.call = None

    def forget(self) -> None:
        """The transaction is over."""
        self.new.clear()
        self.asked.clear()

    def stop(self) -> list[Call]:
        """Ask nothing any more; who waited for an answer."""
        gone = [self.in_flight, self._head, *self._queue]
        self._head = None
        self._queue.clear()
        self.forget()
        return [one.call for one in gone if one is not None and one.call is not None]

    # --- In ------------------------------------------------------------------------------------

    def answered(self, body: Any) -> None:
        """What is on its way was answered; None: it will not be."""
        request, self.in_flight = self.in_flight, None
        assert request is not None, "nothing was asked"
        manager = self._manager
        if manager.failure is not None and manager.failure.fatal:
            return
        if body is None:
            manager.perhaps_ended = manager.perhaps_ended or request.ends
            if request.coordinator:
                self._seek(request.coordinator, request.key)
            self._repeat(request)
        else:
            self._HANDLERS[type(body)](self, request, body)

    def _refused(self, request: TransactionRequest, error: Error) -> None:
        """An answer bears an error for all of it."""
        manager = self._manager
        means = meaning(type(request.body), error)
        if request.ends and error is Error.COORDINATOR_NOT_AVAILABLE:
            manager.perhaps_ended = True  # It could not tell whether its log has it.
        if means is Meaning.SEEK:
            self._seek(request.coordinator, request.key)
            self._repeat(request)
        elif means is Meaning.AGAIN:
            self._repeat(request)
        else:
            self._failed(request, error, means)

    def _failed(self, request: TransactionRequest, error: Error, means: Meaning) -> None:
        manager = self._manager
        fatal = means is Meaning.FATAL
        error = told(error) if fatal else error
        kind = type(request.body).__name__.removesuffix("Request")
        why = failure(error, f"the answer to {kind} of {manager.transactional_id}", fatal=fatal)
        manager.settle(request.call, why)
        if fatal:
            manager.fail_for_good(why)
        else:
            manager.fail(why, raising=means is Meaning.ABORT_AND_RAISE)

    def _found(self, request: TransactionRequest, body: FindCoordinatorResponse) -> None:
        if body.error is Error.NONE:
            self.coordinators[request.body.key_type] = body.node
        else:
            self._refused(request, body.error)

    def _initialized(self, request: TransactionRequest, body: InitProducerIdResponse) -> None:
        if body.error is Error.NONE:
            self._manager.initialized(body.producer_id, body.producer_epoch)
            self._manager.settle(request.call)
        else:
            self._refused(request, body.error)

    def _added(self, request: TransactionRequest, body: AddPartitionsToTxnResponse) -> None:
        manager = self._manager
        known = MEANINGS[AddPartitionsToTxnRequest]
        unknown: Error | None = None
        for _, error in body.results:
            if error is Error.CONCURRENT_TRANSACTIONS:
                # The one before is being completed. For the first partitions of this one it
                # is worth while to ask again soon.
                soon_us = min(CONCURRENT_BACKOFF_US, self._backoff_us)
                self._repeat(request, None if manager.added else soon_us)
                return
            if error in known or error.retriable:
                self._refused(request, error)
                return
            if error is not Error.NONE and unknown in (None, Error.OPERATION_NOT_ATTEMPTED):
                unknown = error
        for partition, _ in body.results:
            self.asked.pop(partition, None)
        if unknown is not None:
            self._failed(request, unknown, Meaning.ABORT)
        else:
            manager.added.update(dict.fromkeys(partition for partition, _ in body.results))
            manager.started = True

    def _offsets_added(self, request: TransactionRequest, body: AddOffsetsToTxnResponse) -> None:
        if body.error is Error.NONE:
            self._manager.started = True
            for commit in request.pending:  # The call ends when the offsets are there.
                self.enqueue(commit)
        else:
            self._refused(request, body.error)

    def _offsets_committed(
        self, request: TransactionRequest, body: TxnOffsetCommitResponse
    ) -> None:
        sought = False
        for partition, error in body.results:
            if error is Error.NONE:
                request.pending.pop(partition, None)
                continue
            means = meaning(TxnOffsetCommitRequest, error)
            if means not in (Meaning.SEEK, Meaning.AGAIN):
                self._failed(request, error, means)
                return
            sought = sought or means is Meaning.SEEK
        if not request.pending:
            self._manager.settle(request.call)
            return
        if sought:
            self._seek(request.coordinator, request.key)
        self._repeat(request)

    def _ended(self, request: TransactionRequest, body: EndTxnResponse) -> None:
        manager = self._manager
        if body.error is not Error.NONE:
            self._refused(request, body.error)
            return
        if body.producer_id != NO_PRODUCER_ID:
            manager.ids.started(body.producer_id, body.producer_epoch)
        manager.completed()
        manager.settle(request.call)

    _HANDLERS: ClassVar[dict[type, Callable[["Asking", TransactionRequest, Any], None]]] = {
        FindCoordinatorResponse: _found,
        InitProducerIdResponse: _initialized,
        AddPartitionsToTxnResponse: _added,
        AddOffsetsToTxnResponse: _offsets_added,
        TxnOffsetCommitResponse: _offsets_committed,
        EndTxnResponse: _ended,
    }


def _priority(request: TransactionRequest) -> int:
    return request.priority
