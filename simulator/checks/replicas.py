"""Each replica's log as brokers' entries tell it: which event lies at which offset, and until where
the replica believes that it is committed.

Rule 1: a crash leaves the log where its disk keeps it: a lost disk keeps nothing, and what a
power cut took is told when the broker has loaded the log again.
Rule 2: after a crash nothing counts as committed until the broker says so again.
Rule 3: an offset of which no entry tells is a gap: a marker, or what the cleaner took. So is a
record that bears no event's name.
"""

from collections.abc import Callable, Iterator

from simulator.errors import BadInput
from simulator.trace.trace import FlatEntry, Observer

Place = tuple[str, int]

GAP_MOST = 10_000_000  # Offsets between two records. Each costs memory here.


class Replica:
    """One broker's log of one partition.

    Attributes:
        node: the broker.
        start: the first offset that is kept.
        events: what lies from there on; None is a gap.
        seqs: the entries that appended it.
        high_watermark: what the broker said last; -1 if it said nothing since it began.
        settled: up to where its log is known and lies below its high watermark.
        up: whether the broker is up.
    """

    __slots__ = ("events", "high_watermark", "node", "seqs", "settled", "start", "up")

    def __init__(self, node: str) -> None:
        self.node = node
        self.start = 0
        self.events: list[str | None] = []
        self.seqs: list[int] = []
        self.high_watermark = -1
        self.settled = 0
        self.up = True

    @property
    def end(self) -> int:
        """Behind the last event that is known of."""
        return self.start + len(self.events)

    def between(self, first: int, end: int) -> list[str | None]:
        """What lies from an offset until before another."""
        return self.events[first - self.start : end - self.start]

    def event_at(self, offset: int) -> str | None:
        """The event at an offset; None if none is known to lie there."""
        place = offset - self.start
        return self.events[place] if 0 <= place < len(self.events) else None

    def seq_at(self, offset: int) -> int:
        """The entry that appended what lies at an offset; -1 if nobody knows."""
        place = offset - self.start
        return self.seqs[place] if 0 <= place < len(self.seqs) else -1

    def append(self, base: int, event_ids: tuple[str, ...], seq: int) -> None:
        """Write a batch; what is there already is written over.

        Raises:
            BadInput: it lies so far behind the log's end as no cleaner leaves it.
        """
        if not self.events:
            self.start = self.settled = base
        gap = base - self.end
        if gap > GAP_MOST:
            raise BadInput("no log has a gap of so many offsets:", f"entry {seq}", gap)
        if gap < 0:
            self.cut(base)
        elif gap:
            self.events.extend([None] * gap)
            self.seqs.extend([seq] * gap)
        self.events.extend([event_id or None for event_id in event_ids])
        self.seqs.extend([seq] * len(event_ids))

    def cut(self, offset: int) -> None:
        """Keep what lies before an offset."""
        place = max(offset - self.start, 0)
        del self.events[place:], self.seqs[place:]
        self.high_watermark = min(self.high_watermark, offset)
        self.settled = min(self.settled, offset)

    def begin(self, offset: int) -> None:
        """Keep what lies from an offset on."""
        place = offset - self.start
        if place > 0:
            del self.events[:place], self.seqs[:place]
            self.start = offset
            self.settled = max(self.settled, offset)

    def crash(self, *, disk_lost: bool) -> None:
        """What a crash does; `disk_lost`: nothing is left of the log."""
        self.up = False
        self.high_watermark = -1
        self.settled = self.start
        if disk_lost:
            self.start = self.settled = 0
            self.events.clear()
            self.seqs.clear()


Settled = Callable[[Place, Replica, int, int, int], None]


class Replicas:
    """Watches all replicas of all partitions.

    Args:
        settled: told whenever more of a replica is known to lie below its high watermark: where,
            which, from which offset, until before which, and the entry that says so.
    """

    def __init__(self, settled: Settled) -> None:
        self._settled = settled
        self._of: dict[Place, dict[str, Replica]] = {}
        self._nodes: dict[str, list[Replica]] = {}
        self._cleaned: dict[Place, dict[str, None]] = {}

    def observers(self) -> dict[str, Observer]:
        """For a check's own observers to be joined with."""
        return {
            "batch_appended": self._appended,
            "replica_appended": self._appended,
            "log_truncated": self._truncated,
            "log_recovered": self._recovered,
            "log_start_moved": self._start_moved,
            "log_cleaned": self._log_cleaned,
            "high_watermark_moved": self._high_watermark_moved,
            "node_crashed": self._crashed,
            "node_restarted": self._restarted,
        }

    def of(self, where: Place) -> dict[str, Replica]:
        """A partition's replicas by broker."""
        return self._of.get(where, {})

    def places(self) -> Iterator[Place]:
        """The partitions that were met, in order."""
        return iter(self._of)

    def cleaned(self, where: Place, event_id: str) -> bool:
        """Whether a cleaner of any replica took an event."""
        return event_id in self._cleaned.get(where, ())

    def replica(self, node: str, where: Place) -> Replica:
        """A broker's replica; a new and empty one if nothing was told of it."""
        replicas = self._of.get(where)
        if replicas is None:
            replicas = self._of[where] = {}
        found = replicas.get(node)
        if found is None:
            found = replicas[node] = Replica(node)
            self._nodes.setdefault(node, []).append(found)
        return found

    def _appended(self, entry: FlatEntry) -> None:
        event = entry[4]
        replica = self.replica(entry[2], event[1:3])
        replica.append(event[3], event[4], entry[0])
        if replica.high_watermark > replica.settled:
            self._settle(event[1:3], replica, entry[0])

    def _truncated(self, entry: FlatEntry) -> None:
        _, topic, partition, offset, event_ids = entry[4]
        replica = self.replica(entry[2], (topic, partition))
        if event_ids and offset >= replica.end:  # Everything went: it begins anew, farther on.
            replica.cut(replica.start)
            replica.begin(offset)
        replica.cut(offset)

    def _recovered(self, entry: FlatEntry) -> None:
        _, topic, partition, start, end = entry[4]
        replica = self.replica(entry[2], (topic, partition))
        replica.begin(start)
        replica.cut(end)

    def _start_moved(self, entry: FlatEntry) -> None:
        self.replica(entry[2], entry[4][1:3]).begin(entry[4][3])

    def _log_cleaned(self, entry: FlatEntry) -> None:
        _, topic, partition, first, until, event_ids = entry[4]
        replica = self.replica(entry[2], (topic, partition))
        gone = dict.fromkeys(event_ids)
        self._cleaned.setdefault((topic, partition), {}).update(gone)
        first = max(first - replica.start, 0)
        for place in range(first, min(until - replica.start, len(replica.events))):
            if replica.events[place] in gone:
                replica.events[place] = None

    def _high_watermark_moved(self, entry: FlatEntry) -> None:
        event = entry[4]
        where = event[1:3]
        replica = self.replica(entry[2], where)
        replica.high_watermark = event[3]
        if event[3] > replica.settled:
            self._settle(where, replica, entry[0])
        else:
            replica.settled = max(event[3], replica.start)

    def _settle(self, where: Place, replica: Replica, seq: int) -> None:
        first = replica.settled
        end = min(replica.high_watermark, replica.end)
        if end > first:
            replica.settled = end
            self._settled(where, replica, first, end, seq)

    def _crashed(self, entry: FlatEntry) -> None:
        for replica in self._nodes.get(entry[2], ()):
            replica.crash(disk_lost=entry[4][1] == "disk")

    def _restarted(self, entry: FlatEntry) -> None:
        for replica in self._nodes.get(entry[2], ()):
            replica.up = True
