"""Experiments are found by path: those of the folder one is in, then those of the package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.commands import sandbox
from simulator.commands.main import main
from simulator.commands.outcome import WrongUsage

ROOT = Path(__file__).parent.parent.parent
ONE = '"""Does a bell ring?\n\nIt may."""\n'


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An own folder of experiments: `bell`, and `_helper`, which is none."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    (folder / "bell.py").write_text(ONE)
    (folder / "_helper.py").write_text('"""No experiment."""\n')
    (folder / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_experiments_are_listed_with_their_questions(here, capsys):
    assert main(["list"]) == 0

    listed = capsys.readouterr().out.splitlines()
    assert any(line.split(maxsplit=1) == ["bell", "Does a bell ring?"] for line in listed)
    assert not any("helper" in line for line in listed)


def test_ones_own_experiment_comes_before_the_packaged_one(here, monkeypatch):
    packaged = here / "packaged"
    (packaged / "experiments").mkdir(parents=True)
    (packaged / "experiments" / "bell.py").write_text(ONE)
    (packaged / "experiments" / "drum.py").write_text(ONE)
    monkeypatch.setattr(sandbox, "packaged", lambda: packaged)

    assert sandbox.find("bell") == here / "experiments" / "bell.py"
    assert sandbox.find("drum") == packaged / "experiments" / "drum.py"


def test_a_path_is_taken_as_it_is(here):
    assert sandbox.find("experiments/bell.py") == here / "experiments" / "bell.py"


@pytest.mark.parametrize("name", ["belll", "no/such/file.py", "scenario.toml"])
def test_what_there_is_not_is_said_with_the_name(here, name):
    with pytest.raises(WrongUsage, match=name):
        sandbox.find(name)


def test_a_mistyped_name_is_answered_with_the_nearest(here):
    with pytest.raises(WrongUsage, match="did you mean bell"):
        sandbox.find("bel")


def test_a_file_may_import_from_the_folder_above_its_package(here):
    """And the packaged models last, so that copies come before them."""
    sandbox.reachable(here / "experiments" / "bell.py")

    assert sys.path[0] == str(here)
    assert str(sandbox.packaged()) in sys.path[1:]


def test_a_copy_is_whole_and_its_own(tmp_path, capsys):
    assert main(["copy", str(tmp_path / "mine")]) == 0

    assert (tmp_path / "mine" / "experiments" / "__init__.py").is_file()
    assert (tmp_path / "mine" / "models" / "systems" / "__init__.py").is_file()
    assert not list((tmp_path / "mine").rglob("__pycache__"))


def test_nothing_is_overwritten_by_a_copy(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")

    assert main(["copy", str(tmp_path / "mine")]) == 64
    assert (tmp_path / "mine" / "notes.txt").read_text() == "kept"
    assert "empty folder" in capsys.readouterr().err


def test_colours_are_for_terminals_only(here):
    """A pipe gets plain text, and rich is not even loaded."""
    code = "import sys; from simulator.commands.main import main; main(['list']);"
    code += "print('rich' in sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert output.endswith("False\n")
    assert "\x1b" not in output
