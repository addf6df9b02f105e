"""A cleaning keeps the newest record of each key, where it is, and removes the older ones.

Rule 1: the dirty part is read first: which offset is the newest of each key. Then everything from
the log's beginning up to where that reading came is written anew. The active segment, what is
younger than min.compaction.lag.ms and what lies at or beyond the last stable offset is untouched.
Rule 2: the reading stops where its memory is full. What it did not reach stays as it is.
Rule 3: a record stays if no newer one of its key was read. A record without a key goes.
Rule 4: a tombstone (a key without a value) stays at least delete.retention.ms after the first
cleaning that saw it. That cleaning writes the horizon into the batch's header.
Rule 5: records of aborted transactions go. A marker stays until nothing of its transaction is
left, and then as long as a tombstone.
Rule 6: a batch of which nothing is left is kept, empty, if it is the newest of a producer that is
still known (for its sequence and epoch), or ends the cleanable part (for the offset).
Rule 7: offsets, order and timestamps never change. So the log's end stays, positions stay valid,
and whoever reads from the beginning to the end in less than delete.retention.ms sees the last
state of every key. A slower reader can miss a tombstone, and keep a key that was deleted.

Source: Cleaner.java and CleanedTransactionMetadata.java (LogCleaner.scala before),
MemoryRecords.java (filterTo), KIP-58, KIP-354, KIP-534.

Not modelled: how long a cleaning takes (it is one step: nothing is appended or deleted meanwhile),
collisions in the map of keys, log.cleaner.io.max.bytes.per.second, batches of message format 1.
"""

from bisect import bisect_left
from collections.abc import Iterable

from simulator.protocol.cleaned import (
    Cleaned,
    CleanedBatch,
    LogBatch,
    base_offset_of,
    is_empty,
    measure_batch,
    records_of,
)
from simulator.protocol.log import Log
from simulator.protocol.log_index import Aborted, measure
from simulator.protocol.names import NO_PRODUCER_ID, NO_TIMESTAMP
from simulator.protocol.producer_state import ProducerState
from simulator.protocol.records import Bytes, Record
from simulator.protocol.segments import Segment, segment_holding, segments_of
from simulator.protocol.topic_settings import TopicSettings

UNBOUNDED = 2**63 - 1


def clean(
    log: Log,
    settings: TopicSettings,
    now_us: int,
    *,
    first_dirty_offset: int,
    uncleanable_offset: int,
    keys_a_pass: int = UNBOUNDED,
) -> Cleaned:
    """One cleaning of one log, as the fact to be applied; only looks.

    Args:
        first_dirty_offset: where the cleaning before stopped. With nothing dirty the clean part
            is written anew (Kafka's cleaner does not choose such a log).
        uncleanable_offset: what lies at or beyond it is untouched, and so is the segment it lies
            in, and the active one.
        keys_a_pass: how many keys can be told apart: what the dedupe buffer holds.
    """
    assert keys_a_pass > 0, "a cleaning that can hold no key would never end"
    segments = segments_of(log.journal, log.index, log.log_end_offset)
    bound = segment_holding(segments, uncleanable_offset).base_offset
    newest, next_dirty = _newest_offsets(log, segments, first_dirty_offset, bound, keys_a_pass)
    old = tuple(one for one in segments[:-1] if one.base_offset < next_dirty)
    if not old:
        return Cleaned((), (), (), segments[0].base_offset, next_dirty)
    end = old[-1].next_base_offset
    stop = bisect_left(log.journal.facts, end, key=base_offset_of)
    transactions = _Transactions(one for one in log.index.aborted if one.first_offset < end)
    rewrite = _Rewriting(
        newest,
        last_offset=next_dirty - 1,
        bound=bound,
        now_us=now_us,
        horizon_us=now_us + settings.delete_retention_us,
        producers=log.producers,
        transactions=transactions,
    )
    batches = tuple(
        kept for batch in log.journal.facts[:stop] if (kept := rewrite(batch)) is not None
    )
    groups = group_by_size(old, settings.segment_bytes)
    bases = tuple(group[0].base_offset for group in groups)
    return Cleaned(batches, bases, tuple(transactions.still_known), end, next_dirty)


def group_by_size(segments: Iterable[Segment], most_bytes: int) -> list[list[Segment]]:
    """Neighbours that fit into one segment together are written into one.

    Source: Cleaner.groupSegmentsBySize: by what they hold before the cleaning.
    """
    groups: list[list[Segment]] = []
    size = 0
    for segment in segments:
        if not groups or size + segment.size_bytes > most_bytes:
            groups.append([])
            size = 0
        groups[-1].append(segment)
        size += segment.size_bytes
    return groups


def _newest_offsets(
    log: Log, segments: tuple[Segment, ...], first_dirty: int, bound: int, most_keys: int
) -> tuple[dict[bytes, int], int]:
    """The newest offset of each key of the dirty part, and the first offset that was not read.

    Source: Cleaner.buildOffsetMap. The memory counts as full at the first record after it was
    filled, even if that record's key is known already.
    """
    facts: list[LogBatch] = log.journal.facts
    newest: dict[bytes, int] = {}
    reached = first_dirty
    transactions = _Transactions(one for one in log.index.aborted if one.last_offset >= first_dirty)
    for segment in segments:
        upper = segment.next_base_offset
        if upper <= first_dirty or segment.base_offset >= bound:
            continue
        first = bisect_left(facts, segment.base_offset, key=base_offset_of)
        for batch in facts[first : bisect_left(facts, upper, key=base_offset_of)]:
            if batch.next_offset <= first_dirty:
                continue
            if not transactions.passes(batch):
                for offset, record in records_of(batch):
                    if record.key is None or offset < first_dirty:
                        continue
                    if len(newest) >= most_keys:
                        return newest, reached
                    newest[_bytes_of(record.key)] = offset
                    reached = offset + 1
            reached = max(reached, batch.next_offset)
        reached = max(reached, min(upper, bound))  # Beyond a gap at the segment's end.
    return newest, reached


def _bytes_of(key: Bytes) -> bytes:
    """A str stands for its UTF-8 bytes, so both are one key."""
    return key if isinstance(key, bytes) else key.encode()


class _Transactions:
    """What becomes of each transaction, as its batches are passed in the log's order.

    Attributes:
        still_known: aborted transactions of which data was passed: a reader must still be told.

    Source: CleanedTransactionMetadata.java.
    """

    __slots__ = ("_aborting", "_committing", "_waiting", "still_known")

    def __init__(self, aborted: Iterable[Aborted]) -> None:
        self._waiting = sorted(aborted, key=lambda one: one.first_offset, reverse=True)
        self._aborting: dict[int, tuple[Aborted, bool]] = {}  # With: was any data passed?
        self._committing: dict[int, bool] = {}  # Producers of which data was passed.
        self.still_known: list[Aborted] = []

    def passes(self, batch: LogBatch) -> bool:
        """Whether a data batch is of an aborted transaction, or a marker is needed no more."""
        while self._waiting and self._waiting[-1].first_offset <= batch.last_offset:
            one = self._waiting.pop()
            self._aborting.setdefault(one.producer_id, (one, False))
        if batch.control:
            return self._marker(batch)
        if not batch.transactional:
            return False
        aborting = self._aborting.get(batch.producer_id)
        if aborting is None:
            self._committing[batch.producer_id] = True
            return False
        self._aborting[batch.producer_id] = (aborting[0], True)
        return True

    def _marker(self, batch: LogBatch) -> bool:
        if is_empty(batch):
            return True
        if batch.control == "commit":
            return not self._committing.pop(batch.producer_id, False)
        aborted, has_data = self._aborting.pop(batch.producer_id, (None, False))
        if aborted is not None and has_data:
            self.still_known.append(aborted)
            return False
        return True


class _Rewriting:
    """What is left of each batch, called with one after the other in the log's order.

    Args:
        newest: the newest offset of each key of the dirty part.
        last_offset: up to it, and with it, the dirty part was read.
        bound: where the cleanable part ends.
        horizon_us: until when a tombstone or marker stays that is seen for the first time.
    """

    def __init__(
        self,
        newest: dict[bytes, int],
        *,
        last_offset: int,
        bound: int,
        now_us: int,
        horizon_us: int,
        producers: dict[int, ProducerState],
        transactions: _Transactions,
    ) -> None:
        self._newest = newest
        self._last_offset = last_offset
        self._bound = bound
        self._now_us = now_us
        self._horizon_us = horizon_us
        self._producers = producers
        self._transactions = transactions

    def __call__(self, batch: LogBatch) -> LogBatch | None:
        passes = self._transactions.passes(batch)
        horizon_us = batch.delete_horizon_us if isinstance(batch, CleanedBatch) else NO_TIMESTAMP
        known = horizon_us != NO_TIMESTAMP
        if batch.control:
            if is_empty(batch) or (passes and known and horizon_us <= self._now_us):
                return self._emptied(batch)
            if passes and not known:
                return _anew(batch, (), self._horizon_us)
            return batch
        if passes:
            return self._emptied(batch)
        expired = known and self._now_us >= horizon_us
        kept, whole, tombstones = self._kept_records(batch, tombstones_go=expired)
        if all(one is None for one in kept):
            return self._emptied(batch)
        if tombstones and not known:
            return _anew(batch, kept, self._horizon_us)
        return batch if whole else _anew(batch, kept, horizon_us)

    def _kept_records(
        self, batch: LogBatch, *, tombstones_go: bool
    ) -> tuple[tuple[Record | None, ...], bool, bool]:
        """What is left of a batch's records, whether that is all, and has tombstones."""
        newest = self._newest
        last_offset = self._last_offset
        whole, tombstones = True, False
        kept: list[Record | None] = []
        for offset, record in enumerate(batch.records, batch.base_offset):
            left = record
            if record is not None:
                if offset <= last_offset:
                    key = record.key
                    if (
                        key is None
                        or offset < newest.get(_bytes_of(key), -1)
                        or (record.value is None and tombstones_go)
                    ):
                        left, whole = None, False
                if left is not None and record.value is None:
                    tombstones = True
            kept.append(left)
        return tuple(kept), whole, tombstones

    def _emptied(self, batch: LogBatch) -> LogBatch | None:
        """The batch without records, or None if its header is of no use either."""
        needed = batch.next_offset == self._bound
        state = self._producers.get(batch.producer_id)
        if not needed and state is not None and batch.producer_id != NO_PRODUCER_ID:
            if state.batches:
                needed = batch.last_offset == state.batches[-1][3]
            else:
                needed = bool(batch.control) and batch.producer_epoch == state.epoch
        if not needed:
            return None
        return _anew(batch, (None,) * batch.offsets_taken, NO_TIMESTAMP)


def _anew(batch: LogBatch, records: tuple[Record | None, ...], horizon_us: int) -> CleanedBatch:
    """The batch's header with other records; an empty one keeps its largest timestamp too."""
    left = tuple(record for record in records if record is not None)
    latest_us = measure(left, batch.append_time_us)[1] if left else measure_batch(batch)[1]
    return CleanedBatch(records, *batch[1:10], horizon_us, latest_us)
