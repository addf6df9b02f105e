"""The matrix as a page of the docs, and as the data from which that page is written."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.matrix.columns import COLUMNS
from simulator.matrix.keeping import row_digest
from simulator.matrix.rows import ROWS
from simulator.matrix.telling import NO_FAULT, chance, scope_lines, word
from simulator.matrix.values import (
    ABSENT,
    HAPPENS,
    NOT_SHOWN,
    NOTHING,
    Cell,
    Row,
    cell_data,
    cell_from,
)
from simulator.searching.schedules import counted

Matrix = Mapping[str, Sequence[Cell]]

HEAD = f"""\
<!-- Written by docs/generate.py from what `simulator matrix` found: change the rows there. -->

# What is guaranteed

Configurations of Kafka and of those who use it, by what may go wrong. Every cell was searched: all
schedules of a small scope were run, and each was judged.

- **absent**: none of them shows the anomaly; something was judged in which it could have been; the
  faults of the scope struck; and a bug that was planted in the product makes it appear in the very
  same scope. It is a proof within the scope that is printed, and says nothing beyond it.
- **1 fault**, **2 faults**, **{NO_FAULT}**: it happens, and needs no fewer faults than that:
  everything smaller was run before. How probable it is, under the law of the row, is known for
  certain to lie within what is printed, for every schedule was weighed.
- **?**: it cannot be told, and the cell says what is missing.
- **-**: nothing came to a situation in which it could be.

`simulator matrix` reckons it again. `simulator matrix --cell commit-after applied-twice` tells one
cell with its scope, its smallest run and that run's story; `--trace FILE` writes that run.

"""
ANOMALIES = """\
## The anomalies

| anomaly | in histories | what is promised |
|---|---|---|
"""


def page(matrix: Matrix) -> str:
    """The whole page."""
    lines = [HEAD, "## The matrix\n\n", _table(matrix), "\n", ANOMALIES]
    for column in COLUMNS.values():
        also = f"`{column.also}`" if column.also else ""
        lines.append(f"| {column.name} | {also} | {column.judge.promise} |\n")
    lines.append("\n## The configurations\n")
    lines += [_row(ROWS[name], cells) for name, cells in matrix.items()]
    return "".join(lines)


def _table(matrix: Matrix) -> str:
    lines = [f"| configuration | {' | '.join(COLUMNS)} |\n", "|---|" + "---|" * len(COLUMNS) + "\n"]
    for name, cells in matrix.items():
        of_column = {cell.column: cell for cell in cells}
        told = (_bold(of_column[column]) for column in COLUMNS)
        lines.append(f"| [{name}](#{name}) | {' | '.join(told)} |\n")
    return "".join(lines)


def _bold(cell: Cell) -> str:
    return f"**{word(cell)}**" if cell.verdict == HAPPENS else word(cell)


def _row(row: Row, cells: Sequence[Cell]) -> str:
    cell = max(cells, key=lambda one: one.schedules)
    lines = [f"\n### {row.name}\n\n```text\n", *(f"{line}\n" for line in scope_lines(row))]
    each = " + ".join(f"{runs} with {faults}" for faults, runs in enumerate(cell.by_faults))
    lines.append(f"schedules: {cell.schedules} ({each} faults)\n")
    lines.append(f"left benign: {'; '.join(cell.left)}\nlaw: {row.law}\n```\n\n")
    happens = [one for one in cells if one.verdict == HAPPENS]
    if happens:
        lines.append("| happens | smallest run | probability |\n|---|---|---|\n")
        lines += [_happens(one) for one in happens]
        lines.append("\n")
    absent = [one for one in cells if one.verdict == ABSENT]
    if absent:
        lines.append("| absent | judged | planted bug that shows it |\n|---|--:|---|\n")
        lines += [_absent(one) for one in absent]
        lines.append("\n")
    for verdict, said in ((NOT_SHOWN, "Not shown"), (NOTHING, "Nothing to judge")):
        some = [one for one in cells if one.verdict == verdict]
        if some:
            whys = (f"{one.column}" + (f" ({one.why})" if verdict == NOT_SHOWN else "")
                    for one in some)  # fmt: skip
            lines.append(f"{said}: {', '.join(whys)}.\n\n")
    return "".join(lines).rstrip("\n") + "\n"


def _happens(cell: Cell) -> str:
    found, weighed = cell.witness, cell.probability
    assert found is not None
    line = f"`{found.line}`" if found.line else "nothing has to go wrong"
    probability = chance(weighed) if weighed is not None else ""
    return f"| {cell.column} | {line}, {found.level}: {found.sentence} | {probability} |\n"


def _absent(cell: Cell) -> str:
    found = cell.bitten
    assert found is not None
    line = f"`{found.line}`" if found.line else counted(0, "fault", "faults")
    return f"| {cell.column} | {cell.reached} | `{found.bug}`: {line}, {found.level} |\n"


# --- As data ------------------------------------------------------------------------------------


def data(matrix: Matrix) -> dict[str, Any]:
    """The matrix for JSON; each row with a digest of what it is."""
    columns = list(COLUMNS.values())
    return {
        "format": "simulator-guarantees/1",
        "columns": list(COLUMNS),
        "rows": [
            {
                "row": name,
                "digest": row_digest(ROWS[name], columns),
                "cells": [cell_data(one) for one in cells],
            }
            for name, cells in matrix.items()
        ],
    }


def text(matrix: Matrix) -> str:
    """The same as text: a line a cell, so that a change shows where it is."""
    told = data(matrix)
    rows = []
    for one in told["rows"]:
        cells = ",\n".join(json.dumps(cell) for cell in one["cells"])
        head = json.dumps({"row": one["row"], "digest": one["digest"]})[:-1]
        rows.append(f'{head}, "cells": [\n{cells}\n]}}')
    head = json.dumps({"format": told["format"], "columns": told["columns"]})[:-1]
    return f'{head}, "rows": [\n' + ",\n".join(rows) + "\n]}\n"


def matrix_of(told: Mapping[str, Any]) -> dict[str, tuple[Cell, ...]]:
    """The matrix that `data` told of."""
    return {
        one["row"]: tuple(cell_from(cell) for cell in one["cells"]) for one in told["rows"]
    }


__all__ = ["Matrix", "data", "matrix_of", "page", "text"]
