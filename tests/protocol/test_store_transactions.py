"""Transactions side by side, as ledgers: who sees what, who waits for whom, and who is refused."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.journal import Journal
from simulator.protocol.store_operations import (
    Add,
    AdvisoryLock,
    AdvisoryUnlock,
    CurrentXid,
    Delete,
    Get,
    Insert,
    LockTable,
    Nextval,
    Row,
    Select,
    SnapshotXmin,
    TryAdvisoryLock,
    Update,
    Upsert,
)
from tests.stored import WAITS, Database

LEVELS = ("read committed", "repeatable read", "serializable")
SNAPSHOTS = LEVELS[1:]
T = "t"


def database(*rows, **settings):
    """A store whose table t has the rows 1, 2, ... with these values; A and B have begun."""
    it = Database(**settings)
    for key, value in enumerate(rows, 1):
        it.transact("setup", Insert(T, key, value))
    return it


def both(level, *rows, **settings):
    it = database(*rows, **settings)
    it.begin("A", level)
    it.begin("B", level)
    return it


# --- What is seen --------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_not_committed_is_seen_by_its_own_transaction_alone(level):
    it = both(level, 10)
    assert it.run("A", Update(T, 1, lambda value: value + 1), Insert(T, 2, 20)) == (11, 2)

    assert it.run("A", Get(T, 1), Select(T)) == (11, (Row(1, 11, 2), Row(2, 20, 2)))
    assert it.run("B", Get(T, 1), Get(T, 2)) == (10, None)
    assert it.transact("C", Get(T, 1), Select(T)) == (10, (Row(1, 10, 1),))
    assert it.rollback("A") == ()
    assert it.run("B", Get(T, 1), Get(T, 2)) == (10, None)
    assert it.rows(T) == {1: 10}


@pytest.mark.parametrize(("level", "seen"), [("read committed", 11), ("repeatable read", 10),
                                             ("serializable", 10)])  # fmt: skip
def test_a_second_look_sees_what_was_committed_meanwhile_only_under_read_committed(level, seen):
    it = both(level, 10)
    assert it.run("A", Get(T, 1)) == (10,)
    it.run("B", Add(T, 1, 1), Insert(T, 2, 20), Delete(T, 1), Insert(T, 1, 11))
    assert it.commit("B") == 2

    rows = (Row(1, 11, 2), Row(2, 20, 2)) if seen == 11 else (Row(1, 10, 1),)
    assert it.run("A", Get(T, 1), Select(T)) == (seen, rows)
    assert it.commit("A") == 2


@pytest.mark.parametrize("level", SNAPSHOTS)
def test_a_snapshot_is_of_the_first_statement_and_not_of_the_begin(level):
    it = both(level, 10)
    it.transact("C", Add(T, 1, 1))
    assert it.run("A", Get(T, 1)) == (11,)
    it.transact("C", Add(T, 1, 1))
    assert it.run("A", Get(T, 1), Select(T, lambda row: row.value == 11)) == (11, (Row(1, 11, 2),))


def test_locking_a_table_takes_no_snapshot_so_what_is_waited_for_is_seen():
    it = both("repeatable read", 10)
    it.run("B", Add(T, 1, 5))
    assert it.run("A", LockTable(T)) is WAITS
    it.commit("B")

    assert it.answer("A") == (True,)
    assert it.run("A", Get(T, 1)) == (15,)


def test_rows_come_in_the_order_of_their_keys_or_as_asked_and_as_many_as_asked():
    it = database(30, 10, 20)
    it.transact("C", Upsert(T, 0, 10))

    by_value = Select(T, order_by=lambda row: row.value, limit=3)
    assert [row.key for row in it.transact("C", Select(T))[0]] == [0, 1, 2, 3]
    assert [row.key for row in it.transact("C", by_value)[0]] == [0, 2, 3]
    assert it.transact("C", Select(T, lambda row: row.value > 40)) == ((),)
    assert it.transact("C", Select("nowhere")) == ((),)


def test_keys_of_several_kinds_are_put_in_some_order_that_stays():
    it = Database()
    for key in ("b", 1, ("a", 2), "a", None):
        it.transact("C", Insert(T, key))

    assert [row.key for row in it.transact("C", Select(T))[0]] == [None, 1, "a", "b", ("a", 2)]


def test_bounds_on_keys_look_at_a_part_of_the_table():
    it = Database()
    for key in (("a", 2), ("b", 1), ("a", 1), ("c", 0)):
        it.transact("C", Insert(T, key, key[0]))
    part = Select(T, at_least=("a", 2), below=("c",))
    assert [row.key for row in it.transact("C", part)[0]] == [("a", 2), ("b", 1)]

    it.begin("A", "repeatable read")
    it.run("A", Get(T, 0))
    it.transact("C", Delete(T, ("b", 1)), Insert(T, ("a", 3), "a"), Upsert(T, ("a", 2), "new"))
    assert [row[:2] for row in it.transact("C", part)[0]] == [(("a", 2), "new"), (("a", 3), "a")]
    assert [row[:2] for row in it.run("A", part)[0]] == [(("a", 2), "a"), (("b", 1), "b")]
    it.run("A", Insert(T, ("b", 9), "own"), Insert(T, ("z", 0)))
    assert [row.key for row in it.run("A", part)[0]] == [("a", 2), ("b", 1), ("b", 9)]


# --- Writers of one row --------------------------------------------------------------------------


def test_an_update_waits_for_the_row_and_works_on_its_newest_version():
    it = both("read committed", 10)
    it.run("A", Add(T, 1, 5))
    assert it.run("B", Update(T, 1, lambda value: value * 2)) is WAITS
    it.commit("A")

    assert it.answer("B") == (30,)
    it.commit("B")
    assert it.rows(T) == {1: 30}


def test_an_update_that_waited_in_vain_works_on_what_was_there():
    it = both("read committed", 10)
    it.run("A", Add(T, 1, 5))
    it.run("B", Update(T, 1, lambda value: value * 2))
    it.rollback("A")

    assert it.answer("B") == (20,)


@pytest.mark.parametrize("operation", [Update(T, 1, lambda value: value), Delete(T, 1),
                                       Get(T, 1, "update")])  # fmt: skip
def test_a_row_that_is_gone_when_its_lock_is_had_is_no_row(operation):
    it = both("read committed", 10)
    it.run("A", Delete(T, 1))
    it.run("B", operation)
    it.commit("A")

    assert it.answer("B") == (False if isinstance(operation, Delete) else None,)


@pytest.mark.parametrize("operation", [Delete(T, 1), Get(T, 1, "update"),
                                       Select(T, lock="update")])  # fmt: skip
def test_a_row_that_is_gone_when_its_lock_is_had_is_not_locked(operation):
    it = both("read committed", 10)
    it.run("A", Delete(T, 1))
    assert it.run("B", operation) is WAITS
    it.commit("A")

    assert it.transact("C", Insert(T, 1, 11)) == (1,), "B has not ended"


def test_who_waits_for_a_row_that_is_gone_does_so_only_until_the_next_has_looked():
    it = both("read committed", 10)
    it.run("A", Delete(T, 1))
    for who in ("C", "B", "D"):
        assert it.transact(who, Get(T, 1, "update"), AdvisoryLock(who)) is WAITS
    it.commit("A")

    assert [it.answer(who) for who in ("C", "B", "D")] == [(None, True)] * 3
    assert not it.sessions.held


@pytest.mark.parametrize("level", SNAPSHOTS)
@pytest.mark.parametrize("operation", [Add(T, 1, 1), Update(T, 1, lambda value: value),
                                       Delete(T, 1), Upsert(T, 1, 0), Get(T, 1, "update"),
                                       Select(T, lock="update")])  # fmt: skip
def test_a_snapshot_cannot_write_or_lock_what_was_changed_since(level, operation):
    it = both(level, 10)
    it.run("B", Get(T, 1))
    it.transact("C", Add(T, 1, 1))

    assert it.run("B", operation) == "serialization_failure"
    assert it.run("B", Get(T, 1)) == "in_failed_sql_transaction"
    assert it.commit("B") == "in_failed_sql_transaction"
    assert it.rows(T) == {1: 11}


@pytest.mark.parametrize("ends", ["commit", "rollback"])
@pytest.mark.parametrize("level", SNAPSHOTS)
def test_a_snapshot_that_waits_for_a_row_is_refused_if_the_other_commits(level, ends):
    it = both(level, 10)
    it.run("A", Add(T, 1, 1))
    assert it.run("B", Add(T, 1, 1)) is WAITS
    getattr(it, ends)("A")

    assert it.answer("B") == ("serialization_failure" if ends == "commit" else (11,))


@pytest.mark.parametrize("level", LEVELS)
def test_what_one_read_and_wrote_back_is_lost_unless_snapshots_forbid_it(level):
    it = both(level, 100)
    (a,), (b,) = it.run("A", Get(T, 1)), it.run("B", Get(T, 1))
    it.run("A", Upsert(T, 1, a + 1))
    it.commit("A")
    told = it.run("B", Upsert(T, 1, b + 1))

    assert told == ((True,) if level == "read committed" else "serialization_failure")
    it.commit("B")
    assert it.rows(T) == {1: 101}


@pytest.mark.parametrize("how", ["update", "change"])
def test_what_is_locked_when_it_is_read_or_changed_where_it_lies_is_not_lost(how):
    it = both("read committed", 100)
    if how == "change":
        it.run("A", Add(T, 1, 1))
        assert it.run("B", Add(T, 1, 1)) is WAITS
        it.commit("A")
    else:
        (a,) = it.run("A", Get(T, 1, "update"))
        assert it.run("B", Get(T, 1, "update")) is WAITS
        it.run("A", Upsert(T, 1, a + 1))
        it.commit("A")
        (b,) = it.answer("B")
        it.run("B", Upsert(T, 1, b + 1))
    it.commit("B")

    assert it.rows(T) == {1: 102}


def test_an_upsert_may_look_at_what_is_there():
    it = database(10)
    newer = Upsert(T, 1, 11, when=lambda old: old < 11)

    assert it.transact("C", newer) == (True,)
    assert it.transact("C", newer, Get(T, 1)) == (False, 11)
    assert it.store.lsn == 2


# --- Keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ends", "told"), [("commit", "unique_violation"), ("rollback", (7,))])
@pytest.mark.parametrize("level", LEVELS)
def test_a_key_that_an_open_transaction_has_inserted_is_waited_for(level, ends, told):
    it = both(level)
    it.run("A", Insert(T, 7, "a"))
    assert it.run("B", Insert(T, 7, "b")) is WAITS
    getattr(it, ends)("A")

    assert it.answer("B") == told


@pytest.mark.parametrize(("ends", "told"), [("commit", (1,)), ("rollback", "unique_violation")])
def test_a_key_that_an_open_transaction_has_deleted_is_waited_for(ends, told):
    it = both("read committed", 10)
    it.run("A", Delete(T, 1))
    assert it.run("B", Insert(T, 1, 11)) is WAITS
    getattr(it, ends)("A")

    assert it.answer("B") == told


def test_a_key_that_is_only_locked_is_refused_at_once():
    it = both("read committed", 10)
    it.run("A", Get(T, 1, "update"))

    assert it.run("B", Insert(T, 1)) == "unique_violation"


def test_an_error_lets_the_locks_go_before_the_rollback():
    it = both("read committed", 10)
    it.run("A", Add(T, 1, 1))
    assert it.run("B", Add(T, 1, 1)) is WAITS
    assert it.run("A", Insert(T, 1)) == "unique_violation"

    assert it.answer("B") == (11,)


# --- One request among others --------------------------------------------------------------------


def test_a_transaction_of_one_request_waits_too_and_then_is_done_at_once():
    it = both("read committed", 10)
    it.run("A", Add(T, 1, 1))
    assert it.transact("C", Insert("mark", 1), Add(T, 1, 1)) is WAITS
    assert it.transact("D", Insert("mark", 1)) is WAITS
    assert it.transact("E", Add(T, 2, 1)) == (1,)
    it.commit("A")

    assert it.answer("C") == (1, 12)
    assert it.answer("D") == "unique_violation"
    assert it.store.journal.facts[-1].event_id == "e"


def test_who_cannot_wait_is_refused_and_leaves_nothing():
    it = both("read committed", 10)
    it.run("A", Add(T, 1, 1))

    assert it.at_once(Add(T, 2, 1), Add(T, 1, 1)) == "lock_not_available"
    assert it.at_once(Add(T, 2, 1)) == (1,)
    it.commit("A")
    assert it.rows(T) == {1: 11, 2: 1}
    assert not it.sessions.held


# --- Locks ---------------------------------------------------------------------------------------


def test_queue_readers_pass_locked_rows_by_or_wait_or_are_refused():
    it = both("read committed", "x", "x", "y", "x")
    first = Select(T, lambda row: row.value == "x", limit=1, lock="skip locked")
    assert it.run("A", first) == ((Row(1, "x", 1),),)
    assert it.run("B", first) == ((Row(2, "x", 2),),)
    assert it.transact("C", first._replace(lock="nowait")) == "lock_not_available"
    assert it.transact("C", Get(T, 1, "skip locked"), Get(T, 3, "nowait")) == (None, "y")
    assert it.transact("C", first._replace(lock="update")) is WAITS
    it.run("A", Upsert(T, 1, "done"))
    it.commit("A")

    # The row that it waited for is not wanted any more; the statement saw no others behind it.
    assert it.answer("C") is not WAITS
    assert it.transact("D", first) == ((Row(4, "x", 4),),)


def test_what_a_locking_read_waited_for_is_looked_at_again():
    it = both("read committed", 1, 5, 9)
    it.run("A", Upsert(T, 1, 9), Upsert(T, 3, 1), Upsert(T, 2, 6))
    assert it.run("B", Select(T, lambda row: row.value > 4, lock="update")) is WAITS
    it.commit("A")

    # Row 1 is wanted by now, but was not when the statement began; row 3 is wanted no more.
    assert it.answer("B") == ((Row(2, 6, 4),),)


def test_a_locked_table_is_read_by_all_and_written_by_one():
    it = both("read committed", 10)
    it.run("A", LockTable(T))

    assert it.run("B", Get(T, 1), Select(T)) == (10, (Row(1, 10, 1),))
    assert it.run("B", Insert(T, 2)) is WAITS
    assert it.transact("C", Get(T, 1, "nowait")) is WAITS, "nowait is of rows"
    assert it.at_once(Get(T, 1, "update")) == "lock_not_available"
    assert it.transact("C", Insert("other", 2)) == (2,)
    assert it.run("A", Insert(T, 3)) == (3,)
    it.commit("A")
    assert it.answer("B") == (2,)


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        (Get(T, 1, "skip locked"), 10),
        (Select(T, limit=1, lock="nowait"), (Row(1, 10, 1),)),
        (Update(T, 1, lambda value: value + 1), 11),
        (Delete(T, 1), True),
    ],
)
def test_a_tables_lock_is_waited_for_before_a_statement_looks(operation, result):
    """So it sees what the other wrote; with skip locked and nowait too, which are of rows."""
    it = both("read committed")
    it.run("A", LockTable(T), Insert(T, 1, 10))
    assert it.run("B", operation) is WAITS
    it.commit("A")

    assert it.answer("B") == (result,)


def test_who_locks_a_table_waits_for_its_writers_and_those_behind_wait_too():
    it = both("read committed", 10)
    it.run("A", Add(T, 1, 1))
    assert it.run("B", LockTable(T)) is WAITS
    assert it.transact("C", Add(T, 2, 1)) is WAITS
    it.commit("A")
    assert it.answer("B") == (True,)
    it.run("B", Add(T, 2, 5))
    it.commit("B")

    assert it.answer("C") == (6,)


def test_advisory_locks_have_names_and_end_with_the_transaction_or_the_session():
    it = both("read committed")
    assert it.run("A", AdvisoryLock("k"), TryAdvisoryLock("s", session=True)) == (True, True)
    assert it.run("B", TryAdvisoryLock("k"), TryAdvisoryLock("s")) == (False, False)
    it.commit("A")
    assert it.run("B", TryAdvisoryLock("k"), TryAdvisoryLock("s")) == (True, False)
    assert it.run("B", AdvisoryLock("s")) is WAITS
    assert it.transact("A", TryAdvisoryLock("s", session=True)) == (True,), "its own already"
    assert it.transact("A", AdvisoryUnlock("s"), AdvisoryUnlock("t")) == (True, False)
    assert it.answers["B"][-1].results == (True, False), "it was taken twice"
    assert it.transact("A", AdvisoryUnlock("s")) == (True,)

    assert it.answer("B") == (True,)
    it.commit("B")
    assert not it.sessions.held


def test_requests_of_one_connection_exclude_each_other_by_advisory_locks():
    """As a pool would send each by a connection of its own."""
    it = both("read committed", 10)
    it.run("A", Add(T, 1, 1))
    assert it.transact("C", AdvisoryLock("k"), Add(T, 1, 1)) is WAITS
    assert it.transact("C", TryAdvisoryLock("k")) == (False,)
    assert it.transact("C", AdvisoryLock("k")) is WAITS
    it.commit("A")

    assert [answer.results for answer in it.answers["C"]] == [(False,), (True, 12), (True,)]
    assert not it.sessions.held


def test_a_session_that_gets_a_lock_lets_its_own_requests_for_it_go_on():
    it = Database()
    it.transact("A", AdvisoryLock("k", session=True))
    for _ in range(2):
        assert it.transact("C", AdvisoryLock("k", session=True)) is WAITS
    it.close("A")

    assert [answer.results for answer in it.answers["C"]] == [(True,), (True,)]
    it.close("C")
    assert not it.sessions.held


def test_a_session_lock_dies_with_its_connection():
    it = Database()
    it.transact("A", AdvisoryLock("leader", session=True))
    assert it.transact("B", TryAdvisoryLock("leader", session=True)) == (False,)
    assert it.transact("C", AdvisoryLock("leader", session=True)) is WAITS
    it.close("A")

    assert it.answer("C") == (True,)
    assert it.transact("B", TryAdvisoryLock("leader", session=True)) == (False,)


# --- Circles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, 4])
def test_who_closes_a_circle_of_waiting_is_refused(count):
    it = Database()
    names = [f"S{number}" for number in range(count)]
    for number, name in enumerate(names):
        it.transact("setup", Insert(T, number, 0))
        it.begin(name)
    for number, name in enumerate(names):
        it.run(name, Add(T, number, 1))
    for number, name in enumerate(names[:-1]):
        assert it.run(name, Add(T, number + 1, 1)) is WAITS

    assert it.run(names[-1], Add(T, 0, 1)) == "deadlock_detected"
    for name in reversed(names[:-1]):
        assert it.answer(name) == (1 if name == names[-2] else 2,)
        it.commit(name)
    assert not it.sessions.held


def test_transactions_of_one_request_can_wait_in_a_circle_with_others():
    it = both("read committed", 10, 20)
    it.run("A", Add(T, 2, 1))
    assert it.transact("C", Add(T, 1, 1), Add(T, 2, 1)) is WAITS

    assert it.run("A", Add(T, 1, 1)) == "deadlock_detected"
    assert it.answer("C") == (11, 21)


def test_a_lock_of_a_session_can_be_in_a_circle():
    it = both("read committed", 10)
    it.run("A", AdvisoryLock("s", session=True))
    it.run("B", Add(T, 1, 1))
    assert it.run("A", Add(T, 1, 1)) is WAITS

    assert it.run("B", AdvisoryLock("s")) == "deadlock_detected"


def test_two_that_share_a_table_and_both_want_it_alone_are_a_circle():
    it = both("read committed", 10)
    it.run("A", Add(T, 1, 1))
    it.run("B", Add(T, 2, 1))
    assert it.run("A", LockTable(T)) is WAITS

    assert it.run("B", LockTable(T)) == "deadlock_detected"
    assert it.answer("A") == (True,)


# --- Serializable --------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_two_that_each_read_what_the_other_writes_never_both_commit_if_serializable(level):
    """Two doctors are on call, and each goes home because the other stays: write skew."""
    it = both(level, "on", "on")

    def on_call(row):
        return row.value == "on"

    for who, key in (("A", 1), ("B", 2)):
        (rows,) = it.run(who, Select(T, on_call))
        assert len(rows) == 2
        it.run(who, Upsert(T, key, "off"))
    told = [it.commit("A"), it.commit("B")]

    assert told == [3, "serialization_failure" if level == "serializable" else 4]
    assert ("on" in it.rows(T).values()) == (level == "serializable")


@pytest.mark.parametrize("inserted", [7, 3])
def test_a_condition_counts_as_read_and_other_rows_do_not(inserted):
    """What nobody has read may change: the row with 3 does not satisfy what A asked for."""
    it = both("serializable", 5)
    it.run("A", Select(T, lambda row: row.value > 4), Insert("seen", 1))
    it.run("B", Insert(T, 2, inserted))
    it.commit("B")

    assert it.commit("A") == ("serialization_failure" if inserted > 4 else 3)


def test_a_condition_on_who_wrote_a_row_counts_as_read_too():
    """The row that it was true of is another's by now."""
    it = both("serializable", 5)
    assert it.run("A", Select(T, lambda row: row.xid < 2), Insert("seen", 1))[0] == (Row(1, 5, 1),)
    it.transact("C", Add(T, 1, 1))

    assert it.commit("A") == "serialization_failure"


def test_a_row_that_was_not_there_counts_as_read():
    it = both("serializable")
    assert it.run("A", Get(T, 1), Insert("seen", 1)) == (None, 1)
    it.transact("C", Insert(T, 1))

    assert it.commit("A") == "serialization_failure"
    assert it.events[-1] == ("store_rolled_back", 1, "serialization_failure")


def test_who_only_reads_is_never_refused():
    it = both("serializable", 1, 2)
    it.run("A", Select(T))
    it.transact("C", Add(T, 1, 1))
    assert it.run("A", Get(T, 1)) == (1,)

    assert it.commit("A") == 3


# --- Sequences and ids ---------------------------------------------------------------------------


def test_a_sequence_gives_each_number_once_whatever_is_rolled_back():
    it = both("read committed")
    assert it.run("A", Insert(T, Nextval("s"), "a"), Nextval("s")) == (1, 2)
    it.rollback("A")
    assert it.run("B", Insert(T, Nextval("s"), "b")) == (3,)
    it.commit("B")

    assert it.transact("C", Nextval("s"), Nextval("other")) == (4, 1)
    assert it.rows(T) == {3: "b"}


def test_a_crash_leaves_a_gap_of_what_was_logged_ahead():
    it = Database()
    assert it.transact("C", Nextval("s")) == (1,)
    it = it.restarted()
    assert it.transact("C", *[Nextval("s")] * 34) == tuple(range(34, 68)), "1 + 32 were logged"
    it = it.restarted()

    assert it.transact("C", Nextval("s")) == (100,)


def test_a_number_that_was_given_out_and_not_flushed_may_come_again_after_a_power_loss():
    """Nobody can have committed it: a commit would have flushed the log."""
    it = both("read committed")
    assert it.run("A", Nextval("s")) == (1,)
    it.journal.lose_power()

    assert it.restarted().transact("C", Nextval("s")) == (1,)


def test_a_commit_makes_sure_of_what_a_sequence_gave_though_it_has_written_nothing():
    """PostgreSQL's nextval takes a transaction id when it logs, so that the commit flushes."""
    it = Database()
    assert it.transact("C", Nextval("s")) == (1,)
    it.journal.lose_power()

    assert it.restarted().transact("C", Nextval("s")) == (34,)


def test_ids_are_given_to_those_who_write_in_the_order_in_which_they_begin_to():
    it = both("read committed", 10)
    assert it.run("A", SnapshotXmin(), Get(T, 1)) == (2, 10)
    assert it.run("B", CurrentXid(), CurrentXid()) == (2, 2)
    assert it.run("A", Add(T, 2, 1), SnapshotXmin(), CurrentXid()) == (1, 2, 3)
    it.commit("A")

    assert it.transact("C", Select(T)) == ((Row(1, 10, 1), Row(2, 1, 3)),)
    assert it.transact("C", SnapshotXmin()) == (2,), "B is older, and in flight"
    it.commit("B")
    assert it.transact("C", SnapshotXmin(), CurrentXid()) == (4, 4)
    assert it.transact("C", CurrentXid()) == (5,), "given once, though nothing was written"


def test_a_snapshot_has_the_oldest_transaction_of_its_time():
    it = both("repeatable read", 10)
    it.run("B", CurrentXid())
    assert it.run("A", SnapshotXmin()) == (2,)
    it.commit("B")

    assert it.run("A", SnapshotXmin()) == (2,)


# --- What is refused as no operation -------------------------------------------------------------


@pytest.mark.parametrize("operation", [Get(T, [1]), Insert(T, [1]), Add(T, [1], 1)])
def test_what_can_be_no_key_is_refused_whoever_holds_a_lock(operation):
    it = both("read committed", 10)
    it.run("A", AdvisoryLock("k"))

    with pytest.raises(BadInput, match=r"a row's key must be a plain value: \[1\]"):
        it.run("B", operation)


def test_what_is_no_lock_is_refused_whether_anybody_holds_one_or_not():
    with pytest.raises(BadInput, match="'share'"):
        database(10).transact("C", Get(T, 1, "share"))


@pytest.mark.parametrize("wrong", ["select", Get(T, 1, "share"), Select(T, lock="for update")])
def test_what_is_no_operation_is_refused_with_its_value(wrong):
    it = both("read committed")

    with pytest.raises(BadInput, match=r"select|share|for update"):
        it.run("A", wrong)


def test_versions_are_kept_only_while_a_snapshot_is_held():
    it = both("repeatable read", 10)
    it.run("A", Get(T, 1))
    it.run("B", Get(T, 1))
    for _ in range(200):
        it.transact("C", Add(T, 1, 1))
    versions = it.store.versions
    assert len(versions._recent) == 200
    it.commit("A")
    assert it.run("B", Get(T, 1)) == (10,)
    it.commit("B")

    assert not versions._recent
    assert not versions._before
    assert not versions.held


def test_versions_that_no_snapshot_is_old_enough_for_are_forgotten():
    it = both("repeatable read", 10)
    it.run("A", Get(T, 1))
    for _ in range(200):
        it.transact("C", Add(T, 1, 1))
    it.run("B", Get(T, 1))
    it.transact("C", Add(T, 1, 1))
    it.commit("A")

    assert len(it.store.versions._recent) == 1
    assert it.run("B", Get(T, 1)) == (210,)


def test_a_journal_without_anything_is_an_empty_store():
    assert Database(Journal()).rows(T) == {}
