"""The cleaner of a broker: which of its logs to clean next, how far, and how it starts again.

Rule 1: what was cleaned already is told by a checkpoint. A checkpoint below the log's start or
beyond its end is of no use: then everything from the log's start on is dirty.
Rule 2: not to be cleaned are the active segment, what lies at or beyond the last stable offset,
and everything from the first dirty segment on that holds a record younger than
min.compaction.lag.ms.
Rule 3: a log is due when its dirty part is more than min.cleanable.dirty.ratio of what could be
cleaned, or when its oldest dirty segment began more than max.compaction.lag.ms ago. The dirtiest
of those due is cleaned first. A log without anything dirty is never due, so the tombstones of a
topic at rest stay.
Rule 4: one log at a time; then at once the next, and log.cleaner.backoff.ms of rest when none is
due. In every round the cleaner also deletes the old segments of compacted logs; those of all
other logs are deleted every log.retention.check.interval.ms.

Source: LogCleanerManager.scala (cleanableOffsets, grabFilthiestCompactedLog, deletableLogs),
LogCleaner.scala (LogToClean, CleanerThread), LogManager.scala (cleanupLogs).

Not modelled: more than one cleaner thread (threads share the work, and never one log), throttled
reading, partitions that were marked as uncleanable after an error.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import attrs

from simulator.errors import BadInput
from simulator.protocol.cleaned import CLEANED_TO, Cleaned
from simulator.protocol.compaction import UNBOUNDED, clean
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.partition import Partition
from simulator.protocol.segments import Segment, segment_holding, segments_of
from simulator.protocol.settings import kafka_name, parse_settings, whole
from simulator.protocol.topic_settings import INT_MAX, LONG_MAX, TopicSettings

BYTES_A_KEY = 24  # SkimpyOffsetMap: an MD5 hash and an offset.
DEDUPE_BUFFER_LEAST = 1_048_576

NOT_MODELLED: Mapping[str, str] = {
    "log.cleaner.enable": "the cleaner works wherever a topic is compacted",
    "log.cleaner.threads": "one thread cleans",
    "log.cleaner.io.max.bytes.per.second": "a cleaning takes no time",
    "log.cleaner.io.buffer.size": "a cleaning takes no time",
}


def _share(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= 1:
        raise BadInput(f"{kafka_name(field)} must be a number above 0, up to 1:", "", value)


@attrs.frozen(kw_only=True)
class CleanerSettings:
    """What a broker is configured with to keep its logs small, by Kafka's names and defaults."""

    log_retention_check_interval_ms: int = attrs.field(
        default=300_000, validator=whole(1, LONG_MAX)
    )
    log_initial_task_delay_ms: int = attrs.field(default=30_000, validator=whole(0, LONG_MAX))
    log_cleaner_backoff_ms: int = attrs.field(default=15_000, validator=whole(0, LONG_MAX))
    log_cleaner_dedupe_buffer_size: int = attrs.field(
        default=134_217_728, validator=whole(DEDUPE_BUFFER_LEAST + 1, LONG_MAX)
    )
    log_cleaner_io_buffer_load_factor: float = attrs.field(default=0.9, validator=_share)

    @property
    def keys_a_pass(self) -> int:
        """How many keys one cleaning can tell apart."""
        slots = min(self.log_cleaner_dedupe_buffer_size, INT_MAX) // BYTES_A_KEY
        return int(slots * self.log_cleaner_io_buffer_load_factor)


def cleaner_settings(given: Mapping[str, Any], where: str = "broker") -> CleanerSettings:
    """Read a broker's settings of its cleaner from Kafka's names.

    Raises:
        BadInput: a name is unknown or not modelled, or a value is not allowed.
    """
    return parse_settings(CleanerSettings, given, not_modelled=NOT_MODELLED, where=where)


# --- Which log, and how much of it -------------------------------------------------------------


class LogToClean(NamedTuple):
    """One compacted log, and what a cleaning of it would do now."""

    partition: Partition
    settings: TopicSettings
    first_dirty_offset: int
    uncleanable_offset: int  # Where a segment begins: from there on nothing is touched.
    clean_bytes: int
    dirty_bytes: int
    overdue: bool

    @property
    def dirty_ratio(self) -> float:
        """How much of what can be cleaned is dirty; 0 in an empty log."""
        total = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / total if total else 0.0

    @property
    def due(self) -> bool:
        """Whether it is to be cleaned."""
        if self.overdue and self.dirty_bytes:
            return True
        return self.dirty_ratio > self.settings.min_cleanable_dirty_ratio


def cleanable_range(
    partition: Partition, settings: TopicSettings, now_us: int, cleaned_to: int | None = None
) -> tuple[int, int]:
    """The first dirty offset, and the first that must not be cleaned, never below it.

    Args:
        cleaned_to: the cleaner's checkpoint of the log, if there is one.
    """
    log = partition.log
    segments = segments_of(log.journal, log.index, log.log_end_offset)
    first_dirty = log.log_start_offset if cleaned_to is None else cleaned_to
    if not log.log_start_offset <= first_dirty <= log.log_end_offset:
        first_dirty = log.log_start_offset
    uncleanable = min(partition.last_stable_offset, segments[-1].base_offset)
    lag_us = settings.min_compaction_lag_ms * MICROS_PER_MS
    if lag_us:
        for segment in _dirty_segments(segments, first_dirty):
            if segment.largest_us > now_us - lag_us:
                uncleanable = min(uncleanable, segment.base_offset)
                break
    return first_dirty, max(first_dirty, uncleanable)


def log_to_clean(partition: Partition, settings: TopicSettings, now_us: int) -> LogToClean:
    """What a cleaning of a compacted log would do now."""
    log = partition.log
    cleaned_to = log.journal.checkpoints.get(CLEANED_TO)
    first_dirty, uncleanable = cleanable_range(partition, settings, now_us, cleaned_to)
    segments = segments_of(log.journal, log.index, log.log_end_offset)
    bound = segment_holding(segments, uncleanable).base_offset
    clean_bytes = dirty_bytes = 0
    for segment in segments:
        # A segment that was cleaned in part counts on both sides, as in Kafka.
        if segment.base_offset < first_dirty:
            clean_bytes += segment.size_bytes
        if segment.next_base_offset > first_dirty and segment.base_offset < bound:
            dirty_bytes += segment.size_bytes
    began = [one.first_us for one in _dirty_segments(segments, first_dirty) if one.first_us > 0]
    lag_us = settings.max_compaction_lag_ms * MICROS_PER_MS
    overdue = min(began, default=now_us) < now_us - lag_us
    return LogToClean(partition, settings, first_dirty, bound, clean_bytes, dirty_bytes, overdue)


def _dirty_segments(segments: tuple[Segment, ...], first_dirty: int) -> Iterable[Segment]:
    """The segments, but the active one, in which something at or beyond `first_dirty` lies."""
    return (one for one in segments[:-1] if one.next_base_offset > first_dirty)


def dirtiest(logs: Iterable[LogToClean]) -> LogToClean | None:
    """The one to clean: of those due that with the largest dirty ratio, or None.

    Of equals the first by topic and number (Kafka: any, by the order of a hash map).
    """
    due = sorted((log for log in logs if log.due), key=lambda log: log.partition.partition)
    return max(due, key=lambda log: log.dirty_ratio, default=None)


def decide_cleaning(
    logs: Iterable[tuple[Partition, TopicSettings]],
    now_us: int,
    keys_a_pass: int = UNBOUNDED,
) -> tuple[Partition, Cleaned] | None:
    """One round of the cleaner: which partition is cleaned, and the fact to apply to its log.

    None: no log is due, and the cleaner rests for log.cleaner.backoff.ms.
    """
    chosen = dirtiest(
        log_to_clean(partition, settings, now_us)
        for partition, settings in logs
        if settings.compacts
    )
    if chosen is None:
        return None
    return chosen.partition, clean(
        chosen.partition.log,
        chosen.settings,
        now_us,
        first_dirty_offset=chosen.first_dirty_offset,
        uncleanable_offset=chosen.uncleanable_offset,
        keys_a_pass=keys_a_pass,
    )
