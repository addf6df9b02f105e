"""Transactions of several statements in the world: crashes, lost messages, cut links, waiting."""

import pytest

from simulator.cluster.serving import Serving
from simulator.errors import (
    BadInput,
    DeadlockDetected,
    LockNotAvailable,
    SerializationFailure,
    StoreError,
    StoreTimeout,
    UniqueViolation,
)
from simulator.protocol.store_operations import (
    Add,
    AdvisoryLock,
    Get,
    Insert,
    Select,
    TryAdvisoryLock,
)
from simulator.scenario.faults import Crash, Drop, Duplicate, Partition
from simulator.scenario.workload import WorkItem
from tests.clustered import events, run

LEDGER = "ledger"
T = "t"
MS = 1_000


def two(first, second, *faults, settings=None, **more):
    """The trace of two programs `first(ledger, node)` and `second(ledger, node)`."""

    def deploy(cluster):
        cluster.store(LEDGER, settings)
        for name, program in (("first", first), ("second", second)):
            if program is not None:
                cluster.driver(name, driver(cluster, program))

    return run(None, *faults, deploy=deploy, **more)


def driver(cluster, program):
    def drive(node):
        yield from program(cluster.context(node).store(LEDGER), node)

    return drive


def holding(hold_ms, seen=None, key="x"):
    """A program that locks a row at once, works for a while, and commits; once."""

    def program(ledger, node):
        if node.incarnation:
            return
        tx = yield ledger.begin()
        yield tx.run(Add(T, key, 1))
        yield node.sleep(hold_ms * MS)
        lsn = yield tx.commit()
        if seen is not None:
            seen.append((node.now_us // MS, lsn))

    return program


def wanting(seen, after_ms=10, operation=None):
    """A program that wants the same row a little later, in one request, and again if it must."""

    def program(ledger, node):
        yield node.sleep(after_ms * MS)
        for _ in range(3):
            try:
                results = yield ledger.transact(operation or Add(T, "x", 10))
            except StoreTimeout as lost:
                seen.append((node.now_us // MS, type(lost).__name__))
                continue
            seen.append((node.now_us // MS, *results))
            return

    return program


def at_last(ledger, operation):
    """A transaction that is tried until it is answered."""
    while True:
        try:
            return (yield ledger.transact(operation))
        except StoreTimeout:
            pass


# --- Waiting -------------------------------------------------------------------------------------


def test_who_wants_a_row_that_another_has_waits_and_is_answered_when_it_commits():
    seen, done = [], []
    trace = two(holding(100, done), wanting(seen))

    assert done == [(106, 1)], "begin, run and commit take 2 ms each"
    assert seen == [(106, 11)], "its answer leaves the store with the other's"
    applied = [event[2] for event in events(trace, "effect_applied")]
    assert applied == [1, 11]
    assert events(trace, "store_committed") == [(1, 1)]


def test_transactions_in_a_circle_lose_one():
    seen = []

    def program(mine, other):
        def steps(ledger, node):
            tx = yield ledger.begin()
            yield tx.run(Add(T, mine, 1))
            yield node.sleep(10 * MS)
            try:
                yield tx.run(Add(T, other, 1))
                yield tx.commit()
                seen.append("committed")
            except DeadlockDetected:
                yield tx.rollback()
                seen.append("deadlock")

        return steps

    trace = two(program("a", "b"), program("b", "a"))

    assert sorted(seen) == ["committed", "deadlock"]
    assert [event[1] for event in events(trace, "store_rolled_back")] == ["deadlock_detected"]


def test_a_client_gives_up_after_its_timeout_and_its_transaction_is_rolled_back():
    seen, errors = [], []

    def impatient(ledger, node):
        yield node.sleep(10 * MS)
        tx = yield ledger.begin(timeout_ms=20)
        try:
            yield tx.run(Add(T, "x", 1))
        except StoreTimeout as lost:
            errors.append(str(lost))
        for ask in (tx.run(Get(T, "x")), tx.commit()):
            try:
                yield ask
            except StoreError as over:
                errors.append(str(over))
        yield tx.rollback()

    trace = two(holding(100, seen), impatient)

    assert seen == [(106, 1)]
    assert errors == [
        "ledger gave no answer: the transaction is lost",
        "ledger: its connection was lost, and so the transaction",
        "ledger: its connection was lost, and so the transaction",
    ]
    assert [event[2] for event in events(trace, "effect_applied")] == [1]
    assert events(trace, "store_rolled_back") == [(2, "session_ended")]


def test_several_transactions_of_one_client_do_not_wait_for_each_others_answers():
    seen = []

    def program(ledger, node):
        one, other = (yield ledger.begin()), (yield ledger.begin())
        yield one.run(Add(T, "x", 1))
        waiting = other.run(Add(T, "x", 1))
        seen.append((yield one.run(Add(T, "y", 1))))
        yield one.commit()
        seen.append((yield waiting))
        yield other.rollback()
        third = yield ledger.begin()
        seen.append(third._line)
        yield third.rollback()

    two(program, None)

    assert seen == [(1,), (2,), 0]


# --- Clients that die ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["process", "power"])
def test_a_process_that_dies_frees_its_locks_and_a_machine_that_loses_its_power_does_not(mode):
    seen = []
    crash = Crash("first", at_ms=50, mode=mode, down_ms=1_000)
    trace = two(holding(1_000), wanting(seen), crash)

    if mode == "process":
        assert seen[0] == (52, 10), "the connection's end takes one flight, and so does the answer"
        assert events(trace, "store_rolled_back")[0] == (1, "session_ended")
    else:
        assert [said for _, said in seen] == ["StoreTimeout"] * 3


@pytest.mark.parametrize(
    ("setting", "freed_ms"),
    [("idle_in_transaction_session_timeout", 304), ("tcp_keepalives_idle", 2_002)],
)
def test_settings_free_the_locks_of_a_machine_that_lost_its_power(setting, freed_ms):
    """Counted from the last request, or from the connection's first."""
    seen = []
    settings = {setting: 300 if setting.startswith("idle") else 2}
    crash = Crash("first", at_ms=50, mode="power", down_ms=1_000)
    two(holding(1_000), wanting(seen), crash, settings=settings)

    assert seen == [(freed_ms, 10)]


def test_a_client_behind_a_cut_link_keeps_its_locks_and_its_commit_is_too_late():
    """The store has ended its session: what it does when the link is healed has no effect."""
    seen, errors = [], []

    def first(ledger, node):
        tx = yield ledger.begin()
        yield tx.run(Add(T, "x", 1))
        yield node.sleep(2_000 * MS)
        try:
            yield tx.commit()
        except StoreError as gone:
            errors.append(str(gone))

    cut = Partition(("first",), (LEDGER,), from_ms=50, until_ms=1_050)
    two(first, wanting(seen), cut, settings={"idle_in_transaction_session_timeout": 300})

    assert seen == [(304, 10)]
    assert errors == ["ledger: there is no such transaction: its session has ended"]


def test_a_client_that_the_store_gave_up_is_told_and_connects_anew():
    """A link that was cut for a while, and nothing was on its way: only the store has noticed."""
    seen = []

    def first(ledger, node):
        tx = yield ledger.begin()
        yield tx.run(Add(T, "x", 1))
        yield node.sleep(4_000 * MS)
        while len(seen) < 2:
            try:
                yield tx.run(Add(T, "x", 1))
                seen.append((yield tx.commit()))
            except StoreError as gone:
                seen.append(type(gone).__name__)
                yield tx.rollback()
                tx = yield ledger.begin()

    cut = Partition(("first",), (LEDGER,), from_ms=500, until_ms=3_000)
    trace = two(first, None, cut, settings={"tcp_keepalives_idle": 2})

    assert seen == ["StoreTimeout", 1]
    assert events(trace, "store_rolled_back") == [(1, "session_ended")]


def test_a_machine_that_is_up_again_ends_the_connection_on_which_it_is_answered():
    """The store cannot know that it lost its power, until it sends it something."""
    seen = []

    def second(ledger, node):
        if node.incarnation:
            return
        yield node.sleep(10 * MS)
        tx = yield ledger.begin()
        yield tx.run(Add(T, "x", 10))

    def third(ledger, node):
        yield node.sleep(500 * MS)
        seen.append((yield ledger.transact(Add(T, "x", 100))))
        seen.append(node.now_us // MS)

    def deploy(cluster):
        cluster.store(LEDGER)
        for name, program in (("first", holding(400)), ("second", second), ("third", third)):
            cluster.driver(name, driver(cluster, program))

    trace = run(None, Crash("second", at_ms=50, mode="power", down_ms=100), deploy=deploy)

    assert seen == [(101,), 502]
    assert (2, "session_ended") in events(trace, "store_rolled_back")


def test_an_advisory_lock_of_a_session_passes_on_when_its_holder_dies():
    seen = []

    def lead(ledger, node):
        if node.incarnation:
            return
        yield ledger.transact(AdvisoryLock("leader", session=True))
        seen.append((node.now_us // MS, node.name))
        yield node.sleep(1_000 * MS)

    def follow(ledger, node):
        yield node.sleep(10 * MS)
        seen.append((yield ledger.transact(TryAdvisoryLock("leader", session=True))))
        yield from lead(ledger, node)

    two(lead, follow, Crash("first", at_ms=100, mode="process", down_ms=100))

    assert seen == [(2, "first"), (False,), (102, "second")]


# --- Stores that die -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["process", "power"])
def test_a_store_that_dies_forgets_what_was_open_and_its_clients_learn_that_it_is_lost(mode):
    seen = []

    def program(ledger, node):
        tx = yield ledger.begin()
        yield tx.run(Add(T, "x", 1))
        yield node.sleep(1_000 * MS)
        try:
            yield tx.run(Add(T, "x", 1))
        except StoreError as lost:
            seen.append(type(lost).__name__)
        yield tx.rollback()
        seen.append((yield from at_last(ledger, Get(T, "x"))))

    two(program, None, Crash(LEDGER, at_ms=100, mode=mode, down_ms=100))

    assert seen in (["StoreError", (None,)], ["StoreTimeout", (None,)])


def test_a_crash_after_a_commit_is_flushed_leaves_it_done_and_unanswered():
    seen = []

    def program(ledger, node):
        tx = yield ledger.begin()
        yield tx.run(Add(T, "x", 1))
        try:
            yield tx.commit()
        except StoreTimeout as lost:
            seen.append(str(lost))
        seen.append((yield from at_last(ledger, Get(T, "x"))))

    two(program, None, Crash(LEDGER, "after_append", down_ms=10))

    assert seen == ["ledger gave no answer: whether it committed is unknown", (1,)]


# --- Lost and doubled messages -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "rows"),
    [
        (Drop("first", LEDGER, "StoreRunRequest"), (None,)),
        (Drop(LEDGER, "first", "StoreRunResponse"), (None,)),
        (Drop("first", LEDGER, "StoreCommitRequest"), (None,)),
        (Drop(LEDGER, "first", "StoreCommitResponse"), (1,)),
        (Duplicate("first", LEDGER, "StoreBeginRequest", later_ms=3), (1,)),
        (Duplicate("first", LEDGER, "StoreRunRequest", later_ms=1), (1,)),
        (Duplicate("first", LEDGER, "StoreCommitRequest", later_ms=1), (1,)),
        (Duplicate("first", LEDGER, "StoreBeginRequest", later_ms=9_000), (1,)),
    ],
)
def test_a_transaction_whose_messages_are_lost_or_doubled_is_done_once_or_not_at_all(fault, rows):
    """Nobody waits in vain afterwards: the store learns that the connection was closed."""
    seen = []

    def program(ledger, node):
        try:
            tx = yield ledger.begin()
            yield tx.run(Add(T, "x", 1))
            yield tx.commit()
        except StoreTimeout:
            pass
        yield node.sleep(10_000 * MS)
        seen.append((yield ledger.transact(Get(T, "x", "nowait"))))

    two(program, None, fault)

    assert seen == [rows]


# --- Handlers ------------------------------------------------------------------------------------


def handled(factory, *others, **more):
    """The trace of a group of one whose handlers `factory` makes, of one record."""

    def deploy(cluster):
        cluster.store(LEDGER)
        cluster.source("writer", [WorkItem(50_000, "orders", "k", "v", "e0")], {"linger.ms": 0})
        serving = Serving(("orders",), {"auto.offset.reset": "earliest"})
        cluster.group("g", 1, factory, serving)
        for number, program in enumerate(others):
            cluster.driver(f"other-{number}", driver(cluster, program))

    return run(None, deploy=deploy, broker={"group.initial.rebalance.delay.ms": 0}, **more)


def test_a_handlers_transaction_tells_its_effects_under_its_record():
    def factory(context):
        ledger = context.store(LEDGER)

        async def handle(record):
            tx = await ledger.begin("serializable")
            await tx.run(Select(T), Insert("mark", record.event_id, effect=False))
            await tx.run(Add(T, "x", 1))
            await tx.commit()

        return handle

    trace = handled(factory)

    assert events(trace, "effect_applied") == [(T, "x", 1, "e0")]


def test_a_plain_handler_is_refused_a_lock_and_tries_again():
    def factory(context):
        ledger = context.store(LEDGER)

        def handle(record):
            ledger.transact(Add(T, "x", 10), Select(T))

        return handle

    trace = handled(factory, holding(200))

    assert [event[-1] for event in events(trace, "processing_ended")] == [
        "LockNotAvailable", "LockNotAvailable", "done"
    ]  # fmt: skip
    assert [event[2] for event in events(trace, "effect_applied")] == [1, 11]


@pytest.mark.parametrize("ask", ["begin", "create_slot", "advisory"])
def test_a_plain_handler_cannot_hold_a_session(ask):
    def factory(context):
        ledger = context.store(LEDGER)

        def handle(record):
            if ask == "begin":
                ledger.begin()
            elif ask == "create_slot":
                ledger.create_slot("s")
            else:
                ledger.transact(TryAdvisoryLock("s", session=True))

        return handle

    with pytest.raises(BadInput, match="plain function"):
        handled(factory)


@pytest.mark.parametrize(
    ("given", "said"),
    [(("snapshot",), "no isolation level"), (("", "s"), "a snapshot needs an isolation")],
)
def test_a_transaction_that_cannot_be_is_refused_at_once(given, said):
    def program(ledger, node):
        yield ledger.begin(*given)

    with pytest.raises(BadInput, match=said):
        two(program, None)


def test_a_transaction_that_could_not_begin_leaves_its_connection_to_others():
    seen = []

    def program(ledger, node):
        for snapshot in ("nobodys", "", "nobodys"):
            try:
                tx = yield ledger.begin("repeatable read", snapshot)
            except StoreError as refused:
                seen.append(str(refused))
            else:
                seen.append(tx._line)
                yield tx.commit()

    two(program, None)

    gone = "ledger: snapshot 'nobodys' does not exist"
    assert seen == [gone, 0, gone]


@pytest.mark.parametrize("ask", ["run", "commit"])
def test_a_transaction_that_is_asked_before_it_has_answered_says_so(ask):
    def program(ledger, node):
        tx = yield ledger.begin()
        tx.run(Add(T, "x", 1))
        yield tx.commit() if ask == "commit" else tx.run(Add(T, "x", 1))

    with pytest.raises(BadInput, match="one thing at a time; StoreRunRequest is not answered"):
        two(program, None)


def test_a_transaction_may_be_rolled_back_while_it_waits():
    seen, done = [], []

    def stop(node, tx):
        yield node.sleep(10 * MS)
        yield tx.rollback()

    def program(ledger, node):
        yield node.sleep(10 * MS)
        tx = yield ledger.begin()
        node.start(stop(node, tx))
        try:
            yield tx.run(Add(T, "x", 1))
        except StoreError as canceled:
            seen.append((str(canceled), node.now_us // MS))

    two(holding(100, done), program)

    assert done == [(106, 1)]
    assert seen == [("ledger: canceling statement: the transaction is rolled back", 24)]


def test_refusals_have_classes_of_their_own():
    seen = []

    def second(ledger, node):
        yield ledger.transact(Insert(T, "y"))
        yield node.sleep(20 * MS)
        for operation in (Get(T, "x", "nowait"), Insert(T, "y")):
            try:
                yield ledger.transact(operation)
            except StoreError as refused:
                seen.append((type(refused), str(refused)))
        tx = yield ledger.begin("repeatable read")
        yield tx.run(Get(T, "y"))
        yield ledger.transact(Add("u", "y", 1), Get(T, "y"))
        yield node.sleep(200 * MS)
        try:
            yield tx.run(Add(T, "x", 1))
        except SerializationFailure as refused:
            seen.append(str(refused))
        yield tx.rollback()

    def first(ledger, node):
        yield ledger.transact(Add(T, "x", 1))
        yield from holding(100)(ledger, node)

    two(first, second)

    assert seen == [
        (LockNotAvailable, "ledger: could not obtain lock on row 't' 'x'"),
        (UniqueViolation, "ledger: t has a row 'y' already"),
        "ledger: could not serialize access due to concurrent update",
    ]


# --- How a store is declared ---------------------------------------------------------------------


def test_a_store_can_have_further_unique_constraints():
    seen = []

    def program(cluster, node):
        ledger = cluster.context(node).store(LEDGER)
        for key in (1, 2):
            try:
                seen.append((yield ledger.transact(Insert("events", key, ("stream", 1)))))
            except UniqueViolation as refused:
                seen.append(str(refused))

    unique = {"events": [lambda _, value: value]}
    run(program, deploy=lambda cluster: cluster.store(LEDGER, unique=unique))

    assert seen == [(1,), "ledger: events has a row with ('stream', 1) already"]


def test_a_setting_that_a_store_does_not_have_is_refused_where_it_is_given():
    with pytest.raises(BadInput, match="ledger: unknown setting 'lock_time'"):
        run(None, deploy=lambda cluster: cluster.store(LEDGER, {"lock_time": 1}))


def test_a_context_of_a_driver_sends_records_too():
    """With its own producer's settings."""

    def program(cluster, node):
        context = cluster.context(node, {"acks": "0"})
        yield context.store(LEDGER).transact(Add(T, "x", 1))
        yield context.send("orders", "v", event_id="e1")

    trace = run(program, deploy=lambda cluster: cluster.store(LEDGER))

    assert [event[0] for event in events(trace, "record_acknowledged")] == ["e1"]
    assert [event[-1] for event in events(trace, "record_acknowledged")] == [-1]
