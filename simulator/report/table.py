"""Tables for people: plain aligned text everywhere, colour only on a terminal that has rich.

What is written to a file or a pipe is the same wherever it runs: no width is asked of it, nothing
is wrapped or cut.
"""

from collections.abc import Sequence
from typing import Any, TextIO

import attrs

from simulator.errors import BadInput


@attrs.frozen
class Table:
    """Rows of text under headings.

    Args:
        columns: the headings.
        rows: each as long as the headings.
        title: printed above; may be empty.
        right: the headings of columns that are aligned to the right, as counts are.
        marked: places of rows that ask for attention; plain text begins them with `!`.

    Raises:
        BadInput: a row is longer or shorter than the headings.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    right: tuple[str, ...] = ()
    marked: tuple[int, ...] = ()

    def __attrs_post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                fix = f"{len(self.columns)} cells"
                raise BadInput("a row does not fit its table:", self.title, row, fix)


def plain(table: Table) -> str:
    """The table as text, without trailing blanks, with a newline at the end."""
    widths = [
        max(len(heading), *(len(row[place]) for row in table.rows)) if table.rows else len(heading)
        for place, heading in enumerate(table.columns)
    ]
    marks = bool(table.marked)
    lines = [table.title] if table.title else []
    lines.append(_line(table.columns, table, widths, "  " if marks else ""))
    lines.append(_line(tuple("-" * width for width in widths), table, widths, "  " * marks))
    for place, row in enumerate(table.rows):
        mark = "! " if place in table.marked else "  " * marks
        lines.append(_line(row, table, widths, mark))
    return "\n".join(lines) + "\n"


def _line(row: Sequence[str], table: Table, widths: Sequence[int], mark: str) -> str:
    cells = [
        text.rjust(width) if heading in table.right else text.ljust(width)
        for text, heading, width in zip(row, table.columns, widths, strict=True)
    ]
    return (mark + "  ".join(cells)).rstrip()


def show(table: Table, stream: TextIO) -> None:
    """Write a table: by rich if the stream is a terminal and there is rich, else plainly."""
    console = _console(stream)
    if console is None:
        stream.write(plain(table))
        return
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=table.title or None, title_justify="left")
    for heading in table.columns:
        drawn.add_column(heading, justify="right" if heading in table.right else "left")
    for place, row in enumerate(table.rows):
        style = "bold red" if place in table.marked else None
        # Text, not str: brackets of an interval are no mark-up.
        drawn.add_row(*(Text(text) for text in row), style=style)
    console.print(drawn)


def _console(stream: TextIO) -> Any:
    if not stream.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(file=stream)
