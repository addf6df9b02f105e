"""What a journal keeps through each kind of failure."""

import pytest

from simulator.protocol.journal import Journal
from simulator.protocol.records import Batch


def journal(*facts, flushed=0):
    made = Journal("log")
    for number, fact in enumerate(facts, 1):
        made.append(fact)
        if number == flushed:
            made.flush()
    return made


def test_a_power_loss_takes_what_was_not_flushed():
    written = journal("a", "b", "c", flushed=1)

    assert written.lose_power() == ["b", "c"]
    assert written.facts == ["a"]


def test_entries_may_have_reached_the_platter_unasked():
    written = journal("a", "b", "c", flushed=1)

    assert written.lose_power(spared=1) == ["c"]
    assert (written.facts, written.flushed) == (["a", "b"], 2)


def test_a_torn_entry_is_cut_off_when_the_journal_is_mended():
    written = journal("a", "b", flushed=1)
    written.lose_power(torn=True)

    assert written.torn == "b"
    assert written.mend()
    assert not written.mend()
    assert written.facts == ["a"]


def test_nothing_is_torn_where_nothing_was_lost():
    written = journal("a", flushed=1)
    written.lose_power(torn=True)

    assert not written.mend()


def test_a_lost_disk_keeps_nothing():
    written = journal("a", "b", flushed=2)
    written.checkpoints["log_start_offset"] = 1
    written.snapshot("state")

    assert written.lose_disk() == ["a", "b"]
    assert len(written) == written.flushed == 0
    assert written.newest_snapshot() is None
    assert not written.checkpoints


def test_a_snapshot_beyond_the_facts_is_cut_with_them():
    written = journal("a")
    written.snapshot("after a")
    written.append("b")
    written.snapshot("after b")
    written.cut(1)

    assert written.newest_snapshot() == (1, "", "after a")


def test_the_oldest_snapshots_of_a_kind_give_way():
    written = Journal()
    written.snapshot("other", "kept")
    for number in range(4):
        written.append(number)
        written.snapshot(number, "few", keep=2)

    assert [state for _, _, state in written.snapshots] == ["other", 2, 3]


def test_positions_count_from_the_new_front():
    written = journal("a", "b", "c", flushed=2)
    written.snapshot("after c")
    written.drop_front(1)

    assert (written.facts, written.flushed) == (["b", "c"], 1)
    assert written.newest_snapshot() == (2, "", "after c")


# --- Flushing, and writing back ------------------------------------------------------------------

SECOND = 1_000_000


def written_at(*seconds):
    """A journal of batches that were appended at these times."""
    journal = Journal()
    for at in seconds:
        journal.append(Batch((), append_time_us=at * SECOND))
    return journal


def test_a_flush_up_to_a_position_leaves_what_comes_after_and_undoes_nothing():
    journal = written_at(1, 2, 3)
    journal.flush_to(2)
    journal.flush_to(1)
    assert journal.flushed == 2
    journal.flush_to(9)
    assert journal.flushed == 3


@pytest.mark.parametrize(
    ("now_s", "count"), [(30, 0), (31, 1), (32, 2), (39, 2), (40, 3), (60, 3), (300, 3)]
)
def test_what_is_half_a_minute_old_is_written_back_in_order(now_s, count):
    journal = written_at(1, 2, 10)

    assert journal.written_back(now_s * SECOND) == count


def test_nothing_behind_a_young_entry_counts_as_written_back():
    assert written_at(1, 20, 2).written_back(40 * SECOND) == 1


def test_what_is_flushed_is_not_counted_again():
    journal = written_at(1, 2, 3)
    journal.flush_to(1)

    assert journal.written_back(100 * SECOND) == 2
    assert journal.lose_power(journal.written_back(100 * SECOND)) == []


def test_of_an_entry_without_a_time_nobody_knows():
    journal = Journal()
    journal.append("fact")

    assert journal.written_back(10**15) == 0


def test_what_was_appended_elsewhere_long_ago_is_as_old_as_it_is_here():
    journal = written_at(1, 2)
    journal.written(100 * SECOND)
    journal.append(Batch((), append_time_us=3 * SECOND))

    assert journal.written_back(129 * SECOND) == 2
    assert journal.written_back(130 * SECOND) == 3


def test_when_something_was_written_moves_with_it():
    def taken_over(journal):
        journal.written(100 * SECOND)
        journal.append(Batch((), append_time_us=3 * SECOND))
        return journal

    front = taken_over(written_at(1, 2))
    front.drop_front(1)
    assert front.written_back(101 * SECOND) == 1

    cut = taken_over(written_at(1, 2))
    cut.cut(1)
    cut.append(Batch((), append_time_us=3 * SECOND))
    assert cut.written_back(101 * SECOND) == 1, "what comes after is no older"

    cleaned = taken_over(written_at(1, 2))
    cleaned.replace_front(2, [])
    assert (cleaned.flushed, cleaned.written_back(101 * SECOND)) == (0, 0)

    flushed = taken_over(written_at(1, 2))
    flushed.flush()
    flushed.append(Batch((), append_time_us=4 * SECOND))
    assert flushed.written_back(101 * SECOND) == 1

    assert taken_over(written_at(1, 2)).copy().written_back(101 * SECOND) == 2


def test_marks_of_writing_are_forgotten_when_they_say_nothing_more():
    journal = Journal()
    for at in range(1_000):
        journal.written(at * SECOND)
        journal.append(Batch((), append_time_us=0))

    assert len(journal._written) <= 31


def test_what_replaces_the_front_is_on_the_platter():
    journal = written_at(1, 2, 3)
    journal.replace_front(2, ["new"])

    assert (journal.facts[0], journal.flushed, len(journal)) == ("new", 1, 2)
