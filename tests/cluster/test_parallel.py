"""Several handlers at once in one instance: how fast, in which order, and what a crash finds."""

from contextlib import suppress

import attrs
import pytest

from simulator.chance import Seeded, constant, uniform
from simulator.checks.delivery import never_applied_twice, never_delivered_twice, never_lost
from simulator.checks.groups import committed_never_regresses, never_committed_past_processed
from simulator.checks.order import key_order, partition_order
from simulator.checks.progress import drained
from simulator.cluster.serving import Serving
from simulator.errors import KafkaError
from simulator.protocol.store import Add
from simulator.report.spacetime import spacetime
from simulator.scenario.faults import Crash, FaultPlan, Partition, Pause
from simulator.scenario.guarantee import AT_LEAST_ONCE, AT_MOST_ONCE
from simulator.scenario.parallel import Parallel
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Link, Topic, Topology
from simulator.scenario.workload import WorkItem, Workload, steady, uniform_keys
from simulator.study.simulate import simulate
from simulator.testing import fault_plans
from simulator.testing.search import replay, search
from tests.clustered import events, run, times_ms

LEDGER = "ledger"
SESSION = {
    "session.timeout.ms": 2_000,
    "heartbeat.interval.ms": 500,
    "request.timeout.ms": 2_000,
    "default.api.timeout.ms": 3_000,
}
BROKER = {
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    "group.consumer.session.timeout.ms": 2_000,
    "group.consumer.min.session.timeout.ms": 1_000,
    "group.consumer.heartbeat.interval.ms": 500,
    "group.consumer.min.heartbeat.interval.ms": 500,
}
KEPT, BROKEN = "kept", "broken"
SAFE = (never_lost, never_committed_past_processed, committed_never_regresses, partition_order)


def handled(
    parallel,
    *faults,
    records=40,
    keys=10,
    partitions=2,
    instances=1,
    chooser=None,
    settings=None,
    guarantee=AT_LEAST_ONCE,
    from_ms=0,
    every_ms=0,
    **consumers,
):
    """The trace of a group `g` that handles e0, e1, ... of the keys k0, k1, ... in turn."""
    consumers.setdefault("processing", constant(10_000))
    items = [
        WorkItem(
            (from_ms + number * every_ms) * 1_000, "orders", f"k{number % keys}", "v", f"e{number}"
        )
        for number in range(records)
    ]
    scenario = Scenario(
        topology=Topology(1, [Topic("orders", partitions)], [Link(latency=constant(1_000))]),
        workload=Workload(items=items),
        guarantee=attrs.evolve(guarantee, producer={**guarantee.producer, "linger.ms": 5}),
        consumers=Consumers(
            "g", instances, with_protocol(settings or {}), parallel=parallel, **consumers
        ),
        broker=BROKER,
        faults=FaultPlan(faults),
        horizon_ms=120_000,
    )
    return simulate(scenario, chooser)


def verdicts(trace, *checks):
    return {check.name: check(trace).status.value for check in checks}


def kept(trace, *checks):
    found = verdicts(trace, *checks)
    return found == dict.fromkeys(found, KEPT)


def lasted_ms(trace):
    return times_ms(trace, "processing_ended")[-1] - times_ms(trace, "processing_started")[0]


def at_once(trace, lane=lambda _: None):
    """The most records of one lane that were being handled at one moment."""
    open_, most = {}, 0
    for entry in trace.of("processing_started", "processing_ended"):
        name = lane(entry[4])
        step = 1 if entry[4][0] == "processing_started" else -1
        open_[name] = open_.get(name, 0) + step
        most = max(most, open_[name])
    return most


def key_of(event):
    return int(event[5][1:]) % 10


# --- How fast, in which order --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parallel", "ms"),
    [
        (None, 40 * 12),
        (Parallel(by="partition"), 24 * 12),
        (Parallel(by="key", workers=20), 4 * 12),
        (Parallel(by="record", workers=20), 2 * 12),
        (Parallel(by="record", workers=40), 12),
        (Parallel(by="record", workers=1), 40 * 12),
    ],
    ids=str,
)
def test_it_takes_as_long_as_the_longest_lane(parallel, ms):
    """Forty records, 10 ms each and 2 to ask the ledger: 24 of them in one of two partitions."""
    trace = handled(parallel)

    assert lasted_ms(trace) == ms
    assert kept(trace, *SAFE, never_applied_twice, drained)


@pytest.mark.parametrize(
    ("by", "lane"),
    [("partition", lambda event: event[3]), ("key", key_of), ("record", lambda event: event[5])],
)
@pytest.mark.parametrize("workers", [1, 3, 16])
def test_one_handler_a_lane_and_as_many_as_there_are_workers(by, lane, workers):
    trace = handled(Parallel(by=by, workers=workers), chooser=Seeded(1),
                    processing=uniform(1_000, 20_000))  # fmt: skip

    assert at_once(trace, lane) == 1
    assert at_once(trace) == min(workers, {"partition": 2, "key": 10, "record": 16}[by])


@pytest.mark.parametrize(("by", "order"), [("partition", KEPT), ("key", KEPT), ("record", BROKEN)])
def test_a_keys_order_is_kept_by_one_handler_a_key(by, order):
    for seed in range(3):
        trace = handled(Parallel(by=by), chooser=Seeded(seed), processing=uniform(1_000, 50_000))

        assert verdicts(trace, key_order, partition_order) == {
            "key_order": order, "partition_order": KEPT,
        }  # fmt: skip


def test_a_slow_key_holds_up_its_own_alone():
    """e0 takes a second: e10, e20 and e30 wait for it, and nobody else does."""

    def factory(context):
        def handle(record):
            yield context.sleep(1_000_000 if record.event_id == "e0" else 1_000)

        return handle

    trace = handled(Parallel(by="key"), handler=factory)

    last = [event[4] for event in events(trace, "processing_ended")][-4:]
    assert last == ["e0", "e10", "e20", "e30"]
    assert times_ms(trace, "processing_ended")[-5] - times_ms(trace, "processing_ended")[0] < 200


# --- One handler, and what it is told ------------------------------------------------------------


def generator(context):
    ledger = context.store(LEDGER)

    def handle(record):
        yield ledger.transact(Add("total", record.key, 1))

    return handle


def plain(context):
    ledger = context.store(LEDGER)

    def handle(record):
        ledger.transact(Add("total", record.key, 1))

    return handle


def coroutine(context):
    ledger = context.store(LEDGER)

    async def handle(record):
        await ledger.transact(Add("total", record.key, 1))

    return handle


def wrapped(context):
    inner = coroutine(context)
    return lambda record: inner(record)


@pytest.mark.parametrize("factory", [plain, generator, coroutine, wrapped])
@pytest.mark.parametrize("fault", [(), (Crash("g-0", "after_process", nth=7, down_ms=100),)])
def test_all_kinds_of_handlers_may_be_at_work_at_once(factory, fault):
    trace = handled(Parallel(by="key"), *fault, handler=factory)

    assert kept(trace, *SAFE, drained)
    assert {event[3] for event in events(trace, "effect_applied")} == {f"e{n}" for n in range(40)}


def test_a_handler_is_told_whose_record_it_is_each_time_it_goes_on():
    seen = []

    def factory(context):
        tries = {}

        async def handle(record):
            tries[record.event_id] = tries.get(record.event_id, 0) + 1
            for pause_us in (3_000, 1_000, 2_000):
                assert context.record is record
                assert (context.event_id, context.attempt) == (
                    record.event_id, tries[record.event_id],
                )  # fmt: skip
                assert not context.plain
                await context.sleep(pause_us)
            if context.attempt == 1:
                raise KafkaError("once more")
            await context.store(LEDGER).transact(Add("total", record.key, 1))
            seen.append(context.event_id)

        return handle

    trace = handled(Parallel(by="record"), handler=factory)

    assert sorted(seen) == sorted(f"e{number}" for number in range(40))
    keys = {event[3]: event[1] for event in events(trace, "effect_applied")}
    assert keys == {f"e{number}": f"k{number % 10}" for number in range(40)}


def test_all_of_an_incarnations_handlers_share_one_memory():
    made = []

    def factory(context):
        seen = []
        made.append(seen)

        def handle(record):
            seen.append(record.event_id)

        return handle

    handled(
        Parallel(by="record", workers=40), Crash("g-0", "before_commit", down_ms=100),
        handler=factory, partitions=1,
    )  # fmt: skip

    assert [len(seen) for seen in made] == [40, 40]


def test_a_handler_that_swallows_its_own_death_is_the_last_of_its_incarnation():
    handled_in = []

    def factory(context):
        life = context.node.incarnation

        def handle(record):
            handled_in.append(life)
            with suppress(BaseException):
                context.store(LEDGER).transact(Add("total", record.key, 1))

        return handle

    trace = handled(
        Parallel(workers=1), Crash("g-0", "store-0", down_ms=50), handler=factory,
        processing=constant(0),
    )  # fmt: skip

    assert handled_in == [0] + [1] * 40
    assert len(events(trace, "processing_ended")) == 40


def test_what_a_handler_waits_for_may_fail_it():
    """The ledger cannot be reached for a while: StoreTimeout, and tried again until it can."""
    cut = Partition(["g-0"], [LEDGER], from_ms=0, until_ms=5_000)
    trace = handled(Parallel(by="key"), cut, records=10)

    outcomes = [event[-1] for event in events(trace, "processing_ended")]
    assert outcomes == ["StoreTimeout"] * 10 + ["done"] * 10
    assert kept(trace, *SAFE, drained)


class OwnError(Exception):
    """Cannot be built from its args, as SimPy would."""

    def __init__(self, *, code):
        super().__init__(f"code {code}")


@pytest.mark.parametrize("error", [OwnError(code=7), ZeroDivisionError("1/0"), SystemExit(3)])
def test_any_other_error_ends_the_run_as_the_same_object(error):
    def factory(context):
        def handle(record):
            yield context.sleep(10)
            raise error

        return handle

    with pytest.raises(type(error)) as raised:
        handled(Parallel(), handler=factory)

    assert raised.value is error


def test_a_failing_record_holds_up_the_commit_and_no_other_key():
    """e0 fails for a second: what comes after it is done, and nothing past it is committed."""

    def factory(context):
        def handle(record):
            if record.event_id == "e0" and context.node.now_us < 1_500_000:
                raise KafkaError("not yet")

        return handle

    trace = handled(Parallel(by="key"), handler=factory, partitions=1, commit_each=True)

    done = [event[4] for event in events(trace, "processing_ended") if event[5] == "done"]
    assert done[-4:] == ["e0", "e10", "e20", "e30"]
    first = trace.of("offset_committed")[0]
    assert first[4][4] >= 1
    assert first[1] > 1_500_000
    assert kept(trace, never_committed_past_processed, drained)


# --- What a crash finds --------------------------------------------------------------------------


def slow_first(context):
    """e0 takes 50 ms, whatever comes after it 1 ms."""
    ledger = context.store(LEDGER)

    def handle(record):
        yield context.sleep(50_000 if record.event_id == "e0" else 1_000)
        yield ledger.transact(Add("total", record.key, 1))

    return handle


@pytest.mark.parametrize(("commits", "outcome"), [("gap_aware", KEPT), ("naive", BROKEN)])
@pytest.mark.parametrize("by", ["key", "record"])
def test_the_naive_commit_loses_what_was_being_handled_below_it(by, commits, outcome):
    """Two records, one crash: e1 is done and committed, e0 was not done."""
    trace = handled(
        Parallel(by=by, commits=commits),
        Crash("g-0", at_ms=45, down_ms=100),
        records=2, partitions=1, commit_each=True, handler=slow_first, processing=constant(0),
        from_ms=20,
    )  # fmt: skip

    assert verdicts(trace, never_lost, never_committed_past_processed) == {
        "never_lost": outcome, "never_committed_past_processed": outcome,
    }  # fmt: skip
    if outcome == BROKEN:
        assert never_lost(trace).evidence[0].event_ids == ("e0",)
        assert [event[3] for event in events(trace, "effect_applied")] == ["e1"]
    assert drained(trace).status.value == KEPT, "the offsets say that all is done"


POINTS = ("after_poll", "before_process", "after_process", "before_commit", "after_commit")


@pytest.mark.parametrize("by", ["partition", "key", "record"])
@pytest.mark.parametrize("commit_each", [True, False])
def test_wherever_it_dies_gap_aware_commits_lose_nothing(by, commit_each):
    """Each crash point, each of its first ten times, under a seed of its own."""
    died = 0
    for point in POINTS:
        for nth in range(10):
            crash = Crash("g-0", point, nth=nth, down_ms=100)
            trace = handled(
                Parallel(by=by, workers=4, in_hand=4), crash, records=12, keys=4,
                chooser=Seeded(nth), commit_each=commit_each, settings={"max.poll.records": 3},
                processing=uniform(1_000, 30_000),
            )  # fmt: skip
            died += len(trace.of("node_crashed"))
            assert kept(trace, *SAFE, drained), (point, nth)
    assert died >= 30


def test_the_naive_commit_is_found_out_by_dying_anywhere():
    lost = 0
    for point in POINTS:
        for nth in range(10):
            trace = handled(
                Parallel(by="key", workers=4, commits="naive"),
                Crash("g-0", point, nth=nth, down_ms=100), records=12, keys=4,
                chooser=Seeded(nth), commit_each=True, processing=uniform(1_000, 30_000),
            )  # fmt: skip
            lost += verdicts(trace, never_lost)["never_lost"] == BROKEN
    assert lost >= 5


def searched(by, commits):
    return Scenario(
        topology=Topology(2, [Topic("orders", 2)]),
        workload=Workload(events=5, arrivals=steady(200), keys=uniform_keys(2)),
        consumers=Consumers(
            "g", 1, SESSION, uniform(1_000, 40_000), commit_each=True,
            parallel=Parallel(by=by, workers=4, commits=commits),
        ),
        broker=BROKER,
    )  # fmt: skip


@pytest.mark.parametrize("by", ["key", "record"])
def test_a_search_finds_one_slow_handler_and_one_crash(by):
    """And under gap-aware commits the same chance and the same crash lose nothing."""
    naive = searched(by, "naive")
    crashes = fault_plans(naive, most=1, kinds=["crash"], nodes="g-0")
    found = search(naive, never_lost, crashes, budget=400, shrinking=60)

    assert len(found.run.scenario.faults) == 1
    assert [site for site, _ in found.run.witness if site.startswith("process@")] == ["process@g-0"]
    with_gaps = replay(searched(by, "gap_aware"), found.run)
    assert with_gaps.trace.of("node_crashed")
    assert kept(with_gaps.trace, *SAFE)
    assert search(searched(by, "gap_aware"), never_lost, crashes, budget=30) is None


def test_one_partition_at_a_time_the_naive_commit_is_no_anti_pattern():
    """Nothing is below the highest done offset: the two rules are one."""
    one, other = (
        handled(Parallel(by="partition", commits=commits), Crash("g-0", "after_process", nth=9),
                chooser=Seeded(1), commit_each=True)
        for commits in ("naive", "gap_aware")
    )  # fmt: skip

    assert events(one, "offset_committed", "effect_applied") == events(
        other, "offset_committed", "effect_applied"
    )
    assert kept(one, *SAFE)


# --- When commits are made -----------------------------------------------------------------------


@pytest.mark.parametrize("commit_each", [True, False])
def test_committed_before_nothing_is_handled_twice_and_a_crash_loses(commit_each):
    trace = handled(
        Parallel(by="key", workers=4), Crash("g-0", "after_process", nth=2, down_ms=100),
        guarantee=AT_MOST_ONCE, commit_each=commit_each,
    )  # fmt: skip

    assert verdicts(trace, never_applied_twice, never_lost) == {
        "never_applied_twice": KEPT, "never_lost": BROKEN,
    }  # fmt: skip


def test_committed_before_only_what_is_known_to_be_committed_is_handled():
    """g-0 stands still with records on their way to it: out of the group, it cannot commit them."""
    trace = handled(
        Parallel(), Pause("g-0", at_ms=405, for_ms=5_000), from_ms=400, instances=2,
        guarantee=AT_MOST_ONCE,
    )  # fmt: skip

    assert trace.of("commit_refused")
    assert kept(trace, never_applied_twice)


@pytest.mark.parametrize("commit", ["none", "before"])
def test_a_run_does_not_end_while_a_handler_is_at_work(commit):
    """Though all is read, and committed where anything is."""
    guarantee = attrs.evolve(AT_LEAST_ONCE, name=commit, commit=commit)
    trace = handled(Parallel(), guarantee=guarantee, processing=constant(9_000_000))

    assert len(events(trace, "effect_applied")) == 40


def test_the_consumers_own_commits_lose_what_was_handed_to_others():
    """Handed over is not handled: the next poll commits it, and then the process dies."""
    auto = attrs.evolve(AT_LEAST_ONCE, name="auto", commit="auto")
    trace = handled(
        Parallel(by="key", workers=4), Crash("g-0", at_ms=150, down_ms=100),
        guarantee=auto, settings={"auto.commit.interval.ms": 20}, processing=constant(500_000),
        poll_timeout_ms=10,
    )  # fmt: skip

    assert verdicts(trace, never_lost, never_committed_past_processed) == {
        "never_lost": BROKEN, "never_committed_past_processed": BROKEN,
    }  # fmt: skip


def test_without_commits_all_is_handled_again_after_a_crash():
    none = attrs.evolve(AT_LEAST_ONCE, name="none", commit="none")
    trace = handled(Parallel(), Crash("g-0", "after_process", nth=39, down_ms=50), guarantee=none)

    assert events(trace, "offset_committed") == []
    assert len(events(trace, "effect_applied")) == 80


# --- Too much in hand ----------------------------------------------------------------------------


def in_hand(trace):
    """The most records that were handed out and not done at one moment."""
    now = most = 0
    for entry in trace.of("record_polled", "processing_ended"):
        now += 1 if entry[4][0] == "record_polled" else -1
        most = max(most, now)
    return most


@pytest.mark.parametrize(("limit", "most"), [(None, 8 + 4), (1, 5), (20, 24)])
def test_it_asks_for_no_more_while_too_much_is_in_hand(limit, most):
    """At most a poll's records less one beyond the limit."""
    trace = handled(
        Parallel(by="record", workers=4, in_hand=limit), records=60,
        settings={"max.poll.records": 5},
    )  # fmt: skip

    assert most - 4 <= in_hand(trace) <= most
    assert kept(trace, *SAFE, never_applied_twice, drained)


PATIENCE = {"max.poll.interval.ms": 3_000}


def test_it_stays_in_its_group_however_long_a_handler_takes():
    """Ten seconds, where a poll is due each three: one by one, the group takes the partition."""
    given = {
        "records": 3, "partitions": 1, "settings": PATIENCE, "processing": constant(10_000_000),
    }  # fmt: skip
    parallel = handled(Parallel(by="record", workers=2, in_hand=1), **given)
    sequential = handled(None, Crash("g-0", at_ms=60_000), **given)

    assert not parallel.of("partitions_lost", "partitions_revoked")
    assert kept(parallel, *SAFE, never_applied_twice, drained)
    assert sequential.of("partitions_lost")
    assert verdicts(sequential, never_applied_twice)["never_applied_twice"] == BROKEN


def test_it_polls_by_being_woken_and_not_by_looking_again_and_again():
    """Forty handlers of a second each: a handful of turns, of which each is asked for."""
    trace = handled(Parallel(by="record", workers=40), processing=constant(1_000_000))

    assert len(trace.of("offset_committed")) == 2, "one commit, of two partitions"
    ended = times_ms(trace, "processing_ended")[-1]
    assert times_ms(trace, "offset_committed")[0] == ended + 1, "a message's way later"


def test_beside_a_slow_handler_commits_are_made_every_five_seconds():
    """No record comes, none of the others ends: e0 alone is handled, for twenty seconds."""

    def factory(context):
        def handle(record):
            yield context.sleep(20_000_000 if record.event_id == "e0" else 1_000)

        return handle

    trace = handled(Parallel(by="key"), handler=factory)

    last_but_e0 = times_ms(trace, "processing_ended")[-5]
    later = [at for at in times_ms(trace, "offset_committed") if at > last_but_e0]
    assert later[0] < 5_100, "not with the last, after twenty seconds"
    assert later[-1] > 20_000


def test_what_ends_during_a_commit_is_committed_right_after_it():
    """There is no poll to wake then: the next one does not wait."""

    def factory(context):
        def handle(record):
            yield context.sleep(10_000 if record.event_id == "e0" else 11_000)

        return handle

    trace = handled(
        Parallel(by="record"), records=2, partitions=1, handler=factory, commit_each=True,
        processing=constant(0),
    )  # fmt: skip

    first, second = times_ms(trace, "offset_committed")
    ended = times_ms(trace, "processing_ended")
    assert (first - ended[0], ended[1] - ended[0], second - ended[0]) == (1, 1, 3)


# --- Partitions that are taken away --------------------------------------------------------------

EAGER = {"partition.assignment.strategy": "range"}
COOPERATIVE = {"partition.assignment.strategy": "cooperative-sticky"}
BY_THE_COORDINATOR = {"group.protocol": "consumer"}  # KIP-848
PROTOCOLS = pytest.mark.parametrize(
    "protocol", [EAGER, COOPERATIVE, BY_THE_COORDINATOR], ids=["eager", "cooperative", "KIP-848"]
)


def with_protocol(protocol):
    """Settings: a member of KIP-848 may not set what its coordinator does."""
    own = {"session.timeout.ms", "heartbeat.interval.ms"} if "group.protocol" in protocol else ()
    return {**{name: value for name, value in SESSION.items() if name not in own}, **protocol}


def joined(on_revoked, protocol, **more):
    """g-1 joins while g-0 is handling: records of all partitions, a tenth to three each."""
    return handled(
        Parallel(by="key", workers=8, on_revoked=on_revoked, in_hand=100),
        Crash("g-1", at_ms=1, down_ms=700), records=80, keys=40,
        instances=2, partitions=4, from_ms=400, commit_each=True, chooser=Seeded(2),
        processing=uniform(100_000, 300_000),
        settings=protocol, **more,
    )  # fmt: skip


@PROTOCOLS
def test_who_waits_for_its_handlers_hands_over_what_is_done_and_nothing_is_done_twice(protocol):
    trace = joined("wait", protocol)

    assert {event[2] for event in trace.of("partitions_assigned")} == {"g-0", "g-1"}
    assert kept(trace, *SAFE, never_applied_twice, key_order, drained)
    workers = {entry[2] for entry in trace.of("processing_ended")}
    assert workers == {"g-0", "g-1"}


@PROTOCOLS
def test_who_drops_them_hands_over_at_once_and_they_are_done_twice(protocol):
    trace = joined("drop", protocol)

    assert kept(trace, *SAFE, drained)
    assert verdicts(trace, never_applied_twice)["never_applied_twice"] == BROKEN
    dropped, waited = (
        times_ms(one, "partitions_revoked")[0] for one in (trace, joined("wait", protocol))
    )
    assert dropped + 100 < waited


def test_a_cooperative_member_goes_on_with_what_it_keeps():
    """While it waits for what goes, handlers of what stays are begun."""

    def begun_while_waiting(protocol):
        trace = joined("wait", protocol)
        gone = next(entry[1] for entry in trace.of("partitions_revoked") if entry[4][3])
        return [
            entry[4][3] for entry in trace.of("processing_started")
            if entry[2] == "g-0" and gone - 100_000 < entry[1] <= gone
        ]  # fmt: skip

    assert begun_while_waiting(COOPERATIVE)
    assert not begun_while_waiting(EAGER)


@PROTOCOLS
@pytest.mark.parametrize("on_revoked", ["wait", "drop"])
def test_a_failing_handler_does_not_keep_a_partition_for_ever(on_revoked, protocol):
    """Where the record cannot be handled it is given up when its partition goes."""

    def factory(context):
        ledger = context.store(LEDGER)

        def handle(record):
            if context.node.name == "g-0":
                raise KafkaError("never here")
            yield ledger.transact(Add("total", record.key, 1))

        return handle

    trace = handled(
        Parallel(by="key", workers=4, on_revoked=on_revoked),
        Crash("g-1", at_ms=1, down_ms=500), Crash("g-0", at_ms=4_000, down_ms=60_000),
        instances=2, partitions=4, handler=factory,
        settings=protocol,
    )  # fmt: skip

    moved = [entry[1] for entry in trace.of("partitions_assigned") if entry[2] == "g-1"]
    assert moved[0] < 2_000_000
    assert kept(trace, *SAFE, never_applied_twice, drained)


@PROTOCOLS
@pytest.mark.parametrize("commits", ["gap_aware", "naive"])
def test_even_who_waits_loses_by_a_naive_commit_what_was_not_begun(protocol, commits):
    """It lies below what is done: the records of a slow key, behind the one that is handled."""

    def factory(context):
        ledger = context.store(LEDGER)

        def handle(record):
            yield context.sleep(200_000 if record.key == "k0" else 1_000)
            yield ledger.transact(Add("total", record.key, 1))

        return handle

    trace = handled(
        Parallel(by="key", commits=commits), Crash("g-1", at_ms=1, down_ms=500),
        instances=2, partitions=2, keys=4, from_ms=400, handler=factory, processing=constant(0),
        settings=protocol,
    )  # fmt: skip

    assert len(trace.of("partitions_revoked")) >= 1
    expected = KEPT if commits == "gap_aware" else BROKEN
    assert verdicts(trace, never_lost)["never_lost"] == expected


@PROTOCOLS
def test_what_is_lost_is_neither_waited_for_nor_committed(protocol):
    """g-0 stands still until it is out of the group; what it handles then counts for nothing."""
    trace = handled(
        Parallel(by="key", workers=4), Pause("g-0", at_ms=700, for_ms=5_000),
        instances=2, partitions=4, from_ms=400, processing=constant(300_000), commit_each=True,
        settings=protocol,
    )  # fmt: skip

    assert trace.of("partitions_lost")
    assert kept(trace, *SAFE, drained)


@PROTOCOLS
@pytest.mark.parametrize("on_revoked", ["wait", "drop"])
def test_what_comes_back_is_gone_on_with(on_revoked, protocol):
    """Members come and go while nothing is in hand: no partition remembers that it was stopped."""
    trace = handled(
        Parallel(by="key", on_revoked=on_revoked), Crash("g-1", at_ms=300, down_ms=3_000),
        instances=2, partitions=4, every_ms=150, processing=constant(1_000), settings=protocol,
    )  # fmt: skip

    assert len(trace.of("partitions_assigned")) >= 5
    assert kept(trace, *SAFE, never_delivered_twice, key_order, drained)


@pytest.mark.parametrize("by", ["partition", "record"])
def test_an_instance_that_is_asked_to_end_ends_when_nothing_is_in_hand(by):
    """It takes nothing more, finishes and commits what it has, and leaves; g-1 does the rest."""

    def deploy(cluster):
        cluster.store(LEDGER)
        items = [WorkItem(400_000, "orders", f"k{n % 10}", "v", f"e{n}") for n in range(40)]
        cluster.source("writer", items)
        serving = Serving(
            ("orders",), {**SESSION, "auto.offset.reset": "earliest", "max.poll.records": 5},
            processing=constant(50_000), parallel=Parallel(by=by, workers=4),
        )  # fmt: skip
        group = cluster.group("g", 2, generator, serving)

        def operate(node):
            yield node.sleep(450_000)
            group.stop("g-0")

        cluster.driver("operator", operate)

    trace = run(None, deploy=deploy, topics=[Topic("orders", 4)], broker=BROKER)

    assert kept(trace, *SAFE, never_applied_twice, drained)
    handled_by = [entry[2] for entry in trace.of("processing_ended")]
    assert 5 <= handled_by.count("g-0") < 20
    assert set(handled_by[20:]) == {"g-1"}


def test_chance_of_every_kind_breaks_no_promise():
    """Seeds, with crashes and rebalances on both sides, by each of the options."""
    for seed in range(24):
        by = ("partition", "key", "record")[seed % 3]
        on_revoked = ("wait", "drop")[seed % 2]
        protocol = (EAGER, COOPERATIVE, BY_THE_COORDINATOR)[seed // 2 % 3]
        trace = handled(
            Parallel(by=by, workers=3, on_revoked=on_revoked, in_hand=5),
            Crash("g-0", "after_process", nth=seed, down_ms=300),
            Crash("g-1", at_ms=900 + 50 * seed, down_ms=3_000),
            instances=3, partitions=4, every_ms=20, chooser=Seeded(seed),
            processing=uniform(1_000, 200_000), commit_each=seed % 5 == 0,
            settings={**protocol, "max.poll.records": 4},
        )  # fmt: skip
        assert kept(trace, *SAFE, drained), seed


def test_the_same_chance_gives_the_same_run():
    def once():
        return handled(
            Parallel(by="key", workers=3), Crash("g-0", "after_process", nth=5), instances=2,
            chooser=Seeded(4), processing=uniform(1_000, 90_000),
        ).digest()  # fmt: skip

    assert once() == once()


# --- As it is shown ------------------------------------------------------------------------------


def test_a_picture_shows_each_handlers_own_span():
    trace = handled(Parallel(by="record", workers=4), Crash("g-0", at_ms=100), records=8)
    spans = [row for row in spacetime(trace).rows if row.kind in {"process", "failed"}]
    started = trace.of("processing_started")
    ended = {entry[4][3:5]: entry[1] for entry in trace.of("processing_ended")}

    assert len(spans) == len(started)
    for span in spans:
        place = (int(span.partition.rpartition("-")[2]), span.offset)
        assert span.until_us == ended[place] or span.detail == "crash"
