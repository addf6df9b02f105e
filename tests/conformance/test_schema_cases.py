"""The adapter runs the contracts: what the authorities answered passes, anything else does not."""

import copy

import pytest

from tests.conformance import judge

BOX = {"type": "record", "name": "Box", "fields": [{"name": "kg", "type": "int"}]}
WIDE = {"type": "record", "name": "Box", "fields": [{"name": "kg", "type": "long"}]}
LEVELS = {"NONE": True, "BACKWARD": True, "FORWARD": False, "FULL": False}
OURS = {
    "family": "schema",
    "avro_pairs": [
        {"id": "widened", "writer": BOX, "reader": WIDE, "expected": "compatible",
         "java_incompatibility_kinds": [], "data": [{"written": {"kg": 1}, "read": {"kg": 1}}]},
        {"id": "narrowed", "writer": WIDE, "reader": BOX, "expected": "incompatible",
         "java_incompatibility_kinds": ["TYPE_MISMATCH"],
         "data": [{"written": {"kg": 1}, "read_error": "?"}]},
    ],
    "avro_levels": [{"id": "widened", "history": [BOX], "candidate": WIDE, "verdict": LEVELS}],
    "avro_parse": {"cases": [{"id": "nothing", "schema": {}, "verdicts": {
        "java_validateDefaults_true": "error", "java_validateDefaults_false": "error"}}]},
    "json_pairs": [{
        "id": "shorter", "writer": {"maxLength": 3}, "reader": {"maxLength": 2},
        "expected": {"BACKWARD": {"strict": False, "lenient": False},
                     "FORWARD": {"strict": True, "lenient": True},
                     "FULL": {"strict": False, "lenient": False}},
        "confluent_diffs": ["MAX_LENGTH_DECREASED #/maxLength"],
        "counterexample_backward": "xxx",
    }],
    "protobuf_change_kinds": {"compatible": ["FIELD_ADDED"], "incompatible": ["PACKAGE_CHANGED"]},
}  # fmt: skip


def failures(document):
    return {name: failure for name, failure in judge(document, "schema") if failure}


def test_what_is_right_passes():
    assert failures(OURS) == {}
    assert len(list(judge(OURS, "schema"))) == 7


@pytest.mark.parametrize(
    ("place", "value", "case"),
    [
        (("avro_pairs", 0, "expected"), "incompatible", "avro_pairs widened"),
        (("avro_pairs", 0, "data", 0, "read"), {"kg": 2}, "avro_pairs widened"),
        (("avro_pairs", 1, "java_incompatibility_kinds"), ["NAME_MISMATCH"], "avro_pairs narrowed"),
        (("avro_levels", 0, "verdict", "FULL"), True, "avro_levels widened"),
        (("avro_parse", "cases", 0, "schema"), "int", "avro_parse nothing"),
        (("json_pairs", 0, "confluent_diffs"), [], "json_pairs shorter"),
        (("json_pairs", 0, "counterexample_backward"), "x", "json_pairs shorter"),
        (("protobuf_change_kinds", "compatible"), ["MESSAGE_REMOVED"], "protobuf MESSAGE_REMOVED"),
    ],
)
def test_what_is_wrong_fails(place, value, case):
    document = copy.deepcopy(OURS)
    part = document
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value

    assert list(failures(document)) == [case]
