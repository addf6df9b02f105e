"""Whether a new leader still has what a consumer has read: positions are validated (KIP-320).

1. Positions whose epoch is older than their leader's are asked about, all of one leader in one
   OffsetsForLeaderEpoch: where does the epoch of the last record read end in the leader's log?
2. If it ends at the position or beyond, the position is good. If it ends before, the log was cut
   below the position: with a reset policy the consumer goes back to where the logs part, without
   one poll throws LogTruncated. If the leader cannot say, auto.offset.reset decides as if the
   position were out of range; without a policy poll throws LogTruncated.
3. An answer counts only if neither position nor leader has changed since. Every error, and no
   answer, means new metadata, and asking again after retry.backoff.ms; after LogTruncated it is
   asked again when request.timeout.ms is over, unless the application seeks.

Sources: SubscriptionState.maybeValidatePosition, maybeCompleteValidation; OffsetFetcher.java:
validatePositionsAsync; OffsetsForLeaderEpochUtils.java.
"""

from collections.abc import Callable

from simulator.errors import LogTruncated
from simulator.protocol.consumer_settings import ConsumerSettings
from simulator.protocol.errors import Error
from simulator.protocol.leader_epochs import NO_EPOCH
from simulator.protocol.leaders import Leaders
from simulator.protocol.names import MICROS_PER_MS, UNKNOWN_OFFSET, TopicPartition
from simulator.protocol.positions import Position, Positions
from simulator.protocol.replica_messages import (
    EpochAsked,
    EpochEnd,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
)
from simulator.protocol.wire import Happened, Wire

Asked = tuple[Position, int, int, int]  # With offset, epoch and leader epoch as they were.
Diverging = dict[tuple[str, int], int | None]


class Validating:
    """Asks new leaders about positions.

    Args:
        reset: gives a position up for the one that auto.offset.reset names.
    """

    def __init__(
        self,
        settings: ConsumerSettings,
        wire: Wire,
        positions: Positions,
        leaders: Leaders,
        reset: Callable[[Position], None],
    ) -> None:
        self._wire = wire
        self._positions = positions
        self._leaders = leaders
        self._reset = reset
        self._group = settings.group_id or ""
        self._resets = settings.auto_offset_reset != "none"
        self._request_us = settings.request_timeout_ms * MICROS_PER_MS

    def ask(self, positions: list[Position], now_us: int) -> None:
        """Ask the leaders of these, but for those that were asked, or failed just now."""
        asked: dict[str, list[Asked]] = {}
        for one in positions:
            if one.asked or one.offset is None:
                continue
            if now_us < one.try_at_us:
                self._wire.want(one.try_at_us)
                continue
            node = self._leaders.nodes.get(one.partition)
            if node is None:
                self._leaders.stale()
            else:
                here = (one, one.offset, one.epoch, one.leader_epoch)
                asked.setdefault(node, []).append(here)
        for node, here_asked in asked.items():
            for one, _, _, _ in here_asked:
                one.asked = True
                one.try_at_us = now_us + self._request_us
            epochs = [EpochAsked(one.partition, leads, own) for one, _, own, leads in here_asked]
            request = OffsetForLeaderEpochRequest(tuple(epochs))
            self._wire.ask(node, request, _Answer(self, here_asked))

    def answered(
        self, asked: list[Asked], body: OffsetForLeaderEpochResponse | None, now_us: int
    ) -> None:
        """A leader has answered, or will not."""
        told = {} if body is None else {one.partition: one for one in body.results}
        truncated: Diverging = {}
        for position, *then in asked:
            now = [position.offset, position.epoch, position.leader_epoch]
            assigned = self._positions.assigned.get(position.partition) is position
            if not (assigned and position.validating and position.asked and now == then):
                continue
            position.asked = False
            end = told.get(position.partition)
            if end is None or end.error is not Error.NONE:
                position.try_at_us = now_us + self._wire.backoff_us(0)
                self._wire.want(position.try_at_us)
                self._leaders.stale()
            else:
                self._complete(position, end, truncated)
        if truncated:
            names = ", ".join(str(TopicPartition(*one)) for one in truncated)
            self._wire.failure = LogTruncated(
                f"LOG_TRUNCATION: {names} cut below the position, and auto.offset.reset is none: "
                "seek, or set it to earliest or latest",
                truncated,
            )

    def _complete(self, position: Position, end: EpochEnd, truncated: Diverging) -> None:
        _, _, end_epoch, end_offset = end
        offset = position.offset
        assert offset is not None, "what is validated has a position"
        known = end_epoch != NO_EPOCH and end_offset != UNKNOWN_OFFSET
        if known and end_offset >= offset:
            position.validating = False
            position.try_at_us = 0
            self._positions.moved += 1
            return
        topic, number = position.partition
        event = ("truncation_found", self._group, topic, number, offset, end_offset)
        self._wire.outbox.append(Happened(event))
        if not self._resets:
            truncated[(topic, number)] = end_offset if known else None
        elif known:
            position.move(end_offset, end_epoch)
            position.validating = False  # The leader has just told this one.
            self._positions.moved += 1
        else:
            self._reset(position)


class _Answer:
    """Where the answer to one OffsetsForLeaderEpoch goes."""

    __slots__ = ("_asked", "_validating")

    def __init__(self, validating: Validating, asked: list[Asked]) -> None:
        self._validating = validating
        self._asked = asked

    def __call__(self, body: OffsetForLeaderEpochResponse | None, now_us: int) -> None:
        self._validating.answered(self._asked, body, now_us)
