"""One partition's log as it lies on a disk: batches appended, cut at either end, loaded again.

Rule 1: the log is the journal. A batch stands in it once; producers, open transactions and the
index are derived, and a restart rebuilds them from the newest snapshot and the batches after it.
Rule 2: `apply` is the one writer, and validates nothing: a follower takes batches over with it.
Rule 3: a batch is wholly in the log or not at all, and keeps its offsets for ever.

Kafka's own snapshots (at a segment roll and a clean shutdown) keep only the newest batch of each
producer; so after a clean restart an older retry is out of order, not a duplicate.

Source: UnifiedLog.scala, LocalLog.scala, LogLoader.scala, ProducerStateManager.java.

Not modelled: log append time (message.timestamp.type), checksums, the leader epoch cache, recovery
points (an unclean restart trusts what is on the platter), tiered storage.
"""

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import Any

from simulator.protocol.cleaned import (
    CLEANED_TO,
    Cleaned,
    CleanedBatch,
    as_appended,
    measure_batch,
    replace_segments,
)
from simulator.protocol.journal import Journal
from simulator.protocol.log_config import LogConfig
from simulator.protocol.log_facts import LogStartMoved, Truncated
from simulator.protocol.log_index import Aborted, LogIndex, measure
from simulator.protocol.names import MICROS_PER_MS, NO_PRODUCER_ID, SEQUENCE_MAX, UNKNOWN_OFFSET
from simulator.protocol.packed import packed
from simulator.protocol.producer_state import (
    NO_STATE,
    ProducerState,
    after_data,
    after_marker,
    as_if_reloaded,
    newest_batch_only,
    without_deleted,
)
from simulator.protocol.records import Batch
from simulator.protocol.segments import (
    Rolled,
    SegmentsDeleted,
    delete_segments,
    roll,
    roll_after_us,
)

LOG_START = "log_start_offset"  # Checkpoints beside the log.
EMPTY_AT = "empty_at_offset"
SEGMENT = "segment"  # Snapshots that Kafka writes: at a segment roll and a clean shutdown.
WINDOW = "window"  # Snapshots of ours: they change how long a restart takes, and nothing else.
LIVE_BATCHES = 128  # So many at the end of a log are kept as they came, and up to twice as many.

__all__ = ["Fact", "Log", "LogConfig", "LogStartMoved", "Truncated", "base_offset_of"]

base_offset_of = itemgetter(1)

Fact = Batch | CleanedBatch | LogStartMoved | Truncated | Rolled | SegmentsDeleted | Cleaned


class Log:
    """The batches of one partition, and what follows from them.

    Args:
        journal: the file on the node's disk; what is in it is loaded.
        now_us: when it is loaded: producers that have expired are not.
        alone: this replica is all of the in-sync set, so the high watermark is the log's end;
            otherwise `advance_high_watermark` moves it.

    Attributes:
        producers: what is known of each producer id.
        opened: first offset of each open transaction -> its producer id, in the log's order.
        replicating: first offset of each ended transaction whose marker lies at or beyond the
            high watermark -> the marker's offset.
        measured: (records, append time, size, latest timestamp) of the batch last decided on.
        packed: as many batches at the front are kept as columns (see `packed`), perhaps more.
        segment_jitter_ms: the driver's draw for the segment that begins next.
    """

    __slots__ = (
        "_bytes",
        "_expiration_us",
        "_latest_us",
        "_roll_after_us",
        "_since_window",
        "alone",
        "config",
        "cuts",
        "high_watermark",
        "index",
        "journal",
        "log_end_offset",
        "log_start_offset",
        "measured",
        "opened",
        "packed",
        "producers",
        "replicating",
        "segment_jitter_ms",
    )

    def __init__(self, journal: Journal, config: LogConfig, now_us: int, *, alone: bool) -> None:
        self.journal = journal
        self.config = config
        self.alone = alone
        self._expiration_us = config.producer_id_expiration_ms * MICROS_PER_MS
        self.producers: dict[int, ProducerState] = {}
        self.opened: dict[int, int] = {}
        self.replicating: dict[int, int] = {}
        self.measured: tuple[Any, int, int, int] = (None, 0, 0, 0)
        self._bytes = 0
        self._latest_us = 0
        self._since_window = 0
        self._roll_after_us = -1  # Any batch is the first of an empty segment.
        self.segment_jitter_ms = 0
        self.cuts = 0  # How often positions have changed: cursors of readers are then stale.
        self.packed = 0
        self.log_start_offset: int = journal.checkpoints.get(LOG_START, 0)
        self.high_watermark: int = self.log_start_offset
        self.log_end_offset: int = 0
        self._load(now_us)

    # --- Applying ----------------------------------------------------------------------------

    def apply(self, fact: Fact) -> None:
        """Make a fact true, in the journal and in memory."""
        if fact.__class__ is not Batch:
            self._apply_cut(fact)
            return
        records, base, producer_id, _, _, _, _, _, _, append_time_us = fact
        assert base >= self.log_end_offset, f"offset {base} is taken"
        known, at_us, size, latest = self.measured
        if known is not records or at_us != append_time_us:
            size, latest = measure(records, append_time_us)
        index = self.index
        end = self._bytes + size
        if end - index.segments[-1][1] > self.config.segment_bytes or latest > self._roll_after_us:
            self._begin_segment(base, latest)
        facts = self.journal.facts
        facts.append(fact)
        self._bytes = end
        index.ends.append(end)
        if latest > self._latest_us:  # noqa: PLR1730 - half the time of max().
            self._latest_us = latest
        index.times.append(self._latest_us)
        self.log_end_offset = next_offset = base + (len(records) or 1)
        if producer_id != NO_PRODUCER_ID:
            self._learn(fact, latest)
        if self.alone:
            self.high_watermark = next_offset
            if self.replicating:
                self.replicating.clear()
        if self.alone and len(facts) - self.packed >= 2 * LIVE_BATCHES:  # Else: see `packed`.
            self._pack(facts)
        self._since_window += 1
        if self._since_window >= self.config.window_every_batches:
            self._since_window = 0
            self.journal.snapshot((next_offset, dict(self.producers)), WINDOW, keep=2)

    def _pack(self, facts: list[Any]) -> None:
        """Keep all but the newest batches small."""
        stop = len(facts) - LIVE_BATCHES
        for position in range(self.packed, stop):
            facts[position] = packed(facts[position])
        self.packed = stop

    def _moved(self) -> None:
        """Positions are no longer what they were."""
        self.cuts += 1
        self.packed = 0

    def _begin_segment(self, base: int, latest_us: int) -> None:
        """Close the active segment, unless it is empty; the batch at `base` is the first then."""
        if self._bytes > self.index.segments[-1][1] and roll(self.index, base):
            self._write_snapshot(base)
        jitter_ms = self.segment_jitter_ms
        self._roll_after_us = roll_after_us(latest_us, self.config.segment_ms, jitter_ms)

    def _take_over(self, batch: CleanedBatch) -> None:
        """Append a batch that the leader had cleaned, with its holes."""
        header = Batch._make(batch[:10])
        appended = as_appended(batch) or header._replace(producer_id=NO_PRODUCER_ID)
        self.measured = (batch.records, batch.append_time_us, *measure_batch(batch))
        self.apply(appended)
        self.journal.facts[-1] = batch

    def _learn(self, batch: Batch, latest_us: int) -> None:
        """Update what is known of the batch's producer and its transaction."""
        records, base, producer_id, epoch, first, _, transactional, control, fence, _ = batch
        state = self.producers.get(producer_id, NO_STATE)
        if control:
            began = state.transaction_first_offset
            if began != UNKNOWN_OFFSET:
                del self.opened[began]
                self.replicating[began] = base
                aborted = self.index.aborted
                if control == "abort" and (not aborted or aborted[-1].last_offset < base):
                    aborted.append(Aborted(producer_id, began, base))
            self.producers[producer_id] = after_marker(state, epoch, fence, latest_us)
            return
        count = len(records)
        if transactional and state[3] == UNKNOWN_OFFSET:
            self.opened[base] = producer_id
        last = (first + count - 1) % (SEQUENCE_MAX + 1)
        remembered = (first, last, base, base + count - 1)
        self.producers[producer_id] = after_data(
            state, epoch, remembered, latest_us, transactional=transactional
        )

    def _apply_cut(self, fact: Fact) -> None:
        match fact:
            case LogStartMoved(offset):
                self._move_log_start(offset)
            case Truncated(offset, fully):
                self._truncate(offset, fully=fully)
            case CleanedBatch():
                self._take_over(fact)
            case Rolled(offset):
                if roll(self.index, offset):
                    self._write_snapshot(offset)
                    self._roll_after_us = -1
            case SegmentsDeleted(offset):
                delete_segments(self.journal, self.index, offset)
                self._move_log_start(offset)
                self._moved()
            case Cleaned():
                replace_segments(self.journal, self.index, fact)
                self._moved()
            case _:
                raise AssertionError(f"a log does not know {fact!r}")

    def _move_log_start(self, offset: int) -> None:
        if offset <= self.log_start_offset:
            return
        self.log_start_offset = offset
        self.journal.checkpoints[LOG_START] = offset
        self._forget_deleted()
        segments = self.index.segments
        keep = bisect_right(segments, offset, key=itemgetter(0)) - 1
        if keep > 0:  # Only whole segments go.
            first = segments[keep][0]
            count = bisect_left(self.journal.facts, first, key=base_offset_of)
            self.journal.drop_front(count)
            self.index.drop_front(count, first)
            self._moved()

    def _forget_deleted(self) -> None:
        """Forget producers with their last batch, where the past is asked for."""
        if not self.config.keeps_idle_producers:
            self.producers = without_deleted(self.producers, self.log_start_offset)
            for began, producer_id in list(self.opened.items()):
                if producer_id not in self.producers:
                    del self.opened[began]

    def _truncate(self, offset: int, *, fully: bool) -> None:
        journal = self.journal
        if fully or offset < self.index.segments[0][0]:
            self._clear(offset)
            self.log_start_offset = offset
        else:
            # Whole batches: one that contains `offset` goes as a whole (LogSegment.truncateTo).
            length = bisect_left(journal.facts, offset, key=base_offset_of)
            if length and journal.facts[length - 1].next_offset > offset:
                length -= 1
            journal.cut(length)
            self.index.cut(length, offset)
            self.log_start_offset = min(self.log_start_offset, offset)
        journal.checkpoints[LOG_START] = self.log_start_offset
        if journal.checkpoints.get(CLEANED_TO, 0) > offset:
            journal.checkpoints[CLEANED_TO] = offset  # LogCleanerManager.maybeTruncateCheckpoint
        watermark = max(self.log_start_offset, min(self.high_watermark, offset))
        self._load(None)
        self.log_end_offset = offset
        self.high_watermark = watermark

    def _clear(self, offset: int) -> None:
        """Leave an empty log whose next batch gets `offset`."""
        self.journal.cut(0)
        self.journal.snapshots.clear()
        self.journal.checkpoints[EMPTY_AT] = offset
        self.journal.index = None

    # --- Loading -----------------------------------------------------------------------------

    def _load(self, now_us: int | None) -> None:
        """Rebuild the state from the journal; `now_us` is None where nothing can expire."""
        journal = self.journal
        journal.mend()
        facts = journal.facts
        end: int = facts[-1].next_offset if facts else journal.checkpoints.get(EMPTY_AT, 0)
        if end < self.log_start_offset:
            # A power loss took more than DeleteRecords had promised away: nothing is left.
            self._clear(self.log_start_offset)
            end = self.log_start_offset
        self.log_end_offset = end
        self._moved()
        self._load_index()
        self.opened = {}
        self.replicating = {}
        self.producers = {}
        position = self._load_snapshot(now_us)
        self._since_window = len(facts) - position
        for batch in facts[position:]:
            if batch.producer_id != NO_PRODUCER_ID:
                if batch.__class__ is Batch:
                    self._learn(batch, measure(batch.records, batch.append_time_us)[1])
                elif (appended := as_appended(batch)) is not None:
                    self._learn(appended, batch.latest_us)
        self._forget_deleted()
        if self.alone:
            self.high_watermark = end
            self.replicating.clear()

    def _load_index(self) -> None:
        facts = self.journal.facts
        index = self.journal.index
        if index is None or len(index.ends) < len(facts):
            begins = facts[0].base_offset if facts else self.log_end_offset
            index = self.journal.index = LogIndex(min(begins, self.log_start_offset))
            index.rebuild(facts, self.config.segment_bytes)
        elif len(index.ends) > len(facts):
            index.cut(len(facts), self.log_end_offset)
        self.index: LogIndex = index
        self._bytes = index.end_bytes
        self._latest_us = index.latest_us
        first = bisect_left(facts, index.segments[-1][0], key=base_offset_of)
        self._roll_after_us = -1
        if first < len(facts):
            began_us = measure_batch(facts[first])[1]
            self._roll_after_us = roll_after_us(began_us, self.config.segment_ms, 0)

    def _load_snapshot(self, now_us: int | None) -> int:
        """Take the newest snapshot over; the answer is the position to replay from."""
        newest = self.journal.newest_snapshot()
        if newest is None:
            return 0
        position, kind, (_, producers) = newest
        rolled = [state[0] for _, other, state in self.journal.snapshots if other == SEGMENT]
        for producer_id, saved in producers.items():
            state = saved
            if kind == WINDOW and rolled:
                state = as_if_reloaded(saved, rolled[-1])
            began = state.transaction_first_offset
            idle = now_us is not None and now_us - state.last_time_us >= self._expiration_us
            if began != UNKNOWN_OFFSET or not idle:
                self.producers[producer_id] = state
            if began != UNKNOWN_OFFSET:
                self.opened[began] = producer_id
        self.opened = dict(sorted(self.opened.items()))
        return position

    def _write_snapshot(self, offset: int) -> None:
        newest = {known: newest_batch_only(state) for known, state in self.producers.items()}
        self.journal.snapshot((offset, newest), SEGMENT)
        self.journal.flush()  # UnifiedLog.roll flushes what lies before the new segment.

    def close(self) -> None:
        """Shut down in order: flush, and write the snapshot file that Kafka writes then."""
        self._write_snapshot(self.log_end_offset)

    # --- Soft changes ------------------------------------------------------------------------

    def advance_high_watermark(self, offset: int) -> bool:
        """Every in-sync replica has what lies below `offset`; True if the mark moved."""
        offset = min(offset, self.log_end_offset)
        if offset <= self.high_watermark:
            return False
        self.high_watermark = offset
        for first, marker in list(self.replicating.items()):
            if marker < offset:
                del self.replicating[first]
        return True

    def expire_producers(self, now_us: int) -> list[int]:
        """Forget producers idle for producer.id.expiration.ms; the answer is their ids.

        Only memory forgets: the log does not, so an unclean restart may know them again.
        """
        gone = [
            producer_id
            for producer_id, state in self.producers.items()
            if state.transaction_first_offset == UNKNOWN_OFFSET
            and now_us - state.last_time_us >= self._expiration_us
        ]
        for producer_id in gone:
            del self.producers[producer_id]
        return gone

    def hard_state(self) -> tuple[Any, ...]:
        """What a replay of the journal must lead to again."""
        opened = tuple(self.opened.items())
        aborted = tuple(self.index.aborted)
        return self.log_start_offset, self.log_end_offset, dict(self.producers), opened, aborted
