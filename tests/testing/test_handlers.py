"""A handler of yours under every crash: right ones are kept, each wrong twin is broken smallest."""

import json
import sqlite3
from functools import partial

import pytest
from hypothesis import strategies as st

from simulator import Insert, UniqueViolation, Upsert
from simulator.checks.verdict import Status
from simulator.errors import BadInput, UndecidedVerdict
from simulator.testing import (
    PromiseBroken,
    exactly_once,
    idempotent,
    order_insensitive,
    sometimes,
)
from simulator.testing.narration import WHERE


def amount(record):
    return json.loads(record.value)["amount"]


# --- Of a dict ------------------------------------------------------------------------------


def counter(store):
    """Wrong: it counts deliveries."""

    def handle(record):
        store[record.key] = store.get(record.key, 0) + 1

    return handle


def upsert_by_id(store):
    """Right: the same again is the same."""

    def handle(record):
        store[record.event_id] = record.value

    return handle


def in_memory_set(store):
    """Wrong: the set dies with the process."""
    seen = set()

    def handle(record):
        if record.event_id not in seen:
            store[record.key] = store.get(record.key, 0) + 1
            seen.add(record.event_id)

    return handle


def mark_before_effect(store):
    """Wrong: a crash between the two loses the effect."""

    def handle(record):
        if record.event_id not in store:
            store[record.event_id] = "seen"
            store[record.key] = store.get(record.key, 0) + 1

    return handle


def check_then_act(store):
    """Wrong: a crash between effect and mark has it twice."""

    def handle(record):
        if record.event_id not in store:
            store[record.key] = store.get(record.key, 0) + 1
            store[record.event_id] = "seen"

    return handle


@pytest.mark.parametrize("holds", [idempotent, exactly_once])
@pytest.mark.parametrize("wrong", [counter, in_memory_set, mark_before_effect, check_then_act])
def test_a_wrong_handler_is_broken_by_one_event_and_one_crash(holds, wrong):
    found = holds(wrong)

    assert found.status is Status.BROKEN
    assert (found.events, found.crashes, found.smallest) == (1, 1, True)
    assert "consumer-0 crashes" in found.explain()


@pytest.mark.parametrize("holds", [idempotent, exactly_once])
def test_a_right_handler_is_kept_within_a_scope_that_is_said(holds):
    found = holds(upsert_by_id)

    assert found
    assert found.complete
    assert found.runs > 40
    assert "at most 2 crashes at 8 points" in str(found)
    assert found.check() is found


def test_a_story_tells_what_the_store_was_asked():
    told = exactly_once(counter, events=2).explain().splitlines()

    assert told[0].startswith("exactly_once: broken by 1 event and 1 crash (nothing smaller")
    assert [" ".join(line.split()) for line in told[2:10]] == [
        'the log holds e1 (k0: {"amount": 1})',
        "0.014 s consumer-0 is given e1",
        "store.get('k0', 0) gives 0",
        "store['k0'] = 1",
        f"0.014 s consumer-0 crashes {WHERE['after_process']} (after_process)",
        "1.014 s consumer-0 starts again, its memory empty",
        "1.028 s consumer-0 is given e1 again",
        "store.get('k0', 0) gives 1",
    ]
    assert "['k0'] is 2, not 1" in told[-3]


def test_a_witness_is_the_same_run_again():
    witness = exactly_once(counter).witness

    again = exactly_once(counter, witness=witness)

    assert again.status is Status.BROKEN
    assert again.runs == 1
    assert exactly_once(upsert_by_id, witness=witness)


def test_a_witness_of_another_handler_is_refused():
    with pytest.raises(BadInput, match="never came to"):
        idempotent(upsert_by_id, witness="crash@consumer-0/store-7#0=1")
    with pytest.raises(BadInput, match="event which there is not"):
        idempotent(upsert_by_id, events=2, witness="event@log#0=3")


def test_a_failed_check_is_an_assertion_with_the_run():
    with pytest.raises(PromiseBroken, match="broken by 1 event") as failed:
        idempotent(counter).check()

    assert failed.value.trace.kept
    assert failed.value.witness
    assert isinstance(failed.value, AssertionError)


# --- Of a database ------------------------------------------------------------------------------


def database():
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE seen (id TEXT PRIMARY KEY)")
    connection.execute("CREATE TABLE balance (account TEXT PRIMARY KEY, amount INT DEFAULT 0)")
    return connection


def pay(connection, record):
    connection.execute("INSERT OR IGNORE INTO balance (account) VALUES (?)", (record.key,))
    update = "UPDATE balance SET amount = amount + ? WHERE account = ?"
    connection.execute(update, (amount(record), record.key))


def one_transaction(connection):
    def handle(record):
        with connection:
            mark = "INSERT OR IGNORE INTO seen VALUES (?)"
            if connection.execute(mark, (record.event_id,)).rowcount:
                pay(connection, record)

    return handle


def two_transactions(connection):
    def handle(record):
        with connection:
            mark = "INSERT OR IGNORE INTO seen VALUES (?)"
            new = connection.execute(mark, (record.event_id,)).rowcount
        if new:
            with connection:
                pay(connection, record)

    return handle


def unguarded_insert(connection):
    """It is refused the second time, and nobody has thought of that."""

    def handle(record):
        with connection:
            connection.execute("INSERT INTO seen VALUES (?)", (record.event_id,))

    return handle


def never_committed(connection):
    return lambda record: pay(connection, record)


def test_effect_and_id_in_one_transaction_are_kept():
    """What a crash finds uncommitted is rolled back."""
    assert idempotent(one_transaction, events=2, store=database, crashes=1)


def test_effect_and_id_in_two_transactions_are_broken():
    found = idempotent(two_transactions, store=database)

    assert (found.events, found.crashes) == (1, 1)
    assert "lacks \"('k0', 1)\"" in found.explain()


def test_a_handler_that_raises_the_second_time_is_broken():
    found = idempotent(unguarded_insert, store=database)

    assert (found.events, found.crashes) == (1, 1)
    assert "again at each start of the consumer: IntegrityError: UNIQUE" in found.explain()


def test_what_is_never_committed_cannot_be_told():
    found = idempotent(never_committed, store=database)

    assert found.status is Status.CANNOT_TELL
    assert "is it committed?" in found.why
    with pytest.raises(UndecidedVerdict):
        bool(found)
    with pytest.raises(PromiseBroken, match="cannot tell"):
        found.check()


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_handler_that_is_an_async_generator_is_refused(wrapped):
    """Nobody iterates over it, so nothing of it would ever run."""

    async def handle(store, record):
        store[record.event_id] = True
        yield

    def factory(store):
        async def alone(record):
            store[record.event_id] = True
            yield

        return partial(handle, store) if wrapped else alone

    with pytest.raises(BadInput, match="take the yield out"):
        exactly_once(factory)


@pytest.mark.parametrize("wrap", [partial, lambda handle, store: lambda one: handle(store, one)])
def test_a_handler_that_wraps_one_that_waits_is_that_one(wrap):
    """It is cut where that one waits, and what that one raises after a crash is a finding."""

    async def once(store, record):
        if record.event_id in store:
            raise ValueError("I have seen it before")
        store[record.event_id] = True

    def directly(store):
        async def handle(record):
            await once(store, record)

        return handle

    wrapped, direct = (exactly_once(one) for one in (lambda store: wrap(once, store), directly))

    assert (wrapped.status, wrapped.witness) == (direct.status, direct.witness)
    assert "I have seen it before" in wrapped.explain()
    assert not wrapped


def test_a_store_may_say_what_a_crash_leaves_of_it():
    """A cache that is written back now and then: here, never."""

    class Cached:
        def __init__(self, disk=()):
            self.memory = dict(disk)
            self.disk = dict(disk)

        def put(self, key, value):
            self.memory[key] = value

    def handler(store):
        return lambda record: store.put(record.event_id, record.value)

    kept = idempotent(handler, store=Cached, state=lambda store: store.memory)
    broken = idempotent(
        handler, store=Cached, state=lambda store: store.memory,
        crash=lambda store: Cached(store.disk), events=2,
    )  # fmt: skip

    assert kept
    assert broken.status is not Status.KEPT


# --- Handlers that wait -------------------------------------------------------------------------


class Ledger:
    """A client that is awaited, and counts."""

    def __init__(self):
        self.rows = {}

    async def get(self, key):
        return self.rows.get(key, 0)

    async def put(self, key, value):
        self.rows[key] = value


def test_an_async_handler_is_cut_between_its_calls():
    def wrong(ledger):
        async def handle(record):
            await ledger.put(record.key, await ledger.get(record.key) + amount(record))

        return handle

    def right(ledger):
        async def handle(record):
            await ledger.put(record.event_id, amount(record))

        return handle

    assert idempotent(wrong, store=Ledger).crashes == 1
    assert idempotent(right, store=Ledger)


def test_a_handler_of_the_simulated_store_is_cut_while_it_waits():
    """The request is on its way when its process dies: the effect is had, the answer is not."""

    def wrong(context):
        ledger = context.store("ledger")

        def handle(record):
            try:
                yield ledger.transact(Insert("seen", record.event_id, effect=False))
            except UniqueViolation:
                return
            yield ledger.transact(Upsert("paid", record.event_id, record.value))

        return handle

    def right(context):
        ledger = context.store("ledger")

        async def handle(record):
            await ledger.transact(Upsert("paid", record.event_id, record.value))

        return handle

    found = idempotent(wrong, events=1, store=None)

    assert found.crashes == 1
    assert "while the handler waits (wait-0)" in found.explain()
    assert idempotent(right, events=2, store=None, crashes=1)


def test_a_factory_may_want_the_context_too():
    def make(store, context):
        def handle(record):
            yield context.sleep(1_000)
            store[record.event_id] = context.node.incarnation * 0

        return handle

    assert idempotent(make, events=1)


# --- Exactly once, by effects -------------------------------------------------------------------


def by_offset(store):
    """Right against crashes only: the same event at another offset is new to it."""

    def handle(record):
        if store.get("next", 0) <= record.offset:
            total = store.get(record.key, 0) + amount(record)
            store.update({"next": record.offset + 1, record.key: total})

    return handle


def test_offsets_in_the_transaction_are_exactly_once_and_not_idempotent():
    def totals(store):
        return {key: value for key, value in store.items() if key != "next"}

    assert exactly_once(by_offset, state=totals)
    found = idempotent(by_offset, state=totals)
    assert (found.events, found.crashes) == (1, 0)
    assert found.witness == "event@log#0=1;event@log#1=1"


def test_effects_are_counted():
    class Mails:
        def __init__(self):
            self.sent = []
            self.tries = 0

    def make(mails):
        def handle(record):
            mails.tries += 1
            mails.sent.append(record.event_id)

        return handle

    found = exactly_once(make, store=Mails, effects=lambda mails: mails.sent)

    assert (found.events, found.crashes) == (1, 1)
    assert "has \"'e1'\" too many" in found.explain()


# --- Order ----------------------------------------------------------------------------------


def last_value(store):
    def handle(record):
        store[record.key] = amount(record)

    return handle


def running_list(store):
    """Wrong: it keeps the order in which keys came."""

    def handle(record):
        store["all"] = [*store.get("all", []), record.event_id]

    return handle


def test_what_is_kept_by_key_does_not_depend_on_the_order_of_keys():
    kept = order_insensitive(last_value)

    assert kept
    assert kept.variants == 5
    assert order_insensitive(last_value, by=None).status is Status.BROKEN


def test_what_depends_on_the_order_of_keys_is_broken_by_two_events():
    found = order_insensitive(running_list)

    assert (found.events, found.crashes) == (2, 0)
    assert found.witness == "event@log#0=2;event@log#1=1"
    assert order_insensitive(running_list, state=lambda store: sorted(store.get("all", [])))


def test_events_of_one_key_have_one_order():
    found = order_insensitive(last_value, events=[("k", {"amount": 1}), ("k", {"amount": 2})])

    assert found.status is Status.CANNOT_TELL
    assert "one order only" in found.why


# --- What cannot be told ------------------------------------------------------------------------


def test_without_a_crash_nothing_is_said_of_crashes():
    assert exactly_once(upsert_by_id, crashes=0).status is Status.CANNOT_TELL
    assert idempotent(upsert_by_id, events=0).why == "there are no events"


def test_a_handler_without_effect_cannot_be_told():
    found = idempotent(lambda _: lambda record: None)

    assert found.status is Status.CANNOT_TELL
    assert "changed nothing" in found.why


def test_a_store_that_is_the_same_in_every_run_is_found_out():
    shared = {}

    found = idempotent(counter, store=lambda: shared)

    assert found.status is Status.CANNOT_TELL
    assert "a new store each time" in found.why


def test_what_a_handler_always_raises_is_its_own_matter():
    def make(store):
        def handle(record):
            raise LookupError(record.key)

        return handle

    with pytest.raises(LookupError) as failed:
        idempotent(make)
    assert "although nothing had gone wrong" in failed.value.__notes__[0]


def test_a_scope_that_was_not_gone_through_is_said_to_be():
    found = idempotent(upsert_by_id, most=20)

    assert found.status is Status.KEPT
    assert not found.complete
    assert "the first 20 runs, NOT all" in str(found)


# --- Events --------------------------------------------------------------------------------


def test_hypothesis_may_draw_the_events():
    """A handler that is wrong for great amounts only."""

    def make(store):
        def handle(record):
            if amount(record) > 100:
                store["great"] = store.get("great", 0) + 1
            else:
                store[record.event_id] = amount(record)

        return handle

    one = st.tuples(st.sampled_from(["k0", "k1"]), st.builds(dict, amount=st.integers(1, 1_000)))

    found = exactly_once(make, events=st.lists(one, min_size=1, max_size=2))

    assert (found.events, found.crashes) == (1, 1)
    assert '{"amount": 101}' in found.explain()
    assert "events=[('k0', {'amount': 101})]" in found.replay()


def test_hypothesis_and_a_right_handler():
    one = st.tuples(st.sampled_from(["k0", "k1"]), st.text(max_size=3))

    found = idempotent(upsert_by_id, events=st.lists(one, min_size=1, max_size=1), doubled=False)

    assert found
    assert "lists of events" in str(found)


@pytest.mark.parametrize(
    "events", ["abc", None, True, -1, 5_000, 10**12, [("k", 3)], [("a", "b", "c")], [("k", {1})]]
)
def test_events_that_cannot_be_read_are_refused(events):
    with pytest.raises(BadInput, match="events"):
        idempotent(upsert_by_id, events=events)


def test_an_event_id_of_the_value_is_the_events():
    same = [("k", {"event_id": "o-1"}), ("k", {"event_id": "o-1"})]

    with pytest.raises(BadInput, match="two events have the event_id"):
        idempotent(upsert_by_id, events=same)
    assert "o-7" in exactly_once(counter, events=[("k", {"event_id": "o-7"})]).explain()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"store": {}}, "store: must be a function, not {} (give what opens a new one"),
        ({"state": 5}, "state: must be a function, not 5 (give a function of the store)"),
        ({"crash": "all"}, "crash: must be a function, not 'all' (give"),
        ({"effects": []}, "effects: must be a function, not [] (give a function of the store)"),
        ({"witness": 7}, "witness: is the line that a failure printed, not 7"),
    ],
)
def test_what_cannot_be_called_is_refused_by_its_name(given, said):
    """A store at hand is not what opens one: each run needs its own."""
    with pytest.raises(BadInput) as refused:
        exactly_once(upsert_by_id, **given)

    assert str(refused.value).startswith(said)


def handles(record):
    handles.seen = record.value


async def awaits(record):
    handles.seen = record.key


def returns_nothing(store):
    store["opened"] = True


def takes_the_store_and_the_record(store, record):
    store[record.key] = record.value


def takes_nothing():
    return handles


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (handles, "make_handler: handles is a handler, .*: it asks for record.value .give a fun"),
        (takes_the_store_and_the_record, "is a handler, .*: it asks for record.value"),
        (awaits, "make_handler: awaits returned no handler, but <coroutine .*give a function"),
        (returns_nothing, "make_handler: returns_nothing returned no handler, but None .give"),
        (takes_nothing, r"make_handler: cannot be called: takes_nothing\(\) takes 0 pos.*give a"),
    ],
)
def test_a_handler_is_not_taken_for_what_makes_one(given, said):
    with pytest.raises(BadInput, match=said):
        exactly_once(given)


def test_nor_is_a_handler_that_was_to_be_given_the_context():
    with pytest.raises(BadInput, match=r"handles is a handler, .*: it asks for record.value"):
        exactly_once(handles, store=None)


def test_a_factory_of_factories_is_told_from_a_handler_that_does_nothing():
    found = exactly_once(lambda _: upsert_by_id)

    assert found.status is Status.CANNOT_TELL
    assert "the handler returned a function, and changed nothing" in str(found)


def test_what_a_factory_raises_for_a_reason_of_its_own_is_raised_as_it_is():
    def asks_the_settings(_store):
        return handles.value_of_settings

    def makes_it_of_another(_store):
        return handles(None)

    for factory in (asks_the_settings, makes_it_of_another):
        with pytest.raises(AttributeError, match="value"):
            exactly_once(factory)


def test_what_makes_no_handler_and_what_orders_no_events_are_refused_by_their_names():
    with pytest.raises(BadInput, match="make_handler: must be a function, not 5"):
        idempotent(5)
    with pytest.raises(BadInput, match="by: must be a function, not 'key'"):
        order_insensitive(upsert_by_id, by="key")


def test_marks_outside_of_the_plugin_are_their_condition():
    assert sometimes(1, "once") is True
