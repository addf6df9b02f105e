"""Who gets which partition when members keep what they have: Kafka's two sticky assignors.

Rule 1: every partition of a topic that somebody subscribes to goes to one subscriber, as evenly as
the subscriptions allow; only then does it matter who had it before.
Rule 2: what a member says it had counts if nobody says the same in a newer generation; what two
members claim in one generation is nobody's.
Rule 3: members stand by member id, static ones too. But when it is asked who keeps what they stand
in the order of Java's hash tables: of several members with too much, that order says which keep one
more than the others.
Rule 4: where all subscribe to the same topics everybody gets an equal share and keeps as much of
it as possible; else assignors_general.py.
Rule 5: the cooperative assignor withholds what another member must give up first: it is given out
by the next rebalance, which giving it up causes.

Sources: AbstractStickyAssignor.java, StickyAssignor.java, CooperativeStickyAssignor.java of
Kafka 4.0; KIP-54, KIP-341, KIP-429, KIP-792, KIP-881, KAFKA-15170.

Not modelled: claims to partitions that are not there any more are dropped, where Kafka's sticky
assignors look at the topic alone; a group with a member that subscribes to nothing is never taken
for one with equal subscriptions; the highest generation is of this rebalance alone, where Kafka's
leader remembers it.
"""

from collections.abc import Callable, Mapping, Sequence

import attrs

from simulator.protocol.assignors_general import assign_generally
from simulator.protocol.java_order import in_hash_order
from simulator.protocol.messages import JoinGroupMember
from simulator.protocol.names import NO_GENERATION, TopicPartition
from simulator.protocol.sticky_facts import Claims, Given, Nearness
from simulator.protocol.subscriptions import NO_RACKS, Assignment, Racks, Subscription, UserData


def assign_sticky(
    members: Sequence[JoinGroupMember],
    partitions: Mapping[str, Sequence[int]],
    racks: Racks = NO_RACKS,
) -> Assignment:
    """Spread partitions evenly, and leave them where they were: for eager members.

    What a member had is in its user data, since an eager member owns nothing while it joins.

    Args:
        members: the leader's view; the metadata is a Subscription.
        partitions: topic to partition numbers; topics that are not there are left out.
        racks: the racks of a partition's replicas, or empty.
    """
    given, _ = _assign(members, partitions, racks, lambda said: said.user_data or UserData())
    return _sorted(given)


def assign_cooperative_sticky(
    members: Sequence[JoinGroupMember],
    partitions: Mapping[str, Sequence[int]],
    racks: Racks = NO_RACKS,
) -> Assignment:
    """As the sticky assignor, without what would have to move: that waits until it is given up.

    What a member had is what it owns while it joins.

    Args:
        members: the leader's view; the metadata is a Subscription.
        partitions: topic to partition numbers; topics that are not there are left out.
        racks: the racks of a partition's replicas, or empty.
    """
    given, moving = _assign(members, partitions, racks, _owned)
    if moving is None:
        moving = _moving({one.member_id: {*one.metadata.owned} for one in members}, given)
    for partition, member in moving.items():
        given[member].remove(partition)
    return _sorted(given)


def _owned(said: Subscription) -> UserData:
    generation = said.generation
    if generation <= NO_GENERATION and said.user_data is not None:
        generation = said.user_data.generation
    return UserData(said.owned, generation)


def _sorted(given: Given) -> Assignment:
    return {member_id: tuple(sorted(own)) for member_id, own in given.items()}


def _moving(owned: Mapping[str, set[TopicPartition]], given: Given) -> dict[TopicPartition, str]:
    """What is given to a member that did not own it, while another one did."""
    revoked: set[TopicPartition] = set()
    for member, own in given.items():
        revoked |= owned[member].difference(own)
    return {
        partition: member
        for member, own in given.items()
        for partition in own
        if partition in revoked and partition not in owned[member]
    }


def _assign(
    members: Sequence[JoinGroupMember],
    partitions: Mapping[str, Sequence[int]],
    racks: Racks,
    said: Callable[[Subscription], UserData],
) -> tuple[Given, dict[TopicPartition, str] | None]:
    """The assignment, and what moves in it from member to member (None: not known yet)."""
    said_by: dict[str, Subscription] = {one.member_id: one.metadata for one in members}
    subscriptions = {member: said_by[member] for member in in_hash_order(said_by)}
    wanted = {topic for one in subscriptions.values() for topic in one.topics}
    numbers = {topic: partitions[topic] for topic in sorted(wanted) if partitions.get(topic)}
    everything = [TopicPartition(topic, one) for topic, each in numbers.items() for one in each]
    claims = Claims.of(subscriptions, said, frozenset(everything))
    near = Nearness.of({name: one.rack for name, one in subscriptions.items()}, everything, racks)
    if len({frozenset(one.topics) for one in subscriptions.values()}) > 1:
        topics = {name: one.topics for name, one in subscriptions.items()}
        return assign_generally(topics, numbers, claims, near), None
    if not subscriptions:
        return {}, None
    shares = _Shares.of(len(everything), claims, near)
    return shares.build(everything), shares.moving


@attrs.define
class _Shares:
    """Equal shares of all partitions, while they are handed out (ConstrainedAssignmentBuilder).

    Most members get `smallest` partitions, and `extra` of them `largest`, which is one more.
    """

    claims: Claims
    near: Nearness
    smallest: int
    largest: int
    extra: int
    given: Given
    full: int = 0  # How many have `largest`, if that is more than `smallest`.
    below: list[str] = attrs.field(factory=list)  # Members with less than `smallest`.
    level: list[str] = attrs.field(factory=list)  # Members with `smallest` that may take one more.
    let_go: dict[TopicPartition, str] = attrs.field(factory=dict)  # From whom it is taken.
    moving: dict[TopicPartition, str] = attrs.field(factory=dict)  # To whom it moves.

    @classmethod
    def of(cls, count: int, claims: Claims, near: Nearness) -> "_Shares":
        smallest, extra = divmod(count, len(claims.owned))
        given: Given = {member: [] for member in claims.owned}
        return cls(claims, near, smallest, smallest + (extra > 0), extra, given)

    def build(self, everything: Sequence[TopicPartition]) -> Given:
        """Keep, fill up within racks, fill up."""
        for member, owned in self.claims.owned.items():
            self.keep(member, owned)
        kept = {partition for own in self.given.values() for partition in own}
        free = [partition for partition in everything if partition not in kept]
        self.below.sort()
        self.level.sort()
        self.fill(self.fill_near(self.near.hardest_first(free)))
        for member in self.below:
            assert len(self.given[member]) == self.smallest, f"{member} has less than its share"
        return self.given

    def keep(self, member: str, owned: Sequence[TopicPartition]) -> None:
        """Leave the member its partitions, up to its share; lower numbers stay first."""
        mine: list[TopicPartition] = []
        for partition in sorted(owned, key=lambda one: (one.partition, one.topic)):
            if self.near.far(member, partition):
                self.let_go[partition] = member
            elif partition not in self.claims.contested:
                mine.append(partition)
        if len(mine) < self.smallest:
            self.given[member].extend(mine)
            self.below.append(member)
            return
        size = self.smallest
        if self.full < self.extra:
            if len(mine) >= self.largest:
                size = self.largest
                self.one_more_is_full()
            else:
                self.level.append(member)
        self.given[member].extend(mine[:size])
        for partition in mine[size:]:
            self.let_go[partition] = member

    def one_more_is_full(self) -> None:
        """Count a member with `largest`; after the last one nobody takes more than `smallest`."""
        self.full += 1
        if self.full == self.extra:
            self.level.clear()

    def fill_near(self, free: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Hand out, in a circle, what members in a replica's rack have room for; the rest is left.

        Source: assignRackAwareRoundRobin.
        """
        left: list[TopicPartition] = []
        turn = 0
        for partition in free:
            place = self.near.next(partition, self.below, turn)
            if place is not None:
                member = self.below[place]
                size = len(self.given[member]) + 1
                if size >= self.smallest:
                    del self.below[place]
                    if size < self.largest and self.full < self.extra:
                        self.level.append(member)
                else:
                    place += 1
                turn = place % len(self.below) if self.below else 0
            else:
                place = self.near.next(partition, self.level, 0)
                if place is None:
                    left.append(partition)
                    continue
                member = self.level.pop(place)
                self.one_more_is_full()
            self.give(partition, member)
        return left

    def fill(self, free: Sequence[TopicPartition]) -> None:
        """Hand out the rest in a circle: to those below the smallest share, then to the others."""
        turn = 0
        for partition in free:
            if not self.below:
                assert self.level, f"nobody has room for {partition}"
                self.give(partition, self.level.pop(0))
                self.full += 1
                continue
            turn %= len(self.below)
            member = self.below[turn]
            self.give(partition, member)
            if len(self.given[member]) == self.smallest:
                del self.below[turn]
                self.level.append(member)
            else:
                turn += 1

    def give(self, partition: TopicPartition, member: str) -> None:
        """Hand the partition to the member; it moves if it is taken from another."""
        self.given[member].append(partition)
        if self.let_go.get(partition, member) != member or partition in self.claims.contested:
            self.moving[partition] = member
