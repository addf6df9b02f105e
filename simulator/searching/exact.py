"""Exact probabilities: every schedule of a scope, weighed by the scenario's laws.

1. The probability of a schedule is the product of its answers' probabilities; all schedules
   together have probability 1, and a search that has run them all has seen to it.
2. A search that stops early, or has a budget of faults, leaves some probability unexplored: the
   answer is then an interval, and the truth lies in it for certain.
3. The likeliest schedules come first, so the interval shrinks as fast as it can.

What is asked outside of the scope is answered benignly: the probability is that of the scenario
without it. A law with too many answers to weigh each (a continuous delay) cannot be in the scope.
"""

from collections.abc import Iterable, Mapping
from math import fsum

import attrs

from simulator.chance.exhaustive import LIKELIEST, ROUNDING, Exhaustive
from simulator.chance.scope import Scope
from simulator.chance.witness import Witness, check_witness
from simulator.checks.check import Check
from simulator.checks.verdict import Status
from simulator.scenario.scenario import Scenario
from simulator.searching.properties import Promised
from simulator.searching.schedules import (
    as_check,
    counted,
    judged,
    left_benign,
    must_be_told,
    unmet,
)
from simulator.searching.staging import Stage

SCHEDULES_MOST = 20_000


@attrs.frozen
class Probability:
    """How probable it is that a promise is broken.

    Attributes:
        promise: the check's name.
        low, high: the truth lies between them; equal (but for rounding) if all was run.
        mass: the probability of all schedules that were run.
        undecided: of those that could not be judged; it is in `high` and not in `low`.
        schedules: how many were run.
        complete: whether these were all.
        left: the classes of sites that were asked and answered benignly.
        unmet: what of the scope no run came to: patterns of sites, or what opens it.
    """

    promise: str
    low: float
    high: float
    mass: float
    undecided: float
    schedules: int
    complete: bool
    left: tuple[str, ...]
    unmet: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether it is one number."""
        return self.high - self.low <= ROUNDING

    def __str__(self) -> str:
        """The number, or the interval, and where it comes from."""
        what = f"= {self.low:.9g}" if self.exact else f"in [{self.low:.9g}, {self.high:.9g}]"
        where = f"{counted(self.schedules, 'schedule')} of mass {self.mass:.9g}"
        left = f"; left benign: {'; '.join(self.left)}" if self.left else ""
        never = f"; never met: {', '.join(self.unmet)}" if self.unmet else ""
        return f"P({self.promise} is broken) {what} ({where}{left}{never})"


def probability(
    scenario: Scenario,
    promised: Promised,
    sites: str | Iterable[str] = ("*",),
    *,
    budgets: Mapping[str, int] | None = None,
    deviations: int | None = None,
    opens: str | tuple[str, int] | None = None,
    most: int = SCHEDULES_MOST,
    width: float = 0.0,
) -> Probability:
    """Reckon how probable it is that a promise is broken, under the scenario's own laws.

    Args:
        promised: a check, its name, several, or a function of the trace.
        sites: whose laws count; by default all that the scenario asks.
        budgets, deviations: beyond them nothing is run: what they leave out widens the interval.
        opens: see `Scope`: before that, and once the world is healed, all is benign.
        most: so many runs at most.
        width: stop as soon as the interval is no wider.

    Raises:
        BadInput: a law in the scope has too many answers.
        Exception: what a run raised, with a note that names its schedule.
    """
    scope = must_be_told(Scope(sites, budgets, deviations, opens=opens))
    chooser = Exhaustive(scope, order=LIKELIEST, weighed=True)
    return _weigh(scenario, as_check(promised), chooser, most, width)


def _weigh(
    scenario: Scenario, check: Check, chooser: Exhaustive, most: int, width: float
) -> Probability:
    masses: dict[Status, list[float]] = {status: [] for status in Status}
    stage = Stage((), chooser, alike=False)
    explored = 0.0
    while chooser.runs < most and 1.0 - explored > width and chooser.more():
        verdict = judged(scenario, chooser, check, stage)
        assert verdict is not None, "nothing covers a schedule that is weighed"
        masses[verdict.status].append(chooser.mass)
        explored += chooser.mass
    mass = fsum(one for several in masses.values() for one in several)
    broken, undecided = fsum(masses[Status.BROKEN]), fsum(masses[Status.CANNOT_TELL])
    complete = chooser.complete
    bounded = chooser.scope.deviations is not None or bool(chooser.scope.budgets)
    assert not complete or bounded or abs(mass - 1) <= ROUNDING, f"the masses sum to {mass}"
    unexplored = max(0.0, 1.0 - mass)
    return Probability(
        promise=check.name,
        low=broken,
        high=min(1.0, broken + undecided + (unexplored if unexplored > ROUNDING else 0.0)),
        mass=mass,
        undecided=undecided,
        schedules=chooser.runs,
        complete=complete,
        left=left_benign(chooser.left, chooser.met),
        unmet=unmet(chooser.scope, [chooser]),
    )


def after(
    scenario: Scenario,
    promised: Promised,
    witness: Witness,
    choices: int,
    sites: str | Iterable[str] = ("*",),
    *,
    budgets: Mapping[str, int] | None = None,
    opens: str | tuple[str, int] | None = None,
    most: int = SCHEDULES_MOST,
) -> Probability:
    """How probable it is that the promise is broken, given a run's first choices.

    One point of a causality curve, exactly: 0 choices give the probability beforehand, and all
    choices of the run (`length`) give 0 or 1.

    Args:
        witness: the choices of the run that were not benign.
        choices: how many choices of the run are given, in the order of asking: those in the scope
            that a law leaves open, and all at the sites that the witness names.
        budgets: of what follows; what is given is given, and uses none of them.

    Raises:
        BadInput: the witness cannot be one, or a law in the scope has too many answers.
    """
    scope = must_be_told(Scope(sites, budgets, opens=opens))
    chooser = Exhaustive(
        scope, order=LIKELIEST, weighed=True, given=check_witness(witness), given_length=choices
    )
    return _weigh(scenario, as_check(promised), chooser, most, 0.0)


def length(
    scenario: Scenario,
    witness: Witness,
    sites: str | Iterable[str] = ("*",),
    *,
    opens: str | tuple[str, int] | None = None,
) -> int:
    """How many choices, as `after` counts them, the run of a witness has."""
    chooser = Exhaustive(
        Scope(sites, opens=opens), weighed=True, given=check_witness(witness),
        given_length=10**9,
    )  # fmt: skip
    Stage((), chooser, alike=False).run(scenario, ())
    return chooser.choices


__all__ = ["ROUNDING", "Probability", "after", "length", "probability"]
