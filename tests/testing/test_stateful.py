"""A state machine acts from outside in any order; a broken promise is told as a few acts."""

import unittest

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    BadInput,
    Scenario,
    Topic,
    Topology,
    Zero,
    drained,
    never_applied_twice,
    never_lost,
)
from simulator.testing.quick import quick
from simulator.testing.stateful import ACTS, state_machine
from tests.few_orders import few_orders

ONCE = few_orders(EXACTLY_ONCE)
FIXED = {"derandomize": True, "database": None, "print_blob": False}
FEW = quick(max_examples=20, stateful_step_count=10, **FIXED)

TestExactlyOnce = state_machine(
    ONCE, never_lost, never_applied_twice, drained, acts=tuple(ACTS), settings=FEW
)
TestAtLeastOnce = state_machine(
    few_orders(AT_LEAST_ONCE), never_lost, acts=("produce", "advance", "rebalance", "stop"),
    spare=2, settings=FEW,
)  # fmt: skip


def told(case):
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(seed(1)(case.machine), settings=case.settings)
    return "\n".join([str(caught.value), *caught.value.__notes__])


def test_a_broken_promise_is_told_as_acts():
    """A record is produced and applied, and who has not committed it yet is restarted."""
    case = state_machine(
        few_orders(AT_LEAST_ONCE), never_applied_twice,
        acts=("produce", "advance", "rebalance"), spare=0, chance=False,
        settings=quick(max_examples=400, stateful_step_count=12, database=None),
    )  # fmt: skip

    said = told(case)

    assert "never_applied_twice: broken" in said
    assert "state.produce(key='k0')" in said
    assert "state.rebalance(instance='billing-" in said
    assert "with Session(scenario, Zero()) as session:\n    session." in said


def test_it_is_a_test_case_for_unittest_too():
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(TestAtLeastOnce).run(result)

    assert result.testsRun == 1
    assert result.wasSuccessful()


def rules(scenario, **more):
    machine = state_machine(scenario, never_lost, **more).machine
    return {rule.function.__name__ for rule in machine.setup_state().rules}


def test_by_default_only_what_the_guarantee_stands_is_done():
    """Crashes are nobody's surprise; a clock that jumps is stood by some."""
    for guarantee in (AT_MOST_ONCE, EXACTLY_ONCE):
        found = rules(few_orders(guarantee))
        assert {"produce", "advance", "stop"} <= found
        for act, fault_class in ACTS.items():
            if fault_class:
                assert (act in found) == (fault_class in guarantee.fault_classes)


def test_acts_can_be_chosen():
    assert rules(ONCE, acts=("produce", "cut")) == {"produce", "cut", "heal"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"acts": ("explode",)}, "nobody can 'explode'.*known: produce"),
        ({"nodes": ("bookkeeping",)}, "no node called 'bookkeeping'"),
        ({"nodes": ()}, r"state_machine.nodes: names nobody: \(\)"),
        ({"acts": ()}, r"state_machine.acts: nothing could be done: \(\) .known: produce"),
        ({"keys": 0}, "state_machine.keys: must be a whole number from 1, not 0"),
        ({"keys": 1.5}, "state_machine.keys: must be a whole number from 1, not 1.5"),
        ({"spare": -1}, "Session.spare: must be a whole number from 0, not -1"),
    ],
)
def test_what_there_is_not_is_refused(more, said):
    with pytest.raises(BadInput, match=said):
        state_machine(ONCE, never_lost, **more)


def of_producers(*names):
    """An application of producers alone."""

    def application(cluster):
        for name in names:
            cluster.source(name, ())

    return Scenario(topology=Topology(topics=(Topic("orders"),)), application=application)


@pytest.mark.parametrize(
    ("act", "said"), [("produce", "no producer to 'produce'"), ("stop", "no instance .* 'stop'")]
)
def test_an_act_that_nobody_can_do_is_refused_where_it_is_asked_for(act, said):
    """By default it is left out."""
    assert "advance" in rules(of_producers())
    with pytest.raises(BadInput, match=said):
        state_machine(of_producers(), never_lost, acts=(act, "advance"))


def test_while_the_first_producer_is_down_another_produces():
    machine = state_machine(of_producers("shop", "till"), never_lost, chance=False).machine()
    machine.begin(chance=Zero())

    machine.produce(key="k0")
    machine.crash(node="shop")
    machine.produce(key="k1")

    assert machine.session.acts == [
        "produce('k0')", "crash('shop')", "produce('k1', producer='till')"
    ]  # fmt: skip
    machine.session.close()


def test_without_a_promise_there_is_nothing_to_test():
    with pytest.raises(BadInput, match="give a check"):
        state_machine(ONCE)
