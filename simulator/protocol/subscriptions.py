"""What members of a classic group tell its leader, and what an assignor is.

Rule 1: an assignor is a function: the same members and partitions give the same assignment.
Rule 2: it sees members only by what their JoinGroup said, as the leader does.

Sources: ConsumerPartitionAssignor.java (Subscription), AbstractPartitionAssignor.java (MemberInfo),
StickyAssignor.java and CooperativeStickyAssignor.java (user data).
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from simulator.protocol.messages import JoinGroupMember
from simulator.protocol.names import NO_GENERATION, TopicPartition

Assignment = dict[str, tuple[TopicPartition, ...]]  # Member id to its partitions, sorted.
Racks = Mapping[TopicPartition, Sequence[str]]  # Where a partition's replicas are.
NO_RACKS: Racks = MappingProxyType({})


class UserData(NamedTuple):
    """What a sticky assignor of a member remembers: its last assignment, and of which generation.

    It outlives the membership: a member that was fenced still sends what it was assigned last.
    The sticky assignor sends both, the cooperative one the generation alone.
    """

    owned: tuple[TopicPartition, ...] = ()
    generation: int = NO_GENERATION


class Subscription(NamedTuple):
    """What a member says of itself when it joins: the metadata of each of its protocols.

    rack: client.rack, or "". owned and generation: what it holds, and since when (an eager member
    has given everything back before it joins). user_data: what its assignor adds, if any.
    """

    topics: tuple[str, ...]
    rack: str = ""
    owned: tuple[TopicPartition, ...] = ()
    generation: int = NO_GENERATION
    user_data: UserData | None = None


class Assignors:
    """A member's own assignors: what they add to its subscriptions, and what they remember.

    Args:
        names: its partition.assignment.strategy; one assignor each, which lives as long as the
            consumer, through every group membership.
        rack: its client.rack, or "".
    """

    def __init__(self, names: Sequence[str], rack: str = "") -> None:
        self._rack = rack
        self._remembered: dict[str, UserData | None] = {
            name: UserData() if name == "cooperative-sticky" else None for name in names
        }

    def say(
        self, topics: tuple[str, ...], owned: tuple[TopicPartition, ...], generation: int
    ) -> tuple[tuple[str, Subscription], ...]:
        """The protocols of a JoinGroup, in the order of preference (ConsumerCoordinator.metadata).

        owned, generation: what the member holds just now, and the generation that it is in.
        """
        return tuple(
            (name, Subscription(topics, self._rack, owned, generation, remembered))
            for name, remembered in self._remembered.items()
        )

    def assigned(self, name: str, owned: tuple[TopicPartition, ...], generation: int) -> None:
        """One of them, the group's choice, has had its say (onAssignment)."""
        if name == "sticky":
            self._remembered[name] = UserData(owned, generation)
        elif name == "cooperative-sticky":
            self._remembered[name] = UserData((), generation)


Assignor = Callable[[Sequence[JoinGroupMember], Mapping[str, Sequence[int]], Racks], Assignment]


def topics_of(members: Sequence[JoinGroupMember]) -> tuple[str, ...]:
    """All topics that somebody of the group subscribes to, sorted."""
    return tuple(sorted({topic for member in members for topic in member.metadata.topics}))


def in_order(members: Sequence[JoinGroupMember]) -> list[JoinGroupMember]:
    """Static members by instance id, then dynamic ones by member id (MemberInfo.compareTo)."""

    def place(member: JoinGroupMember) -> tuple[bool, str]:
        instance = member.group_instance_id
        return (instance is None, member.member_id if instance is None else instance)

    return sorted(members, key=place)
