"""What a JoinGroup request leads to: a member id, a parked join, a rebalance, or a refusal.

Rule 1: a dynamic member without an id gets one and joins again with it (MEMBER_ID_REQUIRED,
KIP-394); until then the id is pending, and a running join phase waits for it.
Rule 2: a static member without an id takes over its group.instance.id; the old id is fenced. In
a Stable group that costs no rebalance, unless the chosen protocol would change (KIP-345).
Rule 3: in a Stable group the leader's join always rebalances, a follower's only if what it says
of itself has changed.

Source: GroupMetadataManager.java, classicGroupJoin and what it calls.
"""

from collections.abc import Callable
from typing import Any

import attrs

from simulator.protocol.errors import Error
from simulator.protocol.group_config import NEW_MEMBER_JOIN_TIMEOUT_MS
from simulator.protocol.group_rebalance import (
    Decision,
    joined,
    prepare,
    rebalance_or_complete,
    remove,
)
from simulator.protocol.group_state import (
    GroupMetadata,
    JoinParked,
    Member,
    MemberAdded,
    MemberNamed,
    MemberReplaced,
    MemberUpdated,
    PendingAdded,
    PendingRemoved,
    State,
)
from simulator.protocol.machine import Request
from simulator.protocol.messages import JoinGroupRequest, JoinGroupResponse, SyncGroupResponse
from simulator.protocol.names import UNKNOWN_MEMBER


def join(decision: Decision, request: Request, name: Callable[[str, int], str]) -> None:
    """Decide a JoinGroup. name: makes a member id of the client's name and a number."""
    body: JoinGroupRequest = request.body
    config, group = decision.config, decision.group
    least, most = config.group_min_session_timeout_ms, config.group_max_session_timeout_ms
    if not least <= body.session_timeout_ms <= most:
        _refuse(decision, request, Error.INVALID_SESSION_TIMEOUT, body.member_id)
        return
    if group.status is State.DEAD:
        _refuse(decision, request, Error.COORDINATOR_NOT_AVAILABLE, body.member_id)
        return
    if group.status is State.ABSENT:
        if body.member_id != UNKNOWN_MEMBER:
            _refuse(decision, request, Error.UNKNOWN_MEMBER_ID, body.member_id)
            return
        decision.become(State.EMPTY)
    if not _fits(decision, body.member_id):
        _turn_away(decision, request)
    elif not group.supports(body.protocol_type, body.protocols):
        _refuse(decision, request, Error.INCONSISTENT_GROUP_PROTOCOL, body.member_id)
    elif body.member_id == UNKNOWN_MEMBER:
        _join_new(decision, request, name)
    else:
        _join_known(decision, request)
    if group.metadata is None and not any(isinstance(f, GroupMetadata) for f in decision.facts):
        decision.tell(GroupMetadata(0, "", "", "", (), decision.now_us))


def _refuse(decision: Decision, request: Request, error: Error, member_id: str) -> None:
    decision.answer(request.id, JoinGroupResponse(error, member_id=member_id))


def _fits(decision: Decision, member_id: str) -> bool:
    """Whether group.max.size leaves room (acceptJoiningMember).

    During a join phase those count who have joined: the last to rejoin are turned away.
    """
    group, most = decision.group, decision.config.group_max_size
    if group.status is State.EMPTY:
        return True
    if group.status is State.PREPARING:
        return member_id in group.joins or len(group.joins) < most
    return member_id in group.members or len(group.members) < most


def _turn_away(decision: Decision, request: Request) -> None:
    member_id = request.body.member_id
    if member_id in decision.group.members:
        remove(decision, member_id, "group_full")
    elif member_id in decision.group.pending:
        decision.cancel_session(member_id)
        decision.tell(PendingRemoved(member_id, "group_full"))
    _refuse(decision, request, Error.GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER)


def _join_new(decision: Decision, request: Request, name: Callable[[str, int], str]) -> None:
    """A client without an id."""
    body: JoinGroupRequest = request.body
    group = decision.group
    client = body.group_instance_id or body.client_id or request.client
    member_id = name(client, group.named + 1)
    decision.tell(MemberNamed(member_id))
    if body.group_instance_id is None and body.requires_known_member_id:
        decision.tell(PendingAdded(member_id))
        decision.seen(member_id, body.session_timeout_ms)
        _refuse(decision, request, Error.MEMBER_ID_REQUIRED, member_id)
    elif body.group_instance_id is not None and body.group_instance_id in group.instances:
        _replace(decision, request, member_id)
    else:
        _add(decision, request, member_id)


def _join_known(decision: Decision, request: Request) -> None:
    """A client with an id: pending, or a member's."""
    body: JoinGroupRequest = request.body
    group, member_id = decision.group, body.member_id
    if member_id in group.pending:
        if body.group_instance_id is not None:  # Only dynamic ids are ever pending.
            _refuse(decision, request, Error.UNKNOWN_SERVER_ERROR, member_id)
        else:
            _add(decision, request, member_id)
        return
    refusal = group.refusal(member_id, body.group_instance_id)
    if refusal is not None:
        _refuse(decision, request, refusal, member_id)
        return
    unchanged = group.members[member_id].protocols == body.protocols
    leads_a_stable_group = group.status is State.STABLE and group.leader == member_id
    if group.status is not State.PREPARING and unchanged and not leads_a_stable_group:
        # It may have missed the first answer: tell it of the current generation again.
        decision.answer(request.id, joined(group, member_id))
        return
    decision.tell(MemberUpdated(_updated(group.members[member_id], body)))
    decision.tell(JoinParked(member_id, request.id))
    rebalance_or_complete(decision)


def _updated(member: Member, body: JoinGroupRequest) -> Member:
    return attrs.evolve(
        member,
        protocols=body.protocols,
        session_timeout_ms=body.session_timeout_ms,
        rebalance_timeout_ms=body.rebalance_timeout_ms,
    )


def _add(decision: Decision, request: Request, member_id: str) -> None:
    """A new member, which waits for the end of the join phase."""
    body: JoinGroupRequest = request.body
    member = Member(
        member_id,
        body.group_instance_id,
        body.client_id or request.client,
        body.session_timeout_ms,
        body.rebalance_timeout_ms,
        body.protocols,
        body.protocol_type,
    )
    decision.tell(MemberAdded(member))
    decision.tell(JoinParked(member_id, request.id))
    decision.seen(member_id, NEW_MEMBER_JOIN_TIMEOUT_MS)
    rebalance_or_complete(decision)


def _replace(decision: Decision, request: Request, member_id: str) -> None:
    """A static member is back under a new id (updateStaticMemberThenRebalanceOrCompleteJoin)."""
    body: JoinGroupRequest = request.body
    group = decision.group
    assert body.group_instance_id is not None
    old = group.members[group.instances[body.group_instance_id]]
    fenced = Error.FENCED_INSTANCE_ID
    for parked, refused in (
        (group.joins, JoinGroupResponse(fenced, member_id=old.member_id)),
        (group.syncs, SyncGroupResponse(fenced)),
    ):
        waiting: dict[str, Any] = parked
        if old.member_id in waiting:
            decision.answer(waiting[old.member_id], refused)
    decision.cancel_session(old.member_id)
    member = attrs.evolve(_updated(old, body), member_id=member_id)
    decision.tell(MemberReplaced(old.member_id, member))
    decision.seen(member_id, old.session_timeout_ms)
    if group.status is State.STABLE and group.chosen_protocol() == group.protocol:
        decision.tell(group.record(decision.now_us))
        leads = group.leader == member_id
        decision.answer(request.id, joined(group, member_id, skip_assignment=leads))
        return
    decision.tell(JoinParked(member_id, request.id))
    if group.status is State.PREPARING:
        rebalance_or_complete(decision)
    else:
        prepare(decision)
