"""What both sticky algorithms go by: who may keep what, and who is near to what.

Sources: AbstractStickyAssignor.java (allSubscriptionsEqual, prepopulateCurrentAssignments,
RackInfo), AbstractPartitionAssignor.java (useRackAwareAssignment).
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import attrs

from simulator.protocol.names import NO_GENERATION, TopicPartition
from simulator.protocol.subscriptions import Racks, Subscription, UserData

Given = dict[str, list[TopicPartition]]


@attrs.frozen
class Claims:
    """What the members had, as far as it counts.

    owned: by member, in their order. contested: what two of them claim in one generation.
    previous: who claims a partition in an older generation than the newest; the newest such one.
    """

    owned: Given
    contested: frozenset[TopicPartition]
    previous: Mapping[TopicPartition, str]

    @classmethod
    def of(
        cls,
        subscriptions: Mapping[str, Subscription],
        said: Callable[[Subscription], UserData],
        there: Collection[TopicPartition],
    ) -> "Claims":
        """Weigh the members' claims to the partitions that are there."""
        owned: Given = {}
        contested: list[TopicPartition] = []
        holder: dict[TopicPartition, str] = {}
        claims = {member: said(one) for member, one in subscriptions.items()}
        for member, claim in claims.items():
            owned[member] = []
            for partition in claim.owned:
                if partition not in there:
                    continue
                other = holder.get(partition)
                if other is None:
                    owned[member].append(partition)
                    holder[partition] = member
                    continue
                # As Kafka has it: the other's generation is its membership's, not its claim's.
                theirs = max(subscriptions[other].generation, NO_GENERATION)
                if claim.generation < theirs:
                    continue
                if partition in owned[other]:
                    owned[other].remove(partition)
                holder[partition] = member
                if claim.generation > theirs:
                    owned[member].append(partition)
                else:
                    contested.append(partition)
        return cls(owned, frozenset(contested), _previous(claims))


def _previous(claims: Mapping[str, UserData]) -> dict[TopicPartition, str]:
    newest = max((claim.generation for claim in claims.values()), default=NO_GENERATION)
    found: dict[TopicPartition, tuple[str, int]] = {}
    for member, (owned, generation) in claims.items():
        if generation < newest:
            for partition in owned:
                if partition not in found or generation > found[partition][1]:
                    found[partition] = (member, generation)
    return {partition: member for partition, (member, _) in found.items()}


@attrs.frozen
class Nearness:
    """Who is in a rack with a replica of what.

    rack_of: by member; empty if racks are of no use: unknown, or the same for every partition.
    reached_by: how many members are near to a partition; empty if no member has a rack.
    """

    rack_of: Mapping[str, str]
    racks_of: Mapping[TopicPartition, frozenset[str]]
    reached_by: Mapping[TopicPartition, int]

    @classmethod
    def of(
        cls, members: Mapping[str, str], partitions: Sequence[TopicPartition], racks: Racks
    ) -> "Nearness":
        """From the members' racks ("" is unknown) and those of the partitions' replicas."""
        rack_of = {member: rack for member, rack in members.items() if rack}
        if not rack_of:
            return cls({}, {}, {})
        racks_of = {
            one: frozenset(rack for rack in racks.get(one, ()) if rack) for one in partitions
        }
        inhabitants: dict[str, int] = {}
        for rack in rack_of.values():
            inhabitants[rack] = inhabitants.get(rack, 0) + 1
        reached_by = {
            one: sum(inhabitants.get(rack, 0) for rack in sorted(its))
            for one, its in racks_of.items()
        }
        anywhere = frozenset[str]().union(*racks_of.values())
        if anywhere.isdisjoint(inhabitants) or all(its == anywhere for its in racks_of.values()):
            return cls({}, {}, reached_by)
        return cls(rack_of, racks_of, reached_by)

    def far(self, member: str, partition: TopicPartition) -> bool:
        """Whether racks matter and the member's has no replica of the partition."""
        rack = self.rack_of.get(member)
        return rack is not None and rack not in self.racks_of[partition]

    def next(self, partition: TopicPartition, members: Sequence[str], first: int) -> int | None:
        """Where in the circle of members, from `first` on, the next one in a replica's rack is."""
        if not self.rack_of:
            return None
        racks = self.racks_of[partition]
        for step in range(len(members)):
            place = (first + step) % len(members)
            if self.rack_of.get(members[place]) in racks:
                return place
        return None

    def hardest_first(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Those that few members are near to first; the order stays among equals."""
        return sorted(partitions, key=lambda one: self.reached_by.get(one, 0))
