"""Which log a broker cleans next, how far, and when it rests."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.cleaned import CLEANED_TO
from simulator.protocol.cleaner import (
    CleanerSettings,
    cleanable_range,
    cleaner_settings,
    decide_cleaning,
    dirtiest,
    log_to_clean,
)
from tests.kept import KeptLog

DAY_MS = 86_400_000


def compacted(*keys, topic="kept", **config):
    """A segment of one record for each key, and an empty active segment; all committed."""
    kept = KeptLog(topic, **({"cleanup_policy": "compact"} | config))
    for key in keys:
        kept.append((key, "1"))
        kept.roll()
    kept.commit_to()
    return kept


def considered(kept):
    return log_to_clean(kept.partition, kept.settings, kept.now_us)


def cleaned_next(*logs):
    """What a round of the cleaner cleans, after it has done so; None: it rests."""
    pairs = [(kept.partition, kept.settings) for kept in logs]
    decided = decide_cleaning(pairs, max(kept.now_us for kept in logs))
    if decided is None:
        return None
    partition, fact = decided
    partition.log.apply(fact)
    return partition.partition.topic


# --- Settings --------------------------------------------------------------------------------


def test_the_defaults_are_kafkas():
    assert cleaner_settings({}) == CleanerSettings(
        log_retention_check_interval_ms=300_000,
        log_initial_task_delay_ms=30_000,
        log_cleaner_backoff_ms=15_000,
        log_cleaner_dedupe_buffer_size=128 * 2**20,
        log_cleaner_io_buffer_load_factor=0.9,
    )
    assert CleanerSettings().keys_a_pass == int(128 * 2**20 // 24 * 0.9) == 5_033_164


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"log.retention.check.interval.ms": 0}, "must be a whole number from 1"),
        ({"log.cleaner.backoff.ms": -1}, "log.cleaner.backoff.ms must be a whole number from 0"),
        ({"log.initial.task.delay.ms": -1}, "must be a whole number from 0"),
        ({"log.cleaner.dedupe.buffer.size": 2**20}, "must be a whole number from 1048577"),
        ({"log.cleaner.io.buffer.load.factor": 0}, "must be a number above 0, up to 1: 0"),
        ({"log.cleaner.threads": 2}, "log.cleaner.threads is not modelled"),
    ],
)
def test_what_cannot_work_is_refused(given, said):
    with pytest.raises(BadInput, match=said.replace(".", r"\.")):
        cleaner_settings(given)


# --- How far ---------------------------------------------------------------------------------


def test_everything_is_dirty_at_first_and_the_active_segment_is_never_cleaned():
    kept = compacted(*"abc")
    kept.append(("d", "1"))
    kept.commit_to()

    assert cleanable_range(kept.partition, kept.settings, kept.now_us) == (0, 3)


def test_a_cleaning_begins_where_the_one_before_stopped():
    kept = compacted(*"abc")

    assert cleaned_next(kept) == "kept"
    assert kept.journal.checkpoints[CLEANED_TO] == 3
    kept.append(("d", "1"))
    kept.roll()
    kept.commit_to()
    assert considered(kept)[2:4] == (3, 4)


@pytest.mark.parametrize(("checkpoint", "first_dirty"), [(1, 2), (2, 2), (3, 3), (4, 4), (5, 2)])
def test_a_checkpoint_outside_the_log_is_of_no_use(checkpoint, first_dirty):
    kept = compacted(*"abcd")
    kept.partition.delete_records(2)
    known = kept.partition, kept.settings, kept.now_us

    assert cleanable_range(*known, checkpoint) == (first_dirty, 4)


def test_what_lies_beyond_the_last_stable_offset_is_not_cleaned():
    kept = compacted(*"ab")
    kept.append(("a", "2"), producer_id=1, producer_epoch=0, base_sequence=0, transactional=True)
    kept.roll()
    kept.append(("b", "2"))
    kept.roll()
    kept.commit_to()

    assert considered(kept).uncleanable_offset == 2
    cleaned_next(kept)
    assert len(kept.records()) == 4


def test_what_is_not_committed_is_not_cleaned():
    kept = KeptLog(cleanup_policy="compact")
    for value in "123":
        kept.append(("a", value))
        kept.roll()
    kept.commit_to(2)
    cleaned_next(kept)

    assert [offset for offset, _, _ in kept.records()] == [1, 2]


def test_an_uncleanable_offset_keeps_its_whole_segment():
    kept = compacted("a")
    kept.append(("a", "2"))
    kept.append(("a", "3"))
    kept.append(("a", "4"))
    kept.roll()
    kept.commit_to(3)

    assert cleanable_range(kept.partition, kept.settings, kept.now_us) == (0, 3)
    assert considered(kept).uncleanable_offset == 1


@pytest.mark.parametrize(("now_ms", "uncleanable"), [(1009, 0), (1010, 2), (1019, 2), (1020, 4)])
def test_the_minimum_lag_keeps_young_segments_and_all_behind_them(now_ms, uncleanable):
    """A segment is as old as its newest record, and the old one at the end has to wait too."""
    kept = KeptLog(cleanup_policy="compact", min_compaction_lag_ms=10)
    kept.append(("a", "1"), at_ms=1000)
    kept.append(("b", "1"), at_ms=0)
    kept.roll()
    kept.append(("a", "2"), at_ms=1010)
    kept.roll()
    kept.append(("a", "3"), at_ms=0)
    kept.roll()
    kept.commit_to()
    kept.now_ms = now_ms

    assert cleanable_range(kept.partition, kept.settings, kept.now_us) == (0, uncleanable)


# --- Which log ---------------------------------------------------------------------------------


def test_a_log_is_due_when_more_than_half_of_it_is_dirty():
    kept = compacted(*"abcd")
    cleaned_next(kept)
    for key, due in (("e", False), ("f", False), ("g", False), ("h", False), ("i", True)):
        kept.append((key, "1"))
        kept.roll()
        kept.commit_to()

        assert considered(kept).due is due
    assert considered(kept).dirty_ratio == pytest.approx(5 / 9)


def test_the_ratio_counts_what_could_be_cleaned_only():
    kept = compacted("a")
    kept.append(("b", "1" * 1000))
    kept.commit_to()

    assert considered(kept).dirty_bytes == kept.log.index.size_of(0)
    assert considered(kept).dirty_ratio == 1


def test_with_a_ratio_of_one_only_the_maximum_lag_makes_a_log_due():
    kept = compacted(*"ab", min_cleanable_dirty_ratio=1, max_compaction_lag_ms=10)
    kept.now_ms = 10

    assert not considered(kept).due

    kept.now_ms = 11

    assert considered(kept).overdue
    assert cleaned_next(kept) == "kept"
    assert not considered(kept).overdue
    assert cleaned_next(kept) is None


def test_the_maximum_lag_is_counted_from_the_first_batch_of_the_oldest_dirty_segment():
    kept = KeptLog(cleanup_policy="compact", min_cleanable_dirty_ratio=1, max_compaction_lag_ms=10)
    kept.append(("a", "1"), at_ms=5)
    kept.append(("b", "1"), at_ms=0)
    kept.roll()
    kept.commit_to()
    kept.now_ms = 15
    assert not considered(kept).overdue

    kept.now_ms = 16
    assert considered(kept).overdue


def test_the_dirtiest_log_comes_first_and_then_the_next_until_none_is_due():
    half = compacted(*"ab", topic="half")
    cleaned_next(half)
    for key in "cde":
        half.append((key, "1"))
        half.roll()
    half.commit_to()
    whole = compacted("a", topic="whole")
    kept_only = compacted("a", topic="deleted", cleanup_policy="delete")
    logs = half, whole, kept_only

    assert cleaned_next(*logs) == "whole"
    assert cleaned_next(*logs) == "half"
    assert cleaned_next(*logs) is None


def test_of_equally_dirty_logs_the_first_by_name_is_cleaned():
    logs = [compacted("a", topic=name) for name in ("pay", "bills", "orders")]

    assert dirtiest(considered(kept) for kept in logs).partition.partition.topic == "bills"
    assert [cleaned_next(*logs) for _ in range(4)] == ["bills", "orders", "pay", None]


def test_an_empty_log_is_never_due():
    assert not considered(compacted()).due
    assert considered(compacted()).dirty_ratio == 0
    assert cleaned_next(compacted(min_cleanable_dirty_ratio=0)) is None


def test_at_rest_tombstones_stay():
    """Nothing is dirty, so nobody comes to remove them, however long their time is over."""
    kept = KeptLog(cleanup_policy="compact", min_cleanable_dirty_ratio=0)
    kept.append(("a", None))
    kept.append(("b", "1"))
    kept.roll()
    kept.commit_to()

    assert cleaned_next(kept) == "kept"
    kept.now_ms += 365 * DAY_MS
    assert cleaned_next(kept) is None
    assert kept.records()[0] == (0, "a", None)

    kept.append(("b", "2"))
    kept.roll()
    kept.commit_to()

    assert cleaned_next(kept) == "kept"
    assert kept.records() == [(2, "b", "2")]


# --- Both policies -----------------------------------------------------------------------------


def test_compact_and_delete_does_both():
    kept = compacted(*"abab", cleanup_policy="compact,delete", retention_ms=10)
    cleaned_next(kept)
    assert [offset for offset, _, _ in kept.records()] == [2, 3]

    kept.now_ms = 11
    assert kept.retain() == ["age"]
    assert (kept.records(), kept.partition.log_start_offset) == ([], 4)


def test_what_was_deleted_is_not_dirty():
    kept = compacted(*"ab", cleanup_policy="compact,delete", retention_ms=10)
    kept.now_ms = 11
    kept.retain()
    kept.append(("c", "1"))
    kept.roll()
    kept.commit_to()

    assert considered(kept)[2:4] == (2, 3)
