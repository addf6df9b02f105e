"""What is promised holds under random faults and chance, and each promise is needed.

The promises stand in tests/promised.py. Their twins, in tests/twins.py, differ in one argument and
break them: were the faults too mild, a promise would hold for the wrong reason.
"""

from collections import Counter

import attrs
import pytest
from hypothesis import given, seed, settings

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    CHECKS,
    EXACTLY_ONCE,
    IN_MEMORY_SET,
    Crash,
    Drop,
    FaultPlan,
    Status,
    drained,
    never_applied_twice,
    never_lost,
    simulate,
)
from tests.few_orders import few_orders
from tests.promised import EXAMPLES, PROMISES, SEED, STEADY, hold_up, smallest
from tests.twins import TWINS

EXACTLY = PROMISES["exactly once is neither lost nor applied twice"]
KINDS = ("crash", "drop", "delay", "duplicate", "pause", "partition", "clog", "skew")


@pytest.mark.parametrize("promised", PROMISES.values(), ids=lambda one: one.name)
def test_a_promise_holds_under_random_faults(promised):
    """The same examples each time; tests/test_mutants.py shows what the like of them find."""
    hold_up(promised)


@pytest.mark.nightly
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("promised", PROMISES.values(), ids=lambda one: one.name)
def test_a_promise_holds_under_many_more(promised):
    hold_up(promised, 10_000, other=1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_effect_is_exactly_once_under_each_kind_of_fault(kind):
    """Of any broker, consumer, store or producer; several at a time."""
    hold_up(attrs.evolve(EXACTLY, kinds=(kind,), most=5), 30)


@pytest.mark.parametrize("node", ["broker-*", "billing-*", "ledger", "orders-producer"])
def test_an_effect_is_exactly_once_whoever_fails(node):
    hold_up(attrs.evolve(EXACTLY, nodes=node, most=5), 30)


def test_the_faults_reach_everyone_and_do_what_they_are_called():
    """A promise that was never put to the test would be kept as well."""
    met = Counter()

    @seed(SEED)
    @settings(STEADY, max_examples=4 * EXAMPLES)
    @given(EXACTLY.runs())
    def look(run):
        entries = run.trace.flat
        met.update({entry[4][0] for entry in entries})
        met.update({(entry[4][0], entry[2]) for entry in entries if entry[4][0] in told})

    nodes = ("broker-0", "broker-1", "billing-0", "billing-1", "ledger", "orders-producer")
    told = ("node_crashed", "node_paused")
    look()

    assert all(met[kind, node] for kind in told for node in nodes), met
    for kind in (
        "message_dropped", "message_duplicated", "link_cut", "link_clogged", "clock_skewed",
        "batch_retried", "batch_deduplicated", "member_removed", "commit_refused",
        "effect_refused", "partitions_lost",
    ):  # fmt: skip
        assert met[kind], (kind, met)


# --- When nothing goes wrong ------------------------------------------------------------------


@pytest.mark.parametrize("promised", PROMISES.values(), ids=lambda one: one.name)
def test_a_promise_holds_when_nothing_goes_wrong(promised):
    """Zero: no fault, first come first served."""
    trace = simulate(promised.scenario)

    for check in promised.checks:
        assert check(trace).status is Status.KEPT


@pytest.mark.parametrize(
    "guarantee",
    [AT_MOST_ONCE, AT_LEAST_ONCE, EXACTLY_ONCE, IN_MEMORY_SET],
    ids=lambda one: one.name,
)
def test_every_guarantee_is_exactly_once_when_nothing_goes_wrong(guarantee):
    trace = simulate(few_orders(guarantee))

    for name in ("never_lost", "never_applied_twice", "key_order", "drained"):
        assert CHECKS[name](trace), name


# --- Twins ------------------------------------------------------------------------------------


@pytest.mark.parametrize("twin", TWINS.values(), ids=lambda one: one.promised.name)
def test_a_twin_breaks_by_as_many_faults_as_it_declares(twin):
    """And the smallest counterexample is the lesson."""
    run = smallest(twin.promised)

    assert tuple(run.scenario.faults) == twin.faults
    assert not run.witness


@pytest.mark.parametrize("twin", TWINS.values(), ids=lambda one: one.promised.name)
def test_a_twin_that_needs_a_fault_is_right_without(twin):
    (check,) = twin.promised.checks

    assert check(simulate(twin.promised.scenario)).status is (
        Status.KEPT if twin.faults else Status.BROKEN
    )


# --- Found by these properties ----------------------------------------------------------------


def test_a_leader_that_waits_for_metadata_may_lose_its_generation():
    """Nothing of the old generation may be assigned, and the next join is its own."""
    faults = FaultPlan(
        (
            Drop("billing-0", "broker-0", "FindCoordinatorRequest"),
            Drop("billing-1", "broker-0", "MetadataRequest"),
            Crash("broker-1", at_ms=6, down_ms=100),
        )
    )
    trace = simulate(few_orders(EXACTLY_ONCE, faults=faults))

    assert never_lost(trace)
    assert never_applied_twice(trace)


def test_a_commit_that_is_not_answered_is_tried_again():
    """The brokers die while the last record is being processed, for longer than a commit is tried
    by itself; its member keeps its place, and no record comes after it whose commit covers it.
    """
    away = 15_000
    faults = FaultPlan(
        (Crash("broker-0", at_ms=2, down_ms=away), Crash("broker-1", at_ms=108, down_ms=away))
    )

    assert drained(simulate(few_orders(AT_LEAST_ONCE, events=2, faults=faults)))
