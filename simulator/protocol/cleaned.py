"""What a cleaning leaves of a log: batches with holes, and segments that were written anew.

Rule 1: a cleaned batch keeps its place. Where a record was removed there is a hole, so that what
is left keeps its offset; the batch's first and last offset, sequences and epochs never change.
Rule 2: a batch of which nothing is left goes, unless its header is still needed: then all of it
is holes. A marker that was removed leaves a control batch with one hole.
Rule 3: whatever was cleaned lies on the platter: it was flushed before it replaced the old files.

Source: MemoryRecords.java (filterTo), DefaultRecordBatch.java (writeEmptyHeader, deleteHorizonMs),
UnifiedLog.scala (replaceSegments).

Not modelled: the files .cleaned and .swap: segments are replaced at once, or not at all.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

from simulator.protocol.journal import Journal
from simulator.protocol.log_index import Aborted, LogIndex, measure
from simulator.protocol.names import (
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    UNKNOWN_OFFSET,
    next_sequence,
)
from simulator.protocol.records import BATCH_OVERHEAD_BYTES, Batch, Record, record_bytes

CLEANED_TO = "cleaned_to_offset"  # The checkpoint: the first offset that was never cleaned.

base_offset_of = itemgetter(1)


class CleanedBatch(NamedTuple):
    """A batch that a cleaning has written anew. Its first ten fields are those of a `Batch`.

    `records` has a place for every offset, and None where the record was removed. A marker has no
    record, and (None,) stands for one that was removed.
    """

    records: tuple[Record | None, ...]
    base_offset: int = UNKNOWN_OFFSET
    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH
    base_sequence: int = NO_SEQUENCE
    leader_epoch: int = -1
    transactional: bool = False
    control: str = ""
    coordinator_epoch: int = -1
    append_time_us: int = NO_TIMESTAMP
    delete_horizon_us: int = NO_TIMESTAMP  # When tombstones, or the marker, may be removed.
    latest_us: int = NO_TIMESTAMP  # The largest record timestamp, as the header says it.

    @property
    def offsets_taken(self) -> int:
        """How many offsets the batch takes, whatever is left in it."""
        return len(self.records) or 1

    @property
    def next_offset(self) -> int:
        """The offset after the last of the batch, as it was appended."""
        return self.base_offset + (len(self.records) or 1)

    @property
    def last_offset(self) -> int:
        """The offset of the last record, as it was appended."""
        return self.base_offset + (len(self.records) or 1) - 1

    @property
    def size_bytes(self) -> int:
        """What the batch takes on disk now: holes take nothing."""
        left = (record_bytes(record) for record in self.records if record is not None)
        return BATCH_OVERHEAD_BYTES + sum(left)

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record, as it was appended."""
        if self.base_sequence == NO_SEQUENCE:
            return NO_SEQUENCE
        return next_sequence(self.base_sequence, len(self.records) - 1)


LogBatch = Batch | CleanedBatch


class Cleaned(NamedTuple):
    """Every segment below `end_offset` was written anew, into fewer.

    `batches` are all that lies there now, `segments` the base offsets of the new segments,
    `aborted` the aborted transactions that are still known there. `next_dirty_offset` is the first
    offset not cleaned yet: it may lie within the last of the segments.
    """

    batches: tuple[LogBatch, ...]
    segments: tuple[int, ...]
    aborted: tuple[Aborted, ...]
    end_offset: int
    next_dirty_offset: int


def records_of(batch: LogBatch) -> Iterator[tuple[int, Record]]:
    """Each record that is there, with its offset."""
    for offset, record in enumerate(batch.records, batch.base_offset):
        if record is not None:
            yield offset, record


def is_empty(batch: LogBatch) -> bool:
    """Whether only the header is left."""
    return bool(batch.records) and all(record is None for record in batch.records)


def measure_batch(batch: LogBatch) -> tuple[int, int]:
    """A batch's size in bytes and its largest record timestamp, whether it was cleaned or not."""
    if isinstance(batch, Batch):
        return measure(batch.records, batch.append_time_us)
    return batch.size_bytes, batch.latest_us


def as_appended(batch: LogBatch) -> Batch | None:
    """The batch as its producer's state learns from it; None where nothing can be learnt.

    The header of a data batch tells its sequences and epoch, whatever is left in it; a control
    batch without its marker tells nothing (ProducerAppendInfo.append). The records are not to be
    looked at: there may be holes among them.
    """
    if isinstance(batch, Batch):
        return batch
    return None if batch.control and batch.records else Batch._make(batch[:10])


def replace_segments(journal: Journal, index: LogIndex, fact: Cleaned) -> None:
    """Make a cleaning true: in the journal, the index beside it and the cleaner's checkpoint.

    Whoever calls this tells readers that positions have changed; offsets have not. Nothing at or
    beyond `fact.end_offset` is touched.
    """
    facts = journal.facts
    stop = bisect_left(facts, fact.end_offset, key=base_offset_of)
    _move_snapshots(journal, stop, fact.batches)
    end_bytes = index.ends[stop - 1] if stop else index.start_bytes
    measured = [measure_batch(batch) for batch in fact.batches]
    # The bytes of the log are counted since it began. What comes after keeps its count, and what
    # was saved is taken from before the first batch.
    sizes = [size for size, _ in measured]
    index.start_bytes = end_bytes - sum(sizes)
    ends = array("q", accumulate(sizes, initial=index.start_bytes))
    first = [bisect_left(fact.batches, base, key=base_offset_of) for base in fact.segments]
    segments = [(base, ends[at]) for base, at in zip(fact.segments, first, strict=True)]
    index.segments[:] = segments + [one for one in index.segments if one[0] >= fact.end_offset]
    index.ends[:stop] = ends[1:]
    index.times[:stop] = array("q", accumulate((latest for _, latest in measured), max))
    later = [one for one in index.aborted if one.last_offset >= fact.end_offset]
    index.aborted[:] = [*fact.aborted, *later]
    journal.replace_front(stop, fact.batches)
    journal.checkpoints[CLEANED_TO] = fact.next_dirty_offset


def _move_snapshots(journal: Journal, stop: int, batches: tuple[LogBatch, ...]) -> None:
    """Let each snapshot stand after the same offsets as before, in fewer batches."""
    facts = journal.facts
    moved = []
    for position, kind, state in journal.snapshots:
        if position >= stop:
            at = position - stop + len(batches)
        else:
            at = bisect_left(batches, facts[position].base_offset, key=base_offset_of)
        moved.append((at, kind, state))
    journal.snapshots = moved
