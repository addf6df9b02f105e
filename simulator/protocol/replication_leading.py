"""What a leader knows of its followers, and what follows: the in-sync set and the high watermark.

Rule 1: a follower that asks for offset f has all that lies before f. Nothing else tells.
Rule 2: the high watermark is the least end of log among the leader, the maximal in-sync set and
those who are caught up and may join. It never falls, and stands still while the committed in-sync
set is smaller than min.insync.replicas.
Rule 3: the maximal in-sync set is the committed one, and who is proposed into it. Who is proposed
out of it still counts: a proposal may fail.
Rule 4: one proposal at a time. An answer that leaves open whether it was taken leaves it pending,
until newer metadata comes.
Rule 5: a follower joins when it has reached the high watermark and the start of the leader's
epoch: what earlier leaders wrote may be committed, though this leader does not know it.

Sources: Partition.scala (maybeIncrementLeaderHW, maybeExpandIsr, maybeShrinkIsr,
handleAlterPartitionError), Replica.java, KIP-497, KIP-903, KIP-966.

Not modelled: reassignment, the low watermark of DeleteRecords (answered at once).
"""

from collections.abc import Mapping
from typing import NamedTuple

from simulator.protocol.errors import Error
from simulator.protocol.machine import NOTHING, Send, Step
from simulator.protocol.names import MICROS_PER_MS, UNKNOWN_OFFSET
from simulator.protocol.partition import Partition
from simulator.protocol.replica_messages import (
    NO_BROKER_EPOCH,
    AlterPartition,
    AlterPartitionRequest,
    PartitionAltered,
    PartitionRegistration,
)
from simulator.protocol.replication_facts import (
    FollowerFetched,
    IsrCommitted,
    IsrProposed,
    IsrReverted,
    ReplicationConfig,
)

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
NEVER_US = -(2**62)

# The controller has not taken it, and no other controller can have.
NOT_TAKEN = (Error.INELIGIBLE_REPLICA, Error.OPERATION_NOT_ATTEMPTED)
# Whether it was taken, newer metadata will say.
UNKNOWN_WHETHER_TAKEN = (
    Error.UNKNOWN_TOPIC_OR_PARTITION,
    Error.FENCED_LEADER_EPOCH,
    Error.UNKNOWN_TOPIC_ID,
    Error.INVALID_UPDATE_VERSION,
    Error.INVALID_REQUEST,
    Error.NEW_LEADER_ELECTED,
)


class Progress(NamedTuple):
    """A follower as its leader sees it.

    Attributes:
        end_offset: up to where it has everything; -1 until it has fetched from this leader.
        fetched_end: where the leader's log ended when it last fetched.
        fetched_us: when that was.
        caught_up_us: when it last had everything that there was.
        broker_epoch: of its registration, as it last fetched with; None until it has.
    """

    end_offset: int = UNKNOWN_OFFSET
    fetched_end: int = UNKNOWN_OFFSET
    fetched_us: int = NEVER_US
    caught_up_us: int = NEVER_US
    broker_epoch: int | None = None


def after_fetch(known: Progress, fact: FollowerFetched) -> Progress:
    """What is known of a follower once it has fetched (Replica.updateFetchStateOrThrow)."""
    _, fetched_end, fetched_us, caught_up_us, _ = known
    _, offset, log_end_offset, at_us, broker_epoch = fact
    if offset >= log_end_offset:
        caught_up_us = max(caught_up_us, at_us)
    elif offset >= fetched_end:
        # It has all that there was when it last fetched: so it was caught up then.
        caught_up_us = max(caught_up_us, fetched_us)
    fetched_end = max(fetched_end, log_end_offset)
    return _new(Progress, (offset, fetched_end, at_us, caught_up_us, broker_epoch))


class Leading:
    """A leader's memory of one partition's followers, and of the in-sync set.

    Args:
        name: the leader's own.
        partition: what it leads.
        alive: brokers that are neither fenced nor shutting down, with their epochs; it is looked
            at whenever it matters, so its owner may change it.

    Attributes:
        isr: the committed in-sync set, in the order of assignment.
        maximal_isr: that, and who is proposed into it.
        pending: the proposal that is under way, or None.
        epoch_start_offset: where the log ended when this leader's epoch began.
    """

    __slots__ = (
        "_alive",
        "_config",
        "_controller",
        "_lag_us",
        "_log",
        "_name",
        "epoch_start_offset",
        "followers",
        "isr",
        "maximal_isr",
        "min_isr",
        "partition",
        "pending",
        "registration",
    )

    def __init__(
        self,
        name: str,
        partition: Partition,
        config: ReplicationConfig,
        alive: Mapping[str, int],
        controller: str,
    ) -> None:
        self._name = name
        self._log = partition.log
        self._config = config
        self._alive = alive
        self._controller = controller
        self._lag_us = config.replica_lag_time_max_ms * MICROS_PER_MS
        self.partition = partition.partition
        self.followers: dict[str, Progress] = {}
        self.isr: tuple[str, ...] = ()
        self.maximal_isr: tuple[str, ...] = ()
        self.min_isr = 1
        self.pending: AlterPartition | None = None
        self.epoch_start_offset = 0
        self.registration: PartitionRegistration | None = None

    # --- The high watermark --------------------------------------------------------------------

    def advance(self, now_us: int) -> bool:
        """Move the high watermark as far as it may; True if it moved."""
        if len(self.isr) < self.min_isr and self._config.frozen_below_min_isr:
            return False
        log = self._log
        high = log_end_offset = log.log_end_offset
        maximal_isr = self.maximal_isr
        for name, progress in self.followers.items():
            if progress[0] < high and (
                name in maximal_isr
                or (self.is_caught_up(progress, log_end_offset, now_us) and self.may_join(name))
            ):
                high = progress[0]
        return high > log.high_watermark and log.advance_high_watermark(high)

    def is_caught_up(self, progress: Progress, log_end_offset: int, now_us: int) -> bool:
        """Whether a follower has all, or had all at most replica.lag.time.max.ms ago."""
        return progress[0] == log_end_offset or now_us - progress[3] <= self._lag_us

    def may_join(self, name: str) -> bool:
        """Whether a follower's broker is alive, and has fetched as that incarnation (KIP-903)."""
        return self._is_alive_as(name, self.followers[name].broker_epoch)

    def _is_alive_as(self, name: str, broker_epoch: int | None) -> bool:
        known = self._alive.get(name)
        if known is None or broker_epoch is None:
            return False
        return broker_epoch in (NO_BROKER_EPOCH, known)

    def acked(self, offset: int) -> Error | None:
        """What acks=all is told of a batch that ends before `offset`; None: wait."""
        if self._log.high_watermark < offset:
            return None
        # The maximal set, as Partition.checkEnoughReplicasReachOffset counts.
        enough = len(self.maximal_isr) >= self.min_isr
        return Error.NONE if enough else Error.NOT_ENOUGH_REPLICAS_AFTER_APPEND

    # --- Deciding ------------------------------------------------------------------------------

    def decide_fetched(
        self, replica: str, offset: int, now_us: int, broker_epoch: int
    ) -> Step | None:
        """What a follower's fetch at `offset` leads to; None: an older incarnation asks."""
        log = self._log
        progress = self.followers[replica]
        known = progress[4]
        if known is not None and NO_BROKER_EPOCH != broker_epoch < known:
            return None
        told = (replica, offset, log.log_end_offset, now_us, broker_epoch)
        fetched = _new(FollowerFetched, told)
        if (
            self.pending is not None
            or replica in self.isr
            or offset < log.high_watermark
            or (self._config.truncation.fenced and offset < self.epoch_start_offset)
            or not self._is_alive_as(replica, broker_epoch)
        ):
            return _new(Step, ((fetched,), ()))
        isr = (*self.isr, replica)
        # Proposed first: the mark that the fetch moves must wait for the newcomer already.
        proposed = self._propose(isr, isr, {replica: broker_epoch})
        return Step((*proposed.facts, fetched), proposed.effects)

    def decide_shrink(self, now_us: int) -> Step:
        """Propose those out of the in-sync set who lag; asked every half of the allowed lag."""
        if self.pending is not None:
            return NOTHING
        end = self._log.log_end_offset
        followers = self.followers
        isr = tuple(
            name
            for name in self.isr
            if name == self._name
            or (name in followers and self.is_caught_up(followers[name], end, now_us))
        )
        return NOTHING if isr == self.isr else self._propose(isr, self.isr, {})

    def _propose(
        self, isr: tuple[str, ...], maximal_isr: tuple[str, ...], epochs: Mapping[str, int]
    ) -> Step:
        registration = self.registration
        assert registration is not None
        isr, maximal_isr = self._ordered(isr), self._ordered(maximal_isr)
        with_epochs = tuple((name, epochs.get(name, self._epoch_of(name))) for name in isr)
        _, _, leader_epoch, partition_epoch, *_ = registration
        asked = AlterPartition(self.partition, leader_epoch, partition_epoch, with_epochs)
        return Step((IsrProposed(asked, isr, maximal_isr),), (self._send(asked),))

    def _ordered(self, names: tuple[str, ...]) -> tuple[str, ...]:
        assert self.registration is not None
        return tuple(name for name in self.registration.replicas if name in names)

    def _epoch_of(self, name: str) -> int:
        if name == self._name:
            return self._alive.get(name, NO_BROKER_EPOCH)
        epoch = self.followers[name].broker_epoch
        return NO_BROKER_EPOCH if epoch is None else epoch

    def _send(self, asked: AlterPartition) -> Send:
        own_epoch = self._epoch_of(self._name)
        return Send(self._controller, AlterPartitionRequest(self._name, own_epoch, (asked,)))

    def decide_altered(self, asked: AlterPartition, answer: PartitionAltered, now_us: int) -> Step:
        """What the controller's answer to a proposal leads to."""
        if asked != self.pending:
            return NOTHING  # The in-sync set has become another one since.
        _, error, _, leader_epoch, partition_epoch, isr = answer
        if error in NOT_TAKEN:
            return Step((IsrReverted(),))
        if error in UNKNOWN_WHETHER_TAKEN:
            return NOTHING
        if error is not Error.NONE:
            return Step((), (self._send(asked),))
        if leader_epoch != asked.leader_epoch or partition_epoch < asked.partition_epoch:
            return NOTHING
        return Step((IsrCommitted(isr, partition_epoch, now_us),))

    # --- Applying ------------------------------------------------------------------------------

    def take(self, registration: PartitionRegistration, now_us: int, *, first: bool) -> None:
        """Lead as the controller says; `first`: this replica did not lead just before."""
        known = self.registration
        missed = 0 if known is None else registration.leader_epoch - known.leader_epoch - 1
        anew = first or missed >= 0
        forgets = first or (missed > 0 and not self._config.keeps_positions)
        self.registration = registration
        end = self._log.log_end_offset
        followers = {}
        for name in registration.replicas:
            if name == self._name:
                continue
            progress = self.followers.get(name, Progress())
            if anew:
                since_us = now_us if name in registration.isr else NEVER_US
                if forgets:
                    progress = Progress(caught_up_us=since_us)
                else:
                    progress = Progress(
                        progress.end_offset, end, since_us, since_us, progress.broker_epoch
                    )
            followers[name] = progress
        self.followers = followers
        self.min_isr = min(self._config.min_insync_replicas, len(registration.replicas))
        self.isr = self.maximal_isr = self._ordered(registration.isr)
        self.pending = None
        if anew:
            self.epoch_start_offset = end
        self.advance(now_us)

    def fetched(self, fact: FollowerFetched) -> None:
        """Note how far a follower is."""
        replica = fact[0]
        known = self.followers[replica]
        self.followers[replica] = after_fetch(known, fact)
        if known[0] != fact[1]:
            self.advance(fact[3])

    def proposed(self, fact: IsrProposed) -> None:
        """A change of the in-sync set is under way."""
        self.pending = fact.asked
        self.maximal_isr = fact.maximal_isr

    def committed(self, fact: IsrCommitted) -> None:
        """The controller has changed the in-sync set."""
        assert self.registration is not None
        epoch = fact.partition_epoch
        self.registration = self.registration._replace(isr=fact.isr, partition_epoch=epoch)
        self.isr = self.maximal_isr = self._ordered(fact.isr)
        self.pending = None
        self.advance(fact.at_us)

    def reverted(self) -> None:
        """The proposal is off."""
        self.pending = None
        self.maximal_isr = self.isr
