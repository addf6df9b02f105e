"""The adapter runs the rules of retention and compaction: a wrong expectation is reported."""

import copy

import pytest

from tests.conformance import judge

OK = {"status": "ok", "base_offset": 0, "last_offset": 0}
CASES = [
    {
        "name": "a tombstone stays for its time",
        "config": {"cleanup_policy": "compact", "delete_retention_ms": 10},
        "steps": [
            {"op": "append", "records": [["a", None]], "expect": OK},
            {"op": "append", "records": [["b", "1"]]},
            {"op": "roll"},
            {"op": "cleanable", "last_clean": 9, "expect": {"first_dirty": 0}},
            {"op": "clean", "first_dirty": 0, "now": 5, "expect": {"next_dirty": 2}},
            {"op": "contents", "expect": {"records": [[0, "a", None], [1, "b", "1"]]}},
            {"op": "clean", "first_dirty": "prev", "now": 15, "expect": {"next_dirty": 2}},
            {"op": "contents", "expect": {"records": [[1, "b", "1"]], "batch_last_offsets": [1]}},
        ],
    },
    {
        "name": "whole segments go by age",
        "config": {"retention_ms": 10},
        "steps": [
            {"op": "append", "records": [["a", "1"]], "ts": -5},
            {"op": "roll"},
            {"op": "follower_append", "base_offset": 7, "records": [["b", "1"]]},
            {"op": "tick", "ms": 6},
            {"op": "retention", "expect": {"deleted_segments": 0}},
            {"op": "hw_leo"},
            {"op": "retention", "expect": {"deleted_segments": 1, "log_start": 1, "leo": 8}},
            {"op": "read", "from": 1, "isolation": "read_uncommitted",
             "expect": {"offsets": [7], "next_offset": 8}},
            {"op": "read", "from": 0, "isolation": "read_uncommitted",
             "expect": {"status": "error", "error": "OFFSET_OUT_OF_RANGE"}},
        ],
    },
]  # fmt: skip
WRONG = [
    (0, 0, "base_offset", 1),
    (0, 3, "first_dirty", 9),
    (0, 4, "next_dirty", 1),
    (0, 5, "records", []),
    (0, 7, "batch_last_offsets", [0, 1]),
    (1, 4, "deleted_segments", 1),
    (1, 6, "log_start", 7),
    (1, 7, "offsets", [1]),
    (1, 8, "error", "NONE"),
]


def judged(cases):
    return [failure for _, failure in judge({"cases": cases}, "compaction")]


def test_what_kafka_does_passes():
    assert judged(CASES) == [None, None]


@pytest.mark.parametrize(("case", "step", "key", "value"), WRONG)
def test_a_wrong_expectation_is_reported(case, step, key, value):
    cases = copy.deepcopy(CASES)
    cases[case]["steps"][step]["expect"][key] = value
    failures = judged(cases)

    assert f"step {step}" in failures[case]
    assert failures[1 - case] is None
