"""A failing run, however it was found, ends at a certified minimum, in a moment."""

import attrs
import pytest

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    Cases,
    Check,
    Crash,
    Drop,
    Duplicate,
    FaultPlan,
    Pause,
    Status,
    Watching,
    committed_never_regresses,
    explore,
    never_applied_twice,
    never_lost,
    smallest,
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
# What breaks each bug, as a search may add it, and what must be left of it.
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
    return bug, finished_with(bug.scenario, bug.check, faults)


def finished_with(scenario, check, added, witness=None):
    """As of a search that has added these faults."""
    there = attrs.evolve(scenario, faults=scenario.faults + FaultPlan(added))
    return finish(there, check, witness or {}, added=added)


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
    witness = {("crash@billing-1/after_process", 0): 1, ("key@orders-producer", 3): 1}
    found = finished_with(few_orders(AT_LEAST_ONCE), never_applied_twice, NOISE, witness)

    assert found.best.faults == 1
    assert found.smallest.size == "1 event and 1 consumer"


def test_a_late_copy_keeps_its_lateness():
    scenario = few_orders(AT_LEAST_ONCE, per_s=50, consumer={"max.poll.records": 1})
    late = (Duplicate("billing-1", "broker-1", "OffsetCommitRequest", later_ms=40),)
    found = finished_with(scenario, committed_never_regresses, late)

    assert found.best.faults == 1
    assert found.smallest.scope.grids == {
        "duplicate@billing-*>broker-*/OffsetCommitRequest": (40_001,)
    }
    assert found.smallest.certified


def test_a_crash_at_a_time_becomes_one_at_a_point():
    """Where a point of the same node will do, and with less work."""
    found = finished_with(few_orders(AT_MOST_ONCE), never_lost, (Crash("billing-1", at_ms=110),))

    assert found.best.faults == 1
    assert found.best.line.startswith("crash@billing-0/")
    assert found.smallest.size == "1 event and 1 consumer"


def test_a_power_loss_is_no_crash_of_a_process():
    """What it takes a process crash would leave: it stays as it is."""
    power = (Crash("billing-1", "after_process", mode="power"),)
    found = finished_with(few_orders(AT_LEAST_ONCE), never_applied_twice, power)

    assert found.reduced.added == power
    assert found.best.faults == 1


def test_a_run_that_breaks_nothing_is_refused():
    with pytest.raises(BadInput, match="does not break"):
        finish(few_orders(AT_LEAST_ONCE), never_lost, {})


# --- What the scenario has planned ------------------------------------------------------------


def crashed_twice():
    """Two nodes are gone at some time, or one of them twice."""
    crashes = []

    def finish_it():
        cases = Cases()
        for entry in crashes[1:]:
            cases.add(f"{entry[2]} crashed as well", (entry[0],))
        return cases.verdict("crashes once", 1)

    return Watching({"node_crashed": crashes.append}, finish_it)


CRASHES_ONCE = Check("crashes once", "Of all nodes one crashes, and once.", crashed_twice)
PLANNED_CRASH = Crash("broker-0", at_ms=150)


def planning(guarantee, *faults):
    return attrs.evolve(few_orders(guarantee), faults=FaultPlan(faults))


def only_one_crashed():
    """Exactly one node is gone, and once."""
    crashes = []

    def finish_it():
        cases = Cases()
        if len(crashes) == 1:
            cases.add("one crashed alone", (crashes[0][0],))
        return cases.verdict("crashes in company", 1)

    return Watching({"node_crashed": crashes.append}, finish_it)


IN_COMPANY = Check("crashes in company", "Whoever crashes is not the only one.", only_one_crashed)


def test_of_several_promises_those_that_the_run_breaks_stay_broken():
    """With one crash fewer another promise is broken, which is another story."""
    both = (Crash("billing-1", "before_process"), Crash("billing-1", "before_process", 1))
    scenario = few_orders(AT_LEAST_ONCE)
    found = finished_with(scenario, (IN_COMPANY, CRASHES_ONCE, never_lost), both)

    assert found.best.faults == 2
    assert found.smallest.promise == "crashes once"
    assert CRASHES_ONCE(found.best.trace()).status is Status.BROKEN
    assert finished_with(scenario, IN_COMPANY, both[:1]).best.faults == 1


def test_a_failure_of_a_planned_fault_and_one_more_ends_at_the_one_more():
    """The planned fault is in every run that is tried; what was added is all that is counted."""
    witness = {("crash@billing-1/after_process", 0): 1, ("key@orders-producer", 3): 1}
    found = finished_with(planning(AT_LEAST_ONCE, PLANNED_CRASH), CRASHES_ONCE, NOISE, witness)
    best = found.best

    assert best.faults == 1
    assert best.line == "crash@billing-0/after_process#0=1"
    assert best.planned == (PLANNED_CRASH,)
    assert best.added == ()
    assert CRASHES_ONCE(best.trace()).status is Status.BROKEN
    assert found.smallest.certified
    assert str(best) == f"{best.line}; as planned: {PLANNED_CRASH!r}"


def test_a_failure_of_a_planned_fault_alone_needs_no_fault():
    planned = Crash("billing-1", "before_process")
    witness = {("key@orders-producer", 3): 1}
    found = finished_with(planning(AT_MOST_ONCE, planned), never_lost, NOISE, witness)
    best = found.best

    assert best.faults == 0
    assert not best.witness
    assert best.planned == (planned,)
    assert never_lost(best.trace()).status is Status.BROKEN
    assert found.smallest.size == "1 event and 2 consumers"
    assert "broken with 0 faults" in str(found)


def test_a_planned_fault_that_a_failure_does_not_need_stays():
    """It is the scenario's, not the failure's: without it, it would be another scenario."""
    witness = {("crash@billing-1/after_process", 0): 1}
    found = finished_with(planning(AT_LEAST_ONCE, *NOISE), never_applied_twice, (), witness)

    assert found.reduced.planned == found.best.planned == NOISE
    assert found.best.faults == 1
    assert found.smallest.size == "1 event and 2 consumers"
    assert found.reduced.line == "crash@billing-1/after_process#0=1"


def test_explore_and_finish_and_smallest_end_at_the_same():
    """With a planned crash, to which only a run with one more is a failure."""
    scenario = planning(AT_LEAST_ONCE, PLANNED_CRASH)
    failure = explore(scenario, CRASHES_ONCE, seed=1, sites=("crash@billing-*",)).first
    finished = finish(failure.scenario, CRASHES_ONCE, failure.witness, added=failure.faults).best
    least = smallest(scenario, CRASHES_ONCE, "crash@billing-*/*").found

    assert finished.planned == least.planned == (PLANNED_CRASH,)
    assert finished.faults == least.faults == 1


def test_what_was_added_must_be_in_the_scenario():
    scenario = planning(AT_LEAST_ONCE, *NOISE)

    with pytest.raises(BadInput, match="is not in the plan"):
        finish(scenario, never_lost, {}, added=(LOST_ANSWER,))


def test_the_scope_of_some_choices_is_their_classes():
    scope = scope_of({("drop@a-1>broker-0/FetchRequest", 3): 1, ("crash@b-2/after_poll", 0): 1})

    assert scope.sites == ("drop@a-*>broker-*/FetchRequest", "crash@b-*/after_poll")
    assert scope.deviations == 2
