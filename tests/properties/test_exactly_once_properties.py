"""Exactly-once in transactions holds under random faults, and each of its ingredients is needed.

The promises and the near misses stand in tests/promised_transactions.py.
"""

import attrs
import pytest

from simulator import (
    Clog,
    Crash,
    Duplicate,
    FaultPlan,
    Replay,
    Status,
    parse_witness,
    simulate,
)
from simulator.testing import search
from tests.promised import hold_up
from tests.promised_transactions import MOST, NEAR_MISSES, TRANSACTION_PROMISES
from tests.transforming import KEPT, few_bills

EXAMPLES = {1: 100, 3: 40}  # By the number of replicas.


def verdict(check, scenario, faults):
    return check(simulate(attrs.evolve(scenario, faults=FaultPlan(faults)))).status


@pytest.mark.parametrize("promised", TRANSACTION_PROMISES, ids=lambda one: one.name)
def test_transactions_are_exactly_once_under_random_faults(promised):
    replicas = promised.scenario.topology.topics[0].replication_factor
    hold_up(promised, EXAMPLES[replicas])


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("promised", TRANSACTION_PROMISES, ids=lambda one: one.name)
def test_transactions_are_exactly_once_under_many_more(promised):
    hold_up(promised, 5_000, other=1)


@pytest.mark.parametrize("promised", TRANSACTION_PROMISES, ids=lambda one: one.name)
def test_transactions_are_exactly_once_when_nothing_goes_wrong(promised):
    trace = simulate(promised.scenario)

    for check in promised.checks:
        assert check(trace).status is Status.KEPT, check.name


# --- Each ingredient -----------------------------------------------------------------------------


@pytest.mark.parametrize("miss", NEAR_MISSES, ids=lambda one: one.without)
def test_without_one_ingredient_it_is_not_exactly_once(miss):
    assert verdict(miss.check, miss.scenario, miss.faults) is Status.BROKEN


@pytest.mark.parametrize("miss", NEAR_MISSES, ids=lambda one: one.without)
def test_with_it_the_same_faults_change_nothing(miss):
    assert verdict(miss.check, miss.whole, miss.faults) is Status.KEPT


@pytest.mark.parametrize("miss", NEAR_MISSES, ids=lambda one: one.without)
def test_each_fault_is_needed(miss):
    for left_out in miss.faults:
        fewer = tuple(fault for fault in miss.faults if fault is not left_out)
        assert verdict(miss.check, miss.scenario, fewer) is Status.KEPT


@pytest.mark.parametrize("miss", NEAR_MISSES, ids=lambda one: one.without)
def test_a_search_finds_a_few_faults_and_tells_what_they_do(miss):
    found = search(miss.scenario, miss.check, miss.plans, budget=60, shrinking=20)

    assert found is not None
    assert 1 <= len(tuple(found.run.scenario.faults)) <= MOST
    assert "What happened to" in found.verdict.explain(found.run.trace)


# --- Found by these properties -------------------------------------------------------------------


def test_who_was_told_that_it_is_no_member_does_not_commit_as_nobody():
    """A zombie learns from a heartbeat that it is removed, while it transforms; it still says
    whose records it has read, and its offsets are refused.
    """
    faults = (
        Crash("billing-1", "before_process", 12, down_ms=60_000),
        Clog("*", "auditor-0", 500, 15_500),
        Clog("*", "shop", 0, 1_000),
        Duplicate("billing-0", "broker-0", "FindCoordinatorRequest", later_ms=40),
        Clog("*", "billing-1", 1_042, 61_042),
    )
    witness = (
        "key@shop#0=1;backoff@auditor-0#0=660156;backoff@billing-0#0=839844;"
        "backoff@billing-1#0=31250"
    )
    scenario = few_bills(events=16, per_s=8, processing_us=40_000)
    chance = Replay(parse_witness(witness))
    trace = simulate(attrs.evolve(scenario, faults=FaultPlan(faults)), chance)

    for check in KEPT:
        assert check(trace).status is Status.KEPT, check.name
