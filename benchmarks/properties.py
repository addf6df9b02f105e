"""What Hypothesis costs: the same runs, judged, with it and without it.

The runs are drawn once. Then in every round they are drawn again by the same seed, run and judged
(the case), and run and judged without Hypothesis, from their scenarios and witnesses (the base):
the ratio of the rates is the share that the drawing leaves to the runs.

Small scenarios are the hard case, for Hypothesis costs the same whatever a run does.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.measuring import Case, Costs, cost, sized
from simulator.chance import Replay, Seeded, Zero
from simulator.checks.delivery import never_applied_twice, never_lost
from simulator.errors import SimulatorError
from simulator.protocol.names import MICROS_PER_MS
from simulator.scenario.faults import Crash, FaultPlan
from simulator.scenario.guarantee import EXACTLY_ONCE
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Link, Topic, Topology
from simulator.scenario.workload import Workload, bursts, uniform_keys
from simulator.study.simulate import simulate
from simulator.testing.faults import fault_plans
from simulator.testing.runs import runs

EXAMPLES = 200
EVENTS = 3
CHECKS = (never_lost, never_applied_twice)
SETTINGS = {"session.timeout.ms": 2_000, "heartbeat.interval.ms": 500}
BROKER = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000}
SCENARIO = Scenario(
    topology=Topology(1, (Topic("orders", 1),), (Link(),)),
    workload=Workload(events=EVENTS, arrivals=bursts(EVENTS, 10), keys=uniform_keys(2)),
    guarantee=EXACTLY_ONCE,
    consumers=Consumers(instances=1, settings=SETTINGS),
    broker=BROKER,
)

Known = tuple[Scenario, Mapping[tuple[str, int], int] | int]


def judge(scenario: Scenario, chance: Mapping[tuple[str, int], int] | int) -> None:
    """One run and its verdicts, without Hypothesis; a number is a seed."""
    chooser = Seeded(chance) if isinstance(chance, int) else Replay(chance) if chance else Zero()
    trace = simulate(scenario, chooser)
    for check in CHECKS:
        check(trace)


def judge_all(known: list[Known]) -> None:
    """All runs of a round."""
    for scenario, chance in known:
        judge(scenario, chance)


def property_of(
    strategy: st.SearchStrategy[Any], examples: int, body: Callable[[Any], None]
) -> Callable[[], None]:
    """A property that holds, with the same examples each time."""

    @seed(1)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def holds(drawn: Any) -> None:
        body(drawn)

    return holds


def share(
    strategy: st.SearchStrategy[Any],
    run: Callable[[Any], Known],
    body: Callable[[Any], None],
    size: float,
) -> Costs:
    """The cost of a run with Hypothesis, against the same without."""
    known: list[Known] = []
    examples = sized(size, EXAMPLES, 5)
    property_of(strategy, examples, lambda drawn: known.append(run(drawn)))()
    if len(known) < min(examples, 5):
        raise SimulatorError(f"Hypothesis has drawn {len(known)} runs of {examples}")
    return Costs(
        cost(property_of(strategy, examples, body), len(known)),
        cost(partial(judge_all, known), len(known)),
    )


def seeded_run(drawn: tuple[int, int, int]) -> Known:
    """Three numbers: the seed, at which record the consumer dies, and for how long."""
    number, nth, down_ms = drawn
    crash = Crash("billing-0", "after_process", nth, down_ms=down_ms)
    return attrs.evolve(SCENARIO, faults=FaultPlan((crash,))), number


def three_draws_costs(size: float) -> Costs:
    """A crash at one of the records, by three draws."""
    strategy = st.tuples(
        st.integers(0, 2**32), st.integers(0, EVENTS - 1), st.integers(1, MICROS_PER_MS)
    )
    return share(strategy, seeded_run, lambda drawn: judge(*seeded_run(drawn)), size)


def drawn_run(drawn: Any) -> Known:
    """A Run of the strategy, to be had again."""
    return drawn.scenario, drawn.witness


def fault_plan_costs(size: float) -> Costs:
    """Whatever may go wrong, drawn as a plan, and chance."""
    strategy = runs(SCENARIO, fault_plans(SCENARIO))
    return share(strategy, drawn_run, lambda drawn: drawn.verdicts(*CHECKS), size)


CASES = (
    Case("three-draws", "runs by Hypothesis, 3 draws, per raw run", 0.40, three_draws_costs),
    Case("fault-plan", "runs by Hypothesis, a fault plan, per raw run", 0.30, fault_plan_costs),
)
