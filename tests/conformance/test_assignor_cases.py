"""The adapter runs the assignors: what Kafka's classes answered passes, anything else does not."""

import copy

import pytest

from tests.conformance import judge

STICKY = {
    "name": "overfull members",
    "input": {
        "partitions": {"t": 7},
        "members": {
            "m19-0": {"topics": ["t"], "owned": [["t", n] for n in range(4)], "generation": 2},
            "n40": {"topics": ["t"], "owned": [["t", n] for n in (4, 5, 6)], "generation": 2},
            "n41": {"topics": ["t"], "owned": [], "generation": None},
        },
    },
    "expected": {
        "m19-0": [["t", 0], ["t", 1]],
        "n40": [["t", 4], ["t", 5], ["t", 6]],
        "n41": [["t", 2], ["t", 3]],
    },
}
COOPERATIVE = copy.deepcopy(STICKY)
COOPERATIVE["expected"]["n41"] = []


def on_the_server(assignor, kind, members, expected, *, by_topic_id=True, **more):
    return {
        "name": f"{assignor}, {kind}",
        "assignor": assignor,
        "input": {"subscription_type": kind, "partitions": {"t": 3, "u": 2}, "members": members},
        **({"expected": expected} if isinstance(expected, dict) else {"expected_error": expected}),
        "topic_id_independent": by_topic_id,
        **more,
    }


BOTH = {"topics": ["t", "u"], "owned": {}}
SERVER = [
    on_the_server(
        "range",
        "HOMOGENEOUS",
        {"a": BOTH, "b": BOTH},
        {"a": {"t": [0, 1], "u": [0]}, "b": {"t": [2], "u": [1]}},
    ),
    on_the_server(
        "uniform",
        "HETEROGENEOUS",
        {"a": {"topics": ["t"], "owned": {"t": [2], "u": [0]}}, "b": BOTH, "c": BOTH},
        {"a": {"t": [1, 2]}, "b": {"u": [0], "t": [0]}, "c": {"u": [1]}},
        by_topic_id=False,
        properties={"valid": True, "complete": True, "max_minus_min": 1, "kept": 1},
    ),
    on_the_server(
        "uniform",
        "HETEROGENEOUS",
        {"a": {"topics": ["t"]}, "b": {"topics": ["v"]}},
        "Members are subscribed to topic <topic-id> which doesn't exist in the topic metadata.",
    ),
]
DOCUMENTS = {"sticky": [STICKY], "cooperative-sticky": [COOPERATIVE], "on the server": SERVER}


def judged(name, cases):
    return [failure for _, failure in judge({"assignor": name, "cases": cases}, "assignors")]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_kafka_answered_passes(name):
    assert judged(name, DOCUMENTS[name]) == [None] * len(DOCUMENTS[name])


@pytest.mark.parametrize("name", ["sticky", "cooperative-sticky"])
def test_another_owner_is_reported(name):
    cases = copy.deepcopy(DOCUMENTS[name])
    cases[0]["expected"]["m19-0"].append(cases[0]["expected"]["n40"].pop())

    assert judged(name, cases)[0].startswith("m19-0: expected")


def test_on_the_server_another_owner_property_or_error_is_reported():
    cases = copy.deepcopy(SERVER)
    cases[0]["expected"]["a"]["u"] = [1]
    cases[1]["properties"]["kept"] = 0
    cases[2]["expected_error"] = "Nobody knows"

    ranges, uniform, refused = judged("", cases)
    assert ranges.startswith("a: expected")
    assert uniform == "kept: expected 0, got 1"
    assert refused.startswith("expected an error 'Nobody knows', got CannotAssign")


def test_an_assignor_that_is_not_there_is_reported():
    assert judged("lucky", [STICKY])[0].startswith("no assignor 'lucky'")
    assert judged("", [SERVER[0] | {"assignor": "lucky"}])[0].startswith("no assignor 'lucky'")
