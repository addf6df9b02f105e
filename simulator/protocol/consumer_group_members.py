"""Who is in a consumer group, what each holds and is to hold: the state, and how facts change it.

Rule 1: a partition that somebody holds, or has not yet given back, has an epoch: its owner's. A
partition without one is free. When a member moves, the epochs of all that it held are taken away
first, and then those of all that it holds are set: else a partition that goes from what it gives
back to what it keeps would lose its epoch, and be given to somebody else (KAFKA-16147).
Rule 2: to set an epoch that is set, or to take away another's, is a mistake of ours.

Source: ConsumerGroup.java (maybeUpdatePartitionEpoch, maybeUpdateGroupState).
"""

from collections.abc import Callable
from typing import Any, ClassVar

import attrs

from simulator.protocol.consumer_group_messages import (
    LEAVES_FOR_A_WHILE,
    ConsumerGroupDescribeResponse,
    DescribedMember,
)
from simulator.protocol.consumer_group_state import (
    TRANSITIONS,
    ClassicAwaited,
    ConsumerGroupState,
    ConsumerGroupStateChanged,
    ConsumerMember,
    GroupEpochBumped,
    MemberDescribed,
    MemberFenced,
    MemberMoved,
    MemberState,
    MemberTargeted,
    RevocationAwaited,
    TargetComputed,
    TopicsKnown,
    TopicsLookedAt,
    TopicsSeen,
)
from simulator.protocol.errors import Error
from simulator.protocol.group_state import (
    GroupRemoved,
    MemberNamed,
    MemberSeen,
    SessionTimerLapsed,
    SessionTimerSet,
)
from simulator.protocol.names import TopicPartition

Partitions = tuple[TopicPartition, ...]


@attrs.define
class ConsumerMembers:
    """The membership of one consumer group; `apply` is its one writer."""

    exists: bool = False
    group_epoch: int = 0
    target_epoch: int = 0
    members: dict[str, ConsumerMember] = attrs.field(factory=dict)
    instances: dict[str, str] = attrs.field(factory=dict)  # group.instance.id to member id.
    targets: dict[str, Partitions] = attrs.field(factory=dict)
    epochs: dict[TopicPartition, int] = attrs.field(factory=dict)  # Of what somebody holds.
    topics: dict[str, int] = attrs.field(factory=dict)  # As of the newest group epoch.
    # Soft from here on.
    status: ConsumerGroupState = ConsumerGroupState.ABSENT
    known: dict[str, int] = attrs.field(factory=dict)  # The cluster's topics.
    stale: bool = True  # `known` may say other than `topics`.
    deadlines_us: dict[str, int] = attrs.field(factory=dict)
    timers_us: dict[str, int] = attrs.field(factory=dict)
    revocations: dict[str, int] = attrs.field(factory=dict)  # Member id to the epoch it leaves.
    awaited: dict[tuple[str, type], None] = attrs.field(factory=dict)
    named: int = 0

    # --- Reading ---------------------------------------------------------------------------

    def copy(self) -> "ConsumerMembers":
        """Another of the same contents, to try facts on."""
        values = {name: getattr(self, name) for name in _FIELDS}
        for name in _COPIED:
            values[name] = values[name].copy()
        return type(self)(**values)

    @property
    def loading(self) -> bool:
        """Whether facts come from a compacted disk: the newest of each kind, in their order."""
        return self.status is ConsumerGroupState.ABSENT

    def subscribed(self) -> dict[str, int]:
        """The topics that somebody subscribes to, with the number of those who do."""
        counts: dict[str, int] = {}
        for member in self.members.values():
            for topic in member.topics:
                counts[topic] = counts.get(topic, 0) + 1
        return counts

    def topics_now(self) -> tuple[tuple[str, int], ...]:
        """Of the subscribed topics those that there are, with their sizes, sorted."""
        known = self.known
        return tuple((one, known[one]) for one in sorted(self.subscribed()) if one in known)

    def state_now(self) -> ConsumerGroupState:
        """What the numbers say the state is (maybeUpdateGroupState)."""
        if self.status is ConsumerGroupState.DEAD:
            return ConsumerGroupState.DEAD
        if not self.exists:
            return ConsumerGroupState.ABSENT
        if not self.members:
            return ConsumerGroupState.EMPTY
        if self.group_epoch > self.target_epoch:
            return ConsumerGroupState.ASSIGNING
        epoch, stable = self.target_epoch, MemberState.STABLE
        for member in self.members.values():
            if member.epoch != epoch or member.state is not stable:
                return ConsumerGroupState.RECONCILING
        return ConsumerGroupState.STABLE

    def commit_refusal(self, member_id: str, epoch: int) -> Error | None:
        """Why a commit is refused (ConsumerGroup.validateOffsetCommit), or None.

        A member must name its epoch, at any time: while it gives partitions back it is still in
        the epoch in which it held them, so it can commit what it has done there.
        """
        if epoch < 0 and not self.members:
            return None
        return self.epoch_refusal(member_id, epoch)

    def epoch_refusal(self, member_id: str, epoch: int) -> Error | None:
        """UNKNOWN_MEMBER_ID, or that the epoch is not the member's, or None."""
        member = self.members.get(member_id)
        if member is None:
            return Error.UNKNOWN_MEMBER_ID
        if member.epoch == epoch:
            return None
        return Error.STALE_MEMBER_EPOCH if member.classic is None else Error.ILLEGAL_GENERATION

    def describe(self, group_id: str, assignor: str) -> ConsumerGroupDescribeResponse:
        """The group as an administrator sees it; assignor: the one it would be given now."""
        if not self.exists:
            return ConsumerGroupDescribeResponse(Error.GROUP_ID_NOT_FOUND, group_id)
        members = tuple(
            DescribedMember(
                one.member_id,
                one.group_instance_id,
                one.epoch,
                one.topics,
                one.assigned,
                self.targets.get(one.member_id, ()),
            )
            for one in self.members.values()
        )
        return ConsumerGroupDescribeResponse(
            Error.NONE,
            group_id,
            self.status.value,
            self.group_epoch,
            self.target_epoch,
            assignor,
            members,
        )

    def facts(self) -> tuple[Any, ...]:
        """The fewest hard facts that rebuild this membership."""
        if not self.exists or (not self.group_epoch and not self.members):
            return ()
        members = self.members.values()
        return (
            *(described(one) for one in members),
            TopicsSeen(tuple(sorted(self.topics.items()))),
            GroupEpochBumped(self.group_epoch),
            *(MemberTargeted(one, targets) for one, targets in self.targets.items()),
            TargetComputed(self.target_epoch),
            *(moved(one) for one in members),
        )

    # --- Writing ---------------------------------------------------------------------------

    def apply(self, fact: Any) -> None:
        """Make a fact true."""
        self._WRITERS[type(fact)](self, fact)

    def _described(self, fact: MemberDescribed) -> None:
        known = self.members.get(fact.member_id, ConsumerMember(fact.member_id))
        self.members[fact.member_id] = attrs.evolve(
            known, **{name: getattr(fact, name) for name in _DESCRIPTION}
        )
        if fact.group_instance_id is not None:
            self.instances[fact.group_instance_id] = fact.member_id

    def _bumped(self, fact: GroupEpochBumped) -> None:
        assert fact.epoch >= self.group_epoch, f"{fact} after {self.group_epoch}"
        self.group_epoch = fact.epoch
        self.exists = True

    def _topics(self, fact: TopicsSeen) -> None:
        self.topics = dict(fact.topics)

    def _targeted(self, fact: MemberTargeted) -> None:
        self.targets[fact.member_id] = fact.partitions

    def _computed(self, fact: TargetComputed) -> None:
        behind = fact.epoch <= self.group_epoch or self.loading
        assert behind, f"{fact} before the group's {self.group_epoch}"
        self.target_epoch = fact.epoch

    def _moved(self, fact: MemberMoved) -> None:
        behind = fact.epoch <= self.target_epoch or self.loading
        assert behind, f"{fact} before the target's {self.target_epoch}"
        before = self.members.get(fact.member_id, ConsumerMember(fact.member_id))
        after = attrs.evolve(before, **{name: getattr(fact, name) for name in _POSITION})
        self.members[fact.member_id] = after
        self._hand_over(before, after)

    def _hand_over(self, before: ConsumerMember, after: ConsumerMember) -> None:
        """What a member holds has changed, or the epoch in which it does."""
        self._release(before)
        for held in (after.assigned, after.revoking):
            for partition in held:
                assert partition not in self.epochs, f"{partition} has an owner, not {after}"
                self.epochs[partition] = after.epoch

    def _release(self, member: ConsumerMember) -> None:
        for held in (member.assigned, member.revoking):
            for partition in held:
                epoch = self.epochs.pop(partition, None)
                assert epoch == member.epoch, f"{partition} is held at {epoch}, not by {member}"

    def _fenced(self, fact: MemberFenced) -> None:
        self.targets.pop(fact.member_id, None)
        if self.loading and fact.member_id not in self.members:
            return  # Compaction has taken what was said of it before.
        member = self.members.pop(fact.member_id)
        self._release(member)
        if self.instances.get(member.group_instance_id or "") == fact.member_id:
            del self.instances[member.group_instance_id or ""]
        for kept in (self.deadlines_us, self.timers_us, self.revocations):
            kept.pop(fact.member_id, None)
        for what in [one for one in self.awaited if one[0] == fact.member_id]:
            del self.awaited[what]

    def _removed(self, _: GroupRemoved) -> None:
        self.exists = False
        self.group_epoch = self.target_epoch = 0
        for kept in (self.members, self.instances, self.targets, self.epochs, self.topics):
            kept.clear()
        self.stale = True

    def _state(self, fact: ConsumerGroupStateChanged) -> None:
        assert fact.before is self.status, f"{fact} in {self.status}"
        assert fact.after in TRANSITIONS.get((fact.before, fact.on), ()), f"no such change: {fact}"
        self.status = fact.after

    def _known(self, fact: TopicsKnown) -> None:
        self.known = dict(fact.topics)
        self.stale = True

    def _looked(self, _: TopicsLookedAt) -> None:
        self.stale = False

    def _seen(self, fact: MemberSeen) -> None:
        self.deadlines_us[fact.member_id] = fact.deadline_us

    def _timer_set(self, fact: SessionTimerSet) -> None:
        self.timers_us[fact.member_id] = fact.at_us

    def _timer_lapsed(self, fact: SessionTimerLapsed) -> None:
        self.timers_us.pop(fact.member_id, None)

    def _revocation(self, fact: RevocationAwaited) -> None:
        if fact.epoch is None:
            self.revocations.pop(fact.member_id, None)
        else:
            self.revocations[fact.member_id] = fact.epoch

    def _classic(self, fact: ClassicAwaited) -> None:
        if fact.awaited:
            self.awaited[fact.member_id, fact.what] = None
        else:
            self.awaited.pop((fact.member_id, fact.what), None)

    def _named(self, _: MemberNamed) -> None:
        self.named += 1

    _WRITERS: ClassVar[dict[type, Callable[["ConsumerMembers", Any], None]]] = {
        MemberDescribed: _described,
        GroupEpochBumped: _bumped,
        TopicsSeen: _topics,
        MemberTargeted: _targeted,
        TargetComputed: _computed,
        MemberMoved: _moved,
        MemberFenced: _fenced,
        GroupRemoved: _removed,
        ConsumerGroupStateChanged: _state,
        TopicsKnown: _known,
        TopicsLookedAt: _looked,
        MemberSeen: _seen,
        SessionTimerSet: _timer_set,
        SessionTimerLapsed: _timer_lapsed,
        RevocationAwaited: _revocation,
        ClassicAwaited: _classic,
        MemberNamed: _named,
    }


def described(member: ConsumerMember) -> MemberDescribed:
    """What a member says of itself, as the disk keeps it."""
    return MemberDescribed(**{name: getattr(member, name) for name in ("member_id", *_DESCRIPTION)})


def moved(member: ConsumerMember) -> MemberMoved:
    """How far a member has come, as the disk keeps it."""
    return MemberMoved(**{name: getattr(member, name) for name in ("member_id", *_POSITION)})


def is_away(member: ConsumerMember) -> bool:
    """Whether a static member has left for a while."""
    return member.epoch == LEAVES_FOR_A_WHILE


_FIELDS = tuple(field.name for field in attrs.fields(ConsumerMembers))
_COPIED = tuple(name for name in _FIELDS if isinstance(getattr(ConsumerMembers(), name), dict))
_POSITION = ("epoch", "previous_epoch", "state", "assigned", "revoking")
_DESCRIPTION = ("group_instance_id", "client_id", "rack_id", "rebalance_timeout_ms", "topics",
                "server_assignor", "classic")  # fmt: skip
