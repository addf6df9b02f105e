"""Fault plans are drawn where faults can strike, and shrink to the fault that matters."""

import attrs
import pytest
from hypothesis import find, given, settings

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    BadInput,
    Crash,
    Drop,
    FaultPlan,
    never_applied_twice,
)
from simulator.testing import fault_plans, search
from simulator.testing.faults import KINDS, surveyed
from tests.few_orders import few_orders

SCENARIO = few_orders(EXACTLY_ONCE)
FEW = settings(max_examples=50, derandomize=True, database=None, deadline=None)
ALL = tuple(KINDS)


@FEW
@given(fault_plans(SCENARIO, most=8, kinds=ALL))
def test_no_two_faults_contradict_each_other(plan):
    """Each choice that is forced is forced once (and a plan refuses anything else)."""
    assert len(plan.deviations()) + len(plan.timed) == len(plan) <= 8


@FEW
@given(fault_plans(SCENARIO, most=5, kinds=ALL))
def test_a_plan_fits_its_scenario(plan):
    """It is about nodes that there are, and within the time of the run."""
    seen = surveyed(SCENARIO)

    for fault in plan:
        names = [
            getattr(fault, name) for name in ("node", "source", "target") if hasattr(fault, name)
        ]
        assert all(name in (*seen.nodes, "*") for name in names)
    assert all(getattr(fault, "at_ms", 0) <= seen.ends_ms for fault in plan.timed)


def of_kind(plan):
    return {fault.fault_class for fault in plan}


@FEW
@given(fault_plans(few_orders(AT_MOST_ONCE), most=5))
def test_by_default_only_what_the_guarantee_stands(plan):
    """Without a producer id a doubled request is two; and disks are nobody's promise."""
    assert of_kind(plan) <= {*AT_MOST_ONCE.fault_classes}
    assert not of_kind(plan) & {"duplicate", "disk"}


@pytest.mark.parametrize("kind", ALL)
def test_each_kind_can_be_had_alone(kind):
    fault_class, _ = KINDS[kind]
    strategy = fault_plans(SCENARIO, kinds=(kind,))

    assert of_kind(find(strategy, len, settings=FEW)) == {fault_class}


@FEW
@given(fault_plans(SCENARIO, nodes="ledger", messages="Transact*", kinds=("crash", "drop")))
def test_faults_can_be_kept_to_nodes_and_messages(plan):
    for fault in plan:
        if isinstance(fault, Drop):
            assert "ledger" in (fault.source, fault.target)
            assert fault.message.startswith("Transact")
        else:
            assert fault.node == "ledger"


def test_the_simplest_plan_is_empty():
    assert find(fault_plans(SCENARIO), lambda _: True, settings=FEW) == FaultPlan()


def test_no_fault_at_all_is_an_empty_plan():
    assert find(fault_plans(SCENARIO, kinds=()), lambda _: True, settings=FEW) == FaultPlan()
    assert find(fault_plans(SCENARIO, most=0), lambda _: True, settings=FEW) == FaultPlan()


def test_a_plan_shrinks_to_the_one_fault_that_matters():
    """Of up to five crashes of the consumers one is left, at the first moment that hurts."""
    scenario = few_orders(AT_LEAST_ONCE, events=2)
    crashes = fault_plans(scenario, most=5, kinds=("crash",), nodes="billing-*")

    found = search(scenario, never_applied_twice, crashes, budget=500, start=0)

    assert found.run.scenario.faults == FaultPlan((Crash("billing-1", "after_process"),))


def test_an_unknown_kind_is_refused_with_what_there_is():
    with pytest.raises(BadInput, match=r"no such kind of fault.*'meteor'.*drop, crash"):
        fault_plans(SCENARIO, kinds=("meteor",))


@pytest.mark.parametrize("most", [-1, 1.5, True, None])
def test_a_bound_that_is_no_number_of_faults_is_refused(most):
    with pytest.raises(BadInput, match=rf"fault_plans.most: .* from 0, not {most}"):
        fault_plans(SCENARIO, most=most)


def test_an_unknown_message_is_refused_with_those_that_are_sent():
    """All plans would be empty: the property would be put to no fault."""
    with pytest.raises(BadInput, match=r"no message is called.*'Prodduce\*'.*ProduceRequest"):
        find(fault_plans(SCENARIO, messages="Prodduce*"), lambda _: True, settings=FEW)


def test_an_unknown_node_is_refused_with_who_is_there():
    with pytest.raises(BadInput, match=r"no node is called.*'bookkeeping'.*ledger"):
        find(fault_plans(SCENARIO, nodes="bookkeeping"), lambda _: True, settings=FEW)


def test_a_handler_that_cannot_be_hashed_is_no_obstacle():
    class Factory:
        __hash__ = None

        def __call__(self, _context):
            return lambda _record: None

    consumers = attrs.evolve(SCENARIO.consumers, handler=Factory())
    scenario = few_orders(AT_LEAST_ONCE, consumers=consumers)

    assert len(find(fault_plans(scenario), len, settings=FEW)) == 1
