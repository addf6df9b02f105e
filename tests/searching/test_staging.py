"""What is alike is tried once, and a check sees nothing less for it."""

import attrs
import pytest

from simulator import AT_LEAST_ONCE, AT_MOST_ONCE, EXACTLY_ONCE, Crash, Drop, FaultPlan, Pause
from simulator.chance.exhaustive import Exhaustive
from simulator.chance.scope import Scope
from simulator.checks.check import all_of
from simulator.checks.delivery import never_applied_twice, never_lost
from simulator.searching.staging import Stage, keeps_to_itself
from tests.searching.small import CONSUMER_POINTS, DATA_AND_COMMITS, consumed

CHECK = all_of(never_lost, never_applied_twice)
SITES = (*CONSUMER_POINTS, *DATA_AND_COMMITS)


def seen(scenario, budgets, *, alike):
    """All that the check sees in each run, with the verdict; and how many runs there were."""
    chooser = Exhaustive(Scope(SITES, budgets, opens="partitions_assigned"))
    kinds = list(CHECK.start().observers)
    stage = Stage(kinds, chooser, alike=alike)
    found = {}
    while chooser.more():
        watching, log = CHECK.start(), []
        writing = [(kind, lambda entry, log=log: log.append((*entry[1:3], entry[4])))
                   for kind in kinds]  # fmt: skip
        stage.run(scenario, (*watching.observers.items(), *writing))
        found[tuple(log)] = watching.finish().status
    return found, chooser.runs


@pytest.mark.parametrize("guarantee", [AT_MOST_ONCE, AT_LEAST_ONCE, EXACTLY_ONCE])
@pytest.mark.parametrize("budgets", [{"crash": 1, "drop": 1}, {"crash": 2, "drop": 0}])
def test_every_history_that_a_check_sees_is_found_without_what_is_alike(guarantee, budgets):
    scenario = consumed(guarantee)
    each, many = seen(scenario, budgets, alike=False)
    once, fewer = seen(scenario, budgets, alike=True)

    assert once == each
    assert fewer < many


def test_of_crash_points_that_nobody_can_tell_apart_one_is_tried():
    """Three messages at once have nine points, and between them four waits for the ledger."""
    once = seen(consumed(), {"crash": 1, "drop": 0}, alike=True)[1]
    each = seen(consumed(), {"crash": 1, "drop": 0}, alike=False)[1]

    assert each == 1 + 9
    assert once == 1 + 5


def test_a_planned_fault_of_an_nth_time_tells_points_apart():
    """It counts how often a point was passed, and a crash does not make it forget."""
    scenario = consumed()

    for fault in (Crash("billing-0", "after_poll", 2), Drop("a", "b", "FetchRequest")):
        assert not keeps_to_itself(attrs.evolve(scenario, faults=FaultPlan((fault,))))
    assert keeps_to_itself(attrs.evolve(scenario, faults=FaultPlan((Pause("ledger", 5, 5),))))
