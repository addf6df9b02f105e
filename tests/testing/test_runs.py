"""A run that Hypothesis draws can be judged, told, and had again."""

import textwrap
from functools import partial

import attrs
import pytest
from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st

import simulator
from simulator import (
    AT_LEAST_ONCE,
    EXACTLY_ONCE,
    BadInput,
    Consumers,
    Crash,
    FaultPlan,
    Link,
    Replay,
    Status,
    Topic,
    Topology,
    constant,
    drained,
    format_witness,
    never_applied_twice,
    never_lost,
    no_keys,
    parse_witness,
    simulate,
    uniform,
)
from simulator.testing import Run, fault_plans, runs
from simulator.testing.topologies import topologies
from simulator.testing.workloads import workloads
from tests.few_orders import SESSION, few_orders

FEW = settings(
    max_examples=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[phase for phase in Phase if phase is not Phase.explain],
)
MORE = settings(FEW, max_examples=1_000)
# Messages are lost, doubled and late by chance, and processing takes its time.
CHANCY = few_orders(
    EXACTLY_ONCE,
    topology=Topology(
        brokers=2,
        topics=(Topic("orders", 2),),
        links=(Link(latency=uniform(500, 5_000), loss=0.02, duplicate=0.02),),
    ),
)
TWICE = few_orders(AT_LEAST_ONCE, events=2)


def failure_of(test):
    """All that Hypothesis and pytest would print of a failing property."""
    with pytest.raises(AssertionError) as caught:
        test()
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])


def again(run, replay=None):
    """The run of the replay that a failing property prints."""
    lines = textwrap.dedent((replay or run.replay()).partition("\n")[2])
    names = {name: getattr(simulator, name) for name in simulator.__all__}
    names |= {"attrs": attrs, "scenario": run.scenario}
    exec(lines, names)
    return names["trace"]


# --- The run ------------------------------------------------------------------------------------


@FEW
@given(runs(CHANCY, fault_plans(CHANCY)))
def test_a_run_is_had_again_by_its_witness(run):
    """As data, through its line of text, and by the code that is printed."""
    witness = parse_witness(format_witness(run.witness))

    assert simulate(run.scenario, Replay(witness)).digest() == run.trace.digest()
    assert again(run).digest() == run.trace.digest()


@FEW
@given(runs(CHANCY))
def test_chance_keeps_the_promise(run):
    run.expect(never_lost, never_applied_twice)


def test_the_simplest_run_is_the_benign_one():
    run = find(runs(CHANCY, fault_plans(CHANCY)), lambda _: True, settings=FEW)

    assert run.scenario.faults == FaultPlan()
    assert not run.witness
    assert run.trace.digest() == simulate(CHANCY).digest()


def test_a_scenario_that_leaves_nothing_to_chance_has_one_run():
    """A producer alone, with one partition to choose from, on wires that are all alike."""
    certain = few_orders(
        workload=attrs.evolve(CHANCY.workload, keys=no_keys()),
        topology=Topology(topics=(Topic("orders", 1),)),
        consumers=Consumers(instances=0),
    )
    found = []

    @FEW
    @given(runs(certain))
    def look(run):
        found.append(run)

    look()

    assert len(found) == 1
    assert not found[0].witness


def test_the_faults_of_the_scenario_itself_are_kept():
    crash = Crash("billing-1", "after_process")
    scenario = attrs.evolve(TWICE, faults=FaultPlan((crash,)))
    run = find(runs(scenario), lambda _: True, settings=FEW)

    assert tuple(run.scenario.faults) == (crash,)
    assert run.verdicts(never_applied_twice)[0].status is Status.BROKEN


def test_drawn_faults_come_on_top_of_those_of_the_scenario():
    """At a moment for which something is planned, that is what happens."""
    crash = Crash("billing-1", "after_poll")
    scenario = attrs.evolve(TWICE, faults=FaultPlan((crash,)))
    other = Crash("billing-0", "after_process")
    drawn = FaultPlan((attrs.evolve(crash, down_ms=7), other))
    run = find(runs(scenario, st.just(drawn)), lambda _: True, settings=FEW)

    assert run.scenario.faults == FaultPlan((crash, other))
    assert run.added == (other,)
    assert again(run).digest() == run.trace.digest()


def test_a_planned_fault_is_not_what_a_failure_is_said_to_need():
    crash = Crash("billing-1", "after_poll")
    scenario = attrs.evolve(TWICE, faults=FaultPlan((crash,)))
    plans = fault_plans(scenario, kinds=("crash",), nodes="billing-*")

    @MORE
    @given(runs(scenario, plans))
    def holds(run):
        run.expect(never_applied_twice)

    said = failure_of(holds)

    assert f"as planned: {crash!r}" in said
    assert "broken with 1 fault" in said


def test_what_chance_did_shrinks_to_the_one_choice_that_matters():
    """One message is lost, of hundreds that might have been."""

    def sent_again(run):
        return any(entry[4][0] == "batch_retried" for entry in run.trace.flat)

    run = find(runs(CHANCY), sent_again, settings=MORE)

    (((site, _), value),) = run.witness.items()
    assert site.startswith("drop@")
    assert value == 1


# --- What is expected of it -----------------------------------------------------------------------


@settings(MORE, derandomize=False)
@seed(0)
@given(runs(TWICE, fault_plans(TWICE, kinds=("crash",), nodes="billing-*")))
def applies_once(run):
    run.expect(never_lost, never_applied_twice)


def test_a_failing_property_tells_all():
    """The story, how to have it again, the workload, the faults as values, and the witness."""
    said = failure_of(applies_once)

    assert "never_applied_twice: broken" in said
    assert "What happened" in said
    assert "billing-1 crashes (after_process)" in said
    assert "workload: 2 events to orders, at-least-once: e1 (key k0), e2 (key k0)" in said
    assert "\nfault: Crash(node='billing-1', point='after_process')\n" in said
    assert "witness: (nothing by chance)" in said
    assert "faults = FaultPlan((Crash(node='billing-1', point='after_process'),))" in said
    assert "trace = simulate(attrs.evolve(scenario, faults=faults), Zero())" in said
    assert "run=Run(at-least-once, 2 events, faults=(" in said
    assert "never_lost" not in said.replace("run.expect(never_lost", "")


def test_the_printed_replay_is_the_run():
    run = find(
        runs(TWICE, fault_plans(TWICE)),
        lambda run: never_applied_twice(run.trace).status is Status.BROKEN,
        settings=MORE,
    )

    assert again(run).digest() == run.trace.digest()
    assert never_applied_twice(again(run)).status is Status.BROKEN


def test_a_witness_is_printed_as_one_line():
    @settings(MORE)
    @given(runs(CHANCY))
    def nothing_is_lost(run):
        assert not any(entry[4][0] == "message_dropped" for entry in run.trace.flat)

    said = failure_of(nothing_is_lost)

    assert "\nwitness: drop@" in "\n" + said
    assert "faults: none" in said


def test_a_verdict_that_cannot_tell_fails_as_well():
    """The only instance is down for longer than the run is given."""
    scenario = few_orders(
        AT_LEAST_ONCE,
        consumers=Consumers(instances=1, settings=SESSION, processing=constant(5_000)),
        faults=FaultPlan((Crash("billing-0", "after_poll", down_ms=100_000),)),
        horizon_ms=1_000,
    )
    run = Run(scenario, {}, simulate(scenario))

    assert run.verdicts(drained)[0].status is Status.CANNOT_TELL
    with pytest.raises(AssertionError, match="drained: cannot tell: the run was cut"):
        run.expect(drained)


def test_a_kept_promise_says_nothing():
    assert Run(TWICE, {}, simulate(TWICE)).expect(never_lost, never_applied_twice) is None


def test_an_error_in_a_handler_is_shown_with_the_faults_that_led_to_it():
    """The original exception, and how to have it again."""

    def fragile(context):
        def handle(record):
            if context.node.incarnation:
                raise ZeroDivisionError(record.event_id)
            yield context.sleep(1_000)

        return handle

    consumers = Consumers(settings=SESSION, processing=constant(5_000), handler=fragile)
    scenario = few_orders(AT_LEAST_ONCE, events=2, consumers=consumers)

    @settings(MORE)
    @given(runs(scenario, fault_plans(scenario, kinds=("crash",))))
    def never_fails(run):
        assert run

    with pytest.raises(ZeroDivisionError) as caught:
        never_fails()
    said = "\n".join(caught.value.__notes__)

    assert said.count("fault: Crash(node='billing-") == 1
    assert "Replay:" in said


def test_a_run_is_one_line():
    run = Run(TWICE, {("drop@a>b/ProduceRequest", 0): 1}, simulate(TWICE))

    assert repr(run) == (
        "Run(at-least-once, 2 events, faults=(), witness='drop@a>b/ProduceRequest#0=1')"
    )


def test_many_events_are_told_in_short():
    run = Run(TWICE, {}, simulate(few_orders(AT_LEAST_ONCE, events=30, per_s=100)))

    assert run.about().splitlines()[0].endswith("e8 (key k0), and 22 more")


@FEW
@given(st.data())
def test_runs_can_be_drawn_inside_a_property(data):
    assert data.draw(runs(TWICE)).trace.kept


# --- Parts of the scenario that are drawn, and the end of a failure ------------------------------


def test_topology_load_and_faults_become_small_together():
    """One broker, one partition, hardly an event, one fault; and the code has the run again."""
    seen = []
    crashes = partial(fault_plans, kinds=("crash",), nodes="billing-*")

    @settings(MORE, derandomize=False)
    @seed(2)
    @given(runs(TWICE, crashes, topology=topologies(), workload=workloads()))
    def applies_once(run):
        seen.append(run)
        run.expect(never_applied_twice)

    said = failure_of(applies_once)
    run = seen[-1]

    assert run.scenario.topology.brokers == 1
    assert run.scenario.topology.topics[0].partitions == 1
    assert run.scenario.workload.size <= 2
    assert len(run.scenario.faults) == 1
    assert "scenario = attrs.evolve(scenario, topology=Topology(" in said
    assert again(attrs.evolve(run, scenario=TWICE), run.replay()).digest() == run.trace.digest()


def test_a_failure_ends_with_the_certified_smallest():
    """Asked for once, when the failure is told."""
    said = failure_of(applies_once)

    assert said.count("all smaller schedules were run") == 1
    assert "never_applied_twice: broken with 1 fault, 1 event" in said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"faults": FaultPlan()}, "runs.faults: must be a strategy .*, not FaultPlan"),
        ({"faults": lambda _: FaultPlan()}, "runs.faults: must be a strategy .*, not FaultPlan"),
        ({"faults": st.just([1])}, "runs.faults: .* must be a FaultPlan, not"),
        ({"topology": Topology()}, "runs.topology: must be a strategy .*, not Topology"),
        ({"workload": workloads}, "runs.workload: must be a strategy .*, not <function"),
    ],
)
def test_what_is_drawn_from_is_a_strategy(asked, said):
    """And not a value that could be drawn, nor a function that gives one."""
    with pytest.raises(BadInput, match=said):
        find(runs(TWICE, **asked), lambda _: True, settings=FEW)


def test_plans_of_one_scenario_are_not_those_of_drawn_ones():
    with pytest.raises(BadInput, match="each drawn scenario needs plans of its own"):
        runs(TWICE, fault_plans(TWICE), workload=workloads())
    with pytest.raises(BadInput, match=r"no field called.*'size'"):
        runs(TWICE, size=st.integers())
