"""Producers with acks=all wait here until every batch of their request is committed, or cannot be.

Rule 1: a request is answered once, when none of its partitions is waited for any more.
Rule 2: a batch is committed when the high watermark has passed it. A smaller in-sync set then, or
a lost leadership before, is told as an error; the record stays in the log all the same.
Rule 3: when time is up, what is still waited for is told REQUEST_TIMED_OUT, and stays in the log
too: a retry without idempotence writes it twice.

Everything here is soft: a crash answers nobody.

Source: DelayedProduce.scala, ReplicaManager.appendRecords.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from simulator.protocol.errors import Error
from simulator.protocol.machine import NOTHING, CancelTimer, Reply, SetTimer, Step
from simulator.protocol.messages import PartitionProduced, ProduceResponse
from simulator.protocol.names import MICROS_PER_MS, TopicPartition

Results = tuple[PartitionProduced, ...]
Acked = Callable[[TopicPartition, int], Error | None]

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_NONE = Error.NONE


class ProduceWaits(NamedTuple):
    """A request waits; ends: up to where the high watermark must come, by partition."""

    to: Any
    results: Results
    ends: dict[TopicPartition, int]


class ProduceAnswered(NamedTuple):
    """A request waits no more."""

    to: Any


class AcksWaiting:
    """The produce requests of one broker that wait; what is at hand is asked of `acked`.

    `acked(partition, offset)` is Replica.acked of that partition, and NOT_LEADER_OR_FOLLOWER where
    the broker has no such replica.
    """

    __slots__ = ("_at", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[Any, ProduceWaits] = {}
        self._at: dict[TopicPartition, dict[Any, None]] = {}

    def decide_wait(
        self,
        to: Any,
        results: Results,
        ends: Mapping[TopicPartition, int],
        timeout_ms: int,
        acked: Acked,
    ) -> Step:
        """A request whose batches are appended: answer it, or let it wait.

        Args:
            to: what the answer must name.
            results: of every partition of the request, as appended.
            ends: for each success the offset after its last record, also that of a duplicate.
            timeout_ms: how long the producer lets us wait (its request.timeout.ms).
            acked: see the class.
        """
        results, left = _settle(results, dict(ends), acked)
        if not left:
            return Step((), (Reply(to, ProduceResponse(results)),))
        timeout_us = timeout_ms * MICROS_PER_MS
        timer = _new(SetTimer, (("acks", to), timeout_us, timeout_us))
        return _new(Step, ((_new(ProduceWaits, (to, results, left)),), (timer,)))

    def decide_moved(self, where: TopicPartition, acked: Acked) -> Step:
        """A partition's high watermark, or this broker's role in it, has changed."""
        waiting = self._at.get(where)
        if not waiting:
            return NOTHING
        facts: list[ProduceWaits | ProduceAnswered] = []
        effects: list[Reply | CancelTimer] = []
        for to in waiting:
            _, results, ends = self.waiting[to]
            results, left = _settle(results, ends, acked)
            if not left:
                facts.append(_new(ProduceAnswered, (to,)))
                effects.append(_new(CancelTimer, (("acks", to),)))
                effects.append(_new(Reply, (to, ProduceResponse(results))))
            elif len(left) < len(ends):
                facts.append(ProduceWaits(to, results, left))
        return _new(Step, (tuple(facts), tuple(effects)))

    def decide_timeout(self, to: Any) -> Step:
        """The timer ("acks", to) has expired."""
        waits = self.waiting.get(to)
        if waits is None:
            return NOTHING
        late = Error.REQUEST_TIMED_OUT
        results = tuple(
            one._replace(error=late) if one.partition in waits.ends else one
            for one in waits.results
        )
        return Step((ProduceAnswered(to),), (Reply(to, ProduceResponse(results)),))

    def apply(self, fact: ProduceWaits | ProduceAnswered) -> None:
        """Make a fact true."""
        known = self.waiting.pop(fact.to, None)
        if known is not None:
            for where in known.ends:
                at = self._at[where]
                del at[fact.to]
                if not at:
                    del self._at[where]
        if isinstance(fact, ProduceWaits):
            self.waiting[fact.to] = fact
            for where in fact.ends:
                self._at.setdefault(where, {})[fact.to] = None


def _settle(
    results: Results, ends: dict[TopicPartition, int], acked: Acked
) -> tuple[Results, dict[TopicPartition, int]]:
    """The results with what is known now, and what is still to be waited for."""
    left = {}
    settled = []
    for one in results:
        end = ends.get(one.partition)
        if end is not None:
            error = acked(one.partition, end)
            if error is None:
                left[one.partition] = end
            elif error is not _NONE:
                settled.append(one._replace(error=error))
                continue
        settled.append(one)
    return tuple(settled), left
