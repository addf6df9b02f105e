"""Old records are deleted by whole segments, from the oldest on, until one has to stay.

Rule 1: by age, a segment goes when its largest record timestamp is more than retention.ms ago; by
size, while the log without it would still hold retention.bytes. Both only with the policy delete.
Rule 2: with every policy a segment goes that lies wholly below the log's start.
Rule 3: nothing goes that is not below the high watermark, so the log's start never passes it.
Rule 4: the active segment can go too, if it is not empty: an empty one is begun first, and
offsets go on where they were. An empty last segment stays.

Source: UnifiedLog.scala (deleteOldSegments, deletableSegments, deleteSegments).
"""

from typing import NamedTuple

from simulator.protocol.log import Log
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.segments import Rolled, Segment, SegmentsDeleted, segments_of
from simulator.protocol.topic_settings import TopicSettings

AGE, SIZE, START = "age", "size", "log start"


class Deletion(NamedTuple):
    """Which segments go, each for which reason, and the facts that make it so."""

    segments: tuple[Segment, ...] = ()
    reasons: tuple[str, ...] = ()
    facts: tuple[Rolled | SegmentsDeleted, ...] = ()


def decide_deletion(log: Log, settings: TopicSettings, now_us: int) -> Deletion:
    """What one run of the retention task deletes from a log; only looks."""
    segments = segments_of(log.journal, log.index, log.log_end_offset)
    reasons = reasons_to_delete(
        segments,
        settings,
        now_us,
        high_watermark=log.high_watermark,
        log_start_offset=log.log_start_offset,
    )
    if not reasons:
        return Deletion()
    gone, left = segments[: len(reasons)], segments[len(reasons) :]
    facts: tuple[Rolled | SegmentsDeleted, ...]
    if left:
        facts = (SegmentsDeleted(left[0].base_offset),)
    else:
        facts = (Rolled(log.log_end_offset), SegmentsDeleted(log.log_end_offset))
    return Deletion(gone, reasons, facts)


def reasons_to_delete(
    segments: tuple[Segment, ...],
    settings: TopicSettings,
    now_us: int,
    *,
    high_watermark: int,
    log_start_offset: int,
) -> tuple[str, ...]:
    """Why each of the oldest segments goes; as many reasons as segments that go."""
    reasons: list[str] = []
    excess = sum(segment.size_bytes for segment in segments) - settings.retention_bytes
    rules = [START, SIZE, AGE] if settings.deletes else [START]
    for rule in rules:
        if (rule == SIZE and settings.retention_bytes < 0) or (
            rule == AGE and settings.retention_ms < 0
        ):
            continue
        for segment in segments[len(reasons) :]:
            last = len(reasons) == len(segments) - 1
            if segment.next_base_offset > high_watermark or (last and not segment.size_bytes):
                break
            if rule == START:
                goes = not last and segment.next_base_offset <= log_start_offset
            elif rule == SIZE:
                goes = segment.size_bytes <= excess
            else:
                goes = now_us - segment.largest_us > settings.retention_ms * MICROS_PER_MS
            if not goes:
                break
            reasons.append(rule)
            excess -= segment.size_bytes
    return tuple(reasons)
