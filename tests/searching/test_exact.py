"""Every schedule, weighed by the laws, gives the probability that sampling them estimates."""

import attrs
import pytest

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    IN_MEMORY_SET,
    Consumers,
    CrashHazard,
    Hazards,
    Link,
    Seeded,
    Status,
    Topic,
    Topology,
    Workload,
    constant,
    empirical,
    never_applied_twice,
    never_lost,
    simulate,
    uniform,
)
from simulator.chance.scope import Scope
from simulator.chance.within import Within
from simulator.errors import BadInput
from simulator.scenario.workload import uniform_keys
from simulator.searching.exact import after, length, probability
from simulator.stats.proportions import proportion
from tests.few_orders import SESSION, few_orders

WILD = Link(latency=uniform(500, 30_000))
SITES = ("crash@*", "drop@*")


def tiny(guarantee, *, crash=0.0, point="after_process", loss=0.0, message="*", events=1):
    """One consumer that may crash at one of its points, on links that lose one kind of message."""
    return few_orders(
        guarantee,
        topology=Topology(
            brokers=1, topics=(Topic("orders", 1),), links=(Link(loss=loss, messages=message),)
        ),
        workload=Workload(events=events, keys=uniform_keys(1)),
        consumers=Consumers(instances=1, settings=SESSION, processing=constant(1_000)),
        hazards=Hazards(crash=(CrashHazard("billing-0", point, crash),)),
    )


def loses(crash, point, events=1):
    return tiny(AT_MOST_ONCE, crash=crash, point=point, events=events), never_lost


def twice(guarantee, crash, point, events=1):
    return tiny(guarantee, crash=crash, point=point, events=events), never_applied_twice


def uncommitted(loss, events=1):
    """The link loses commits, and what was not committed is handled again."""
    scenario = tiny(AT_LEAST_ONCE, loss=loss, message="OffsetCommitRequest", events=events)
    return scenario, never_applied_twice


CONFIGURATIONS = [
    *(loses(p, "after_commit") for p in (0.1, 0.5, 0.9)),
    *(loses(p, "before_process") for p in (0.2, 0.7)),
    *(loses(p, "after_commit", 2) for p in (0.3, 0.6)),
    *(twice(AT_LEAST_ONCE, p, "after_process") for p in (0.05, 0.3, 0.5)),
    *(twice(AT_LEAST_ONCE, p, "before_commit", 2) for p in (0.1, 0.4)),
    *(twice(IN_MEMORY_SET, p, "after_process") for p in (0.2, 0.4)),
    *(twice(AT_LEAST_ONCE, p, "after_*") for p in (0.1, 0.25)),
    *(uncommitted(p) for p in (0.1, 0.3)),
    *(uncommitted(p, 2) for p in (0.2, 0.4)),
]
RUNS = 150
WIDTH = 0.01  # A crash can follow a crash for ever: what is left is as wide at most.


def sampled(scenario, check, seed):
    """How many of the runs break the promise."""
    scope = Scope(SITES)
    broken = 0
    for number in range(RUNS):
        watching = check.start()
        chooser = Within(scope, Seeded(seed * RUNS + number))
        simulate(scenario, chooser, observers=watching.observers.items(), keep=False)
        broken += watching.finish().status is Status.BROKEN
    return broken


@pytest.mark.parametrize("number", range(len(CONFIGURATIONS)))
def test_the_exact_probability_lies_in_the_interval_of_sampling(number):
    """At 99.9 %, of twenty configurations with fixed seeds."""
    scenario, check = CONFIGURATIONS[number]
    exact = probability(scenario, check, SITES, width=WIDTH)
    broken = sampled(scenario, check, number)
    sampling = proportion(broken, RUNS, confidence=0.999)

    assert exact.high - exact.low <= WIDTH + 1e-9
    assert sampling.low <= exact.high, (exact, broken)
    assert exact.low <= sampling.high, (exact, broken)


def test_a_choice_or_two_are_reckoned_by_hand():
    """A crash after the commit, of two messages one by one: lost unless neither is struck."""
    scenario, check = loses(0.3, "after_commit", 2)
    exact = probability(scenario, check, SITES)

    assert exact.exact
    assert exact.complete
    assert exact.mass == pytest.approx(1.0, abs=1e-12)
    assert exact.low == pytest.approx(1 - 0.7**2)
    assert "P(never_lost is broken) = 0.51" in str(exact)


def test_what_was_not_run_widens_the_interval():
    """With one crash at most, two crashes are unexplored."""
    scenario, check = twice(AT_LEAST_ONCE, 0.5, "after_process")
    bounded = probability(scenario, check, SITES, budgets={"crash": 1})
    whole = probability(scenario, check, SITES, width=1e-3)

    assert not bounded.exact
    assert bounded.low <= whole.low <= whole.high <= bounded.high
    assert bounded.mass == pytest.approx(0.5 + 0.5 * 0.5)
    assert " in [" in str(bounded)


def test_the_interval_shrinks_with_every_schedule():
    scenario, check = twice(AT_LEAST_ONCE, 0.3, "after_*")
    widths = []
    for most in (1, 3, 9, 27):
        found = probability(scenario, check, SITES, most=most)
        widths.append(found.high - found.low)

    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < widths[0]


def test_laws_of_few_answers_are_weighed_and_others_refused():
    """A measured delay is finite, a uniform one has too many answers."""
    fine = attrs.evolve(
        tiny(AT_MOST_ONCE),
        topology=Topology(
            brokers=1,
            topics=(Topic("orders", 1),),
            links=(Link("orders-producer", "broker-0", latency=empirical((500, 500, 700))),),
        ),
    )
    found = probability(fine, never_lost, ("delay@*/ProduceRequest",))

    assert found.schedules == 2
    assert found.low == 0.0
    assert found.exact

    wild = attrs.evolve(fine, topology=attrs.evolve(fine.topology, links=(WILD,)))
    with pytest.raises(BadInput, match="!delay@"):
        probability(wild, never_lost)


def test_the_probability_after_each_choice_is_a_causality_curve():
    """From the probability beforehand to certainty; each point is the mean of what may follow."""
    scenario, check = loses(0.3, "after_commit", 2)
    witness = {("crash@billing-0/after_commit", 1): 1}
    choices = length(scenario, witness, SITES)
    curve = [
        after(scenario, check, witness, given, SITES).low for given in range(choices + 1)
    ]

    assert choices == 2
    assert curve == pytest.approx([0.51, 0.3, 1.0])
    assert curve[0] == pytest.approx(0.3 * 1.0 + 0.7 * curve[1])


def test_a_planned_loss_on_a_lossless_link_is_given_too():
    """A choice that no law leaves open counts where the witness names its site."""
    scenario = tiny(AT_LEAST_ONCE)
    witness = {("crash@billing-0/after_process", 0): 1}
    choices = length(scenario, witness, SITES)

    assert after(scenario, never_applied_twice, witness, 0, SITES).low == 0.0
    assert after(scenario, never_applied_twice, witness, choices, SITES).low == 1.0


@pytest.mark.parametrize("most", [0, 1])
def test_what_is_given_uses_no_budget(most):
    """Two crashes are given and one is allowed besides: the interval holds the exact number."""
    scenario, check = loses(0.3, "after_commit", 2)
    witness = {("crash@billing-0/after_commit", number): 1 for number in range(2)}
    choices = length(scenario, witness, SITES)

    for given in range(choices + 1):
        exact = after(scenario, check, witness, given, SITES)
        bounded = after(scenario, check, witness, given, SITES, budgets={"crash": most})

        assert exact.exact
        assert bounded.low - 1e-12 <= exact.low <= bounded.high + 1e-12
    assert bounded.low == exact.low == 1.0


def test_what_of_the_scope_no_run_met_is_named():
    found = probability(tiny(AT_LEAST_ONCE), never_lost, ("crash@*", "crash@biling-*"))

    assert found.unmet == ("crash@biling-*",)
    assert "; never met: crash@biling-*)" in str(found)
