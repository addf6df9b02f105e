"""What changed between two JSON Schemas, whether it may, and an instance where it may not."""

import pytest

from simulator.contracts.avro_types import ABSENT
from simulator.contracts.contracts import JSON, Schema, counterexample, reasons
from simulator.contracts.json_breaking import breaking_instance
from simulator.contracts.json_difference import json_differences
from simulator.contracts.json_types import parse_json_schema
from simulator.contracts.json_validating import is_valid
from simulator.errors import BadInput


def an_object(**properties):
    return {"type": "object", "properties": properties}


def closed(**properties):
    return {**an_object(**properties), "additionalProperties": False}


NUMBER, TEXT = {"type": "number"}, {"type": "string"}
WHOLE = {"type": "integer"}


def differences(writer, reader):
    found = json_differences(parse_json_schema(writer), parse_json_schema(reader))
    return sorted(" ".join(one) for one in found)


def verdicts(writer, reader):
    """Compatible when strict, when lenient."""
    schemas = Schema(writer, JSON), Schema(reader, JSON)
    return not reasons(*schemas), not reasons(*schemas, "LENIENT")


OPEN_ADDED = "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/kg"
CLOSED_ADDED = "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/kg"


@pytest.mark.parametrize(
    ("writer", "reader", "kinds", "policies", "breaks"),
    [
        (an_object(), an_object(kg=NUMBER), [OPEN_ADDED], (False, True), True),
        (an_object(kg=NUMBER), an_object(),
         ["PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL #/properties/kg"], (True, True), False),
        (closed(), closed(kg=NUMBER), [CLOSED_ADDED], (True, True), False),
        (closed(kg=NUMBER), closed(),
         ["PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/kg"], (False, True), True),
        (closed(kg=NUMBER), {**closed(kg=NUMBER), "required": ["kg"]},
         ["REQUIRED_ATTRIBUTE_ADDED #/required/kg"], (False, False), True),
        ({**an_object(), "additionalProperties": WHOLE},
         {**an_object(kg=NUMBER), "additionalProperties": WHOLE},
         [CLOSED_ADDED,
          "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/kg",
          "TYPE_EXTENDED #/properties/kg"], (True, True), False),
        ({**an_object(), "patternProperties": {"^k": NUMBER}},
         {**an_object(kg=TEXT), "patternProperties": {"^k": NUMBER}},
         [CLOSED_ADDED,
          "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/kg",
          "TYPE_CHANGED #/properties/kg"], (False, False), True),
        (NUMBER, {**NUMBER, "minimum": 3}, ["MINIMUM_ADDED #/minimum"], (False, False), True),
        ({**WHOLE, "multipleOf": 6}, {**WHOLE, "multipleOf": 3},
         ["MULTIPLE_OF_REDUCED #/multipleOf"], (True, True), False),
        ({**WHOLE, "multipleOf": 3}, {**WHOLE, "multipleOf": 6},
         ["MULTIPLE_OF_EXPANDED #/multipleOf"], (False, False), True),
        ({"enum": [1, 2]}, {"enum": [1, 2, "3"]}, ["ENUM_ARRAY_EXTENDED #/enum"],
         (True, True), False),
        ({"type": ["string", "null"]}, {"type": ["string", "null", "integer"]},
         ["SUM_TYPE_EXTENDED #/"], (True, True), False),
        ({"oneOf": [TEXT, WHOLE]}, {"oneOf": [TEXT]}, ["SUM_TYPE_NARROWED #/"],
         (False, False), True),
        ({"anyOf": [TEXT, WHOLE]}, {"allOf": [TEXT, WHOLE]}, ["COMBINED_TYPE_CHANGED #/"],
         (False, False), True),
        ({"allOf": [{"minLength": 2}, TEXT]}, TEXT,
         ["MIN_LENGTH_REMOVED #/minLength", "PRODUCT_TYPE_NARROWED #/"], (True, True), False),
        ({"type": "array", "items": WHOLE}, {"type": "array", "items": WHOLE, "uniqueItems": True},
         ["UNIQUE_ITEMS_ADDED #/uniqueItems"], (False, False), True),
        ({"type": "array", "items": [WHOLE, TEXT]},
         {"type": "array", "items": [WHOLE], "additionalItems": NUMBER},
         ["ADDITIONAL_ITEMS_NARROWED #/additionalItems",
          "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/items/1",
          "TYPE_CHANGED #/items/1"], (False, False), True),
        ({**an_object(), "dependencies": {"a": ["b"]}},
         {**an_object(), "dependencies": {"a": ["b", "c"]}},
         ["DEPENDENCY_ARRAY_EXTENDED #/dependencies/a"], (False, False), True),
        ({"not": WHOLE}, {"not": NUMBER}, ["NOT_TYPE_EXTENDED #/not"], (False, False), True),
        ({"title": "Weight", **NUMBER}, {"title": "Kilograms", **NUMBER},
         ["TITLE_CHANGED #/"], (True, True), False),
    ],
)  # fmt: skip
def test_a_change_has_a_name_a_verdict_and_perhaps_an_instance(
    writer, reader, kinds, policies, breaks
):
    assert differences(writer, reader) == kinds
    assert verdicts(writer, reader) == policies
    instance = counterexample(Schema(writer, JSON), Schema(reader, JSON))
    assert (instance is not ABSENT) == breaks
    if breaks:
        assert is_valid(instance, writer)
        assert not is_valid(instance, reader)


def test_a_default_does_not_fill_what_is_required():
    """Confluent takes the change, and plain validation rejects the old document."""
    writer = closed(kg=NUMBER)
    reader = {**closed(kg=NUMBER, to={**TEXT, "default": ""}), "required": ["to"]}

    assert verdicts(writer, reader) == (True, True)
    assert breaking_instance(writer, reader) == {}


def test_a_one_of_that_grows_by_an_overlapping_branch_is_taken_and_breaks():
    writer = {"oneOf": [TEXT, WHOLE]}
    reader = {"oneOf": [TEXT, WHOLE, {"minimum": 0}]}

    assert verdicts(writer, reader) == (True, True)
    instance = breaking_instance(writer, reader)
    assert is_valid(instance, writer)
    assert not is_valid(instance, reader)


def test_a_pattern_may_not_change_even_where_no_instance_breaks():
    writer, reader = {**TEXT, "pattern": "^b$"}, {**TEXT, "pattern": "^b+$"}

    assert verdicts(writer, reader) == (False, False)
    assert breaking_instance(writer, reader) is ABSENT


def test_a_reference_is_its_target_and_may_hold_itself():
    def tree(leaf):
        kids = {"type": "array", "items": {"$ref": "#/definitions/Tree"}}
        return {"$ref": "#/definitions/Tree", "definitions": {"Tree": closed(leaf=leaf, kids=kids)}}

    assert differences(tree(WHOLE), tree(NUMBER)) == ["TYPE_EXTENDED #/properties/leaf"]
    assert verdicts(tree(NUMBER), tree(WHOLE)) == (False, False)
    assert breaking_instance(tree(NUMBER), tree(WHOLE)) == {"leaf": 1.5}
    assert is_valid({"kids": [{"leaf": 1}]}, tree(WHOLE))
    assert not is_valid({"kids": [{"leaf": "1"}]}, tree(WHOLE))


@pytest.mark.parametrize(
    ("document", "good", "bad"),
    [
        ({"const": 1}, [1, 1.0], [True, "1"]),
        ({"enum": [False, None]}, [False, None], [0, ""]),
        (WHOLE, [3, 3.0], [True, 3.5]),
        ({"multipleOf": 0.1}, [0.3, "x"], [0.35]),
        ({"if": TEXT, "then": {"minLength": 2}, "else": NUMBER}, ["ab", 1], ["a", None]),
        ({"propertyNames": {"maxLength": 1}}, [{"a": 1}], [{"ab": 1}]),
        ({"contains": WHOLE}, [["a", 1]], [["a"], []]),
        ({"dependencies": {"a": {"required": ["b"]}}}, [{"a": 1, "b": 1}, {}], [{"a": 1}]),
        ({"oneOf": [WHOLE, NUMBER]}, [1.5], [1]),
        ({"exclusiveMinimum": 2, "exclusiveMaximum": 4}, [3], [2, 4]),
        ({"items": [WHOLE], "additionalItems": TEXT}, [[1, "a"]], [["a"], [1, 1]]),
        ({"uniqueItems": True}, [[1, True]], [[1, 1.0]]),
        ({"type": "object", "minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, []]),
    ],
)
def test_an_instance_is_valid_or_not(document, good, bad):
    assert [is_valid(one, document) for one in good] == [True] * len(good)
    assert [is_valid(one, document) for one in bad] == [False] * len(bad)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (5, "#"),
        ({"type": "text"}, "#/type"),
        ({"properties": {"a": 5}}, "#/properties/a"),
        ({"anyOf": {}}, "#/anyOf"),
        ({"type": "string", "pattern": "("}, "#/pattern"),
        ({"items": {"$ref": "#/nowhere"}}, "#/items"),
        ({"items": {"$ref": "http://example.org/a"}}, "#/items"),
        ({"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}}, "#"),
        ("{", "schema"),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place(document, path):
    with pytest.raises(BadInput) as caught:
        parse_json_schema(document)

    assert caught.value.where == path
