"""A datum as a record's value, and back: a frame which says the writer's schema, then the body.

Rule 1: the frame is Confluent's: a zero byte, the id of the writer's schema in four bytes (the
highest first), the body. A value without the zero byte is nobody's: no retry makes it readable.
Rule 2: a body is read with the schema that wrote it, found by its id. A reader with a schema of its
own resolves the one into the other; one without sees what was written, and no defaults.
Rule 3: what cannot be written or read is a CodecError, which no retry mends.

Bodies are Avro's binary encoding (fastavro) and JSON that is validated (jsonschema); both need the
extra `schemas`. The plain ones need nothing: Avro's JSON encoding, resolved by `read_avro`, and
JSON validated by `is_valid`. A frame does not say which it is: both sides choose the same.

Not modelled: Protobuf, the message indexes of its frame, an id that travels in a header.
"""

import io
import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import attrs

from simulator.contracts.avro_reading import Unreadable, fits, read_avro
from simulator.contracts.avro_types import AvroSchema, Branch
from simulator.contracts.contracts import AVRO, JSON, Schema
from simulator.contracts.json_validating import is_valid
from simulator.errors import BadInput, CodecError

MAGIC: Final = 0
FRAME_BYTES: Final = 5
SHOWN_MOST: Final = 80  # Characters of what could not be read.
NEEDS: Final = "pip install event-driven-simulator[schemas]"


@attrs.frozen
class Codec:
    """A way to write the body.

    Args:
        name: what it is called.
        format: of the schemas that it goes by, AVRO or JSON.
        write: from a schema and a datum to a body.
        read: from a body, its writer's schema and the reader's (or None) to a datum.
    """

    name: str
    format: str
    write: Callable[[Schema, Any], bytes]
    read: Callable[[bytes, Schema, Schema | None], Any]


def codec_for(schema: Schema, *, plain: bool = False) -> Codec:
    """The codec of a schema's format; `plain` is the one that needs no extra."""
    return CODECS[schema.format, plain]


def encode(datum: Any, schema: Schema, schema_id: int, *, plain: bool = False) -> bytes:
    """The framed value of `datum`, written under `schema`.

    Raises:
        CodecError: the datum does not fit the schema.
        BadInput: the extra is missing, or the id is none.
    """
    return frame(schema_id, codec_for(schema, plain=plain).write(schema, datum))


def decode(
    value: bytes | str | None,
    schema_of: Callable[[int], Schema],
    reader: Schema | None = None,
    *,
    plain: bool = False,
) -> Any:
    """What a reader makes of a framed value.

    Args:
        schema_of: finds the writer's schema by its id.
        reader: the reader's own schema; None: it goes by the writer's.

    Raises:
        CodecError: there is no frame, or the reader cannot read it.
        BadInput: the extra is missing.
    """
    schema_id, body = unframe(value)
    return read_body(body, schema_of(schema_id), reader, plain=plain)


def read_body(body: bytes, writer: Schema, reader: Schema | None, *, plain: bool = False) -> Any:
    """As `decode`, of what is behind the frame."""
    if reader is not None and reader.format != writer.format:
        raise CodecError(f"the writer's schema is {writer.format}, the reader's {reader.format}")
    return codec_for(writer, plain=plain).read(body, writer, reader)


def frame(schema_id: int, body: bytes) -> bytes:
    """The value: magic byte, id, body.

    Raises:
        BadInput: the id does not fit its four bytes.
    """
    if not 0 <= schema_id < 2**31:
        raise BadInput("is no id of a schema:", "frame", schema_id)
    return bytes((MAGIC,)) + schema_id.to_bytes(4, "big") + body


def unframe(value: bytes | str | None) -> tuple[int, bytes]:
    """The id and the body.

    Raises:
        CodecError: the value has no frame; Kafka Connect and all serializers of Confluent's say
            "Unknown magic byte!".
    """
    data = value.encode() if isinstance(value, str) else value
    if data is None or len(data) < FRAME_BYTES or data[0] != MAGIC:
        raise CodecError(f"unknown magic byte: {_shown(data)}")
    return int.from_bytes(data[1:FRAME_BYTES], "big"), data[FRAME_BYTES:]


def _shown(data: Any) -> str:
    return repr(data)[:SHOWN_MOST]


# --- Avro, binary --------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _parsed(schema: Schema) -> Any:
    """What fastavro makes of it; logical types are left aside, as `read_avro` does."""
    try:
        import fastavro
    except ImportError:
        raise BadInput("Avro's binary encoding needs fastavro:", "codec", "avro", NEEDS) from None
    return fastavro.parse_schema(_without_logical_types(schema.document))


def _without_logical_types(document: Any) -> Any:
    match document:
        case Mapping():
            kept = ("default", "symbols", "aliases")
            return {
                key: value if key in kept else _without_logical_types(value)
                for key, value in document.items() if key != "logicalType"
            }  # fmt: skip
        case list() | tuple():
            return [_without_logical_types(one) for one in document]
    return document


def _write_avro(schema: Schema, datum: Any) -> bytes:
    parsed = _parsed(schema)
    _must_fit(schema, datum)
    from fastavro import schemaless_writer

    body = io.BytesIO()
    schemaless_writer(body, parsed, _as_tuples(datum))
    return body.getvalue()


def _as_tuples(datum: Any) -> Any:
    """A union's branch as fastavro wants it said."""
    match datum:
        case Branch():
            return (datum.name, _as_tuples(datum.value))
        case list():
            return [_as_tuples(one) for one in datum]
        case Mapping():
            return {key: _as_tuples(one) for key, one in datum.items()}
    return datum


def _read_avro(body: bytes, writer: Schema, reader: Schema | None) -> Any:
    wrote, reads = _parsed(writer), None if reader is None else _parsed(reader)
    from fastavro import schemaless_reader

    data = io.BytesIO(body)
    try:
        datum = schemaless_reader(data, wrote, reads)
    except Exception as error:  # It raises whatever the bytes led it to.
        raise CodecError(f"{type(error).__name__}: {error}") from error
    if rest := data.read():
        raise CodecError(f"{len(rest)} bytes are left over: another schema has written this")
    return datum


def _must_fit(schema: Schema, datum: Any) -> None:
    assert isinstance(schema.parsed, AvroSchema), f"{schema} is no schema of Avro"
    if not fits(datum, schema.parsed):
        raise CodecError(f"{_shown(datum)} does not fit {schema.text}")


# --- Avro, as JSON -------------------------------------------------------------------------------


def _write_avro_json(schema: Schema, datum: Any) -> bytes:
    _must_fit(schema, datum)
    assert isinstance(schema.parsed, AvroSchema), "it fits"
    return _text(_said(datum, schema.parsed)).encode()


def _read_avro_json(body: bytes, writer: Schema, reader: Schema | None) -> Any:
    assert isinstance(writer.parsed, AvroSchema), f"{writer} is no schema of Avro"
    reads = writer if reader is None else reader
    assert isinstance(reads.parsed, AvroSchema), f"{reads} is no schema of Avro"
    try:
        found = read_avro(_heard(json.loads(body), writer.parsed), writer.parsed, reads.parsed)
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration, BadInput) as error:
        raise CodecError(f"{type(error).__name__}: {error}") from error
    if isinstance(found, Unreadable):
        raise CodecError(f"{found.reason} at {found.path}")
    return found.value


def _said(datum: Any, schema: AvroSchema) -> Any:
    """The datum in Avro's JSON encoding: bytes as code points, a union's value with its branch."""
    match schema.kind:
        case "bytes" | "fixed":
            return datum.decode("latin-1")
        case "array":
            return [_said(one, schema.parts) for one in datum]
        case "map":
            return {key: _said(one, schema.parts) for key, one in datum.items()}
        case "record":
            return {one.name: _said(datum[one.name], one.schema) for one in schema.fields.values()}
        case "union":
            named = datum.name if isinstance(datum, Branch) else None
            value = datum.value if isinstance(datum, Branch) else datum
            branch = next(
                one for one in schema.branches
                if (fits(value, one) if named is None else one.label == named)
            )  # fmt: skip
            return None if branch.kind == "null" else {branch.label: _said(value, branch)}
    return datum


def _heard(value: Any, schema: AvroSchema) -> Any:
    """The datum that `_said` wrote."""
    match schema.kind:
        case "bytes" | "fixed":
            return value.encode("latin-1")
        case "array":
            return [_heard(one, schema.parts) for one in value]
        case "map":
            return {key: _heard(one, schema.parts) for key, one in value.items()}
        case "record":
            return {
                one.name: _heard(value[one.name], one.schema) for one in schema.fields.values()
            }
        case "union":
            named, inner = ("null", None) if value is None else next(iter(value.items()))
            branch = next(one for one in schema.branches if one.label == named)
            return Branch(named, _heard(inner, branch))
    return value


# --- JSON ----------------------------------------------------------------------------------------


def _write_json(_: Schema, datum: Any) -> bytes:
    try:
        return _text(datum).encode()
    except (TypeError, ValueError) as error:
        raise CodecError(f"{_shown(datum)} cannot be JSON: {error}") from error


def _read_json(validate: Callable[[Any, Schema], str]) -> Callable[..., Any]:
    def read(body: bytes, writer: Schema, reader: Schema | None) -> Any:
        try:
            datum = json.loads(body)
        except ValueError as error:
            raise CodecError(f"not JSON ({error}): {_shown(body)}") from error
        if wrong := validate(datum, writer if reader is None else reader):
            raise CodecError(wrong)
        return datum

    return read


def complaint(datum: Any, schema: Schema, *, plain: bool = False) -> str:
    """Why the datum is not valid under a JSON Schema; "" where it is."""
    return _complains_plainly(datum, schema) if plain else _complains(datum, schema)


def _complains_plainly(datum: Any, schema: Schema) -> str:
    return "" if is_valid(datum, schema.document) else f"{_shown(datum)} is not valid"


def _complains(datum: Any, schema: Schema) -> str:
    wrong = next(iter(_validator(schema).iter_errors(datum)), None)
    return "" if wrong is None else f"{_shown(datum)}: {wrong.message} at {wrong.json_path}"


@lru_cache(maxsize=256)
def _validator(schema: Schema) -> Any:
    try:
        from jsonschema import Draft7Validator  # Confluent's json.schema.spec.version by default.
    except ImportError:
        raise BadInput("to validate JSON needs jsonschema:", "codec", "json", NEEDS) from None
    return Draft7Validator(schema.document)


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


CODECS: Final[Mapping[tuple[str, bool], Codec]] = {
    (AVRO, False): Codec("avro", AVRO, _write_avro, _read_avro),
    (AVRO, True): Codec("plain avro", AVRO, _write_avro_json, _read_avro_json),
    (JSON, False): Codec("json", JSON, _write_json, _read_json(_complains)),
    (JSON, True): Codec("plain json", JSON, _write_json, _read_json(_complains_plainly)),
}
