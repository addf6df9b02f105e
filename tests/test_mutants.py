"""Planted bugs are killed by what the system promises, under random faults and chance: by searches
as anybody may make them, with what the default portfolio does, and not by tests of the part.

tests/mutants/table.py has the bugs, and docs/mutants.md what other engines make of them. Where
faults may strike is learned as the search goes; nothing is known of the bug, nor told.
"""

from collections import Counter
from pathlib import Path

import attrs
import pytest

from experiments.delivery_guarantees import GUARANTEES, experiment
from simulator import FaultPlan, Replay, Status, simulate
from simulator.searching.properties import as_judge
from simulator.study.replicate import replicate
from simulator.study.runs import observed_run
from tests.mutants import brokers, clients, matrix, worlds
from tests.mutants.table import MODULES, MUTANTS, broken, explored
from tests.twins import TWINS

PROMISES = {mutant.promised.name: mutant.promised for mutant in MUTANTS.values()}
BUDGETS: dict[str, int] = {}  # By promise: the greatest of a bug of it.
for _mutant in MUTANTS.values():
    _name = _mutant.promised.name
    BUDGETS[_name] = max(_mutant.budget, BUDGETS.get(_name, 0))


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda one: one.name)
def test_the_portfolio_kills_a_planted_bug(mutant):
    """By its check, in its budget; and the run that kills it keeps the promise without it."""
    with mutant.planted():
        failure = explored(mutant.promised, mutant.budget).first
        assert failure is not None
        assert mutant.check in broken(failure.verdict), str(failure)

    without = simulate(failure.scenario, Replay(failure.witness, strict=False))
    assert as_judge(mutant.promised.checks)(without).status is Status.KEPT


@pytest.mark.parametrize("name", PROMISES)
def test_a_promise_is_kept_without_bugs(name):
    """By the same search, as long as for any bug of it; and each check had something to judge."""
    promised, budget = PROMISES[name], BUDGETS[name]
    found = explored(promised, budget, until="budget")

    assert not found.failures, str(found)
    assert found.runs == budget
    assert {check.name for check in promised.checks} <= found.reached.keys()


def test_every_part_of_the_product_has_planted_bugs():
    """Fifty at least; and each that is planted stands in the table, or says what it is for."""
    planted = {
        function
        for module in MODULES
        for name, function in vars(module).items()
        if getattr(function, "__module__", "") == module.__name__ and not name.startswith("_")
    }
    known = {mutant.bug for mutant in MUTANTS.values() if not mutant.is_slip}

    assert len(MUTANTS) >= 50
    assert min(Counter(mutant.area for mutant in MUTANTS.values()).values()) >= 3
    assert planted - known == set(matrix.SURVIVORS) | {clients.keeps_handlers_over_crashes}


def test_the_page_has_every_bug_with_its_budget():
    """Written by `python docs/generate.py mutants.md`, which takes minutes."""
    text = (Path(__file__).parents[1] / "docs" / "mutants.md").read_text(encoding="utf-8")

    for mutant in MUTANTS.values():
        cells = (f"`{mutant.name}`", mutant.says, f"`{mutant.check}`", mutant.promised.name)
        assert f"| {' | '.join((*cells, str(mutant.budget)))} |" in text
    for bug in matrix.SURVIVORS:
        assert f"- `{bug.__name__}`: " in text


def test_handlers_that_outlive_their_process_make_a_wrong_twin_right():
    """The set in memory is lost in a restart, and has to be: the twin's own faults break it."""
    promise = "a set in memory applies twice after a restart"
    twin = TWINS[promise]
    (check,) = twin.promised.checks
    scenario = attrs.evolve(twin.promised.scenario, faults=FaultPlan(twin.faults))
    without = check(simulate(scenario))
    with pytest.MonkeyPatch.context() as patch:
        clients.keeps_handlers_over_crashes(patch)
        found = check(simulate(scenario))

    assert without.status is Status.BROKEN
    assert found.status is Status.KEPT


# --- The main experiment -----------------------------------------------------------------------


def outcomes():
    """How often each promise of the main experiment came out as declared, in a few runs."""
    factors = {
        "guarantee": GUARANTEES,
        "crashes": {"none": 0.0, "2%": 0.02},
        "lost answers": {"5%": 0.05},
    }
    small = attrs.evolve(experiment(orders=15), factors=factors, runs=8, stopping=None)
    results = replicate(small, observed_run, workers=1)
    return Counter(
        (dict(cell.labels)["guarantee"], promise.check, promise.outcome)
        for cell in results.cells
        for promise in cell.promises
    )


def test_the_main_experiment_comes_out_as_declared():
    assert not [outcome for *_, outcome in outcomes() if outcome == "not as declared"]


@pytest.mark.parametrize(
    ("bug", "guarantee", "check"),
    [
        (clients.keeps_handlers_over_crashes, "in-memory-set", "never_applied_twice"),
        (clients.commits_what_it_hands_out, "exactly-once", "never_lost"),
        (worlds.applies_before_it_marks, "exactly-once", "never_applied_twice"),
        (brokers.forgets_producers, "at-least-once", "never_applied_twice"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_the_main_experiment_notices(bug, guarantee, check):
    """One of its promises does not come out as declared."""
    with pytest.MonkeyPatch.context() as patch:
        bug(patch)
        found = outcomes()

    assert found[guarantee, check, "not as declared"]
