"""Any transactions in any interleaving: those that commit are as if one after the other, if they
are serializable; nobody waits for ever; and the log leads to the same tables."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocol import store_messages as sm
from simulator.protocol.store_operations import (
    Add,
    Delete,
    EmitMessage,
    Get,
    Insert,
    LockTable,
    Nextval,
    Row,
    Select,
    Update,
    Upsert,
)
from simulator.protocol.store_transactions import Transactions
from simulator.protocol.store_versions import Versions
from tests.stored import WAITS, Database

STEADY = settings(max_examples=150, derandomize=True, deadline=None, database=None)
TABLES = ("t", "u")
FIRST = (Insert("t", 0, 0), Insert("t", 1, 1), Insert("u", 0, 2))


def doubled(value):
    return 2 * value


def big(row):
    return row.value > 1


def built(make, *parts):
    """As st.builds, which would draw what is not given too."""
    return st.tuples(*parts).map(lambda given: make(*given))


tables, keys, values = st.sampled_from(TABLES), st.integers(0, 2), st.integers(0, 3)
locks = st.sampled_from(("", "", "update"))
# A write's value may depend on what was read: then a lost update shows.
plain = st.one_of(
    built(Insert, tables, keys, values),
    built(Upsert, tables, keys, values),
    built(Update, tables, keys, st.just(doubled)),
    built(Add, tables, keys, values),
    built(Delete, tables, keys),
    built(Get, tables, keys, locks),
    built(Select, tables, st.sampled_from((None, big)), st.none(), st.none(), locks),
    built(lambda table, key, other: ("copy", table, key, other), tables, keys, keys),
)
scripts = st.lists(st.lists(plain, min_size=1, max_size=4), min_size=2, max_size=4)
schedules = st.lists(st.integers(0, 3), min_size=8, max_size=24)


class Actor:
    """A transaction that goes through its script, one operation a step."""

    def __init__(self, name, script):
        self.name, self.script = name, script
        self.at = 0
        self.results = []
        self.state = "new"  # new, open, waits, committed, over

    def next(self):
        """The operation that comes next; "copy" writes what the last read gave."""
        return as_operation(self.script[self.at], self.results)


def as_operation(step, results):
    if step[0] != "copy":
        return step
    _, table, key, other = step
    seen = len(repr(results[-1])) % 5 if results else other
    return Upsert(table, key, seen)


def play(level, many, schedule):
    """Everything, in the order that the schedule says; the database, and the actors."""
    it = Database()
    it.transact("setup", *FIRST)
    actors = [Actor(f"S{number}", script) for number, script in enumerate(many)]
    turns = [*schedule, *range(len(actors))] + list(range(len(actors))) * 40
    for turn in turns:
        actor = actors[turn % len(actors)]
        step(it, level, actor)
        hear(it, actors)
        live = [one for one in actors if one.state in {"open", "waits"}]
        assert not live or any(one.state == "open" for one in live), "all wait for each other"
    assert all(one.state in {"committed", "over"} for one in actors)
    assert not it.sessions.held
    assert not it.sessions.transactions.in_flight
    assert not it.store.versions.held
    assert it.restarted().store.hard_state() == it.store.hard_state()
    return it, actors


def step(it, level, actor):
    if actor.state == "new":
        it.begin(actor.name, level)
        actor.state = "open"
    elif actor.state == "open" and actor.at < len(actor.script):
        told(actor, it.run(actor.name, actor.next()))
    elif actor.state == "open":
        done = it.commit(actor.name)
        actor.state = "committed" if isinstance(done, int) else "over"


def told(actor, answer):
    if answer is WAITS:
        actor.state = "waits"
    elif isinstance(answer, str):
        actor.state = "over"
    else:
        actor.state = "open"
        actor.at += 1
        actor.results.extend(without_xids(answer))


def hear(it, actors):
    """Those who waited, and were answered since."""
    for actor in actors:
        if actor.state == "waits" and len(it.answers[actor.name]) > actor.at + 1:
            told(actor, it.answer(actor.name))


def without_xids(results):
    """Which ids transactions have is no question of their order."""
    return [
        tuple(row[:2] for row in one) if isinstance(one, tuple) else one for one in results
    ]


# --- One after the other, on plain dicts ---------------------------------------------------------


def alone(state, script):
    """A script's results if it is alone, and the tables after it."""
    state = {table: dict(rows) for table, rows in state.items()}
    results = []
    for one in script:
        match as_operation(one, results):
            case Insert(table, key, value):
                if key in state[table]:
                    return None
                state[table][key] = value
                results.append(key)
            case Upsert(table, key, value):
                state[table][key] = value
                results.append(True)
            case Update(table, key, change):
                old = state[table].get(key)
                if old is not None:
                    state[table][key] = change(old)
                results.append(None if old is None else change(old))
            case Add(table, key, amount):
                state[table][key] = state[table].get(key, 0) + amount
                results.append(state[table][key])
            case Delete(table, key):
                results.append(state[table].pop(key, None) is not None)
            case Get(table, key):
                results.append(state[table].get(key))
            case Select(table, where):
                rows = sorted(state[table].items())
                results.append(
                    tuple(one for one in rows if where is None or where(Row(*one, 0)))
                )
    return results, state


def is_serial(it, actors):
    """Whether some order of those that committed gives each what it saw, and the same tables."""
    done = [actor for actor in actors if actor.state == "committed"]
    final = {table: it.rows(table) for table in TABLES}
    for order in permutations(done):
        state = {"t": {0: 0, 1: 1}, "u": {0: 2}}
        for actor in order:
            after = alone(state, actor.script)
            if after is None or after[0] != actor.results:
                break
            state = after[1]
        else:
            if state == final:
                return True
    return False


@given(scripts, schedules)
@STEADY
def test_serializable_transactions_are_as_if_one_after_the_other(many, schedule):
    assert is_serial(*play("serializable", many, schedule))


SKEW = [[Select("t"), Add("t", 0, 1)], [Select("t"), Add("t", 1, 1)]]


@pytest.mark.parametrize("level", ["read committed", "repeatable read"])
def test_others_need_not_be_and_the_search_would_see_it(level):
    it, actors = play(level, SKEW, [0, 1])

    assert [actor.state for actor in actors] == ["committed", "committed"]
    assert not is_serial(it, actors)


def no_snapshot(self, tx):
    """Every statement sees the newest."""


def no_lock(self, tx, owner, resource, how, *, shared=False):
    return True
    yield


BUGS = {
    "it does not compare what was read": (Transactions, "_validate", lambda self, tx: None),
    "it takes no snapshot": (Transactions, "begin_snapshot", no_snapshot),
    "it takes no locks": (Transactions, "lock", no_lock),
    "it forgets what snapshots want": (Versions, "keep", lambda self, fact: None),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_found_by_interleavings(bug, monkeypatch):
    """Drawn as the searches above draw them, from a fixed seed; the right store passes them all."""
    draws = [drawn(Dice(seed)) for seed in range(300)]
    assert all(is_serial(*play("serializable", *one)) for one in draws[:60])

    monkeypatch.setattr(*BUGS[bug])
    assert any(is_broken(*one) for one in draws)


def is_broken(many, schedule):
    try:
        return not is_serial(*play("serializable", many, schedule))
    except AssertionError:
        return True


class Dice:
    """The same numbers everywhere, from a seed (Knuth's MMIX generator)."""

    def __init__(self, seed):
        self.state = seed * 2862933555777941757

    def below(self, sides):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % sides


def drawn(dice):
    """Scripts that read and write few rows, and a schedule."""

    def step():
        table, key = TABLES[dice.below(2)], dice.below(3)
        choices = (
            Get(table, key), Select(table), Add(table, key, 1), ("copy", table, key, 0),
            Delete(table, key), Upsert(table, key, 3),
        )  # fmt: skip
        return choices[dice.below(6)]

    many = [[step() for _ in range(1 + dice.below(4))] for _ in range(2 + dice.below(2))]
    return many, [dice.below(3) for _ in range(12)]


@given(st.sampled_from(("read committed", "repeatable read")), scripts, schedules)
@STEADY
def test_nobody_waits_for_ever_and_the_log_leads_to_the_same_tables(level, many, schedule):
    play(level, many, schedule)


@given(st.integers(2, 4), schedules, st.sampled_from(("change", "lock", "read")))
@STEADY
def test_increments_are_lost_only_where_they_are_read_and_then_written(count, schedule, how):
    """Each adds 1; with locks the sum is right, and without it is at most that."""
    it = Database()
    it.transact("setup", Insert("t", 0, 0))
    left = dict.fromkeys(f"S{number}" for number in range(count))
    done = 0
    for turn in [*schedule, *range(count), *list(range(count)) * 20]:
        who = f"S{turn % count}"
        if who not in left or (left[who] is not None and it.answers[who][-1:] == []):
            continue
        done += move(it, left, who, how)

    assert done == count
    assert it.rows("t")[0] <= count
    if how != "read":
        assert it.rows("t")[0] == count


def move(it, left, who, how):
    """One step of an increment; 1 if it was the last."""
    stage, seen = left[who] or ("begin", 0)
    if stage == "begin":
        it.begin(who)
        left[who] = ("read", len(it.answers[who]))
    elif stage == "read":
        if how == "change":
            it.run(who, Add("t", 0, 1))
        else:
            it.run(who, Get("t", 0, "update" if how == "lock" else ""))
        left[who] = ("write", seen)
    elif len(it.answers[who]) == seen:
        return 0  # It waits.
    elif stage == "write" and how != "change":
        it.run(who, Upsert("t", 0, it.answer(who)[0] + 1))
        left[who] = ("commit", seen + 1)
    else:
        it.commit(who)
        del left[who]
        return 1
    return 0


changes = st.one_of(
    plain.filter(lambda one: one[0] != "copy"),
    st.just(Nextval("s")),
    st.just(EmitMessage("p", "m")),
    built(Insert, tables, st.just(Nextval("s")), values),
    built(LockTable, tables),
)
orders = st.lists(
    st.tuples(
        st.sampled_from(("A", "B", "one", "restart", "power", "confirm")),
        st.lists(changes, min_size=1, max_size=3),
        st.booleans(),
    ),
    max_size=25,
)


@given(orders, st.integers(1, 5))
@STEADY
def test_the_log_folded_is_the_tables_whatever_is_restarted_and_confirmed(many, least):
    it = Database()
    it.slot("R", sm.CreateSlotRequest("cdc"))
    copy = {table: {} for table in TABLES}
    last, numbers = 0, {}
    for who, operations, commits in many:
        it.store._checkpoint_at = least
        if who in {"restart", "power"}:
            if who == "power":
                it.journal.lose_power()
            it = it.restarted()
        elif who == "confirm":
            assert it.slot("R", sm.ConfirmSlotRequest("cdc", last)) == last
        elif who == "one":
            it.transact("C", *operations)
        else:
            if it.session(who).transaction is None:
                it.begin(who)
            if it.session(who).transaction.running is None:
                it.run(who, *operations)
            if commits and it.session(who).transaction and not it.session(who).transaction.running:
                it.commit(who)
        for commit in it.slot("R", sm.ReadSlotRequest("cdc", last, 100, 0)):
            assert commit.lsn == last + 1
            last = commit.lsn
            assert numbers.setdefault(commit.xid, last) == last, "each has an id of its own"
            fold(copy, commit)
        state = it.store.hard_state()
        assert {table: state.get(table, {}) for table in TABLES} == copy
        assert it.restarted().store.hard_state() == state


def fold(tables_, commit):
    for change in commit.changes:
        if change.op == "message":
            continue
        rows = tables_[change.table]
        assert rows.get(change.key) == change.before
        if change.op == "delete":
            del rows[change.key]
        else:
            assert (change.op == "insert") == (change.key not in rows)
            rows[change.key] = change.after
