"""Beside a partition's batches lies what finds them quickly: sizes, times, segments, aborts.

Rule 1: everything here is derived from the batches and kept with their journal, as Kafka keeps
its index files: a restart does not read the log again, and a lost index is rebuilt from it.
Rule 2: sixteen bytes a batch, whatever is in it; no batch or record stands here a second time.

Source: LogSegment.java, OffsetIndex.java, TimeIndex.java, TransactionIndex.java (storage).

Not modelled: sparse indexes (every batch has its entry), index files that fill up.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from simulator.protocol.names import NO_TIMESTAMP
from simulator.protocol.records import (
    BATCH_OVERHEAD_BYTES,
    RECORD_OVERHEAD_BYTES,
    Batch,
    Record,
    byte_length,
    record_bytes,
)


class Aborted(NamedTuple):
    """An aborted transaction: its data lies between its first offset and its marker."""

    producer_id: int
    first_offset: int
    last_offset: int  # The marker's.


# What was measured last: followers append just what their leader has measured before.
_known: tuple[Any, int, tuple[int, int]] = (None, 0, (0, 0))


def measure(records: Sequence[Record], append_time_us: int) -> tuple[int, int]:
    """A batch's size in bytes and its largest record timestamp, in one pass."""
    global _known  # noqa: PLW0603 - a memory of one pure answer
    known, at_us, answer = _known
    if known is not records or at_us != append_time_us:
        answer = _measure(records, append_time_us)
        _known = (records, append_time_us, answer)
    return answer


def _measure(records: Sequence[Record], append_time_us: int) -> tuple[int, int]:
    size = BATCH_OVERHEAD_BYTES + RECORD_OVERHEAD_BYTES * len(records)
    latest = NO_TIMESTAMP
    for record in records:
        key, value, _, timestamp_us, headers = record
        if headers:
            size += record_bytes(record) - RECORD_OVERHEAD_BYTES
        else:
            if key is not None:
                size += len(key) if key.isascii() else byte_length(key)
            if value is not None:
                size += len(value) if value.isascii() else byte_length(value)
        if timestamp_us > latest:  # noqa: PLR1730 - half the time of max().
            latest = timestamp_us
    return size, (append_time_us if latest == NO_TIMESTAMP else latest)


class LogIndex:
    """Where things are in one partition's log.

    Attributes:
        ends: for each batch the bytes of the log up to and with it, since the log began.
        times: for each batch the largest timestamp up to and with it, in microseconds.
        start_bytes: what `ends` had reached before the first batch that is still there.
        segments: (base offset, bytes before it) of each segment, the active one last.
        aborted: aborted transactions by the offset of their marker.
    """

    __slots__ = ("aborted", "ends", "segments", "start_bytes", "times")

    def __init__(self, base_offset: int = 0) -> None:
        self.ends = array("q")
        self.times = array("q")
        self.start_bytes = 0
        self.segments: list[tuple[int, int]] = [(base_offset, 0)]
        self.aborted: list[Aborted] = []

    @property
    def end_bytes(self) -> int:
        """The bytes of the log since it began."""
        return self.ends[-1] if self.ends else self.start_bytes

    @property
    def latest_us(self) -> int:
        """The largest timestamp in the log."""
        return self.times[-1] if self.times else NO_TIMESTAMP

    def add(self, size: int, latest_us: int) -> None:
        """Note one more batch."""
        self.ends.append(self.end_bytes + size)
        self.times.append(max(self.latest_us, latest_us))

    def rebuild(self, batches: Iterable[Any], segment_bytes: int) -> None:
        """Read a log whose index is missing: its sizes and times, segments and aborts."""
        opened: dict[int, int] = {}
        for batch in batches:
            if batch.__class__ is Batch:
                size, latest_us = measure(batch.records, batch.append_time_us)
            else:  # A cleaned batch has holes, and says itself what is left.
                size, latest_us = batch.size_bytes, batch.latest_us
            self.roll_before(batch.base_offset, size, segment_bytes)
            self.add(size, latest_us)
            if batch.control and not batch.records:
                first = opened.pop(batch.producer_id, None)
                if first is not None and batch.control == "abort":
                    self.aborted.append(Aborted(batch.producer_id, first, batch.base_offset))
            elif batch.transactional:
                opened.setdefault(batch.producer_id, batch.base_offset)

    def roll_before(self, offset: int, size: int, segment_bytes: int) -> bool:
        """Begin a new segment if the batch at `offset` does not fit into the active one."""
        base_offset, bytes_before = self.segments[-1]
        end = self.end_bytes
        if end == bytes_before or end - bytes_before + size <= segment_bytes:
            return False
        assert offset > base_offset
        self.segments.append((offset, end))
        return True

    def size_of(self, position: int) -> int:
        """The bytes of one batch."""
        before = self.ends[position - 1] if position else self.start_bytes
        return self.ends[position] - before

    def cut(self, length: int, offset: int) -> None:
        """Keep the first `length` batches; `offset` is where the log now ends."""
        del self.ends[length:]
        del self.times[length:]
        while len(self.segments) > 1 and self.segments[-1][0] >= offset:
            self.segments.pop()
        while self.aborted and self.aborted[-1].last_offset >= offset:
            self.aborted.pop()

    def drop_front(self, count: int, offset: int) -> None:
        """Forget the first `count` batches; `offset` is where the log now begins."""
        if count:
            self.start_bytes = self.ends[count - 1]
            del self.ends[:count]
            del self.times[:count]
        while len(self.segments) > 1 and self.segments[1][0] <= offset:
            del self.segments[0]
        gone = bisect_left(self.aborted, offset, key=lambda one: one.last_offset)
        del self.aborted[:gone]
