"""What a member may ask once it has joined: its assignment, to stay, to leave; and being silent.

Rule 1: a request is looked at only if its member id, its group.instance.id and its generation are
those of the group now; otherwise it is from a member that the group has moved on without.
Rule 2: SyncGroup waits for the leader's; in Stable it is answered at once.
Rule 3: a member that is silent for its session timeout is removed, static or not; but a member
that waits for an answer of ours is not silent, except a new one after five minutes.

Source: GroupMetadataManager.java: classicGroupSync, classicGroupLeave,
expireClassicGroupMemberHeartbeat.
"""

from simulator.protocol.errors import Error
from simulator.protocol.group_members import Members
from simulator.protocol.group_rebalance import Decision, after_removal, assign, prepare, remove
from simulator.protocol.group_state import (
    JoinDeadline,
    Loaded,
    MemberSynced,
    PendingRemoved,
    SessionDeadline,
    SessionTimerLapsed,
    SessionTimerSet,
    State,
    SyncDeadline,
    SyncParked,
)
from simulator.protocol.machine import CancelTimer, Request, SetTimer
from simulator.protocol.messages import (
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    SyncGroupRequest,
    SyncGroupResponse,
)
from simulator.protocol.names import UNKNOWN_MEMBER


def sync(decision: Decision, request: Request) -> None:
    """Decide a SyncGroup: a member asks for its assignment, the leader brings all of them."""
    body: SyncGroupRequest = request.body
    group, member_id = decision.group, body.member_id
    refusal = _sync_refusal(group, body)
    if refusal is not None:
        decision.answer(request.id, SyncGroupResponse(refusal))
        return
    if member_id in group.unsynced:
        decision.tell(MemberSynced(member_id))
    if not group.unsynced:
        decision.effects.append(CancelTimer(SyncDeadline()))
    if group.status is State.STABLE:
        own = group.members[member_id].assignment
        decision.answer(request.id, SyncGroupResponse(Error.NONE, own))
        return
    decision.tell(SyncParked(member_id, request.id))
    if member_id == group.leader:
        assign(decision, body.assignments)


def _sync_refusal(group: Members, body: SyncGroupRequest) -> Error | None:
    if group.status is State.DEAD:
        return Error.COORDINATOR_NOT_AVAILABLE
    refusal = group.refusal(body.member_id, body.group_instance_id)
    if refusal is not None:
        return refusal
    if body.generation != group.generation:
        return Error.ILLEGAL_GENERATION
    if body.protocol_type not in (None, group.protocol_type):
        return Error.INCONSISTENT_GROUP_PROTOCOL
    if body.protocol not in (None, group.protocol):
        return Error.INCONSISTENT_GROUP_PROTOCOL
    return Error.REBALANCE_IN_PROGRESS if group.status is State.PREPARING else None


def leave(decision: Decision, request: Request) -> None:
    """Decide a LeaveGroup: several members may leave at once, each with its own answer.

    A static member may be named by its instance id alone, as an administrator does (KIP-345).
    """
    body: LeaveGroupRequest = request.body
    group = decision.group
    if group.status is State.DEAD:
        decision.answer(request.id, LeaveGroupResponse(Error.COORDINATOR_NOT_AVAILABLE))
        return
    results = tuple(
        (member_id, instance_id, _leave_one(decision, member_id, instance_id))
        for member_id, instance_id in body.members
    )
    decision.answer(request.id, LeaveGroupResponse(Error.NONE, results))
    if any(error is Error.NONE for _, _, error in results):
        after_removal(decision)


def _leave_one(decision: Decision, member_id: str, instance_id: str | None) -> Error:
    group = decision.group
    if member_id == UNKNOWN_MEMBER:
        if instance_id is None or instance_id not in group.instances:
            return Error.UNKNOWN_MEMBER_ID
        remove(decision, group.instances[instance_id], "left")
        return Error.NONE
    if member_id in group.pending:
        decision.cancel_session(member_id)
        decision.tell(PendingRemoved(member_id, "left"))
        return Error.NONE
    refusal = group.refusal(member_id, instance_id)
    if refusal is not None:
        return refusal
    remove(decision, member_id, "left")
    return Error.NONE


def session_deadline(decision: Decision, member_id: str) -> None:
    """The member's timer fired: it was heard of meanwhile, or it waits for us, or it is gone."""
    group = decision.group
    if member_id not in group.timers_us:
        return
    deadline_us = group.deadlines_us[member_id]
    if deadline_us > decision.now_us:
        left_us = deadline_us - decision.now_us
        decision.tell(SessionTimerSet(member_id, deadline_us))
        decision.effects.append(SetTimer(SessionDeadline(member_id), left_us, left_us))
        return
    decision.tell(SessionTimerLapsed(member_id))
    if member_id in group.pending:
        decision.tell(PendingRemoved(member_id, "never_joined"))
        after_removal(decision)
        return
    is_new = member_id in group.newcomers
    if not is_new and (member_id in group.joins or member_id in group.syncs):
        return  # Its session starts anew when it is answered.
    remove(decision, member_id, "never_joined" if is_new else "session_timeout")
    after_removal(decision)


def load(decision: Decision, *, has_offsets: bool, rebalances: bool = False) -> None:
    """Take up a group that was read from disk: every member's session starts afresh.

    rebalances: it has just become a classic group, and its members are to join it as such.
    """
    group = decision.group
    if group.metadata is None:
        if has_offsets:
            decision.become(State.EMPTY)
        return
    members = group.metadata.members
    decision.tell(Loaded())
    decision.become(State.STABLE if members else State.EMPTY)
    for member in members:
        decision.seen(member.member_id, member.session_timeout_ms)
    too_many = len(members) > decision.config.group_max_size  # The setting was lowered meanwhile.
    if too_many or (rebalances and members):
        prepare(decision)


def unload(decision: Decision) -> None:
    """Give the group up to another coordinator: whoever waits is sent there."""
    dismiss(decision, Error.NOT_COORDINATOR)
    decision.become(State.DEAD)


def dismiss(decision: Decision, error: Error) -> None:
    """Nobody waits any more, neither the members for us nor we for them."""
    group = decision.group
    for member_id, request_id in group.joins.items():
        decision.answer(request_id, JoinGroupResponse(error, member_id=member_id))
    for request_id in group.syncs.values():
        decision.answer(request_id, SyncGroupResponse(error))
    for member_id in group.timers_us:
        decision.cancel_session(member_id)
    decision.effects += [CancelTimer(JoinDeadline()), CancelTimer(SyncDeadline())]
