"""What a consumer machine wants done, in order, and whom it has asked.

A client machine returns nothing to its driver but effects: they stand in `outbox`, and the driver
carries them out after every call, in their order. Each request bears a token; the driver gives
the answer back with it, or None when there will be none.

`wake_us` is a lower bound of when the machine wants to be told the time: to be woken too early
costs a little, too late never happens. So the driver needs one timer, moved only forward.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from simulator.errors import KafkaError
from simulator.protocol.names import TopicPartition

NEVER = 1 << 62

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.

Answered = Callable[[Any, int], None]  # The answer or None, and the time.
Thrown = Exception  # What a call of the application throws.
Draw = Callable[[int, int], int]  # A delay between least and most, chosen by the driver.


class Ask(NamedTuple):
    """Send a request; answer with `token`. purpose: data or coordinator, a connection each."""

    token: int
    to: str
    body: Any
    purpose: str
    timeout_ms: int | None


class Disconnect(NamedTuple):
    """Close a connection that is no longer trusted; what is in flight on it fails."""

    to: str
    purpose: str


class Happened(NamedTuple):
    """Write a flat event into the trace."""

    event: tuple[Any, ...]


class Listen(NamedTuple):
    """Call the rebalance listener, then say so with `listened`. what: assigned, revoked, lost."""

    what: str
    partitions: tuple[TopicPartition, ...]


class CallBack(NamedTuple):
    """Call the callback of an asynchronous commit; error None: it succeeded."""

    callback: Any
    offsets: dict[TopicPartition, int]
    error: KafkaError | None


class Finished(NamedTuple):
    """A waiting call of the application returns `value`."""

    call: Any
    value: Any


class Failed(NamedTuple):
    """A waiting call of the application throws `error`."""

    call: Any
    error: Thrown


Effect = Ask | Disconnect | Happened | Listen | CallBack | Finished | Failed


class Wire:
    """The outbox, and the requests that have no answer yet.

    Args:
        draw: chooses a delay in microseconds between a least and a most; the machine itself
            never draws.
        backoff_range_us: the range of the pause after so many failures in a row.

    Attributes:
        failure: what the next poll must throw, whoever found it.
        unchanged: what was just answered gives nobody a reason to go on.
    """

    __slots__ = (
        "_asked",
        "_backoff_range_us",
        "_draw",
        "_next",
        "failure",
        "outbox",
        "unchanged",
        "wake_us",
    )

    def __init__(self, draw: Draw, backoff_range_us: Callable[[int], tuple[int, int]]) -> None:
        self._draw = draw
        self._backoff_range_us = backoff_range_us
        self._asked: dict[int, Answered] = {}
        self._next = 0
        self.outbox: list[Effect] = []
        self.wake_us = NEVER
        self.failure: KafkaError | None = None
        self.unchanged = False

    def ask(
        self,
        to: str,
        body: Any,
        answered: Answered,
        purpose: str = "data",
        timeout_ms: int | None = None,
    ) -> None:
        """Ask a broker; `answered` gets its answer, or None, and the time."""
        token = self._next
        self._next = token + 1
        self._asked[token] = answered
        self.outbox.append(_new(Ask, (token, to, body, purpose, timeout_ms)))

    def answer(self, token: int, body: Any, now_us: int) -> None:
        """An answer has come, or will not come (None)."""
        answered = self._asked.pop(token, None)  # None: it was forgotten.
        if answered is not None:
            answered(body, now_us)

    def forget(self) -> None:
        """Listen to no answer any more: the client is closed."""
        self._asked.clear()

    def want(self, at_us: int) -> None:
        """Be told the time at `at_us`."""
        self.wake_us = min(self.wake_us, at_us)

    def throw(self) -> None:
        """Throw what was found for the application, once."""
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def backoff_us(self, attempts: int) -> int:
        """How long to wait after `attempts` failures in a row, drawn within Kafka's jitter."""
        least, most = self._backoff_range_us(attempts)
        return least if least >= most else self._draw(least, most)
