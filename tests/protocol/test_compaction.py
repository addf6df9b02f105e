"""A cleaned log, as ledgers: what is left of it, and what a reader gets."""

import pytest

from simulator.protocol.cleaned import (
    CLEANED_TO,
    Cleaned,
    CleanedBatch,
    as_appended,
    is_empty,
    measure_batch,
    records_of,
)
from simulator.protocol.compaction import clean
from simulator.protocol.records import Batch, Record, batch_bytes
from tests.kept import KeptLog

DAY_MS = 86_400_000
EVERYTHING = 10**9


def compacted(*batches, **config):
    """A log of those batches of (key, value) pairs, closed off by an empty active segment."""
    kept = KeptLog(cleanup_policy="compact", **config)
    for pairs in batches:
        kept.append(*pairs)
    kept.roll()
    return kept


def transaction(kept, pid, *keys, ends=None, seq=0):
    """One batch of a record for each key, and the marker that ends it."""
    shared = {"producer_id": pid, "producer_epoch": 0}
    pairs = [(key, f"{pid}.{seq}") for key in keys]
    kept.append(*pairs, base_sequence=seq, transactional=True, **shared)
    if ends:
        kept.append(control=ends, coordinator_epoch=0, **shared)


# --- The newest of each key --------------------------------------------------------------------


def test_the_newest_record_of_each_key_stays_where_it_is():
    kept = compacted([("a", "1")], [("b", "1")], [("a", "2")], [("c", "1")], [("b", "2")])

    assert kept.clean() == 5
    assert kept.records() == [(2, "a", "2"), (3, "c", "1"), (4, "b", "2")]
    assert kept.partition.log_end_offset == 5


def test_a_record_of_the_active_segment_removes_nothing_and_is_not_removed():
    kept = compacted([("a", "1")])
    kept.append(("a", "2"))
    kept.append(("a", "3"))

    assert kept.clean() == 1
    assert kept.records() == [(0, "a", "1"), (1, "a", "2"), (2, "a", "3")]


def test_within_a_batch_a_hole_is_left():
    kept = compacted([("a", "1"), ("b", "1"), ("c", "1")], [("b", "2")])
    kept.clean()
    first, second = kept.journal.facts

    assert [record and record.value for record in first.records] == ["1", None, "1"]
    assert (first.base_offset, first.last_offset, first.next_offset) == (0, 2, 3)
    assert second == Batch(second.records, 3, append_time_us=kept.now_us, leader_epoch=0)


def test_what_needs_no_change_is_the_same_batch():
    kept = compacted([("a", "1")], [("b", "1")])
    before = list(kept.journal.facts)
    kept.clean()

    assert all(one is other for one, other in zip(kept.journal.facts, before, strict=True))


def test_a_key_is_its_bytes():
    kept = compacted([("ä", "1")], [("ä".encode(), "2")], [(b"a", "1")], [("a", "2")])
    kept.clean()

    assert [offset for offset, _, _ in kept.records()] == [1, 3]


def test_records_without_a_key_go():
    """They can be there: the policy was another when they were written."""
    kept = KeptLog()
    kept.append((None, "1"), ("a", "1"))
    kept.roll()
    kept.clean()

    assert kept.records() == [(1, "a", "1")]


def test_deciding_cleans_nothing():
    kept = compacted([("a", "1")], [("a", "2")])
    kept.commit_to()
    before = kept.log.hard_state(), list(kept.journal.facts), kept.journal.checkpoints.copy()
    where = {"first_dirty_offset": 0, "uncleanable_offset": 2}
    once = clean(kept.log, kept.settings, kept.now_us, **where)

    assert clean(kept.log, kept.settings, kept.now_us, **where) == once
    after = kept.log.hard_state(), list(kept.journal.facts), kept.journal.checkpoints.copy()
    assert after == before


def test_a_log_that_is_all_active_is_left_alone():
    kept = KeptLog(cleanup_policy="compact")
    kept.append(("a", "1"))
    kept.append(("a", "2"))
    fact = clean(kept.log, kept.settings, kept.now_us, first_dirty_offset=0, uncleanable_offset=2)

    assert fact == Cleaned((), (), (), end_offset=0, next_dirty_offset=0)
    assert kept.clean() == 0
    assert len(kept.records()) == 2


# --- Limits ----------------------------------------------------------------------------------


def test_a_full_memory_ends_the_pass_and_the_next_goes_on():
    kept = compacted(*([(key, value)] for value in "12" for key in "abc"))

    assert kept.clean(keys_a_pass=2) == 2
    assert len(kept.records()) == 6
    assert kept.clean(keys_a_pass=2) == 4
    assert kept.records() == [(1, "b", "1"), (2, "c", "1"), (3, "a", "2"), (4, "b", "2"),
                              (5, "c", "2")]  # fmt: skip
    assert kept.clean(keys_a_pass=2) == 6
    assert kept.records() == [(3, "a", "2"), (4, "b", "2"), (5, "c", "2")]


def test_what_is_uncleanable_is_untouched_with_the_segment_it_lies_in():
    kept = KeptLog(cleanup_policy="compact")
    for value in "1234":
        kept.append(("a", value))
        kept.append(("a", value))
        kept.roll()
    kept.clean(uncleanable=5)

    assert kept.journal.checkpoints[CLEANED_TO] == 4
    assert [offset for offset, _, _ in kept.records()] == [3, 4, 5, 6, 7]


def test_small_neighbours_become_one_segment():
    kept = KeptLog(cleanup_policy="compact", segment_bytes=4 * 84)
    for key in "abcdef":
        kept.append((key, "1"))
        kept.roll()
    size = measure_batch(kept.journal.facts[0])[0]
    kept.clean()

    assert size == 84
    assert kept.segments() == [0, 4, 6]
    assert [before for _, before in kept.log.index.segments] == [0, 4 * 84, 6 * 84]


def test_a_segment_that_was_emptied_is_merged_with_its_neighbour_at_the_next_cleaning():
    kept = KeptLog(cleanup_policy="compact", segment_bytes=84)
    for value in "123":
        kept.append(("a", value))
        kept.roll()
    kept.clean()

    assert (kept.segments(), kept.ends()) == ([0, 1, 2, 3], [2])

    kept.append(("b", "1"))
    kept.roll()
    kept.clean()

    assert (kept.segments(), kept.ends()) == ([0, 3, 4], [2, 3])


def test_an_offset_gap_does_not_hold_the_cleaning_back():
    """Another replica's cleaning can leave a gap at a segment's end."""
    kept = KeptLog(cleanup_policy="compact")
    kept.replicate(kept.batch([("a", "1")], base_offset=0))
    kept.roll(at=10)
    kept.replicate(kept.batch([("a", "2")], base_offset=12))
    kept.roll(at=20)

    assert kept.clean() == 20
    assert kept.records() == [(12, "a", "2")]


# --- Tombstones --------------------------------------------------------------------------------


def test_a_tombstone_stays_for_its_time_after_the_first_cleaning_that_saw_it():
    """However long it had waited for that cleaning."""
    kept = compacted([("a", "1")], [("a", None)], [("z", "1")])
    kept.clean(at_ms=3 * DAY_MS)

    assert kept.records() == [(1, "a", None), (2, "z", "1")]
    kept.clean(at_ms=4 * DAY_MS - 1)
    assert kept.records() == [(1, "a", None), (2, "z", "1")]
    kept.clean(at_ms=4 * DAY_MS)
    assert kept.records() == [(2, "z", "1")]


def test_without_a_time_to_stay_the_second_cleaning_takes_it():
    kept = compacted([("a", None)], [("z", "1")], delete_retention_ms=0)
    kept.clean()

    assert kept.records()[0] == (0, "a", None)

    kept.clean()

    assert kept.records() == [(1, "z", "1")]


def test_a_tombstone_hides_the_older_record_at_once():
    kept = compacted([("a", "1")], [("a", None)])
    kept.clean()

    assert kept.records() == [(1, "a", None)]


def test_a_newer_record_hides_a_tombstone_whatever_its_horizon():
    kept = compacted([("a", None)])
    kept.clean()
    kept.append(("a", "2"))
    kept.roll()
    kept.clean()

    assert kept.records() == [(1, "a", "2")]


def test_the_last_batch_stays_empty_so_that_the_cleaned_part_keeps_its_end():
    kept = compacted([("a", "1")], [("a", None)])
    kept.clean()
    kept.clean(at_ms=DAY_MS)
    (left,) = kept.journal.facts

    assert is_empty(left)
    assert (left.base_offset, left.last_offset, list(records_of(left))) == (1, 1, [])
    assert kept.read(0) == ("NONE", [], 2)


def read_on(kept, table, offset, stop=None):
    """Apply what lies from `offset` on to a table of keys, as a view does; where it goes on."""
    while offset < (kept.partition.high_watermark if stop is None else stop):
        _, seen, offset = kept.read(offset, max_bytes=1)
        for _, key, value in seen:
            table[key] = value
            if value is None:
                del table[key]
    return offset


@pytest.mark.parametrize(
    ("pause_ms", "ends_with"),
    [
        (DAY_MS - 1, {"b": "1", "z": "1"}),
        (DAY_MS, {"a": "1", "b": "1", "z": "1"}),  # `a` is a ghost: it was deleted long ago.
    ],
    ids=["in time", "too slow"],
)
def test_a_slow_reader_keeps_a_key_that_was_deleted(pause_ms, ends_with):
    """It has read the value, and the tombstone is gone before it comes there.

    A reader that needs less than delete.retention.ms from the beginning to the end sees every
    tombstone that follows a value which it has seen: the first cleaning removes the value only.
    """
    kept = compacted([("a", "1")], [("b", "1")], [("a", None)], [("z", "1")])
    kept.commit_to()
    table = {}
    offset = read_on(kept, table, 0, stop=1)
    assert table == {"a": "1"}

    kept.clean(first_dirty=0)
    kept.now_ms += pause_ms
    kept.clean(first_dirty=0)
    read_on(kept, table, offset)

    assert table == ends_with
    fresh = {}
    read_on(kept, fresh, 0)
    assert fresh == {"b": "1", "z": "1"}


# --- Producers -----------------------------------------------------------------------------------


def test_the_last_batch_of_a_living_producer_keeps_its_header():
    kept = compacted()
    for pid, seq in ((1, 0), (2, 0), (2, 1), (1, 1), (3, 0)):
        kept.append(("a", f"{pid}.{seq}"), producer_id=pid, producer_epoch=0, base_sequence=seq)
    kept.roll()
    kept.clean()

    assert kept.records() == [(4, "a", "3.0")]
    headers = [(one.producer_id, one.last_sequence, one.last_offset) for one in kept.journal.facts]
    assert headers == [(2, 1, 2), (1, 1, 3), (3, 0, 4)]


def test_a_forgotten_producer_keeps_nothing():
    kept = KeptLog(cleanup_policy="compact")
    kept.append(("a", "1"), producer_id=1, producer_epoch=0, base_sequence=0)
    kept.append(("a", "2"))
    kept.roll()
    kept.now_ms += DAY_MS
    kept.partition.expire_producers(kept.now_us)
    kept.clean()

    assert kept.ends() == [1]


def test_a_header_tells_its_producer_as_much_as_the_batch_did():
    record = Record("a", "1", "")
    header = (7, 3, 2, 10, 5, True, "", -1, 99)
    holes = CleanedBatch((None, None, None), *header, delete_horizon_us=5, latest_us=8)
    appended = as_appended(holes)

    assert isinstance(appended, Batch)
    assert appended[1:] == header
    assert appended.last_sequence == holes.last_sequence == 12
    assert appended.next_offset == holes.next_offset == 10
    assert as_appended(Batch((record,))) == Batch((record,))


def test_an_emptied_marker_tells_nothing():
    """Its transaction is gone altogether (ProducerAppendInfo.append)."""
    there = CleanedBatch((), 4, 1, 0, control="abort", coordinator_epoch=0)
    gone = there._replace(records=(None,))

    assert as_appended(there) == Batch((), 4, 1, 0, control="abort", coordinator_epoch=0)
    assert as_appended(gone) is None
    assert (is_empty(there), is_empty(gone)) == (False, True)
    assert there.next_offset == gone.next_offset == 5


# --- Transactions --------------------------------------------------------------------------------


def test_aborted_records_go_and_hide_nothing():
    kept = compacted([("a", "1")])
    transaction(kept, 1, "a", "b", ends="abort")
    transaction(kept, 2, "c", ends="commit")
    kept.roll()
    kept.clean()

    assert kept.records() == [(0, "a", "1"), (4, "c", "2.0")]
    assert kept.markers() == [(3, "abort"), (5, "commit")]


def test_the_data_of_an_open_transaction_is_not_touched():
    """The cleaner does not go beyond the last stable offset; see test_cleaner."""
    kept = compacted([("a", "1")])
    transaction(kept, 1, "a")
    kept.roll()
    kept.commit_to()

    assert kept.partition.last_stable_offset == 1
    assert kept.clean(uncleanable=1) == 1
    assert [offset for offset, _, _ in kept.records()] == [0, 1]


def test_a_marker_goes_when_its_data_is_gone_and_its_time_is_over():
    kept = compacted()
    transaction(kept, 1, "a", ends="commit")
    kept.append(("a", "newer"), producer_id=1, producer_epoch=0, base_sequence=1)
    kept.roll()
    kept.clean(at_ms=0)

    assert kept.ends() == [1, 2]  # This cleaning has removed the data.
    kept.clean(first_dirty=0, at_ms=1)  # This one finds none, and starts the clock.
    kept.clean(first_dirty=0, at_ms=DAY_MS)
    assert kept.markers() == [(1, "commit")]
    kept.clean(first_dirty=0, at_ms=DAY_MS + 1)
    assert (kept.markers(), kept.ends()) == ([], [2])


def test_readers_are_told_of_an_aborted_transaction_while_any_of_its_data_is_left():
    """Its last batch is still there, empty, because its producer lives; so its marker is too."""
    kept = compacted()
    transaction(kept, 1, "a", ends="abort")
    kept.append(("b", "1"))
    kept.roll()
    for at_ms in (0, DAY_MS, 2 * DAY_MS):
        kept.clean(first_dirty=0, at_ms=at_ms)

    assert kept.records() == [(2, "b", "1")]
    assert kept.markers() == [(1, "abort")]
    assert kept.log.index.aborted == [(1, 0, 1)]
    assert kept.read(0, "read_committed") == ("NONE", [(2, "b", "1")], 3)


def test_a_producer_of_which_only_a_marker_is_known_keeps_it_for_its_epoch():
    """The marker of a new epoch has made the sequences forgotten: it alone holds the epoch."""
    kept = compacted()
    transaction(kept, 1, "a")
    kept.append(producer_id=1, producer_epoch=1, control="abort", coordinator_epoch=0)
    kept.append(("b", "1"))
    kept.roll()
    for at_ms in (0, 1, DAY_MS + 1, 3 * DAY_MS):
        kept.clean(first_dirty=0, at_ms=at_ms)

    assert kept.markers() == []
    assert [(one.base_offset, one.control) for one in kept.journal.facts] == [(1, "abort"), (2, "")]
    assert is_empty(kept.journal.facts[0])


# --- On the disk ---------------------------------------------------------------------------------


def test_bytes_and_times_are_those_of_what_is_left():
    kept = KeptLog(cleanup_policy="compact")
    kept.append(("a", "1"), at_ms=500)
    kept.append(("a", "2"), ("b", "2"), at_ms=20)
    kept.roll()
    kept.append(("c", "1"), at_ms=30)
    end_bytes = kept.log.index.end_bytes
    kept.clean()
    index = kept.log.index
    one, two = batch_bytes(kept.journal.facts[0]), 84

    assert (index.size_of(0), index.size_of(1)) == (one, two)
    assert index.end_bytes == end_bytes
    assert index.start_bytes == end_bytes - one - two
    assert list(index.times) == [kept.us(20), kept.us(500)]  # The active segment's is not less.
    assert kept.partition.bytes_of(tuple(kept.journal.facts)) == one + two


def test_a_hole_takes_no_bytes():
    kept = compacted([("a", "1" * 100), ("b", "1")], [("a", "2")])
    kept.clean()
    alone = Batch((Record("b", "1", ""),))

    assert measure_batch(kept.journal.facts[0])[0] == batch_bytes(alone)


def test_an_empty_batch_keeps_its_time():
    kept = compacted()
    kept.append(("a", "1"), producer_id=1, producer_epoch=0, base_sequence=0, at_ms=700)
    kept.append(("a", "2"), at_ms=1)
    kept.roll()
    kept.clean()

    assert is_empty(kept.journal.facts[0])
    assert measure_batch(kept.journal.facts[0])[1] == kept.us(700)


def test_what_was_cleaned_survives_a_power_loss():
    kept = compacted([("a", "1")], [("a", "2")], [("b", "1")])
    kept.append(("c", "1"))
    kept.clean()

    assert kept.journal.flushed == 2
    kept.journal.lose_power()
    kept.restart(clean=False)
    assert kept.records() == [(1, "a", "2"), (2, "b", "1")]
    assert kept.partition.log_end_offset == 3
    assert kept.journal.checkpoints[CLEANED_TO] == 3


def test_snapshots_stand_after_the_same_offsets_as_before():
    kept = KeptLog(cleanup_policy="compact")
    for value in "1234":
        kept.append(("a", value))
        kept.append(("b", value))
        kept.roll()
    kept.append(("c", "1"))
    kept.clean()

    assert kept.ends() == [6, 7, 8]
    placed = [(position, state[0]) for position, _, state in kept.journal.snapshots]
    assert placed == [(0, 2), (0, 4), (0, 6), (2, 8)]


def test_a_reader_goes_on_where_it_stands_and_lands_behind_a_hole():
    kept = compacted([("a", "1"), ("b", "1")], [("a", "2")], [("b", "2")], [("c", "1")])
    kept.commit_to()
    _, _, position = kept.read(0, max_bytes=1)
    kept.clean()

    assert position == 2
    assert kept.read(position, max_bytes=1) == ("NONE", [(2, "a", "2")], 3)
    assert kept.read(0, max_bytes=1) == ("NONE", [(2, "a", "2")], 3)
    assert kept.read(1)[1] == [(2, "a", "2"), (3, "b", "2"), (4, "c", "1")]


def test_a_batch_that_a_reader_enters_in_its_middle_is_not_passed_over():
    """Holes keep their places, so a cursor never points behind a record that is still there."""
    kept = compacted([("a", "1"), ("b", "1"), ("c", "1")], [("a", "2")], [("d", "1")])
    kept.clean()

    for offset in (0, 1, 2):
        assert kept.read(offset, max_bytes=1)[1] == [
            one for one in ((1, "b", "1"), (2, "c", "1")) if one[0] >= offset
        ]


def test_offsets_go_on_where_they_were():
    kept = compacted([("a", "1")], [("a", None)], delete_retention_ms=0)
    kept.clean()
    kept.clean()

    assert kept.append(("a", "2"))["base_offset"] == 2
    assert kept.read(0, max_bytes=EVERYTHING)[1] == []
    kept.commit_to()
    assert kept.read(0)[1] == [(2, "a", "2")]
