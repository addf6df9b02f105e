"""`lint` reads an architecture or a trace; its exit code says whether anything was found."""

import json
from pathlib import Path

import pytest

from simulator import simulate, write_trace
from simulator.commands.main import main
from simulator.linting.lint import all_rules
from tests.few_orders import few_orders

WRONG = """
name = "shop"
[[services.billing.handles]]
topic = "orders"
events = ["OrderCreated"]
group = "billing"
retries = 3
after_limit = "stop"
sink = "naive"
[events.OrderCreated]
schema_version = 1
"""
RIGHT = WRONG.replace("naive", "idempotent")
UNTOLD = WRONG.replace('sink = "naive"\n', "")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def written(folder):
    """Writes a file, and gives its name."""

    def write(text, name="shop.toml"):
        (folder / name).write_text(text, encoding="utf-8")
        return name

    return write


@pytest.mark.parametrize(("text", "code"), [(RIGHT, 0), (WRONG, 1), (UNTOLD, 2)])
def test_the_exit_code_says_what_was_found(written, text, code):
    assert main(["lint", written(text)]) == code


def test_a_finding_is_told_with_its_harm_and_its_cure(written, capsys):
    main(["lint", written(WRONG)])

    assert capsys.readouterr().out == (
        "non-idempotent-sink: billing handles orders: a record that is delivered again has its "
        "effect again\n"
        "  seen: OrderCreated/1 changed actions 'k-1' in a second transaction\n"
        "  with: crash@billing-0/after_process#0=1\n"
        "  cure: insert the event's id, under a unique key, in the transaction of the effect (no "
        "harm in all 6 such runs)\n"
        "shop: 1 finding of 14 rules; 0 questions open\n"
    )


def test_a_story_tells_the_run_and_what_is_open(written, capsys):
    main(["lint", written(UNTOLD.replace("retries = 3\n", 'retries = "for ever"\n')), "--story"])

    out = capsys.readouterr().out
    assert "What happened to OrderCreated/good:" in out
    assert "open: non-idempotent-sink: billing handles orders: sink is not told" in out


def test_machines_read_json(written, capsys):
    main(["lint", written(WRONG), "--format", "json"])

    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "broken"
    (finding,) = told["findings"]
    assert finding["rule"] == "non-idempotent-sink"
    assert finding["witness"]["choices"] == "crash@billing-0/after_process#0=1"


def test_code_hosts_read_sarif(written, capsys):
    """Each result names a rule of the driver's, by its place too."""
    main(["lint", written(WRONG), "--format", "sarif"])

    log = json.loads(capsys.readouterr().out)
    (run,) = log["runs"]
    (result,) = run["results"]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "non-idempotent-sink"
    where = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert where == "shop.toml"


def test_one_rule_is_asked_and_no_run_is_made(written, capsys):
    code = main(["lint", written(WRONG), "--rule", "non-idempotent-sink", "--no-witness"])

    assert code == 1
    assert "seen:" not in capsys.readouterr().out


def test_a_rule_that_there_is_not_is_wrong_usage(written, capsys):
    assert main(["lint", written(WRONG), "--rule", "nope"]) == 64
    assert "there is no rule called 'nope'" in capsys.readouterr().err


def test_a_file_that_is_none_is_wrong_data(written, capsys):
    assert main(["lint", "gone.toml"]) == 65
    assert main(["lint", written("x = ")]) == 65
    assert capsys.readouterr().err.count("simulator: error:") == 2


def test_a_trace_is_linted_by_what_it_shows(folder, capsys):
    write_trace(simulate(few_orders()), folder / "run.jsonl")

    assert main(["lint", "run.jsonl"]) == 2  # Nothing was found; much is not told.
    assert "run.jsonl: no finding of 14 rules" in capsys.readouterr().out


# --- The guide ----------------------------------------------------------------------------------

GUIDE = (Path(__file__).parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")


def test_the_guide_shows_what_the_command_prints(written, capsys):
    text = GUIDE.partition("```toml\n")[2].partition("```")[0]
    shown = GUIDE.partition("$ simulator lint shop.toml\n")[2].partition("```")[0]

    main(["lint", written(text)])

    assert capsys.readouterr().out == shown


def test_the_guide_lists_every_rule():
    for rule in all_rules().values():
        assert f"| {rule.name} | {rule.title}. {rule.why} | {rule.fix} |" in GUIDE
