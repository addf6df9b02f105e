"""What an application waits for, tried again until it succeeds, fails for good or is out of time.

An attempt that fails with a RetriableError is made again after retry.backoff.ms, doubled up to
retry.backoff.max.ms; a rebalance is no such error, for it is the application that must poll.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.errors import RebalanceInProgress, RequestTimedOut, RetriableError
from simulator.protocol.membership import NO_MEMBER
from simulator.protocol.messages import OffsetCommitResponse

if TYPE_CHECKING:
    from simulator.protocol.committing import Committing


class Attempt:
    """Something tried again until it succeeds, fails for good, or its time is up.

    `try_once(attempt, now_us)` starts one attempt and tells `outcome` how that went; `end` is told
    the last outcome. `subject` is whatever it is about.
    """

    __slots__ = (
        "_attempts",
        "_end",
        "_owner",
        "_try_once",
        "busy",
        "give_up_us",
        "sent",
        "subject",
        "try_at_us",
    )

    def __init__(
        self,
        owner: "Committing",
        subject: Any,
        try_once: Callable[["Attempt", int], None],
        give_up_us: int,
        end: Callable[[Any, int], None],
    ) -> None:
        self._owner = owner
        self.subject = subject
        self._try_once = try_once
        self.give_up_us = give_up_us
        self._end = end
        self._attempts = 0
        self.busy = False
        self.try_at_us = 0
        self.sent = NO_MEMBER  # As which member of which generation it was asked last.

    def go_on(self, now_us: int) -> None:
        """Try again if it is time to."""
        if now_us >= self.give_up_us:
            late = RequestTimedOut("REQUEST_TIMED_OUT: default.api.timeout.ms is over")
            self._over(late, now_us)
        elif not self.busy and now_us >= self.try_at_us:
            self.busy = True
            self._try_once(self, now_us)

    def committed(self, body: OffsetCommitResponse | None, now_us: int) -> None:
        """The coordinator has answered a commit of `subject`, or will not."""
        error = self._owner.committed(self.subject, self.sent, body)
        if error is None and self._try_once is not _never_again:
            self._over(None, now_us)
        else:
            self.outcome(error, now_us)

    def outcome(self, result: Any, now_us: int) -> None:
        """An attempt ended with a value or an error."""
        if self._try_once is _never_again:
            return
        self.busy = False
        if (
            result is not None
            and isinstance(result, RetriableError)
            and not isinstance(result, RebalanceInProgress)
        ):
            wire = self._owner.wire
            self.try_at_us = now_us + wire.backoff_us(self._attempts)
            self._attempts += 1
            wire.want(min(self.try_at_us, self.give_up_us))
        else:
            self._over(result, now_us)

    def _over(self, result: Any, now_us: int) -> None:
        self._try_once = _never_again
        self._end(result, now_us)
        waiting = self._owner.waiting
        if self in waiting:
            waiting.remove(self)

    def due_us(self, now_us: int) -> int:
        """When to go on, if no answer comes before."""
        if self.busy or self.try_at_us <= now_us:
            return self.give_up_us
        return min(self.try_at_us, self.give_up_us)


def _never_again(_: Attempt, __: int) -> None:
    """What is over is not tried."""
