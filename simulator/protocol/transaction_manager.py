"""A transactional producer's view of its transaction: what may be called, asked, and sent, when.

1. Calls of the application move the state; a call in the wrong state is refused. A call that took
   too long goes on: only the same call may follow, and it waits for the same end.
2. Under version 1 a partition is added at the coordinator before its first batch leaves; under
   version 2 its leader, or its group's coordinator, adds it (KIP-890).
3. A transaction's end is asked for when all of its batches have ended. If nothing was added there
   is nothing to end, and nobody is asked.
4. A batch that fails makes the transaction abortable. What was not sent is dropped then; an abort
   waits for what was.
5. After an error that left sequences in doubt, the epoch is raised: by every end under version 2,
   by InitProducerId after the abort under version 1 (KIP-360).
6. After a fatal error nothing is sent: the producer can only be closed.

How the coordinators are asked stands in `transaction_asking`.

Sources: TransactionManager.java, KafkaProducer.java, TransactionalRequestResult.java.

Not modelled: two-phase commit (KIP-939); a cluster whose version of transactions is raised while
the producer works.
"""

from collections.abc import Callable, Mapping
from typing import Any

from simulator.errors import BadInput, KafkaError, RequestTimedOut
from simulator.protocol.errors import Error
from simulator.protocol.group_metadata import GroupMetadata
from simulator.protocol.idempotence import Idempotence
from simulator.protocol.messages import EndTxnRequest, InitProducerIdRequest
from simulator.protocol.names import MICROS_PER_MS, NO_PRODUCER_EPOCH, NO_PRODUCER_ID
from simulator.protocol.names import TopicPartition as Partition
from simulator.protocol.producer_settings import ProducerSettings
from simulator.protocol.sending_effects import Effect, Happened, Settled
from simulator.protocol.transaction_asking import Asking
from simulator.protocol.transaction_requests import (
    RAISES_EPOCH,
    TRANSACTION,
    Call,
    Failure,
    TransactionRequest,
    adds_offsets,
    commits_offsets,
    failure,
)
from simulator.protocol.transaction_states import (
    ABORTABLE,
    ABORTING,
    COMMITTING,
    FATAL,
    INITIALIZING,
    OPEN,
    READY,
    TRANSITIONS,
    State,
)

VERSIONS = (1, 2)
NEWEST = 2

Ask = TransactionRequest


class TransactionManager:
    """The machine of one producer.

    Args:
        ids: the producer id, its epoch, and the sequences.
        tell: takes what the application is to learn (Settled), and the trace (Happened).
        version: of transactions, 1 or 2.

    Attributes:
        state: see `TRANSITIONS`.
        failure: why the state is ABORTABLE_ERROR or FATAL_ERROR, else None.
        added: the partitions that take part in the transaction.
    """

    def __init__(
        self,
        settings: ProducerSettings,
        ids: Idempotence,
        tell: Callable[[Effect], None],
        version: int = NEWEST,
    ) -> None:
        assert settings.transactional_id is not None
        assert version in VERSIONS, f"no version of transactions: {version}"
        self.transactional_id = settings.transactional_id
        self.version = version
        self.state = State.UNINITIALIZED
        self.failure: Failure | None = None
        self.added: dict[Partition, None] = {}
        self.ids = ids
        ids.transaction = self
        self._tell = tell
        self._timeout_ms = settings.transaction_timeout_ms
        self._max_block_ms = settings.max_block_ms
        self.asking = Asking(self, settings.retry_backoff_ms * MICROS_PER_MS)
        self.started = False  # The coordinator may know of the transaction.
        self.raises_epoch = False  # InitProducerId must follow the end.
        self._turn: tuple[Call, State] | None = None  # What changes the state, until heard.
        self._calls: list[Call] = []  # Those with somebody who waits.
        self._event_ids: list[str] = []
        self._offsets: list[tuple[str, str, int, int]] = []
        self._result = ""  # The end that was asked for, until it is known.
        self.perhaps_ended = False  # It was asked for without an answer.

    # --- Where it stands -----------------------------------------------------------------------

    @property
    def ongoing(self) -> bool:
        """Whether a transaction is open, as far as the application knows."""
        return self.state in (OPEN, COMMITTING, ABORTING, ABORTABLE)

    @property
    def completing(self) -> bool:
        """Whether its end was asked for."""
        return self.state in (COMMITTING, ABORTING)

    def takes(self, partition: Partition) -> bool:
        """Whether a partition's batches may leave."""
        return self.state is not FATAL and partition in self.added

    def become(self, state: State, why: Failure | None = None) -> None:
        """Change the state."""
        assert state is FATAL or state in TRANSITIONS[self.state], f"{self.state} to {state}"
        self.state = state
        self.failure = why

    # --- What the application calls ----------------------------------------------------------

    def initialize(self, handle: Any, now_us: int) -> None:
        """Get a producer id, which fences whoever had this transactional.id before.

        Raises:
            BadInput: it has been called before (so in all calls: it is not their turn).
            KafkaError: an earlier call has failed (so in all calls).
        """
        if (call := self._again("init_transactions", INITIALIZING)) is None:
            self._throw()
            self._may("init_transactions", State.UNINITIALIZED)
            self.become(INITIALIZING)
            call = Call("init_transactions")
            self._turn = call, INITIALIZING
            self._ask_for_id(call, NO_PRODUCER_ID, NO_PRODUCER_EPOCH)
        self._wait(call, handle, now_us)

    def begin(self) -> None:
        """Open a transaction; nobody is asked."""
        self._must_be_heard("begin_transaction")
        self._throw()
        self._may("begin_transaction", READY)
        self.become(OPEN)
        began = self.transactional_id, self.ids.producer_id, self.ids.producer_epoch
        self._tell(Happened(("transaction_began", *began)))

    def send_offsets(
        self,
        handle: Any,
        offsets: Mapping[tuple[str, int], int],
        group: GroupMetadata,
        now_us: int,
    ) -> None:
        """Commit a consumer's offsets together with the transaction."""
        self._must_be_heard("send_offsets_to_transaction")
        self._throw()
        self._may("send_offsets_to_transaction", OPEN)
        call = Call("send_offsets_to_transaction")
        self._wait(call, handle, now_us)
        if not offsets:
            self.settle(call)
            return
        self._offsets += [(group.group_id, *where, offset) for where, offset in offsets.items()]
        identity = self.transactional_id, *self._identity
        request = commits_offsets(identity, offsets, group, call)
        if self.version == 1:
            request = adds_offsets(identity, group.group_id, request)
        else:
            self.started = True
        self.asking.enqueue(request)

    def commit(self, handle: Any, now_us: int) -> None:
        """Commit when all batches are acknowledged."""
        if (call := self._again("commit_transaction", COMMITTING)) is None:
            self._throw()
            self._may("commit_transaction", OPEN)
            call = self._end("commit", COMMITTING)
        self._wait(call, handle, now_us)

    def abort(self, handle: Any, now_us: int) -> None:
        """Abort: what was not sent is dropped, what was sent is waited for."""
        if (call := self._again("abort_transaction", ABORTING)) is None:
            if self.state is not ABORTABLE:
                self._throw()
                self._may("abort_transaction", OPEN)
            self.asking.new.clear()
            call = self._end("abort", ABORTING)
        self._wait(call, handle, now_us)

    def close(self, *, forced: bool = False) -> None:
        """The producer is closed: abort what is open; forced: ask nobody any more."""
        if forced:
            self.fail_for_good(Failure("PRODUCER_CLOSED", "it was closed", KafkaError, fatal=True))
        elif self.state in (OPEN, ABORTABLE):
            self.asking.new.clear()
            self._end("abort", ABORTING)

    def hand_over(self, event_id: str) -> None:
        """A record is handed over; after an error it is refused later on, as a value.

        Raises:
            BadInput: no transaction is open.
        """
        self._must_be_heard("send")
        if self.failure is None:
            self._may("send", OPEN)
            self._event_ids.append(event_id)

    def _again(self, name: str, aim: State) -> Call | None:
        """The call that has not been heard of yet, if it is the same."""
        if self._turn is None or self._turn[0].heard:
            self._turn = None
            return None
        if self._turn[1] is not aim:
            self._must_be_heard(name)
        return self._turn[0]

    def _must_be_heard(self, name: str) -> None:
        if self._turn is None:
            return
        call = self._turn[0]
        if not call.heard:
            fix = f"wait for {call.name}(); if it timed out, call it again"
            raise BadInput(f"{name}() before the end is known of", self._place, call.name, fix)
        self._turn = None

    def _throw(self) -> None:
        if self.failure is not None:
            raise self.failure.thrown_later()

    def _may(self, name: str, state: State) -> None:
        if self.state is not state:
            fix = f"it needs {state.value}"
            raise BadInput(f"{name}() is not allowed in", self._place, self.state.value, fix)

    @property
    def _place(self) -> str:
        return f"transactional.id {self.transactional_id}"

    @property
    def _identity(self) -> tuple[int, int]:
        return self.ids.producer_id, self.ids.producer_epoch

    def _end(self, result: str, state: State) -> Call:
        self.become(state)
        call = Call(f"{result}_transaction")
        self._turn = call, state
        self._result, self.perhaps_ended = result, False
        told = self.transactional_id, result, tuple(self._event_ids), tuple(self._offsets)
        self._tell(Happened(("transaction_ending", *told)))
        self.asking.add_new()
        body = EndTxnRequest(self.transactional_id, *self._identity, result)
        last = None if self.raises_epoch else call
        self.asking.enqueue(Ask(body, TRANSACTION, self.transactional_id, last))
        if self.raises_epoch:
            self._ask_for_id(call, *self._identity)
        return call

    def _ask_for_id(self, call: Call, producer_id: int, epoch: int) -> None:
        known = self.transactional_id, self._timeout_ms, producer_id, epoch
        request = Ask(InitProducerIdRequest(*known), TRANSACTION, self.transactional_id, call)
        if producer_id != NO_PRODUCER_ID:
            request.priority = RAISES_EPOCH
        self.asking.enqueue(request)

    # --- Who waits -----------------------------------------------------------------------------

    def _wait(self, call: Call, handle: Any, now_us: int) -> None:
        call.waiting.append((handle, now_us + self._max_block_ms * MICROS_PER_MS))
        self._calls = [*(one for one in self._calls if one is not call), call]
        if call.done:
            self._inform(call)

    def settle(self, call: Call | None, why: Failure | None = None) -> None:
        """A call has come to its end; the first end counts."""
        if call is None or call.done:
            return
        call.done, call.failure = True, why
        self._inform(call)

    def _inform(self, call: Call) -> None:
        for handle, _ in call.waiting:
            self._tell(Settled(handle, call.failure and call.failure.thrown()))
            call.heard = True
        call.waiting.clear()
        self._calls = [one for one in self._calls if one is not call]

    def tick(self, now_us: int) -> None:
        """Let go of whoever has waited for max.block.ms; what they asked for goes on."""
        for call in list(self._calls):
            late = [handle for handle, until_us in call.waiting if until_us <= now_us]
            call.waiting = [one for one in call.waiting if one[1] > now_us]
            for handle in late:
                text = f"{call.name}() took longer than max.block.ms ({self._max_block_ms})"
                self._tell(Settled(handle, RequestTimedOut(f"REQUEST_TIMED_OUT: {text}")))
            if not call.waiting:
                self._calls.remove(call)

    def due_us(self, now_us: int, never_us: int) -> int:
        """When it must be told the time."""
        due = [until_us for call in self._calls for _, until_us in call.waiting]
        return min([*due, self.asking.due_us(now_us, never_us)])

    # --- What batches tell it ------------------------------------------------------------------

    def add(self, partition: Partition) -> bool:
        """A batch for this partition was opened; whether somebody must be asked first."""
        if self.version == 2:
            self.added[partition] = None
            self.started = True
        elif partition not in self.added and partition not in self.asking.asked:
            self.asking.new[partition] = None
            return True
        return False

    def record_failed(self, error: Error, detail: str) -> None:
        """A batch has failed, or a record that never came into one."""
        if not self.ongoing:
            return
        fatal = error in (Error.PRODUCER_FENCED, Error.INVALID_PRODUCER_ID_MAPPING)
        why = failure(error, detail, fatal=fatal)
        if fatal:
            self.fail_for_good(why)
            return
        if self.version == 1 and not self.completing:
            self.raises_epoch = True
        self.fail(why)

    def lost_track(self) -> None:
        """Whether some sequences were used will never be known."""
        if self.ongoing:
            detail = "what became of some batches is not known; abort, then go on"
            self.fail(Failure(Error.UNKNOWN_SERVER_ERROR.name, detail, KafkaError), raising=True)

    # --- Failing -------------------------------------------------------------------------------

    def fail(self, why: Failure, *, raising: bool = False) -> None:
        """Only an abort helps; an abort that is on its way goes on."""
        if self.state is FATAL:
            return
        if raising and self.version == 1 and not self.raises_epoch:
            self.raises_epoch = True
            if self.state is ABORTING and self._turn is not None:
                # Its EndTxn waits for the batches still: nobody else does for that one any more.
                self.asking.end_for_nobody()
                self._ask_for_id(self._turn[0], *self._identity)
        if self.state is ABORTING:
            return
        if self.state is not ABORTABLE:
            self._say_failed(why, fatal=False)
        self.become(ABORTABLE, why)
        self._learn_end("unknown" if self.perhaps_ended else "failed", why.name)

    def fail_for_good(self, why: Failure) -> None:
        """Nothing helps: all calls fail, and nothing is asked any more."""
        if self.state is FATAL:
            return
        self._say_failed(why, fatal=True)
        perhaps = self.perhaps_ended or self.asking.is_ending
        self.become(FATAL, why)
        self._learn_end("unknown" if perhaps else "failed", why.name)
        for call in self.asking.stop():
            self.settle(call, why)
        if self._turn is not None:
            self.settle(self._turn[0], why)

    def _say_failed(self, why: Failure, *, fatal: bool) -> None:
        self._tell(Happened(("transaction_failed", self.transactional_id, why.name, fatal)))

    def _learn_end(self, outcome: str, error: str) -> None:
        if self._result:
            told = self.transactional_id, self._result, outcome, error
            self._tell(Happened(("transaction_ended", *told)))
        self._result = ""

    # --- What coordinators tell it -------------------------------------------------------------

    def initialized(self, producer_id: int, producer_epoch: int) -> None:
        """InitProducerId was answered: the next transaction is of this producer id and epoch."""
        self.ids.started(producer_id, producer_epoch)
        self.become(READY)

    def completed(self) -> None:
        """The transaction has ended as it was asked to, or there was nothing to end."""
        self._learn_end("done", Error.NONE.name)
        self.become(INITIALIZING if self.raises_epoch else READY)
        self.raises_epoch = self.started = False
        self.added.clear()
        self.asking.forget()
        self._event_ids.clear()
        self._offsets.clear()
