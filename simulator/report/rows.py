"""The values that pictures of a run are made of: lanes, and rows on them."""

from collections.abc import Iterable

import attrs

REPLICA = "replica"
ROLES = ("producer", "partition", REPLICA, "consumer", "sink")
UNMOVED = "unmoved"  # The detail of a commit of the offset that was committed already.
SETTLED = "settled"  # The detail of a stretch in which a follower lagged, and nothing came of it.


def place(topic: str, partition: int) -> str:
    """A partition's name, as Kafka writes it."""
    return f"{topic}-{partition}"


def replica(where: str, broker: str) -> str:
    """The name of the lane of a broker's replica: `orders-0/broker-1`."""
    return f"{where}/{broker}"


@attrs.frozen
class Lane:
    """One line of the picture.

    Attributes:
        name: a node's, a partition's such as `orders-0`, or a replica's: `orders-0/broker-1`.
        role: producer, partition (that one broker keeps), replica, consumer or sink.
        of: a partition's leader, a replica's broker, or a consumer's group.
    """

    name: str
    role: str
    of: str = ""

    @property
    def partition(self) -> str:
        """The partition that it is, or is a replica of; empty if it is a node."""
        return self.name.partition("/")[0] if self.role in {"partition", REPLICA} else ""

    @property
    def shown(self) -> str:
        """What it is called in a picture: of a partition's replicas, each by its broker."""
        return self.of if self.role == REPLICA else self.name


@attrs.frozen
class Row:
    """Something that happened.

    Attributes:
        id: its number; rows are in order of time, and numbered so.
        seq: the trace's entry in which it began.
        kind: what it is; see simulator/report/spacetime.py.
        lane: where it began.
        to: where it ended, or the same lane; of a rebalance, the group's last lane.
        at_us: when it began.
        until_us: when it ended; None if it had not when the run was over.
        event_ids: the events that it is about.
        key: the record key of the first of them.
        partition: the partition that it is about, such as `orders-0`.
        offset: of the first record, or what was committed; -1 if there is none.
        attempt: which time this is, from 1.
        cause: the id of the row that it follows from; -1 if there is none.
        detail: a word more.
    """

    id: int
    seq: int
    kind: str
    lane: str
    to: str
    at_us: int
    until_us: int | None
    event_ids: tuple[str, ...] = ()
    key: str = ""
    partition: str = ""
    offset: int = -1
    attempt: int = 1
    cause: int = -1
    detail: str = ""

    def only(self, event_ids: Iterable[str]) -> "Row":
        """The same row, about no other events than these."""
        kept = tuple(one for one in self.event_ids if one in event_ids)
        return self if kept == self.event_ids else attrs.evolve(self, event_ids=kept)


@attrs.frozen
class Spacetime:
    """Lanes and rows of one run."""

    lanes: tuple[Lane, ...]
    rows: tuple[Row, ...]
    ends_us: int

    def between(self, first: str, last: str) -> tuple[str, ...]:
        """The names of the lanes from one to another, both included, from top to bottom."""
        names = [lane.name for lane in self.lanes]
        if first not in names or last not in names:
            return ()
        low, high = sorted((names.index(first), names.index(last)))
        return tuple(names[low : high + 1])
