"""One scenario and one chooser are one run, whether anyone keeps it, and whatever is planned."""

import attrs
import pytest

from simulator.chance import Recording, Replay, Seeded, Tape, Zero, uniform
from simulator.checks.catalogue import CHECKS
from simulator.checks.check import watch
from simulator.errors import BadInput, EventBudgetExceeded, UnknownSite
from simulator.protocol.names import MICROS_PER_MS
from simulator.scenario.faults import (
    Clog,
    Crash,
    CrashHazard,
    Delay,
    DiskLoss,
    Drop,
    Duplicate,
    FaultPlan,
    Hazards,
    Partition,
    Pause,
    Skew,
)
from simulator.scenario.guarantee import AT_LEAST_ONCE, AT_MOST_ONCE, EXACTLY_ONCE
from simulator.scenario.scenario import Consumers
from simulator.scenario.topology import Link, Topic, Topology
from simulator.study.simulate import simulate
from simulator.trace.trace import first_difference
from tests.clustered import events
from tests.few_orders import PRODUCER, SESSION, few_orders

NODE = "billing-0"


def stormy(guarantee=AT_LEAST_ONCE, **more):
    """Few orders where much goes wrong by chance."""
    return few_orders(
        guarantee,
        topology=Topology(
            2,
            (Topic("orders", 2),),
            (Link(latency=uniform(500, 3_000), loss=0.02, duplicate=0.02),),
        ),
        hazards=Hazards((CrashHazard("billing-*", "*", 0.05),)),
        **more,
    )


def single(*faults, events=5):
    """One broker, one partition, one instance: it is known who does what."""
    return few_orders(
        topology=Topology(1, (Topic("orders", 1),)),
        consumers=Consumers(instances=1, settings=SESSION),
        faults=FaultPlan(faults),
        events=events,
    )


# --- One run -------------------------------------------------------------------------------------


@pytest.mark.parametrize("chooser", [None, Zero(), Seeded(7), Tape(b"\x00\xff\x17" * 50)])
def test_the_same_scenario_and_chooser_give_the_same_run(chooser):
    """The chooser may even be the same object: it begins anew."""
    one, other = simulate(stormy(), chooser), simulate(stormy(), chooser)

    assert first_difference(one, other) is None
    assert one.digest() == other.digest()


def test_another_seed_is_another_run():
    assert simulate(stormy(), Seeded(1)).digest() != simulate(stormy(), Seeded(2)).digest()


def test_without_a_chooser_nothing_happens_by_chance():
    trace = simulate(stormy())

    assert first_difference(trace, simulate(stormy(), Zero())) is None
    assert not trace.of("node_crashed", "message_dropped", "message_duplicated")


def test_the_trace_begins_and_ends_with_the_run_and_knows_what_it_is_of():
    trace = simulate(stormy(name="storm"), Seeded(3))

    assert trace.flat[0][4] == ("run_started", "storm")
    assert trace.flat[-1][4] == ("run_ended", "quiet")
    assert trace.meta["scenario"] == "storm"
    assert trace.meta["chooser"] == "seed 3"
    assert "unmet" not in trace.meta


@pytest.mark.parametrize("seed", range(6))
def test_a_recorded_run_replays_to_the_letter(seed):
    recording = Recording(Seeded(seed))
    one = simulate(stormy(), recording)

    assert first_difference(one, simulate(stormy(), Replay(recording.witness))) is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, EXACTLY_ONCE], ids=lambda one: one.name)
def test_a_run_that_is_not_kept_gives_the_same_verdicts_with_the_same_evidence(seed, guarantee):
    """Nothing is elided but the entries: a seq names the same entry in both."""
    scenario = stormy(guarantee)
    kept = simulate(scenario, Seeded(seed))
    observers, finish = watch(CHECKS.values())
    not_kept = simulate(scenario, Seeded(seed), observers=observers, keep=False)

    assert not_kept.seq == kept.seq == len(kept)
    assert len(not_kept) == 0
    assert finish() == tuple(check(kept) for check in CHECKS.values())


@pytest.mark.parametrize("kind", ["message_sent", "record_polled", "run_ended"])
def test_whom_one_observes_changes_no_entry(kind):
    seen = []
    observed = simulate(stormy(), Seeded(1), observers=[(kind, seen.append)], keep=False)
    kept = simulate(stormy(), Seeded(1))

    assert seen == kept.of(kind)
    assert observed.seq == kept.seq


# --- What is planned -----------------------------------------------------------------------------

PLANNED = {
    "drop": (Drop(PRODUCER, "broker-0", "ProduceRequest"), "message_dropped"),
    "duplicate": (Duplicate(PRODUCER, "broker-0", "ProduceRequest"), "message_duplicated"),
    "crash": (Crash(NODE, "after_process"), "node_crashed"),
    "crash at": (Crash("broker-0", at_ms=300, down_ms=200), "node_crashed"),
    "disk": (DiskLoss("ledger", at_ms=300), "node_crashed"),
    "pause": (Pause(NODE, 200, 300), "node_paused"),
    "partition": (Partition((NODE,), ("broker-*",), 100, 200), "link_cut"),
    "clog": (Clog("*", "broker-0", 100, 200), "link_clogged"),
    "skew": (Skew(NODE, 100, 50), "clock_skewed"),
}
CHOOSERS = [None, Seeded(3), Tape(b"\x01\x02"), Replay({}), Recording(Seeded(3))]


@pytest.mark.parametrize("chooser", CHOOSERS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("name", PLANNED)
def test_a_planned_fault_is_applied_whoever_answers_for_chance(name, chooser):
    fault, kind = PLANNED[name]
    calm = simulate(single(), chooser)
    trace = simulate(single(fault), chooser)

    assert not calm.of(kind)
    assert trace.of(kind)
    assert "unmet" not in trace.meta


def test_a_planned_delay_is_applied_on_a_link_that_has_none():
    late = Delay(PRODUCER, "broker-0", "MetadataRequest", extra_ms=70)
    first, later = (
        run.of("batch_appended")[0][1] for run in map(simulate, (single(), single(late)))
    )

    assert later - first == 70 * MICROS_PER_MS


def test_a_plan_changes_nothing_before_its_first_fault():
    fault = Crash(NODE, "after_process", nth=2)
    calm, trace = simulate(single(), Seeded(9)), simulate(single(fault), Seeded(9))

    assert first_difference(calm, trace)[1] == trace.of("node_crashed")[0]


def test_planned_faults_that_never_came_to_pass_are_named_in_the_traces_meta():
    trace = simulate(
        single(
            Crash(NODE, "after_process", nth=900),
            Drop(PRODUCER, "broker-0", "FetchRequest"),
            Drop(PRODUCER, "broker-0", "ProduceRequest"),
        )
    )

    assert trace.meta["unmet"] == [
        f"crash@{NODE}/after_process#900",
        f"drop@{PRODUCER}>broker-0/FetchRequest#0",
    ]
    assert len(trace.of("message_dropped")) >= 1


def test_a_witness_of_another_run_is_refused_by_name():
    with pytest.raises(UnknownSite, match="billing-7"):
        simulate(few_orders(), Replay({("crash@billing-7/after_process", 0): 1}))


def test_a_fault_of_a_node_that_the_model_does_not_have_is_refused_by_name():
    with pytest.raises(BadInput, match=r"unknown node.* 'nobody'"):
        simulate(few_orders(faults=FaultPlan((Pause("nobody", 1, 1),))))


# --- How it ends ---------------------------------------------------------------------------------


def test_an_endless_run_ends_with_a_named_error():
    with pytest.raises(EventBudgetExceeded, match="more than 50 events"):
        simulate(attrs.evolve(few_orders(), event_budget=50))


def test_a_run_without_work_ends_at_once():
    trace = simulate(few_orders(events=0))

    assert events(trace, "workload_ended", "run_ended") == [(0,), ("quiet",)]


def test_hazards_end_when_they_are_told_to_and_the_run_goes_on():
    scenario = attrs.evolve(stormy(events=20), heal_after_ms=300)
    trace = simulate(scenario, Seeded(2))

    (healed,) = trace.of("faults_ended")
    assert healed[1] == 300 * MICROS_PER_MS
    late = [
        entry for entry in trace.of("node_crashed", "message_duplicated") if entry[0] > healed[0]
    ]
    assert late == []
    assert trace.of("effect_applied")[-1][1] > healed[1]


def test_chance_ends_with_the_load_at_last():
    """The hazards would crash each instance at every point for ever."""
    scenario = few_orders(hazards=Hazards((CrashHazard("billing-*", "after_process", 1.0),)))
    trace = simulate(scenario, Seeded(1))

    assert len(trace.of("faults_ended")) == 1
    assert trace.flat[-1][4] == ("run_ended", "quiet")
    assert {event[3] for event in events(trace, "effect_applied")} == {
        f"e{number}" for number in range(1, 6)
    }


@pytest.mark.parametrize("seed", range(1, 9))
def test_nothing_happens_after_the_end(seed):
    """Not even in the same instant: the entry that says how a run ended is its last."""
    links = (Link(latency=uniform(0, 50_000)),)
    trace = simulate(few_orders(topology=Topology(links=links)), Seeded(seed))

    assert [entry[0] for entry in trace.of("run_ended")] == [len(trace) - 1]


@pytest.mark.parametrize(("guarantee", "at_ms"), [(AT_LEAST_ONCE, 111), (AT_MOST_ONCE, 307)])
def test_a_group_that_was_lost_with_its_disk_is_formed_anew(guarantee, at_ms):
    """The coordinator knows no such group: the commit is refused, and its member joins again."""
    lost = FaultPlan((DiskLoss("broker-1", at_ms=at_ms, down_ms=500),))
    trace = simulate(attrs.evolve(few_orders(guarantee), faults=lost))

    assert events(trace, "run_ended") == [("quiet",)]
    assert "GROUP_ID_NOT_FOUND" in [event[-1] for event in events(trace, "commit_answered")]
    assert len(events(trace, "generation_started")) > 1


def test_a_trace_tells_what_the_guarantee_promised_and_nothing_of_a_models_own_promises():
    assert simulate(few_orders(EXACTLY_ONCE)).meta["promises"] == list(EXACTLY_ONCE.promises)
    assert "promises" not in simulate(few_orders(application=lambda _: None)).meta
