"""Fetches that wait for records, and are answered when there are enough, or when time is up.

What a fetch would be answered now changes only when somebody says so (`wake`): a batch is
appended, the high watermark moves, a log's start does, or a broker's role.

Source: DelayedFetch.scala, DelayedOperationPurgatory.java.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulator.protocol import messages as m
from simulator.protocol.names import MICROS_PER_MS, TopicPartition

if TYPE_CHECKING:
    from simulator.cluster.broker import Broker
    from simulator.world.kernel import Timer
    from simulator.world.network import Connection

Look = Callable[[m.FetchRequest], tuple[m.FetchResponse, bool]]


class _Waiting:
    """A fetch that waits; `answer` is what it would be answered now."""

    __slots__ = ("answer", "body", "connection", "correlation", "done", "timer")

    def __init__(
        self,
        connection: "Connection",
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
        anew: look once more when time is up: marks may have moved for which nobody was woken.
    """

    __slots__ = ("_broker", "_look", "_time_up", "at")

    def __init__(self, broker: "Broker", look: Look, *, anew: bool = False) -> None:
        self._broker = broker
        self._look = look
        self._time_up = self._look_and_finish if anew else self._finish
        self.at: dict[TopicPartition, list[_Waiting]] = {}  # Empty lists stay.

    def hold(
        self,
        connection: "Connection",
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
            body.max_wait_ms * MICROS_PER_MS, self._time_up, waiting
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

    def _look_and_finish(self, waiting: _Waiting) -> None:
        waiting.answer, _ = self._look(waiting.body)
        self._finish(waiting)

    def _finish(self, waiting: _Waiting) -> None:
        waiting.done = True
        if waiting.timer is not None:
            waiting.timer.cancel()
        for one in waiting.body.partitions:
            self.at[one[0]].remove(waiting)
        self._broker.answer(waiting.connection, waiting.correlation, waiting.answer)
