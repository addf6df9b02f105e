"""What a consumer is assigned, and where it stands in each partition (SubscriptionState.java).

1. A partition has a position, or awaits one: from the group's committed offset, else by
   auto.offset.reset.
2. A position advances when records are handed out, not when they are processed.
3. Pause and position belong to one assignment: they are gone when the partition is revoked, even
   if it comes back at once.
4. A position remembers the leader epoch of the last record before it. When a leader of a later
   epoch is told of, the position is to be validated: nothing is fetched, handed out or committed
   of the partition until the new leader has said where that epoch ends (KIP-320).

Not modelled: validating a position whose epoch is the leader's own: the leader could only say
that it is well.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from simulator.errors import BadInput
from simulator.protocol.leader_epochs import NO_EPOCH
from simulator.protocol.names import TopicPartition


class Consumed(dict[TopicPartition, int]):
    """Offsets of partitions, and the leader epochs of the records before them where known.

    Attributes:
        epochs: for a commit to carry, or as a commit has told them.
    """

    __slots__ = ("epochs",)

    def __init__(self) -> None:
        super().__init__()
        self.epochs: dict[TopicPartition, int] = {}


class Position:
    """Where a consumer stands in one partition.

    Attributes:
        offset: of the next record to hand out; None while it is not known.
        epoch: of the leader that wrote the record before it; NO_EPOCH if that is not known.
        leader_epoch: of the partition's leader, as last told of; NO_EPOCH if it never was.
        validating: the leader is to say whether its log still has what stands before `offset`.
        reset: a policy while the position awaits a ListOffsets; None otherwise.
        paused: the application wants none of its records for now.
        revoking: the partition is about to be given back: nothing more is handed out.
        stale: its leader refused, so it is left alone until new metadata has come.
        from_leader: a follower could not serve it, so it is fetched from the leader.
    """

    __slots__ = (
        "asked",
        "epoch",
        "from_leader",
        "leader_epoch",
        "offset",
        "partition",
        "paused",
        "reset",
        "revoking",
        "stale",
        "try_at_us",
        "validating",
    )

    def __init__(self, partition: TopicPartition, leader_epoch: int = NO_EPOCH) -> None:
        self.partition = partition
        self.offset: int | None = None
        self.epoch = NO_EPOCH
        self.leader_epoch = leader_epoch
        self.validating = False
        self.reset: str | None = None
        self.asked = False  # What it awaits has been asked for, and no answer has come.
        self.try_at_us = 0  # When it may be asked for again.
        self.from_leader = False
        self.paused = False
        self.revoking = False
        self.stale = False

    @property
    def fetchable(self) -> bool:
        """Whether its records may be fetched."""
        if self.offset is None or self.validating:
            return False
        return not (self.paused or self.revoking or self.stale)

    def move(self, offset: int, epoch: int = NO_EPOCH) -> None:
        """Stand at `offset`, after a record of `epoch`; what was awaited is forgotten."""
        self.offset = offset
        self.reset = None
        self.epoch = epoch
        self._await_validation()

    def led(self, leader_epoch: int) -> None:
        """A leader of another epoch was told of."""
        self.leader_epoch = leader_epoch
        self.from_leader = False
        if self.offset is not None:
            self._await_validation()

    def _await_validation(self) -> None:
        self.validating = NO_EPOCH < self.epoch < self.leader_epoch
        self.asked = False
        self.try_at_us = 0

    def await_reset(self, policy: str) -> None:
        """Forget the position; the log's beginning or end becomes the new one."""
        self.offset = None
        self.epoch = NO_EPOCH
        self.validating = False
        self.reset = policy
        self.asked = False
        self.try_at_us = 0


class Positions:
    """The assignment, and a position for each partition of it.

    Attributes:
        assigned: in the order of assignment.
        in_turn: the same in the order in which they are fetched: who was served goes last.
        subscribed: whether the group assigns; otherwise the application does.
        topics: that are subscribed.
        by_hand: the topics of what the application has assigned itself.
        unsettled: whether some partition has, or may have, no position yet, or no valid one.
        moved: counts every change that matters to what is fetched.
    """

    __slots__ = (
        "_leader_epochs",
        "assigned",
        "by_hand",
        "in_turn",
        "moved",
        "subscribed",
        "topics",
        "unsettled",
    )

    def __init__(self) -> None:
        self.assigned: dict[TopicPartition, Position] = {}
        self.in_turn: dict[TopicPartition, Position] = {}
        self.subscribed = False
        self.topics: tuple[str, ...] = ()
        self.by_hand: tuple[str, ...] = ()
        self.unsettled = False
        self.moved = 0
        self._leader_epochs: Mapping[TopicPartition, int] = {}

    def subscribe(self, topics: Iterable[str]) -> bool:
        """Let the group assign partitions of these; whether that is anything new.

        Raises:
            BadInput: no topic, or partitions are assigned by hand.
        """
        wanted = (topics,) if isinstance(topics, str) else tuple(sorted(set(topics)))
        if not wanted:
            raise BadInput("subscribe needs a topic at least:", "", topics, "or unsubscribe")
        if self.by_hand:
            raise BadInput("partitions are assigned by hand:", "", wanted, "unsubscribe first")
        new = self.topics != wanted
        self.subscribed = True
        self.topics = wanted
        return new

    def assign_by_hand(self, partitions: Iterable[Any]) -> None:
        """The application assigns exactly these.

        Raises:
            BadInput: topics are subscribed, or a partition is no pair.
        """
        wanted = tuple(partition_of(one) for one in partitions)
        if self.subscribed:
            raise BadInput("topics are subscribed:", "", self.topics, "unsubscribe first")
        self.assign(wanted)
        self.by_hand = tuple(sorted({one.topic for one in wanted}))

    def unsubscribe(self) -> None:
        """Neither a group nor the application assigns anything."""
        self.subscribed = False
        self.topics = self.by_hand = ()
        self.assign(())

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Be assigned exactly these; a partition that was assigned before keeps its position."""
        before = self.assigned
        epochs = self._leader_epochs
        self.assigned = {
            one: before.get(one) or Position(one, epochs.get(one, NO_EPOCH)) for one in partitions
        }
        self.in_turn = dict(self.assigned)
        self.unsettled = bool(self.assigned)
        self.moved += 1

    def led(self, leader_epochs: Mapping[TopicPartition, int]) -> None:
        """Metadata have come; the epoch of each leader that is known."""
        self._leader_epochs = leader_epochs
        for partition, position in self.assigned.items():
            position.stale = False
            epoch = leader_epochs.get(partition, NO_EPOCH)
            if epoch > position.leader_epoch:
                position.led(epoch)
                if position.validating:
                    self.unsettled = True
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
        """Those that await what the leader says of the log's beginning, end or times."""
        return [one for one in self.assigned.values() if one.reset is not None]

    def validating(self) -> list[Position]:
        """Those that await what a new leader says of their epoch."""
        return [one for one in self.assigned.values() if one.validating]

    def consumed(self) -> Consumed:
        """All valid positions: what a commit without offsets commits."""
        consumed = Consumed()
        epochs = consumed.epochs
        for partition, position in self.assigned.items():
            offset = position.offset
            if offset is not None and not position.validating:
                consumed[partition] = offset
                if position.leader_epoch != NO_EPOCH:
                    epochs[partition] = position.epoch
        return consumed

    # --- What the application may do -----------------------------------------------------------

    def given(self, offsets: Mapping[Any, Any]) -> dict[TopicPartition, int]:
        """The application's own offsets, to be committed; of partitions of anybody.

        Raises:
            BadInput: an offset is no whole number from 0, or a partition is no pair.
        """
        wanted: dict[TopicPartition, int] = {}
        assigned: dict[Any, Position] = self.assigned
        for partition, offset in offsets.items():
            if type(offset) is not int or offset < 0:
                raise BadInput("an offset to commit is a whole number from 0:", "", offset)
            known = assigned.get(partition)
            wanted[partition_of(partition) if known is None else known.partition] = offset
        return wanted

    def position(self, partition: Any) -> int | None:
        """The offset of the next record to hand out, or None while that is not known.

        Raises:
            BadInput: the partition is not assigned (so in every method down from here).
        """
        return self._of(partition).offset

    def seek(self, partition: Any, offset: Any) -> None:
        """Hand out records from `offset` on; what is buffered of the partition is thrown away."""
        if isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
            raise BadInput("an offset to seek is a whole number from 0:", "", offset)
        self._of(partition).move(offset)  # Of an unknown epoch: it is not validated.
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
