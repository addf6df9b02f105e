"""A service: when it commits, how it handles, what dies with it, and what its handlers raise."""

from functools import partial

import pytest

from simulator.chance import constant
from simulator.checks.delivery import never_applied_twice, never_lost
from simulator.cluster.serving import Serving
from simulator.errors import BadInput, KafkaError, StoreTimeout, UnsupportedAwaitable
from simulator.protocol.store import Add
from simulator.scenario.faults import Crash, Partition, Pause
from simulator.scenario.topology import Topic
from simulator.scenario.workload import WorkItem
from tests.clustered import events, run, times_ms

LEDGER = "ledger"
QUICK = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000}
SESSION = {
    "session.timeout.ms": 2_000,
    "heartbeat.interval.ms": 500,
    "request.timeout.ms": 2_000,
    "default.api.timeout.ms": 3_000,
    "auto.offset.reset": "earliest",
}


def served(
    factory,
    *faults,
    records=3,
    instances=1,
    partitions=1,
    settings=None,
    every_ms=0,
    topics=(),
    more=None,
    serving=None,
    **fields,
):
    """The trace of a group `g` that handles e0, e1, ..., all of them sent in one batch.

    Args:
        serving: fields of Serving beside the topic and the settings.
        more: what else is put into the cluster.
    """

    def deploy(cluster):
        cluster.store(LEDGER)
        stream = [
            WorkItem(number * every_ms * 1_000, "orders", f"k{number}", "v", f"e{number}")
            for number in range(records)
        ]
        cluster.source("writer", stream, {"linger.ms": 5})
        given = {"processing": constant(1_000), **(serving or {})}
        cluster.group(
            "g", instances, factory, Serving(("orders",), {**SESSION, **(settings or {})}, **given)
        )
        if more is not None:
            more(cluster)

    fields.setdefault("broker", QUICK)
    return run(
        None, *faults, deploy=deploy, topics=[Topic("orders", partitions), *topics], **fields
    )


# --- Three kinds of handlers ---------------------------------------------------------------------


def add(record):
    return Add("total", record.key, 1)


def plain(context):
    ledger = context.store(LEDGER)

    def handle(record):
        ledger.transact(add(record))

    return handle


def generator(context):
    ledger = context.store(LEDGER)

    def handle(record):
        yield ledger.transact(add(record))

    return handle


def coroutine(context):
    ledger = context.store(LEDGER)

    async def handle(record):
        await ledger.transact(add(record))

    return handle


def an_object(context):
    class Handling:
        def __call__(self, record):
            yield context.store(LEDGER).transact(add(record))

    return Handling()


def wrapped(context):
    """A handler around a handler, as patterns are written: itself a plain function."""
    inner = generator(context)

    def handle(record):
        return inner(record)

    return handle


def a_partial(context):
    def handle(amount, record):
        yield context.store(LEDGER).transact(Add("total", record.key, amount))

    return partial(handle, 1)


def a_lambda_of_a_coroutine(context):
    inner = coroutine(context)
    return lambda record: inner(record)


KINDS = [plain, generator, coroutine, an_object, wrapped, a_partial, a_lambda_of_a_coroutine]


def story(trace):
    return events(trace, "processing_started", "processing_ended", "effect_applied",
                  "offset_committed", "node_crashed")  # fmt: skip


@pytest.mark.parametrize("factory", KINDS)
def test_all_kinds_of_handlers_do_alike(factory):
    trace = served(factory)

    assert story(trace) == story(served(generator))
    assert [event[3] for event in events(trace, "effect_applied")] == ["e0", "e1", "e2"]
    assert [event[-1] for event in events(trace, "processing_ended")] == ["done"] * 3


@pytest.mark.parametrize("factory", KINDS)
@pytest.mark.parametrize("point", ["before_process", "after_process", "before_commit"])
def test_all_kinds_of_handlers_die_alike(factory, point):
    """At any point the next incarnation begins where the last commit was."""
    crash = Crash("g-0", point, nth=0 if point == "before_commit" else 1, down_ms=100)
    trace = served(factory, crash)

    assert story(trace) == story(served(generator, crash))
    twice = {"before_process": 1, "after_process": 2, "before_commit": 3}[point]
    applied = [event[3] for event in events(trace, "effect_applied")]
    assert applied == [f"e{number}" for number in (*range(twice), *range(3))]


def test_a_handler_may_wait_for_several_things_and_sleep():
    def factory(context):
        ledger = context.store(LEDGER)

        async def rest():
            await context.sleep(2_000)

        async def handle(record):
            await rest()
            (total,) = await ledger.transact(add(record))
            await context.send("orders-done", str(total), record.key, event_id="out")

        return handle

    trace = served(factory, records=1, topics=["orders-done"])

    assert events(trace, "record_acknowledged")[-1][:2] == ("out", "orders-done")
    started, ended = times_ms(trace, "processing_started"), times_ms(trace, "processing_ended")
    assert ended[0] - started[0] >= 1 + 2 + 2 + 2


def test_a_handler_is_told_whose_record_it_is_and_which_try():
    seen = []

    def factory(context):
        assert context.record is None
        assert context.event_id == ""

        def handle(record):
            assert context.record is record
            seen.append((context.event_id, context.attempt, context.node.name, record.value))
            if context.attempt == 1:
                raise KafkaError("once more")
            context.note("handled", record.event_id)

        return handle

    trace = served(factory, records=2)

    assert seen == [(event, attempt, "g-0", "v") for event in ("e0", "e1") for attempt in (1, 2)]
    assert events(trace, "noted") == [("handled", "e0"), ("handled", "e1")]


def test_a_thing_of_asyncio_is_refused_in_plain_words():
    import asyncio

    def factory(_):
        async def handle(record):
            await asyncio.sleep(1)

        return handle

    with pytest.raises(UnsupportedAwaitable, match="asyncio"):
        served(factory)


# --- A plain handler is cut at a call ------------------------------------------------------------


def two_effects(context):
    ledger = context.store(LEDGER)

    def handle(record):
        ledger.transact(Add("first", record.key, 1))
        ledger.transact(Add("second", record.key, 1))

    return handle


@pytest.mark.parametrize(
    ("call", "applied"),
    [
        ("store-0", ["first", "second"]),
        ("store-1", ["first", "first", "second"]),
        ("store-2", ["first", "second"]),
    ],
)
def test_a_plain_handler_is_cut_before_its_kth_call(call, applied):
    trace = served(two_effects, Crash("g-0", call, down_ms=100), records=1)

    assert [event[0] for event in events(trace, "effect_applied")] == applied
    assert len(events(trace, "node_crashed")) == (call != "store-2")


def test_the_calls_of_each_record_are_counted_anew():
    trace = served(two_effects, Crash("g-0", "store-1", nth=1, down_ms=100), records=2)

    assert [f"{event[3]} {event[0]}" for event in events(trace, "effect_applied")] == [
        *("e0 first", "e0 second", "e1 first"),
        *("e0 first", "e0 second", "e1 first", "e1 second"),
    ]


def test_a_plain_handlers_send_is_a_call_too():
    def factory(context):
        def handle(record):
            context.send("out", "v", event_id=f"out-{record.event_id}")
            context.store(LEDGER).transact(add(record))

        return handle

    early = served(factory, Crash("g-0", "produce-0", down_ms=100), records=1, topics=["out"])
    late = served(factory, Crash("g-0", "store-1", down_ms=100), records=1, topics=["out"])

    assert [event[0] for event in events(early, "record_sent")] == ["e0", "out-e0"]
    assert [event[0] for event in events(late, "record_sent")] == ["e0", "out-e0", "out-e0"]
    assert [event[0] for event in events(late, "record_acknowledged")] == ["e0", "out-e0"], (
        "the first was in the memory of a producer that died"
    )


def test_nothing_that_a_cut_handler_still_does_has_an_effect():
    """Python runs its `finally`, and it may swallow what it should not: it acts no more."""
    ran = []

    def factory(context):
        ledger = context.store(LEDGER)

        def handle(record):
            try:
                ledger.transact(Add("first", record.key, 1))
            finally:
                ran.append("finally")
                ledger.transact(Add("tidied", record.key, 1))

        return handle

    def swallowing(context):
        ledger = context.store(LEDGER)

        def handle(record):
            for name in ("first", "second"):
                try:
                    ledger.transact(Add(name, record.key, 1))
                except BaseException:  # noqa: BLE001
                    ran.append("swallowed")
            try:
                context.send("out", "v")
            except BaseException:  # noqa: BLE001
                ran.append("not sent")

        return handle

    trace = served(factory, Crash("g-0", "store-0", down_ms=100), records=1)
    assert [event[0] for event in events(trace, "effect_applied")] == ["first", "tidied"]
    assert ran == ["finally", "finally"]

    ran.clear()
    trace = served(swallowing, Crash("g-0", "store-0", down_ms=100), records=1, topics=["out"])
    assert ran == ["swallowed", "swallowed", "not sent"]
    assert [event[0] for event in events(trace, "effect_applied")] == ["first", "second"]
    assert len(events(trace, "processing_ended")) == 1
    assert len(events(trace, "offset_committed")) == 1, "the dead commit nothing"


# --- Memory --------------------------------------------------------------------------------------


def test_a_handlers_memory_dies_with_its_incarnation():
    """A factory is called once an incarnation; what its handler remembers is gone after a crash."""
    lives = []

    def factory(context):
        seen = []
        lives.append(seen)

        def handle(record):
            seen.append(record.event_id)
            yield context.store(LEDGER).transact(add(record))

        return handle

    served(factory, Crash("g-0", "after_process", nth=1, down_ms=100))

    assert lives == [["e0", "e1"], ["e0", "e1", "e2"]]


def test_each_instance_has_a_handler_of_its_own():
    owners = []

    def factory(context):
        owners.append(context.node.name)
        return lambda record: None

    served(factory, instances=3, partitions=3)

    assert owners == ["g-0", "g-1", "g-2"]


# --- What a handler raises -----------------------------------------------------------------------


def failing(times, error):
    """Fails that many times, whatever the record and the incarnation, then applies."""
    left = [times]

    def factory(context):
        def handle(record):
            if left[0]:
                left[0] -= 1
                raise error
            yield context.store(LEDGER).transact(add(record))

        return handle

    return factory


def test_a_failure_is_tried_again_after_a_pause_where_commits_come_after():
    trace = served(failing(2, StoreTimeout("no answer")), records=2)

    outcomes = [event[-2:] for event in events(trace, "processing_ended")]
    assert outcomes == [
        ("e0", "StoreTimeout"),
        ("e0", "StoreTimeout"),
        ("e0", "done"),
        ("e1", "done"),
    ]
    first, second, *_ = times_ms(trace, "processing_started")
    assert second - first == 1 + 100


def test_a_failure_is_given_up_where_the_commit_came_before():
    trace = served(failing(1, KafkaError("no")), records=2, serving={"commit": "before"})

    assert [event[-2:] for event in events(trace, "processing_ended")] == [
        ("e0", "KafkaError"),
        ("e1", "done"),
    ]
    assert never_lost(trace).cases == 1


class OwnError(Exception):
    """Cannot be built from its args, as SimPy would."""

    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("error", [OwnError(code=7), ZeroDivisionError("1/0"), SystemExit(3)])
def test_any_other_error_ends_the_run_as_the_same_object(error, waits):
    def factory(context):
        def work():
            raise error

        def steps(record):
            yield context.sleep(10)
            work()

        return steps if waits else lambda record: work()

    with pytest.raises(type(error)) as raised:
        served(factory)

    assert raised.value is error


def test_a_factory_that_fails_ends_the_run_too():
    error = OwnError(code=1)

    def factory(_):
        raise error

    with pytest.raises(OwnError) as raised:
        served(factory)

    assert raised.value is error


# --- When offsets are committed ------------------------------------------------------------------


def order_of(trace):
    """For each record and each commit that the broker took, in order."""
    names = {"processing_ended": lambda event: event[5], "offset_committed": lambda event: event[4]}
    return [names[event[0]](event) for *_, event in trace.flat if event[0] in names]


@pytest.mark.parametrize(
    ("serving", "expected"),
    [
        ({"commit": "after"}, ["e0", "e1", "e2", 3]),
        ({"commit": "before"}, [3, "e0", "e1", "e2"]),
        ({"commit": "after", "commit_each": True}, ["e0", 1, "e1", 2, "e2", 3]),
        ({"commit": "before", "commit_each": True}, [1, "e0", 2, "e1", 3, "e2"]),
        ({"commit": "auto"}, ["e0", "e1", "e2", 3]),
        ({"commit": "none"}, ["e0", "e1", "e2"]),
    ],
)
def test_when_offsets_are_committed(serving, expected):
    assert order_of(served(generator, serving=serving)) == expected


@pytest.mark.parametrize(
    ("serving", "lost", "twice"),
    [
        ({"commit": "after"}, 0, 2),
        ({"commit": "before"}, 1, 0),
        ({"commit": "after", "commit_each": True}, 0, 1),
        ({"commit": "before", "commit_each": True}, 0, 0),
        ({"commit": "auto"}, 0, 2),
        ({"commit": "none"}, 0, 2),
    ],
)
def test_a_crash_after_the_second_record_loses_or_doubles_by_when_it_was_committed(
    serving, lost, twice
):
    """Three in a batch. Committed before: the third is lost. After: the two are doubled; committed
    each: only the one at hand is.
    """
    crash = Crash("g-0", "after_process", nth=1, down_ms=100)
    trace = served(generator, crash, serving=serving)

    assert never_lost(trace).cases == lost
    assert never_applied_twice(trace).cases == twice
    assert events(trace, "run_ended") == [("quiet",)]


@pytest.mark.parametrize("each", [True, False])
def test_a_record_is_not_handled_before_its_commit_is_known_to_have_succeeded(each):
    """The coordinator is out of reach as the first commit is sent: nothing of it is handled, and
    what follows is (with `commit_each`, once the group has given the partition out again).
    """
    cut = Partition(("g-0",), ("broker-0",), 12, 5_000)
    trace = served(
        generator,
        cut,
        records=2,
        serving={"commit": "before", "commit_each": each},
        settings={"session.timeout.ms": 10_000},
    )

    committed = dict.fromkeys(event[3] for event in events(trace, "offset_committed"))
    for _, _, _, offset, _ in events(trace, "processing_started"):
        assert any(one > offset for one in committed)
    assert never_applied_twice(trace).cases == 0


def test_a_refused_commit_after_processing_is_left_to_the_next_owner():
    """It stood still for longer than its session: the other instance has its partition by then."""
    trace = served(
        generator,
        Pause("g-0", 25, 8_000),
        instances=2,
        partitions=2,
        records=10,
        serving={"processing": constant(10_000)},
    )

    owners = [event[4][:3] for event in events(trace, "offset_committed") if event[2] == 0]
    assert owners[0] == "g-1"
    assert events(trace, "run_ended") == [("quiet",)]
    assert never_lost(trace).cases == 0
    assert never_applied_twice(trace).cases > 0


@pytest.mark.parametrize("instances", [1, 2, 3])
def test_without_commits_a_run_ends_when_every_partition_was_read(instances):
    trace = served(
        generator, serving={"commit": "none"}, instances=instances, partitions=2, records=20
    )

    assert len(events(trace, "effect_applied")) == 20
    assert events(trace, "run_ended") == [("quiet",)]


def test_settings_of_the_scenario_win_over_the_commit_mode():
    trace = served(
        generator,
        serving={"commit": "none"},
        settings={"enable.auto.commit": True, "auto.commit.interval.ms": 100},
    )

    assert len(events(trace, "offset_committed")) > 0


def test_processing_takes_the_time_of_its_law_before_the_handler():
    trace = served(plain, serving={"processing": constant(7_000)})

    started = times_ms(trace, "processing_started")
    assert [ended - begun for begun, ended in
            zip(started, times_ms(trace, "processing_ended"), strict=True)] == [7] * 3  # fmt: skip


def test_an_instance_that_is_away_is_no_one_at_work():
    """The run goes on until it is back, and the partition drained."""
    trace = served(generator, Crash("g-0", "before_process", nth=2, down_ms=20_000))

    assert [event[3] for event in events(trace, "effect_applied")][-1] == "e2"
    assert times_ms(trace, "run_ended")[0] > 20_000


def test_a_poll_without_patience_lets_time_pass_all_the_same():
    trace = served(generator, serving={"poll_timeout_ms": 0}, horizon_ms=2_000)

    assert events(trace, "run_ended") == [("quiet",)]


def test_an_instance_without_a_position_to_go_on_from_stops_as_an_application_that_fails():
    """Nobody catches what poll throws: it closes its consumer, so that its partitions move on."""
    trace = served(
        generator,
        instances=2,
        settings={"auto.offset.reset": "none"},
        horizon_ms=20_000,
    )

    warned = [event[0] for event in events(trace, "warned")]
    assert len(warned) == 2
    assert all("stops: NoOffsetForPartition: no offset is committed" in text for text in warned)
    assert [event[-1] for event in events(trace, "member_removed")] == ["left", "left"]
    assert events(trace, "processing_started") == []


def test_an_instance_that_stopped_tries_again_when_its_node_is_started_again():
    trace = served(
        generator,
        Crash("g-0", at_ms=5_000),
        settings={"auto.offset.reset": "none"},
        horizon_ms=20_000,
    )

    assert len(events(trace, "warned")) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda record: record.value, "<lambda> is a handler, .*: it asks for record.value"),
        (lambda: print, "handler: cannot be called: .*takes 0 positional arguments"),
        (lambda _: None, "<lambda> returned no handler, but None .give a function which"),
    ],
)
def test_what_is_no_factory_of_handlers_is_refused_before_anything_is_handled(given, said):
    with pytest.raises(BadInput, match=said):
        served(given)
