"""A change that is refused comes with an instance that shows why, wherever in a schema it is."""

import pytest
from hypothesis import given

from simulator.contracts.avro_reading import Unreadable, read_avro
from simulator.contracts.avro_types import ABSENT
from simulator.contracts.contracts import JSON, Schema, counterexample, faults, reasons
from simulator.contracts.json_validating import is_valid
from tests.laws.schemas import TIGHTER, chains, json_changes

TEXT, WHOLE, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
WITH_A = {"type": "object", "properties": {"a": TEXT}}
NARROWER = {
    **TIGHTER,
    "closed": (WITH_A, {**WITH_A, "additionalProperties": False}),
    "required": (WITH_A, {**WITH_A, "required": ["a"]}),
    "items narrowed": ({"type": "array", "items": NUMBER}, {"type": "array", "items": WHOLE}),
    "uniqueness": ({"type": "array"}, {"type": "array", "uniqueItems": True}),
    "shorter": ({"type": "array", "items": TEXT}, {"type": "array", "items": TEXT, "maxItems": 2}),
    "not empty": ({"type": "object"}, {"type": "object", "minProperties": 1}),
    "pattern": ({"type": "string", "pattern": "^a+$"}, {"type": "string", "pattern": "^b+$"}),
}
PLACES = {
    "all of it": lambda one: one,
    "a property": lambda one: {"type": "object", "properties": {"n": one}},
    "a property of a closed object": lambda one: {
        "type": "object", "properties": {"n": one, "o": TEXT}, "required": ["o"],
        "additionalProperties": False,
    },
    "items": lambda one: {"type": "array", "items": one},
    "items of a property": lambda one: {
        "type": "object", "properties": {"n": {"type": "array", "items": one}},
    },
    "a property of items": lambda one: {"type": "array", "items": {
        "type": "object", "properties": {"n": one}, "required": ["n"]}},
    "properties without a name": lambda one: {"type": "object", "additionalProperties": one},
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("change", NARROWER)
def test_a_json_schema_that_is_narrowed_anywhere_comes_with_an_instance(change, place):
    old, new = (Schema(PLACES[place](one), JSON) for one in NARROWER[change])
    instance = counterexample(old, new)

    assert reasons(old, new)
    assert instance is not ABSENT
    assert is_valid(instance, old.document)
    assert not is_valid(instance, new.document)


@given(json_changes())
def test_a_drawn_change_of_json_has_an_instance_only_where_it_is_not_harmless(change):
    instance = counterexample(change.before, change.after)

    if instance is not ABSENT:
        assert is_valid(instance, change.before.document)
        assert not is_valid(instance, change.after.document)
    elif reasons(change.before, change.after):
        assert change.step == "not type narrowed", "refused, and harmless"


@given(chains(3))
def test_an_incompatible_avro_schema_always_comes_with_a_datum(chain):
    for writer in chain:
        for reader in chain:
            if faults(reader.schema):
                continue  # No registry takes it.
            datum = counterexample(writer.schema, reader.schema)
            wrong = reasons(writer.schema, reader.schema)

            assert bool(wrong) == (datum is not ABSENT)
            if wrong:
                answer = read_avro(datum, writer.schema.parsed, reader.schema.parsed)
                assert isinstance(answer, Unreadable)


def test_a_reader_whose_aliases_collide_has_no_datum():
    """One written field would feed two of the reader's: no comparison is right about it."""
    def order(*fields):
        return Schema({"type": "record", "name": "Order", "fields": list(fields)})

    writer = order({"name": "a", "type": "string"})
    reader = order(
        {"name": "c", "type": "string", "aliases": ["a"]},
        {"name": "a", "type": "int", "default": 7},
    )

    assert faults(reader)
    assert reasons(writer, reader)
    assert counterexample(writer, reader) is ABSENT
