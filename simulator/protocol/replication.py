"""A replica of a partition on one broker: it leads or follows, as the controller says.

Rule 1: `decide...` only looks; `apply` is the one writer, of the log, the epochs and the memory.
Rule 2: a step's facts are applied in order, then its effects are carried out, then what waits is
looked at again: fetches if the log has grown (and consumers' fetches if the high watermark has
moved), producers with acks=all if the mark or the role has changed.
Rule 3: a new leader keeps all that it has, also what lies above its high watermark: that may be
committed, and it does not know. It notes its epoch before it writes anything.
Rule 4: whoever knows a newer partition epoch does not listen to an older.

A partition with one replica needs none of this: its broker calls Partition itself.

Sources: Partition.scala, ReplicaManager.scala, UnifiedLog.scala; KafkaReplication.tla.

Not modelled: reassignment, moving between directories, throttled replicas.
"""

from collections.abc import Mapping
from typing import Any

from simulator.protocol import replica_messages as rm
from simulator.protocol.cleaned import CleanedBatch
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.leader_epochs import NO_EPOCH, LeaderEpochs
from simulator.protocol.log import LogConfig, Truncated
from simulator.protocol.machine import NOTHING, Step
from simulator.protocol.messages import (
    LATEST_TIMESTAMP,
    FetchPartition,
    OffsetListed,
    PartitionFetched,
    PartitionProduced,
)
from simulator.protocol.names import UNKNOWN_OFFSET, TopicPartition
from simulator.protocol.partition import Partition
from simulator.protocol.records import Batch
from simulator.protocol.replication_facts import (
    ALLOWED,
    HIGH_WATERMARK,
    Fact,
    FollowerFetched,
    HighWatermarkTold,
    IsrCommitted,
    IsrProposed,
    IsrReverted,
    LeaderFollowed,
    LeadershipTaken,
    ReplicationConfig,
    Role,
    RoleChanged,
)
from simulator.protocol.replication_following import Answer, Ask, Following
from simulator.protocol.replication_leading import Leading
from simulator.protocol.truncation import diverges, epoch_end

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
_NONE = Error.NONE
_DEFAULT, _DEFAULT_LOG = ReplicationConfig(), LogConfig()


class Replica:
    """One broker's replica of one partition.

    Args:
        name: the broker's.
        partition: its topic and number.
        journal: the file on the broker's disk; what is in it is loaded.
        alive: brokers that are neither fenced nor shutting down, with their epochs, as this
            broker knows them now. It is kept and looked at; its owner changes it.
        config, log_config: settings of replication, and of the log.
        now_us: when it is loaded.
        controller: whom proposals of an in-sync set are sent to.

    Attributes:
        leading: the leader's memory while it leads, else None.
        following: the follower's memory; while it leads nothing is asked of it.
    """

    __slots__ = (
        "_alive",
        "_config",
        "_controller",
        "epochs",
        "following",
        "leader_epoch",
        "leading",
        "log",
        "name",
        "partition",
        "partition_epoch",
    )

    def __init__(
        self,
        name: str,
        partition: TopicPartition,
        journal: Journal,
        *,
        alive: Mapping[str, int],
        config: ReplicationConfig = _DEFAULT,
        log_config: LogConfig = _DEFAULT_LOG,
        now_us: int = 0,
        controller: str = "controller",
    ) -> None:
        self.name = name
        self._alive = alive
        self._config = config
        self._controller = controller
        self.partition = Partition(partition, journal, log_config, now_us=now_us, alone=False)
        self.log = self.partition.log
        self.log.advance_high_watermark(journal.checkpoints.get(HIGH_WATERMARK, 0))
        self.epochs = LeaderEpochs(journal)
        self.epochs.reconcile(self.log.log_start_offset, self.log.log_end_offset)
        self.leader_epoch = NO_EPOCH
        self.partition_epoch = -1
        self.leading: Leading | None = None
        self.following = Following(self.partition, self.epochs, config)

    # --- Looking -------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        """What the replica does at the moment."""
        return self.following.role if self.leading is None else Role.LEADING

    @property
    def high_watermark(self) -> int:
        """Below it every in-sync replica has everything, as far as this replica knows."""
        return self.log.high_watermark

    @property
    def log_end_offset(self) -> int:
        """The offset that the next record gets."""
        return self.log.log_end_offset

    def acked(self, offset: int) -> Error | None:
        """What a producer with acks=all is told of a batch that ends before `offset`; None: wait.

        NOT_ENOUGH_REPLICAS_AFTER_APPEND and NOT_LEADER_OR_FOLLOWER leave the record where it is:
        it may well be read later.
        """
        if self.leading is None:
            return Error.NOT_LEADER_OR_FOLLOWER
        return self.leading.acked(offset)

    def refusal(self, leader_epoch: int, *, only_leader: bool = True) -> Error | None:
        """Why a request that means the leader of that epoch (-1: any) is refused, or None."""
        if leader_epoch not in (NO_EPOCH, self.leader_epoch):
            older = leader_epoch < self.leader_epoch
            return Error.FENCED_LEADER_EPOCH if older else Error.UNKNOWN_LEADER_EPOCH
        if only_leader and self.leading is None:
            return Error.NOT_LEADER_OR_FOLLOWER
        return None

    # --- Clients of a leader ---------------------------------------------------------------------

    def decide_append(
        self,
        batch: Batch,
        now_us: int,
        acks: int,
        origin: str = "client",
        *,
        verified: bool = True,
    ) -> tuple[Batch | None, PartitionProduced]:
        """As Partition.decide_append. With acks=-1 a success must still wait: ask `acked`."""
        leading = self.leading
        if leading is None:
            error = Error.NOT_LEADER_OR_FOLLOWER
        elif acks == -1 and len(leading.isr) < leading.min_isr:
            error = Error.NOT_ENOUGH_REPLICAS
        else:
            return self.partition.decide_append(batch, now_us, origin, verified=verified)
        return None, PartitionProduced(self.partition.partition, error)

    def read(
        self,
        fetch: FetchPartition,
        isolation: str = "read_uncommitted",
        *,
        only_leader: bool = True,
    ) -> PartitionFetched:
        """Answer a consumer's fetch; without `only_leader` a follower answers it too (KIP-392)."""
        refused = self.refusal(fetch.leader_epoch, only_leader=only_leader)
        if refused is not None:
            return PartitionFetched(self.partition.partition, refused)
        return self.partition.read(fetch.offset, fetch.max_bytes, isolation)

    def list_offset(
        self,
        timestamp_ms: int,
        isolation: str = "read_uncommitted",
        leader_epoch: int = NO_EPOCH,
    ) -> OffsetListed:
        """Answer a client's ListOffsets; a new leader may not know yet what is committed."""
        refused = self.refusal(leader_epoch)
        if refused is not None:
            return OffsetListed(self.partition.partition, refused)
        listed = self.partition.list_offset(timestamp_ms, isolation)
        behind = self.log.high_watermark < self._led.epoch_start_offset
        unsure = timestamp_ms == LATEST_TIMESTAMP or listed.offset == UNKNOWN_OFFSET
        if behind and unsure:
            return OffsetListed(self.partition.partition, Error.OFFSET_NOT_AVAILABLE)
        return listed

    def epoch_end(self, asked: rm.EpochAsked) -> rm.EpochEnd:
        """Answer OffsetsForLeaderEpoch, of a follower or a consumer."""
        refused = self.refusal(asked.leader_epoch)
        if refused is not None:
            return rm.EpochEnd(self.partition.partition, refused)
        end = self.log.log_end_offset
        known, offset = epoch_end(self._config.truncation, self.epochs, asked.epoch, end)
        return rm.EpochEnd(self.partition.partition, _NONE, known, offset)

    # --- Followers of a leader -------------------------------------------------------------------

    def decide_fetch(
        self,
        fetch: FetchPartition,
        replica: str,
        now_us: int,
        broker_epoch: int = rm.NO_BROKER_EPOCH,
    ) -> tuple[rm.ReplicaFetched, Step]:
        """Answer a follower's fetch, and note how far it is.

        The answer tells the high watermark from before the fetch. An empty answer (`is_empty`)
        waits up to replica.fetch.wait.max.ms or for a batch, and is then given anew by `reread`.
        """
        answer = self.reread(fetch, replica)
        if answer[1] is not _NONE or answer[6] != UNKNOWN_OFFSET:
            return answer, NOTHING
        step = self._led.decide_fetched(replica, fetch.offset, now_us, broker_epoch)
        if step is None:
            where = self.partition.partition
            return rm.ReplicaFetched(where, Error.NOT_LEADER_OR_FOLLOWER), NOTHING
        return answer, step

    def reread(self, fetch: FetchPartition, replica: str) -> rm.ReplicaFetched:
        """The answer to a follower's fetch as of now; its position is not noted again."""
        where, offset, most, leader_epoch, last_fetched_epoch = fetch
        if leader_epoch != self.leader_epoch or self.leading is None:
            refused = self.refusal(leader_epoch)
            if refused is not None:
                return rm.ReplicaFetched(where, refused)
        if replica not in self._led.followers:
            fenced = leader_epoch != NO_EPOCH
            error = Error.UNKNOWN_LEADER_EPOCH if fenced else Error.NOT_LEADER_OR_FOLLOWER
            return rm.ReplicaFetched(where, error)
        log = self.log
        if last_fetched_epoch == self.epochs.latest and offset <= log.log_end_offset:
            pass  # Both are in the leader's epoch: there is nowhere to part. Most fetches are such.
        elif last_fetched_epoch != NO_EPOCH and offset >= log.log_start_offset:
            parted = diverges(self.epochs, log.log_end_offset, offset, last_fetched_epoch)
            if parted is not None and parted[1] == UNKNOWN_OFFSET:
                return rm.ReplicaFetched(where, Error.OFFSET_OUT_OF_RANGE)
            if parted is not None:
                marks = (log.high_watermark, log.log_start_offset)
                return rm.ReplicaFetched(where, _NONE, *marks, (), *parted)
        if offset == log.log_end_offset:  # Nothing is there yet, as `read` would say.
            marks = (log.high_watermark, log.log_start_offset)
            return _new(rm.ReplicaFetched, (where, _NONE, *marks, (), NO_EPOCH, UNKNOWN_OFFSET))
        _, error, high, _, start, found, *_ = self.partition.read(offset, most, "follower")
        return _new(rm.ReplicaFetched, (where, error, high, start, found, NO_EPOCH, UNKNOWN_OFFSET))

    def bound(self, asked: rm.BoundAsked) -> OffsetListed:
        """Answer a follower that is out of range: the log's start, or its end."""
        at_end = asked.timestamp_ms == LATEST_TIMESTAMP
        offset = self.log.log_end_offset if at_end else self.log.log_start_offset
        return OffsetListed(asked.partition, self.refusal(asked.leader_epoch) or _NONE, offset)

    def decide_shrink(self, now_us: int) -> Step:
        """Look for in-sync replicas that lag; to be asked every half of replica.lag.time.max.ms."""
        return NOTHING if self.leading is None else self.leading.decide_shrink(now_us)

    def decide_altered(
        self, asked: rm.AlterPartition, answer: rm.PartitionAltered, now_us: int
    ) -> Step:
        """The controller has answered a proposal; NETWORK_EXCEPTION stands for no answer."""
        if self.leading is None:
            return NOTHING
        return self.leading.decide_altered(asked, answer, now_us)

    # --- Following -------------------------------------------------------------------------------

    def decide_ask(self) -> tuple[tuple[Fact, ...], Ask | None]:
        """What a follower asks its leader now, or None; the facts are to be applied before."""
        return ((), None) if self.leading is not None else self.following.decide_ask()

    def decide_answer(self, ask: Ask, answer: Answer | None, source: str) -> Step:
        """What follows from an answer (None: it never came) of the broker `source`."""
        if self.leading is not None:
            return NOTHING
        return self.following.decide_answer(ask, answer, source)

    # --- Being told one's role -------------------------------------------------------------------

    def decide_registration(self, registration: rm.PartitionRegistration, now_us: int) -> Step:
        """Lead or follow, as the controller's newest word on the partition says."""
        if registration.partition_epoch < self.partition_epoch:
            return NOTHING
        if registration.leader == self.name:
            old = self.leading is not None and registration.partition_epoch == self.partition_epoch
            if old and not self._config.forgets_proposals:
                return NOTHING
            return Step((LeadershipTaken(registration, now_us),))
        anew = self.leading is not None or registration.leader_epoch > self.leader_epoch
        known = self.leading is None and registration.leader == self.following.leader
        if known and not self._config.truncation.same_leader_too:
            anew = self.following.role is Role.IDLE
        return Step((LeaderFollowed(registration, anew),))

    # --- Applying --------------------------------------------------------------------------------

    def apply(self, fact: Any) -> None:
        """Make a Fact true."""
        kind = fact.__class__
        if kind is Batch or kind is CleanedBatch:
            self._append(fact)
        elif kind is FollowerFetched:
            self._led.fetched(fact)
        elif kind is HighWatermarkTold:
            log = self.log
            if not log.advance_high_watermark(fact[0]):
                log.high_watermark = max(log.log_start_offset, min(fact[0], log.log_end_offset))
        else:
            self._apply_change(kind, fact)

    def _apply_change(self, kind: type, fact: Any) -> None:
        before = self.role
        match fact:
            case Truncated():
                self._truncate(fact)
            case RoleChanged(role):
                self.following.role = role
            case LeadershipTaken():
                self._lead(fact)
            case LeaderFollowed(registration):
                self.leading = None
                self.leader_epoch = registration.leader_epoch
                self.partition_epoch = registration.partition_epoch
                self.following.follow(fact)
            case IsrProposed():
                self._led.proposed(fact)
            case IsrCommitted():
                self.partition_epoch = fact.partition_epoch
                self._led.committed(fact)
            case IsrReverted():
                self._led.reverted()
            case _:  # Retention, compaction, DeleteRecords.
                self.log.apply(fact)
                self.epochs.truncate_from_start(self.log.log_start_offset)
        allowed = ALLOWED.get(kind)
        assert allowed is None or self.role in allowed.get(before, ()), f"{before}: {fact!r}"

    @property
    def _led(self) -> Leading:
        assert self.leading is not None, "only a leader has followers"
        return self.leading

    def _append(self, batch: Any) -> None:
        self.log.apply(batch)
        leader_epoch = batch[5]
        entries = self.epochs.entries
        if leader_epoch != NO_EPOCH and (not entries or entries[-1][0] != leader_epoch):
            self.epochs.assign(leader_epoch, batch[1])
        if self.leading is not None:
            self.leading.advance(batch[9])

    def _truncate(self, fact: Truncated) -> None:
        if fact.fully or fact.offset < self.log.log_end_offset:
            self.log.apply(fact)
        if fact.fully:
            self.epochs.clear()
        # Also where nothing was cut: one who led and wrote nothing has an epoch at its log's end.
        self.epochs.truncate_from_end(self.log.log_end_offset)

    def _lead(self, fact: LeadershipTaken) -> None:
        registration, at_us = fact
        first = self.leading is None
        if self.leading is None:
            shape = self._config, self._alive, self._controller
            self.leading = Leading(self.name, self.partition, *shape)
        epoch = registration.leader_epoch
        if epoch > self.leader_epoch and self._config.truncation.stepwise:
            self.epochs.assign(epoch, self.log.log_end_offset)
        self.leader_epoch = self.partition.leader_epoch = epoch
        self.partition_epoch = registration.partition_epoch
        self.leading.take(registration, at_us, first=first)

    # --- The checkpoint --------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Keep the high watermark; every replica.high.watermark.checkpoint.interval.ms."""
        self.log.journal.checkpoints[HIGH_WATERMARK] = self.log.high_watermark

    def close(self) -> None:
        """Shut down in order; a crash is simply never to call this."""
        self.checkpoint()
        self.partition.close()
