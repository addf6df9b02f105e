"""Plain request and response between two nodes: no broker, no log, nobody who remembers.

A server answers calls one after another; whoever calls waits for its answer, and learns nothing of
a call whose answer does not come: it may have been carried out. This is what event-driven
architectures are compared with, and what hides in one that answers over topics.

Not modelled: several calls at work at a time in one server, streaming, load balancing.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.cluster.handlers import handler_waits, steps_of
from simulator.errors import RequestTimedOut
from simulator.protocol.call_messages import CallRequest, CallResponse

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.context import Context
    from simulator.world.kernel import Event
    from simulator.world.network import Connection
    from simulator.world.node import Node

CALL_TIMEOUT_MS = 5_000
Answer = Callable[[Any], Any]


class Server:
    """A node that answers calls, in the order in which they come.

    Args:
        factory: given a Context once an incarnation, gives a function from a question to its
            answer; plain, a generator function or an `async def`.
    """

    def __init__(
        self, cluster: "Cluster", name: str, factory: Callable[["Context"], Answer]
    ) -> None:
        self._cluster = cluster
        self._factory = factory
        self.node = cluster.node(name, self._boot)

    def _boot(self, node: "Node") -> None:
        context = self._cluster.context(node)
        answer = self._factory(context)
        context.plain = not handler_waits(answer)
        waiting: deque[tuple[Connection, int, Any]] = deque()
        at_work = False

        def serve(connection: "Connection", correlation: int, body: CallRequest) -> None:
            nonlocal at_work
            waiting.append((connection, correlation, body.question))
            if not at_work:
                at_work = True
                node.start(work(), "server")

        def work() -> Any:
            nonlocal at_work
            while waiting:
                connection, correlation, question = waiting.popleft()
                told = answer(question)
                if not context.plain:
                    told = yield from steps_of(told)
                if not node.point("before_answer"):
                    return
                connection.back.send(correlation, CallResponse(told))
            at_work = False

        node.on_request = serve


def call(context: "Context", server: str, question: Any, timeout_ms: int) -> "Event":
    """Ask a server; the event gives its answer, or RequestTimedOut."""
    answered = context.node.event()

    def take(response: CallResponse | None) -> None:
        if response is None:
            text = f"{server} gave no answer: whether it did what was asked is unknown"
            answered.fail(RequestTimedOut(text))
        else:
            answered.succeed(response.answer)

    context.connections.request(server, CallRequest(question), take, timeout_ms=timeout_ms)
    return answered
