"""enable.auto.commit: positions committed in passing, every auto.commit.interval.ms.

1. The clock of it is looked at inside poll alone; what is committed is what *earlier* polls have
   handed out. So it is at-least-once for an application that is done with the records of one
   poll when it calls the next, and neither for one that is not.
2. Its failures are nobody's business: a retriable one is tried again after retry.backoff.ms, any
   other waits for the next interval.

Source: ConsumerCoordinator.maybeAutoCommitOffsetsAsync.
"""

from simulator.errors import KafkaError, RebalanceInProgress, RetriableError
from simulator.protocol.committing import Committing
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.positions import Positions
from simulator.protocol.wire import NEVER, Wire


class AutoCommit:
    """The timer of automatic commits; `at_us` is never when they are off."""

    __slots__ = ("_committing", "_interval_us", "_positions", "_wire", "at_us", "on")

    def __init__(
        self,
        settings: ConsumerSettings,
        wire: Wire,
        positions: Positions,
        committing: Committing,
    ) -> None:
        self.on = settings.auto_commits
        self._interval_us = settings.auto_commit_interval_ms * MICROS_PER_MS
        self._wire = wire
        self._positions = positions
        self._committing = committing
        self.at_us = -1 if self.on else NEVER  # It begins with the first poll.

    def restart(self, now_us: int) -> None:
        """A new assignment has come, or the first poll: the interval begins anew."""
        if self.on:
            self.at_us = now_us + self._interval_us

    def maybe(self, now_us: int) -> None:
        """Commit if the interval is over."""
        if now_us < self.at_us:
            return
        if self.at_us < 0:
            self.restart(now_us)
            return
        self.at_us = now_us + self._interval_us
        self._committing.send_async(self._positions.consumed(), now_us, self._committed)

    def _committed(self, error: KafkaError | None, now_us: int) -> None:
        if isinstance(error, RetriableError) and not isinstance(error, RebalanceInProgress):
            self.at_us = now_us + self._wire.backoff_us(0)
            self._wire.want(self.at_us)
