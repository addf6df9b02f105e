"""What a ConsumerGroupHeartbeat leads to: a member joins, stays, moves or leaves, or is refused.

Rule 1: one heartbeat does it all. The member is added or what it says of itself is noted; if that
changes anything, the group has a new epoch; a new epoch has a new target at once; and the member
takes its next step towards it. There is no barrier: each member moves with its own heartbeats.
Rule 2: a member must name its epoch. One that names its epoch before has missed an answer, and is
believed if it holds nothing that it may not hold; any other is fenced: it has to drop everything
and join again. A refused heartbeat does not keep a session alive.
Rule 3: a static member's group.instance.id is free only after it has left for a while (-2); the
one who takes it takes over target and assignment, under its own member id.

Source: GroupMetadataManager.java of Kafka 4.0. So one who was fenced is fenced again when it joins
under the same member id, until its session has ended (KAFKA-19233, mended later), except when it
was in its first epoch; and a static member that joins again without having left is refused.
"""

import attrs

from simulator.protocol.consumer_group_decision import Decision
from simulator.protocol.consumer_group_members import ConsumerMembers, described, is_away, moved
from simulator.protocol.consumer_group_messages import (
    JOINS,
    LEAVES,
    LEAVES_FOR_A_WHILE,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from simulator.protocol.consumer_group_state import (
    ConsumerGroupState,
    ConsumerMember,
    MemberFenced,
    MemberTargeted,
    RevocationAwaited,
    RevocationDeadline,
)
from simulator.protocol.errors import Error
from simulator.protocol.machine import CancelTimer, Request, Step

_Answer = ConsumerGroupHeartbeatResponse


def heartbeat(decision: Decision, request: Request) -> Step:
    """Decide a heartbeat."""
    body: ConsumerGroupHeartbeatRequest = request.body
    refusal = _malformed(decision, body) or _refusal(decision, body)
    if refusal is not None:
        return _refused(decision, request, refusal)
    if body.member_epoch < JOINS:
        return _leave(decision, request)
    before = _member(decision, body)
    after = _told(before, body, request.client)
    changed = decision.group.group_epoch == 0 or after.topics != before.topics
    if after != decision.group.members.get(body.member_id):
        decision.tell(described(after))
    decision.refresh(changed=changed)
    if decision.assign() is not None:
        return _refused(decision, request, Error.UNKNOWN_SERVER_ERROR)
    decision.advance(body.member_id, body.owned)
    decision.seen(body.member_id)
    member = decision.group.members[body.member_id]
    news = is_full(body) or member.assigned != before.assigned
    decision.answer(
        request.id,
        _Answer(
            Error.NONE,
            member.member_id,
            member.epoch,
            decision.rules.config.group_consumer_heartbeat_interval_ms,
            member.assigned if news else None,
        ),
    )
    return decision.step()


def is_full(body: ConsumerGroupHeartbeatRequest) -> bool:
    """Whether the member says everything, and so has to be told everything."""
    return body.member_epoch == JOINS or (
        body.rebalance_timeout_ms != -1 and body.topics is not None and body.owned is not None
    )


def _refused(decision: Decision, request: Request, error: Error) -> Step:
    """Nothing of what was decided comes true: Kafka throws, and its records are dropped."""
    decision.facts.clear()
    decision.effects.clear()
    decision.answer(request.id, _Answer(error, request.body.member_id))
    return Step((), tuple(decision.effects))


def _malformed(decision: Decision, body: ConsumerGroupHeartbeatRequest) -> Error | None:
    """What cannot be meant (throwIfConsumerGroupHeartbeatRequestIsInvalid).

    A client of KIP-848's first version left its member id to the coordinator when it joined; here
    as from version 1 on it names itself (KIP-1082).
    """
    epoch = body.member_epoch
    names = (body.member_id, body.group_id, body.group_instance_id, body.rack_id)
    joins_badly = epoch == JOINS and (
        body.rebalance_timeout_ms == -1 or body.owned != () or body.topics is None
    )
    if (
        any(name is not None and not name.strip() for name in names)
        or joins_badly
        or epoch < LEAVES_FOR_A_WHILE
        or (epoch == LEAVES_FOR_A_WHILE and body.group_instance_id is None)
    ):
        return Error.INVALID_REQUEST
    assignors = decision.rules.config.group_consumer_assignors
    if body.server_assignor is not None and body.server_assignor not in assignors:
        return Error.UNSUPPORTED_ASSIGNOR
    return None


def _refusal(decision: Decision, body: ConsumerGroupHeartbeatRequest) -> Error | None:
    """Why a heartbeat is refused that is well-formed."""
    group, epoch = decision.group, body.member_epoch
    if group.status is ConsumerGroupState.DEAD:
        return Error.NOT_COORDINATOR
    if epoch != JOINS and not group.exists:
        return Error.GROUP_ID_NOT_FOUND
    if epoch >= JOINS and is_full_up(decision, body.member_id):
        return Error.GROUP_MAX_SIZE_REACHED
    if body.group_instance_id is not None:
        refusal = _static_refusal(group, body, body.group_instance_id)
        if refusal is not None or epoch == JOINS:
            return refusal
    member = group.members.get(body.member_id)
    if member is None:
        return None if epoch == JOINS else Error.UNKNOWN_MEMBER_ID
    return None if epoch < JOINS else epoch_refusal(member, body)


def is_full_up(decision: Decision, member_id: str) -> bool:
    """Whether group.consumer.max.size leaves no room for one who is not a member."""
    group, most = decision.group, decision.rules.config.group_consumer_max_size
    return len(group.members) >= most and member_id not in group.members


def _static_refusal(
    group: ConsumerMembers, body: ConsumerGroupHeartbeatRequest, instance_id: str
) -> Error | None:
    """Who may speak for an instance: its member; and who joins only after that one has left."""
    holder = group.instances.get(instance_id)
    if holder is None:
        return None if body.member_epoch == JOINS else Error.UNKNOWN_MEMBER_ID
    if body.member_epoch != JOINS:
        return None if holder == body.member_id else Error.FENCED_INSTANCE_ID
    member = group.members[holder]
    if member.classic is None and not is_away(member):
        return Error.UNRELEASED_INSTANCE_ID
    return None


def epoch_refusal(member: ConsumerMember, body: ConsumerGroupHeartbeatRequest) -> Error | None:
    """Whether the member is in the epoch that it names, or has missed the answer that told it."""
    if body.member_epoch == member.epoch:
        return None
    missed = (
        body.member_epoch < member.epoch
        and body.member_epoch == member.previous_epoch
        and body.owned is not None
        and frozenset(body.owned) <= frozenset(member.assigned)
    )
    return None if missed else Error.FENCED_MEMBER_EPOCH


def _member(decision: Decision, body: ConsumerGroupHeartbeatRequest) -> ConsumerMember:
    """The member as it is now: known, new, or in the place of a static one that has left."""
    group = decision.group
    instance_id = body.group_instance_id
    holder = group.instances.get(instance_id) if instance_id is not None else None
    if body.member_epoch == JOINS and holder is not None:
        return replace(decision, group.members[holder], body.member_id)
    return group.members.get(body.member_id, ConsumerMember(body.member_id))


def replace(decision: Decision, old: ConsumerMember, member_id: str) -> ConsumerMember:
    """A static member is back, under a new member id mostly (replaceMember).

    It begins at epoch 0, with the target and the assignment of the one before.
    """
    target = decision.group.targets.get(old.member_id, ())
    decision.cancel_timers(old.member_id)
    decision.tell(MemberFenced(old.member_id, "replaced"))
    member = attrs.evolve(old, member_id=member_id, epoch=0, previous_epoch=0)
    decision.tell(described(member))
    decision.tell(MemberTargeted(member_id, target))
    decision.tell(moved(member))
    return member


def _told(
    member: ConsumerMember, body: ConsumerGroupHeartbeatRequest, client_id: str
) -> ConsumerMember:
    """The member with what it says of itself now."""
    topics = member.topics if body.topics is None else tuple(sorted({*body.topics}))
    timeout_ms = body.rebalance_timeout_ms
    return attrs.evolve(
        member,
        group_instance_id=body.group_instance_id or member.group_instance_id,
        client_id=client_id,
        rack_id=body.rack_id or member.rack_id,
        rebalance_timeout_ms=member.rebalance_timeout_ms if timeout_ms == -1 else timeout_ms,
        topics=topics,
        server_assignor=body.server_assignor or member.server_assignor,
        classic=None,
    )


def _leave(decision: Decision, request: Request) -> Step:
    """A member leaves for good, or a static one for a while: then it keeps what it holds."""
    body: ConsumerGroupHeartbeatRequest = request.body
    member = decision.group.members[body.member_id]
    if body.member_epoch == LEAVES or body.group_instance_id is None:
        decision.fence(body.member_id, "left")
    else:
        decision.tell(moved(attrs.evolve(member, epoch=LEAVES_FOR_A_WHILE, revoking=())))
        if body.member_id in decision.group.revocations:
            decision.tell(RevocationAwaited(body.member_id, None))
            decision.effects.append(CancelTimer(RevocationDeadline(body.member_id)))
    decision.answer(request.id, _Answer(Error.NONE, body.member_id, body.member_epoch))
    return decision.step()
