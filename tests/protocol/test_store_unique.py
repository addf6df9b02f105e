"""Further unique constraints, as ledgers: values that no two rows have, committed or not yet."""

import pytest

from simulator.protocol import store as module
from simulator.protocol.store_operations import Add, Delete, Get, Insert, Nextval, Update, Upsert
from tests.stored import WAITS, Database

E = "events"


def by_stream(_, value):
    """A row is (stream, version); what has none is no stream's."""
    return value if isinstance(value, tuple) else None


def database():
    return Database(unique={E: [by_stream]})


def test_a_value_that_another_row_has_is_refused():
    it = database()
    assert it.transact("C", Insert(E, Nextval("s"), ("a", 1))) == (1,)

    assert it.transact("C", Insert(E, Nextval("s"), ("a", 1))) == "unique_violation"
    assert it.transact("C", Upsert(E, 9, ("a", 1))) == "unique_violation"
    assert it.transact("C", Insert(E, Nextval("s"), ("a", 2))) == (3,), "the second is nobody's"
    assert it.transact("C", Update(E, 3, lambda _: ("a", 1))) == "unique_violation"
    assert it.transact("C", Upsert(E, 1, ("a", 1))) == (True,), "its own"
    assert it.transact("C", Insert(E, 4, ("b", 1)), Insert(E, 5, ("b", 1))) == "unique_violation"


def test_none_is_no_value_and_other_tables_have_no_constraint():
    it = database()

    assert it.transact("C", Add(E, 1, 5), Add(E, 2, 5), Insert("t", 1, ("a", 1))) == (5, 5, 1)
    assert it.transact("C", Insert("t", 2, ("a", 1))) == (2,)


def test_a_value_that_is_given_up_can_be_taken():
    it = database()
    it.transact("C", Insert(E, 1, ("a", 1)), Insert(E, 2, ("a", 2)))
    assert it.transact("C", Delete(E, 1), Insert(E, 3, ("a", 1))) == (True, 3)
    assert it.transact("C", Upsert(E, 2, ("b", 1)), Insert(E, 4, ("a", 2))) == (True, 4)

    assert it.transact("C", Insert(E, 5, ("b", 1))) == "unique_violation"


@pytest.mark.parametrize(("ends", "told"), [("commit", "unique_violation"), ("rollback", (2,))])
def test_a_value_that_an_open_transaction_has_taken_is_waited_for(ends, told):
    it = database()
    it.begin("A")
    it.run("A", Insert(E, 1, ("a", 1)))
    assert it.transact("C", Insert(E, 2, ("a", 1))) is WAITS
    getattr(it, ends)("A")

    assert it.answer("C") == told


@pytest.mark.parametrize(("ends", "told"), [("commit", (2,)), ("rollback", "unique_violation")])
def test_a_value_that_an_open_transaction_gives_up_is_waited_for(ends, told):
    it = database()
    it.transact("C", Insert(E, 1, ("a", 1)))
    it.begin("A")
    it.run("A", Delete(E, 1))
    assert it.transact("C", Insert(E, 2, ("a", 1))) is WAITS
    getattr(it, ends)("A")

    assert it.answer("C") == told


@pytest.mark.parametrize("least", [1, 4_096])
def test_constraints_hold_after_a_restart(least, monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_LEAST", least)
    it = database()
    for number in range(5):
        it.transact("C", Insert(E, number, ("a", number)))
    it.transact("C", Delete(E, 0))
    it = it.restarted()

    assert it.transact("C", Insert(E, 9, ("a", 3))) == "unique_violation"
    assert it.transact("C", Insert(E, 9, ("a", 0)), Get(E, 9)) == (9, ("a", 0))
