"""A store node, and the client by which handlers reach it.

A transaction happens wholly or not at all, and its facts are in the store's write-ahead log,
flushed, before the answer leaves. The client waits `STORE_TIMEOUT_MS`; when no answer came, whether
the transaction happened is unknown (`StoreTimeout`), and it is the handler's matter what to do.

One request may be one transaction (`transact`), or a transaction may have several statements with
thinking in between (`begin`): see `store_client`. Either waits for locks that others have.

A generator or `async def` waits for the answer (`yield store.transact(...)`). A plain function
cannot wait: its calls happen at once, as calls of a library in its own process would, and its
node may crash just before any of them (points `store-0`, `store-1`, ...). A lock that it would have
to wait for refuses it (`LockNotAvailable`).

A connection is a session, and what a client sends on it runs once: TCP doubles nothing, and drivers
(libpq, JDBC) send nothing again by themselves, so nothing comes of a `Duplicate` of a request. The
store learns that its client is gone when the client's process died or closed it; of a machine that
lost its power, or that a partition cut off, it learns only by idle_in_transaction_session_timeout,
or when tcp_keepalives_idle is over.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simulator.cluster.later import LATER
from simulator.cluster.store_client import StoreTransaction, answer_or_raise
from simulator.errors import BadInput, StoreError, StoreTimeout
from simulator.protocol.machine import Reply, Request, SetTimer
from simulator.protocol.messages import TransactRequest, TransactResponse
from simulator.protocol.names import MICROS_PER_S
from simulator.protocol.store import Store
from simulator.protocol.store_messages import (
    ConfirmSlotRequest,
    CreateSlotRequest,
    DropSlotRequest,
    ReadSlotRequest,
    ShowSlotRequest,
    StoreBeginRequest,
)
from simulator.protocol.store_outcomes import Outcomes
from simulator.protocol.store_sessions import Session, Sessions
from simulator.protocol.store_settings import check_isolation, store_settings
from simulator.protocol.store_unique import Constraint
from simulator.world.node import power_cut

if TYPE_CHECKING:
    from simulator.cluster.context import Context
    from simulator.world.kernel import Event, Timer
    from simulator.world.network import Connection
    from simulator.world.node import Node

STORE_TIMEOUT_MS = 5_000
KEEPALIVE_S = 7_200  # Linux: net.ipv4.tcp_keepalive_time

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.


class StoreNode:
    """A node that runs one store.

    Args:
        settings: by PostgreSQL's names, such as lock_timeout.
        unique: further unique constraints of its tables: functions of a row's key and value.

    Attributes:
        machine: what is committed; None before the node has booted.
        sessions: who is at it.
    """

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        name: str = "store",
        unique: Mapping[str, Sequence[Constraint]] | None = None,
    ) -> None:
        self._unique = unique
        self.settings = store_settings(settings or {}, name)
        self.machine: Store | None = None
        self.sessions: Sessions | None = None
        self._held: dict[Any, Any] = {}
        self._slots: dict[str, Any] = {}
        self._timers: dict[Any, Timer] = {}

    def boot(self, node: "Node") -> None:
        """Recover the store from its write-ahead log, and serve it."""
        journal = node.disk.journal("wal")
        machine = self.machine = Store(journal, unique=self._unique)
        machine.recover(node.now_us)
        sessions = self.sessions = Sessions(machine, self.settings)
        self._held = sessions.held
        self._slots = sessions.slots.known
        self._timers = {}

        def serve(connection: "Connection", correlation: int, body: Any) -> None:
            session = connection.state
            if session is not None and not session.open:  # The store has given the client up.
                connection.reset_by_peer(node)
                return
            if body.__class__ is TransactRequest:
                answer = self.transact(node, body)
                if answer is not LATER:
                    if answer is not None:
                        connection.back.send(correlation, answer)
                    return
            if session is None:
                session = self._open(node, connection)
            request = Request((connection, correlation), body, connection.client.name)
            self._carry_out(node, sessions.handle(session, request, node.now_us))

        node.on_request = serve
        node.asked_once = True

    def transact(self, node: "Node", body: TransactRequest) -> Any:
        """Run one transaction in one step: its TransactResponse.

        None if the node crashed before it could answer; LATER if it is not to be had in one step:
        somebody holds a lock, or it is not of single rows.
        """
        machine = self.machine
        assert machine is not None, "a store serves once its node has booted"
        if self._held:
            return LATER
        step = machine.decide(_new(Request, (0, body, "")), node.now_us)
        if step is None:
            return LATER
        for fact in step.facts:
            machine.apply(fact)
        answer: TransactResponse = step.effects[0].body  # type: ignore[union-attr]
        if answer.status == "committed":
            for table, key, value in machine.changes(step):
                node.record(("effect_applied", table, key, value, body.event_id))
            if step.facts:
                machine.journal.flush()
                if not node.point("after_append"):
                    return None
                if self._slots:
                    assert self.sessions is not None, "it knows of slots"
                    for fact in step.facts:
                        self._carry_out(node, self.sessions.slots.committed(fact))
        else:
            for operation in body.operations:
                if getattr(operation, "effect", False):
                    node.record(
                        ("effect_refused", operation.table, operation.key, body.event_id,
                         answer.status)
                    )
        return answer

    def transact_at_once(self, node: "Node", body: TransactRequest) -> TransactResponse | None:
        """As `transact`, of whatever it is, for somebody who cannot wait: a lock refuses it."""
        answer = self.transact(node, body)
        if answer is LATER:
            assert self.sessions is not None, "a store serves once its node has booted"
            heard: list[Any] = []
            request = Request((None, heard), body)
            self._carry_out(node, self.sessions.at_once(request, node.now_us))
            answer = heard[0] if heard else None
        return answer  # type: ignore[no-any-return]

    # --- Sessions ------------------------------------------------------------------------------

    def _open(self, node: "Node", connection: "Connection") -> Session:
        sessions = self.sessions
        assert sessions is not None, "a store serves once its node has booted"
        session = connection.state = sessions.open(connection.client.name)

        def ended() -> None:
            if session.open:
                self._carry_out(node, sessions.close(session, node.now_us))

        def probe(_: Any) -> None:
            """What keeps a connection alive, or tells that nobody is there any more."""
            routes = (connection.there.route, connection.back.route)
            if not connection.lives or any(route.cuts for route in routes):
                ended()
            if session.open:
                node.after(idle_us, probe)

        connection.watch(ended)
        idle_us = (self.settings.tcp_keepalives_idle or KEEPALIVE_S) * MICROS_PER_S
        node.after(idle_us, probe)
        return session

    def _carry_out(self, node: "Node", outcomes: Outcomes) -> None:
        """Make facts true, flush them, tell of them, answer, and so on, until a crash."""
        machine = self.machine
        assert machine is not None, "it has decided"
        for facts, events, effects, flush in outcomes:
            for fact in facts:
                machine.apply(fact)
            for event in events:
                node.record(event)
            if facts:
                machine.journal.flush()
                if not node.point("after_append"):
                    return
            elif flush:
                machine.journal.flush()
            for effect in effects:
                self._do(node, effect)

    def _do(self, node: "Node", effect: Any) -> None:
        if effect.__class__ is Reply:
            connection, correlation = effect.to
            if connection is None:
                correlation.append(effect.body)
            else:
                connection.back.send(correlation, effect.body)
            return
        timer = self._timers.pop(effect.name, None)
        if timer is not None:
            timer.cancel()
        if effect.__class__ is SetTimer:
            self._timers[effect.name] = node.after(
                effect.least_us, self._time_up, (node, effect.name)
            )

    def _time_up(self, what: tuple["Node", Any]) -> None:
        node, name = what
        del self._timers[name]
        assert self.sessions is not None, "it has asked for the timer"
        self._carry_out(node, self.sessions.time_up(name, node.now_us))


class StoreClient:
    """What a handler sees of a store."""

    def __init__(self, context: "Context", name: str) -> None:
        self._context = context
        self._name = name
        self._in_use: dict[int, None] = {}  # Connections that have a transaction open.
        self._begun: dict[int, int] = {}  # How many each has had.

    def transact(self, *operations: Any) -> Any:
        """Run operations in one transaction, on behalf of the record being handled.

        In a generator or a coroutine the answer is an event to wait for, which gives the
        operations' results; in a plain function it is the results.

        Raises:
            UniqueViolation: a constraint refused it; nothing was written.
            StoreError: it was refused for another reason; nothing was written.
            StoreTimeout: no answer; it may have happened.
        """
        context = self._context
        body = _new(TransactRequest, (operations, context.event_id))
        if context.plain:
            return self._at_once(body)
        return self._by_message(body)

    def _at_once(self, body: TransactRequest) -> tuple[Any, ...]:
        context = self._context
        node = context.node
        context.calls += 1
        if not node.gate.open or not node.point(f"store-{context.calls - 1}"):
            power_cut(node)
        server, machine = context.cluster.store_node(self._name)
        if not server.gate.open:
            raise StoreTimeout(f"{self._name} is down")
        answer = machine.transact_at_once(server, body)
        if answer is None:
            raise StoreTimeout(f"{self._name} crashed before it answered")
        return _results(self._name, answer)

    def _by_message(self, body: TransactRequest) -> "Event":
        context = self._context
        answered = context.node.event()

        def take(answer: TransactResponse | None) -> None:
            if answer is None:
                text = f"{self._name} gave no answer: whether it committed is unknown"
                answered.fail(StoreTimeout(text))
                return
            try:
                answered.succeed(_results(self._name, answer))
            except StoreError as refused:
                answered.fail(refused)

        context.connections.request(self._name, body, take, timeout_ms=STORE_TIMEOUT_MS)
        return answered

    # --- Several statements ----------------------------------------------------------------------

    def begin(
        self, isolation: str = "", snapshot: str = "", timeout_ms: int = STORE_TIMEOUT_MS
    ) -> "Event":
        """Begin a transaction; the event gives a StoreTransaction.

        Each open transaction has a connection of its own, as from a pool.

        Args:
            isolation: read committed, repeatable read or serializable; "": the store's default,
                read committed.
            snapshot: one that was exported with a slot: read as of it.
            timeout_ms: how long each of its requests may wait for its answer, and so for a lock.

        Raises:
            BadInput: there is no such isolation, a snapshot does not go with it, or a plain
                function asks, which cannot wait.
            StoreError: there is no such snapshot (any more).
            StoreTimeout: no answer.
        """
        context = self._context
        if isolation:
            check_isolation(isolation)
        if snapshot and isolation not in {"repeatable read", "serializable"}:
            fix = "isolation='repeatable read'"
            raise BadInput("a snapshot needs an isolation that keeps it, not", self._name,
                           isolation or "read committed", fix)  # fmt: skip
        if context.plain:
            raise BadInput("a plain function cannot wait for", self._name, "begin",
                           "make the handler a generator, or use transact")  # fmt: skip
        line = next(number for number in range(len(self._in_use) + 1)
                    if number not in self._in_use)  # fmt: skip
        self._in_use[line] = None
        number = self._begun[line] = self._begun.get(line, 0) + 1
        tx = StoreTransaction(context, self._name, (line, number), timeout_ms, self._in_use)
        return tx.begin(StoreBeginRequest(number, isolation, snapshot, context.event_id))

    # --- The log, as others read it --------------------------------------------------------------

    def create_slot(self, name: str) -> "Event":
        """Create a replication slot; the event gives a Slot, with a snapshot to begin from.

        `begin(isolation="repeatable read", snapshot=slot.snapshot)` reads as of it, until the slot
        is asked for something else.

        Raises:
            StoreError: there is a slot of that name.
            StoreTimeout: no answer; it may be there.
        """
        return self._slot(CreateSlotRequest(name))

    def read_slot(
        self, name: str, after_lsn: int = 0, limit: int = 100, timeout_ms: int = 0
    ) -> "Event":
        """Read what was committed behind an lsn; the event gives a tuple of Commit.

        When there is none, it waits for one up to `timeout_ms`. What the slot has confirmed is not
        given again, whatever is asked for.

        Raises:
            SlotLost: the log that it would need is not kept any more.
            StoreError: there is no such slot, or another connection reads it.
            StoreTimeout: no answer.
        """
        body = ReadSlotRequest(name, after_lsn, limit, timeout_ms)
        return self._slot(body, timeout_ms + STORE_TIMEOUT_MS)

    def confirm(self, name: str, lsn: int) -> "Event":
        """Say that all up to and with `lsn` need not be kept; the event gives what is confirmed.

        Raises:
            SlotLost, StoreError, StoreTimeout: as of `read_slot`.
        """
        return self._slot(ConfirmSlotRequest(name, lsn))

    def drop_slot(self, name: str) -> "Event":
        """Forget a slot; what it retained goes with the next checkpoint.

        Raises:
            StoreError: there is no such slot, or another connection reads it.
            StoreTimeout: no answer.
        """
        return self._slot(DropSlotRequest(name))

    def slot(self, name: str) -> "Event":
        """Look at a slot; the event gives its SlotState, or None if there is none.

        Raises:
            StoreTimeout: no answer.
        """
        return self._slot(ShowSlotRequest(name))

    def _slot(self, body: Any, timeout_ms: int = STORE_TIMEOUT_MS) -> "Event":
        context, name = self._context, self._name
        if context.plain:
            raise BadInput("a plain function cannot wait for", name, type(body).__name__,
                           "make the handler a generator")  # fmt: skip
        event = context.node.event()

        def take(answer: Any) -> None:
            if answer is None:
                event.fail(StoreTimeout(f"{name} gave no answer"))
                return
            try:
                event.succeed(answer_or_raise(name, answer))
            except StoreError as refused:
                event.fail(refused)

        purpose = "slots" if body.__class__ is ShowSlotRequest else f"slot-{body.name}"
        context.connections.request(name, body, take, purpose, timeout_ms)
        return event


def _results(name: str, answer: TransactResponse) -> tuple[Any, ...]:
    if answer.status == "committed":
        return answer.results
    return answer_or_raise(name, answer)  # type: ignore[no-any-return]
