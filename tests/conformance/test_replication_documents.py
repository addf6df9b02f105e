"""The adapters of replication run the rules: right expectations pass, wrong ones are reported."""

import json

import pytest

from tests.conformance import judge

EPOCHS = {
    "family": "leader_epoch",
    "cases": [
        {
            "name": "an epoch ends where the next begins",
            "steps": [
                {"op": "assign", "epoch": 1, "offset": 0, "expect": {"entries": [[1, 0]]}},
                {"op": "assign", "epoch": 4, "offset": 7,
                 "expect": {"entries": [[1, 0], [4, 7]]}},
                {"op": "end_offset_for", "epoch": 2, "leo": 9,
                 "expect": {"epoch": 1, "end_offset": 7, "entries": [[1, 0], [4, 7]]}},
                {"op": "previous", "epoch": 4,
                 "expect": {"epoch": 1, "entries": [[1, 0], [4, 7]]}},
                {"op": "truncate_from_start", "offset": 3,
                 "expect": {"entries": [[1, 3], [4, 7]]}},
                {"op": "reload", "expect": {"entries": [[1, 3], [4, 7]]}},
            ],
        }
    ],
    "truncation_cases": [
        {
            "name": "the logs part after the first record",
            "config": {"replicas": [1, 2], "isr": [1], "leader_epoch": 3,
                       "seed_logs": {"1": [[0, 1], [2, 1]], "2": [[0, 1], [1, 1]]}},
            "steps": [
                {"op": "fetch", "follower": 2,
                 "expect": {"fetch_offset": 2, "last_fetched_epoch": 1, "diverging_epoch": 0,
                            "diverging_end_offset": 1, "response_hw": 2, "truncated_to": [1],
                            "leo": 1, "hw": 0}},
                {"op": "epoch_end", "epoch": 1, "expect": {"epoch": 0, "end_offset": 1}},
            ],
        }
    ],
}  # fmt: skip
MARK = {
    "family": "high_watermark",
    "cases": [
        {
            "name": "the mark needs two fetches",
            "config": {"replicas": [1, 2], "min_isr": 2},
            "steps": [
                {"op": "produce", "count": 1, "acks": -1,
                 "expect": {"status": "ok", "base_offset": 0, "last_offset": 0}},
                {"op": "fetch", "follower": 2,
                 "expect": {"fetch_offset": 0, "last_fetched_epoch": None, "response_hw": 0,
                            "truncated_to": [0], "leo": 1, "hw": 0}},
                {"op": "acked", "offset": 1, "expect": {"acked": False, "error": "NONE"}},
                {"op": "leader_fetch", "follower": 2, "offset": 1,
                 "expect": {"status": "ok", "records": 0, "leader_hw": 1}},
                {"op": "acked", "offset": 1, "expect": {"acked": True, "error": "NONE"}},
                {"op": "consume", "expect": {"offsets": [0]}},
                {"op": "stop", "broker": 2, "clean": False},
                {"op": "start", "broker": 2, "lose_from": 0, "expect": {"leo": 0, "hw": 0}},
                {"op": "leader", "leader": 2},
                {"op": "state", "expect": {
                    "leader": 2, "leader_epoch": 1, "isr": [1, 2], "maximal_isr": [1, 2],
                    "pending": False, "brokers": {
                        "1": {"leo": 1, "hw": 1, "epochs": [[0, 0]], "log": [[0, 0, "v1"]]},
                        "2": {"leo": 0, "hw": 0, "epochs": [[1, 0]], "log": []}}}},
            ],
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize("document", [EPOCHS, MARK], ids=lambda document: document["family"])
def test_what_kafka_does_passes(document):
    assert [failure for _, failure in judge(document, document["family"]) if failure] == []


@pytest.mark.parametrize(
    ("document", "part", "step", "word", "wrong"),
    [
        (EPOCHS, "cases", 2, "end_offset", 9),
        (EPOCHS, "cases", 5, "entries", []),
        (EPOCHS, "truncation_cases", 0, "truncated_to", [0]),
        (EPOCHS, "truncation_cases", 1, "epoch", 1),
        (MARK, "cases", 0, "last_offset", 1),
        (MARK, "cases", 1, "hw", 1),
        (MARK, "cases", 2, "acked", True),
        (MARK, "cases", 5, "offsets", []),
        (MARK, "cases", 9, "maximal_isr", [2]),
    ],
)
def test_a_wrong_expectation_is_reported(document, part, step, word, wrong):
    spoilt = json.loads(json.dumps(document))
    spoilt[part][0]["steps"][step]["expect"][word] = wrong

    (failure,) = [failure for _, failure in judge(spoilt, spoilt["family"]) if failure]
    assert failure.startswith(f"step {step}, ")
    assert "expected" in failure
