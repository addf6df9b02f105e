"""Search: the first run that breaks a promise, and the smallest that still does.

Where a property asks whether a promise holds, a search asks how soon it breaks: of how many runs,
the same ones each time, the first one breaks it. That number is a budget which a fix can be given
too: a fixed system is searched as long, and by the same means.

A run costs more than anything that chooses it, so budgets are counted in runs.
"""

from contextlib import suppress

import attrs
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from simulator.chance import Replay
from simulator.checks.check import Check
from simulator.checks.verdict import Status, Verdict
from simulator.scenario.faults import FaultPlan
from simulator.scenario.scenario import Scenario
from simulator.study.simulate import simulate
from simulator.testing.drawing import must_be_whole
from simulator.testing.runs import Run, runs

BUDGET = 1_000
SHRINKING = 300
SEED = 20_251_204
_STEADY = settings(
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=tuple(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)


@attrs.frozen
class Found:
    """A run that breaks a promise.

    Attributes:
        run: the smallest that was found.
        verdict: what the check says of it.
        runs: how many runs it took until the promise was broken first; 1 is the first.
        shrinking: how many more it took to make the run small.
    """

    run: Run
    verdict: Verdict
    runs: int
    shrinking: int


def search(
    scenario: Scenario,
    check: Check,
    faults: st.SearchStrategy[FaultPlan] | None = None,
    *,
    budget: int = BUDGET,
    shrinking: int = SHRINKING,
    start: int = SEED,
) -> Found | None:
    """The smallest run found that breaks a promise; None if none of the budget's runs does.

    Args:
        scenario: what it has planned happens in every run, and does not count.
        faults: plans to run the scenario under, such as `fault_plans(scenario)`.
        budget: how many runs are tried until one breaks the promise.
        shrinking: how many more are tried to make it small.
        start: another number is another search.

    Raises:
        BadInput: a number of runs is none.
        Exception: what a run raises: a handler's error, or a bug of the simulator.
    """
    must_be_whole("search.budget", budget, least=1)
    must_be_whole("search.shrinking", shrinking)
    tried = 0
    best: Found | None = None

    @seed(start)
    @settings(_STEADY, max_examples=budget)
    @given(runs(scenario, faults))
    def holds(run: Run) -> None:
        nonlocal tried, best
        tried += 1
        verdict = check(run.trace)
        broken = verdict.status is Status.BROKEN
        if broken and (best is None or _size(run) <= _size(best.run)):
            best = Found(run, verdict, tried if best is None else best.runs, 0)
        if tried >= (budget if best is None else best.runs + shrinking):
            raise _SpentError
        if broken:
            raise _BrokenError

    with suppress(_SpentError, _BrokenError):
        holds()
    return None if best is None else attrs.evolve(best, shrinking=tried - best.runs)


def replay(scenario: Scenario, run: Run) -> Run:
    """The faults and the chance of one run, in another scenario.

    What the other scenario never comes to is left out: a fix may change the course of events.
    """
    chosen = attrs.evolve(scenario, faults=run.scenario.faults)
    trace = simulate(chosen, Replay(run.witness, strict=False))
    return Run(chosen, run.witness, trace, added=run.added)


def _size(run: Run) -> tuple[int, int]:
    return len(run.added), len(run.witness)


class _BrokenError(Exception):
    """This run breaks the promise: make it smaller."""


class _SpentError(BaseException):
    """There are no runs left. Hypothesis lets it pass, as it does a KeyboardInterrupt."""


__all__ = ["Found", "replay", "search"]
