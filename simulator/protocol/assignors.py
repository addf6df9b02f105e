"""Who gets which partition: Kafka's client-side assignors, run by a group's leader.

Rule 1: members stand in one order: static members by group.instance.id, then dynamic
members by member id, compared as text.
Rule 2: the same members and partitions give the same assignment; nothing is drawn.
Rule 3: every partition of a topic that somebody subscribes to goes to exactly one subscriber.

The sticky assignors, which look at what members had, are in assignors_sticky.py; the table of all
of them is here. A consumer can name those that consumer_settings.py lists.

Sources: RangeAssignor.java, RoundRobinAssignor.java, AbstractPartitionAssignor.java, KIP-881.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from simulator.protocol.assignors_sticky import assign_cooperative_sticky, assign_sticky
from simulator.protocol.messages import JoinGroupMember
from simulator.protocol.names import TopicPartition
from simulator.protocol.subscriptions import (
    NO_RACKS,
    Assignment,
    Assignor,
    Racks,
    Subscription,
    UserData,
    in_order,
)

__all__ = [
    "ASSIGNORS",
    "NO_RACKS",
    "Assignment",
    "Assignor",
    "Racks",
    "Subscription",
    "UserData",
    "assign_cooperative_sticky",
    "assign_range",
    "assign_round_robin",
    "assign_sticky",
    "in_order",
]


def assign_round_robin(
    members: Sequence[JoinGroupMember],
    partitions: Mapping[str, Sequence[int]],
    _racks: Racks = NO_RACKS,
) -> Assignment:
    """Deal all partitions, topic by topic, to the members in a circle.

    A member that does not subscribe to the topic is passed over; the circle does not start anew.

    Args:
        members: the leader's view; the metadata is a Subscription.
        partitions: topic to partition numbers; topics that are not there are left out.
    """
    circle = in_order(members)
    dealt: dict[str, list[TopicPartition]] = {member.member_id: [] for member in members}
    turn = 0
    for topic in sorted({topic for member in circle for topic in member.metadata.topics}):
        for partition in partitions.get(topic, ()):
            while topic not in circle[turn % len(circle)].metadata.topics:
                turn += 1
            dealt[circle[turn % len(circle)].member_id].append(TopicPartition(topic, partition))
            turn += 1
    return {member_id: tuple(sorted(own)) for member_id, own in dealt.items()}


class _Topic:
    """One topic while its partitions are handed out in ranges.

    racks_of_members: the subscribers in order; "" is a member without a rack.
    extra: how many members may still take one more than the quota.
    """

    def __init__(
        self,
        name: str,
        racks_of_members: dict[str, str],
        racks_of_partitions: dict[int, frozenset[str]],
    ) -> None:
        self.name = name
        self.racks_of_members = racks_of_members
        self.racks_of_partitions = racks_of_partitions
        self.unassigned = list(racks_of_partitions)
        self.quota, self.extra = divmod(len(racks_of_partitions), len(racks_of_members))
        self.taken = dict.fromkeys(racks_of_members, 0)

    def room(self, member: str) -> int:
        """How many more partitions the member may take."""
        return max(0, self.quota + (self.extra > 0) - self.taken[member])

    def near(self, member: str, partition: int) -> bool:
        """Whether a replica is in the member's rack; a member without a rack is everywhere."""
        rack = self.racks_of_members[member]
        return not rack or rack in self.racks_of_partitions[partition]

    def give(self, member: str, partitions: Sequence[int]) -> None:
        """Hand these partitions to the member."""
        self.taken[member] += len(partitions)
        if self.taken[member] > self.quota:
            self.extra -= 1
        gone = frozenset(partitions)
        self.unassigned = [one for one in self.unassigned if one not in gone]

    @property
    def rack_aware(self) -> bool:
        """Whether looking at racks can help: they meet, and not every partition is everywhere."""
        theirs = {rack for rack in self.racks_of_members.values() if rack}
        ours: set[str] = set().union(*self.racks_of_partitions.values())
        if not theirs & ours:
            return False
        return any(racks != ours for racks in self.racks_of_partitions.values())


Given = dict[str, list[TopicPartition]]


def assign_range(
    members: Sequence[JoinGroupMember],
    partitions: Mapping[str, Sequence[int]],
    racks: Racks = NO_RACKS,
) -> Assignment:
    """Cut each topic into ranges, one a subscriber; the first ones take the odd partitions.

    Each topic starts anew with the first member, so topics with as many partitions and the same
    subscribers line up. Where racks are known and differ, partitions are matched to members in a
    replica's rack first, as far as the ranges' sizes allow (KIP-881).

    Args:
        members: the leader's view; the metadata is a Subscription.
        partitions: topic to partition numbers; topics that are not there are left out.
        racks: the racks of a partition's replicas, or empty.
    """
    given: Given = {member.member_id: [] for member in members}
    topics = [
        _topic(name, in_order(subscribers), numbers, racks)
        for name, numbers in partitions.items()
        if numbers and (subscribers := [one for one in members if name in one.metadata.topics])
    ]
    if any(topic.rack_aware for topic in topics):
        _match_racks(topics, given)
    for topic in topics:
        _hand_out(topic, given, lambda _member, _partition: True)
    return {member_id: tuple(sorted(own)) for member_id, own in given.items()}


def _topic(
    name: str, subscribers: Sequence[JoinGroupMember], numbers: Sequence[int], racks: Racks
) -> _Topic:
    return _Topic(
        name,
        {one.member_id: one.metadata.rack for one in subscribers},
        {number: frozenset(racks.get(TopicPartition(name, number), ())) for number in numbers},
    )


def _hand_out(topic: _Topic, given: Given, may: Callable[[str, int], bool]) -> None:
    """Give each member in turn the first partitions that it may have, up to its range's size."""
    for member in topic.racks_of_members:
        own = list(islice((x for x in topic.unassigned if may(member, x)), topic.room(member)))
        if own:
            _give(topic, given, member, own)


def _give(topic: _Topic, given: Given, member: str, partitions: Sequence[int]) -> None:
    given[member].extend(TopicPartition(topic.name, one) for one in partitions)
    topic.give(member, partitions)


def _match_racks(topics: Sequence[_Topic], given: Given) -> None:
    """Match by rack: topics with equal subscribers and sizes together, others each by itself."""
    alike: dict[tuple[tuple[tuple[str, str], ...], int], list[_Topic]] = {}
    for topic in topics:
        size = len(topic.racks_of_partitions)
        alike.setdefault((tuple(topic.racks_of_members.items()), size), []).append(topic)
    for (_, size), together in alike.items():
        if len(together) > 1:
            _match_together(together, size, given)
        elif together[0].rack_aware:
            _hand_out(together[0], given, together[0].near)


def _match_together(topics: Sequence[_Topic], size: int, given: Given) -> None:
    """Give partition n of every topic to one member that is near all of them: they line up."""
    left = list(topics[0].racks_of_members)
    for number in range(size):
        for member in left:
            if all(topic.near(member, number) and topic.room(member) for topic in topics):
                for topic in topics:
                    _give(topic, given, member, [number])
                if not any(topic.room(member) for topic in topics):
                    left.remove(member)
                break


ASSIGNORS: dict[str, Assignor] = {
    "range": assign_range,
    "roundrobin": assign_round_robin,
    "sticky": assign_sticky,
    "cooperative-sticky": assign_cooperative_sticky,
}
