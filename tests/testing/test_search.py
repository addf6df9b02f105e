"""A search finds the first run that breaks a promise, makes it small, and stops in time."""

import attrs
import pytest

from simulator import (
    AT_LEAST_ONCE,
    BadInput,
    Check,
    Crash,
    Drop,
    FaultPlan,
    Status,
    drained,
    never_applied_twice,
    simulate,
)
from simulator.testing import fault_plans, replay, search
from tests.few_orders import few_orders

ORDERS = few_orders(AT_LEAST_ONCE, events=2)
CRASHES = fault_plans(ORDERS, kinds=("crash",), nodes="billing-*", most=3)
ONE_CRASH = (Crash("billing-1", "after_process"),)


def counted(check, runs):
    """The check, which notes every run that it judges."""

    def start():
        runs.append(check)
        return check.start()

    return Check(check.name, check.promise, start)


def test_the_smallest_run_that_breaks_a_promise_is_found():
    found = search(ORDERS, never_applied_twice, CRASHES, budget=200, shrinking=200)

    assert found.run.scenario.faults.faults == ONE_CRASH
    assert found.run.witness == {}
    assert found.verdict.status is Status.BROKEN


def test_the_same_search_finds_the_same():
    one, other = (search(ORDERS, never_applied_twice, CRASHES, budget=200) for _ in range(2))

    assert (one.runs, one.shrinking, one.run) == (other.runs, other.shrinking, other.run)


def test_another_start_is_another_search():
    starts = [
        search(ORDERS, never_applied_twice, CRASHES, budget=200, shrinking=0, start=start).runs
        for start in range(6)
    ]

    assert len(dict.fromkeys(starts)) > 1


def test_what_holds_is_not_found_and_costs_the_budget():
    """Even where Hypothesis would look longer."""
    judged = []

    assert search(ORDERS, counted(drained, judged), CRASHES, budget=30) is None
    assert 0 < len(judged) <= 30


def test_shrinking_ends_with_its_own_budget():
    judged = []
    check = counted(never_applied_twice, judged)

    found = search(ORDERS, check, CRASHES, budget=200, shrinking=5)

    assert found.shrinking == 5
    assert len(judged) == found.runs + 5


def test_without_shrinking_the_first_run_is_the_answer():
    found = search(ORDERS, never_applied_twice, CRASHES, budget=200, shrinking=0)

    assert found.shrinking == 0
    assert never_applied_twice(found.run.trace).status is Status.BROKEN


def test_what_is_broken_in_every_run_is_found_in_the_first():
    hasty = few_orders(attrs.evolve(AT_LEAST_ONCE, commit="none"), events=2)
    plan = FaultPlan((Crash("billing-1", "after_process"),))

    found = search(attrs.evolve(hasty, faults=plan), never_applied_twice, budget=5)

    assert found.runs == 1


def test_an_error_of_a_run_comes_out():
    def broken(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        search(few_orders(AT_LEAST_ONCE, application=broken), drained, budget=5)


def test_a_run_is_replayed_in_another_scenario():
    """What never happens there is left out."""
    lost = Drop("orders-producer", "broker-1", "ProduceRequest", nth=99)
    found = search(ORDERS, never_applied_twice, CRASHES, budget=200)
    more = attrs.evolve(found.run.scenario, faults=FaultPlan((*ONE_CRASH, lost)))
    there = few_orders(AT_LEAST_ONCE, events=3)

    again = replay(there, attrs.evolve(found.run, scenario=more))

    assert again.scenario == attrs.evolve(there, faults=more.faults)
    assert again.trace.digest() == simulate(again.scenario).digest()


@pytest.mark.parametrize("bound", ["budget", "shrinking"])
def test_a_bound_that_is_no_number_of_runs_is_refused(bound):
    with pytest.raises(BadInput, match=rf"search.{bound}: must be a whole number .*not -1"):
        search(ORDERS, never_applied_twice, **{bound: -1})
