"""The smallest run that breaks a promise: fewest faults, then least work, with a certificate."""

import attrs
import pytest

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    Crash,
    FaultPlan,
    Status,
    Verdict,
    Workload,
    never_applied_twice,
    never_lost,
)
from simulator.searching.smallest import as_sizes, smallest
from tests.few_orders import few_orders
from tests.searching.small import CONSUMER_POINTS, consumed
from tests.twins import outsiders


def test_the_smallest_has_the_fewest_faults_and_the_least_work():
    found = smallest(few_orders(AT_LEAST_ONCE), never_applied_twice, CONSUMER_POINTS)

    assert found.found.faults == 1
    assert found.size == "1 event and 1 consumer"
    assert found.certified
    assert list(found.found.witness) == [("crash@billing-0/after_process", 0)]


def test_what_of_the_scope_no_size_met_is_named_unless_a_run_was_found():
    sites = ("crash@biling-*", *CONSUMER_POINTS)
    broken = smallest(few_orders(AT_LEAST_ONCE), never_applied_twice, sites)
    kept = smallest(few_orders(AT_LEAST_ONCE, events=1), never_lost, sites, faults=1)

    assert broken.unmet == kept.unmet == ("crash@biling-*",)
    assert "never met: crash@biling-*" in str(kept)
    assert "never met" not in str(broken)


def test_the_certificate_counts_what_is_smaller():
    """Nothing fails without a fault at any of ten sizes; the found one is of the first."""
    found = smallest(few_orders(AT_LEAST_ONCE), never_applied_twice, CONSUMER_POINTS)

    assert found.by_faults[0] == len(found.sizes) == 10
    assert found.smaller == sum(found.by_faults)
    assert "all smaller schedules were run" in str(found)
    assert "broken with 1 fault, 1 event and 1 consumer" in str(found)


def test_what_needs_two_faults_is_found_with_two():
    """A set in memory that is lost, in a consumer that must also see the record again."""

    def twice(trace):
        from simulator import Cases

        cases = Cases()
        for entry in trace.of("node_crashed")[1:]:
            cases.add("crashed again", (entry[0],))
        return cases.verdict("crashes once", 1)

    found = smallest(consumed(messages=2), twice, CONSUMER_POINTS)

    assert found.found.faults == 2
    assert found.size == "1 event and 1 consumer"
    assert found.by_faults[0] == 2
    assert found.by_faults[1] > 0


def test_what_is_wrong_without_a_fault_needs_none():
    """A model of its own is taken as it is."""
    from simulator import committed_never_regresses

    scenario = few_orders(AT_LEAST_ONCE, application=outsiders)
    found = smallest(scenario, committed_never_regresses)

    assert found.found.witness == {}
    assert found.size == "as it is"
    assert "nothing went wrong by chance" in str(found)


def test_what_is_planned_is_no_fault_that_was_needed():
    """Every run has it, so the certificate and its title count alike."""
    planned = Crash("billing-0", "before_process")
    scenario = attrs.evolve(few_orders(AT_MOST_ONCE), faults=FaultPlan((planned,)))
    found = smallest(scenario, never_lost, CONSUMER_POINTS)

    assert found.found.faults == 0
    assert found.found.planned == (planned,)
    assert found.by_faults == (0,)
    assert "broken with 0 faults, 1 event and 1 consumer" in str(found)
    assert f"nothing went wrong by chance; as planned: {planned!r}" in str(found)


def test_what_a_plan_has_decided_is_no_choice():
    """To answer there otherwise would change nothing, and is not counted as a schedule."""
    sites = "crash@billing-0/after_process"
    planned = FaultPlan((Crash("billing-0", "after_process", 0, down_ms=10),))
    plain = smallest(consumed(messages=2), "never_lost", sites, faults=1, sizes=(2,))
    found = smallest(consumed(messages=2, faults=planned), "never_lost", sites, faults=1,
                     sizes=(2,))

    assert plain.by_faults == (1, 2)
    assert found.by_faults == (1, 2)


def test_a_promise_that_is_kept_says_how_much_was_tried():
    found = smallest(consumed(EXACTLY_ONCE, messages=2), never_applied_twice, CONSUMER_POINTS,
                     faults=1)

    assert not found
    assert found.certified
    assert "no run found that breaks it" in str(found)
    assert "all schedules were run" in str(found)


def test_a_search_that_was_cut_off_certifies_nothing():
    found = smallest(consumed(), never_applied_twice, CONSUMER_POINTS, most=4)

    assert not found.certified
    assert "not all schedules were run" in str(found)


def test_schedules_that_could_not_be_judged_are_told():
    """None breaks the promise as far as one can tell, which is not that all keep it."""

    def nobody_knows(_):
        return Verdict("nobody knows", Status.CANNOT_TELL, (), 1, 1)

    found = smallest(consumed(messages=2), nobody_knows, CONSUMER_POINTS, faults=0)

    assert not found
    assert found.undecided == found.smaller == 2
    assert "2 schedules of these could not be judged" in str(found)


def test_the_found_run_replays():
    found = smallest(few_orders(AT_MOST_ONCE), never_lost, CONSUMER_POINTS).found

    assert never_lost(found.trace()).status is Status.BROKEN
    assert found.line in str(found)


def test_sizes_may_be_of_any_kind():
    """A function of the size makes the scenario."""

    def sized(size):
        workload = Workload(events=size)
        return attrs.evolve(few_orders(AT_LEAST_ONCE), workload=workload)

    found = smallest(few_orders(), never_applied_twice, CONSUMER_POINTS, sized=sized, sizes=(2, 4))

    assert found.size == "size 2"
    assert found.sizes == ("size 2", "size 4")


@pytest.mark.parametrize(("events", "consumers", "sizes"), [(3, 1, 3), (3, 2, 6), (40, 1, 13)])
def test_sizes_go_up_to_the_scenario_itself(events, consumers, sizes):
    scenario = few_orders(events=events)
    group = attrs.evolve(scenario.consumers, instances=consumers)
    scenario = attrs.evolve(
        scenario, consumers=group, workload=attrs.evolve(scenario.workload, events=events)
    )
    made = as_sizes(scenario, None, None)

    assert len(made) == sizes
    assert made[0].scenario.workload.size == 1
    assert made[-1].scenario.workload.size == events
