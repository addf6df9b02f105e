"""What a stranger installs: one import name, and experiments that run from it.

Only the wheel is looked at here; a checkout has everything beside each other.
"""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command, cwd=None, path=()):
    """Without anything of this checkout on the path, but for what is given."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**variables, "PYTHONPATH": os.pathsep.join(str(one) for one in path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built by the backend itself: no index is asked."""
    folder = tmp_path_factory.mktemp("wheel")
    code = "import hatchling.build as b, sys; print(b.build_wheel(sys.argv[1]))"
    result = run(sys.executable, "-c", code, folder, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder that holds the wheel's content alone, as site-packages would."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(folder)
    return folder


@pytest.fixture
def command(installed, tmp_path):
    """`simulator ...` as installed from the wheel, in an empty folder.

    -S leaves the site packages out, where an editable install would point back to the checkout;
    what the package depends on is then found by path.
    """
    others = [path for path in sys.path if path.endswith("site-packages")]

    def call(*arguments):
        return run(
            sys.executable, "-S", "-m", "simulator", *arguments,
            cwd=tmp_path, path=[installed, *others],
        )

    return call


@pytest.mark.packaging
def test_a_wheel_installs_one_import_name(wheel):
    with zipfile.ZipFile(wheel) as opened:
        tops = {name.split("/")[0] for name in opened.namelist()}

    version = wheel.name.split("-")[1]
    assert tops == {"simulator", f"event_driven_simulator-{version}.dist-info"}


@pytest.mark.packaging
def test_a_wheel_carries_types_models_and_experiments(wheel):
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())

    carried = {
        f"simulator/_sandbox/{path.relative_to(ROOT).as_posix()}"
        for folder in ("models", "experiments")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert carried | {"simulator/py.typed"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".sqlite")]


@pytest.mark.packaging
def test_the_experiments_of_a_wheel_are_listed_and_run(command):
    assert "delivery_guarantees" in command("list").stdout

    result = command("run", "delivery_guarantees", "--runs", "3", "--workers", "2")
    assert result.returncode in {0, 2}, result.stdout + result.stderr


@pytest.mark.packaging
def test_copies_come_before_what_the_wheel_carries(command, tmp_path):
    """`copy`, change a copy, and the change is what is listed."""
    assert command("copy", "mine").returncode == 0
    copied = tmp_path / "mine" / "experiments" / "delivery_guarantees.py"
    copied.rename(tmp_path / "mine" / "experiments" / "renamed.py")
    (tmp_path / "experiments").symlink_to(tmp_path / "mine" / "experiments")
    (tmp_path / "models").symlink_to(tmp_path / "mine" / "models")

    assert "renamed" in command("list").stdout


def test_what_runs_needs_only_ordinary_dependencies():
    """Plots, oracles and tools are extras: an experiment runs without them."""
    names = {requirement.split(">")[0] for requirement in PROJECT["dependencies"]}

    assert names == {"simpy", "attrs", "cattrs", "hypothesis", "networkx", "pytest"}


def test_pins_hold_names_only():
    """The index that made them is nobody else's business."""
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")

    assert "://" not in pins
    assert all("==" in line for line in pins.splitlines())
