"""Who gets which partition by KIP-848: the group coordinator's own assignors.

Rule 1: a target is a function of the members, the topics' sizes and the target before it.
Rule 2: every partition of a topic that somebody subscribes to goes to exactly one subscriber.
Rule 3: uniform evens out the numbers of partitions and then keeps as much as it can of the target
before; range lines topics up and looks at nothing else.
Rule 4: where Kafka goes by its hash tables (of member ids, of random topic ids), members stand by
member id and topics by name.

Sources: UniformAssignor.java, UniformHomogeneousAssignmentBuilder.java, RangeAssignor.java of
Kafka 4.0 (group-coordinator); KIP-848.

Not modelled: racks, which these assignors of Kafka 4.0 do not look at.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from simulator.protocol.assignors_server_uneven import balance
from simulator.protocol.names import TopicPartition
from simulator.protocol.subscriptions import Assignment


class MemberSpec(NamedTuple):
    """A member as an assignor sees it.

    topics: what it subscribes to. owned: its part of the target assignment so far, whether or not
    the member has come to hold it; no partition is in two members' parts.
    """

    member_id: str
    topics: tuple[str, ...]
    instance_id: str | None = None
    owned: tuple[TopicPartition, ...] = ()


class CannotAssign(NamedTuple):
    """There is no target, and why (PartitionAssignorException)."""

    reason: str


ServerAssignor = Callable[[Sequence[MemberSpec], Mapping[str, int]], Assignment | CannotAssign]


def assign_uniform(
    members: Sequence[MemberSpec], partitions: Mapping[str, int]
) -> Assignment | CannotAssign:
    """As many partitions for each as for the others, as far as their subscriptions allow.

    Args:
        members: in any order.
        partitions: topic to its number of partitions.
    """
    if len({frozenset(member.topics) for member in members}) > 1:
        return assign_heterogeneous(members, partitions)
    return assign_homogeneous(members, partitions)


def _missing(members: Sequence[MemberSpec], partitions: Mapping[str, int]) -> str | None:
    """A topic that somebody subscribes to and that is not there."""
    wanted = {topic for member in members for topic in member.topics}
    return min((topic for topic in wanted if topic not in partitions), default=None)


def assign_homogeneous(
    members: Sequence[MemberSpec], partitions: Mapping[str, int]
) -> Assignment | CannotAssign:
    """Equal shares for members that all subscribe to the same topics.

    The first members by id have the larger shares, whatever they had before; so a partition may
    leave a member that has no more than others have.
    """
    missing = _missing(members, partitions)
    if missing is not None:
        return _nowhere(missing)
    if not members:
        return {}
    in_turn = sorted(members, key=lambda one: one.member_id)
    topics = sorted({*in_turn[0].topics})
    held = {partition for member in in_turn for partition in member.owned}
    everything = [
        TopicPartition(one, number) for one in topics for number in range(partitions[one])
    ]
    free = [partition for partition in everything if partition not in held]
    smallest, extra = divmod(len(everything), len(in_turn))
    given: dict[str, list[TopicPartition]] = {}
    room: dict[str, int] = {}
    for place, member in enumerate(in_turn):
        share = smallest + (place < extra)
        mine = [partition for partition in sorted(member.owned) if partition.topic in topics]
        given[member.member_id] = mine[:share]
        room[member.member_id] = share - len(mine[:share])
        free.extend(mine[share:])
    assert len(free) == sum(room.values()), "shares and partitions are not as many"
    handed_out = 0
    for member_id, count in room.items():
        given[member_id].extend(free[handed_out : handed_out + count])
        handed_out += count
    return {member_id: tuple(sorted(own)) for member_id, own in given.items()}


def assign_heterogeneous(
    members: Sequence[MemberSpec], partitions: Mapping[str, int]
) -> Assignment | CannotAssign:
    """For members of different subscriptions: see assignors_server_uneven.py."""
    missing = _missing(members, partitions)
    if missing is not None:
        return _nowhere(missing)
    in_turn = sorted(members, key=lambda one: one.member_id)
    topics = [frozenset(member.topics) for member in in_turn]
    owner = {
        partition: place
        for place, member in enumerate(in_turn)
        for partition in member.owned
        if partition.topic in topics[place]
    }
    given: Assignment = {member.member_id: () for member in in_turn}
    for partition, place in sorted(balance(topics, partitions, owner).items()):
        given[in_turn[place].member_id] += (partition,)
    return given


def _nowhere(topic: str) -> CannotAssign:
    return CannotAssign(
        f"Members are subscribed to topic {topic} which doesn't exist in the topic metadata."
    )


def assign_range(
    members: Sequence[MemberSpec], partitions: Mapping[str, int]
) -> Assignment | CannotAssign:
    """Cut each topic into ranges, one a subscriber; the first ones take the odd partitions.

    Static members come first, by instance id, then dynamic ones by member id: so the ranges of
    static members stay when they restart. What was assigned before does not matter.
    """
    if _missing(members, partitions) is not None:
        return CannotAssign("Member is subscribed to a non-existent topic")
    in_turn = sorted(members, key=_place)
    given: dict[str, list[TopicPartition]] = {member.member_id: [] for member in in_turn}
    for topic in sorted({topic for member in in_turn for topic in member.topics}):
        subscribers = [member.member_id for member in in_turn if topic in member.topics]
        smallest, extra = divmod(partitions[topic], len(subscribers))
        start = 0
        for place, member_id in enumerate(subscribers):
            end = start + smallest + (place < extra)
            given[member_id].extend(TopicPartition(topic, one) for one in range(start, end))
            start = end
    return {member_id: tuple(own) for member_id, own in given.items()}


def _place(member: MemberSpec) -> tuple[bool, str]:
    instance = member.instance_id
    return (instance is None, member.member_id if instance is None else instance)


# In the order of group.consumer.assignors: the first one serves who asks for none.
SERVER_ASSIGNORS: dict[str, ServerAssignor] = {"uniform": assign_uniform, "range": assign_range}
