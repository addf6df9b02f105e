"""How the coordinator of a consumer group decides: on a copy, fact by fact.

Each fact is applied to the copy as soon as it is told, so that what follows sees it. What requests
and deadlines have in common stands here: a member goes, the target is computed anew, a member
takes its next step.

Source: GroupMetadataManager.java (consumerGroupFenceMember, updateTargetAssignment,
maybeReconcile) and TargetAssignmentBuilder.java of Kafka 4.0.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from simulator.protocol.assignors_server import (
    SERVER_ASSIGNORS,
    CannotAssign,
    MemberSpec,
    ServerAssignor,
)
from simulator.protocol.consumer_group_config import ConsumerGroupConfig
from simulator.protocol.consumer_group_members import ConsumerMembers, Partitions, moved
from simulator.protocol.consumer_group_reconciling import reconcile
from simulator.protocol.consumer_group_state import (
    ClassicAwaited,
    ConsumerGroupStateChanged,
    ConsumerMember,
    GroupEpochBumped,
    JoinedDeadline,
    MemberFenced,
    MemberState,
    MemberTargeted,
    RevocationAwaited,
    RevocationDeadline,
    SyncedDeadline,
    TargetComputed,
    TopicsLookedAt,
    TopicsSeen,
)
from simulator.protocol.group_config import GroupConfig
from simulator.protocol.group_state import MemberSeen, SessionDeadline, SessionTimerSet
from simulator.protocol.machine import CancelTimer, Effect, Reply, SetTimer, Step
from simulator.protocol.names import MICROS_PER_MS

Reconcile = Callable[..., ConsumerMember]


@attrs.frozen
class Rules:
    """What one coordinator goes by.

    assignors: the functions behind the names of group.consumer.assignors. reconcile: how a member
    takes its next step. classic: how members are treated that speak the classic protocol.
    """

    config: ConsumerGroupConfig = attrs.field(factory=ConsumerGroupConfig)
    assignors: Mapping[str, ServerAssignor] = attrs.field(default=SERVER_ASSIGNORS)
    reconcile: Reconcile = reconcile
    classic: GroupConfig = attrs.field(factory=GroupConfig)


@attrs.define
class Decision:
    """A decision while it is made. on: the class of the message that it answers."""

    group: ConsumerMembers
    rules: Rules
    now_us: int
    on: type
    facts: list[Any] = attrs.field(factory=list)
    effects: list[Effect] = attrs.field(factory=list)

    def tell(self, fact: Any) -> None:
        """Make a fact part of the decision."""
        self.group.apply(fact)
        self.facts.append(fact)

    def answer(self, request_id: Any, body: Any) -> None:
        """Answer a request."""
        self.effects.append(Reply(request_id, body))

    def step(self) -> Step:
        """What was decided, and how it has changed the state of the group."""
        before, after = self.group.status, self.group.state_now()
        if before is not after:
            self.tell(ConsumerGroupStateChanged(before, after, self.on, self.now_us))
        return Step(tuple(self.facts), tuple(self.effects))

    def set_timer(self, name: Any, timeout_ms: int) -> None:
        """Be woken after exactly so long."""
        timeout_us = timeout_ms * MICROS_PER_MS
        self.effects.append(SetTimer(name, timeout_us, timeout_us))

    # --- Sessions ----------------------------------------------------------------------------

    def seen(self, member_id: str) -> None:
        """Start the member's session anew; its timer is touched only if it would be late."""
        classic = self.group.members[member_id].classic
        timeout_ms = self.rules.config.group_consumer_session_timeout_ms
        if classic is not None:
            timeout_ms = classic.session_timeout_ms
        deadline_us = self.now_us + timeout_ms * MICROS_PER_MS
        self.tell(MemberSeen(member_id, deadline_us))
        fires_us = self.group.timers_us.get(member_id)
        if fires_us is None or fires_us > deadline_us:
            self.tell(SessionTimerSet(member_id, deadline_us))
            self.set_timer(SessionDeadline(member_id), timeout_ms)

    def expect(self, member_id: str, what: type, timeout_ms: int) -> None:
        """A classic member is to join, or to sync, within that time."""
        self.tell(ClassicAwaited(member_id, what, awaited=True))
        self.set_timer(what(member_id), timeout_ms)

    def done(self, member_id: str, what: type) -> None:
        """A classic member has joined, or synced."""
        if (member_id, what) in self.group.awaited:
            self.tell(ClassicAwaited(member_id, what, awaited=False))
            self.effects.append(CancelTimer(what(member_id)))

    def cancel_timers(self, member_id: str) -> None:
        """Nobody waits for this member any more; call it before the member goes."""
        group = self.group
        if member_id in group.timers_us:
            self.effects.append(CancelTimer(SessionDeadline(member_id)))
        if member_id in group.revocations:
            self.effects.append(CancelTimer(RevocationDeadline(member_id)))
        self.done(member_id, JoinedDeadline)
        self.done(member_id, SyncedDeadline)

    # --- What happens to members -------------------------------------------------------------

    def bump(self) -> None:
        """Something has changed: there will be a new target."""
        self.tell(GroupEpochBumped(self.group.group_epoch + 1))

    def look_at_topics(self) -> bool:
        """Compare the topics that the target is for with the cluster's; whether they differ."""
        topics = self.group.topics_now()
        differ = dict(topics) != self.group.topics
        if differ:
            self.tell(TopicsSeen(topics))
        return differ

    def fence(self, member_id: str, reason: str) -> None:
        """Take a member out of the group: what it held is free at once.

        The target stays as it was until the next heartbeat, of anybody.
        """
        self.cancel_timers(member_id)
        self.tell(MemberFenced(member_id, reason))
        self.look_at_topics()
        self.bump()

    def refresh(self, *, changed: bool) -> None:
        """Bump the group's epoch if anything has changed that the target depends on.

        changed: whether the member's subscription has. The topics are looked at when it has, or
        when the cluster's have changed since.
        """
        group = self.group
        if not changed and not group.stale:
            return
        if self.look_at_topics() or changed:
            self.bump()
        if group.stale:
            self.tell(TopicsLookedAt())

    def assign(self) -> CannotAssign | None:
        """Compute the target of the group's epoch, unless that is done."""
        group = self.group
        if group.group_epoch <= group.target_epoch:
            return None
        topics = group.topics
        specs = [
            MemberSpec(
                member.member_id,
                tuple(one for one in member.topics if one in topics),
                member.group_instance_id,
                tuple(
                    one
                    for one in group.targets.get(member.member_id, ())
                    if one.partition < topics.get(one.topic, 0)
                ),
            )
            for member in group.members.values()
        ]
        target = self.rules.assignors[self.assignor()](specs, topics)
        if isinstance(target, CannotAssign):
            return target
        for member_id in group.members:
            own = target.get(member_id, ())
            if own != group.targets.get(member_id):
                self.tell(MemberTargeted(member_id, own))
        self.tell(TargetComputed(group.group_epoch))
        return None

    def assignor(self) -> str:
        """The one that most members ask for; the first of group.consumer.assignors if none does.

        Among equals the first of group.consumer.assignors (Kafka leaves that to a hash map).
        """
        names = self.rules.config.group_consumer_assignors
        asked = [one.server_assignor for one in self.group.members.values()]
        return max(names, key=asked.count)

    def advance(self, member_id: str, owned: Partitions | None) -> None:
        """Let a member take its next step to its target, and watch that it gives back in time."""
        group = self.group
        before = group.members[member_id]
        target = group.targets.get(member_id, ())
        after = self.rules.reconcile(before, group.target_epoch, target, owned, group.epochs)
        if after == before:
            return
        self.tell(moved(after))
        if after.classic is not None:
            return
        if after.state is MemberState.UNREVOKED_PARTITIONS:
            self.tell(RevocationAwaited(member_id, after.epoch))
            self.set_timer(RevocationDeadline(member_id), after.rebalance_timeout_ms)
        elif member_id in group.revocations:
            self.tell(RevocationAwaited(member_id, None))
            self.effects.append(CancelTimer(RevocationDeadline(member_id)))
