"""A row's cells: what all schedules showed, how probable it is, and whether a bug would be seen.

A cell is `absent` only if every schedule of the scope was run and judged, something was judged in
them, each class of fault of the scope struck at least once, and a planted bug makes the anomaly
appear in the same scope. If one of these is missing, it is `not shown`, and says which.
"""

from collections.abc import Sequence

import attrs

from simulator.matrix.patching import planted
from simulator.matrix.sweep import SCHEDULES_MOST, Judged, Swept, sweep
from simulator.matrix.values import (
    ABSENT,
    HAPPENS,
    NOT_SHOWN,
    NOTHING,
    Bitten,
    Cell,
    Column,
    PlantedBug,
    Row,
    Weighed,
)
from simulator.matrix.weighing import weigh

HUNTED_MOST = 120  # So many schedules at most, in which a planted bug must show.


def fill(row: Row, columns: Sequence[Column], *, most: int = SCHEDULES_MOST) -> tuple[Cell, ...]:
    """The row's cells, in the order of the columns.

    Args:
        most: so many schedules at most; where there are more, nothing is shown to be absent.

    Raises:
        Exception: what a run raised, with a note that names its schedule.
    """
    judged = [column for column in columns if column.consumers <= row.consumers]
    swept = sweep(row, judged, most=most)
    shown = [column for column in judged if swept.columns[column.name].witness is not None]
    weights = _weights(row, shown, swept)
    cells = {column.name: _cell(row, column, swept, weights) for column in judged}
    absent = [column for column in judged if cells[column.name].verdict == ABSENT]
    for name, (bitten, tried) in hunt(row, absent).items():
        cells[name] = _hunted(cells[name], bitten, tried)
    for column in columns:
        if column.name not in cells:
            cells[column.name] = _unjudged(row, column)
    return tuple(cells[column.name] for column in columns)


def _weights(row: Row, shown: Sequence[Column], swept: Swept) -> dict[str, Weighed]:
    """The probabilities, each at the largest level of the kind at which the anomaly was shown."""
    of_kind: dict[str, list[Column]] = {}
    for column in shown:
        witness = swept.columns[column.name].witness
        assert witness is not None
        of_kind.setdefault(row.level(witness.level).kind, []).append(column)
    weights: dict[str, Weighed] = {}
    for kind, columns in of_kind.items():
        weights.update(weigh(row, row.largest(kind), columns))
    return weights


def _cell(row: Row, column: Column, swept: Swept, weights: dict[str, Weighed]) -> Cell:
    seen = swept.columns[column.name]
    verdict, why = _verdict(row, seen, swept)
    return Cell(
        row=row.name,
        column=column.name,
        verdict=verdict,
        schedules=swept.schedules,
        complete=swept.complete,
        by_faults=tuple(swept.by_faults),
        struck=swept.struck,
        reached=seen.reached,
        undecided=seen.undecided,
        left=swept.left,
        why=why,
        witness=seen.witness,
        probability=weights.get(column.name),
    )


def _verdict(row: Row, seen: Judged, swept: Swept) -> tuple[str, str]:
    if seen.witness is not None:
        return HAPPENS, ""
    if not swept.complete:
        return NOT_SHOWN, f"only {swept.schedules} schedules of the scope were run"
    if seen.undecided:
        return NOT_SHOWN, f"{seen.undecided} runs could not be judged"
    if not seen.reached:
        return NOTHING, "no schedule came to a situation in which it could be"
    never = [one for one, budget in row.scope.budgets.items() if budget and one not in swept.struck]
    if never:
        return NOT_SHOWN, f"no schedule had a fault of class {', '.join(never)}"
    return ABSENT, ""


def _unjudged(row: Row, column: Column) -> Cell:
    why = f"it takes {column.consumers} consumers, and there is {row.consumers}"
    return Cell(
        row=row.name, column=column.name, verdict=NOTHING, schedules=0, complete=False,
        by_faults=(), struck={}, reached=0, undecided=0, left=(), why=why,
    )  # fmt: skip


# --- Planted bugs -----------------------------------------------------------------------------


def hunt(
    row: Row, columns: Sequence[Column]
) -> dict[str, tuple[Bitten | None, tuple[str, ...]]]:
    """For each column the first of its planted bugs that shows there, and those that were tried."""
    bitten: dict[str, Bitten] = {}
    tried: dict[str, list[str]] = {column.name: [] for column in columns}
    bugs = dict.fromkeys((*row.guards, *(bug for column in columns for bug in column.bugs)))
    for bug in bugs:
        waiting = [one for one in columns if bug in one.bugs and one.name not in bitten]
        if not waiting:
            continue
        found = hunted(row, waiting, bug)
        for column in waiting:
            tried[column.name].append(name_of(bug))
            if column.name in found:
                bitten[column.name] = found[column.name]
    return {name: (bitten.get(name), tuple(names)) for name, names in tried.items()}


def hunted(row: Row, columns: Sequence[Column], bug: PlantedBug) -> dict[str, Bitten]:
    """Of these columns, those in which the planted bug shows, each with the smallest run."""
    with planted(bug):
        swept = sweep(row, columns, most=HUNTED_MOST, hunting=True)
    return {
        name: Bitten(
            bug=name_of(bug),
            line=seen.witness.line,
            level=seen.witness.level,
            faults=seen.witness.faults,
            runs=seen.runs,
            sentence=seen.witness.sentence,
        )
        for name, seen in swept.columns.items()
        if seen.witness is not None
    }


def name_of(bug: PlantedBug) -> str:
    """What a planted bug is called."""
    return str(getattr(bug, "__name__", "bug"))


def _hunted(cell: Cell, bitten: Bitten | None, tried: tuple[str, ...]) -> Cell:
    if bitten is not None:
        return attrs.evolve(cell, bitten=bitten, tried=tried)
    why = f"no planted bug shows it here (tried: {', '.join(tried) or 'none'})"
    return attrs.evolve(cell, verdict=NOT_SHOWN, why=why, tried=tried)


__all__ = ["HUNTED_MOST", "fill", "hunt", "hunted", "name_of"]
