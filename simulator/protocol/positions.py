"""What a consumer is assigned, and where it stands in each partition (SubscriptionState.java).

1. A partition has a position, or awaits one: from the group's committed offset, else by
   auto.offset.reset.
2. A position advances when records are handed out, not when they are processed.
3. Pause and position belong to one assignment: they are gone when the partition is revoked, even
   if it comes back at once.

Not modelled: validating a position after a leader change (OffsetsForLeaderEpoch, KIP-320),
preferred read replicas.
"""

from collections.abc import Iterable
from typing import Any

from simulator.errors import BadInput
from simulator.protocol.names import TopicPartition


class Position:
    """Where a consumer stands in one partition.

    Attributes:
        offset: of the next record to hand out; None while it is not known.
        reset: earliest or latest while the position awaits a ListOffsets; None otherwise.
        paused: the application wants none of its records for now.
        revoking: the partition is about to be given back: nothing more is handed out.
        stale: its leader refused, so it is left alone until new metadata has come.
    """

    __slots__ = (
        "asked",
        "offset",
        "partition",
        "paused",
        "reset",
        "revoking",
        "stale",
        "try_at_us",
    )

    def __init__(self, partition: TopicPartition) -> None:
        self.partition = partition
        self.offset: int | None = None
        self.reset: str | None = None
        self.asked = False  # A ListOffsets for it is in flight.
        self.try_at_us = 0  # When ListOffsets may be tried again.
        self.paused = False
        self.revoking = False
        self.stale = False

    @property
    def fetchable(self) -> bool:
        """Whether its records may be fetched."""
        return self.offset is not None and not (self.paused or self.revoking or self.stale)

    def move(self, offset: int) -> None:
        """Stand at `offset`; what was awaited is forgotten."""
        self.offset = offset
        self.reset = None

    def await_reset(self, policy: str) -> None:
        """Forget the position; the log's beginning or end becomes the new one."""
        self.offset = None
        self.reset = policy
        self.asked = False
        self.try_at_us = 0


class Positions:
    """The assignment, and a position for each partition of it.

    Attributes:
        assigned: in the order of assignment.
        in_turn: the same in the order in which they are fetched: who was served goes last.
        subscribed: whether the group assigns; otherwise the application does.
        unsettled: whether some partition has, or may have, no position yet.
        moved: counts every change that matters to what is fetched.
    """

    __slots__ = ("assigned", "in_turn", "moved", "subscribed", "topics", "unsettled")

    def __init__(self) -> None:
        self.assigned: dict[TopicPartition, Position] = {}
        self.in_turn: dict[TopicPartition, Position] = {}
        self.subscribed = False
        self.topics: tuple[str, ...] = ()
        self.unsettled = False
        self.moved = 0

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Be assigned exactly these; a partition that was assigned before keeps its position."""
        before = self.assigned
        self.assigned = {one: before.get(one) or Position(one) for one in partitions}
        self.in_turn = dict(self.assigned)
        self.unsettled = bool(self.assigned)
        self.moved += 1

    def served(self, partition: TopicPartition) -> None:
        """It had its turn: the others are fetched first."""
        position = self.in_turn.pop(partition, None)
        if position is not None:
            self.in_turn[partition] = position

    def initializing(self) -> list[Position]:
        """Those that await the group's committed offset."""
        return [one for one in self.assigned.values() if one.offset is None and one.reset is None]

    def resetting(self) -> list[Position]:
        """Those that await the beginning or the end of the log."""
        return [one for one in self.assigned.values() if one.reset is not None]

    def consumed(self) -> dict[TopicPartition, int]:
        """The positions of all partitions that have one: what a commit without offsets commits."""
        return {
            partition: position.offset
            for partition, position in self.assigned.items()
            if position.offset is not None
        }

    # --- What the application may do -----------------------------------------------------------

    def position(self, partition: Any) -> int | None:
        """The offset of the next record to hand out, or None while that is not known.

        Raises:
            BadInput: the partition is not assigned (so in every method down from here).
        """
        return self._of(partition).offset

    def seek(self, partition: Any, offset: int) -> None:
        """Hand out records from `offset` on; what is buffered of the partition is thrown away."""
        if isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
            raise BadInput("an offset to seek is a whole number from 0:", "", offset)
        self._of(partition).move(offset)
        self.moved += 1

    def seek_to(self, policy: str, partitions: Iterable[Any] | None = None) -> None:
        """Go to the log's beginning (earliest) or end (latest), from the next poll on."""
        for position in self._chosen(partitions):
            position.await_reset(policy)
        self.unsettled = True
        self.moved += 1

    def pause(self, partitions: Iterable[Any], *, paused: bool = True) -> None:
        """Hand out no records of these until they are resumed, or revoked."""
        for position in self._chosen(partitions):
            position.paused = paused
        self.moved += 1

    @property
    def paused(self) -> tuple[TopicPartition, ...]:
        """The partitions that are paused."""
        return tuple(one for one, position in self.assigned.items() if position.paused)

    def _chosen(self, partitions: Iterable[Any] | None) -> list[Position]:
        chosen = self.assigned if partitions is None else partitions
        return [self._of(one) for one in chosen]

    def _of(self, partition: Any) -> Position:
        found = self.assigned.get(partition)
        if found is None:
            raise BadInput("the partition is not assigned:", "", tuple(partition))
        return found


def partition_of(given: Any) -> TopicPartition:
    """A partition from a pair of topic and number.

    Raises:
        BadInput: it is something else.
    """
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        return TopicPartition(*given)
    raise BadInput("a partition is a pair of topic and number:", "", given, "such as (orders, 0)")
