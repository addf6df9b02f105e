"""Each known bug is found by search within its budget, named by its check, and gone with its fix.

docs/known_bugs.md says what is found; after a change that is meant, write it again by
`python docs/generate.py known_bugs.md`.
"""

import shlex
from functools import cache
from pathlib import Path

import pytest

from experiments.known_bugs.__main__ import main
from experiments.known_bugs.known_bug import WITHOUT_THE_SLIP
from experiments.known_bugs.searching import searched
from experiments.known_bugs.slips import patched
from experiments.known_bugs.table import ROWS
from experiments.known_bugs.telling import (
    COMMAND,
    faults_of,
    faults_text,
    page,
    replay_command,
    told,
)
from simulator import (
    BadInput,
    Clog,
    Crash,
    Delay,
    DiskLoss,
    Drop,
    Duplicate,
    FaultPlan,
    Partition,
    Pause,
    Skew,
)

PAGE = Path(__file__).parents[2] / "docs" / "known_bugs.md"


@cache
def outcome(name):
    """Once for all tests: the same each time."""
    return searched(ROWS[name])


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_found_and_gone_with_its_fix(name):
    found = outcome(name)

    assert found.stands, "\n".join(told(found))


@pytest.mark.parametrize("name", ROWS)
def test_the_printed_command_has_the_run_again_and_the_fix_mends_it(name, capsys):
    found = outcome(name).found
    assert found is not None
    words = shlex.split(replay_command(ROWS[name], found.run).removeprefix(COMMAND))

    assert main(words) == 0
    assert f"{ROWS[name].anomaly}: broken" in capsys.readouterr().out
    for number, label in enumerate(ROWS[name].mended, start=1):
        assert main([*words, "--fix", str(number)]) == 0
        assert label in capsys.readouterr().out


def test_the_page_says_what_is_found():
    """If not: python docs/generate.py known_bugs.md."""
    assert PAGE.read_text(encoding="utf-8") == page(outcome(name) for name in ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_whole(name):
    """A check, a fix or a slip or that it is allowed, and words for a reader."""
    bug = ROWS[name]

    assert bug.name == name
    assert bug.sought.name == bug.anomaly
    assert bool(bug.fixes) + (bug.slip is not None) + (bug.allowed is not None) == 1
    assert bool(bug.promises) == (bug.allowed is not None)
    assert bug.title
    assert bug.source
    assert bug.story.endswith(".")
    assert all(scenario != bug.broken for scenario in bug.fixes.values())


def test_a_search_comes_to_the_same_each_time():
    again = searched(ROWS["P01"])

    assert told(again) == told(outcome("P01"))


def test_a_slip_is_gone_afterwards():
    class Right:
        answer = 1

    def inside():
        with patched(Right, "answer", 2):
            return Right.answer / 0

    with pytest.raises(ZeroDivisionError):
        inside()

    assert Right.answer == 1
    assert list(ROWS["P05"].mended) == [WITHOUT_THE_SLIP]


def test_one_row_is_searched_and_told(capsys):
    assert main(["P01"]) == 0
    said = capsys.readouterr().out

    assert "found in run" in said
    assert "--faults" in said
    assert "gone with enable.idempotence" in said
    assert "1 of 1 rows stand" in said


EVERY_KIND = FaultPlan(
    (
        Drop("a", "b", "ProduceRequest", nth=1),
        Duplicate("a", "b", "ProduceRequest", later_ms=40),
        Delay("a", "b", "FetchRequest", extra_ms=40),
        Crash("a", "after_append", down_ms=5, mode="power"),
        Crash("b", at_ms=5),
        Pause("a", 1, 2),
        Partition(("a",), ("*",), 1, 2, symmetric=False),
        Clog("a", "*", 1, 2),
        Skew("a", 1, drift_ppm=5),
        DiskLoss("a", 1),
    )
)


def test_faults_are_read_as_they_are_written():
    assert faults_of(faults_text(EVERY_KIND)) == EVERY_KIND
    assert faults_of("") == FaultPlan()


@pytest.mark.parametrize("text", ["Drop(", "Lose('a')", "1", "__import__('os')", "Drop(a, b, c)"])
def test_what_is_no_fault_is_refused(text):
    with pytest.raises(BadInput, match="no list of faults"):
        faults_of(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["P99"], "P99"),
        (["P01", "P02", "--faults", ""], "one row at a time"),
        (["P01", "--faults", "", "--fix", "9"], "9"),
        (["P01", "--faults", "Lose()"], "no list of faults"),
        (["P01", "--witness", "nonsense"], "nonsense"),
    ],
)
def test_wrong_words_are_refused(words, said, capsys):
    assert main(words) == 2
    assert said in capsys.readouterr().err
