"""The sessions of a store: who has which transaction open, who waits, and whom an end sets free.

Rule 1: a session is a connection. It has one transaction at a time; when it ends, the transaction
is rolled back and its locks go. A request that is one transaction needs none: several of a
connection may wait at once, as in a client's pool, and advisory locks keep them apart.
Rule 2: what a transaction wrote becomes true at its commit alone, and then its locks go, and those
who waited for them go on, first come, first served.
Rule 3: a statement that waits does not notice that its client is gone: it goes on when it gets its
lock, and a request that is one transaction commits even then. With
client_connection_check_interval it is withdrawn as soon as the client is gone.
Rule 4: all of this is soft: a crash of the store ends every session, and nothing was written.

Everything is told by outcomes, in order: the driver makes the facts true and flushes them, tells
the trace, and only then sends the answers and asks for the next outcome. If it crashes in between,
nobody goes on.

Not modelled: a limit on connections, prepared statements, pipelining of one session's statements.
"""

from typing import Any

from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer
from simulator.protocol.messages import TransactRequest, TransactResponse
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.store import Store
from simulator.protocol.store_messages import (
    StoreBeginRequest,
    StoreBeginResponse,
    StoreCommitRequest,
    StoreCommitResponse,
    StoreRollbackRequest,
    StoreRollbackResponse,
    StoreRunRequest,
    StoreRunResponse,
)
from simulator.protocol.store_operations import COMMITTED, LOCK_NOT_AVAILABLE, Refused
from simulator.protocol.store_outcomes import Outcome, Outcomes
from simulator.protocol.store_settings import StoreSettings
from simulator.protocol.store_slots import REQUESTS, Slots
from simulator.protocol.store_statements import run
from simulator.protocol.store_transactions import Transaction, Transactions

NO_TRANSACTION = "no_active_sql_transaction"
FAILED_TRANSACTION = "in_failed_sql_transaction"
UNKNOWN_OBJECT = "undefined_object"
CANCELED = "query_canceled"


class Session:
    """One connection's session.

    Attributes:
        open: whether its client is there, as far as the store knows.
        transaction: the one that is open, or None.
        failed: the number of the transaction that was aborted, until it is rolled back.
        latest: the number of the last transaction that it began.
        advisory: the advisory locks it holds beyond transactions, and how often each.
    """

    __slots__ = ("advisory", "client", "failed", "latest", "number", "open", "transaction")

    def __init__(self, number: int, client: str) -> None:
        self.number = number
        self.client = client
        self.open = True
        self.transaction: Transaction | None = None
        self.failed = 0
        self.latest = 0
        self.advisory: dict[Any, int] = {}

    @property
    def session(self) -> "Session":
        """Itself: it owns locks too."""
        return self


class Sessions:
    """All sessions of a store, and the transactions of one request that do not happen at once."""

    def __init__(self, store: Store, settings: StoreSettings) -> None:
        self.store = store
        self.settings = settings
        self.transactions = Transactions(store)
        self.slots = Slots(store, settings, self.transactions.oldest_xid)
        self._next = 0

    @property
    def held(self) -> dict[Any, Any]:
        """All locks; while there are none, a request may be decided in one step."""
        return self.transactions.locks.held

    def open(self, client: str) -> Session:
        """A session of a new connection."""
        self._next += 1
        return Session(self._next, client)

    # --- Requests ------------------------------------------------------------------------------

    def handle(self, session: Session, request: Request, now_us: int) -> Outcomes:
        """What comes of a session's request; ends when everybody waits again."""
        if request.body.__class__ in REQUESTS:
            yield from self.slots.handle(session, request, now_us)
            return
        match request.body:
            case TransactRequest():
                yield from self._transact(session, request, now_us)
            case StoreBeginRequest():
                yield from self._begin(session, request)
            case StoreRunRequest():
                yield from self._run(session, request, now_us)
            case StoreCommitRequest():
                yield from self._commit(session, request, now_us)
            case _:
                assert isinstance(request.body, StoreRollbackRequest)
                yield from self._rollback(session, request)
        yield from self._go_on(now_us)
        yield from self._watch_idle(session)

    def at_once(self, request: Request, now_us: int) -> Outcomes:
        """A transaction of one request for which nobody can wait: it is refused if it would."""
        tx = Transaction(None, 0, "read committed")
        tx.at_once = True
        yield from self._start(tx, request, now_us)
        yield from self._go_on(now_us)

    def _transact(self, session: Session, request: Request, now_us: int) -> Outcomes:
        tx = Transaction(session, 0, self.settings.default_transaction_isolation)
        yield from self._start(tx, request, now_us)

    def _start(self, tx: Transaction, request: Request, now_us: int) -> Outcomes:
        body: TransactRequest = request.body
        tx.one_request = tx.request = request
        tx.running = run(self.transactions, tx, body.operations, body.event_id)
        yield from self._step(tx, now_us)

    def _begin(self, session: Session, request: Request) -> Outcomes:
        body: StoreBeginRequest = request.body
        if body.transaction <= session.latest:
            return  # The network delivers it once more.
        session.latest = body.transaction
        session.failed = 0
        if session.transaction is not None:
            yield self._rolled_back(session.transaction, "replaced")
        isolation = body.isolation or self.settings.default_transaction_isolation
        tx = Transaction(session, body.transaction, isolation)
        if body.snapshot:
            exported = self.slots.exported.get(body.snapshot)
            if exported is None:
                detail = f"snapshot {body.snapshot!r} does not exist"
                yield _answer(request, StoreBeginResponse(UNKNOWN_OBJECT, (), detail))
                return
            number, xmin = exported
            self.transactions.hold(tx, self.store.versions.held[number], xmin)
        session.transaction = tx
        yield _answer(request, StoreBeginResponse("begun"))

    def _run(self, session: Session, request: Request, now_us: int) -> Outcomes:
        body: StoreRunRequest = request.body
        tx = self._current(session, body.transaction)
        if tx is None:
            yield _answer(request, StoreRunResponse(*_none(session, body.transaction)))
        elif body.statement > tx.statement:
            tx.statement = body.statement
            tx.request = request
            tx.running = run(self.transactions, tx, body.operations, body.event_id)
            yield from self._step(tx, now_us)

    def _commit(self, session: Session, request: Request, now_us: int) -> Outcomes:
        body: StoreCommitRequest = request.body
        tx = self._current(session, body.transaction)
        if tx is None:
            yield _answer(request, StoreCommitResponse(*_none(session, body.transaction)))
            if session.failed == body.transaction:
                session.failed = 0  # COMMIT of an aborted transaction is a rollback.
            return
        tx.request = request
        try:
            yield from self._make_true(tx, now_us)
        except Refused as refused:
            yield self._refused(tx, *refused.args)
            session.failed = 0

    def _rollback(self, session: Session, request: Request) -> Outcomes:
        number = request.body.transaction
        tx = self._current(session, number)
        if tx is not None:
            if tx.running is not None:
                detail = "canceling statement: the transaction is rolled back"
                yield _answer(tx.request, StoreRunResponse(CANCELED, (), detail))
            yield self._rolled_back(tx, "requested")
        elif session.failed == number:
            session.failed = 0
        yield _answer(request, StoreRollbackResponse("rolled_back"))

    @staticmethod
    def _current(session: Session, number: int) -> Transaction | None:
        tx = session.transaction
        return tx if tx is not None and tx.number == number else None

    # --- Running -------------------------------------------------------------------------------

    def _step(self, tx: Transaction, now_us: int, error: Refused | None = None) -> Outcomes:
        """Let a statement run until it waits or has ended."""
        assert tx.running is not None, "it is given a statement before"
        try:
            if error is None:
                next(tx.running)
            else:
                tx.running.throw(error)
        except StopIteration as done:
            tx.running = None
            try:
                yield from self._done(tx, done.value, now_us)
            except Refused as refused:
                yield self._refused(tx, *refused.args)
        except Refused as refused:
            tx.running = None
            yield self._refused(tx, *refused.args)
        else:
            least_us = self.settings.lock_timeout * MICROS_PER_MS
            if least_us:
                yield Outcome(effects=(SetTimer(("lock", tx), least_us, least_us),))
            return
        if tx.session is tx:
            return
        if not tx.session.open:
            yield from self._end(tx.session)
        if tx.one_request is None:
            yield from self._watch_idle(tx.session)

    def _done(self, tx: Transaction, results: tuple[Any, ...], now_us: int) -> Outcomes:
        """A statement has ended well."""
        if tx.one_request is not None:
            yield from self._make_true(tx, now_us, results)
        else:
            yield _answer(tx.request, StoreRunResponse("done", results))

    def _go_on(self, now_us: int) -> Outcomes:
        """Whoever got a lock goes on, and so whoever gets one by that."""
        granted = self.transactions.granted
        while granted:
            tx = granted.pop(0)
            if self.settings.lock_timeout:
                yield Outcome(effects=(CancelTimer(("lock", tx)),))
            yield from self._step(tx, now_us)

    def _make_true(
        self, tx: Transaction, now_us: int, results: tuple[Any, ...] = ()
    ) -> Outcomes:
        """Commit.

        Raises:
            Refused: it is not serializable.
        """
        request = tx.request
        one = tx.one_request
        event_id = one.body.event_id if one is not None else ""
        fact = self.transactions.fact(tx, event_id, now_us)
        lsn = self.store.lsn if fact is None else fact.lsn
        answer: Any = TransactResponse(COMMITTED, results)
        if one is None:
            answer = StoreCommitResponse(COMMITTED, lsn)
        events: list[tuple[Any, ...]] = [
            ("effect_applied", change.table, change.key, change.value, whose)
            for change, whose in tx.changes
            if change.effect
        ]
        if fact is not None and one is None:
            events.append(("store_committed", fact.lsn, fact.xid))
        facts = () if fact is None else (fact,)
        yield Outcome(facts, tuple(events), (Reply(request.id, answer),), flush=tx.logged)
        if fact is not None and self.slots.known:
            yield from self.slots.committed(fact)
        self._forget(tx)

    def _refused(self, tx: Transaction, status: str, detail: str) -> Outcome:
        """Abort a transaction whose statement, or commit, was refused."""
        request = tx.request
        answers = {StoreRunRequest: StoreRunResponse, StoreCommitRequest: StoreCommitResponse}
        make = answers.get(type(request.body), TransactResponse)
        events: list[tuple[Any, ...]] = [("effect_refused", *wish, status) for wish in tx.asked]
        if tx.one_request is None:
            events.append(("store_rolled_back", tx.xid, status))
            tx.session.failed = tx.number
        self._forget(tx)
        return Outcome((), tuple(events), (Reply(request.id, make(status, (), detail)),))

    def _rolled_back(self, tx: Transaction, reason: str) -> Outcome:
        self._forget(tx)
        return Outcome((), (("store_rolled_back", tx.xid, reason),))

    def _forget(self, tx: Transaction) -> None:
        if tx.one_request is None:
            tx.session.transaction = None
        tx.running = None
        self.transactions.end(tx)

    # --- Ends ----------------------------------------------------------------------------------

    def close(self, session: Session, now_us: int) -> Outcomes:
        """A session's client is gone; see rule 3."""
        session.open = False
        waits = self._waits(session)
        if waits and not self.settings.client_connection_check_interval:
            return
        yield from self._end(session)
        yield from self._go_on(now_us)

    def _waits(self, session: Session) -> bool:
        tx = session.transaction
        return tx is not None and self.transactions.locks.waits(tx) is not None

    def _end(self, session: Session) -> Outcomes:
        """End a session: roll back, and give its own locks back."""
        locks = self.transactions.locks
        if self.settings.client_connection_check_interval:
            for tx in locks.waiting_of(session):
                if tx.one_request is not None:
                    yield self._rolled_back(tx, "session_ended")
        if session.transaction is not None:
            yield self._rolled_back(session.transaction, "session_ended")
        yield from self.slots.end(session)
        session.advisory.clear()
        self.transactions.granted += locks.release_all(session)

    def time_up(self, name: tuple[str, Any], now_us: int) -> Outcomes:
        """A timer that was asked for has expired."""
        kind, whose = name
        if kind == "lock":
            if self.transactions.locks.waits(whose) is None:
                return
            self.transactions.granted += self.transactions.locks.withdraw(whose)
            late = Refused(LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout")
            yield from self._step(whose, now_us, late)
        elif kind == "slot":
            yield from self.slots.time_up(whose)
        else:
            yield from self._end(whose)
        yield from self._go_on(now_us)

    def _watch_idle(self, session: Session) -> Outcomes:
        """Set or call off the timer of a transaction that asks for nothing."""
        limit_us = self.settings.idle_in_transaction_session_timeout * MICROS_PER_MS
        if limit_us:
            tx = session.transaction
            name = ("idle", session)
            if tx is not None and tx.running is None:
                yield Outcome(effects=(SetTimer(name, limit_us, limit_us),))
            else:
                yield Outcome(effects=(CancelTimer(name),))


def _answer(request: Request, body: Any) -> Outcome:
    return Outcome(effects=(Reply(request.id, body),))


def _none(session: Session, number: int) -> tuple[str, tuple[()], str]:
    """Why there is no such transaction."""
    if session.failed == number:
        return FAILED_TRANSACTION, (), "the transaction is aborted: roll it back"
    return NO_TRANSACTION, (), "there is no such transaction: its session has ended"
