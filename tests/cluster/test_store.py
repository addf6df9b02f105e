"""A store node: all or nothing, its log flushed before it answers, and answers that get lost."""

import pytest

from simulator.chance import constant
from simulator.cluster.serving import Serving
from simulator.errors import BadInput, StoreError, StoreTimeout, UniqueViolation
from simulator.protocol import messages as m
from simulator.protocol.store import Add, Delete, Get, Insert, Upsert
from simulator.scenario.faults import Crash, Drop, Duplicate
from simulator.scenario.workload import WorkItem
from tests.clustered import CLIENT, Asking, events, run, times_ms

LEDGER = "ledger"
MARK = "seen"


def with_store(cluster):
    cluster.store(LEDGER)


def transact(*operations, event_id="e"):
    return m.TransactRequest(operations, event_id)


def by_hand(program, *faults, **more):
    """The trace of `program(ask, node)` beside a store; `ask(*operations)` is one transaction."""

    def steps(cluster, node):
        asking = Asking(node, request_timeout_ms=1_000)
        yield from program(lambda *operations: asking(transact(*operations), LEDGER), node)

    return run(steps, *faults, deploy=with_store, **more)


# --- The node ------------------------------------------------------------------------------------


def test_a_transaction_happens_wholly_or_not_at_all():
    def program(ask, node):
        answer = yield ask(Add("a", "x", 1), Insert("b", "y", 1))
        assert (answer.status, answer.results) == ("committed", (1, "y"))
        answer = yield ask(Add("a", "x", 5), Insert("b", "y", 2), Upsert("c", "z", 1))
        assert answer.status == "unique_violation"
        answer = yield ask(Get("a", "x"), Get("b", "y"), Get("c", "z"))
        assert answer.results == (1, 1, None)

    trace = by_hand(program)

    assert events(trace, "effect_applied") == [("a", "x", 1, "e"), ("b", "y", 1, "e")]
    refused = [("a", "x"), ("b", "y"), ("c", "z")]
    assert events(trace, "effect_refused") == [(*one, "e", "unique_violation") for one in refused]


def test_marks_are_no_effects():
    def program(ask, node):
        yield ask(Insert(MARK, "e", effect=False), Add("a", "x", 1))
        yield ask(Insert(MARK, "e", effect=False), Add("a", "x", 1))
        yield ask(Delete("a", "x"))

    trace = by_hand(program)

    assert events(trace, "effect_applied") == [("a", "x", 1, "e"), ("a", "x", None, "e")]
    assert events(trace, "effect_refused") == [("a", "x", "e", "unique_violation")]


@pytest.mark.parametrize("mode", ["process", "power"])
def test_what_was_answered_survives_a_crash_because_the_log_was_flushed_before(mode):
    def program(ask, node):
        for number in range(3):
            yield ask(Insert("a", number))
        yield node.sleep(2_000_000)
        answer = None
        while answer is None:
            answer = yield ask(*(Get("a", number) for number in range(4)), Insert("a", 3))
        answer = yield ask(Insert("a", 2))
        assert answer.status == "unique_violation"

    by_hand(program, Crash(LEDGER, at_ms=100, mode=mode))


def test_a_lost_disk_loses_all():
    def program(ask, node):
        yield ask(Insert("a", 1))
        yield node.sleep(2_000_000)
        answer = None
        while answer is None:
            answer = yield ask(Insert("a", 1))
        assert answer.status == "committed"

    by_hand(program, Crash(LEDGER, at_ms=100, mode="disk"))


@pytest.mark.parametrize("mode", ["process", "power"])
def test_a_crash_after_the_commit_leaves_an_effect_without_an_answer(mode):
    notes = []

    def program(ask, node):
        notes.append((yield ask(Add("a", "x", 1))))
        answer = None
        while answer is None:
            answer = yield ask(Get("a", "x"))
        notes.append(answer.results)

    crash = Crash(LEDGER, "after_append", down_ms=10, mode=mode)
    trace = by_hand(program, crash)

    assert notes == [None, (1,)]
    assert len(events(trace, "effect_applied")) == 1


def test_reading_and_refusing_write_nothing_and_pass_no_point():
    """The first point is that of the second write."""

    def program(ask, node):
        yield ask(Get("a", "x"))
        yield ask(Add("a", "x", 1))
        answer = yield ask(Insert("a", "x"))
        assert answer.status == "unique_violation"
        assert (yield ask(Add("a", "x", 1))) is None

    by_hand(program, Crash(LEDGER, "after_append", nth=1))


def test_what_is_no_operation_ends_the_run():
    def program(ask, node):
        yield ask("drop table")

    with pytest.raises(BadInput, match="'drop table'"):
        by_hand(program)


# --- What a handler sees -------------------------------------------------------------------------


def handled(factory, *faults, records=1, commit="after", **more):
    """The trace of a group of one whose handlers `factory` makes; e0, e1, ... every 10 ms."""

    def deploy(cluster):
        cluster.store(LEDGER)
        stream = [
            WorkItem(number * 10_000, "orders", "k", "v", f"e{number}") for number in range(records)
        ]
        cluster.source("writer", stream, {"linger.ms": 0})
        serving = Serving(
            ("orders",),
            {"auto.offset.reset": "earliest", "session.timeout.ms": 6_000},
            commit=commit,
            processing=constant(1_000),
        )
        cluster.group("g", 1, factory, serving)

    broker = {"group.initial.rebalance.delay.ms": 0}
    return run(None, *faults, deploy=deploy, broker=broker, **more)


def naive(context):
    ledger = context.store(LEDGER)

    def handle(record):
        yield ledger.transact(Add("total", record.key, 1))

    return handle


def idempotent(context):
    ledger = context.store(LEDGER)

    def handle(record):
        try:
            yield ledger.transact(
                Insert(MARK, record.event_id, effect=False), Add("total", record.key, 1)
            )
        except UniqueViolation:
            return

    return handle


LOST_ANSWERS = {
    "crash": Crash(LEDGER, "after_append", down_ms=50),
    "dropped": Drop(LEDGER, "g-0", "TransactResponse"),
}


@pytest.mark.parametrize("fault", LOST_ANSWERS)
@pytest.mark.parametrize(("factory", "totals"), [(naive, [1, 2]), (idempotent, [1])])
def test_a_commit_without_an_answer_is_tried_again_and_counts_twice_or_once(factory, totals, fault):
    """The handler is told StoreTimeout, and the service tries again: the naive sink doubles."""
    trace = handled(factory, LOST_ANSWERS[fault])

    assert [event[2] for event in events(trace, "effect_applied")] == totals
    assert [event[-1] for event in events(trace, "processing_ended")] == ["StoreTimeout", "done"]
    assert events(trace, "run_ended") == [("quiet",)]


def test_a_lost_request_is_tried_again_and_counts_once():
    trace = handled(naive, Drop("g-0", LEDGER, "TransactRequest"))

    assert len(events(trace, "effect_applied")) == 1
    started = times_ms(trace, "processing_started")
    assert started[1] - started[0] == 1 + 5_000 + 100, "handling, the store's timeout, the pause"


@pytest.mark.parametrize("later_ms", [0, 5, 9_000])
@pytest.mark.parametrize("end", ["request", "answer"])
def test_nothing_is_doubled_between_a_handler_and_its_store(end, later_ms):
    """TCP hands nothing over twice, and no driver of a database sends again by itself."""
    ends = ("g-0", LEDGER, "TransactRequest")
    if end == "answer":
        ends = (LEDGER, "g-0", "TransactResponse")
    trace = handled(naive, Duplicate(*ends, later_ms=later_ms))

    assert len(events(trace, "effect_applied")) == 1
    assert [event[-1] for event in events(trace, "message_dropped")] == ["copy"]


def test_a_store_that_is_down_is_waited_for():
    trace = handled(naive, Crash(LEDGER, at_ms=0, down_ms=2_000), records=2)

    assert [event[-1] for event in events(trace, "effect_applied")] == ["e0", "e1"]
    assert {event[-1] for event in events(trace, "processing_ended")} == {"StoreTimeout", "done"}


def test_results_and_refusals_reach_the_handler():
    seen = []

    def factory(context):
        ledger = context.store(LEDGER)

        def handle(record):
            seen.append((yield ledger.transact(Upsert("a", "x", 3), Get("a", "x"))))
            for wrong in (Insert("a", "x"), Add("a", "x", "one")):
                try:
                    yield ledger.transact(wrong)
                except StoreError as refused:
                    seen.append((type(refused), str(refused)))

        return handle

    handled(factory)

    assert seen == [
        (True, 3),
        (UniqueViolation, "ledger: a has a row 'x' already"),
        (StoreError, "ledger: a 'x': cannot add 'one' to 3"),
    ]


def test_the_text_of_a_timeout_says_that_it_may_have_happened():
    seen = []

    def factory(context):
        def handle(record):
            try:
                yield context.store(LEDGER).transact(Add("a", "x", 1))
            except StoreTimeout as lost:
                seen.append(str(lost))

        return handle

    handled(factory, LOST_ANSWERS["crash"])

    assert seen == ["ledger gave no answer: whether it committed is unknown"]


@pytest.mark.parametrize("name", ["legder", "broker-0", CLIENT])
def test_a_store_that_is_not_there_is_refused_when_it_is_asked_for(name):
    def factory(context):
        context.store(name)

    with pytest.raises(BadInput, match=f"there is no store called '{name}' .known: ledger"):
        handled(factory)


# --- Plain handlers ------------------------------------------------------------------------------


def test_a_plain_handler_gets_results_and_refusals_at_once():
    seen = []

    def factory(context):
        ledger = context.store(LEDGER)

        def handle(record):
            seen.append(ledger.transact(Add("a", "x", 2)))
            try:
                ledger.transact(Insert("a", "x"))
            except UniqueViolation as refused:
                seen.append(str(refused))

        return handle

    handled(factory)

    assert seen == [(2,), "ledger: a has a row 'x' already"]


def test_a_plain_handlers_store_may_be_down_or_crash_before_it_answers():
    def factory(context):
        ledger = context.store(LEDGER)

        def handle(record):
            ledger.transact(Add("a", "x", 1))

        return handle

    down = handled(factory, Crash(LEDGER, at_ms=0, down_ms=500))
    crash = handled(factory, LOST_ANSWERS["crash"])

    assert [event[2] for event in events(down, "effect_applied")] == [1]
    assert [event[2] for event in events(crash, "effect_applied")] == [1, 2]
    for trace in (down, crash):
        assert events(trace, "processing_ended")[0][-1] == "StoreTimeout"
