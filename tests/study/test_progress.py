"""Progress is for eyes: a pipe or a file gets nothing."""

import io
import sys

from simulator.study.progress import shown_progress


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self):
        return True


def test_a_pipe_gets_nothing():
    pipe = io.StringIO()

    with shown_progress("runs", stream=pipe) as progress:
        progress(3, 10)

    assert pipe.getvalue() == ""


def test_a_terminal_without_rich_gets_a_plain_bar(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    terminal = Terminal()

    with shown_progress("runs", stream=terminal) as progress:
        progress(0, 10)
        progress(5, 10)
        progress(10, 10)

    lines = terminal.getvalue().rstrip("\n").split("\r")
    assert lines[1] == "runs [" + "." * 30 + "] 0 of 10"
    assert lines[2] == "runs [" + "#" * 15 + "." * 15 + "] 5 of 10"
    assert terminal.getvalue().endswith("10 of 10\n")


def test_a_terminal_with_rich_gets_its_bar():
    terminal = Terminal()

    with shown_progress("runs", stream=terminal) as progress:
        progress(5, 10)

    assert "runs" in terminal.getvalue()
