"""Every schedule of a row's scope, the fewest faults first, judged by all columns at once.

As `smallest` and `prove` search for one promise, this does for several, in the same order: so the
first run that shows an anomaly is its smallest, and if none does, all of the scope was run.
"""

from collections.abc import Sequence

import attrs

from simulator.chance.exhaustive import FEWEST, Exhaustive
from simulator.checks.check import watch
from simulator.checks.verdict import Status, Verdict
from simulator.matrix.values import Column, Level, Row, Witnessed
from simulator.searching.schedules import counterexample, left_benign
from simulator.searching.staging import Stage

SCHEDULES_MOST = 2_000


@attrs.define
class Judged:
    """What was seen of one column."""

    reached: int = 0
    undecided: int = 0
    witness: Witnessed | None = None
    runs: int = 0  # When the witness was found.


@attrs.define
class Swept:
    """What all schedules of a row's scope have shown.

    Attributes:
        columns: by the column's name.
        schedules: how many were run, of them `by_faults`.
        complete: whether these are all.
        struck: by class of fault, in how many of them one struck.
        left: what was answered benignly, because it is not in the scope.
        raised: how many runs ended with an exception; only a planted bug may bring one about.
    """

    columns: dict[str, Judged]
    schedules: int = 0
    by_faults: list[int] = attrs.field(factory=list)
    complete: bool = False
    struck: dict[str, int] = attrs.field(factory=dict)
    left: tuple[str, ...] = ()
    raised: int = 0


class _Searched:
    """The schedules of one level."""

    def __init__(self, row: Row, level: Level, columns: Sequence[Column]) -> None:
        self.level = level
        self.checks = [column.judge for column in columns]
        self.chooser = Exhaustive(row.scope, order=FEWEST)
        watched = [kind for check in self.checks for kind in check.start().observers]
        self._stage = Stage(watched, self.chooser)  # Nothing here is shared between nodes.

    def has(self, faults: int) -> bool:
        """Whether a schedule with so many faults waits."""
        return self.chooser.more() and self.chooser.next_deviations <= faults

    def run(self) -> tuple[Verdict, ...]:
        """The next schedule, judged."""
        observers, finish = watch(self.checks)
        self._stage.run(self.level.scenario, observers)
        return finish()


def sweep(
    row: Row,
    columns: Sequence[Column],
    *,
    most: int = SCHEDULES_MOST,
    hunting: bool = False,
) -> Swept:
    """Run all schedules of the row's scope, at each of its levels.

    Args:
        most: so many at most.
        hunting: a planted bug is hunted: end when each column was shown, and let runs raise.

    Raises:
        Exception: what a run raised, with a note that names its schedule; not when hunting.
    """
    levels = [_Searched(row, level, columns) for level in row.levels]
    found = Swept({column.name: Judged() for column in columns})
    for faults in range(row.faults_most + 1):
        found.by_faults.append(0)
        for searched in levels:
            while searched.has(faults) and found.schedules < most:
                _one(found, searched, columns, hunting=hunting)
                if hunting and all(one.witness for one in found.columns.values()):
                    return found
    found.complete = not any(searched.chooser.more() for searched in levels)
    left: dict[str, str] = {}
    met: dict[str, str] = {}
    for searched in levels:
        left.update(searched.chooser.left)
        met.update(searched.chooser.met)
    found.left = left_benign(left, met)
    return found


def _one(
    found: Swept, searched: _Searched, columns: Sequence[Column], *, hunting: bool
) -> None:
    chooser = searched.chooser
    found.schedules += 1
    try:
        verdicts = searched.run()
    except Exception as error:
        if hunting:
            found.raised += 1
            return
        error.add_note(f"in the run with {chooser.describe()}, {searched.level.label}")
        raise
    for column, verdict in zip(columns, verdicts, strict=True):
        seen = found.columns[column.name]
        seen.reached += verdict.reached
        seen.undecided += verdict.status is Status.CANNOT_TELL
        if verdict.status is Status.BROKEN and seen.witness is None:
            seen.witness = _witnessed(found, searched, verdict)
            seen.runs = found.schedules
    found.by_faults[-1] += 1
    classes = dict.fromkeys(taken.name.partition("@")[0] for taken in chooser.plan)
    for fault_class in classes:
        found.struck[fault_class] = found.struck.get(fault_class, 0) + 1


def _witnessed(found: Swept, searched: _Searched, verdict: Verdict) -> Witnessed:
    shown = counterexample(searched.level.scenario, searched.chooser, verdict)
    return Witnessed(
        line=shown.line,
        level=searched.level.label,
        faults=len(shown.witness),
        smaller=sum(found.by_faults),
        by_faults=tuple(found.by_faults),
        certified=True,  # Whatever is smaller came first, and all of that was run.
        sentence=verdict.evidence[0].sentence,
    )


__all__ = ["SCHEDULES_MOST", "Judged", "Swept", "sweep"]
