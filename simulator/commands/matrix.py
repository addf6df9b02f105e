"""`simulator matrix`: which configuration allows which anomaly, proved or shown, cell by cell.

What was reckoned before is kept in `.simulator/matrix`, as long as nothing of the product changes.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from simulator.commands.options import WORKERS_MOST, place, whole
from simulator.commands.outcome import CANNOT_TELL, KEPT, WrongUsage

if TYPE_CHECKING:
    from simulator.matrix.values import Cell, Column, Row

WORDS_MOST = 5  # More columns are lettered, and their cells are signs.
IN_WORDS = "absent: proved within the row's scope; N faults: it happens, and takes no fewer"
IN_SIGNS = "no: it is absent, proved within the row's scope; a number: it happens by so few faults"
LEGEND = """\
?: it cannot be told; -: nothing came to a situation in which it could be.
`simulator matrix --cell ROW COLUMN` tells what a cell rests on."""


def describe(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "matrix", help="what each configuration guarantees: proofs and smallest witnesses"
    )
    parser.add_argument("--rows", default="*", metavar="PATTERN", help="of configurations")
    parser.add_argument("--columns", default="*", metavar="PATTERN", help="of anomalies")
    parser.add_argument(
        "--cell", nargs=2, metavar=("ROW", "COLUMN"), help="all of one cell, with its story"
    )
    parser.add_argument(
        "--trace", type=place, metavar="FILE", help="with --cell: write its smallest run there"
    )
    parser.add_argument(
        "--mutants", action="store_true", help="which planted bug shows which absence to be one"
    )
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")
    parser.add_argument("--fresh", action="store_true", help="reckon anew what is kept, too")
    parser.add_argument("--kept", type=place, metavar="DIR", help="default: .simulator/matrix")
    parser.add_argument(
        "--workers", type=whole(most=WORKERS_MOST), help="processes; default: one a processor"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    """Reckon, or look up what is kept, and print; 2 if a cell that was asked for cannot be told.

    Raises:
        WrongUsage: there is no such row or column.
        BadInput: a file cannot be written, or the package is compiled.
    """
    from simulator.matrix.patching import refuse_compiled
    from simulator.matrix.values import NOT_SHOWN

    if options.trace is not None and options.cell is None:  # Which run would that be?
        raise WrongUsage("goes with --cell ROW COLUMN:", "--trace", str(options.trace))
    rows, columns = _chosen(options)
    refuse_compiled()  # Here, and not in a worker of many.
    matrix = {
        row: tuple(cell for cell in cells if cell.column in columns)
        for row, cells in _matrix(rows, options).items()
    }
    if options.json:
        _print_json(matrix)
    elif options.cell is not None:
        _print_cell(matrix, options.trace)
    elif options.mutants:
        _print_mutants(matrix)
    else:
        _print_table(matrix, columns)
    cells = [cell for several in matrix.values() for cell in several]
    return CANNOT_TELL if any(cell.verdict == NOT_SHOWN for cell in cells) else KEPT


def _chosen(options: argparse.Namespace) -> "tuple[dict[str, Row], dict[str, Column]]":
    from simulator.matrix.columns import COLUMNS
    from simulator.matrix.rows import ROWS

    of_rows, of_columns = options.rows, options.columns
    if options.cell is not None:  # One of each, by its name.
        of_rows, of_columns = options.cell
        rows = {of_rows: ROWS[of_rows]} if of_rows in ROWS else {}
        columns = {of_columns: COLUMNS[of_columns]} if of_columns in COLUMNS else {}
    else:
        rows = {name: row for name, row in ROWS.items() if fnmatchcase(name, of_rows)}
        columns = {name: one for name, one in COLUMNS.items() if fnmatchcase(name, of_columns)}
    if not rows:
        raise WrongUsage("no configuration is called", "matrix", of_rows, ", ".join(ROWS))
    if not columns:
        raise WrongUsage("no anomaly is called", "matrix", of_columns, ", ".join(COLUMNS))
    return rows, columns


def _matrix(
    rows: "Mapping[str, Row]", options: argparse.Namespace
) -> "dict[str, tuple[Cell, ...]]":
    """All columns of these rows: what is kept is kept by the row."""
    from simulator.matrix.keeping import FOLDER, matrix
    from simulator.study.progress import shown_progress

    with shown_progress("matrix") as progress:
        return matrix(
            rows, options.kept or FOLDER, fresh=options.fresh, workers=options.workers,
            progress=progress,
        )  # fmt: skip


# --- Printing -------------------------------------------------------------------------------------


def _print_table(
    matrix: "Mapping[str, Sequence[Cell]]", columns: "Mapping[str, Column]"
) -> None:
    from simulator.matrix.telling import brief_table, letters, table
    from simulator.report.table import show

    asked = list(columns.values())
    if len(asked) <= WORDS_MOST:
        show(table(matrix, asked), sys.stdout)
        print(f"\n{IN_WORDS}\n{LEGEND}")
        return
    show(brief_table(matrix, asked), sys.stdout)
    print()
    for line in letters(asked):
        print(line)
    print(f"\n{IN_SIGNS}\n{LEGEND}")


def _print_cell(matrix: "Mapping[str, Sequence[Cell]]", to: Path | None) -> None:
    from simulator.commands.terminal import print_text
    from simulator.matrix.columns import COLUMNS
    from simulator.matrix.rows import ROWS
    from simulator.matrix.telling import story, tell, witnessed

    cell = next(one for cells in matrix.values() for one in cells)
    row, column = ROWS[cell.row], COLUMNS[cell.column]
    print_text(tell(row, column, cell))
    if cell.witness is not None:
        print_text(story(row, column, cell))
    if to is None:
        return
    if cell.witness is None:
        where = f"{cell.row} {cell.column}"
        raise WrongUsage("has no run to be written:", "--cell", where, "the anomaly is not there")
    from simulator.trace.codec import write_trace

    write_trace(witnessed(row, cell.witness.level, cell.witness.line), to)
    print(f"written: {to}")


def _print_mutants(matrix: "Mapping[str, Sequence[Cell]]") -> None:
    from simulator.matrix.telling import bugs_table
    from simulator.report.table import show

    show(bugs_table(matrix), sys.stdout)


def _print_json(matrix: "Mapping[str, Sequence[Cell]]") -> None:
    import json

    from simulator.matrix.page import data

    print(json.dumps(data(matrix), indent=1))
