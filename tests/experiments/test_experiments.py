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
    "append_retried": 4,
    "bank_money": 8,
    "blocking_retry": 2,
    "cdc_batches": 2,
    "cdc_heartbeat": 2,
    "cdc_offsets": 4,
    "cdc_recreated_slot": 2,
    "cdc_restart": 4,
    "cdc_snapshots": 3,
    "commit_interval": 3,
    "commit_order": 3,
    "compaction_or_history": 2,
    "dead_letters": 2,
    "drain_or_drop": 2,
    "dual_write": 3,
    "exactly_once_versions": 3,
    "failed_together": 2,
    "gap_timeout": 4,
    "group_ids": 2,
    "hanging_transaction": 3,
    "hidden_synchrony": 3,
    "hot_partition": 2,
    "inbox_modes": 2,
    "inbox_window": 2,
    "isr_of_one": 2,
    "json_contracts": 3,
    "letter_loop": 2,
    "letter_publish": 4,
    "lost_answer_duplicates": 3,
    "memory_on_failover": 2,
    "more_consumers": 2,
    "outbox_delivery": 2,
    "outbox_double_publish": 2,
    "outbox_latency": 2,
    "outbox_order": 2,
    "outbox_outage": 2,
    "outbox_purge": 2,
    "parallel_handlers": 3,
    "partitions_added": 3,
    "poison": 2,
    "poll_interval": 2,
    "power_loss": 3,
    "promo_code": 3,
    "random_key": 3,
    "read_your_writes": 2,
    "rebalance_storm": 2,
    "redrive": 3,
    "registry_outage": 3,
    "retries_reorder": 4,
    "retry_order": 4,
    "retry_policies": 2,
    "retry_storm": 3,
    "saga_broker_restart": 4,
    "saga_compensation": 2,
    "saga_deadlines": 2,
    "saga_early_message": 2,
    "schema_levels": 3,
    "seek_to_consumed": 3,
    "session_timeout": 2,
    "share_groups": 3,
    "slept_past_retention": 3,
    "snapshots": 2,
    "static_members": 2,
    "topic_designs": 3,
    "transactional_ids": 2,
    "unawaited_commit": 2,
    "unclean_election": 4,
    "upgrade_order": 3,
    "word_count": 2,
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
