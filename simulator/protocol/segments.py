"""A log lies on its disk as segments, and only whole segments are deleted or rewritten.

Rule 1: the last segment is the active one: appended to, never rewritten.
Rule 2: before an append the active segment is closed and a new one begun if the batch would make
it larger than segment.bytes, or if it is not empty and the batch's largest record timestamp lies
more than segment.ms, less a jitter, after that of the segment's first batch. The records' time
decides, not the wall clock.
Rule 3: a segment is as old as its largest record timestamp: one record from the future keeps all
of it alive.

Source: LogSegment.java (shouldRoll, largestTimestamp), LogSegments.java, LocalLog.scala (roll).

Not modelled: index files that fill up, relative offsets beyond 2^31, the time at which a file was
last modified: an empty segment counts as old as the batch after it, which began the next one.
"""

from bisect import bisect_left
from typing import NamedTuple

from simulator.protocol.cleaned import LogBatch, base_offset_of, measure_batch
from simulator.protocol.journal import Journal
from simulator.protocol.log_index import LogIndex
from simulator.protocol.names import MICROS_PER_MS, NO_TIMESTAMP


class Segment(NamedTuple):
    """One segment of a log, as its rules see it.

    `first_us` is the largest record timestamp of its first batch, `largest_us` that of them all;
    -1 where there is none.
    """

    base_offset: int
    next_base_offset: int  # Where the next segment begins; the log's end for the active one.
    size_bytes: int
    first_us: int
    largest_us: int


class Rolled(NamedTuple):
    """The active segment is closed, and a new and empty one begins at `offset`."""

    offset: int


class SegmentsDeleted(NamedTuple):
    """Every segment below the one that begins at `offset` is deleted."""

    offset: int


def segments_of(journal: Journal, index: LogIndex, log_end_offset: int) -> tuple[Segment, ...]:
    """A log's segments, oldest first; the last one is active.

    The cost follows the number of segments, not of batches, but where a removed or deleted record
    had a later timestamp than what is left: there the segment's batches are looked at.
    """
    batches: list[LogBatch] = journal.facts
    bases = [base for base, _ in index.segments]
    before = [bytes_before for _, bytes_before in index.segments]
    first = [bisect_left(batches, base, key=base_offset_of) for base in bases]
    uppers = zip(
        [*bases[1:], log_end_offset],
        [*before[1:], index.end_bytes],
        [*first[1:], len(batches)],
        strict=True,
    )
    found = []
    for at, (next_base_offset, end_bytes, stop) in enumerate(uppers):
        size = end_bytes - before[at]
        first_us, largest_us = _times(batches, index, first[at], stop)
        found.append(Segment(bases[at], next_base_offset, size, first_us, largest_us))
    return tuple(found)


def _times(batches: list[LogBatch], index: LogIndex, first: int, stop: int) -> tuple[int, int]:
    """The largest timestamps of the first, and of all, of `batches[first:stop]`.

    The index tells the largest timestamp of the whole log up to a batch. What lies before the
    segment is felt in it only as long as nothing in the segment is later.
    """
    if first == stop:
        after = measure_batch(batches[stop])[1] if stop < len(batches) else NO_TIMESTAMP
        return NO_TIMESTAMP, after
    first_us = measure_batch(batches[first])[1]
    largest_us = index.times[stop - 1]
    if index.times[first] == first_us or largest_us > index.times[first]:
        return first_us, largest_us
    return first_us, max(measure_batch(batch)[1] for batch in batches[first:stop])


def segment_holding(segments: tuple[Segment, ...], offset: int) -> Segment:
    """The segment in which `offset` lies; the active one if it lies at or beyond its base."""
    bases = [segment.base_offset for segment in segments]
    return segments[max(0, bisect_left(bases, offset + 1) - 1)]


# --- Rolling ---------------------------------------------------------------------------------


def roll_after_us(first_us: int, segment_ms: int, jitter_ms: int = 0) -> int:
    """A batch with a later record than this does not go into the segment that began at `first_us`.

    Args:
        first_us: the largest record timestamp of the segment's first batch.
        segment_ms: segment.ms, or less on a compacted topic (`TopicSettings.rolling_ms`).
        jitter_ms: what the driver has drawn for this segment, below segment.jitter.ms.
    """
    return first_us + (segment_ms - jitter_ms) * MICROS_PER_MS


def should_roll(
    active: Segment,
    size_bytes: int,
    latest_us: int,
    *,
    segment_bytes: int,
    segment_ms: int,
    jitter_ms: int = 0,
) -> bool:
    """Whether a batch of that size and largest timestamp must begin a new segment."""
    if not active.size_bytes:
        return False
    if active.size_bytes + size_bytes > segment_bytes:
        return True
    return latest_us > roll_after_us(active.first_us, segment_ms, jitter_ms)


def roll(index: LogIndex, offset: int) -> bool:
    """Begin a new segment at `offset`; False if an empty one begins there already."""
    base_offset, bytes_before = index.segments[-1]
    end_bytes = index.end_bytes
    if offset == base_offset:
        assert end_bytes == bytes_before, f"a segment that begins at {offset} has batches"
        return False
    assert offset > base_offset, f"segments begin in order: {offset} after {base_offset}"
    index.segments.append((offset, end_bytes))
    return True


def delete_segments(journal: Journal, index: LogIndex, offset: int) -> None:
    """Delete every segment below the one that begins at `offset`."""
    assert offset in {base for base, _ in index.segments}, f"no segment begins at {offset}"
    count = bisect_left(journal.facts, offset, key=base_offset_of)
    journal.drop_front(count)
    index.drop_front(count, offset)
