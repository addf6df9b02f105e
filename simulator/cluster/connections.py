"""A client's connections: requests out, answers back, timeouts, and reconnecting with backoff.

1. There is one connection per broker and purpose. Group requests have one of their own, because a
   broker answers one request of a connection at a time, and a fetch may wait there for long.
2. A request that is not answered in time closes its connection: every request in flight on it
   fails, in order (NetworkClient.handleTimedOutRequests). Whether it took effect is unknown.
3. After a failure the next connection waits for reconnect.backoff.ms, doubled each time up to
   reconnect.backoff.max.ms, give or take 20 %; requests made meanwhile wait for it (KIP-144).
4. A request is what opens a connection, and the first to find out that nobody is there. Only who
   never hears of his requests (acks=0) connects first (`ready`), and is told when a connection is
   lost, and when it may be tried again.

Not modelled: connection set-up time (socket.connection.setup.timeout.ms), idle connections being
closed (connections.max.idle.ms), authentication.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.chance import uniform
from simulator.errors import BadInput
from simulator.protocol.backoff import exponential_backoff
from simulator.protocol.names import MICROS_PER_MS

if TYPE_CHECKING:
    from simulator.protocol.consumer_settings import ConsumerSettings
    from simulator.protocol.producer_settings import ProducerSettings
    from simulator.world.kernel import Timer
    from simulator.world.network import Connection
    from simulator.world.node import Node

Answered = Callable[[Any], None]
Watch = Callable[[str, bool], None]


class _Line:
    """All there is between one client and one broker for one purpose."""

    __slots__ = (
        "blocked", "connection", "due_us", "failures", "in_flight", "owner", "target", "timer",
        "waiting",
    )

    def __init__(self, owner: "Connections", target: str) -> None:
        self.owner = owner
        self.target = target
        self.connection: Connection | None = None
        self.in_flight: deque[tuple[int, Answered, int]] = deque()  # correlation, to whom, until
        self.waiting: list[tuple[Any, Answered | None, int]] = []
        self.timer: Timer | None = None
        self.due_us = 0  # When the timer fires.
        self.failures = 0
        self.blocked = False

    def send(self, body: Any, answered: Answered | None, timeout_us: int) -> None:
        if self.blocked:
            self.waiting.append((body, answered, timeout_us))
            return
        owner = self.owner
        connection = self.connection
        if connection is None:
            if owner.watch is not None and not self.ready():
                self.waiting.append((body, answered, timeout_us))
                return
            connection = self.connection or owner.open(self)
            self.connection = connection
        correlation = owner.next_correlation
        owner.next_correlation = correlation + 1
        if answered is not None:
            due_us = owner.node.now_us + timeout_us
            self.in_flight.append((correlation, answered, due_us))
            if self.timer is None or due_us < self.due_us:
                self._arm(due_us)
        connection.there.send(correlation, body)

    def ready(self) -> bool:
        """Whether there is a connection; if one may be tried, it is."""
        if self.blocked or self.connection is not None:
            return not self.blocked
        owner = self.owner
        if owner.reaches(self.target):
            self.connection = owner.open(self)
            return True
        self._back_off()
        return False

    def answer(self, correlation: int, body: Any) -> None:
        """An answer has arrived; a second one to the same request is dropped."""
        in_flight = self.in_flight
        if in_flight and in_flight[0][0] == correlation:
            answered = in_flight.popleft()[1]
        else:
            for position, entry in enumerate(in_flight):
                if entry[0] == correlation:
                    answered = entry[1]
                    del in_flight[position]
                    break
            else:
                return
        self.failures = 0
        answered(body)

    def _arm(self, due_us: int) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.due_us = due_us
        self.timer = self.owner.node.after(due_us - self.owner.node.now_us, self._due)

    def _due(self, _: Any) -> None:
        """One deadline that moves: fail if the oldest request is over its time, else look later."""
        self.timer = None
        if not self.in_flight:
            return
        due_us = min(entry[2] for entry in self.in_flight)
        if due_us <= self.owner.node.now_us:
            self.fail()
        else:
            self._arm(due_us)

    def fail(self) -> None:
        """The connection is no good any more: everything in flight on it fails, in order."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()
        failed, self.in_flight = self.in_flight, deque()
        self._back_off()
        for _, answered, _ in failed:
            answered(None)

    def _back_off(self) -> None:
        """Let some time pass before the next connection."""
        owner = self.owner
        self.failures += 1
        self.blocked = True
        owner.node.after(owner.backoff_us(self.failures), self._unblock)
        if owner.watch is not None:
            # Not at once: the one who is told may be the one who asked whether it is ready.
            owner.node.after(0, self._tell, False)

    def _tell(self, usable: bool) -> None:  # noqa: FBT001 - a timer's argument
        watch = self.owner.watch
        if watch is not None:
            watch(self.target, usable)

    def _unblock(self, _: Any) -> None:
        self.blocked = False
        waiting, self.waiting = self.waiting, []
        for body, answered, timeout_us in waiting:
            self.send(body, answered, timeout_us)
        if self.owner.watch is not None and not self.blocked:
            self._tell(True)


class Connections:
    """Every connection of one client.

    Args:
        request_timeout_ms: how long a request may go unanswered.
        reconnect_backoff_ms: the pause after a first failure.
        reconnect_backoff_max_ms: the longest pause.

    Attributes:
        watch: told of a node's name, and whether a connection to it may be had: False when one
            was lost or could not be had, True when it may be tried again.
    """

    def __init__(
        self,
        node: "Node",
        *,
        request_timeout_ms: int = 30_000,
        reconnect_backoff_ms: int = 50,
        reconnect_backoff_max_ms: int = 1_000,
    ) -> None:
        self.node = node
        self.next_correlation = 0
        self.watch: Watch | None = None
        self._timeout_us = request_timeout_ms * MICROS_PER_MS
        self._backoff_us = reconnect_backoff_ms * MICROS_PER_MS
        self._backoff_max_us = reconnect_backoff_max_ms * MICROS_PER_MS
        self._lines: dict[tuple[str, str], _Line] = {}

    @classmethod
    def configured(
        cls, node: "Node", settings: "ProducerSettings | ConsumerSettings"
    ) -> "Connections":
        """The connections of a client with these settings."""
        return cls(
            node,
            request_timeout_ms=settings.request_timeout_ms,
            reconnect_backoff_ms=settings.reconnect_backoff_ms,
            reconnect_backoff_max_ms=settings.reconnect_backoff_max_ms,
        )

    def request(
        self,
        target: str,
        body: Any,
        answered: Answered | None,
        purpose: str = "data",
        timeout_ms: int | None = None,
    ) -> None:
        """Send a request.

        Args:
            answered: called with the answer, or with None when there will be none (timed out, or
                disconnected: it may have taken effect). None: no answer is expected (acks=0).

        Raises:
            BadInput: there is no such node.
        """
        line = self._lines.get((target, purpose)) or self._line(target, purpose)
        timeout_us = self._timeout_us if timeout_ms is None else timeout_ms * MICROS_PER_MS
        line.send(body, answered, timeout_us)

    def _line(self, target: str, purpose: str) -> _Line:
        line = self._lines.get((target, purpose))
        if line is None:
            line = self._lines[target, purpose] = _Line(self, target)
        return line

    def ready(self, target: str, purpose: str = "data") -> bool:
        """Whether a request would go out now, on a connection that stands (NetworkClient.ready).

        If there is none, and its backoff is over, one is tried: it fails if nobody is there.
        """
        return self._line(target, purpose).ready()

    def reaches(self, target: str) -> bool:
        """Whether somebody at a node would take a connection now; it takes no time to know."""
        world = self.node.world
        server = world.nodes.get(target)
        if server is None:
            return True  # `open` says what is wrong.
        network = world.network
        cut = network.route(self.node, server).cuts or network.route(server, self.node).cuts
        return not cut and (server.gate.open or server.gate.held is not None)

    def in_flight(self, target: str, purpose: str = "data") -> int:
        """How many requests to that node are unanswered."""
        line = self._lines.get((target, purpose))
        return len(line.in_flight) + len(line.waiting) if line else 0

    def disconnect(self, target: str, purpose: str = "data") -> None:
        """Close a connection, as a client does with one it no longer trusts."""
        line = self._lines.get((target, purpose))
        if line is not None and line.connection is not None:
            line.fail()

    def close(self) -> None:
        """Close all of them, and tell nobody."""
        for line in self._lines.values():
            line.in_flight.clear()
            line.waiting.clear()
            if line.connection is not None:
                line.connection.close()
                line.connection = None

    def open(self, line: _Line) -> "Connection":
        """A new connection for a line."""
        world = self.node.world
        server = world.nodes.get(line.target)
        if server is None:
            known = ", ".join(world.nodes)
            fix = f"known: {known}"
            raise BadInput("there is no node called", self.node.name, line.target, fix)
        return world.network.connect(self.node, server, line.answer, line.fail)

    def backoff_us(self, failures: int) -> int:
        """How long to wait before the next connection after so many failures in a row."""
        law = uniform(*exponential_backoff(failures - 1, self._backoff_us, self._backoff_max_us))
        jitter = self.node.source(f"reconnect@{self.node.name}", "delay", law)
        return law.floor_us + jitter()
