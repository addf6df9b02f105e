"""Sessions as ledgers: how a transaction ends with its connection, and what time does to it."""

import pytest

from simulator.errors import BadInput
from simulator.protocol import store_messages as sm
from simulator.protocol.store_operations import (
    Add,
    AdvisoryLock,
    Get,
    Insert,
    TryAdvisoryLock,
    Upsert,
)
from simulator.protocol.store_settings import store_settings
from tests.stored import WAITS, Database

T = "t"
MS = 1_000


def locked(**settings):
    """A row that A has locked, and B waits for."""
    it = Database(**settings)
    it.transact("setup", Insert(T, 1, 10))
    it.begin("A")
    it.begin("B")
    it.run("A", Add(T, 1, 1))
    assert it.run("B", Add(T, 1, 1)) is WAITS
    return it


# --- Ends ----------------------------------------------------------------------------------------


def test_a_connection_that_ends_rolls_its_transaction_back():
    it = locked()
    it.close("A")

    assert it.answer("B") == (11,)
    assert it.events[-1] == ("store_rolled_back", 2, "session_ended")


def test_who_waits_does_not_notice_that_its_client_is_gone_and_goes_on_when_it_may():
    it = locked()
    assert it.transact("C", Add(T, 1, 100)) is WAITS
    it.close("C")
    it.close("B")
    assert it.run("A", Get(T, 1)) == (11,)
    assert len(it.answers["B"]) == 1
    it.commit("A")

    assert it.rows(T) == {1: 111}, "B's session has ended, and C's transaction is committed"
    assert ("store_rolled_back", 3, "session_ended") in it.events
    assert not it.sessions.held


def test_who_waits_is_withdrawn_where_connections_are_checked():
    it = locked(client_connection_check_interval=100)
    assert it.transact("C", Add(T, 1, 100)) is WAITS
    it.close("C")
    it.close("B")
    it.commit("A")

    assert it.rows(T) == {1: 11}
    assert not it.sessions.held


def test_a_lock_for_a_session_whose_client_is_gone_is_given_back_at_once():
    """The request waited when its client died, and nobody would ever unlock what it got."""
    it = Database()
    it.transact("A", AdvisoryLock("leader", session=True))
    assert it.transact("B", AdvisoryLock("leader", session=True)) is WAITS
    assert it.transact("C", AdvisoryLock("leader", session=True)) is WAITS
    it.close("B")
    it.close("A")

    assert it.answer("C") == (True,)
    it.close("C")
    assert not it.sessions.held


def test_requests_of_a_client_that_is_gone_are_withdrawn_though_one_frees_another():
    it = locked(client_connection_check_interval=100)
    assert it.transact("C", Insert(T, 2), Add(T, 1, 100)) is WAITS
    assert it.transact("C", Insert(T, 2)) is WAITS
    it.close("C")
    it.close("B")
    it.commit("A")

    assert it.rows(T) == {1: 11}
    assert not it.sessions.held


def test_a_statement_that_is_refused_after_its_client_is_gone_ends_the_session_too():
    it = Database()
    it.transact("setup", Insert(T, 1, 10))
    it.begin("A")
    it.begin("B")
    it.run("A", Insert(T, 2))
    it.run("B", TryAdvisoryLock("s", session=True))
    assert it.run("B", Insert(T, 2)) is WAITS
    it.close("B")
    it.commit("A")

    assert not it.sessions.held


def test_a_crash_of_the_store_ends_everything_that_is_open():
    it = locked()
    after = it.restarted()

    assert after.rows(T) == {1: 10}
    assert not after.sessions.held
    assert after.transact("C", Add(T, 1, 1)) == (11,)


def test_a_begin_on_a_connection_that_has_a_transaction_rolls_that_back():
    it = locked()
    it.begin("A")

    assert ("store_rolled_back", 2, "replaced") in it.events
    assert it.answer("B") == (11,)


# --- What is asked twice, or of nothing ----------------------------------------------------------


def test_what_the_network_delivers_twice_is_done_once():
    it = Database()
    it.begin("A")
    it.run("A", Add(T, 1, 1))
    for body in (sm.StoreBeginRequest(1), sm.StoreRunRequest(1, 1, (Add(T, 1, 1),))):
        assert it._ask("A", body) is WAITS, "it is not answered twice either"
    it.commit("A")

    assert it.rows(T) == {1: 1}
    assert it._ask("A", sm.StoreCommitRequest(1)) == "no_active_sql_transaction"
    assert it._ask("A", sm.StoreBeginRequest(1)) is WAITS
    assert it._ask("A", sm.StoreRollbackRequest(1)) == ()


def test_a_rollback_takes_a_statement_back_that_waits_and_both_are_answered():
    it = locked()
    assert it.rollback("B") == "query_canceled"
    assert [answer.status for answer in it.answers["B"][1:]] == ["query_canceled", "rolled_back"]
    it.commit("A")

    assert it.rows(T) == {1: 11}
    assert not it.sessions.held


def test_a_transaction_of_an_earlier_connection_is_not_there():
    it = Database()
    it._numbers["A"], it._statements["A"] = 1, 0

    assert it.run("A", Add(T, 1, 1)) == "no_active_sql_transaction"
    assert it.commit("A") == "no_active_sql_transaction"
    assert it.rollback("A") == ()
    assert it.rows(T) == {}


def test_an_aborted_transaction_can_only_be_rolled_back():
    it = Database()
    it.transact("C", Insert(T, 1))
    it.begin("A")
    assert it.run("A", Insert(T, 1)) == "unique_violation"
    assert it.run("A", Get(T, 1)) == "in_failed_sql_transaction"
    assert it.rollback("A") == ()
    assert it.run("A", Get(T, 1)) == "no_active_sql_transaction"
    it.begin("A")
    it.run("A", Insert(T, 1))
    assert it.commit("A") == "in_failed_sql_transaction"
    assert it.commit("A") == "no_active_sql_transaction"


def test_a_snapshot_that_nobody_has_exported_is_refused():
    assert Database().begin("A", "repeatable read", "mine") == "undefined_object"


# --- Time ----------------------------------------------------------------------------------------


def test_a_lock_is_waited_for_no_longer_than_lock_timeout():
    it = locked(lock_timeout=500)
    (name,) = it.timers
    assert it.timers[name] == 500 * MS
    it.time_up(name)
    assert it.answer("B") == "lock_not_available"
    it.commit("A")

    assert it.rows(T) == {1: 11}
    assert not it.sessions.held


def test_a_lock_that_comes_in_time_calls_the_timer_off():
    it = locked(lock_timeout=500)
    it.commit("A")

    assert it.answer("B") == (12,)
    assert not it.timers


def test_a_transaction_that_asks_for_nothing_is_ended_after_a_while():
    it = locked(idle_in_transaction_session_timeout=500)
    (name,) = it.timers
    assert name == ("idle", it.session("A")), "B waits, and is not idle"
    it.time_up(name)

    assert it.answer("B") == (11,)
    assert it.run("A", Get(T, 1)) == "no_active_sql_transaction"
    (name,) = it.timers
    assert name == ("idle", it.session("B"))
    it.commit("B")
    assert not it.timers
    assert it.begin("A") == ()
    assert list(it.timers) == [("idle", it.session("A"))]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"lock_timeout": -1}, "lock_timeout must be a whole number from 0: -1"),
        ({"lock_timeot": 1}, "did you mean lock_timeout"),
        ({"deadlock_timeout": 1}, "deadlock_timeout is not modelled"),
        ({"default_transaction_isolation": "read uncommitted"}, "no isolation level"),
    ],
)
def test_settings_have_postgresqls_names(given, said):
    with pytest.raises(BadInput, match=said):
        store_settings(given, "ledger")


def test_a_store_can_have_another_isolation_by_default():
    it = Database(default_transaction_isolation="serializable")
    it.begin("A")
    it.run("A", Get(T, 1), Insert("seen", 1))
    it.transact("C", Insert(T, 1))

    assert it.commit("A") == "serialization_failure"


def test_a_transaction_of_one_request_that_waits_has_the_default_isolation_too():
    """What it read before it waited is old by then."""
    it = Database(default_transaction_isolation="serializable")
    it.transact("setup", Insert(T, 1, 10), Insert(T, 2, 20))
    it.begin("A")
    it.run("A", AdvisoryLock("k"))
    assert it.transact("B", Get(T, 1), AdvisoryLock("k"), Add(T, 2, 1)) is WAITS
    it.transact("C", Add(T, 1, 1))
    it.commit("A")

    assert it.answer("B") == "serialization_failure"


# --- What the trace is told ----------------------------------------------------------------------


def test_effects_are_told_at_the_commit_each_with_its_event():
    it = Database()
    it.begin("A")
    it.run("A", Add(T, 1, 5), Insert("mark", "e1", effect=False), event_id="e1")
    it.run("A", Add(T, 1, 5), event_id="e2")
    assert not it.events
    it.commit("A")

    assert it.events == [
        ("effect_applied", T, 1, 5, "e1"),
        ("effect_applied", T, 1, 10, "e2"),
        ("store_committed", 1, 1),
    ]


def test_effects_that_are_refused_are_told_when_they_are():
    it = Database()
    it.transact("C", Insert("mark", "e1", effect=False))
    it.begin("A")
    it.run("A", Add(T, 1, 5), event_id="e0")
    it.run("A", Upsert(T, 2, 5), Insert("mark", "e1", effect=False), event_id="e1")

    assert it.events == [
        ("effect_refused", T, 1, "e0", "unique_violation"),
        ("effect_refused", T, 2, "e1", "unique_violation"),
        ("store_rolled_back", 2, "unique_violation"),
    ]
