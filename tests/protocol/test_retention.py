"""What is deleted from a log, and when: whole segments, from the oldest, until one has to stay."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.protocol.cleaned import measure_batch
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.records import Batch, Record, batch_bytes
from simulator.protocol.retention import AGE, SIZE, START, decide_deletion, reasons_to_delete
from simulator.protocol.segments import (
    Rolled,
    Segment,
    SegmentsDeleted,
    segment_holding,
    segments_of,
    should_roll,
)
from simulator.protocol.topic_settings import LONG_MAX, TopicSettings, topic_settings
from tests.kept import KeptLog

STEADY = settings(max_examples=100, derandomize=True, deadline=None, database=None)
ONE = batch_bytes(Batch((Record("a", "1", ""),)))  # A batch of one small record.


def segments_each(count, every_ms=1000, **config):
    """Segments of one record each, `every_ms` apart, and an empty active one; all committed."""
    kept = KeptLog(**config)
    for _ in range(count):
        kept.append(("a", "1"))
        kept.roll()
        kept.now_ms += every_ms
    kept.commit_to()
    return kept


# --- Settings --------------------------------------------------------------------------------


def test_the_defaults_are_kafkas():
    day_ms = 86_400_000

    assert topic_settings({}) == TopicSettings(
        cleanup_policy="delete",
        retention_ms=7 * day_ms,
        retention_bytes=-1,
        segment_bytes=2**30,
        segment_ms=7 * day_ms,
        segment_jitter_ms=0,
        max_message_bytes=1_048_588,
        delete_retention_ms=day_ms,
        min_compaction_lag_ms=0,
        max_compaction_lag_ms=2**63 - 1,
        min_cleanable_dirty_ratio=0.5,
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"retention.ms": -2}, "retention.ms must be a whole number from -1: -2"),
        ({"retention.ms": "1h"}, "retention.ms must be a whole number from -1: '1h'"),
        ({"retention.ms": True}, "retention.ms must be a whole number from -1: True"),
        ({"retention.bytes": 0.5}, "retention.bytes must be a whole number"),
        ({"segment.bytes": 13}, "segment.bytes must be a whole number from 14"),
        ({"segment.ms": 0}, "segment.ms must be a whole number from 1"),
        ({"segment.jitter.ms": -1}, "segment.jitter.ms must be a whole number from 0"),
        ({"delete.retention.ms": -1}, "delete.retention.ms must be a whole number from 0"),
        ({"min.compaction.lag.ms": -1}, "min.compaction.lag.ms must be a whole number from 0"),
        ({"max.compaction.lag.ms": 0}, "max.compaction.lag.ms must be a whole number from 1"),
        (
            {"min.compaction.lag.ms": 2, "max.compaction.lag.ms": 1},
            "min.compaction.lag.ms 2 must not be above max.compaction.lag.ms 1",
        ),
        ({"min.cleanable.dirty.ratio": 1.1}, "must be a number from 0 to 1: 1.1"),
        ({"min.cleanable.dirty.ratio": True}, "must be a number from 0 to 1: True"),
        ({"cleanup.policy": "shrink"}, "cleanup.policy is a list of compact and delete: 'shrink'"),
        ({"cleanup.policy": "Compact"}, "cleanup.policy is a list of compact and delete"),
        ({"cleanup.policy": 1}, "cleanup.policy is a list of compact and delete: 1"),
        ({"file.delete.delay.ms": 1}, "file.delete.delay.ms is not modelled"),
        ({"retention.hours": 1}, "unknown setting 'retention.hours'"),
    ],
)
def test_what_kafka_refuses_is_refused_with_its_rule(given, said):
    with pytest.raises(BadInput, match=said.replace(".", r"\.")):
        topic_settings(given)


def test_any_negative_size_means_that_size_does_not_matter():
    kept = segments_each(3, retention_bytes=-5)

    assert kept.retain() == []


@pytest.mark.parametrize(
    ("policy", "compacts", "deletes"),
    [
        ("delete", False, True),
        ("compact", True, False),
        ("compact,delete", True, True),
        (" delete, compact ", True, True),
        ("", False, False),
    ],
)
def test_a_policy_is_a_list(policy, compacts, deletes):
    topic = TopicSettings(cleanup_policy=policy)

    assert (topic.compacts, topic.deletes) == (compacts, deletes)
    assert ("compact" in topic.log_config().cleanup_policy) == compacts


def test_a_compacted_topic_closes_its_segments_in_time_to_be_cleaned():
    given = {"segment_ms": 1000, "max_compaction_lag_ms": 300}

    assert TopicSettings(cleanup_policy="compact", **given).rolling_ms == 300
    assert TopicSettings(cleanup_policy="delete", **given).rolling_ms == 1000


def test_a_segments_jitter_stays_below_its_age():
    assert TopicSettings().jitter_below_ms == 0
    assert TopicSettings(segment_ms=1000, segment_jitter_ms=5000).jitter_below_ms == 1000


# --- Segments and rolling ----------------------------------------------------------------------

FULL = {"segment_bytes": 100, "segment_ms": 10}
ACTIVE = Segment(0, 5, 80, first_us=50_000, largest_us=90_000)


@pytest.mark.parametrize(
    ("size_bytes", "latest_us", "jitter_ms", "rolls"),
    [
        (20, 0, 0, False),
        (21, 0, 0, True),
        (1, 60_000, 0, False),  # Exactly segment.ms after the first batch's record.
        (1, 60_001, 0, True),
        (1, 57_001, 3, True),  # The jitter makes it roll earlier.
        (1, 57_000, 3, False),
        (1, -1, 0, False),
    ],
)
def test_a_segment_rolls_by_its_size_and_by_the_records_time(
    size_bytes, latest_us, jitter_ms, rolls
):
    assert should_roll(ACTIVE, size_bytes, latest_us, jitter_ms=jitter_ms, **FULL) == rolls


def test_an_empty_segment_never_rolls():
    empty = Segment(5, 5, 0, -1, -1)

    assert not should_roll(empty, 1000, 10**9, **FULL)


def test_a_new_segment_begins_where_it_is_told_and_only_once():
    kept = KeptLog()
    kept.append(("a", "1"))
    kept.roll()
    kept.roll()

    assert kept.segments() == [0, 1]
    assert [state[0] for _, kind, state in kept.journal.snapshots if kind == "segment"] == [1]


def test_a_segment_knows_its_bytes_and_its_records_times():
    kept = KeptLog()
    kept.append(("a", "1"), at_ms=7)
    kept.append(("a", "1"), at_ms=5)
    kept.roll()
    kept.append(("a", "1"), at_ms=6)
    kept.append(("a", "1"), at_ms=3)

    assert segments_of(kept.journal, kept.log.index, 4) == (
        Segment(0, 2, 2 * ONE, kept.us(7), kept.us(7)),
        Segment(2, 4, 2 * ONE, kept.us(6), kept.us(6)),
    )


def test_the_segment_that_holds_an_offset_is_found():
    segments = tuple(Segment(base, base + 10, 1, 0, 0) for base in (10, 20, 30))

    found = [segment_holding(segments, offset).base_offset for offset in (5, 10, 19, 20, 30, 99)]

    assert found == [10, 10, 10, 20, 30, 30]


def naive_segments(kept):
    """Every batch looked at, every time."""
    bases = [*kept.segments(), kept.partition.log_end_offset + 1]
    for base, following in pairwise(bases):
        mine = [one for one in kept.journal.facts if base <= one.base_offset < following]
        times = [measure_batch(one)[1] for one in mine]
        after = [one for one in kept.journal.facts if one.base_offset >= following]
        largest = max(times, default=measure_batch(after[0])[1] if after else -1)
        size = sum(measure_batch(one)[0] for one in mine)
        yield base, size, times[0] if times else -1, largest


STEPS = st.one_of(
    st.tuples(st.just("append"), st.integers(0, 9), st.sampled_from("abc")),
    st.tuples(st.just("append"), st.integers(0, 9), st.sampled_from("abc")),
    st.tuples(st.just("roll")),
    st.tuples(st.just("clean")),
    st.tuples(st.just("drop"), st.integers(0, 4)),
)


@STEADY
@given(st.lists(STEPS, max_size=20))
@example([("append", 9, "a"), ("roll",), ("append", 1, "b"), ("roll",), ("drop", 1)])
@example([("append", 9, "a"), ("roll",), ("append", 1, "a"), ("roll",), ("clean",)])
def test_what_is_gone_is_not_felt_in_what_is_left(steps):
    """A removed record may have been younger than all that is left."""
    kept = KeptLog(cleanup_policy="compact")
    for step in steps:
        match step:
            case ("append", at_ms, key):
                kept.append((key, "1"), at_ms=at_ms)
            case ("roll",):
                kept.roll()
            case ("clean",):
                kept.clean()
            case ("drop", which):
                bases = kept.segments()
                kept.commit_to()
                kept.partition.delete_records(bases[min(which, len(bases) - 1)])

        segments = segments_of(kept.journal, kept.log.index, kept.partition.log_end_offset)
        assert [(s.base_offset, *s[2:]) for s in segments] == list(naive_segments(kept))


# --- By age ----------------------------------------------------------------------------------


def test_a_segment_goes_when_its_newest_record_is_older_than_the_limit():
    kept = KeptLog(retention_ms=10)
    kept.append(("a", "1"), at_ms=0)
    kept.append(("a", "2"), at_ms=5)
    kept.roll()
    kept.append(("a", "3"))
    kept.commit_to()
    kept.now_ms = 15

    assert kept.retain() == []

    kept.append(("a", "4"))
    kept.now_ms = 16

    assert kept.retain() == [AGE]
    assert (kept.segments(), kept.partition.log_start_offset) == ([2], 2)


def test_the_first_segment_that_must_stay_keeps_all_after_it():
    """A record from the future keeps them alive, however old they are."""
    kept = KeptLog(retention_ms=10)
    for at_ms in (0, 1000, 0, 0):
        kept.append(("a", "1"), at_ms=at_ms)
        kept.roll()
    kept.commit_to()
    kept.now_ms = 500

    assert kept.retain() == [AGE]
    assert kept.segments() == [1, 2, 3, 4]


def test_an_active_segment_that_expires_is_replaced_and_offsets_go_on():
    kept = KeptLog(retention_ms=10)
    kept.append(("a", "1"))
    kept.append(("a", "2"))
    kept.commit_to()
    kept.now_ms = 11

    assert decide_deletion(kept.log, kept.settings, kept.now_us).facts == (
        Rolled(2),
        SegmentsDeleted(2),
    )
    assert kept.retain() == [AGE]
    assert kept.segments() == [2]
    assert kept.read(0)[0] == kept.read(1)[0] == "OFFSET_OUT_OF_RANGE"
    assert kept.read(2) == ("NONE", [], 2)
    assert kept.append(("a", "3"))["base_offset"] == 2


def test_an_empty_active_segment_stays():
    kept = segments_each(2, retention_ms=10)
    kept.now_ms += 10_000

    assert kept.retain() == [AGE, AGE]
    assert kept.retain() == []
    assert kept.segments() == [2]


def test_for_ever_is_for_ever():
    kept = segments_each(2, retention_ms=-1)
    kept.now_ms = 10**12

    assert kept.retain() == []


def test_nothing_goes_that_is_not_below_the_high_watermark():
    kept = KeptLog(retention_ms=10)
    for _ in range(3):
        kept.append(("a", "1"))
        kept.append(("a", "1"))
        kept.roll()
    kept.commit_to(3)
    kept.now_ms = 1000

    assert kept.retain() == [AGE]
    assert kept.partition.log_start_offset == 2 <= kept.partition.high_watermark


@pytest.mark.parametrize("policy", ["compact", ""])
def test_without_the_policy_delete_nothing_goes_by_age_or_size(policy):
    kept = segments_each(3, cleanup_policy=policy, retention_ms=1, retention_bytes=0)

    assert kept.retain() == []


# --- By size, and below the start ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("retention_bytes", "gone"),
    [(3 * ONE, 0), (2 * ONE + 1, 0), (2 * ONE, 1), (ONE, 2), (1, 2), (0, 3)],
)
def test_size_keeps_at_least_what_it_names(retention_bytes, gone):
    kept = segments_each(3, retention_bytes=retention_bytes)

    assert kept.retain() == [SIZE] * gone


def test_an_active_segment_can_go_by_size_too():
    kept = KeptLog(retention_bytes=0)
    kept.append(("a", "1"))
    kept.commit_to()

    assert kept.retain() == [SIZE]
    assert (kept.segments(), kept.partition.log_end_offset) == ([1], 1)


def test_age_takes_what_size_leaves():
    kept = segments_each(4, retention_ms=2500, retention_bytes=3 * ONE)

    assert kept.retain() == [SIZE, AGE]


@pytest.mark.parametrize("policy", ["delete", "compact", "compact,delete", ""])
def test_what_lies_below_the_start_goes_with_every_policy(policy):
    """All was deleted by request while it lay in the active segment, which then was closed."""
    kept = KeptLog(cleanup_policy=policy)
    kept.append(("a", "1"))
    kept.append(("b", "1"))
    kept.commit_to()
    kept.partition.delete_records(2)

    assert kept.retain() == []

    kept.roll()

    assert kept.retain() == [START]
    assert (kept.segments(), kept.partition.log_start_offset, kept.ends()) == ([2], 2, [])


def test_a_start_within_a_segment_keeps_the_segment():
    segments = tuple(Segment(base, base + 10, 1, 0, 0) for base in (0, 10, 20))
    known = {"high_watermark": 30, "log_start_offset": 15}

    assert reasons_to_delete(segments, TopicSettings(), 0, **known) == (START,)


# --- Around it ---------------------------------------------------------------------------------


def test_deciding_deletes_nothing():
    kept = segments_each(3, retention_ms=10)
    kept.now_ms += 1000
    once = decide_deletion(kept.log, kept.settings, kept.now_us)

    assert decide_deletion(kept.log, kept.settings, kept.now_us) == once
    assert once.reasons == (AGE, AGE, AGE)
    assert [segment.base_offset for segment in once.segments] == [0, 1, 2]
    assert kept.segments() == [0, 1, 2, 3]
    assert kept.partition.log_start_offset == 0


@pytest.mark.parametrize("power", [True, False], ids=["power loss", "crash"])
def test_what_is_deleted_stays_deleted(power):
    kept = segments_each(3, retention_ms=10)
    kept.now_ms += 1000
    kept.retain()
    if power:
        kept.journal.lose_power()
    kept.restart(clean=False)

    assert (kept.partition.log_start_offset, kept.partition.log_end_offset) == (3, 3)
    assert kept.append(("a", "1"))["base_offset"] == 3


@STEADY
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=6),
    st.integers(0, 7),
    st.integers(0, 7),
    st.integers(-1, 9),
    st.integers(-1, 9),
)
def test_retention_is_the_longest_beginning_of_which_every_segment_may_go(
    shapes, high_watermark, log_start, retention_ms, retention_bytes
):
    """Each rule is asked of each segment alone; the log goes up to where none says yes."""
    topic = TopicSettings(retention_ms=retention_ms, retention_bytes=retention_bytes)
    segments = tuple(
        Segment(at, at + 1, size, 0, largest_ms * MICROS_PER_MS)
        for at, (size, largest_ms) in enumerate(shapes)
    )
    total = sum(size for size, _ in shapes)

    def by_start(at):
        return at + 1 <= log_start and at < len(shapes) - 1

    def by_size(at):
        left = total - sum(size for size, _ in shapes[: at + 1])
        return retention_bytes >= 0 and left >= retention_bytes

    def by_age(at):
        return retention_ms >= 0 and 9 - shapes[at][1] > retention_ms

    gone = 0
    for rule in (by_start, by_size, by_age):
        while (
            gone < len(shapes)
            and rule(gone)
            and gone + 1 <= high_watermark
            and (gone < len(shapes) - 1 or shapes[gone][0])
        ):
            gone += 1

    known = {"high_watermark": high_watermark, "log_start_offset": log_start}
    reasons = reasons_to_delete(segments, topic, 9 * MICROS_PER_MS, **known)
    assert len(reasons) == gone
    assert list(reasons) == sorted(reasons, key=[START, SIZE, AGE].index)


def test_no_limit_is_too_large():
    kept = segments_each(2, retention_ms=LONG_MAX, retention_bytes=LONG_MAX)

    assert kept.retain() == []
