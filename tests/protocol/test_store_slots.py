"""Replication slots as ledgers: the log in commit order, kept until it is confirmed."""

import pytest

from simulator.protocol import store as module
from simulator.protocol import store_messages as sm
from simulator.protocol.machine import Request
from simulator.protocol.store_operations import (
    Add,
    AlterTable,
    Delete,
    EmitMessage,
    Get,
    Insert,
    Nextval,
    Row,
    Select,
    SnapshotXmin,
    Upsert,
)
from simulator.protocol.store_slots import Commit, RowChange, Slot
from tests.stored import WAITS, Database

T = "t"


def create(it, name="cdc", who="R"):
    return it.slot(who, sm.CreateSlotRequest(name))


def read(it, after=0, *, limit=100, wait_ms=0, name="cdc", who="R"):
    return it.slot(who, sm.ReadSlotRequest(name, after, limit, wait_ms))


def confirm(it, lsn, name="cdc", who="R"):
    return it.slot(who, sm.ConfirmSlotRequest(name, lsn))


def drop(it, name="cdc", who="R"):
    return it.slot(who, sm.DropSlotRequest(name))


def show(it, name="cdc"):
    return it.slot("looker", sm.ShowSlotRequest(name))


def lsns(commits):
    return [commit.lsn for commit in commits]


# --- What is read --------------------------------------------------------------------------------


def test_a_slot_gives_whole_transactions_in_the_order_of_their_commits():
    it = Database()
    it.transact("C", Insert(T, 0))
    assert create(it)[:2] == ("cdc", 1)
    for who in "AB":
        it.begin(who)
    it.run("A", Insert(T, 1, "a"))
    it.run("B", Insert(T, 2, "b"))
    it.now_us = 7
    assert (it.commit("B"), it.commit("A")) == (2, 3)

    assert read(it) == (
        Commit(2, 3, 7, (RowChange(T, 2, None, "b", "insert"),)),
        Commit(3, 2, 7, (RowChange(T, 1, None, "a", "insert"),)),
    )
    assert lsns(read(it, after=2)) == [3]
    assert lsns(read(it, limit=1)) == [2]


def test_what_is_rolled_back_is_not_in_the_log():
    it = Database()
    create(it)
    it.begin("A")
    it.run("A", Insert(T, 1), EmitMessage("p", "lost"))
    it.rollback("A")
    it.begin("A")
    it.run("A", Insert(T, 1), Nextval("s"))
    it.run("A", Insert(T, 1))
    it.transact("C", Get(T, 1), Nextval("s"))

    assert read(it) == ()


def test_each_change_has_the_row_before_and_after():
    it = Database()
    create(it)
    it.transact("C", Insert(T, 1, "a"))
    it.transact(
        "C", Upsert(T, 1, "b"), EmitMessage("p", "m"), Delete(T, 1), AlterTable(T, ("id", "name"))
    )

    assert read(it, after=1)[0].changes == (
        RowChange(T, 1, "a", "b", "update"),
        RowChange("p", None, None, "m", "message"),
        RowChange(T, 1, "b", None, "delete"),
        RowChange(T, None, None, ("id", "name"), "ddl"),
    )
    assert it.restarted().store.columns == {T: ("id", "name")}


def test_a_reader_waits_for_the_next_commit_and_no_longer_than_it_wants():
    it = Database()
    create(it)
    assert read(it, wait_ms=100) is WAITS
    assert it.timers == {("slot", "cdc"): 100_000}
    it.transact("C", Insert(T, 1))
    assert lsns(it.answer("R")) == [1]
    assert not it.timers

    assert read(it, after=1, wait_ms=100) is WAITS
    it.time_up(("slot", "cdc"))
    assert it.answer("R") == ()


def test_a_transaction_of_several_statements_wakes_a_reader_too():
    it = Database()
    create(it)
    read(it, wait_ms=100)
    it.begin("A")
    it.run("A", Insert(T, 1))
    it.commit("A")

    assert lsns(it.answer("R")) == [1]


# --- The snapshot --------------------------------------------------------------------------------


def test_the_snapshot_and_the_log_behind_it_are_everything_once():
    it = Database()
    it.transact("C", Insert(T, 1, "before"))
    slot = create(it)
    it.transact("C", Insert(T, 2, "after"))
    assert it.begin("A", "repeatable read", slot.snapshot) == ()
    it.transact("C", Upsert(T, 1, "later"))

    assert it.run("A", Select(T)) == ((Row(1, "before", 1),),)
    assert [change.key for commit in read(it) for change in commit.changes] == [2, 1]
    assert it.begin("B", "repeatable read", slot.snapshot) == "undefined_object"
    it.commit("A")
    assert not it.store.versions.held


def test_a_snapshot_goes_with_the_connection_that_exported_it():
    it = Database()
    slot = create(it)
    it.close("R")

    assert it.begin("B", "repeatable read", slot.snapshot) == "undefined_object"
    assert not it.store.versions.held


# --- What is kept --------------------------------------------------------------------------------


def test_the_log_is_kept_from_the_oldest_slot_on_and_is_cut_behind_it(monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_LEAST", 10)
    it = Database()
    create(it)
    create(it, "other", "R2")
    for _ in range(50):
        it.transact("C", Add(T, 1, 1))
    assert len(it.journal) == 50
    confirm(it, 50)
    assert show(it).retained_transactions == 0
    confirm(it, 30, "other", "R2")
    assert show(it, "other").retained_transactions == 20
    assert lsns(read(it, name="other", who="R2")) == list(range(31, 51))
    for _ in range(11):
        it.transact("C", Add(T, 1, 1))
    assert 20 < len(it.journal) <= 31

    assert it.restarted().store.hard_state() == it.store.hard_state()
    drop(it, "other", "R2")
    confirm(it, 61)
    for _ in range(22):
        it.transact("C", Add(T, 1, 1))
    assert len(it.journal) <= 23


def test_what_is_confirmed_is_confirmed_for_good_and_is_not_given_again():
    it = Database()
    create(it)
    for number in range(5):
        it.transact("C", Insert(T, number))
    assert confirm(it, 3) == 3
    assert confirm(it, 2) == 3
    assert confirm(it, 99) == 5
    it.transact("C", Insert(T, 9))
    it.journal.lose_power()
    it = it.restarted()

    assert lsns(read(it, after=0)) == [6], "whatever position is asked for"
    assert show(it).confirmed_lsn == 5


def test_a_slot_knows_how_much_is_kept_for_it():
    it = Database()
    create(it)
    assert show(it)[3:] == (0, 0, False, False)
    it.transact("C", Insert(T, 1, "x" * 1_000))
    read(it)
    state = show(it)
    assert state.retained_bytes > 1_000
    assert state.active
    assert it.restarted().sessions.slots.state("cdc", 0).retained_bytes == state.retained_bytes
    confirm(it, 1)

    assert show(it).retained_bytes == 0
    assert show(it, "none") is None


def test_a_slot_that_would_need_more_than_may_be_kept_is_lost():
    it = Database(max_slot_wal_keep_size=2_000)
    create(it)
    it.transact("C", Insert(T, 1, "x" * 1_000))
    assert read(it, after=1, wait_ms=100) is WAITS
    it.transact("C", Insert(T, 2, "x" * 1_000))

    assert it.answer("R") == "slot_lost"
    assert read(it) == confirm(it, 1) == "slot_lost"
    assert show(it).lost
    it = it.restarted()
    assert read(it) == "slot_lost"
    assert create(it) == "duplicate_object"
    assert drop(it) == ()
    assert create(it)[:2] == Slot("cdc", 2, "")[:2]


# --- Who reads -----------------------------------------------------------------------------------


def test_a_slot_has_one_reader_until_it_is_gone_or_silent():
    it = Database(wal_sender_timeout=1_000)
    create(it)
    assert read(it) == ()
    assert read(it, who="other") == "object_in_use"
    assert drop(it, who="other") == "object_in_use"
    it.close("R")
    assert read(it, who="other") == ()
    it.now_us = 999_999
    assert read(it) == "object_in_use"
    it.now_us = 1_000_000
    assert read(it) == ()


def test_a_reader_that_waits_is_there_and_is_forgotten_with_its_connection():
    it = Database(wal_sender_timeout=10)
    create(it)
    read(it, wait_ms=100)
    it.now_us = 50_000
    assert read(it, who="other") == "object_in_use"
    it.close("R")
    assert not it.timers

    it.transact("C", Insert(T, 1))
    assert lsns(read(it, who="other")) == [1]
    assert len(it.answers["R"]) == 1


@pytest.mark.parametrize("ask", [read, drop, lambda it: confirm(it, 1)])
def test_a_slot_that_is_not_there_is_refused(ask):
    assert ask(Database()) == "undefined_object"


def test_a_slot_that_is_dropped_tells_who_waits_at_it():
    it = Database()
    create(it)
    read(it, wait_ms=100)
    drop(it)

    assert [body.status for body in it.answers["R"]] == ["done", "undefined_object", "done"]
    assert not it.timers
    assert create(it).lsn == 0


# --- Corners -------------------------------------------------------------------------------------


def test_an_exported_snapshot_has_the_oldest_transaction_of_its_own_time():
    """What was in flight then is not seen, so nobody may take it for ended."""
    it = Database()
    it.begin("W")
    it.run("W", Insert(T, 1))
    slot = create(it)
    it.commit("W")
    it.begin("A", "repeatable read", slot.snapshot)

    assert it.run("A", Select(T), SnapshotXmin()) == ((), 1)


def test_a_creation_that_is_delivered_twice_leaves_its_snapshot():
    it = Database()
    it.transact("C", Insert(T, 1, 10))
    slot = create(it)
    twice = Request(("R", 0), sm.CreateSlotRequest("cdc"))
    assert list(it.sessions.handle(it.session("R"), twice, 0)) == []
    it.transact("C", Delete(T, 1))
    it.begin("A", "repeatable read", slot.snapshot)

    assert it.run("A", Get(T, 1)) == (10,)


def test_what_a_slot_retains_is_counted_alike_before_and_after_a_restart():
    it = Database()
    create(it)
    for _ in range(3):
        it.transact("C", Insert(T, Nextval("s"), "x"))
    for lsn in (0, 1, 1, 3):
        confirm(it, lsn)
        retained = show(it).retained_bytes
        assert show(it.restarted()).retained_bytes == retained
        assert (retained == 0) == (lsn == 3)
