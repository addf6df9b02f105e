"""What partitions' leaders say of their logs' beginnings, ends and times, for the application.

1. Any partition may be asked about, assigned or not; no position moves.
2. The leaders are asked one request each. What fails is asked again, of whoever leads then, with
   a backoff, until default.api.timeout.ms; what was answered stays answered.
3. The end is where this consumer's reading ends: the high watermark, or the last stable offset
   with isolation.level=read_committed.

Source: OffsetFetcher.java (fetchOffsetsByTimes).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from simulator.errors import BadInput, KafkaError, RetriableError
from simulator.protocol.attempts import Attempt
from simulator.protocol.committing import Committing
from simulator.protocol.errors import Error
from simulator.protocol.leader_epochs import NO_EPOCH
from simulator.protocol.leaders import Leaders
from simulator.protocol.messages import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    ListOffsetsRequest,
    ListOffsetsResponse,
    OffsetAsked,
    OffsetListed,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.positions import partition_of
from simulator.protocol.wire import Failed, Finished, Wire

NAMED = {"beginning": EARLIEST_TIMESTAMP, "end": LATEST_TIMESTAMP}


class OffsetAndTimestamp(NamedTuple):
    """The first record that is not older than what was asked for (OffsetAndTimestamp.java)."""

    offset: int
    timestamp_ms: int


def listed_wanted(times: Mapping[Any, Any]) -> dict[TopicPartition, int]:
    """What to ask each partition's leader for: its "beginning" or "end", or a time in ms.

    Raises:
        BadInput: something is no partition, or a time is no whole number from 0.
    """
    wanted: dict[TopicPartition, int] = {}
    for partition, time in times.items():
        where = partition_of(partition)
        if not isinstance(time, str) and (type(time) is not int or time < 0):
            raise BadInput("a time to look for is in ms, a whole number from 0:", "", time)
        wanted[where] = NAMED[time] if isinstance(time, str) else time
    return wanted


class Listing:
    """One consumer's questions about offsets."""

    def __init__(
        self, wire: Wire, leaders: Leaders, committing: Committing, isolation_level: str
    ) -> None:
        self._wire = wire
        self._leaders = leaders
        self._committing = committing
        self._isolation_level = isolation_level

    def ask(
        self, call: Any, now_us: int, wanted: dict[TopicPartition, int], timeout_us: int
    ) -> None:
        """Ask until all is answered: the call finishes with a dict, partition to its answer.

        An answer is an offset where a beginning or an end was asked for, else OffsetAndTimestamp
        or None (no record is that young). The call fails with RequestTimedOut or KafkaError.
        """
        found: dict[TopicPartition, Any] = {}
        topics = {one.topic for one in wanted}
        before = self._leaders.wanted
        self._leaders.want(tuple(topics.union(before)))

        def end(result: Any, _: int) -> None:
            rest = tuple(one for one in self._leaders.wanted if one in before or one not in topics)
            self._leaders.want(rest)
            if isinstance(result, KafkaError):
                self._wire.outbox.append(Failed(call, result))
            else:
                in_order = {one: found[one] for one in wanted}
                self._wire.outbox.append(Finished(call, in_order))

        question = _Question(self, wanted, found)
        give_up_us = now_us + timeout_us
        attempt = Attempt(self._committing, None, question.ask, give_up_us, end)
        self._committing.start(attempt, now_us)

    def by_leader(
        self, wanted: Mapping[TopicPartition, int], now_us: int
    ) -> dict[str, list[OffsetAsked]] | None:
        """The requests to send; None while somebody's leader is not known."""
        leaders = self._leaders
        leaders.refresh(now_us)  # If that is due: an application may ask this and never poll.
        asked: dict[str, list[OffsetAsked]] = {}
        for partition, timestamp_ms in wanted.items():
            node = leaders.nodes.get(partition)
            if node is None:
                leaders.stale()
                leaders.refresh(now_us)
                self._wire.want(leaders.due_us)
                return None
            epoch = leaders.epochs.get(partition, NO_EPOCH)
            asked.setdefault(node, []).append(OffsetAsked(partition, timestamp_ms, epoch))
        return asked

    def send(self, node: str, asked: list[OffsetAsked], answered: Any) -> None:
        """Ask one leader."""
        self._wire.ask(node, ListOffsetsRequest(tuple(asked), self._isolation_level), answered)

    def stale(self) -> None:
        """Somebody does not lead what it was asked about."""
        self._leaders.stale()


class _Question:
    """One call's partitions, until each is answered."""

    def __init__(
        self, listing: Listing, wanted: dict[TopicPartition, int], found: dict[TopicPartition, Any]
    ) -> None:
        self._listing = listing
        self._wanted = wanted
        self._found = found
        self._awaited = 0  # Leaders that have not answered in this attempt.
        self._refused: KafkaError | None = None

    def ask(self, attempt: Attempt, now_us: int) -> None:
        """Ask about all that is not answered yet."""
        left = {one: time for one, time in self._wanted.items() if one not in self._found}
        asked = self._listing.by_leader(left, now_us)
        if asked is None:
            attempt.busy = False
            return
        self._refused = None
        self._awaited = len(asked)
        for node, each in asked.items():
            self._listing.send(node, each, lambda body, at_us: self._answered(attempt, body, at_us))
        if not asked:
            attempt.outcome(None, now_us)

    def _answered(self, attempt: Attempt, body: ListOffsetsResponse | None, now_us: int) -> None:
        if body is None:
            self._refused = self._refused or RetriableError("NETWORK_EXCEPTION: no offset was told")
            self._listing.stale()
        for result in () if body is None else body.results:
            self._learn(result)
        self._awaited -= 1
        if self._awaited == 0:
            attempt.outcome(self._refused, now_us)

    def _learn(self, result: OffsetListed) -> None:
        partition, error, offset, timestamp_ms, _ = result
        if error is Error.NONE:
            if self._wanted[partition] in NAMED.values():
                self._found[partition] = offset
            else:
                young = OffsetAndTimestamp(offset, timestamp_ms)
                self._found[partition] = young if offset >= 0 else None
        elif error.retriable:
            self._refused = self._refused or RetriableError(f"{error.name}: {partition}")
            self._listing.stale()
        else:
            self._refused = KafkaError(f"{error.name}: {partition} tells no offset")
