"""How a consumer group serves members that still speak the classic protocol (live upgrade).

Rule 1: such a member's generation is its member epoch. It has no leader to wait for: JoinGroup lets
it take its next step, with the partitions that it says it owns, and SyncGroup tells what it holds.
Rule 2: its heartbeat answers REBALANCE_IN_PROGRESS when it has a step to take: the group is ahead
of it, it has to give partitions back, or what it waits for is free. Then it has to join again
within its rebalance timeout, and to sync within the same.
Rule 3: a protocol that it names must be one that all the classic members have.

Source: GroupMetadataManager.java of Kafka 4.0: classicGroupJoinToConsumerGroup and its siblings for
sync, heartbeat and leave.
"""

from collections.abc import Callable

import attrs

from simulator.protocol.consumer_group_decision import Decision
from simulator.protocol.consumer_group_heartbeat import is_full_up, replace
from simulator.protocol.consumer_group_members import ConsumerMembers, described
from simulator.protocol.consumer_group_state import (
    ClassicSide,
    ConsumerGroupState,
    ConsumerMember,
    JoinedDeadline,
    MemberFenced,
    MemberState,
    SyncedDeadline,
)
from simulator.protocol.errors import Error
from simulator.protocol.group_state import MemberNamed
from simulator.protocol.machine import Request, Step
from simulator.protocol.messages import (
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)
from simulator.protocol.names import UNKNOWN_MEMBER
from simulator.protocol.subscriptions import Subscription


def join(decision: Decision, request: Request, name: Callable[[str, int], str]) -> Step:
    """Decide a JoinGroup. name: makes a member id of the client's name and a number."""
    body: JoinGroupRequest = request.body
    group = decision.group
    refusal = _join_refusal(decision, body)
    if refusal is not None:
        return _refuse_join(decision, request, refusal)
    member_id = body.member_id
    if member_id == UNKNOWN_MEMBER:
        client = body.group_instance_id or body.client_id or request.client
        member_id = name(client, group.named + 1)
        decision.tell(MemberNamed(member_id))
        if body.group_instance_id is None and body.requires_known_member_id:
            told = JoinGroupResponse(Error.MEMBER_ID_REQUIRED, member_id=member_id)
            decision.answer(request.id, told)
            return decision.step()
    before = _member(decision, body, member_id)
    subscription = body.protocols[0][1]
    assert isinstance(subscription, Subscription)
    after = _told(before, body, subscription, body.client_id or request.client)
    if after != group.members.get(member_id):
        decision.tell(described(after))
    decision.refresh(changed=after.topics != before.topics)
    if decision.assign() is not None:
        decision.facts.clear()
        decision.effects.clear()
        return _refuse_join(decision, request, Error.UNKNOWN_SERVER_ERROR)
    decision.advance(member_id, subscription.owned)
    decision.done(member_id, JoinedDeadline)
    decision.seen(member_id)
    decision.expect(member_id, SyncedDeadline, body.rebalance_timeout_ms)
    epoch = group.members[member_id].epoch
    protocol = body.protocols[0][0]
    decision.answer(request.id, JoinGroupResponse(Error.NONE, epoch, protocol, member_id=member_id))
    return decision.step()


def _refuse_join(decision: Decision, request: Request, error: Error) -> Step:
    decision.answer(request.id, JoinGroupResponse(error, member_id=request.body.member_id))
    return Step((), tuple(decision.effects))


def _join_refusal(decision: Decision, body: JoinGroupRequest) -> Error | None:
    group, classic = decision.group, decision.rules.classic
    least, most = classic.group_min_session_timeout_ms, classic.group_max_session_timeout_ms
    if not least <= body.session_timeout_ms <= most:
        return Error.INVALID_SESSION_TIMEOUT
    if group.status is ConsumerGroupState.DEAD:
        return Error.COORDINATOR_NOT_AVAILABLE
    assert group.members, "an empty group becomes a classic one before a classic member joins"
    if is_full_up(decision, body.member_id):
        return Error.GROUP_MAX_SIZE_REACHED
    if not _supports(group, body):
        return Error.INCONSISTENT_GROUP_PROTOCOL
    if body.group_instance_id is not None and body.member_id != UNKNOWN_MEMBER:
        return refusal(group, body.member_id, body.group_instance_id)
    return None


def _supports(group: ConsumerMembers, body: JoinGroupRequest) -> bool:
    """Whether one of these protocols is common to all the classic members."""
    sides = [one.classic for one in group.members.values() if one.classic is not None]
    common = [
        name
        for name, said in body.protocols
        if isinstance(said, Subscription)
        and all(any(name == other for other, _ in side.protocols) for side in sides)
    ]
    return body.protocol_type == "consumer" and bool(common)


def refusal(group: ConsumerMembers, member_id: str, instance_id: str | None) -> Error | None:
    """Why a member's word under this id is not heard, or None (validateConsumerGroupMember)."""
    if instance_id is None:
        return None if member_id in group.members else Error.UNKNOWN_MEMBER_ID
    holder = group.instances.get(instance_id)
    if holder is None:
        return Error.UNKNOWN_MEMBER_ID
    return None if holder == member_id else Error.FENCED_INSTANCE_ID


def _member(decision: Decision, body: JoinGroupRequest, member_id: str) -> ConsumerMember:
    """The member as it is now: known, new, or in the place of the one that held its instance.

    A classic member takes its instance over without asking: whoever held it is fenced.
    """
    group = decision.group
    instance_id = body.group_instance_id
    holder = group.instances.get(instance_id) if instance_id is not None else None
    if holder is not None and holder != member_id:
        return replace(decision, group.members[holder], member_id)
    return group.members.get(member_id, ConsumerMember(member_id))


def _told(
    member: ConsumerMember, body: JoinGroupRequest, said: Subscription, client_id: str
) -> ConsumerMember:
    return attrs.evolve(
        member,
        group_instance_id=body.group_instance_id or member.group_instance_id,
        client_id=client_id,
        rack_id=said.rack or member.rack_id,
        rebalance_timeout_ms=body.rebalance_timeout_ms,
        topics=tuple(sorted({*said.topics})),
        classic=ClassicSide(body.session_timeout_ms, body.protocols),
    )


def _spoken(
    group: ConsumerMembers, member_id: str, instance_id: str | None, generation: int
) -> Error | None:
    """Why a classic member's sync or heartbeat is refused, or None."""
    if group.status is ConsumerGroupState.DEAD:
        return Error.COORDINATOR_NOT_AVAILABLE
    error = refusal(group, member_id, instance_id)
    if error is not None:
        return error
    member = group.members[member_id]
    if member.classic is None:
        return Error.UNKNOWN_MEMBER_ID
    return None if member.epoch == generation else Error.ILLEGAL_GENERATION


def sync(decision: Decision, request: Request) -> Step:
    """Decide a SyncGroup: what the member may hold now."""
    body: SyncGroupRequest = request.body
    group = decision.group
    error = _spoken(group, body.member_id, body.group_instance_id, body.generation)
    if error is None:
        member = group.members[body.member_id]
        assert member.classic is not None
        mine = member.classic.protocols[0][0]
        if body.protocol_type not in (None, "consumer") or body.protocol not in (None, mine):
            error = Error.INCONSISTENT_GROUP_PROTOCOL
        elif group.group_epoch > member.epoch and not _gives_back(member):
            # While it gives back it has already joined again; first it is to finish that.
            _rejoin(decision, member)
            error = Error.REBALANCE_IN_PROGRESS
    if error is not None:
        decision.answer(request.id, SyncGroupResponse(error))
        return decision.step()
    decision.done(body.member_id, SyncedDeadline)
    decision.seen(body.member_id)
    decision.answer(request.id, SyncGroupResponse(Error.NONE, member.assigned))
    return decision.step()


def heartbeat(decision: Decision, request: Request) -> Step:
    """Decide a Heartbeat: the member stays, and hears whether it has to join again."""
    body: HeartbeatRequest = request.body
    group = decision.group
    error = _spoken(group, body.member_id, body.group_instance_id, body.generation)
    if error is not None:
        decision.answer(request.id, HeartbeatResponse(error))
        return decision.step()
    member = group.members[body.member_id]
    decision.seen(body.member_id)
    told = Error.NONE
    if member.epoch < group.group_epoch or _gives_back(member) or _may_take(group, member):
        _rejoin(decision, member)
        told = Error.REBALANCE_IN_PROGRESS
    decision.answer(request.id, HeartbeatResponse(told))
    return decision.step()


def _gives_back(member: ConsumerMember) -> bool:
    return member.state is MemberState.UNREVOKED_PARTITIONS


def _may_take(group: ConsumerMembers, member: ConsumerMember) -> bool:
    """Whether all that it waits for is free (waitingOnUnreleasedPartition)."""
    return member.state is MemberState.UNRELEASED_PARTITIONS and not any(
        one in group.epochs and one not in member.assigned
        for one in group.targets.get(member.member_id, ())
    )


def _rejoin(decision: Decision, member: ConsumerMember) -> None:
    if (member.member_id, JoinedDeadline) not in decision.group.awaited:
        decision.expect(member.member_id, JoinedDeadline, member.rebalance_timeout_ms)


def leave(decision: Decision, request: Request) -> Step:
    """Decide a LeaveGroup: several classic members may leave at once, each with its own answer."""
    body: LeaveGroupRequest = request.body
    results = []
    for member_id, instance_id in body.members:
        error = _leave_one(decision, member_id, instance_id)
        results.append((member_id, instance_id, error))
    if decision.facts:
        decision.look_at_topics()
        decision.bump()
    decision.answer(request.id, LeaveGroupResponse(Error.NONE, tuple(results)))
    return decision.step()


def _leave_one(decision: Decision, member_id: str, instance_id: str | None) -> Error:
    group = decision.group
    if instance_id is not None and member_id == UNKNOWN_MEMBER:  # By an administrator.
        member_id = group.instances.get(instance_id, UNKNOWN_MEMBER)
    error = refusal(group, member_id, instance_id)
    if error is not None:
        return error
    if group.members[member_id].classic is None:
        return Error.UNKNOWN_MEMBER_ID
    decision.cancel_timers(member_id)
    decision.tell(MemberFenced(member_id, "left"))
    return Error.NONE
