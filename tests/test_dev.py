"""dev.py says what it needs, to any Python and in one line."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import dev

ROOT = Path(__file__).parent.parent


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(ROOT / "dev.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_old_python_can_read_it():
    """So that it can say that it is too old; f-strings are the newest that it uses."""
    ast.parse((ROOT / "dev.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_it_imports_nothing_that_must_be_installed():
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse((ROOT / "dev.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Import)
        for alias in node.names
    }

    assert imported <= sys.stdlib_module_names


def test_a_python_that_does_not_run_is_refused_in_one_line():
    result = run("test", "--python", "no-such-python")

    assert result.returncode == 1
    assert result.stderr == (
        "dev.py: --python 'no-such-python' does not run: give the path of a Python\n"
    )


def test_a_python_that_is_too_old_looks_for_another_and_says_which_it_needs(monkeypatch):
    monkeypatch.setattr(dev.sys, "version_info", (3, 9, 18))
    monkeypatch.setattr(dev, "find_python", {(3, 12): "/opt/python3.12"}.get)
    assert dev.choose_python(None) == "/opt/python3.12"

    monkeypatch.setattr(dev, "find_python", lambda version: None)
    with pytest.raises(SystemExit, match=r"3\.11, 3\.12 or 3\.13 is needed, this is 3\.9"):
        dev.choose_python(None)


def test_a_pypy_is_found_by_its_name_or_among_a_version_manager_s(tmp_path, monkeypatch):
    """`pypy3` is taken if it is of the version that is asked for."""
    versions = {"/bin/pypy3": (3, 9), "/bin/pypy3.11": (3, 11)}
    managed = tmp_path / "pypy-3.12.9-linux-x86_64-gnu" / "bin" / "pypy3.12"
    managed.parent.mkdir(parents=True)
    managed.touch()
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(dev.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(dev, "version_of", {**versions, str(managed): (3, 12)}.get)

    assert dev.find_pypy((3, 11)) == "/bin/pypy3.11"
    assert dev.find_pypy((3, 12)) == str(managed)
    assert dev.find_pypy((3, 13)) is None
    versions["/bin/pypy3"] = (3, 13)
    monkeypatch.setattr(dev, "version_of", versions.get)
    assert dev.find_pypy((3, 13)) == "/bin/pypy3"


def test_what_is_set_up_follows_from_pins_python_and_place(tmp_path, monkeypatch):
    """A second time nothing is installed, and after a change of the pins all is."""
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    before = dev.state_of(sys.executable, ["-e", "."])
    assert dev.state_of(sys.executable, ["-e", "."]) == before

    (tmp_path / "constraints.txt").write_text("simpy==4.1.3")
    assert dev.state_of(sys.executable, ["-e", "."]) != before


def test_every_command_is_explained():
    assert all(function.__doc__ for function in dev.COMMANDS.values())
    assert all(f"dev.py {name}" in (dev.__doc__ or "") for name in dev.COMMANDS)
