"""Records that one consumer was handed and has not done with: which may be begun, what committed.

1. Of one lane, one record is handled at a time, in the order of its offsets. A lane is a partition,
   a key within its partition (records without a key share one), or each record by itself; at most
   `workers` records are handled at once. Lanes take turns: who has had one goes last.
2. What may be committed of a partition is the lowest offset that is not done. The naive rule is the
   highest done offset and one: it commits what is still being handled below, and so, if the process
   dies, loses it. With nothing left undone both are the consumer's position.
3. Offsets need not follow one another (markers, compaction): only what was handed out counts.
4. A partition that is about to be given back is stopped: what is not begun is given up, and
   undone for ever. Once it is forgotten, what is still being handled counts for nothing; neither
   does it when the consumer went back, to offsets that it was handed before.

Source: Confluent's parallel consumer: PartitionState (rules 2 to 4) and ProcessingOrder (rule 1:
PARTITION, KEY and UNORDERED).

Not modelled: the map of what is done above the lowest undone offset, which that library writes into
the commit's metadata, so that not even that is handled again; nor the stop when it grows too long.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from simulator.protocol.fetching import ConsumerRecord
from simulator.protocol.names import TopicPartition

LANES = ("partition", "key", "record")
COMMITS = ("gap_aware", "naive")


class Progress:
    """One partition's, since it was assigned.

    Attributes:
        position: where the consumer goes on, behind all that it was handed.
        committed: what was committed last, or where it began.
        taken: whether any record was handed out.
        stopped: nothing of it is begun any more.
        waiting: how many of its records are not begun.
        running: how many are being handled.
        lanes: those with a record that is being handled, or may be: what waits behind it.
    """

    __slots__ = (
        "_done_to",
        "_undone",
        "committed",
        "lanes",
        "position",
        "running",
        "stopped",
        "taken",
        "waiting",
    )

    def __init__(self) -> None:
        self._undone: dict[int, None] = {}  # In the order of offsets.
        self._done_to = 0  # The highest done offset and one.
        self.position = 0
        self.committed: int | None = None
        self.taken = False
        self.stopped = False
        self.waiting = 0
        self.running = 0
        self.lanes: dict[Any, deque[ConsumerRecord]] = {}

    def take(self, offset: int) -> None:
        """It was handed out; offsets only grow."""
        assert offset >= self.position, f"@{offset} was handed out after @{self.position - 1}"
        if self.committed is None:
            self.committed = offset  # Or nothing is, and the same is read again: it is not news.
        self._undone[offset] = None
        self.position = offset + 1
        self.taken = True

    def done(self, offset: int) -> None:
        """It has been handled."""
        del self._undone[offset]
        self._done_to = max(self._done_to, offset + 1)

    @property
    def undone(self) -> tuple[int, ...]:
        """What was handed out and has not been handled, lowest first."""
        return tuple(self._undone)

    def gap_aware(self) -> int:
        """The offset below which all is done."""
        return next(iter(self._undone), self.position)

    def naive(self) -> int | None:
        """The highest done offset and one, whatever is undone below; None if none is done."""
        return self._done_to or None if self._undone else self.position


class Task:
    """A record that is, or may be, handled now."""

    __slots__ = ("key", "progress", "record")

    def __init__(self, progress: Progress, key: Any, record: ConsumerRecord) -> None:
        self.progress = progress
        self.key = key
        self.record = record

    @property
    def stopped(self) -> bool:
        """Whether its partition is given back: if it has failed, it is not to be tried again."""
        return self.progress.stopped


class InProgress:
    """All that one consumer has in hand.

    Args:
        by: the lanes: partition, key or record.
        workers: how many records are handled at once, at most.
        most: with so many in hand it is `full`.
        commits: gap_aware or naive.

    Attributes:
        in_hand: how many records were handed out, and are neither done nor given up.
    """

    def __init__(self, by: str, workers: int, most: int, commits: str = "gap_aware") -> None:
        assert by in LANES, by
        assert commits in COMMITS, commits
        self._by = by
        self._workers = workers
        self._most = most
        self._naive = commits == "naive"
        self._partitions: dict[TopicPartition, Progress] = {}
        self._ready: deque[Task] = deque()
        self._running = 0
        self.in_hand = 0

    @property
    def full(self) -> bool:
        """Whether nothing more should be handed out for now."""
        return self.in_hand >= self._most

    # --- Records -------------------------------------------------------------------------------

    def take(self, records: Iterable[ConsumerRecord]) -> None:
        """They were handed out."""
        for record in records:
            topic, partition, offset, key = record[:4]
            progress = self._progress(TopicPartition(topic, partition), offset)
            progress.take(offset)
            progress.waiting += 1
            self.in_hand += 1
            if self._by == "record":
                self._ready.append(Task(progress, None, record))
                continue
            name = key if self._by == "key" else None
            behind = progress.lanes.get(name)
            if behind is None:
                progress.lanes[name] = deque()
                self._ready.append(Task(progress, name, record))
            else:
                behind.append(record)

    def _progress(self, where: TopicPartition, offset: int) -> Progress:
        found = self._partitions.get(where)
        if found is not None and offset < found.position:  # It went back: it begins anew.
            self.forget((where,))
            found = None
        if found is None:
            found = self._partitions[where] = Progress()
        return found

    def begin(self) -> Task | None:
        """What is to be handled next; None if no worker or no lane is free."""
        if self._running >= self._workers:
            return None
        while self._ready:
            task = self._ready.popleft()
            progress = task.progress
            if not progress.stopped:
                progress.waiting -= 1
                progress.running += 1
                self._running += 1
                return task
        return None

    def end(self, task: Task, *, done: bool = True) -> None:
        """It is handled no more; `done` says whether it was handled to its end."""
        progress, name = task.progress, task.key
        progress.running -= 1
        self._running -= 1
        self.in_hand -= 1
        if done:
            progress.done(task.record[2])
        behind = progress.lanes.get(name)
        if behind:
            self._ready.append(Task(progress, name, behind.popleft()))
        elif behind is not None:
            del progress.lanes[name]

    # --- Partitions that go ----------------------------------------------------------------------

    def stop(self, partitions: Iterable[TopicPartition]) -> None:
        """Begin nothing more of these."""
        for where in partitions:
            progress = self._partitions.get(where)
            if progress is not None:
                progress.stopped = True
                self.in_hand -= progress.waiting
                progress.waiting = 0

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """What is still handled of these counts for nothing."""
        partitions = tuple(partitions)
        self.stop(partitions)
        for where in partitions:
            self._partitions.pop(where, None)

    def handles(self, partitions: Iterable[TopicPartition]) -> bool:
        """Whether a record of these is being handled."""
        known = (self._partitions.get(where) for where in partitions)
        return any(one is not None and one.running for one in known)

    # --- Commits ---------------------------------------------------------------------------------

    def to_commit(self, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """What is to be committed of these partitions, if there is anything new.

        Args:
            positions: where the consumer goes on in each, all records before it having been taken.
        """
        offsets: dict[TopicPartition, int] = {}
        news = False
        for where, position in positions.items():
            progress = self._progress(where, position)
            progress.position = position
            offset = progress.naive() if self._naive else progress.gap_aware()
            if offset is not None and offset != progress.committed:
                offsets[where] = offset
                # Of a partition without records nothing is committed but beside others.
                news |= progress.taken
        return offsets if news else {}

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """They were committed."""
        for where, offset in offsets.items():
            progress = self._partitions.get(where)
            if progress is not None:
                progress.committed = offset


__all__ = ["COMMITS", "LANES", "InProgress", "Progress", "Task"]
