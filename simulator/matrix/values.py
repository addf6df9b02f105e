"""What the matrix is made of: rows are configurations, columns anomalies, and cells what was found.

Cells are plain data: numbers, texts and witnesses as lines, so that they can be kept in a file.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from simulator.chance.scope import Scope
from simulator.checks.check import Check
from simulator.matrix.patching import Patch
from simulator.scenario.scenario import Scenario
from simulator.searching.schedules import counted

ABSENT: Final = "absent"  # Proved within the scope, and a planted bug shows that it would be seen.
HAPPENS: Final = "happens"
NOT_SHOWN: Final = "not shown"  # Nobody can tell: `why` says what is missing.
NOTHING: Final = "nothing to judge"
VERDICTS = (ABSENT, HAPPENS, NOT_SHOWN, NOTHING)

PlantedBug = Callable[[Patch], None]


@attrs.frozen
class Level:
    """A scenario at one size.

    Args:
        events: how many.
        kind: what else tells it from others of its row, such as "the readers come late".
    """

    events: int
    scenario: Scenario = attrs.field(repr=False)
    kind: str = ""

    @property
    def label(self) -> str:
        """`2 events, the readers come late`."""
        return counted(self.events, "event") + (f", {self.kind}" if self.kind else "")


@attrs.frozen
class Row:
    """A configuration, and the scope in which it is searched.

    Args:
        name: as it is called on the command line.
        settings: what is configured, by Kafka's names where they are Kafka's.
        levels: the scenarios, the smallest first; they differ in size and in kind.
        scope: what goes wrong.
        given: what goes wrong in every run, or is arranged, in words; may be empty.
        consumers: how many members the group has.
        chance: the probability of each fault of the scope, one by one.
        guards: planted bugs that take away what this configuration relies on: they are tried
            first, in the columns that have them.
    """

    name: str
    settings: Mapping[str, str] = attrs.field(hash=False)
    levels: tuple[Level, ...] = attrs.field(repr=False)
    scope: Scope
    given: str = ""
    consumers: int = 1
    chance: float = 0.001
    guards: tuple[PlantedBug, ...] = attrs.field(default=(), repr=False)

    @property
    def faults_most(self) -> int:
        """How many faults a schedule has at most."""
        budgets = sum(self.scope.budgets.values())
        most = self.scope.deviations
        return budgets if most is None else min(budgets, most)

    def level(self, label: str) -> Level:
        """The level of that name."""
        return next(one for one in self.levels if one.label == label)

    def largest(self, kind: str) -> Level:
        """The largest level of a kind."""
        return [one for one in self.levels if one.kind == kind][-1]

    @property
    def law(self) -> str:
        """What the probabilities are reckoned by."""
        return f"each message and point of the scope fails with probability {self.chance:g}"


@attrs.frozen
class Column:
    """An anomaly: what it is called, and the check that finds it.

    Args:
        judge: the check.
        also: what a judge of histories calls it; may be empty.
        bugs: the planted bugs by which it must appear where it is said to be absent; the first
            that does is enough.
        consumers: with fewer members than these in the group there is nothing to judge.
    """

    name: str
    judge: Check = attrs.field(repr=False)
    also: str = ""
    bugs: tuple[PlantedBug, ...] = attrs.field(default=(), repr=False)
    consumers: int = 1


@attrs.frozen
class Witnessed:
    """The smallest run that shows an anomaly.

    Attributes:
        line: the witness; empty if nothing has to go wrong.
        level: the label of the scenario's level.
        faults: how many.
        smaller: how many smaller schedules were run before, none of which shows it.
        by_faults: these, by how many faults they had.
        certified: whether they are all smaller schedules of the scope.
        sentence: what the check says of it.
    """

    line: str
    level: str
    faults: int
    smaller: int
    by_faults: tuple[int, ...]
    certified: bool
    sentence: str


@attrs.frozen
class Weighed:
    """How probable an anomaly is: the truth lies between low and high for certain.

    Attributes:
        level: the scenario that was weighed.
        mass: the probability of the schedules that were run; the others may go either way.
        schedules: how many these were.
    """

    level: str
    low: float
    high: float
    mass: float
    schedules: int


@attrs.frozen
class Bitten:
    """A planted bug that makes the anomaly appear where it is said to be absent.

    Attributes:
        bug: its name.
        line, level, faults, sentence: the smallest run that shows it, as of a Witnessed.
        runs: after how many schedules it was found.
    """

    bug: str
    line: str
    level: str
    faults: int
    runs: int
    sentence: str


@attrs.frozen
class Cell:
    """What was found of one anomaly in one configuration.

    Attributes:
        verdict: one of VERDICTS.
        why: what is missing, of a cell that is not shown.
        schedules: how many of the scope were run.
        complete: whether these are all.
        by_faults: how many had no fault, one, two ...
        struck: by class of fault, in how many schedules one struck.
        reached: how many situations were judged in which the anomaly could have been.
        undecided: how many runs could not be judged.
        left: the classes of sites that were answered benignly, outside of the scope.
        witness, probability: of an anomaly that happens.
        bitten: of one that is absent, the planted bug that shows it.
        tried: the planted bugs that were tried.
    """

    row: str
    column: str
    verdict: str
    schedules: int
    complete: bool
    by_faults: tuple[int, ...]
    struck: Mapping[str, int] = attrs.field(hash=False)
    reached: int
    undecided: int
    left: tuple[str, ...]
    why: str = ""
    witness: Witnessed | None = None
    probability: Weighed | None = None
    bitten: Bitten | None = None
    tried: tuple[str, ...] = ()


def cell_data(cell: Cell) -> dict[str, Any]:
    """A cell as JSON's kinds of data; what is as it is by default is left out."""
    told = attrs.asdict(cell, value_serializer=_listed)
    return {name: value for name, value in told.items() if value or name not in _MAY_LACK}


_MAY_LACK = ("why", "witness", "probability", "bitten", "tried")


def _listed(_: object, __: object, value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def cell_from(data: Mapping[str, Any]) -> Cell:
    """The cell that `cell_data` wrote.

    Raises:
        Exception: KeyError, TypeError or ValueError, if it is none.
    """
    told = dict(data)
    for name, cls in (("witness", Witnessed), ("probability", Weighed), ("bitten", Bitten)):
        if told.get(name) is not None:
            told[name] = _made(cls, told[name])
    made: Cell = _made(Cell, told)
    if made.verdict not in VERDICTS:
        raise ValueError(made.verdict)
    return made


def _made(cls: Any, told: Mapping[str, Any]) -> Any:
    return cls(**{
        name: tuple(value) if isinstance(value, list) else value for name, value in told.items()
    })  # fmt: skip


__all__ = [
    "ABSENT",
    "HAPPENS",
    "NOTHING",
    "NOT_SHOWN",
    "VERDICTS",
    "Bitten",
    "Cell",
    "Column",
    "Level",
    "PlantedBug",
    "Row",
    "Weighed",
    "Witnessed",
    "cell_data",
    "cell_from",
]
