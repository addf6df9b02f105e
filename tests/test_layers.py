"""Who may import whom: the contracts of pyproject.toml hold, and they see what they should."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]
CORE = {"simulator", "simpy", "attr", "attrs"}

# What `import simulator`, and every public name of it, may load.
LOADED = """
import sys
before = set(sys.modules)
import simulator
for name in {names}:
    getattr(simulator, name)
after = set(sys.modules) - before
print(*sorted({{module.split(".")[0] for module in after}} - sys.stdlib_module_names))
"""


def run(*command, **variables):
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_contracts_hold():
    result = run(
        sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()",
        "--no-cache", "--no-logo",
    )

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_package_stands_in_the_layers():
    """A new folder is nobody's until it has its place."""
    layers = {
        part.strip() for layer in CONTRACTS[0]["layers"] for part in layer.split("|")
    }
    packages = {
        f"simulator.{path.parent.name}" for path in (ROOT / "simulator").glob("*/__init__.py")
    }

    assert packages | {"simulator.__main__", "simulator.errors"} == layers


@pytest.mark.parametrize("names", ["()", "simulator.__all__"])
def test_the_core_loads_only_simpy_and_attrs(names):
    """Read off a fresh Python: whatever pytest has loaded is not there."""
    result = run(sys.executable, "-c", LOADED.format(names=names))

    assert result.returncode == 0, result.stderr
    assert set(result.stdout.split()) <= CORE


def test_importing_the_package_loads_nothing_of_it():
    """Names are loaded when they are asked for; but for the table of them."""
    code = "import sys, simulator; print(*sorted(m for m in sys.modules if 'simulator' in m))"

    assert run(sys.executable, "-c", code).stdout.split() == ["simulator", "simulator._homes"]


def test_help_loads_neither_simpy_nor_rich():
    code = (
        "import sys, simulator.commands.main as m; m.build_parser();"
        "print(*[name for name in ('simpy', 'rich', 'hypothesis') if name in sys.modules])"
    )

    assert run(sys.executable, "-c", code).stdout.split() == []
