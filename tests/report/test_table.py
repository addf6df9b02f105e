"""Tables are plain and the same everywhere, except on a terminal that has rich."""

import io
import sys

import pytest

from simulator.errors import BadInput
from simulator.report.table import Table, plain, show

TABLE = Table(
    columns=("guarantee", "lost", "p"),
    rows=(("at-most-once", "3.4 % [2.6, 4.3]", "0.5"), ("exactly-once", "<= 1.2 %", "12.25")),
    title="Lost",
    right=("p",),
)


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self):
        return True


def test_columns_are_aligned_and_lines_have_no_trailing_blanks():
    assert plain(TABLE).splitlines() == [
        "Lost",
        "guarantee     lost                  p",
        "------------  ----------------  -----",
        "at-most-once  3.4 % [2.6, 4.3]    0.5",
        "exactly-once  <= 1.2 %          12.25",
    ]
    left = Table(("a", "b"), (("x", ""), ("yy", "z")))
    assert plain(left) == "a   b\n--  -\nx\nyy  z\n"


def test_marked_rows_begin_with_a_mark():
    marked = Table(("a",), (("x",), ("y",)), marked=(1,))

    assert plain(marked) == "  a\n  -\n  x\n! y\n"


def test_a_table_without_rows_shows_its_headings():
    assert plain(Table(("a", "bc"), ())) == "a  bc\n-  --\n"


def test_a_pipe_gets_plain_text():
    pipe = io.StringIO()

    show(TABLE, pipe)

    assert pipe.getvalue() == plain(TABLE)


def test_a_terminal_with_rich_gets_its_table_and_intervals_are_no_markup():
    pytest.importorskip("rich")
    terminal = Terminal()

    show(TABLE, terminal)

    assert "[2.6, 4.3]" in terminal.getvalue()
    assert terminal.getvalue() != plain(TABLE)


def test_a_terminal_without_rich_gets_plain_text(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    terminal = Terminal()

    show(TABLE, terminal)

    assert terminal.getvalue() == plain(TABLE)


def test_a_row_that_does_not_fit_is_refused():
    with pytest.raises(BadInput, match="2 cells"):
        Table(("a", "b"), (("x",),))
