"""A store's transactions, as ledgers: all or nothing, and the same after any restart."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import BadInput
from simulator.protocol import store as module
from simulator.protocol.journal import Journal
from simulator.protocol.machine import Request
from simulator.protocol.messages import TransactRequest
from simulator.protocol.store import Add, Delete, Get, Insert, Store, Upsert

STEADY = settings(max_examples=100, derandomize=True, deadline=None, database=None)


def transact(store, *operations, event_id="e1"):
    """Decide, apply, flush, answer."""
    step = store.decide(Request(7, TransactRequest(operations, event_id)), 0)
    for fact in step.facts:
        store.apply(fact)
    store.journal.flush()
    (reply,) = step.effects
    assert reply.to == 7
    return reply.body


def test_a_transaction_sees_its_own_writes():
    store = Store(Journal())
    answer = transact(
        store,
        Insert("orders", "o1", "new"),
        Get("orders", "o1"),
        Add("totals", "all", 5),
        Add("totals", "all", 2),
        Delete("orders", "o1"),
        Get("orders", "o1"),
        Delete("orders", "o1"),
    )

    assert answer.status == "committed"
    assert answer.results == ("o1", "new", 5, 7, True, None, False)
    assert (store.rows("orders"), store.rows("totals")) == ({}, {"all": 7})


def test_a_key_that_is_there_refuses_the_whole_transaction():
    store = Store(Journal())
    transact(store, Insert("processed", "e1", effect=False))
    answer = transact(store, Add("totals", "all", 5), Insert("processed", "e1", effect=False))

    assert (answer.status, answer.results) == ("unique_violation", ())
    assert answer.detail == "processed has a row 'e1' already"
    assert store.rows("totals") == {}
    assert len(store.journal) == 1


def test_a_key_inserted_twice_in_one_transaction_refuses_it():
    assert transact(Store(Journal()), Insert("t", 1), Insert("t", 1)).status == "unique_violation"


def test_a_table_without_unique_keys_takes_a_row_twice():
    store = Store(Journal(), without_unique=["mails"])
    transact(store, Insert("mails", "o1", "shipped"))
    transact(store, Insert("mails", "o1", "shipped"))

    assert transact(store, Get("mails", "o1")).results == (("shipped", "shipped"),)


def test_what_cannot_be_added_aborts():
    store = Store(Journal())
    transact(store, Insert("t", "k", "text"))

    assert transact(store, Add("t", "k", 1)).status == "aborted"


def test_reading_writes_nothing():
    store = Store(Journal())
    transact(store, Get("t", "k"), Delete("t", "k"))

    assert not store.journal.facts


def test_effects_are_told_apart_from_marks():
    store = Store(Journal())
    operations = (Insert("processed", "e1", effect=False), Upsert("orders", "o1", "paid"))
    step = store.decide(Request(0, TransactRequest(operations, "e1")), 0)

    assert list(store.changes(step)) == [("orders", "o1", "paid")]
    assert step.facts[0].event_id == "e1"


def test_a_committed_transaction_survives_a_power_loss_and_an_unflushed_one_does_not():
    journal = Journal()
    store = Store(journal)
    transact(store, Add("t", "k", 1))
    request = Request(0, TransactRequest((Add("t", "k", 1),), "e2"))
    store.apply(store.decide(request, 0).facts[0])
    journal.lose_power(torn=True)

    assert Store(journal).rows("t") == {"k": 1}


def test_a_checkpoint_shortens_the_log_and_loses_nothing(monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_LEAST", 10)
    journal = Journal()
    store = Store(journal)
    for number in range(25):
        transact(store, Add("t", number % 3, 1))

    assert len(journal) < 25
    assert Store(journal).hard_state() == store.hard_state()
    journal.lose_power()
    assert Store(journal).hard_state() == store.hard_state()


@pytest.mark.parametrize("wrong", [("insert", "t", "k"), Insert("t", ["no", "key"])])
def test_what_is_no_operation_is_refused_with_its_value(wrong):
    with pytest.raises(BadInput, match="t"):
        transact(Store(Journal()), wrong)


tables, keys = st.sampled_from(["a", "b"]), st.integers(0, 2)
operations = st.one_of(
    st.builds(Insert, tables, keys, st.integers()),
    st.builds(Upsert, tables, keys, st.integers(), st.none()),
    st.builds(Add, tables, keys, st.integers(-3, 3)),
    st.builds(Delete, tables, keys),
    st.builds(Get, tables, keys, st.just("")),
)
transactions = st.lists(st.lists(operations, min_size=1, max_size=4), max_size=15)


def naive(rows, transaction):
    """The same on a copy of one plain dict."""
    rows, results = dict(rows), []
    for one in transaction:
        place = one[:2]
        match one:
            case Insert():
                if place in rows:
                    return None, ()
                rows[place] = one.value
                results.append(one.key)
            case Upsert():
                rows[place] = one.value
                results.append(True)
            case Add():
                rows[place] = rows.get(place, 0) + one.amount
                results.append(rows[place])
            case Delete():
                results.append(rows.pop(place, None) is not None)
            case Get():
                results.append(rows.get(place))
    return rows, tuple(results)


@given(transactions, st.integers(1, 4))
@STEADY
def test_any_transactions_end_as_in_a_plain_dict_whatever_is_restarted(many, least):
    journal = Journal()
    store, rows = Store(journal), {}
    store._checkpoint_at = least
    for number, transaction in enumerate(many):
        request = Request(number, TransactRequest(tuple(transaction), ""))
        step = store.decide(request, 0)
        assert store.decide(request, 0) == step
        for fact in step.facts:
            store.apply(fact)
        journal.flush()
        after, results = naive(rows, transaction)
        rows = rows if after is None else after
        body = step.effects[0].body
        assert (body.status == "committed", body.results) == (after is not None, results)
        state = store.hard_state()
        flat = {(table, key): value for table in state for key, value in state[table].items()}
        assert flat == rows
        assert Store(journal).hard_state() == store.hard_state()
