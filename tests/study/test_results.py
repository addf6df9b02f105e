"""Results survive their file, byte for byte; a wrong file is refused in one line."""

import json

import pytest

from simulator.errors import BadInput
from simulator.study.replicate import replicate
from simulator.study.results import from_json, read_results, to_json, write_results
from tests.study.fake import EXPERIMENT, fails_badly, run


@pytest.fixture(scope="module")
def results():
    return replicate(EXPERIMENT, run, workers=1)


def test_results_survive_their_file(results, tmp_path):
    path = tmp_path / "new" / "results.json"
    write_results(results, path)

    read = read_results(path)

    assert to_json(read) == path.read_text(encoding="utf-8") == to_json(results)
    assert read.exit_code == results.exit_code
    assert [str(one) for one in read.comparisons] == [str(one) for one in results.comparisons]
    assert sorted(at.name for at in path.parent.iterdir()) == ["results.json"]


def test_the_file_is_sorted_and_tells_of_no_time_or_place(results):
    text = to_json(results)
    plain = json.loads(text)

    assert json.dumps(plain, indent=1, sort_keys=True) + "\n" == text
    assert sorted(plain) == [
        "cells", "columns", "comparisons", "confidence", "exit_code", "experiment", "factors",
        "first_seed", "format", "notes", "partial", "question", "version",
    ]  # fmt: skip


def test_a_partial_study_says_so_in_its_file():
    plain = json.loads(to_json(replicate(EXPERIMENT, fails_badly, workers=1)))

    assert "seed 7 failed" in plain["partial"]
    assert plain["exit_code"] == 2


def test_an_unfinished_file_does_not_replace_the_old_one(results, tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text("old", encoding="utf-8")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BadInput, match="No space left on device"):
        write_results(results, path)

    assert path.read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "not a results file"),
        ("{", "not a results file"),
        ("[]", "not a results file"),
        ('{"format": "other"}', "not a results file"),
        ('{"format": "simulator results", "version": 9}', "version 9"),
        ('{"format": "simulator results", "version": 1}', "KeyError: 'experiment'"),
    ],
)
def test_what_is_not_a_results_file_is_refused_in_one_line(tmp_path, text, shown):
    path = tmp_path / "results.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(BadInput, match=shown) as caught:
        read_results(path)

    assert "results.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_and_a_binary_file_are_refused(tmp_path):
    binary = tmp_path / "b.json"
    binary.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(BadInput, match="No such file"):
        read_results(tmp_path / "none.json")
    with pytest.raises(BadInput, match="not text"):
        read_results(binary)


def test_a_cell_that_is_not_there_is_refused(results):
    with pytest.raises(BadInput, match=r"such as sink=naive crash=0\.0"):
        results.cell(sink="best")
    assert from_json(to_json(results)).cell(sink="naive", crash="0.0").runs == 40
