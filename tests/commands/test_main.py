"""What a shell learns: the exit code, one line on stderr, and never a traceback for bad input."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.commands import main as command_line
from simulator.commands.main import main
from simulator.commands.outcome import WrongUsage
from simulator.errors import BadInput, EventBudgetExceeded, ReplayDiverged, UnknownSite

ROOT = Path(__file__).parent.parent.parent


def stop_with(monkeypatch, stop):
    """A command `list` which ends as told."""

    def execute(_):
        raise stop

    monkeypatch.setattr(command_line.listing, "execute", execute)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["run"],
        ["list", "--loud"],
        ["check", "trace.jsonl", "--no-such-option"],
        ["run", "delivery_guarantees", "--runs", "0"],
        ["run", "delivery_guarantees", "--workers", "2.5"],
        ["run", "delivery_guarantees", "--runs", "100000000000000000000"],
        ["run", "delivery_guarantees", "--workers", "100000000000"],
        ["run", "delivery_guarantees", "--first-seed", "-1"],
        ["replay", "delivery_guarantees", "--seed", "one"],
        ["replay", "delivery_guarantees", "--seed", "-5"],
    ],
)
def test_a_wrong_command_line_ends_with_64_and_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)

    assert stop.value.code == 64
    said = capsys.readouterr().err
    assert said.startswith("simulator")
    assert said.count("\n") == 1


def test_a_number_of_thousands_of_digits_is_refused_as_any_that_is_too_large(capsys):
    """Python itself reads no whole number of more than 4300 digits."""
    with pytest.raises(SystemExit):
        main(["run", "delivery_guarantees", "--runs", "9" * 5_000])

    said = capsys.readouterr().err
    assert "argument --runs: a whole number from 1 to 1000000, not '999" in said
    assert len(said) < 300


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", ""],
        ["copy", ""],
        ["lint", ""],
        ["matrix", "--kept", ""],
        ["replay", "delivery_guarantees", "--figure", ""],
        ["replay", "delivery_guarantees", "--trace", ""],
        ["run", "delivery_guarantees", "--out", ""],
    ],
)
def test_a_file_without_a_name_is_not_the_folder_one_stands_in(arguments, capsys):
    """As a shell gives it whose variable is empty."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)

    assert stop.value.code == 64
    assert "needs a name, not '' (see simulator" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WrongUsage("no such thing:", "", "x"), 64),
        (UnknownSite("the run never met the site", "witness", "drop@a>b/C"), 64),
        (BadInput("bad timestamp", "orders.csv, line 3", "soon"), 65),
        (EventBudgetExceeded("more than 9 events"), 2),
        (ReplayDiverged("asked elsewhere"), 2),
    ],
)
def test_what_the_user_did_wrong_is_one_line(monkeypatch, capsys, error, code):
    stop_with(monkeypatch, error)

    assert main(["list"]) == code
    assert capsys.readouterr().err == f"simulator: error: {error}\n"


def test_our_own_mistake_is_not_taken_for_a_verdict(monkeypatch, capsys):
    """Python's own exit code for it, 1, means "broken" here."""
    stop_with(monkeypatch, ZeroDivisionError("ours"))

    assert main(["list"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_no_traceback(monkeypatch, capsys):
    stop_with(monkeypatch, KeyboardInterrupt())

    assert main(["list"]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_is_no_error(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)

    assert stop.value.code == 0
    assert capsys.readouterr().out


def test_a_reader_who_goes_away_is_no_error_of_ours():
    """`simulator list | true`: the pipe is closed before anything is read."""
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(
        [sys.executable, "-m", "simulator", "list"],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)

    assert result.returncode == 141
    assert not result.stderr
