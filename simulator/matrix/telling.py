"""A cell in a word, a cell with all that it rests on, and the whole matrix as a table."""

from collections.abc import Callable, Mapping, Sequence
from shlex import join
from string import ascii_uppercase

from simulator.chance import Replay, parse_witness
from simulator.matrix.values import (
    ABSENT,
    HAPPENS,
    NOT_SHOWN,
    NOTHING,
    Cell,
    Column,
    Row,
    Weighed,
)
from simulator.report.table import Table
from simulator.searching.schedules import counted
from simulator.study.simulate import simulate
from simulator.trace.trace import Trace

COMMAND = ("simulator", "matrix")
NO_FAULT = "always"  # It happens in every run: nothing has to go wrong.


def word(cell: Cell) -> str:
    """The verdict, as short as can be: `absent`, `1 fault`, `always`, `?`, `-`."""
    if cell.verdict == HAPPENS:
        assert cell.witness is not None
        faults = cell.witness.faults
        return counted(faults, "fault") if faults else NO_FAULT
    return {ABSENT: "absent", NOT_SHOWN: "?", NOTHING: "-"}[cell.verdict]


def brief(cell: Cell) -> str:
    """The verdict in a sign: `no`, the fewest faults by which it happens, `?`, `-`."""
    if cell.verdict == HAPPENS:
        assert cell.witness is not None
        return str(cell.witness.faults)
    return "no" if cell.verdict == ABSENT else word(cell)


def table(matrix: Mapping[str, Sequence[Cell]], columns: Sequence[Column]) -> Table:
    """The matrix in words: a configuration a row, an anomaly a column."""
    return _table(matrix, columns, [column.name for column in columns], word)


def brief_table(matrix: Mapping[str, Sequence[Cell]], columns: Sequence[Column]) -> Table:
    """The matrix in signs, its columns lettered, for `letters` to say what they are."""
    return _table(matrix, columns, list(ascii_uppercase[: len(columns)]), brief)


def letters(columns: Sequence[Column]) -> list[str]:
    """The anomalies by their letters, one a line."""
    return [
        f"{letter} {column.name}: {column.judge.promise}"
        for letter, column in zip(ascii_uppercase, columns, strict=False)
    ]


def _table(
    matrix: Mapping[str, Sequence[Cell]],
    columns: Sequence[Column],
    headings: Sequence[str],
    said: Callable[[Cell], str],
) -> Table:
    rows = []
    for row, cells in matrix.items():
        of_column = {cell.column: cell for cell in cells}
        rows.append((row, *(said(of_column[column.name]) for column in columns)))
    return Table(columns=("configuration", *headings), rows=tuple(rows))


def bugs_table(matrix: Mapping[str, Sequence[Cell]]) -> Table:
    """Each planted bug, the anomalies that it shows, and in how many cells."""
    shown: dict[str, dict[str, int]] = {}
    for cells in matrix.values():
        for cell in cells:
            for name in cell.tried:
                shown.setdefault(name, {})
            if cell.bitten is not None:
                of_column = shown[cell.bitten.bug]
                of_column[cell.column] = of_column.get(cell.column, 0) + 1
    rows = tuple(
        (name, str(sum(found.values())), ", ".join(f"{one} ({n})" for one, n in found.items()))
        for name, found in sorted(shown.items())
    )
    return Table(("planted bug", "cells", "shows"), rows, right=("cells",))


def chance(weighed: Weighed) -> str:
    """A probability in percent, with the interval in which it lies for certain."""
    low, high = (f"{100 * one:.3g}" for one in (weighed.low, weighed.high))
    if low == high:
        return f"{low} %"
    return f"{low} to {high} %"


# --- All of a cell ------------------------------------------------------------------------------


def scope_lines(row: Row) -> list[str]:
    """What was searched."""
    lines = [f"{name}: {value}" for name, value in row.settings.items()]
    if row.given:
        lines.append(f"given: {row.given}")
    lines.append(f"sizes: {'; '.join(level.label for level in row.levels)}")
    return [*lines, *str(row.scope).split("\n")]


def tell(row: Row, column: Column, cell: Cell) -> str:
    """All of a cell but its story."""
    also = f" (in histories: {column.also})" if column.also else ""
    lines = [f"{row.name}, {column.name}{also}: {cell.verdict}", f"  {column.judge.promise}"]
    lines += [f"  {line}" for line in scope_lines(row)]
    if cell.schedules:
        each = " + ".join(f"{runs} with {faults}" for faults, runs in enumerate(cell.by_faults))
        all_of_them = "all" if cell.complete else "not all"
        struck = ", ".join(f"{name} in {runs}" for name, runs in sorted(cell.struck.items()))
        lines.append(f"  schedules: {cell.schedules}, {all_of_them} ({each} faults)")
        lines.append(f"  struck: {struck or 'nothing'}")
        lines.append(f"  judged: {counted(cell.reached, 'situation')}")
        lines.append(f"  left benign: {'; '.join(cell.left) or 'nothing'}")
    if cell.why:
        lines.append(f"  why: {cell.why}")
    return "\n".join([*lines, *_shown(row, column, cell)])


def _shown(row: Row, column: Column, cell: Cell) -> list[str]:
    lines = []
    if (found := cell.witness) is not None:
        what = f"{counted(found.faults, 'fault')}, {found.level}"
        lines.append(f"  smallest: {what}: {found.line or 'nothing has to go wrong'}")
        lines.append(f"  certified: none of the {found.smaller} smaller schedules shows it")
        lines.append(f"  found: {found.sentence}")
    if (weighed := cell.probability) is not None:
        where = f"{weighed.level}; {counted(weighed.schedules, 'schedule')} weighed"
        lines.append(f"  probability: {chance(weighed)}, for certain ({where}; {row.law})")
    if (bitten := cell.bitten) is not None:
        lines.append(f"  planted bug: {bitten.bug} shows it with {counted(bitten.faults, 'fault')}")
        lines.append(f"    {bitten.level}: {bitten.line or 'nothing has to go wrong'}")
        lines.append(f"    {bitten.sentence}")
    if cell.witness is not None:
        lines.append(f"  again: {again(row, column, cell)}")
    return lines


def again(row: Row, column: Column, cell: Cell) -> str:
    """The command that runs a cell's witness again, and writes its trace."""
    assert cell.witness is not None
    words = (*COMMAND, "--cell", row.name, column.name, "--trace", "run.jsonl")
    return join(words)


def witnessed(row: Row, level: str, line: str, *, strict: bool = True) -> Trace:
    """The run of a witness.

    Raises:
        BadInput: the line is no witness.
        ReplayDiverged: the row does not do any more what it did.
    """
    chooser = Replay(parse_witness(line, "witness"), strict=strict)
    return simulate(row.level(level).scenario, chooser)


def story(row: Row, column: Column, cell: Cell) -> str:
    """What happens in the smallest run, told from its trace; empty if the anomaly is not there."""
    if cell.witness is None:
        return ""
    trace = witnessed(row, cell.witness.level, cell.witness.line)
    return column.judge(trace).explain(trace)


__all__ = [
    "NO_FAULT",
    "again",
    "brief",
    "brief_table",
    "bugs_table",
    "chance",
    "letters",
    "scope_lines",
    "story",
    "table",
    "tell",
    "witnessed",
    "word",
]
