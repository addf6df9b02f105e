"""An Avro schema is read with full names, or refused with the path to what is wrong."""

import pytest

from simulator.contracts.avro import canonical_avro, parse_avro
from simulator.contracts.avro_defaults import default_datum
from simulator.contracts.avro_types import Branch
from simulator.errors import BadInput


def record(*fields, name="Parcel", **more):
    return {"type": "record", "name": name, "fields": list(fields), **more}


def a_field(name, kind, **more):
    return {"name": name, "type": kind, **more}


def test_a_name_lives_in_the_namespace_around_it_unless_it_brings_its_own():
    inner = record(name="Side", aliases=["Edge", "old.Rim"])
    schema = parse_avro(record(
        a_field("left", inner), a_field("right", "Side"), a_field("again", "post.Side"),
        a_field("top", record(name="lid.Top")), namespace="post",
    ))  # fmt: skip

    left = schema.fields["left"].schema
    assert (schema.name, left.name, left.short_name) == ("post.Parcel", "post.Side", "Side")
    assert left.aliases == ("post.Edge", "old.Rim")
    assert schema.fields["right"].schema is schema.fields["again"].schema is left
    assert schema.fields["top"].schema.name == "lid.Top"


def test_a_type_may_hold_itself():
    schema = parse_avro(record(a_field("inside", ["null", "Parcel"])))

    assert schema.fields["inside"].schema.branches[1] is schema


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"type": "long", "logicalType": "timestamp-millis"}, "timestamp-millis"),
        ({"type": "int", "logicalType": "timestamp-millis"}, ""),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "decimal"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 9}, ""),
        ({"type": "fixed", "name": "Id", "size": 16, "logicalType": "uuid"}, "uuid"),
        ({"type": "fixed", "name": "Id", "size": 8, "logicalType": "uuid"}, ""),
        ({"type": "string", "logicalType": "poem"}, ""),
    ],
)
def test_a_logical_type_that_may_not_stand_there_is_ignored(document, name):
    assert parse_avro(document).logical_type == name


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (record(a_field("w", "Weight")), "schema/fields/0/type"),
        (record(a_field("w", "int"), a_field("w", "long")), "schema/fields/1/name"),
        (record(a_field("w", ["int", "null", "int"])), "schema/fields/0/type/2"),
        (record(a_field("w", ["int", ["null"]])), "schema/fields/0/type/1"),
        (record(a_field("w", record(name="Parcel"))), "schema/fields/0/type/name"),
        (record(a_field("w kg", "int")), "schema/fields/0/name"),
        (record(a_field("w", "int", default="3")), "schema/fields/0/default"),
        (record(a_field("w", "int", default=True)), "schema/fields/0/default"),
        (record(a_field("w", "string", default=None)), "schema/fields/0/default"),
        (record(a_field("w", {"type": "array", "items": "int"}, default=[1.5])),
         "schema/fields/0/default"),
        (record(a_field("w", "Parcel", default={})), "schema/fields/0/default"),
        (record(a_field("w", {"type": "enum", "name": "E", "symbols": ["A"]}, default="B")),
         "schema/fields/0/default"),
        (record(a_field("w", {"type": "map"})), "schema/fields/0/type"),
        ({"type": "enum", "name": "E", "symbols": ["A", "A"]}, "schema/symbols/1"),
        ({"type": "enum", "name": "E", "symbols": ["A"], "default": "Z"}, "schema/default"),
        ({"type": "fixed", "name": "F"}, "schema"),
        ({"type": "fixed", "name": "F", "size": -1}, "schema"),
        ({"type": "record", "name": "R"}, "schema"),
        ({"type": "record", "fields": []}, "schema"),
        ({"name": "R"}, "schema"),
        (17, "schema"),
        ("{not json", "schema"),
    ],
)  # fmt: skip
def test_what_is_no_schema_is_refused_with_its_place(document, path):
    with pytest.raises(BadInput) as caught:
        parse_avro(document)

    assert caught.value.where == path


def test_defaults_are_looked_at_only_when_asked_for():
    document = record(a_field("w", "int", default="heavy"))

    assert parse_avro(document, check_defaults=False).fields["w"].default == "heavy"


def test_a_default_is_json_and_becomes_a_datum():
    schema = parse_avro(record(
        a_field("raw", "bytes", default="\u00ffa"), a_field("kg", "double", default=2),
        a_field("to", ["null", "string"], default="Oslo"),
        a_field("tags", {"type": "map", "values": "bytes"}, default={"k": "v"}),
    ))  # fmt: skip

    datum = default_datum({}, schema)

    assert datum == {"raw": b"\xffa", "kg": 2.0, "to": Branch("string", "Oslo"),
                     "tags": {"k": b"v"}}  # fmt: skip


def test_one_schema_has_one_text_whatever_the_order_of_its_keys():
    one = {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "int"}}]}
    other = {"fields": [{"type": "int", "name": "a"}], "name": "R", "type": "record"}

    assert canonical_avro(one) == canonical_avro(other)
    assert canonical_avro({**other, "doc": "?"}) != canonical_avro(other)
