"""Sticky assignment where members subscribe to different topics.

Rule 1: what a member may keep it keeps; what is free goes, topics with few subscribers first, to
the subscriber that has least.
Rule 2: then partitions move, one by one, from members to others that have two less or fewer, until
nothing more can be gained; back to a former owner first. All of that is undone if the differences
between members are as large as before.
Rule 3: no two partitions of a topic change places between two members: of such a pair the one that
moved before goes back. Which one of several, Kafka leaves to a hash table; here, the lowest.

Source: AbstractStickyAssignor.java (GeneralAssignmentBuilder, PartitionMovements) of Kafka 4.0.

Not modelled: Kafka also moves a partition back to a former owner that does not subscribe to its
topic any more; here such an owner is passed over.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence

import attrs

from simulator.protocol.names import TopicPartition
from simulator.protocol.sticky_facts import Claims, Given, Nearness

Pair = tuple[str, str]  # Whence and whither.


def assign_generally(
    topics: Mapping[str, Sequence[str]],
    numbers: Mapping[str, Sequence[int]],
    claims: Claims,
    near: Nearness,
) -> Given:
    """Balance as far as subscriptions allow.

    Args:
        topics: member to what it subscribes to.
        numbers: topic to partition numbers, topics that somebody subscribes to.
        claims: what the members had; near: where they are.
    """
    topics_of = {
        member: frozenset(one for one in said if one in numbers) for member, said in topics.items()
    }
    subscribers = {
        topic: [member for member, own in topics_of.items() if topic in own] for topic in numbers
    }
    scales = _Scales(topics_of, subscribers, numbers, claims.previous)
    revoked = False
    for member, owned in claims.owned.items():
        for partition in owned:
            if partition.topic in topics_of[member] and not near.far(member, partition):
                scales.put(partition, member)
            else:
                revoked = True
    _balance(scales, near, revoked=revoked)
    given: Given = {member: [] for member in topics_of}
    for partition, member in scales.owner.items():
        given[member].append(partition)
    return given


def _balance(scales: "_Scales", near: Nearness, *, revoked: bool) -> None:
    """Hand out what is free, then move partitions while that evens things out."""
    everything = [
        TopicPartition(topic, number)
        for topic in sorted(scales.numbers, key=lambda one: (len(scales.subscribers[one]), one))
        for number in scales.numbers[topic]
    ]
    free = [partition for partition in everything if partition not in scales.owner]
    fresh = not scales.owner
    left = scales.hand_out(free, near) if near.rack_of else free
    scales.hand_out(left, None)

    scales.leave_out_who_cannot_change()
    movable = [one for one in everything if len(scales.subscribers[one.topic]) > 1]
    before, spread_before = dict(scales.owner), scales.spread()
    if not revoked:
        scales.even_out([one for one in free if len(scales.subscribers[one.topic]) > 1])
    moved = scales.even_out(movable)
    if not fresh and moved and scales.spread() >= spread_before:
        scales.owner = before  # Only the owners are asked for from here on.


@attrs.define
class _Scales:
    """Who has what while partitions are handed out and moved."""

    topics_of: Mapping[str, frozenset[str]]
    subscribers: Mapping[str, Sequence[str]]
    numbers: Mapping[str, Sequence[int]]
    previous: Mapping[TopicPartition, str]
    owner: dict[TopicPartition, str] = attrs.field(factory=dict)
    count: dict[str, int] = attrs.field(init=False)
    order: list[tuple[int, str]] = attrs.field(init=False)  # Members by what they have.
    owners: dict[str, dict[str, int]] = attrs.field(init=False)  # Topic to who has how many of it.
    moves: dict[TopicPartition, Pair] = attrs.field(factory=dict)
    moved: dict[tuple[str, Pair], list[TopicPartition]] = attrs.field(factory=dict)
    even: bool | None = None  # Whether it is balanced, if that was asked since the last move.

    def __attrs_post_init__(self) -> None:
        self.count = dict.fromkeys(self.topics_of, 0)
        self.order = sorted((0, member) for member in self.topics_of)
        self.owners = {topic: {} for topic in self.numbers}

    def put(self, partition: TopicPartition, member: str) -> None:
        """The partition is the member's now."""
        owners = self.owners[partition.topic]
        before = self.owner.get(partition)
        if before is not None:
            self.weigh(before, -1)
            owners[before] -= 1
            if not owners[before]:
                del owners[before]
        self.owner[partition] = member
        self.weigh(member, 1)
        owners[member] = owners.get(member, 0) + 1
        self.even = None

    def weigh(self, member: str, more: int) -> None:
        """Move the member to its new place in the order."""
        count = self.count[member]
        place = bisect_left(self.order, (count, member))
        assert self.order[place] == (count, member), f"{member} was left out and cannot change"
        del self.order[place]
        self.count[member] = count + more
        insort(self.order, (count + more, member))

    def hand_out(
        self, free: Sequence[TopicPartition], near: Nearness | None
    ) -> list[TopicPartition]:
        """Each to the subscriber (in a replica's rack) with least; what nobody takes is left."""
        left: list[TopicPartition] = []
        for partition in free:
            for _, member in self.order:
                if partition.topic in self.topics_of[member] and not (
                    near is not None and near.far(member, partition)
                ):
                    self.put(partition, member)
                    break
            else:
                left.append(partition)
        return left

    def most(self, member: str) -> int:
        """How many partitions the member may have at most."""
        return sum(len(self.numbers[topic]) for topic in sorted(self.topics_of[member]))

    def leave_out_who_cannot_change(self) -> None:
        """Members that have all they may have, and nothing that another one may have."""
        self.order = [
            (count, member)
            for count, member in self.order
            if count < self.most(member)
            or any(
                len(self.subscribers[topic]) > 1
                for topic, owners in self.owners.items()
                if member in owners
            )
        ]

    def spread(self) -> int:
        """The sum of all differences between two members (getBalanceScore)."""
        counts = [count for count, _ in self.order]
        # In ascending order the n-th is subtracted from all behind it, added to all before.
        return sum(count * (2 * place - len(counts) + 1) for place, count in enumerate(counts))

    def balanced(self) -> bool:
        """Whether no member can be given a partition of one that has at least two more."""
        if self.even is None:
            self.even = self._is_balanced()
        return self.even

    def _is_balanced(self) -> bool:
        if self.order[-1][0] - self.order[0][0] <= 1:
            return True
        largest = {
            topic: max(self.count[owner] for owner in owners)
            for topic, owners in self.owners.items()
            if owners
        }
        return not any(
            largest.get(topic, 0) > count + 1
            for count, member in self.order
            for topic in sorted(self.topics_of[member])
        )

    def even_out(self, partitions: Sequence[TopicPartition]) -> bool:
        """Move partitions to members with less, in rounds; whether any moved."""
        moved, again = False, True
        while again:
            again = False
            for partition in partitions:
                if self.balanced():
                    break
                target = self.better(partition)
                if target is not None:
                    self.move(self.instead(partition, target), target)
                    moved = again = True
        return moved

    def better(self, partition: TopicPartition) -> str | None:
        """The former owner, or else the subscriber with least, if it has at least two less."""
        limit = self.count[self.owner[partition]] - 1
        former = self.previous.get(partition)
        if (
            former is not None
            and partition.topic in self.topics_of[former]
            and self.count[former] < limit
        ):
            return former
        for count, member in self.order:
            if count >= limit:
                return None
            if partition.topic in self.topics_of[member]:
                return member
        return None

    def instead(self, partition: TopicPartition, target: str) -> TopicPartition:
        """What moves: a partition of the topic that came the opposite way, if there is one."""
        origin = self.moves[partition][0] if partition in self.moves else self.owner[partition]
        back = self.moved.get((partition.topic, (target, origin)))
        return min(back) if back else partition

    def move(self, partition: TopicPartition, target: str) -> None:
        """Hand the partition over, and remember where it was at first."""
        origin = self.owner[partition]
        if partition in self.moves:
            pair = self.moves.pop(partition)
            self.moved[partition.topic, pair].remove(partition)
            origin = pair[0]
        if origin != target:
            self.moves[partition] = (origin, target)
            self.moved.setdefault((partition.topic, (origin, target)), []).append(partition)
        self.put(partition, target)
