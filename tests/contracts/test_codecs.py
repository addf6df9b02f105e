"""A value says which schema wrote it, and a reader makes of it what its own schema says."""

import json
import sys

import pytest
from hypothesis import given

from simulator.contracts.avro_reading import Read, fits, read_avro
from simulator.contracts.codecs import codec_for, decode, encode, frame, unframe
from simulator.contracts.contracts import JSON, Schema, reasons
from simulator.errors import BadInput, CodecError
from tests.laws.schemas import chains, data_of

BOTH = pytest.mark.parametrize("plain", [False, True], ids=["binary", "plain"])


def order(*fields):
    return Schema({"type": "record", "name": "Order", "fields": list(fields)})


def text(name, **more):
    return {"name": name, "type": "string", **more}


OLD = order(text("order_id"))
NEW = order(text("order_id"), text("promo_code", default="none"))
BOX = Schema({"type": "object", "properties": {"kg": {"type": "integer"}}}, JSON)


def known(*schemas):
    return lambda schema_id: schemas[schema_id - 1]


def test_the_frame_is_a_zero_byte_and_the_id_in_four():
    assert frame(258, b"body") == b"\x00\x00\x00\x01\x02body"
    assert unframe(b"\x00\x00\x00\x01\x02body") == (258, b"body")
    with pytest.raises(BadInput, match="is no id of a schema: -1"):
        frame(-1, b"")


@pytest.mark.parametrize("value", [None, b"", b"\x00\x00\x00\x01", b'{"a": 1}', '{"a": 1}'])
def test_a_value_without_a_frame_is_never_readable(value):
    with pytest.raises(CodecError, match="unknown magic byte"):
        decode(value, known(OLD), OLD)


def test_binary_bodies_are_avros():
    """A string is its length, as a zigzag number, and its bytes (the specification)."""
    assert encode({"order_id": "o-1"}, OLD, 1) == b"\x00\x00\x00\x00\x01\x06o-1"


def test_plain_bodies_are_avros_json():
    schema = order({"name": "note", "type": ["null", "bytes"], "default": None})

    def body(datum):
        return json.loads(encode(datum, schema, 1, plain=True)[5:])

    assert body({"note": None}) == {"note": None}
    assert body({"note": b"\xff"}) == {"note": {"bytes": "ÿ"}}


@BOTH
def test_a_reader_fills_its_defaults_and_drops_what_it_does_not_know(plain):
    value = encode({"order_id": "o-1"}, OLD, 1, plain=plain)
    newer = encode({"order_id": "o-1", "promo_code": "SPRING"}, NEW, 2, plain=plain)
    schemas = known(OLD, NEW)

    assert decode(value, schemas, NEW, plain=plain) == {"order_id": "o-1", "promo_code": "none"}
    assert decode(newer, schemas, OLD, plain=plain) == {"order_id": "o-1"}


@BOTH
def test_without_a_schema_of_its_own_a_reader_gets_no_defaults(plain):
    value = encode({"order_id": "o-1"}, OLD, 1, plain=plain)

    assert decode(value, known(OLD), plain=plain) == {"order_id": "o-1"}


@BOTH
def test_what_does_not_fit_cannot_be_written(plain):
    with pytest.raises(CodecError, match="does not fit"):
        encode({"order_id": 7}, OLD, 1, plain=plain)


@BOTH
def test_what_cannot_be_resolved_cannot_be_read(plain):
    value = encode({"order_id": "o-1"}, OLD, 1, plain=plain)

    with pytest.raises(CodecError):
        decode(value, known(OLD), order(text("user_id")), plain=plain)
    with pytest.raises(CodecError):
        decode(value, known(OLD), order({"name": "order_id", "type": "int"}), plain=plain)
    with pytest.raises(CodecError, match="the writer's schema is AVRO, the reader's JSON"):
        decode(value, known(OLD), BOX, plain=plain)


def test_bytes_that_are_left_over_are_not_passed_in_silence():
    """Under another id the same bytes may be read as something else."""
    value = encode({"order_id": "o-1"}, OLD, 1) + b"\x00"

    with pytest.raises(CodecError, match="1 bytes are left over"):
        decode(value, known(OLD), OLD)
    with pytest.raises(CodecError):
        decode(value[:-3], known(OLD), OLD)


@BOTH
def test_json_is_validated_by_the_readers_schema(plain):
    good, bad = (encode({"kg": kg}, BOX, 1, plain=plain) for kg in (1, "heavy"))

    assert good[5:] == b'{"kg":1}'
    assert decode(good, known(BOX), plain=plain) == {"kg": 1}
    with pytest.raises(CodecError, match="heavy"):
        decode(bad, known(BOX), plain=plain)
    with pytest.raises(CodecError, match="not JSON"):
        decode(frame(1, b"{"), known(BOX), plain=plain)
    with pytest.raises(CodecError, match="cannot be JSON"):
        encode({"kg": object()}, BOX, 1, plain=plain)


def test_a_logical_type_is_left_aside():
    schema = order({"name": "day", "type": {"type": "int", "logicalType": "date"}})

    assert decode(encode({"day": 3}, schema, 1), known(schema), schema) == {"day": 3}


@pytest.mark.parametrize(("schema", "module"), [(OLD, "fastavro"), (BOX, "jsonschema")])
def test_a_missing_extra_is_named_with_its_cure(schema, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    codec_for.__globals__["_parsed"].cache_clear()
    codec_for.__globals__["_validator"].cache_clear()

    with pytest.raises(BadInput, match=rf"{module}.*pip install event-driven-simulator\[schemas\]"):
        decode(encode({}, schema, 1), known(schema), schema)
    assert decode(encode({"order_id": ""}, OLD, 1, plain=True), known(OLD), OLD, plain=True)


@given(chains(versions=2).flatmap(lambda chain: data_of(chain[0].schema).map(
    lambda datum: (chain, datum))))
def test_both_encodings_are_read_alike(case):
    """What fastavro makes of bytes is what the rules make of the datum."""
    (old, new), datum = case
    answer = read_avro(datum, old.schema.parsed, new.schema.parsed)

    assert fits(datum, old.schema.parsed)
    for plain in (False, True):
        value = encode(datum, old.schema, 1, plain=plain)
        if isinstance(answer, Read):
            assert decode(value, known(old.schema), new.schema, plain=plain) == answer.value
        else:
            with pytest.raises(CodecError):
                decode(value, known(old.schema), new.schema, plain=plain)
            assert reasons(old.schema, new.schema)
