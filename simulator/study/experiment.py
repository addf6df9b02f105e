"""An experiment is a declaration: what is asked, of what, how often, and what should come out.

Rule 1: declaring does nothing. What is wrong with a declaration is said at once, though.
Rule 2: every combination of the factors' levels (a cell) runs under the same seeds, so that cells
are compared pair by pair.
Rule 3: it says beforehand which promise is kept where and broken where; the runs agree with that,
or not, or cannot tell.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.stats.intervals import checked_confidence
from simulator.stats.stopping import FixedRuns, Stopping, UntilNarrow
from simulator.study.measures import Measure, columns

KEPT = "kept"
BROKEN = "broken"

Labels = tuple[tuple[str, str], ...]  # (factor, level's label), in the order of the factors


@attrs.frozen
class Cell:
    """One combination of levels.

    Args:
        labels: the levels' names, for tables, files and the command line.
        factors: the levels themselves, for the scenario.
    """

    labels: Labels
    factors: Mapping[str, Any]

    def __str__(self) -> str:
        return cell_name(self.labels)


def cell_name(labels: Labels) -> str:
    """`guarantee=at-least-once crashes=0.05`; without factors, `all`."""
    return " ".join(f"{factor}={level}" for factor, level in labels) or "all"


@attrs.frozen
class Promise:
    """What a check is expected to say in some cells.

    Args:
        check: the check's name.
        expected: `kept` or `broken`.
        where: for some factors, the label of the level, or several, that it speaks of.

    Raises:
        BadInput: expected is neither.
    """

    check: str
    expected: str = attrs.field()
    where: Mapping[str, str | Sequence[str]] = attrs.field(factory=dict)

    @expected.validator
    def _check(self, _: object, value: str) -> None:
        if value not in (KEPT, BROKEN):
            raise BadInput("a promise is expected kept or broken:", self.check, value)

    def speaks_of(self, labels: Labels) -> bool:
        """Whether the cell with these labels is meant."""
        levels = dict(labels)
        return all(
            levels.get(factor) in ((wanted,) if isinstance(wanted, str) else tuple(wanted))
            for factor, wanted in self.where.items()
        )


Promises = Sequence[Promise] | Callable[[Mapping[str, Any]], Mapping[str, str]]


def label(level: Any) -> str:
    """What a level is called: its own `name`, else itself as text."""
    name = getattr(level, "name", None)
    return name if isinstance(name, str) else str(level)


def check_names(checks: Mapping[str, Any] | Sequence[Any]) -> tuple[str, ...]:
    """What checks are called: their key, their text, their `name`, else their function's name."""
    if isinstance(checks, Mapping):
        return tuple(checks)
    names = []
    for check in checks:
        name = check if isinstance(check, str) else getattr(check, "name", None)
        names.append(name if isinstance(name, str) else check.__name__)
    return tuple(names)


@attrs.frozen
class Experiment:
    """A question, and all that is needed to answer it.

    Args:
        name: as it is called on the command line.
        question: one sentence that ends with a question mark.
        scenario: from a cell's factors and a seed to what is run.
        factors: for each factor its levels; a level is called by its key, its `name` or its text.
        measures: what each run tells (see `study.measures`).
        checks: what is checked of each run, by name or as things that have one.
        promises: a table of `Promise`, or a function from a cell's factors to
            {check: "kept" or "broken"}; a check that is not named is reported, not judged.
        runs: how many runs each cell has, under the seeds first_seed, first_seed + 1, ...
        stopping: instead of `runs`, a rule.
        first_seed: the first of the common seeds.
        baseline: {factor: label}: each other level of the factor is compared with this one, all
            else equal; {factor: None}: every pair of levels is compared.
        confidence: of every interval, and of each family of comparisons.
        undecided: the share of a cell's runs that may say "cannot tell" of a promise that is
            otherwise kept. With 0, one is enough to leave the promise undecided.
        gather: makes, for each run, what measures are given: a thing whose `observers()` are
            (kind of event, function) pairs. By default it is a Delivery.

    Raises:
        BadInput: something is declared that cannot be.
    """

    name: str
    question: str
    scenario: Callable[[Mapping[str, Any], int], Any]
    factors: Mapping[str, Sequence[Any] | Mapping[str, Any]] = attrs.field(factory=dict)
    measures: Mapping[str, Measure] = attrs.field(factory=dict)
    checks: Mapping[str, Any] | Sequence[Any] = ()
    promises: Promises = ()
    runs: int = 100
    stopping: Stopping | None = None
    first_seed: int = 1
    baseline: Mapping[str, str | None] = attrs.field(factory=dict)
    confidence: float = 0.95
    undecided: float = 0.0
    gather: Callable[[], Any] | None = None

    def __attrs_post_init__(self) -> None:
        checked_confidence(self.confidence)
        if not self.name or any(c.isspace() for c in self.name):
            raise BadInput("an experiment's name is one word:", "", self.name)
        if isinstance(self.undecided, bool) or not 0.0 <= self.undecided < 1.0:
            raise BadInput("undecided is a share below 1:", self.name, self.undecided)
        FixedRuns(self.runs)
        _check_factors(self)
        _check_promises(self)
        rule = self.stopping
        if isinstance(rule, UntilNarrow) and rule.measure not in _columns(self):
            known = ", ".join(_columns(self))
            raise BadInput("no such measure to stop by:", self.name, rule.measure, known)

    @property
    def rule(self) -> Stopping:
        """When to stop."""
        return FixedRuns(self.runs) if self.stopping is None else self.stopping

    @property
    def check_names(self) -> tuple[str, ...]:
        """The checks' names, in their order."""
        return check_names(self.checks)

    def levels(self, factor: str) -> tuple[tuple[str, Any], ...]:
        """A factor's levels, each with its label."""
        return _levels(self.factors[factor])

    def cells(self) -> tuple[Cell, ...]:
        """Every combination of levels; the last factor varies fastest."""
        count = math.prod(len(given) for given in self.factors.values())
        return tuple(self.cell_at(index) for index in range(count))

    def cell_at(self, index: int) -> Cell:
        """The cell at a place in `cells`."""
        chosen = []
        rest = index
        for factor in reversed(list(self.factors)):
            rest, place = divmod(rest, len(self.factors[factor]))
            chosen.append((factor, *self.levels(factor)[place]))
        assert rest == 0, f"no cell {index}"
        chosen.reverse()
        labels = tuple((factor, name) for factor, name, _ in chosen)
        return Cell(labels, {factor: level for factor, _, level in chosen})

    def expected(self, cell: Cell) -> dict[str, str]:
        """For each check that the declaration judges in this cell: `kept` or `broken`.

        Raises:
            BadInput: the table says both, or the function names something unknown.
        """
        if callable(self.promises):
            table = dict(self.promises(cell.factors))
            for check, expected in table.items():
                _known_check(self, check)
                Promise(check, expected)
            return table
        found: dict[str, str] = {}
        for promise in self.promises:
            if not promise.speaks_of(cell.labels):
                continue
            if found.setdefault(promise.check, promise.expected) != promise.expected:
                where = f"{self.name}, {cell}"
                raise BadInput("promised both kept and broken:", where, promise.check)
        return found

    def cell(self, wanted: Mapping[str, str]) -> Cell:
        """The cell with these labels, as a command line names them.

        Raises:
            BadInput: a factor or a level is unknown, or a factor is not given.
        """
        for factor, level in wanted.items():
            _known_level(self, factor, level)
        for cell in self.cells():
            if dict(cell.labels) == dict(wanted):
                return cell
        missing = ", ".join(factor for factor in self.factors if factor not in wanted)
        raise BadInput(f"give a level of each factor; missing: {missing};", self.name, dict(wanted))


def _levels(given: Sequence[Any] | Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    if isinstance(given, Mapping):
        return tuple(given.items())
    return tuple((label(level), level) for level in given)


def _columns(experiment: Experiment) -> list[str]:
    return [
        column
        for name, measure in experiment.measures.items()
        for column, _ in columns(name, measure)
    ]


def _check_factors(experiment: Experiment) -> None:
    for factor, given in experiment.factors.items():
        if isinstance(given, str) or not isinstance(given, Sequence | Mapping) or not given:
            raise BadInput(f"factor {factor} wants a list of levels:", experiment.name, given)
        labels = [name for name, _ in _levels(given)]
        twice = [name for name in labels if labels.count(name) > 1]
        if twice:
            fix = "name the levels: {'name': level, ...}"
            raise BadInput(f"factor {factor} has two levels called", experiment.name, twice[0], fix)
    for factor, level in experiment.baseline.items():
        _known_level(experiment, factor, level)


def _known_level(experiment: Experiment, factor: str, level: str | None) -> None:
    if factor not in experiment.factors:
        known = "known: " + (", ".join(experiment.factors) or "none")
        raise BadInput("no such factor:", experiment.name, factor, known)
    labels = [name for name, _ in experiment.levels(factor)]
    if level is not None and level not in labels:
        known = "known: " + ", ".join(labels)
        raise BadInput(f"factor {factor} has no level", experiment.name, level, known)


def _known_check(experiment: Experiment, check: str) -> None:
    if check not in experiment.check_names:
        known = "known: " + (", ".join(experiment.check_names) or "none")
        raise BadInput("a promise of an unknown check:", experiment.name, check, known)


def _check_promises(experiment: Experiment) -> None:
    names = experiment.check_names
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise BadInput("two checks are called", experiment.name, twice[0], "key them by name")
    if not callable(experiment.promises):
        for promise in experiment.promises:
            _known_check(experiment, promise.check)
            for factor, wanted in promise.where.items():
                for level in (wanted,) if isinstance(wanted, str) else wanted:
                    _known_level(experiment, factor, level)
    for cell in experiment.cells():
        experiment.expected(cell)
