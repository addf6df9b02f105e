"""A store node, and the client by which handlers reach it.

One request is one transaction: it happens wholly or not at all, and its facts are in the store's
write-ahead log, flushed, before the answer leaves. The client waits `STORE_TIMEOUT_MS`; when no
answer came, whether the transaction happened is unknown (`StoreTimeout`), and it is the handler's
matter what to do.

A generator or `async def` waits for the answer (`yield store.transact(...)`). A plain function
cannot wait: its calls happen at once, as calls of a library in its own process would, and its
node may crash just before any of them (points `store-0`, `store-1`, ...).
"""

from typing import TYPE_CHECKING, Any

from simulator.errors import StoreError, StoreTimeout, UniqueViolation
from simulator.protocol.machine import Request
from simulator.protocol.messages import TransactRequest, TransactResponse
from simulator.protocol.store import Store
from simulator.world.node import power_cut

if TYPE_CHECKING:
    from simulator.cluster.context import Context
    from simulator.world.kernel import Event
    from simulator.world.network import Connection
    from simulator.world.node import Node

STORE_TIMEOUT_MS = 5_000

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.


class StoreNode:
    """A node that runs one store."""

    def __init__(self) -> None:
        self.machine: Store | None = None

    def boot(self, node: "Node") -> None:
        """Recover the store from its write-ahead log, and serve it."""
        journal = node.disk.journal("wal")
        machine = self.machine = Store(journal)
        machine.recover(node.now_us)

        def serve(connection: "Connection", correlation: int, body: TransactRequest) -> None:
            answer = self.transact(node, body)
            if answer is not None:
                connection.back.send(correlation, answer)

        node.on_request = serve

    def transact(self, node: "Node", body: TransactRequest) -> TransactResponse | None:
        """Run one transaction; None if the node crashed before it could answer."""
        machine = self.machine
        assert machine is not None, "a store serves once its node has booted"
        step = machine.decide(_new(Request, (0, body, "")), node.now_us)
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
        else:
            for operation in body.operations:
                if getattr(operation, "effect", False):
                    node.record(
                        ("effect_refused", operation.table, operation.key, body.event_id,
                         answer.status)
                    )
        return answer


class StoreClient:
    """What a handler sees of a store."""

    def __init__(self, context: "Context", name: str) -> None:
        self._context = context
        self._name = name

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
        answer = machine.transact(server, body)
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


def _results(name: str, answer: TransactResponse) -> tuple[Any, ...]:
    if answer.status == "unique_violation":
        raise UniqueViolation(f"{name}: {answer.detail}")
    if answer.status != "committed":
        raise StoreError(f"{name}: {answer.detail}")
    return answer.results
