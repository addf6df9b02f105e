"""`simulator matrix`: its table, one of its cells, and what it says to who asks for what is not."""

import json

import attrs
import pytest

from simulator.commands import main as command_line
from simulator.commands import matrix as command
from simulator.commands.main import main
from simulator.matrix.columns import COLUMNS


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """What one test has reckoned, the others look up."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def ask(kept, capsys, monkeypatch):
    """Runs the command, all in this process."""
    if command not in command_line.COMMANDS:
        monkeypatch.setattr(command_line, "COMMANDS", (*command_line.COMMANDS, command))

    def asked(*arguments):
        code = main(["matrix", *arguments, "--workers", "1", "--kept", str(kept)])
        return code, capsys.readouterr().out

    return asked


def test_the_table_says_each_cell_in_a_word_or_in_a_sign(ask):
    code, few = ask("--rows", "retries", "--columns", "*-twice")
    _, all_of_them = ask("--rows", "retries")

    assert code == 0
    assert "retries        1 fault       1 fault" in few
    assert "N faults: it happens, and takes no fewer" in few
    assert "configuration  A   B  C  D   E" in all_of_them
    assert "retries        no  1  1  no  -" in all_of_them
    assert "B stored-twice: An event lies at one offset of a topic." in all_of_them


def test_a_cell_that_happens_tells_its_story_and_writes_its_run(ask, tmp_path):
    code, told = ask("--cell", "retries", "stored-twice", "--trace", str(tmp_path / "run.jsonl"))

    assert code == 0
    assert "smallest: 1 fault, 1 event: drop@broker-0>orders-producer/ProduceResponse#0=1" in told
    assert "certified: none of the 4 smaller schedules shows it" in told
    assert "probability: 0.3 %, for certain" in told
    assert "e1 lies at orders-0@0 and at orders-0@1" in told
    assert "appends it again" in told
    assert main(["check", str(tmp_path / "run.jsonl"), "--promise", "stored_once"]) == 1


def test_a_cell_that_is_absent_tells_what_it_rests_on(ask):
    code, told = ask("--cell", "idempotent", "stored-twice")

    assert code == 0
    assert "idempotent, stored-twice (in histories: duplicate): absent" in told
    assert "budgets: at most 2 of class drop" in told
    assert "left benign: crash: all; delay: all" in told
    assert "planted bug: forgets_producers shows it with 1 fault" in told


def test_what_cannot_be_told_ends_with_2(ask, monkeypatch):
    """Nothing shows the anomaly, and no planted bug shows that it would have been seen."""
    unproved = attrs.evolve(COLUMNS["stored-twice"], bugs=())
    monkeypatch.setitem(COLUMNS, "stored-twice", unproved)
    code, told = ask("--cell", "idempotent", "stored-twice")

    assert code == 2
    assert "why: " in told
    assert "absent" not in told.splitlines()[0]


def test_json_holds_all_of_it(ask):
    code, told = ask("--rows", "retries", "--columns", "stored-twice", "--json")

    (row,) = json.loads(told)["rows"]
    (cell,) = row["cells"]
    assert code == 0
    assert cell["verdict"] == "happens"
    assert cell["witness"]["faults"] == 1


def test_planted_bugs_are_told_by_what_they_show(ask):
    _, told = ask("--rows", "idempotent", "--mutants")

    assert "forgets_producers" in told
    assert "stored-twice (1)" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rows", "nobody"),
        ("--columns", "nothing"),
        ("--cell", "acks-*", "lost"),
        ("--cell", "retries", "lost", "--trace", "run.jsonl"),
        ("--trace", "run.jsonl"),
    ],
)
def test_what_is_not_there_cannot_be_asked_for(ask, arguments):
    code, _ = ask(*arguments)

    assert code == 64


def test_where_no_bug_can_be_planted_no_cell_is_reckoned(monkeypatch, capsys):
    monkeypatch.setattr("simulator.world.world.__file__", "/site/world.cpython-313.so")

    assert main(["matrix"]) == 65
    assert "no bug can be planted in what is compiled" in capsys.readouterr().err
