"""A client's side of a transaction with several statements, and what a store's refusals are called.

An error aborts the transaction, and only `rollback` is left. Without an answer (`StoreTimeout`) the
connection is closed, and the store rolls back as soon as it learns of that; of a commit it is
unknown whether it happened. A transaction whose session has ended is over: its next call says so
(`StoreError`), and nothing of it was written.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.errors import (
    BadInput,
    DeadlockDetected,
    LockNotAvailable,
    SerializationFailure,
    SlotLost,
    StoreError,
    StoreTimeout,
    UniqueViolation,
)
from simulator.protocol.store_messages import (
    StoreBeginRequest,
    StoreCommitRequest,
    StoreRollbackRequest,
    StoreRunRequest,
)

if TYPE_CHECKING:
    from simulator.cluster.context import Context
    from simulator.world.kernel import Event

GOOD = frozenset(("committed", "begun", "done", "rolled_back"))
ERRORS: dict[str, type[StoreError]] = {
    "unique_violation": UniqueViolation,
    "serialization_failure": SerializationFailure,
    "deadlock_detected": DeadlockDetected,
    "lock_not_available": LockNotAvailable,
    "slot_lost": SlotLost,
}


def answer_or_raise(name: str, answer: Any) -> Any:
    """What a store answered.

    Raises:
        StoreError: it was refused; the class says why, if it has a name for it.
    """
    if answer.status in GOOD:
        return answer.results
    raise ERRORS.get(answer.status, StoreError)(f"{name}: {answer.detail}")


class StoreTransaction:
    """An open transaction: `run`, and then `commit` or `rollback`. Made by `StoreClient.begin`."""

    def __init__(
        self,
        context: "Context",
        name: str,
        place: tuple[int, int],
        timeout_ms: int,
        in_use: dict[int, None],
    ) -> None:
        self._context = context
        self._name = name
        self._line, self._number = place
        self._timeout_ms = timeout_ms
        self._in_use = in_use
        self._statement = 0
        self._asks = ""  # What it waits for the answer of.
        self._over = ""  # Why there is nothing left to ask.

    def begin(self, body: StoreBeginRequest) -> "Event":
        """Ask for it; `StoreClient.begin` does."""
        return self._ask(body, lambda _: self)

    def run(self, *operations: Any) -> "Event":
        """Run operations, on behalf of the record being handled; the event gives their results.

        Raises:
            UniqueViolation: a key is there already.
            SerializationFailure: others have changed what it wants; do the transaction again.
            DeadlockDetected: it would wait in a circle; do the transaction again.
            LockNotAvailable: a lock was not to be waited for, or lock_timeout is over.
            StoreError: refused for another reason; the transaction is aborted in any case.
            StoreTimeout: no answer; the transaction is lost, and will not be committed.
        """
        self._statement += 1
        body = StoreRunRequest(self._number, self._statement, operations, self._context.event_id)
        return self._ask(body, tuple)

    def commit(self) -> "Event":
        """Commit; the event gives the log sequence number.

        Raises:
            SerializationFailure: of a serializable one, others have changed what it read.
            StoreError: it was rolled back: it was aborted before, or its session has ended.
            StoreTimeout: no answer; it may have been committed.
        """
        return self._end(StoreCommitRequest(self._number))

    def rollback(self) -> "Event":
        """Undo everything; the event gives None. If the session is gone, that has happened."""
        if self._over:
            return self._context.node.event().succeed()
        return self._end(StoreRollbackRequest(self._number))

    def _end(self, body: Any) -> "Event":
        event = self._ask(body, lambda result: result if body.__class__ is StoreCommitRequest
                          else None)  # fmt: skip
        self._close("the transaction has ended")
        return event

    def _close(self, why: str) -> None:
        if not self._over:
            self._over = why

    def _ask(self, body: Any, made: Callable[[Any], Any]) -> "Event":
        context, name = self._context, self._name
        event = context.node.event()
        if self._over:
            return event.fail(StoreError(f"{name}: {self._over}"))  # type: ignore[return-value]
        kind = body.__class__
        ends = kind in (StoreCommitRequest, StoreRollbackRequest)
        if self._asks and kind is not StoreRollbackRequest:
            raise BadInput(f"a transaction does one thing at a time; {self._asks} is not answered,"
                           " and it was asked for", name, kind.__name__,
                           "wait for each answer, and begin one transaction for each task"
                           )  # fmt: skip
        self._asks = kind.__name__

        def take(answer: Any) -> None:
            self._asks = ""
            if answer is None:
                self._over = "its connection was lost, and so the transaction"
                self._in_use.pop(self._line, None)
                if kind is StoreRollbackRequest:
                    event.succeed()  # It is rolled back one way or the other.
                    return
                unknown = "whether it committed is unknown" if ends else "the transaction is lost"
                event.fail(StoreTimeout(f"{name} gave no answer: {unknown}"))
                return
            if ends or (kind is StoreBeginRequest and answer.status not in GOOD):
                self._in_use.pop(self._line, None)
            try:
                event.succeed(made(answer_or_raise(name, answer)))
            except StoreError as refused:
                event.fail(refused)

        context.connections.request(
            name, body, take, f"transaction-{self._line}", self._timeout_ms
        )
        return event
