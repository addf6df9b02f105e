"""A reader is compatible with a writer when it reads whatever may be written, and else a datum
says why not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.contracts.avro import parse_avro
from simulator.contracts.avro_breaking import breaking_datum, smallest_datum
from simulator.contracts.avro_compatibility import avro_incompatibilities, colliding_aliases
from simulator.contracts.avro_reading import Read, Unreadable, fits, read_avro
from simulator.contracts.avro_types import ABSENT, PRIMITIVES, Branch
from simulator.errors import BadInput


def record(*fields, name="Parcel", **more):
    return {"type": "record", "name": name, "fields": list(fields), **more}


def a_field(name, kind, **more):
    return {"name": name, "type": kind, **more}


def compared(writer, reader):
    """The kinds of incompatibility, and a datum that breaks the reader."""
    writer, reader = parse_avro(writer), parse_avro(reader)
    kinds = [one.kind for one in avro_incompatibilities(writer, reader)]
    return kinds, breaking_datum(writer, reader)


READABLE = {
    ("int", "long"), ("int", "float"), ("int", "double"), ("long", "float"), ("long", "double"),
    ("float", "double"), ("string", "bytes"), ("bytes", "string"),
}  # fmt: skip


@pytest.mark.parametrize("reader", PRIMITIVES)
@pytest.mark.parametrize("writer", PRIMITIVES)
def test_a_primitive_is_read_as_itself_or_promoted(writer, reader):
    kinds, datum = compared(writer, reader)

    if writer == reader or (writer, reader) in READABLE:
        assert (kinds, datum) == ([], ABSENT)
    else:
        assert kinds == ["TYPE_MISMATCH"]
        assert datum is not ABSENT


def a_status(*symbols, name="Stage", **more):
    return {"type": "enum", "name": name, "symbols": list(symbols), **more}


INSIDE = record(a_field("kg", "int"), a_field("inside", ["null", "Parcel"]))


@pytest.mark.parametrize(
    ("writer", "reader", "kinds", "datum"),
    [
        (record(a_field("kg", "int")), record(a_field("kg", "int"), a_field("to", "string")),
         ["READER_FIELD_MISSING_DEFAULT_VALUE"], {"kg": 0}),
        (record(a_field("kg", "int")), record(a_field("grams", "int")),
         ["READER_FIELD_MISSING_DEFAULT_VALUE"], {"kg": 0}),
        (record(a_field("kg", ["null", "int"])), record(a_field("kg", "int", default=0)),
         ["TYPE_MISMATCH"], {"kg": Branch("null", None)}),
        (record(a_field("s", a_status("SENT", "LOST"))),
         record(a_field("s", a_status("SENT"), default="SENT")),
         ["MISSING_ENUM_SYMBOLS"], {"s": "LOST"}),
        (a_status("SENT"), a_status("SENT", name="Phase"), ["NAME_MISMATCH"], "SENT"),
        ({"type": "fixed", "name": "H", "size": 2}, {"type": "fixed", "name": "H", "size": 3},
         ["FIXED_SIZE_MISMATCH"], b"\0\0"),
        (["int", "string"], ["null", "int"], ["MISSING_UNION_BRANCH"], Branch("string", "")),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"},
         ["TYPE_MISMATCH"], [0]),
        ({"type": "map", "values": "long"}, {"type": "map", "values": "int"},
         ["TYPE_MISMATCH"], {"key": 0}),
        (INSIDE, record(a_field("kg", "long"), a_field("inside", ["Parcel"])),
         ["MISSING_UNION_BRANCH"], {"kg": 0, "inside": Branch("null", None)}),
        (record(a_field("a", "int"), a_field("b", "int")),
         record(a_field("a", "int", aliases=["b"])), ["AMBIGUOUS_FIELD"], {"a": 0, "b": 0}),
    ],
)  # fmt: skip
def test_an_incompatible_reader_is_broken_by_a_datum(writer, reader, kinds, datum):
    assert compared(writer, reader) == (kinds, datum)


@pytest.mark.parametrize(
    ("writer", "reader", "written", "value"),
    [
        (record(a_field("kg", "int"), a_field("to", "string")), record(a_field("kg", "double")),
         {"kg": 3, "to": "Oslo"}, {"kg": 3.0}),
        (record(a_field("kg", "int")),
         record(a_field("kg", "int"), a_field("to", ["null", "string"], default=None)),
         {"kg": 3}, {"kg": 3, "to": None}),
        (record(a_field("kg", "int")), record(a_field("weight", "long", aliases=["kg"])),
         {"kg": 3}, {"weight": 3}),
        (record(a_field("kg", "int")), record(a_field("kg", "int"), name="Box",
                                              aliases=["Parcel"]), {"kg": 3}, {"kg": 3}),
        (record(namespace="old"), record(namespace="new"), {}, {}),
        (a_status("SENT", "LOST"), a_status("SENT", "OTHER", default="OTHER"), "LOST", "OTHER"),
        ("int", ["string", "double", "long"], 3, 3.0),
        (["int", "null"], ["null", "long"], Branch("int", 3), 3),
        (INSIDE, record(a_field("inside", ["null", "Parcel"])),
         {"kg": 1, "inside": {"kg": 2, "inside": None}}, {"inside": {"inside": None}}),
        ({"type": "int", "logicalType": "date"}, "long", 10, 10),
        ("bytes", "string", b"ok", "ok"),
    ],
)  # fmt: skip
def test_a_compatible_reader_reads_by_its_own_schema(writer, reader, written, value):
    assert compared(writer, reader) == ([], ABSENT)
    assert read_avro(written, parse_avro(writer), parse_avro(reader)) == Read(value)


def test_a_rename_with_a_default_loses_the_value_and_no_check_sees_it():
    writer = record(a_field("town", "string"))
    reader = record(a_field("city", "string", default=""))

    assert compared(writer, reader)[0] == []
    assert read_avro({"town": "Oslo"}, parse_avro(writer), parse_avro(reader)) == Read({"city": ""})


def test_one_written_field_for_two_that_are_read_is_taken_and_cannot_be_read():
    """The verdict is Java's; the alias is found to be somebody's name."""
    writer = parse_avro(record(a_field("kg", "int")))
    reader = parse_avro(record(a_field("grams", "int", aliases=["kg"]), a_field("kg", "int")))

    assert not avro_incompatibilities(writer, reader)
    assert isinstance(read_avro({"kg": 3}, writer, reader), Unreadable)
    assert colliding_aliases(reader) == ["the alias kg of Parcel.grams is taken"]


def test_what_cannot_be_written_breaks_nobody():
    endless = record(a_field("inside", "Parcel"))

    assert compared(endless, "int") == (["TYPE_MISMATCH"], ABSENT)
    with pytest.raises(BadInput, match="does not fit"):
        read_avro({"inside": None}, parse_avro(endless), parse_avro("int"))


def _types(named):
    """Documents of types; a name is used once, with few names so that two schemas share some."""
    plain = st.sampled_from([*PRIMITIVES, "null", "int"])
    parts = st.deferred(lambda: kinds)
    branch = st.one_of(plain, st.just(a_status("A", "B", name="Inner")), st.just("Node"))
    kinds = st.one_of(
        plain,
        st.builds(lambda one: {"type": "array", "items": one}, parts),
        st.builds(lambda one: {"type": "map", "values": one}, parts),
        st.lists(branch, min_size=1, max_size=3, unique_by=str),
    )
    return kinds if named else plain


@st.composite
def documents(draw):
    """A record with few names, that may hold itself."""
    fields = []
    taken = []
    symbols = draw(st.sampled_from([["A"], ["A", "B"], ["B", "C"]]))
    stage = a_status(*symbols, **draw(st.sampled_from([{}, {"default": symbols[0]}])))
    for name in draw(st.lists(st.sampled_from("abcd"), max_size=4, unique=True)):
        taken.append(name)
        kind = draw(st.one_of(_types(named=True), st.just(["null", "Node"]), st.just("Stage")))
        more = {"default": None} if isinstance(kind, list) and "null" in kind else {}
        aliases = draw(st.lists(st.sampled_from(["e", f"old_{name}"]), max_size=1))
        fields.append(a_field(name, kind, **more, **({"aliases": aliases} if aliases else {})))
    return record(a_field("stage", stage), *fields, name="Node")


def parsed(document):
    try:
        return parse_avro(document)
    except BadInput:  # An enum within a union may be there twice.
        return None


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(documents(), documents())
def test_a_reader_breaks_exactly_when_it_is_incompatible(first, second):
    """And the compatible one reads the smallest datum, which any writer may write first."""
    writer, reader = parsed(first), parsed(second)
    if writer is None or reader is None:
        return
    incompatible = bool(avro_incompatibilities(writer, reader))
    smallest = smallest_datum(writer)
    if smallest is ABSENT:
        return

    datum = breaking_datum(writer, reader)

    if colliding_aliases(reader):
        return
    assert (datum is not ABSENT) == incompatible
    if incompatible:
        assert fits(datum, writer)
        assert isinstance(read_avro(datum, writer, reader), Unreadable)
    else:
        assert isinstance(read_avro(smallest, writer, reader), Read)
