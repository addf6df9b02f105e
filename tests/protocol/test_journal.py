"""What a journal keeps through each kind of failure."""

from simulator.protocol.journal import Journal


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
