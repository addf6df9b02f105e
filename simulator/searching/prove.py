"""A bounded proof: every schedule of a scope was run, and none breaks the promise.

What such a proof says, it says of its scope, and prints it: the scenario, the sites, the budgets,
the answers that were tried, what was left benign, and how many schedules there were. It is a proof
only if all of them were run, and each could be judged.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

import attrs

from simulator.chance.exhaustive import Exhaustive
from simulator.chance.scope import Scope
from simulator.checks.check import Check
from simulator.checks.verdict import Status
from simulator.scenario.scenario import Scenario
from simulator.searching.footprints import Histories
from simulator.searching.properties import Promised
from simulator.searching.schedules import (
    Counterexample,
    as_check,
    broken,
    counted,
    counterexample,
    indented,
    is_vacuous,
    judged,
    left_benign,
    must_be_told,
    unmet,
)
from simulator.searching.staging import Stage, keeps_to_itself

SCHEDULES_MOST = 100_000


class Outcome(Enum):
    """What a search over a scope came to."""

    PROVED = "proved"
    REFUTED = "refuted"
    OPEN = "open"  # Not all schedules were run, one could not be judged, or nothing was tried.

    def __str__(self) -> str:
        return self.value


@attrs.frozen
class Proof:
    """What was found of a promise within a scope.

    Attributes:
        promise: the check's name.
        scenario: the scenario's name.
        outcome: proved, refuted (then there is a counterexample), or open.
        scope: what was tried.
        schedules: how many were run.
        complete: whether these were all that the scope has.
        covered: how many of them ended early, where another schedule covers the rest.
        alike: how many choices were not varied, because a fault there is the same as elsewhere.
        histories: how many different histories they had; None if nobody counted.
        reached: how many situations were judged in all of them in which the promise could have
            been broken: 0 proves nothing.
        undecided: how many could not be judged.
        left: the classes of sites that were asked and answered benignly, because they are not in
            the scope.
        unmet: what of the scope no run came to: patterns of sites, or what opens it.
        counterexample: the first schedule that breaks the promise.
    """

    promise: str
    scenario: str
    outcome: Outcome
    scope: Scope
    schedules: int
    complete: bool
    covered: int
    alike: int
    histories: int | None
    reached: int
    undecided: int
    left: tuple[str, ...]
    counterexample: Counterexample | None = None
    unmet: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether it is proved."""
        return self.outcome is Outcome.PROVED

    def __str__(self) -> str:
        """The whole claim, with its scope."""
        what = {
            Outcome.PROVED: "kept in every schedule of this scope",
            Outcome.REFUTED: "broken",
            Outcome.OPEN: "neither proved nor refuted",
        }[self.outcome]
        whose = f" ({self.scenario})" if self.scenario else ""
        lines = [*str(self.scope).split("\n"), f"schedules: {self._counted()}"]
        lines.append(f"judged: {counted(self.reached, 'situation')}" + self._open())
        if self.left:
            lines.append(f"left benign: {'; '.join(self.left)}")
        if self.unmet and self.counterexample is None:
            lines.append(f"never met: {', '.join(self.unmet)}")
        if self.counterexample is not None:
            lines.append(f"counterexample: {self.counterexample}")
        return f"{self.promise}{whose}: {what}\n{indented(lines)}"

    def _counted(self) -> str:
        told = [f"{counted(self.schedules, 'run')}, {'all' if self.complete else 'not all'}"]
        if self.covered:
            told.append(f"{self.covered} ended where others cover them")
        if self.alike:
            told.append(f"{counted(self.alike, 'choice')} like another tried with it")
        if self.histories is not None:
            told.append(counted(self.histories, "history", "histories"))
        return ", ".join(told)

    def _open(self) -> str:
        return f", {counted(self.undecided, 'run')} undecided" if self.undecided else ""


def prove(
    scenario: Scenario,
    promised: Promised,
    sites: str | Iterable[str] = ("crash@*", "drop@*"),
    *,
    budgets: Mapping[str, int] | None = None,
    deviations: int | None = None,
    grids: Mapping[str, Iterable[int]] | None = None,
    opens: str | tuple[str, int] | None = None,
    most: int = SCHEDULES_MOST,
    histories: bool = False,
    shares_nothing: bool | None = None,
) -> Proof:
    """Run every schedule of a scope, until one breaks the promise.

    Args:
        scenario: its planned faults are in every run, and are not counted.
        promised: a check, its name, several, or a function of the trace.
        sites, budgets, deviations, grids, opens: the scope; see `Scope`.
        most: so many runs at most; if there are more, the proof is open, and says so.
        histories: count how many different ones there are; a run then costs a fifth more.
        shares_nothing: whether handlers keep what they know on their nodes, so that what is alike
            need be run once (see `staging`); None: yes if there are no handlers but our own.

    Raises:
        BadInput: the scope cannot be.
        Exception: what a run raised, with a note that names its schedule.
    """
    scope = must_be_told(Scope(sites, budgets, deviations, grids, opens))
    return search(
        scenario, as_check(promised), scope,
        most=most, histories=histories, shares_nothing=shares_nothing,
    )  # fmt: skip


def search(
    scenario: Scenario,
    check: Check,
    scope: Scope,
    *,
    most: int,
    histories: bool,
    shares_nothing: bool | None,
) -> Proof:
    """As `prove`, of a scope."""
    chooser = Exhaustive(scope)
    apart = keeps_to_itself(scenario) if shares_nothing is None else shares_nothing
    ordered = apart and scope.ties()
    numbering = Histories() if histories or ordered else None
    watched = check.start().observers
    stage = Stage(watched, chooser, alike=apart, histories=numbering, ordered=ordered)
    seen: dict[Any, None] = {}
    covered = reached = undecided = 0
    found: Counterexample | None = None
    while found is None and chooser.runs < most and chooser.more():
        verdict = judged(scenario, chooser, check, stage)
        if verdict is None:
            covered += 1
            continue
        reached += verdict.reached
        undecided += verdict.status is Status.CANNOT_TELL
        if numbering is not None:
            seen[numbering.present()] = None
        if broken(verdict):
            found = counterexample(scenario, chooser, verdict)
    complete = chooser.complete
    missing = unmet(scope, [chooser])
    says = reached and not undecided and not is_vacuous(scope, missing)
    outcome = Outcome.PROVED if complete and says else Outcome.OPEN
    return Proof(
        promise=check.name,
        scenario=scenario.name,
        outcome=outcome if found is None else Outcome.REFUTED,
        scope=scope,
        schedules=chooser.runs,
        complete=complete and found is None,
        covered=covered,
        alike=chooser.alike,
        histories=None if numbering is None else len(seen),
        reached=reached,
        undecided=undecided,
        left=left_benign(chooser.left, chooser.met),
        counterexample=found,
        unmet=missing,
    )


__all__ = ["SCHEDULES_MOST", "Outcome", "Proof", "prove", "search"]
