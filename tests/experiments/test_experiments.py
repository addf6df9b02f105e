"""Every experiment comes out as it declares, the same everywhere, and is asked on the page.

Its expected output, of a few runs, stands beside it; after a change that is meant, write it again
by `SIMULATOR_EXPECTED=write python -m pytest tests/experiments`.
"""

import ast
import os
import re
from pathlib import Path

import pytest

from simulator.commands.declared import declared
from simulator.commands.main import main

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "experiments"
PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
# So few runs that all of them together take some seconds, and so many that each promise which is
# declared broken is seen broken.
RUNS = {
    "acks_and_leader_crash": 4,
    "commit_order": 3,
    "compaction_or_history": 2,
    "exactly_once_versions": 3,
    "group_ids": 2,
    "hanging_transaction": 3,
    "hot_partition": 2,
    "isr_of_one": 2,
    "lost_answer_duplicates": 3,
    "more_consumers": 2,
    "parallel_handlers": 3,
    "partitions_added": 3,
    "poll_interval": 2,
    "power_loss": 3,
    "random_key": 3,
    "rebalance_storm": 2,
    "retries_reorder": 4,
    "session_timeout": 2,
    "share_groups": 3,
    "slept_past_retention": 3,
    "static_members": 2,
    "topic_designs": 3,
    "unclean_election": 4,
}
ALL = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


@pytest.mark.parametrize("name", RUNS)
def test_every_promise_comes_out_as_declared_and_every_number_as_expected(name, tmp_path, capsys):
    expected = FOLDER / f"{name}.expected.txt"
    path = str(FOLDER / f"{name}.py")

    code = main(["run", path, "--workers", "1", "--runs", str(RUNS[name]), "--out", str(tmp_path)])
    capsys.readouterr()
    found = (tmp_path / "findings.txt").read_text(encoding="utf-8")
    found = found.replace(str(FOLDER) + os.sep, "experiments/")
    if os.environ.get("SIMULATOR_EXPECTED") == "write":
        expected.write_text(found, encoding="utf-8")

    assert found == expected.read_text(encoding="utf-8")
    assert code == 0


@pytest.mark.parametrize("name", RUNS)
def test_an_experiment_has_cells_in_which_a_promise_is_kept_and_some_in_which_one_is_broken(name):
    """Were nothing ever broken, the faults would be too mild, or the check blind."""
    found = declared(FOLDER / f"{name}.py", []).experiment
    outcomes = [one for cell in found.cells() for one in found.expected(cell).values()]

    assert {"kept", "broken"} == set(outcomes)


@pytest.mark.parametrize("name", ALL)
def test_an_experiment_says_what_it_asks_and_the_page_asks_it_too(name):
    """Its file opens with a question and says what to predict; the page names it with both."""
    found = declared(FOLDER / f"{name}.py", []).experiment
    opening = ast.get_docstring(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8")))

    assert found.name == name
    assert "?" in opening.partition("\n\n")[0]
    assert re.search(rf"`{name}`", PAGE)
    assert f"simulator run {name}" in PAGE
    assert found.question in " ".join(PAGE.split())
