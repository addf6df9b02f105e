"""One scenario and one seed are one run: in any process, any hash seed, any supported Python.

SIMULATOR_PYTHONS names other Pythons with the core installed, separated as in PATH: any that runs
it, PyPy too. `python3 dev.py determinism` makes them, and says which it did not find.
SIMULATOR_COMPILED names a folder whose package is compiled: `python3 dev.py compiled` makes it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.determinism_probe import digest

ROOT = Path(__file__).parent.parent
SEEDS = ("0", "1", "7")
COMPILED = os.environ.get("SIMULATOR_COMPILED", "")
OTHERS = [one for one in os.environ.get("SIMULATOR_PYTHONS", "").split(os.pathsep) if one]


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    """The digests of this process, by seed."""
    return {seed: digest(int(seed)) for seed in SEEDS}


def elsewhere(python: str, hash_seed: str, root: Path = ROOT) -> dict[str, str]:
    """The digests of another process."""
    output = subprocess.run(
        [python, str(ROOT / "tests" / "determinism_probe.py"), *SEEDS],
        cwd=root,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return dict(line.split() for line in output.splitlines())


def implementation_of(python: str) -> str:
    """cpython or pypy, by its own word."""
    code = "import sys; print(sys.implementation.name)"
    return subprocess.check_output([python, "-c", code], text=True).strip()


def test_a_seed_is_a_run(here):
    """Seeds differ, or equal digests would mean nothing."""
    assert len(set(here.values())) == len(SEEDS)
    assert {seed: digest(int(seed)) for seed in reversed(SEEDS)} == here


def test_a_collector_without_thresholds_changes_nothing(here, monkeypatch):
    """As PyPy's."""
    monkeypatch.delattr("gc.get_threshold")
    monkeypatch.delattr("gc.set_threshold")

    assert digest(0) == here["0"]


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_another_process_with_another_hash_seed_runs_the_same(here, hash_seed):
    assert elsewhere(sys.executable, hash_seed) == here


@pytest.mark.parametrize("python", OTHERS)
def test_another_python_runs_the_same(here, python):
    assert elsewhere(python, "3") == here


@pytest.mark.skipif(not COMPILED, reason="python3 dev.py compiled makes what is compared")
def test_what_is_compiled_runs_the_same(here):
    code = "import simulator.world.network as one; print(one.__file__)"
    module = subprocess.check_output(
        [sys.executable, "-c", code], cwd=COMPILED, text=True
    )
    assert module.strip().endswith((".so", ".pyd")), "it was not compiled"

    assert elsewhere(sys.executable, "5", Path(COMPILED)) == here


@pytest.mark.parametrize("python", [sys.executable, *OTHERS])
def test_every_python_generates_the_same_pages(python):
    """A page that differed would fail the tests of whoever has that Python.

    PyPy has other docstrings for what is built in, and nobody writes pages or tests them with it.
    """
    if implementation_of(python) != "cpython":
        pytest.skip("pages are written by CPython")
    code = (
        "import sys; sys.path[:0] = ['docs', '.']; import generate;"
        "print(all(open('docs/' + page, encoding='utf-8').read() == write()"
        " for page, write in generate.PAGES.items()))"
    )
    said = subprocess.run(
        [python, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert said.strip() == "True", "python docs/generate.py"


def test_the_number_of_workers_changes_no_result(tmp_path):
    """Who runs which run, and which comes first, is nobody's business: the files are equal."""
    texts = []
    for workers in ("1", "2"):
        command = [sys.executable, "-m", "simulator", "run", "delivery_guarantees"]
        options = ["--orders", "10", "--runs", "2", "--workers", workers]
        subprocess.run(
            [*command, *options, "--out", str(tmp_path / workers)],
            cwd=ROOT,
            capture_output=True,
            check=False,  # So few runs may not show what the experiment declares.
        )
        texts.append((tmp_path / workers / "results.json").read_bytes())

    assert texts[0] == texts[1]
