"""A failing run, however it was found, ends at a certified minimum, in a moment."""

import attrs
import pytest

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    Crash,
    Drop,
    Duplicate,
    FaultPlan,
    Pause,
    Status,
    committed_never_regresses,
    never_applied_twice,
    never_lost,
)
from simulator.errors import BadInput
from simulator.searching.finishing import finish, scope_of
from tests.few_orders import few_orders
from tests.seeded import SEEDED

LOST_ANSWER = Drop("broker-1", "orders-producer", "ProduceResponse", 10)
LOST_REQUEST = Drop("orders-producer", "broker-1", "ProduceRequest")
NOISE = (
    Drop("broker-1", "billing-1", "ListOffsetsResponse", 1),
    Drop("broker-0", "billing-0", "FindCoordinatorResponse"),
)
# What breaks each bug, as a search may find it, and what must be left of it.
FAILING = {
    "retry duplicate": ((LOST_ANSWER, *NOISE), "drop@broker-1>orders-producer/ProduceResponse#0=1"),
    "commit before process": (
        (Crash("billing-1", "before_process"), *NOISE),
        "crash@billing-0/before_process#0=1",
    ),
    "zombie commit": ((Pause("billing-1", 244, 15_000), NOISE[1]), ""),
    "in-flight reorder": ((LOST_REQUEST, *NOISE), "drop@orders-producer>broker-1/ProduceRequest"),
    "mark before effect": (
        (Crash("ledger", "after_append", 8, down_ms=100), *NOISE),
        "crash@ledger/after_append",
    ),
}


def finished(name):
    bug = SEEDED[name]
    faults, _ = FAILING[name]
    return bug, finish(attrs.evolve(bug.scenario, faults=FaultPlan(faults)), bug.check, {})


@pytest.mark.parametrize("name", FAILING)
def test_a_seeded_bug_ends_at_its_certified_minimum(name):
    """One fault is left, and nothing smaller fails; a run is some five milliseconds of work."""
    bug, found = finished(name)
    best = found.best

    assert best.faults == 1
    assert FAILING[name][1] in best.line
    assert found.smallest.certified
    assert found.smallest.smaller > 0
    assert bug.check(best.trace()).status is Status.BROKEN
    assert found.reducing + found.smallest.smaller < 100


def test_the_seeded_bugs_are_all_here():
    assert set(FAILING) == set(SEEDED)


def test_noise_is_left_out():
    _, found = finished("retry duplicate")

    assert found.reduced.line == "drop@broker-1>orders-producer/ProduceResponse#10=1"
    assert found.reduced.scenario.faults == FaultPlan()
    assert found.reducing < 20


def test_choices_of_a_witness_are_reduced_with_the_faults():
    """As a run of Hypothesis has both."""
    scenario = few_orders(AT_LEAST_ONCE)
    witness = {("crash@billing-1/after_process", 0): 1, ("key@orders-producer", 3): 1}
    found = finish(attrs.evolve(scenario, faults=FaultPlan(NOISE)), never_applied_twice, witness)

    assert found.best.faults == 1
    assert found.smallest.size == "1 event and 1 consumer"


def test_a_late_copy_keeps_its_lateness():
    scenario = few_orders(AT_LEAST_ONCE, per_s=50, consumer={"max.poll.records": 1})
    faults = FaultPlan((Duplicate("billing-1", "broker-1", "OffsetCommitRequest", later_ms=40),))
    found = finish(attrs.evolve(scenario, faults=faults), committed_never_regresses, {})

    assert found.best.faults == 1
    assert found.smallest.scope.grids == {
        "duplicate@billing-*>broker-*/OffsetCommitRequest": (40_001,)
    }
    assert found.smallest.certified


def test_a_crash_at_a_time_becomes_one_at_a_point():
    """Where a point of the same node will do, and with less work."""
    faults = FaultPlan((Crash("billing-1", at_ms=110),))
    scenario = attrs.evolve(few_orders(AT_MOST_ONCE), faults=faults)
    found = finish(scenario, never_lost, {})

    assert found.best.faults == 1
    assert found.best.line.startswith("crash@billing-0/")
    assert found.smallest.size == "1 event and 1 consumer"


def test_a_power_loss_is_no_crash_of_a_process():
    """What it takes a process crash would leave: it stays as it is."""
    faults = FaultPlan((Crash("billing-1", "after_process", mode="power"),))
    scenario = attrs.evolve(few_orders(AT_LEAST_ONCE), faults=faults)
    found = finish(scenario, never_applied_twice, {})

    assert found.reduced.scenario.faults == faults
    assert found.best.faults == 1


def test_a_run_that_breaks_nothing_is_refused():
    with pytest.raises(BadInput, match="does not break"):
        finish(few_orders(AT_LEAST_ONCE), never_lost, {})


def test_the_scope_of_some_choices_is_their_classes():
    scope = scope_of({("drop@a-1>broker-0/FetchRequest", 3): 1, ("crash@b-2/after_poll", 0): 1})

    assert scope.sites == ("drop@a-*>broker-*/FetchRequest", "crash@b-*/after_poll")
    assert scope.deviations == 2
