"""The curve rises where the failure was decided, and is exact where nothing is left open."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    BadInput,
    CrashHazard,
    Estimate,
    Hazards,
    Seeded,
    Topic,
    Topology,
    Workload,
    Zero,
    never_applied_twice,
    never_lost,
    no_keys,
    simulate,
)
from simulator.chance.likelihood import SPARSE, SWARM
from simulator.chance.portfolio import Portfolio
from simulator.searching.causality import causality, order_of
from tests.few_orders import few_orders

P = 0.1
SITE = "crash@billing-1/after_commit"
SCENARIO = few_orders(
    AT_MOST_ONCE,
    events=3,
    topology=Topology(brokers=1, topics=(Topic("orders", 1),)),
    consumer={"max.poll.records": 1},
    hazards=Hazards(crash=(CrashHazard("billing-*", "after_commit", P),)),
)


def deciding():
    """Who commits: the sites of the benign run's crash points, in order."""
    return [one for one in order_of(SCENARIO, {}) if one.site.startswith("crash@")]


def witness():
    second = deciding()[1]
    return {(second.site, second.k): 1}


def test_the_curve_jumps_at_the_choice_that_lost_an_event():
    curve = causality(SCENARIO, "never_lost", witness(), tails=60)
    decisive = curve.decisive
    points = {point.made: point for point in curve.points}

    assert (decisive.last.site, decisive.last.k) in witness()
    assert not decisive.benign
    assert decisive.estimate.point == 1.0
    before = points[decisive.made - 1].estimate
    assert before.holds(1 - (1 - P) ** 2)  # Two more crash points are left.
    assert points[0].estimate.holds(1 - (1 - P) ** 3)
    assert "<-- decides most" in str(curve)
    assert str(curve).splitlines()[0].split()[1:4] == ["at", "the", "beginning:"]


def test_where_nothing_is_left_open_the_probability_is_exact():
    curve = causality(SCENARIO, never_lost, witness(), tails=20)
    last = curve.points[-1]

    assert last.made == curve.choices
    assert (last.estimate.low, last.estimate.high, last.estimate.method) == (1.0, 1.0, "exact")


def test_a_deterministic_rest_is_exact_everywhere():
    curve = causality(SCENARIO, never_lost, witness(), chooser=lambda _: Zero(), tails=3)

    assert [point.estimate.point for point in curve.points] == [0.0, 0.0, 1.0, 1.0]


def test_a_rest_of_faults_that_no_law_leaves_open_is_not_exact():
    """All that the laws leave open is over, but who draws the rests crashes consumers still."""
    certain = few_orders(
        AT_LEAST_ONCE,
        workload=Workload(events=2, keys=no_keys()),
        topology=Topology(brokers=1, topics=(Topic("orders", 1),)),
    )

    def crashing(run):
        return Portfolio(3, run, faults=("crash",), shares={SPARSE: 1, SWARM: 3})

    ends = len(order_of(certain, {}))
    curve = causality(
        certain, never_applied_twice, {}, at=(ends,), chooser=crashing, tails=40, seed=5
    )
    (last,) = curve.points

    assert last.estimate.n == 40
    assert 0.0 < last.estimate.point < 1.0


def test_any_places_can_be_looked_at_and_a_line_of_text_will_do():
    ((site, k), _), *_ = witness().items()
    curve = causality(SCENARIO, "never_lost", f"{site}#{k}=1", at=(3, 0), tails=5)

    assert [point.made for point in curve.points] == [0, 3]


def test_the_curve_is_the_same_whoever_runs_it():
    with ThreadPoolExecutor(2) as executor:
        one = causality(SCENARIO, "never_lost", witness(), tails=10, executor=executor)

    assert one == causality(SCENARIO, "never_lost", witness(), tails=10)


def test_other_means_may_estimate_each_point():
    """Exact enumeration, say: it is given the witness and how many choices are replayed."""
    given = []

    def estimating(_scenario, promised, told, made):
        given.append((promised, made))
        return Estimate(made / 10, None, None, 0.95, 1, "by hand")

    curve = causality(SCENARIO, "never_lost", witness(), at=(0, 2), estimating=estimating)

    assert given == [("never_lost", 0), ("never_lost", 2)]
    assert [point.estimate.point for point in curve.points] == [0.0, 0.2]


def test_a_natural_run_has_its_curve_too():
    """Found by a seed, told by its witness."""
    from simulator import Recording

    seed = next(s for s in range(99) if not never_lost(simulate(SCENARIO, Seeded(s))))
    recording = Recording(Seeded(seed))
    simulate(SCENARIO, recording)
    curve = causality(SCENARIO, "never_lost", recording.witness, tails=8, seed=100)

    assert curve.decisive.last.site.startswith("crash@")
    assert curve.points[-1].estimate.point == 1.0


@pytest.mark.parametrize("wrong", [{"tails": 0}, {"at": (-1,)}, {"at": (10_000,)}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput):
        causality(SCENARIO, "never_lost", witness(), **wrong)
