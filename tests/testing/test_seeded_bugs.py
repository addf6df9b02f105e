"""Seeded bugs are found in few examples, whatever the seed, and told by their smallest run.

What is counted are examples until the first that breaks the promise, the very first of Hypothesis'
own seeds 0, 1, 2, ... Nothing is taken from a database.
"""

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from simulator import Status, simulate
from simulator.testing import fault_plans, runs
from simulator.testing.expecting import finish
from simulator.testing.faults import surveyed
from tests.seeded import LATE, LATE_FAULT, SEEDED

EXAMPLES, SEEDS = 200, 5
LATE_EXAMPLES, LATE_SEEDS = 500, 3


class _FoundError(BaseException):
    """Hypothesis lets it pass."""


def first_broken(one, start, most):
    """The first example that breaks the promise, counted from 1, and its run."""
    tried, found = 0, None

    @seed(start)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(runs(one.scenario, one.faults(one.scenario)))
    def holds(run):
        nonlocal tried, found
        tried += 1
        if one.check(run.trace).status is Status.BROKEN:
            found = run
            raise _FoundError

    with pytest.raises(_FoundError):
        holds()
    return tried, found


@pytest.mark.parametrize("start", range(SEEDS))
@pytest.mark.parametrize("one", SEEDED.values(), ids=lambda one: one.name)
def test_a_seeded_bug_is_found(one, start):
    tried, _ = first_broken(one, start, EXAMPLES)

    assert tried <= EXAMPLES


@pytest.mark.parametrize("start", range(LATE_SEEDS))
def test_a_fault_that_is_needed_late_is_found(start):
    """Nothing before the thirtieth of forty events does any harm."""
    tried, run = first_broken(LATE_FAULT, start, LATE_EXAMPLES)

    assert tried <= LATE_EXAMPLES
    (case, *_) = LATE_FAULT.check(run.trace).evidence
    assert int(case.event_ids[0][1:]) > LATE


@pytest.mark.parametrize("one", [*SEEDED.values(), LATE_FAULT], ids=lambda one: one.name)
def test_a_seeded_bug_hides_when_nothing_goes_wrong(one):
    assert one.check(simulate(one.scenario)).status is Status.KEPT


@pytest.mark.parametrize("name", ["retry duplicate", "mark before effect"])
def test_the_end_of_the_search_is_the_certified_smallest(name):
    one = SEEDED[name]
    _, run = first_broken(one, 0, EXAMPLES)

    said = finish(run.scenario, run.witness, one.check, run.added)

    assert f"{one.check.name}: broken with 1 fault" in said
    assert "all smaller schedules were run" in said


def test_the_moments_of_a_plan_are_mostly_those_that_surely_come():
    """A fault that only a fault before it makes possible is the rarer one."""
    scenario = SEEDED["retry duplicate"].scenario
    sure = surveyed(scenario).sure
    met = [0, 0]

    @seed(0)
    @settings(max_examples=200, database=None, phases=[Phase.generate])
    @given(fault_plans(scenario, kinds=("drop",), most=1))
    def look(plan):
        for fault in plan:
            site = f"drop@{fault.source}>{fault.target}/{fault.message}"
            met[fault.nth < sure.get(site, 0)] += 1

    look()

    assert met[True] > met[False] > 0
