"""The uniform assignor where members subscribe to different topics.

Rule 1: what a member still subscribes to it keeps; what is free goes to those who have least,
topics with many partitions a subscriber first.
Rule 2: then topic after topic, again and again, partitions go from its subscribers with most to
those with least, until a whole round changes nothing, or for 16 rounds.
Rule 3: so where all subscribers of each topic subscribe to the same topics, their numbers differ
by one at most; where subscriptions overlap, every topic is even among its own subscribers, though
a chain of exchanges could still gain something.

Members are places in the order of their ids here.

Source: UniformHeterogeneousAssignmentBuilder.java of Kafka 4.0.
"""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction

import attrs

from simulator.protocol.names import TopicPartition

ROUNDS_MAX = 16  # MAX_ITERATION_COUNT


def balance(
    topics_of: Sequence[Collection[str]],
    partitions: Mapping[str, int],
    owner: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """Who gets what.

    Args:
        topics_of: what each member subscribes to.
        partitions: topic to its number of partitions.
        owner: who had what, of what he still subscribes to.
    """
    owner = dict(owner)
    wanted = sorted({topic for topics in topics_of for topic in topics})
    subscribers = {
        topic: [member for member, topics in enumerate(topics_of) if topic in topics]
        for topic in wanted
    }
    counts = [0] * len(topics_of)
    for member in owner.values():
        counts[member] += 1

    def heavy_first(topic: str) -> tuple[Fraction, int, str]:
        those = len(subscribers[topic])
        return (Fraction(-partitions[topic], those), those, topic)

    in_turn = sorted(wanted, key=heavy_first)
    for topic in in_turn:
        levels = _Levels.of(subscribers[topic], counts)
        for number in range(partitions[topic]):
            partition = TopicPartition(topic, number)
            if partition not in owner:
                owner[partition] = levels.next_least()
                counts[owner[partition]] += 1
    shared = [topic for topic in in_turn if len(subscribers[topic]) > 1]
    _even_out(shared, partitions, subscribers, counts, owner)
    return owner


def _even_out(
    topics: Sequence[str],
    partitions: Mapping[str, int],
    subscribers: Mapping[str, Sequence[int]],
    counts: list[int],
    owner: dict[TopicPartition, int],
) -> None:
    """Round after round, until one round has changed nothing (balanceTopics)."""
    last: str | None = None  # The last topic that changed, or else the first one looked at.
    for _ in range(ROUNDS_MAX):
        for topic in topics:
            if topic == last:
                return
            levels = _Levels.of(subscribers[topic], counts)
            if _even_out_topic(topic, partitions[topic], levels, owner) or last is None:
                last = topic


def _even_out_topic(
    topic: str, size: int, levels: "_Levels", owner: dict[TopicPartition, int]
) -> bool:
    """From those with most to those with least; whether anything moved (balanceTopic)."""
    counts = levels.counts
    if counts[levels.members[-1]] - counts[levels.members[0]] <= 1:
        return False
    stock: dict[int, list[TopicPartition]] = {}  # What each has of the topic: the last goes first.
    for number in range(size):
        partition = TopicPartition(topic, number)
        stock.setdefault(owner[partition], []).append(partition)
    moved = False
    while True:
        giver = levels.next_most()
        while giver is not None and not stock.get(giver):
            levels.exclude_most()
            giver = levels.next_most()
        if giver is None:
            return moved
        taker = levels.next_least()
        if levels.most - levels.least <= 1:
            return moved
        partition = stock[giver].pop()
        owner[partition] = taker
        counts[giver] -= 1
        counts[taker] += 1
        moved = True


@attrs.define
class _Levels:
    """A topic's subscribers by what they have, filled from below and drained from above.

    As water: those with least rise together, and when they reach the next one it rises with them;
    those with most sink likewise. Source: MemberAssignmentBalancer.
    """

    members: list[int]  # Those with least first.
    counts: list[int]  # By member, all members; whoever asks for a member changes its count.
    least: int  # What the rising ones have, or had before this turn.
    most: int
    rising: int = 0  # How many rise: the first ones of members.
    next_rising: int = 0
    sinking: int = 0  # The first place of those that sink.
    sinking_end: int = 0  # Behind it are those that have nothing to give.
    next_sinking: int = 0

    @classmethod
    def of(cls, subscribers: Sequence[int], counts: list[int]) -> "_Levels":
        members = sorted(subscribers, key=lambda member: (counts[member], member))
        end = len(members)
        return cls(
            members,
            counts,
            least=counts[members[0]] - 1,
            most=counts[members[-1]] + 1,
            sinking=end,
            sinking_end=end,
            next_sinking=end - 1,
        )

    def next_least(self) -> int:
        """Who takes the next partition."""
        if self.next_rising >= self.rising:
            self.least += 1
            while (
                self.rising < len(self.members)
                and self.counts[self.members[self.rising]] == self.least
            ):
                self.rising += 1
            self.next_rising = 0
        member = self.members[self.next_rising]
        self.next_rising += 1
        return member

    def next_most(self) -> int | None:
        """Who gives the next partition away; None if nobody is left."""
        if self.next_sinking < self.sinking:
            if self.sinking_end <= self.sinking and self.sinking > 0:
                # All who sank have been excluded: go on with whoever has most of the others.
                self.most = self.counts[self.members[self.sinking - 1]]
            else:
                self.most -= 1
            while self.sinking > 0 and self.counts[self.members[self.sinking - 1]] == self.most:
                self.sinking -= 1
            self.next_sinking = self.sinking_end - 1
        if self.next_sinking < 0:
            return None
        member = self.members[self.next_sinking]
        self.next_sinking -= 1
        return member

    def exclude_most(self) -> None:
        """Whoever next_most named last has nothing to give: it is not named again."""
        place, end = self.next_sinking + 1, self.sinking_end - 1
        members = self.members
        members[place], members[end] = members[end], members[place]
        self.sinking_end = end
