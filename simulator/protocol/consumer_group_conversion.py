"""When a classic group becomes a consumer group and back, with its members in it (KIP-848).

Rule 1: a group without members becomes what the first to join speaks; its offsets stay.
Rule 2: a classic group with members becomes a consumer group when one joins that speaks the new
protocol, if group.consumer.migration.policy allows, all members say their subscriptions, and they
are not too many. The generation becomes the group's epoch, and what each was assigned its target.
Rule 3: a consumer group becomes classic again when the last member that speaks the new protocol has
gone and classic ones are left. The group epoch becomes the generation, and then it rebalances.
Rule 4: at no moment has a group members of both machines, and no offset is lost on the way.

Each function gives the hard facts that tell of it: GroupConverted first, then those for a new
machine of the other kind, which takes the offsets over. coordinated_group drives it.

Source: GroupMetadataManager.java of Kafka 4.0 (validateOnlineUpgrade, convertToConsumerGroup,
validateOnlineDowngradeWithFencedMember, convertToClassicGroup), ConsumerGroup.fromClassicGroup,
ClassicGroup.fromConsumerGroup.
"""

from typing import Any

from simulator.protocol.consumer_group import ConsumerGroup
from simulator.protocol.consumer_group_decision import Rules
from simulator.protocol.consumer_group_state import (
    ClassicSide,
    ConsumerGroupState,
    GroupConverted,
    GroupEpochBumped,
    MemberDescribed,
    MemberMoved,
    MemberState,
    MemberTargeted,
    TargetComputed,
    TopicsSeen,
)
from simulator.protocol.group import Group
from simulator.protocol.group_members import Members
from simulator.protocol.group_state import GroupMetadata, Member, State
from simulator.protocol.subscriptions import Subscription


def upgrade_refusal(group: Group, rules: Rules) -> str | None:
    """Why a classic group cannot become a consumer group now, or None.

    A member of the new protocol that wants to join is then told GROUP_ID_NOT_FOUND.
    """
    if group.state is State.DEAD:
        return "it is dead"
    if not group.members:
        return None
    if not rules.config.upgrades:
        return "group.consumer.migration.policy does not allow it"
    if not all(_is_consumer(member) for member in group.members):
        return "its members do not say which topics they subscribe to"
    if len(group.members) > rules.config.group_consumer_max_size:
        return "it has more members than group.consumer.max.size"
    given = [partition for member in group.members for partition in member.assignment]
    if len({*given}) < len(given):
        return "its leader has given a partition to two members"
    return None


def _is_consumer(member: Member) -> bool:
    return member.protocol_type == "consumer" and all(
        isinstance(said, Subscription) for _, said in member.protocols
    )


def upgraded(group: Group) -> tuple[Any, ...]:
    """The hard facts by which a classic group becomes a consumer group.

    Requests that wait for a rebalance are to be answered REBALANCE_IN_PROGRESS, so that their
    clients join the new group. A group without members leaves nothing but its offsets.

    Args:
        group: a classic group with nothing against it (`upgrade_refusal`).
    """
    told: list[Any] = [GroupConverted("consumer")]
    if not group.members:
        return tuple(told)
    epoch = group.generation
    told += [_describe(member, group.protocol) for member in group.members]
    told += [TopicsSeen(()), GroupEpochBumped(epoch)]
    told += [
        MemberTargeted(member.member_id, tuple(sorted(member.assignment)))
        for member in group.members
    ]
    told.append(TargetComputed(epoch))
    told += [
        MemberMoved(
            member.member_id, epoch, epoch, MemberState.STABLE, tuple(sorted(member.assignment)), ()
        )
        for member in group.members
    ]
    return tuple(told)


def _describe(member: Member, protocol: str) -> MemberDescribed:
    names = [name for name, _ in member.protocols]
    said: Subscription = member.metadata(protocol if protocol in names else names[0])
    return MemberDescribed(
        member.member_id,
        member.group_instance_id,
        member.client_id,
        said.rack,
        member.rebalance_timeout_ms,
        tuple(sorted({*said.topics})),
        None,
        ClassicSide(member.session_timeout_ms, member.protocols),
    )


def downgrade_refusal(group: ConsumerGroup, rules: Rules) -> str | None:
    """Why a consumer group is not to become a classic one now, or None.

    Ask when a member has gone. (A group without members becomes classic when a JoinGroup comes.)
    """
    if group.state is ConsumerGroupState.DEAD:
        return "it is dead"
    if any(member.classic is None for member in group.members):
        return "it has members that speak the new protocol"
    if not group.members:
        return None
    if not rules.config.downgrades:
        return "group.consumer.migration.policy does not allow it"
    if len(group.members) > rules.classic.group_max_size:
        return "it has more members than group.max.size"
    return None


def downgraded(group: ConsumerGroup, generation: int, now_us: int) -> tuple[Any, ...]:
    """The hard facts by which a consumer group becomes classic; it is to rebalance at once.

    Args:
        group: one with nothing against it (`downgrade_refusal`).
        generation: the group epoch in which its members are: that before the last one of the new
            protocol went. So they are told REBALANCE_IN_PROGRESS, and not that they are of old.
        now_us: the time.
    """
    if not group.members:
        return (GroupConverted("classic"),)
    members = {}
    for one in group.members:
        assert one.classic is not None
        members[one.member_id] = Member(
            one.member_id,
            one.group_instance_id,
            one.client_id,
            one.classic.session_timeout_ms,
            one.rebalance_timeout_ms,
            one.classic.protocols,
            "consumer",
            one.assigned,
        )
    leader = next(iter(members))
    classic = Members(
        generation=generation, protocol_type="consumer", leader=leader, members=members
    )
    classic.protocol = classic.chosen_protocol()
    record: GroupMetadata = classic.record(now_us)
    return (GroupConverted("classic"), record)
