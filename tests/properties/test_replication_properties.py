"""What replication promises holds under random faults, and nothing less would do.

The promises and the ways to weaken them stand in tests/promised_replication.py.
"""

import attrs
import pytest

from simulator import CHECKS, FaultPlan, Status, simulate
from tests.promised import hold_up
from tests.promised_replication import REPLICATION_PROMISES, WEAKER

EXAMPLES = 150


@pytest.mark.parametrize("promised", REPLICATION_PROMISES, ids=lambda one: one.name)
def test_a_promise_of_replication_holds_under_random_faults(promised):
    hold_up(promised, EXAMPLES)


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("promised", REPLICATION_PROMISES, ids=lambda one: one.name)
def test_a_promise_of_replication_holds_under_many_more(promised):
    hold_up(promised, 10_000, other=1)


@pytest.mark.parametrize("promised", REPLICATION_PROMISES, ids=lambda one: one.name)
def test_a_promise_of_replication_holds_when_nothing_goes_wrong(promised):
    trace = simulate(promised.scenario)

    for check in promised.checks:
        assert check(trace).status is Status.KEPT, check.name


def verdict(check, scenario, faults):
    return CHECKS[check](simulate(attrs.evolve(scenario, faults=FaultPlan(faults)))).status


@pytest.mark.parametrize("weaker", WEAKER, ids=lambda one: one.what)
def test_what_is_weaker_loses(weaker):
    assert verdict(weaker.check, weaker.scenario, weaker.faults) is Status.BROKEN


@pytest.mark.parametrize("weaker", WEAKER, ids=lambda one: one.what)
def test_each_fault_of_a_loss_is_needed(weaker):
    """So the counterexample is as small as it can be."""
    for left_out in weaker.faults:
        fewer = tuple(fault for fault in weaker.faults if fault is not left_out)
        assert verdict(weaker.check, weaker.scenario, fewer) is Status.KEPT


@pytest.mark.parametrize(
    "weaker", [one for one in WEAKER if one.kept_by], ids=lambda one: one.what
)
def test_what_is_not_weaker_keeps_everything_under_the_same_faults(weaker):
    assert verdict(weaker.check, weaker.kept_by, weaker.faults) is Status.KEPT
