"""How a follower comes to have its leader's log: it cuts what is not in it, then fetches the rest.

1. It asks, is answered, and asks again; `decide_ask` says what, `decide_answer` what follows.
2. An answer counts only if it comes from the leader that is followed, and fits where the log ends
   now: while it was under way the follower may have been told of another leader.
3. Where the logs part it cuts, and takes nothing else over from that answer: not even the high
   watermark, which is of a log that it does not have yet.
4. Its high watermark is what its leader says, at most the end of its own log. It learns that an
   offset is committed one fetch after the leader did.
5. Out of the leader's range, it cuts to the leader's end if its own log is longer; if the leader
   has deleted all that the follower has, it starts anew where the leader's log starts.

Sources: AbstractFetcherThread.scala, ReplicaFetcherThread.scala, ReplicaManager.scala.

Not modelled: throttling, several fetcher threads (num.replica.fetchers), fetching into a second
directory, fetching from tiered storage.
"""

from typing import Any

from simulator.protocol.errors import Error
from simulator.protocol.leader_epochs import NO_EPOCH, LeaderEpochs
from simulator.protocol.log import LogStartMoved, Truncated
from simulator.protocol.machine import NOTHING, SetTimer, Step
from simulator.protocol.messages import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    FetchPartition,
    OffsetListed,
)
from simulator.protocol.names import MICROS_PER_MS, UNKNOWN_OFFSET
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch
from simulator.protocol.replica_messages import BoundAsked, EpochAsked, EpochEnd, ReplicaFetched
from simulator.protocol.replication_facts import (
    Fact,
    HighWatermarkTold,
    LeaderFollowed,
    ReplicationConfig,
    Role,
    RoleChanged,
)
from simulator.protocol.truncation import cut_at

Ask = FetchPartition | EpochAsked | BoundAsked
Answer = ReplicaFetched | EpochEnd | OffsetListed

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_FETCHES = RoleChanged(Role.FETCHING)


class Following:
    """A follower's memory: whom it follows, and what it is at.

    Attributes:
        leader: a broker's name, or "" if there is none.
        leader_epoch: of that leader.
        role: what it does at the moment; see Role.
        cut_to: its high watermark when it began: where it cuts if its leader cannot say.
    """

    __slots__ = (
        "_config",
        "_epochs",
        "_fenced",
        "_most",
        "_on_fetch",
        "_partition",
        "cut_to",
        "leader",
        "leader_epoch",
        "role",
    )

    def __init__(
        self, partition: Partition, epochs: LeaderEpochs, config: ReplicationConfig
    ) -> None:
        self._partition = partition
        self._epochs = epochs
        self._config = config
        self._fenced = config.truncation.fenced
        self._on_fetch = config.truncation.on_fetch
        self._most = config.replica_fetch_max_bytes
        self.leader = ""
        self.leader_epoch = NO_EPOCH
        self.role = Role.IDLE
        self.cut_to = 0

    def follow(self, fact: LeaderFollowed) -> None:
        """Follow whom the controller names; look for a common log if that is asked."""
        self.leader = fact.registration.leader
        self.leader_epoch = fact.registration.leader_epoch
        if not self.leader:
            self.role = Role.IDLE
        elif fact.anew:
            self.cut_to = self._partition.high_watermark
            # With epochs on both sides the fetch itself tells; without, there is the mark alone.
            on_fetch = self._on_fetch and self._epochs.latest is not None
            self.role = Role.FETCHING if on_fetch else Role.CUTTING

    # --- Asking --------------------------------------------------------------------------------

    def decide_ask(self) -> tuple[tuple[Fact, ...], Ask | None]:
        """What to ask the leader now, or None; the facts are to be applied before."""
        role = self.role
        if role is Role.FETCHING:
            return (), self._fetch(self._partition.log.log_end_offset, self._epochs.latest)
        if role is Role.CUTTING:
            latest = self._epochs.latest
            if latest is not None and self._config.truncation.by_epoch:
                return (), EpochAsked(self._partition.partition, self._fence(), latest)
            end = min(self.cut_to, self._partition.log_end_offset)
            return (Truncated(end), _FETCHES), self._fetch(end, None)
        if role is Role.SEEKING_END:
            return (), BoundAsked(self._partition.partition, self._fence(), LATEST_TIMESTAMP)
        if role is Role.SEEKING_START:
            return (), BoundAsked(self._partition.partition, self._fence(), EARLIEST_TIMESTAMP)
        return (), None

    def _fence(self) -> int:
        return self.leader_epoch if self._fenced else NO_EPOCH

    def _fetch(self, offset: int, latest: int | None) -> FetchPartition:
        if latest is None or not self._on_fetch:
            latest = NO_EPOCH
        where = self._partition.partition
        fence = self.leader_epoch if self._fenced else NO_EPOCH
        return _new(FetchPartition, (where, offset, self._most, fence, latest))

    # --- Being answered ------------------------------------------------------------------------

    def decide_answer(self, ask: Ask, answer: Answer | None, source: str) -> Step:
        """What the answer of `source` to `ask` leads to; None: it never came.

        The timer that may be set says when to ask again; without one it is at once.
        """
        if source != self.leader or not self._is_current(ask):
            return NOTHING
        if answer is None:
            return self._later()
        error = answer.error
        if error is Error.NONE:
            if isinstance(answer, ReplicaFetched):
                return self._take(answer)
            return self._cut(answer) if isinstance(answer, EpochEnd) else self._found(answer)
        if error is Error.OFFSET_OUT_OF_RANGE and self.role is Role.FETCHING:
            return Step((RoleChanged(Role.SEEKING_END),))
        if error is Error.FENCED_LEADER_EPOCH:
            # Whoever knows more than this follower will tell it too.
            return Step((RoleChanged(Role.STOPPED),))
        return self._later()

    def _is_current(self, ask: Ask) -> bool:
        leader_epoch = ask.leader_epoch
        if leader_epoch not in (self.leader_epoch, NO_EPOCH):
            return False
        role = self.role
        if ask.__class__ is FetchPartition:
            return role is Role.FETCHING and ask[1] == self._partition.log.log_end_offset
        match ask:
            case EpochAsked(_, _, epoch):
                return role is Role.CUTTING and epoch == self._epochs.latest
            case BoundAsked(_, _, timestamp) if timestamp == LATEST_TIMESTAMP:
                return role is Role.SEEKING_END
        return role is Role.SEEKING_START

    def _later(self) -> Step:
        backoff_us = self._config.replica_fetch_backoff_ms * MICROS_PER_MS
        name = ("fetch", self._partition.partition)
        return Step((), (SetTimer(name, backoff_us, backoff_us),))

    def _take(self, answer: ReplicaFetched) -> Step:
        """Take batches and marks over; or cut where the logs part."""
        _, _, high_watermark, start, batches, diverging_epoch, diverging_end = answer
        log = self._partition.log
        if not batches and diverging_end == UNKNOWN_OFFSET and start <= log.log_start_offset:
            if high_watermark == log.high_watermark:
                return NOTHING
            return _new(Step, ((_new(HighWatermarkTold, (high_watermark,)),), ()))
        told = HighWatermarkTold(high_watermark)
        if diverging_end != UNKNOWN_OFFSET:
            end = self._partition.log_end_offset
            at, _ = cut_at(self._epochs, end, self.cut_to, (diverging_epoch, diverging_end))
            if self._config.truncation.high_watermark_first:
                return Step((told, Truncated(at)))
            return Step((Truncated(at),))
        facts: list[Fact] = []
        own_start = log.log_start_offset
        if batches and batches[0].base_offset < log.log_end_offset:
            if not self._is_around_start(batches[0]):
                # An earlier cut fell within a batch: nothing can be appended any more.
                return Step((RoleChanged(Role.STOPPED),))
            own_start = batches[0].base_offset
            facts.append(Truncated(own_start, fully=True))
        facts += batches
        if batches or high_watermark != log.high_watermark:
            facts.append(told)
        if start > own_start:
            facts.append(LogStartMoved(start))
        return _new(Step, (tuple(facts), ()))

    def _is_around_start(self, batch: Batch) -> bool:
        """Whether an empty log begins within the batch, where its leader's start was."""
        log = self._partition.log
        return log.log_start_offset == log.log_end_offset < batch.next_offset

    def _cut(self, answer: EpochEnd) -> Step:
        end = self._partition.log_end_offset
        told = (answer.leader_epoch, answer.end_offset)
        at, done = cut_at(self._epochs, end, min(self.cut_to, end), told)
        return Step((Truncated(at), _FETCHES) if done else (Truncated(at),))

    def _found(self, answer: OffsetListed) -> Step:
        """The leader's end or start, because the own end is not within."""
        own_end = self._partition.log_end_offset
        offset: Any = answer.offset
        if self.role is Role.SEEKING_END:
            if offset < own_end:
                return Step((Truncated(offset), _FETCHES))
            return Step((RoleChanged(Role.SEEKING_START),))
        if offset > own_end:
            return Step((Truncated(offset, fully=True), _FETCHES))
        return Step((_FETCHES,))
