"""How a classic group moves from one generation to the next: join phase, sync phase, Stable.

A rebalance begins with `prepare`: everyone is to join again. It waits for all members, at most
for the longest of their rebalance timeouts; a group that was empty waits a little for more
members instead. `complete_join` starts the generation: who did not rejoin is out, except static
members. The leader assigns; members that never ask for their assignment are removed in turn.

Everything is decided on a copy of the group: each fact is applied to the copy as soon as it is
told, so that what follows sees it.

Source: GroupMetadataManager.java, whose names are kept where a function has one there.
"""

from typing import Any

from simulator.protocol.errors import Error
from simulator.protocol.group_config import GroupConfig
from simulator.protocol.group_members import Members
from simulator.protocol.group_state import (
    Assigned,
    GenerationStarted,
    InitialDelayed,
    JoinAnswered,
    JoinDeadline,
    LeaderElected,
    MemberRemoved,
    MemberSeen,
    SessionDeadline,
    SessionTimerSet,
    State,
    StateChanged,
    SyncAnswered,
    SyncDeadline,
    SyncsForgotten,
)
from simulator.protocol.machine import CancelTimer, Effect, Reply, SetTimer, Step
from simulator.protocol.messages import (
    JoinGroupMember,
    JoinGroupResponse,
    SyncGroupResponse,
)
from simulator.protocol.names import MICROS_PER_MS, UNKNOWN_MEMBER


class Decision:
    """A decision while it is made. on: the class of the message that it answers."""

    __slots__ = ("config", "effects", "facts", "group", "now_us", "on")

    def __init__(self, group: Members, config: GroupConfig, now_us: int, on: type) -> None:
        self.group = group
        self.config = config
        self.now_us = now_us
        self.on = on
        self.facts: list[Any] = []
        self.effects: list[Effect] = []

    def tell(self, fact: Any) -> None:
        """Make a fact part of the decision."""
        self.group.apply(fact)
        self.facts.append(fact)

    def answer(self, request_id: Any, body: Any) -> None:
        """Answer a request, now or parked."""
        self.effects.append(Reply(request_id, body))

    def step(self) -> Step:
        """What was decided."""
        return Step(tuple(self.facts), tuple(self.effects))

    def become(self, state: State) -> None:
        """Change the group's state."""
        self.tell(StateChanged(self.group.status, state, self.on, self.now_us))

    def set_timer(self, name: Any, timeout_ms: int) -> None:
        """Be woken after exactly so long."""
        timeout_us = timeout_ms * MICROS_PER_MS
        self.effects.append(SetTimer(name, timeout_us, timeout_us))

    def seen(self, member_id: str, timeout_ms: int) -> None:
        """Start the member's session anew; its timer is touched only if it would be late."""
        deadline_us = self.now_us + timeout_ms * MICROS_PER_MS
        self.tell(MemberSeen(member_id, deadline_us))
        fires_us = self.group.timers_us.get(member_id)
        if fires_us is None or fires_us > deadline_us:
            self.tell(SessionTimerSet(member_id, deadline_us))
            self.set_timer(SessionDeadline(member_id), timeout_ms)

    def cancel_session(self, member_id: str) -> None:
        """Nobody waits for this member id any more; call it before the id is forgotten."""
        if member_id in self.group.timers_us:
            self.effects.append(CancelTimer(SessionDeadline(member_id)))


def joined(group: Members, member_id: str, *, skip_assignment: bool = False) -> JoinGroupResponse:
    """The answer to a member of the current generation; the leader is told of all members."""
    members: tuple[JoinGroupMember, ...] = ()
    if member_id == group.leader:
        members = tuple(
            JoinGroupMember(one.member_id, one.group_instance_id, one.metadata(group.protocol))
            for one in group.members.values()
        )
    return JoinGroupResponse(
        Error.NONE,
        group.generation,
        group.protocol,
        group.leader,
        member_id,
        members,
        skip_assignment,
    )


def rebalance_or_complete(decision: Decision) -> None:
    """Begin a rebalance, or end the join phase if this was the last that it waited for."""
    group = decision.group
    if group.status is not State.PREPARING:
        prepare(decision)
    elif group.previous is not State.EMPTY and group.everyone_joined:
        # The first rebalance of an empty group ends by its initial delay alone.
        complete_join(decision)


def prepare(decision: Decision) -> None:
    """Have everyone join again (prepareRebalance)."""
    group = decision.group
    if group.status is State.COMPLETING:
        decision.tell(Assigned(()))
        answer_syncs(decision, Error.REBALANCE_IN_PROGRESS)
    if group.unsynced:
        decision.tell(SyncsForgotten())
    decision.effects.append(CancelTimer(SyncDeadline()))
    if group.status is State.EMPTY:
        delay_ms = decision.config.group_initial_rebalance_delay_ms
        remaining_ms = max(group.rebalance_timeout_ms - delay_ms, 0)
        decision.tell(InitialDelayed(delay_ms, remaining_ms))
        decision.set_timer(JoinDeadline(), delay_ms)
        decision.become(State.PREPARING)
        return
    decision.become(State.PREPARING)
    if group.everyone_joined:
        complete_join(decision)
    else:
        decision.set_timer(JoinDeadline(), group.rebalance_timeout_ms)


def join_deadline(decision: Decision) -> None:
    """The join phase's time is up; an initial delay is extended while new members come."""
    group = decision.group
    if group.status is not State.PREPARING:
        return
    initial = group.initial
    if initial is None or not group.grew or initial.remaining_ms == 0:
        complete_join(decision)
        return
    delay_ms = min(decision.config.group_initial_rebalance_delay_ms, initial.remaining_ms)
    remaining_ms = max(initial.remaining_ms - initial.delay_ms, 0)
    decision.tell(InitialDelayed(delay_ms, remaining_ms))
    decision.set_timer(JoinDeadline(), delay_ms)


def complete_join(decision: Decision) -> None:
    """Start the next generation with those that joined (completeClassicGroupJoin)."""
    group = decision.group
    decision.effects.append(CancelTimer(JoinDeadline()))
    for member in list(group.members.values()):
        if member.member_id not in group.joins and member.group_instance_id is None:
            remove(decision, member.member_id, "rebalance_timeout")
    if not _leader_joined(decision) and group.members:
        # Only static members are left, and none came back: wait until one does, or until their
        # sessions end.
        decision.set_timer(JoinDeadline(), group.rebalance_timeout_ms)
        return
    protocol = group.chosen_protocol() if group.members else ""
    decision.tell(
        GenerationStarted(group.generation + 1, protocol, group.leader, tuple(group.members))
    )
    if not group.members:
        decision.become(State.EMPTY)
        decision.tell(group.record(decision.now_us))
        return
    decision.become(State.COMPLETING)
    for member in list(group.members.values()):
        if member.member_id in group.joins:
            decision.answer(group.joins[member.member_id], joined(group, member.member_id))
            decision.tell(JoinAnswered(member.member_id))
        decision.seen(member.member_id, member.session_timeout_ms)
    decision.set_timer(SyncDeadline(), group.rebalance_timeout_ms)


def _leader_joined(decision: Decision) -> bool:
    """Keep the leader if it rejoined, else take the first that did (maybeElectNewJoinedLeader)."""
    group = decision.group
    if group.leader in group.joins:
        return True
    joiner = next((one for one in group.members if one in group.joins), None)
    if joiner is None:
        return False
    decision.tell(LeaderElected(joiner))
    return True


def assign(decision: Decision, assignments: tuple[tuple[str, Any], ...]) -> None:
    """The leader's word is on disk: everyone who asked is told, and the group is Stable."""
    decision.tell(Assigned(assignments))
    decision.become(State.STABLE)
    decision.tell(decision.group.record(decision.now_us))
    answer_syncs(decision, Error.NONE)


def answer_syncs(decision: Decision, error: Error) -> None:
    """Answer every parked SyncGroup, and start those members' sessions anew."""
    group = decision.group
    for member_id, request_id in list(group.syncs.items()):
        member = group.members[member_id]
        told = SyncGroupResponse(error, None if error is not Error.NONE else member.assignment)
        decision.answer(request_id, told)
        decision.tell(SyncAnswered(member_id))
        decision.seen(member_id, member.session_timeout_ms)


def sync_deadline(decision: Decision) -> None:
    """Remove the members that never asked for their assignment (expirePendingSync)."""
    group = decision.group
    if group.status not in (State.COMPLETING, State.STABLE) or not group.unsynced:
        return
    for member_id in list(group.unsynced):
        remove(decision, member_id, "never_synced")
    prepare(decision)


def remove(decision: Decision, member_id: str, reason: str) -> None:
    """Take a member out of the group; a JoinGroup of it that waits is answered."""
    group = decision.group
    if member_id in group.joins:
        refused = JoinGroupResponse(Error.UNKNOWN_MEMBER_ID, member_id=UNKNOWN_MEMBER)
        decision.answer(group.joins[member_id], refused)
    decision.cancel_session(member_id)
    decision.tell(MemberRemoved(member_id, reason))


def after_removal(decision: Decision) -> None:
    """Members have gone: rebalance, or end the join phase that waited for them."""
    group = decision.group
    if group.status in (State.STABLE, State.COMPLETING):
        prepare(decision)
    elif group.status is State.PREPARING and group.everyone_joined:
        complete_join(decision)
