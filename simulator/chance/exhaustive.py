"""Who answers when every schedule of a scope is to be run, each once.

1. A schedule is its deviations: the choices that were not answered with the benign answer. The
   first run has none; each further run is an earlier one with one deviation more, after its last.
   So every schedule of the scope comes up once, whatever the order of search.
2. Orders: `depth` is an odometer, the last choice turns first; `fewest` runs all schedules with
   fewer deviations first; `likeliest` goes where most of the probability is.
3. A choice is one only where there are several answers, budget for another, and no plan that has
   decided already: nothing vacuous is counted.
4. Whether all has been run is said, not assumed: `complete` is true when nothing waits any more.

Not modelled: choices at sites outside the scope. They are answered benignly, and `left` names them.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count
from math import fsum
from typing import Final, Literal, NamedTuple, Protocol

import attrs

from simulator.chance.choosers import Chooser, Source, benign_source, never
from simulator.chance.laws import Bernoulli, Empirical, Law
from simulator.chance.scope import Observing, Scope, Window
from simulator.chance.sites import TIE, Site
from simulator.chance.witness import Witness, format_witness
from simulator.errors import BadInput, ReplayDiverged

Order = Literal["depth", "fewest", "likeliest"]
Used = tuple[int, ...]

DEPTH: Final = "depth"
FEWEST: Final = "fewest"
LIKELIEST: Final = "likeliest"
ROUNDING: Final = 1e-9  # By which a sum of probabilities may be away from 1.


class Taken(NamedTuple):
    """A deviation: which of a run's choices it was, counted from 0, where, and the answer."""

    position: int
    name: str
    k: int
    value: int


class _Point(NamedTuple):
    """A choice that was answered benignly: what else could have been answered, and before what."""

    position: int
    name: str
    k: int
    answers: tuple[int, ...]
    chances: tuple[float, ...]  # Of the answers; empty where nothing is weighed.
    mass: float  # Of the run up to here.


@attrs.frozen(order=True)
class _Waiting:
    priority: float
    number: int
    plan: tuple[Taken, ...] = attrs.field(order=False)
    free_from: int = attrs.field(order=False)  # The first position that is not decided yet.
    mass: float = attrs.field(order=False)


class Guide(Protocol):
    """Who knows more of the run than its choices, and can say which of them need no trying."""

    def covered(self, name: str, k: int, used: Used) -> bool:
        """Whether all that may follow this new choice follows another, with no more used there.

        Args:
            used: how many deviations there were (0 if they are not bounded), and of each budget.
        """
        ...

    def vacuous(self, name: str, deviations: int) -> bool:
        """Whether a fault at this new choice is the same as one at an earlier choice of the run."""
        ...

    def decided(self, name: str, value: int) -> None:
        """A choice was made."""
        ...


class CoveredError(BaseException):
    """This run has come to where another was: what may follow is run from there, or has been.

    It ends the run at once, as nothing but an `Exception` may be handled by what is run.
    """


class Exhaustive(Chooser):
    """Every schedule of a scope, one a run: `while chooser.more(): simulate(..., chooser)`.

    Args:
        scope: what is tried.
        order: which schedules come first: `depth`, `fewest` or `likeliest`.
        weighed: keep account of probabilities, under the laws of the sites in the scope. Then
            what a law says is certain is no choice, and each site takes all answers of its law.
        guide: is asked at each new choice whether it need be tried.
        given: what the first choices of every run are, benign ones left out.
        given_length: how many choices they are; from there on all is tried, within the budgets.

    Attributes:
        planned: what a plan above answers (see `Overlay`): no choices, unless all is weighed.
        runs: how many runs have been begun.
        mass: the probability of the present schedule, after what is given; 1.0 if none is weighed.
        left: the sites outside the scope, and their classes: their answers were all benign.
        met: the sites inside the scope that were asked, and their classes.
        known: every site that a run has had, and whether it is inside.
        window: whether the sites are open, and whether they ever were.
        alike: how many choices were not varied, because the guide says that others are the same.
    """

    def __init__(
        self,
        scope: Scope,
        *,
        order: Order = DEPTH,
        weighed: bool = False,
        guide: Guide | None = None,
        given: Witness | None = None,
        given_length: int = 0,
    ) -> None:
        if order == LIKELIEST and not weighed:
            raise BadInput("needs weighed=True", "exhaustive.order", order)
        self.scope = scope
        self.runs = 0
        self.alike = 0
        self.mass = 1.0
        self.left: dict[str, str] = {}
        self.met: dict[str, str] = {}
        self.window = Window(scope)
        self._order = order
        self._ties = scope.ties() and not weighed  # No law turns what comes first round.
        self._weighed = weighed
        self.guide = guide
        self.planned: Witness = {}
        self._given = dict(given or {})
        self._given_sites = frozenset(name for name, _ in self._given)
        self._given_length = given_length
        self._numbers = count()
        self._waiting = [_Waiting(0.0, 0, (), given_length, 1.0)]
        self._classes = tuple(scope.budgets)
        self._answers: dict[tuple[str, Law], tuple[tuple[int, ...], tuple[float, ...]]] = {}
        self.known: dict[str, bool] = {}
        self._points: list[_Point] = []
        self._now = self._waiting[0]
        self._begin()

    # --- The search ----------------------------------------------------------------------------

    def more(self) -> bool:
        """Whether a schedule waits to be run."""
        self._branch()
        return bool(self._waiting)

    @property
    def complete(self) -> bool:
        """Whether every schedule of the scope has been run (or covered by another)."""
        return not self.more()

    @property
    def next_deviations(self) -> int:
        """How many deviations the next schedule has."""
        self._branch()
        return len(self._waiting[0].plan)

    @property
    def waiting_mass(self) -> float:
        """The probability that has not been run yet, as far as it is waiting."""
        self._branch()
        return fsum(one.mass for one in self._waiting)

    def _branch(self) -> None:
        """Let every schedule wait that differs from the last one in one choice more."""
        points, self._points = self._points, []
        plan = self._now.plan
        if self.scope.deviations is not None and len(plan) >= self.scope.deviations:
            return
        for position, name, k, answers, chances, mass in points:
            for number, value in enumerate(answers[1:], start=1):
                weight = mass * chances[number] if chances else 1.0
                turn = next(self._numbers)
                if self._order == DEPTH:
                    priority, turn = 0.0, -turn  # The newest: of the last run, the last choice.
                elif self._order == FEWEST:
                    priority = float(len(plan) + 1)
                else:
                    priority = -weight
                taken = (*plan, Taken(position, name, k, value))
                heappush(self._waiting, _Waiting(priority, turn, taken, position + 1, weight))

    # --- One run -------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.window.start()
        self._asked: dict[str, list[int]] = {}
        self._planned = {taken.position: taken for taken in self._now.plan}
        self._position = 0
        self._used = dict.fromkeys(self._classes, 0)
        self._deviations = 0
        self._followed = 0
        self.mass = 1.0

    def start(self) -> None:
        """The next schedule.

        Raises:
            BadInput: there is none left.
        """
        self._branch()
        if not self._waiting:
            raise BadInput("all schedules have been run", "exhaustive", fix="ask more() first")
        self._now = heappop(self._waiting)
        self._begin()
        self.runs += 1

    def finish(self) -> None:
        """See that the run came to what was planned for it.

        Raises:
            ReplayDiverged: it did not, so its course does not depend on chance alone.
        """
        if len(self._planned) > self._followed:
            last = self._now.plan[-1]
            raise ReplayDiverged(
                f"{last.name}#{last.k}: an earlier run came here, and this one did not: something "
                "in the run depends on what is not its scenario or its chance"
            )

    def observers(self) -> list[Observing]:
        """For the run: they open the sites of a scope that opens late."""
        return self.window.observers()

    def source(self, site: Site, law: Law) -> Source:
        """The schedule's answers at a site of the scope; elsewhere the benign one."""
        name = site.name
        if not self.mentions(name):
            self.left.setdefault(name, site.fault_class)
            return never if isinstance(law, Bernoulli) and law.p < 1 else benign_source(law)
        answers, chances = self._answered(site, law)
        asked = self._asked.setdefault(name, [0])
        if len(answers) == 1 and name not in self._given_sites:
            return _counted(asked, answers[0])
        self.met.setdefault(name, site.fault_class)
        fault_class, tie = site.fault_class, site.fault_class == TIE
        benign = answers[0]
        most = self.scope.budgets.get(fault_class)
        bound, window = self.scope.deviations, self.window
        guided = None if self.guide is None else self.guide.decided
        planned: Witness = {} if self._weighed else self.planned

        def draw() -> int:
            k = asked[0]
            asked[0] = k + 1
            if (name, k) in planned or not (window.open or (tie and window.closed)):
                return benign
            given = self._position < self._given_length
            if not given and (
                (most is not None and self._used[fault_class] >= most)
                or (bound is not None and self._deviations >= bound)
            ):
                self.mass *= chances[0] if chances else 1.0
                return benign
            value = self._choose(name, k, answers, chances)
            if guided is not None:
                guided(name, value)
            if value != benign and not given:
                self._deviations += 1
                if most is not None:
                    self._used[fault_class] += 1
            return value

        return draw

    def _choose(
        self, name: str, k: int, answers: tuple[int, ...], chances: tuple[float, ...]
    ) -> int:
        position = self._position
        self._position = position + 1
        taken = self._planned.get(position)
        if position < self._given_length:
            value = self._given.get((name, k), answers[0])
        elif taken is None:
            value = answers[0]
            if position >= self._now.free_from:
                guide = self.guide
                if guide is not None and guide.covered(name, k, self._used_up()):
                    raise CoveredError
                if guide is not None and guide.vacuous(name, self._deviations):
                    self.alike += 1
                else:
                    self._points.append(_Point(position, name, k, answers, chances, self.mass))
        else:
            if (taken.name, taken.k) != (name, k):
                raise ReplayDiverged(
                    f"{name}#{k}: an earlier run asked for {taken.name}#{taken.k} here: something "
                    "in the run depends on what is not its scenario or its chance"
                )
            value = taken.value
            self._followed += 1
        if chances and position >= self._given_length:
            self.mass *= chances[answers.index(value)]
        return value

    def _used_up(self) -> Used:
        bounded = self.scope.deviations is not None
        return (self._deviations if bounded else 0, *self._used.values())

    def take_back(self, name: str) -> None:
        """The last choice, if it was at this site, turned out to decide nothing: do not vary it."""
        last = self._points[-1] if self._points else None
        if last is not None and (last.name, last.position) == (name, self._position - 1):
            self._points.pop()
            self.alike += 1

    def _answered(self, site: Site, law: Law) -> tuple[tuple[int, ...], tuple[float, ...]]:
        key = (site.name, law)
        found = self._answers.get(key)
        if found is None:
            found = self._answers[key] = (
                _weighed(site, law) if self._weighed else (self.scope.answers(site, law), ())
            )
        return found

    def heal(self) -> None:
        """From here on there are no faults; who goes first is none, and is tried on."""
        self.window.close()

    def breaks_ties(self) -> bool:
        """Whether ties are in the scope."""
        return self._ties

    def mentions(self, name: str) -> bool:
        """Whether the site is in the scope."""
        if name not in self.known:
            self.known[name] = self.scope.holds(name)
        return self.known[name]

    @property
    def witness(self) -> Witness:
        """The deviations of the present schedule: `Replay(witness)` gives the same run."""
        return {(taken.name, taken.k): taken.value for taken in self._now.plan}

    @property
    def plan(self) -> tuple[Taken, ...]:
        """The deviations of the present schedule, with their positions."""
        return self._now.plan

    @property
    def choices(self) -> int:
        """How many choices the present run has had."""
        return self._position

    def describe(self) -> str:
        """Deviations crash@a/after_process#0=1."""
        return f"deviations {format_witness(self.witness)}".rstrip()


def _counted(asked: list[int], answer: int) -> Source:
    """The one answer; who asks is counted, for there may be more answers later."""

    def draw() -> int:
        asked[0] += 1
        return answer

    return draw


def _weighed(site: Site, law: Law) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """All answers of a law with their probabilities, the benign one first.

    Raises:
        BadInput: there are too many to be enumerated.
    """
    benign = law.benign
    others: Sequence[int] = law.grid
    if isinstance(law, Empirical):
        others = [us - law.floor_us for us in law.values_us]
    answers = tuple(dict.fromkeys((benign, *others)))
    chances = [law.probability(value) for value in answers]
    if sum(one or 0.0 for one in chances) < 1 - ROUNDING:
        fix = f"give it an empirical law, or leave the site out: '!{site.name.partition('@')[0]}@*'"
        raise BadInput(f"{law} has too many answers to weigh each", site.name, fix=fix)
    return answers, tuple(float(one or 0.0) for one in chances)


__all__ = [
    "DEPTH",
    "FEWEST",
    "LIKELIEST",
    "CoveredError",
    "Exhaustive",
    "Order",
    "Taken",
]
