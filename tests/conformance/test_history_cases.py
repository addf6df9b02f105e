"""The adapter of histories compares all that a document may expect, and sees what is not so."""

import copy
import json

import pytest

from tests.conformance import judge, read
from tests.conformance.__main__ import main
from tests.recorded import ops

LINES = ("0 ok send x!a@0", "0 ok send x!b@1 x!d@3", "1 info send x!c", "2 ok poll x?c@2")
LOST = [
    {"key": "x", "value": "a", "index": 0, "max-read-index": 2, "writer": 1, "max-read": 7},
    {"key": "x", "value": "b", "index": 1, "max-read-index": 2, "writer": 3, "max-read": None},
]
TYPES = ["int-send-skip", "lost-write", "unseen"]
CASE = {
    "format": "kafka-history/1",
    "id": "lost",
    "options": {"ww_deps": False, "sub_via": ["assign"]},
    "history": ops(*LINES),
    "expected": {
        "asserted": {
            "lost-write": LOST[::-1],
            "unseen_series": [
                {"time": 1, "unseen": {"x": 1}},
                {"time": 3, "unseen": {"x": 3}},
                {"time": 7, "unseen": {"x": 3}, "messages": {"x": ["a", "b", "d"]}},
            ],
        },
        "asserted_absent": ["duplicate"],
        "asserted_valid": False,
        "derived": {
            "errors": {
                "lost-write": LOST,
                "unseen": {"time": 7, "unseen": {"x": 3, "y": 0}, "messages": {
                    "x": ["b", "a", "d"]}},
            },
            "error_types": TYPES,
            "bad_error_types": TYPES[1:],
            "valid": False,
        },
        "intent": {"must_report": ["unseen"], "must_not_report": ["G1a"], "valid": False},
        "asserted_version_order": {"x": {
            "log": [["a"], ["b"], ["c"], ["d"]], "by_value": {"a": 0, "d": 3}, "dense_length": 4}},
    },
}  # fmt: skip
CIRCLE = {
    "format": "kafka-history/1",
    "history": ops("0 ok poll x?a@0", "1 ok send x!a@0"),
    "expected": {"derived": {
        "errors": {
            "G1c-realtime": [{"cycle": [3, 1, 3], "steps": ["wr", "realtime"]}],
            "strong-PL-2-cycle-exists": [{"scc": [1, 3]}],
        },
        "error_types": ["G1c-realtime", "strong-PL-2-cycle-exists"],
        "bad_error_types": ["G1c-realtime", "strong-PL-2-cycle-exists"],
        "valid": False,
    }},
}  # fmt: skip


def failures(document):
    return [failure for _, failure in judge(document, "histories") if failure]


@pytest.mark.parametrize("document", [CASE, CIRCLE, {"cases": [CASE, CIRCLE]}])
def test_right_expectations_pass(document):
    assert not failures(document)


WRONG = {
    "a case too few": lambda e: e["asserted"]["lost-write"].pop(),
    "a case too many": lambda e: e["asserted"]["lost-write"].append({"key": "y"}),
    "another writer": lambda e: e["asserted"]["lost-write"][0].update(writer=1),
    "another count": lambda e: e["asserted"]["unseen_series"][1]["unseen"].update(x=2),
    "a lag": lambda e: e["asserted"].update(worst_realtime_lag={"lag": 7}),
    "lags": lambda e: e["asserted"].update(realtime_lag=[]),
    "absent": lambda e: e["asserted_absent"].append("unseen"),
    "valid": lambda e: e.update(asserted_valid=True),
    "other errors": lambda e: e["derived"]["error_types"].append("G0"),
    "others are bad": lambda e: e["derived"]["bad_error_types"].pop(),
    "derived valid": lambda e: e["derived"].update(valid=True),
    "derived detail": lambda e: e["derived"]["errors"]["unseen"]["unseen"].update(x=2),
    "to be found": lambda e: e["intent"]["must_report"].append("G1a"),
    "not to be found": lambda e: e["intent"]["must_not_report"].append("unseen"),
    "meant to be valid": lambda e: e["intent"].update(valid=True),
    "another order": lambda e: e["asserted_version_order"]["x"]["by_value"].update(d=2),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_expectations_are_reported(wrong):
    document = copy.deepcopy(CASE)
    WRONG[wrong](document["expected"])

    assert len(failures(document)) == 1


@pytest.mark.parametrize("part", ["cycle", "steps"])
def test_a_cycle_is_known_by_its_operations_and_its_kinds_of_edges(part):
    document = copy.deepcopy(CIRCLE)
    document["expected"]["derived"]["errors"]["G1c-realtime"][0][part][0] = "ww"

    assert failures(document)


def test_a_search_that_ran_out_of_time_elsewhere_is_no_failure():
    document = copy.deepcopy(CIRCLE)
    derived = document["expected"]["derived"]
    derived["error_types"] = derived["bad_error_types"] = ["cycle-search-timeout"]

    assert not failures(document)


def test_a_history_needs_no_name_of_its_family(tmp_path, capsys):
    path = tmp_path / "lost.json"
    path.write_text(json.dumps(CASE))

    assert read(str(path), "histories") == CASE
    assert main(["histories", str(path)]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"
