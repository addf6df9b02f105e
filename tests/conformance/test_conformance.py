"""The adapters run the rules: right expectations pass, wrong ones are reported."""

import copy
import json

import pytest

from tests.conformance import FAMILIES, CannotRun, agrees, judge, read
from tests.conformance.__main__ import main

MURMUR2 = {
    "family": "murmur2",
    "cases": [
        {
            "name": "abc",
            "key_hex": "616263",
            "murmur2": 479470107,
            "to_positive": 479470107,
            "partition": {"1": 0, "8": 3, "10": 7},
        },
        {
            "name": "a negative hash",
            "key_hex": "666f6f626172",
            "murmur2": -790332482,
            "to_positive": 1357151166,
            "partition": {"3": 0, "10": 6, "1000": 166},
        },
    ],
    "unkeyed_cases": [
        {
            "name": "without leader: never",
            "input": {"partitions": 3, "unavailable": [1], "sticky_batch_size": 1, "appends": 9},
            "expected": {"never": [1], "uses_more_than_one": True},
        },
        {
            "name": "the longer the queue, the rarer",
            "input": {"queue_sizes": [5, 0, 3, 0, 1], "sticky_batch_size": 1},
            "expected": {
                "cumulative_frequency_table": [1, 7, 10, 16, 21],
                "times_chosen": [2, 12, 6, 12, 10],
            },
        },
    ],
}


def both(members, partitions, expected, **more):
    given = {"members": members, "partitions": partitions, **more}
    return {"name": "a case", "input": given, "expected": expected}


RANGE = {
    "family": "assignors",
    "assignor": "range",
    "cases": [
        both(
            {"a": {"topics": ["t", "u"]}, "b": {"topics": ["t", "u"]}},
            {"t": 3, "u": 3},
            {"a": [["t", 0], ["t", 1], ["u", 0], ["u", 1]], "b": [["t", 2], ["u", 2]]},
        ),
        both(
            {"a": {"topics": ["t"], "rack": "x"}, "b": {"topics": ["t"], "rack": "y"}},
            {"t": 2},
            {"a": [["t", 1]], "b": [["t", 0]]},
            partition_racks={"t": [["y"], ["x"]]},
        ),
    ],
}
ROUND_ROBIN = {
    "family": "assignors",
    "assignor": "roundrobin",
    "cases": [
        both(
            {"a": {"topics": ["t"]}, "b": {"topics": ["t", "u"]}, "c": {"topics": ["t"]}},
            {"t": 3, "u": 2},
            {"a": [["t", 0]], "b": [["t", 1], ["u", 0], ["u", 1]], "c": [["t", 2]]},
        )
    ],
}
FIRST_GENERATION = [
    {"op": "join", "as": "A", "member_id": "",
     "expect": {"error": "MEMBER_ID_REQUIRED", "group_state": "Empty",
                "pending_join_members": 1}},
    {"op": "join", "as": "A", "expect": {"pending": True, "members_now": ["A"]}},
    {"op": "tick", "ms": 2999, "expect": {"group_state": "PreparingRebalance"}},
    {"op": "tick", "ms": 1, "expect": {"generation_now": 1, "completed": [
        {"member": "A", "op": "join", "generation": 1, "leader": "A", "members": ["A"]}]}},
    {"op": "sync", "as": "A", "generation": 1, "assignments": {"A": "all"},
     "expect": {"error": "NONE", "assignment": "all", "group_state": "Stable"}},
]  # fmt: skip
GROUP = {
    "family": "group",
    "cases": [
        {
            "name": "a session ends without heartbeats",
            "config": {},
            "steps": [
                *FIRST_GENERATION,
                {"op": "tick", "ms": 9999, "expect": {"members_now": ["A"]}},
                {"op": "tick", "ms": 1, "expect": {"group_state": "Empty", "generation_now": 2}},
            ],
        },
        {
            "name": "an old generation cannot commit",
            "config": {},
            "steps": [
                *FIRST_GENERATION,
                {"op": "commit", "as": "A", "generation": 0,
                 "expect": {"error": "ILLEGAL_GENERATION"}},
                {"op": "commit", "as": "A", "generation": 1, "expect": {"error": "NONE"}},
                {"op": "leave", "members": [{"member": "A"}, {"instance_id": "nobody"}],
                 "expect": {"member_errors": ["NONE", "UNKNOWN_MEMBER_ID"]}},
            ],
        },
    ],
}  # fmt: skip

OPEN_AND_ABORTED = [
    {"op": "append", "pid": 1, "epoch": 0, "seq": 0, "count": 2, "txn": True,
     "expect": {"status": "ok", "base_offset": 0, "last_offset": 1}},
    {"op": "append", "pid": 2, "epoch": 0, "seq": 0, "count": 1, "txn": True,
     "expect": {"status": "ok", "base_offset": 2, "last_offset": 2}},
    {"op": "marker", "pid": 1, "epoch": 0, "marker": "abort", "coordinator_epoch": 0,
     "expect": {"status": "ok", "base_offset": 3, "last_offset": 3}},
    {"op": "hw_leo"},
    {"op": "read", "from": 0, "isolation": "read_committed",
     "expect": {"offsets": [], "aborted": [[1, 0]], "next_offset": 2}},
    {"op": "read", "from": 1, "isolation": "read_uncommitted",
     "expect": {"offsets": [1, 2], "next_offset": 4}},
    {"op": "marker", "pid": 2, "epoch": 0, "marker": "commit", "coordinator_epoch": 0,
     "expect": {"status": "ok", "base_offset": 4, "last_offset": 4}},
    {"op": "hw", "offset": 5},
    {"op": "read", "from": 0, "isolation": "read_committed",
     "expect": {"offsets": [2], "aborted": [[1, 0]], "next_offset": 5}},
]  # fmt: skip
TRANSACTIONS = {
    "family": "transactions",
    "cases": [
        {"name": "what is behind an open transaction waits", "steps": OPEN_AND_ABORTED},
        {"name": "until the high watermark has passed", "steps": OPEN_AND_ABORTED[:3]},
    ],
}

DOCUMENTS = {"murmur2": MURMUR2, "range": RANGE, "round robin": ROUND_ROBIN, "group": GROUP,
             "transactions": TRANSACTIONS}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_kafka_does_passes(name):
    document = DOCUMENTS[name]

    assert [failure for _, failure in judge(document, document["family"]) if failure] == []


def spoilt():
    """Each document with its first case's expectation made wrong."""
    for name, at, wrong in (
        ("murmur2", ("murmur2",), 0),
        ("range", ("expected", "b"), [["t", 2]]),
        ("round robin", ("expected", "c"), []),
        ("group", ("steps", -1, "expect", "generation_now"), 3),
        ("group", ("steps", 3, "expect", "completed"), []),
        ("transactions", ("steps", -1, "expect", "offsets"), [0, 1, 2]),
        ("transactions", ("steps", 4, "expect", "next_offset"), 3),
    ):
        document = json.loads(json.dumps(DOCUMENTS[name]))  # Nothing is shared between cases.
        place = document["cases"][0]
        for step in at[:-1]:
            place = place[step]
        place[at[-1]] = wrong
        yield pytest.param(document, id=f"{name}: {at[-1]}")


@pytest.mark.parametrize("document", list(spoilt()))
def test_a_wrong_expectation_is_reported(document):
    (_, failure), *others = judge(document, document["family"])

    assert "expected" in failure
    assert not any(other for _, other in others)


def test_a_sticky_choice_can_be_wrong_too():
    document = copy.deepcopy(MURMUR2)
    document["unkeyed_cases"][0]["expected"] = {"always": 1}
    document["unkeyed_cases"][1]["expected"]["times_chosen"] = [0, 0, 0, 0, 0]

    failures = [failure for _, failure in judge(document, "murmur2") if failure]

    assert len(failures) == 2


def test_a_case_that_cannot_be_run_fails_alone():
    document = {"family": "murmur2", "cases": [{"name": "odd"}, MURMUR2["cases"][0]]}

    assert [bool(failure) for _, failure in judge(document, "murmur2")] == [True, False]


def write(path, document):
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def test_the_command_counts_and_answers_by_its_status(tmp_path, capsys):
    right = write(tmp_path / "right.json", MURMUR2)
    wrong = copy.deepcopy(MURMUR2)
    wrong["cases"][1]["murmur2"] = 1

    assert main(["murmur2", right]) == 0
    assert capsys.readouterr().out == "4 passed, 0 failed\n"
    assert main(["murmur2", right, write(tmp_path / "wrong.json", wrong)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert "a negative hash" in out[0]
    assert out[-1] == "7 passed, 1 failed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["murmur3", "right.json"], "unknown family 'murmur3'"),
        (["murmur2", "absent.json"], "absent.json: cannot be read"),
        (["murmur2", "binary.json"], "binary.json: cannot be read"),
        (["murmur2", "list.json"], "list.json: not a vector file"),
        (["group", "right.json"], "right.json: is of family 'murmur2', not 'group'"),
        (["group"], "usage"),
    ],
)
def test_what_cannot_be_judged_is_said_in_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "right.json", MURMUR2)
    write(tmp_path / "list.json", [])
    (tmp_path / "binary.json").write_bytes(b"\xff\x00\xfe")

    assert main(arguments) == 64
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_a_file_of_another_family_is_refused_by_the_reader(tmp_path):
    path = write(tmp_path / "other.json", {"family": "group", "cases": []})

    with pytest.raises(CannotRun, match="is of family 'group'"):
        read(path, "murmur2")


def test_what_an_expectation_does_not_mention_is_not_compared():
    assert agrees({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}], "d": 3})
    assert not agrees({"a": [{"b": 1}]}, {"a": []})
    assert not agrees({"a": 1}, {})


def test_every_family_has_a_module_of_its_own():
    for name, module in FAMILIES.items():
        assert module == f"tests.conformance.{name}"
