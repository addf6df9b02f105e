"""Fetches that wait for records, and are answered when there are enough, or when time is up.

What a fetch would be answered now changes only when somebody says so (`wake`): a batch is
appended, the high watermark moves, a log's start does, or a broker's role.

Source: DelayedFetch.scala, DelayedOperationPurgatory.java.
"""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.protocol import messages as m
from simulator.protocol.names import MICROS_PER_MS, TopicPartition

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.broker import Broker
    from simulator.world.kernel import Timer

Look = Callable[[m.FetchRequest], tuple[m.FetchResponse, bool]]


class _Waiting:
    """A fetch that waits; `answer` is what it would be answered now."""

    __slots__ = ("answer", "body", "connection", "correlation", "done", "timer")

    def __init__(
        self,
        connection: "Asker",
        correlation: int,
        body: m.FetchRequest,
        answer: m.FetchResponse,
    ) -> None:
        self.answer = answer
        self.connection = connection
        self.correlation = correlation
        self.body = body
        self.done = False
        self.timer: Timer | None = None


class Parked:
    """The fetches of one kind that wait at a broker.

    Args:
        look: gives the answer to a fetch as of now, and whether there is reason to give it.
    """

    __slots__ = ("_broker", "_look", "at")

    def __init__(self, broker: "Broker", look: Look) -> None:
        self._broker = broker
        self._look = look
        self.at: dict[TopicPartition, list[_Waiting]] = {}  # Empty lists stay.

    def hold(
        self,
        connection: "Asker",
        correlation: int,
        body: m.FetchRequest,
        answer: m.FetchResponse,
    ) -> None:
        """Let a fetch wait for as long as it allows."""
        waiting = _Waiting(connection, correlation, body, answer)
        for one in body.partitions:
            at = self.at.get(one[0])
            if at is None:
                at = self.at[one[0]] = []
            at.append(waiting)
        waiting.timer = self._broker.node.after(
            body.max_wait_ms * MICROS_PER_MS, self._finish, waiting
        )

    def wake(self, where: TopicPartition) -> None:
        """Something has changed in a partition: answer the fetches that now have enough."""
        at = self.at.get(where)
        if not at:
            return
        for waiting in tuple(at):
            if not waiting.done:
                waiting.answer, enough = self._look(waiting.body)
                if enough:
                    self._finish(waiting)

    def _finish(self, waiting: _Waiting) -> None:
        waiting.done = True
        if waiting.timer is not None:
            waiting.timer.cancel()
        for one in waiting.body.partitions:
            self.at[one[0]].remove(waiting)
        self._broker.answer(waiting.connection, waiting.correlation, waiting.answer)


class ParkedFollowers(Parked):
    """The fetches of followers: all wait equally long, so that one timer serves them all.

    When time is up they are looked at once more: marks may have moved, for which nobody is woken.
    """

    __slots__ = ("_armed", "_due")

    def __init__(self, broker: "Broker", look: Look) -> None:
        super().__init__(broker, look)
        self._due: deque[tuple[int, _Waiting]] = deque()  # In the order of their times.
        self._armed = False

    def hold(
        self,
        connection: "Asker",
        correlation: int,
        body: m.FetchRequest,
        answer: m.FetchResponse,
    ) -> None:
        """Let a fetch wait for as long as it allows."""
        waiting = _Waiting(connection, correlation, body, answer)
        for one in body.partitions:
            self.at.setdefault(one[0], []).append(waiting)
        wait_us = body.max_wait_ms * MICROS_PER_MS
        node = self._broker.node
        self._due.append((node.steady_us + wait_us, waiting))
        if not self._armed:
            self._armed = True
            node.after(wait_us, self._time_up)

    def _time_up(self, _: Any) -> None:
        self._armed = False
        due, node = self._due, self._broker.node
        while due and (due[0][1].done or due[0][0] <= node.steady_us):
            waiting = due.popleft()[1]
            if not waiting.done:
                waiting.answer, _enough = self._look(waiting.body)
                self._finish(waiting)
        if due and not self._armed:
            self._armed = True
            node.after(due[0][0] - node.steady_us, self._time_up)
