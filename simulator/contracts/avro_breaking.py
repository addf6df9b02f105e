"""Where a reader is not compatible with a writer, there is a datum that breaks it: this finds one.

The search goes where the comparison goes and comes back with the smallest value on the way there;
what it finds has been read, and broke the reader, before it is answered.
"""

from typing import Any

from simulator.contracts.avro_compatibility import (
    Checker,
    branch_for,
    colliding_aliases,
    names_match,
    sources,
)
from simulator.contracts.avro_reading import Unreadable, read_avro
from simulator.contracts.avro_types import (
    ABSENT,
    PROMOTIONS,
    Absent,
    AvroSchema,
    Branch,
)

Pair = tuple[int, int]


def breaking_datum(writer: AvroSchema, reader: AvroSchema) -> Any | Absent:
    """A datum that fits `writer` and breaks `reader`, or ABSENT.

    ABSENT is answered when the reader is compatible, and when nothing can be written that would
    break it: a record that must hold itself, an enum without symbols. Of a reader with colliding
    aliases it means nothing.
    """
    datum = _breaking(writer, reader, frozenset(), Checker())
    if datum is ABSENT or isinstance(read_avro(datum, writer, reader), Unreadable):
        return datum
    assert colliding_aliases(reader), "it does not break it"
    return ABSENT  # Which of two fields an alias feeds is anybody's guess, the comparison's too.


def smallest_datum(schema: AvroSchema, around: frozenset[int] = frozenset()) -> Any | Absent:
    """A small datum of the schema, or ABSENT where there is none; `around` are records begun."""
    match schema.kind:
        case "null":
            return None
        case "boolean":
            return False
        case "int" | "long":
            return 0
        case "float" | "double":
            return 0.0
        case "string":
            return ""
        case "bytes" | "fixed":
            return bytes(schema.size)
        case "array":
            return []
        case "map":
            return {}
        case "enum":
            return schema.symbols[0] if schema.symbols else ABSENT
        case "union":
            for branch in schema.branches:
                if (value := smallest_datum(branch, around)) is not ABSENT:
                    return Branch(branch.label, value)
            return ABSENT
    if schema.number in around:
        return ABSENT
    datum = {}
    for one in schema.fields.values():
        value = smallest_datum(one.schema, around | {schema.number})
        if value is ABSENT:
            return ABSENT
        datum[one.name] = value
    return datum


def _breaking(
    writer: AvroSchema, reader: AvroSchema, tried: frozenset[Pair], checker: Checker
) -> Any | Absent:
    """As `breaking_datum`; a pair that is being tried has no shorter way inside itself."""
    pair = (writer.number, reader.number)
    if pair in tried:
        return ABSENT
    tried |= {pair}
    if writer.kind == "union":
        for branch in writer.branches:
            if (value := _breaking(branch, reader, tried, checker)) is not ABSENT:
                return Branch(branch.label, value)
        return ABSENT
    if reader.kind == "union":
        chosen = branch_for(writer, reader, checker)
        if chosen is None:
            return smallest_datum(writer)
        return _breaking(writer, chosen, tried, checker)
    if writer.kind != reader.kind:
        promoted = writer.kind in PROMOTIONS.get(reader.kind, ())
        return ABSENT if promoted else smallest_datum(writer)
    if reader.name and not names_match(writer, reader):
        return smallest_datum(writer)
    match reader.kind:
        case "array":
            value = _breaking(writer.parts, reader.parts, tried, checker)
            return ABSENT if value is ABSENT else [value]
        case "map":
            value = _breaking(writer.parts, reader.parts, tried, checker)
            return ABSENT if value is ABSENT else {"key": value}
        case "fixed":
            return smallest_datum(writer) if writer.size != reader.size else ABSENT
        case "enum" if reader.default is ABSENT:
            unknown = [one for one in writer.symbols if one not in reader.symbols]
            return unknown[0] if unknown else ABSENT
        case "record":
            return _breaking_record(writer, reader, tried, checker)
    return ABSENT


def _breaking_record(
    writer: AvroSchema, reader: AvroSchema, tried: frozenset[Pair], checker: Checker
) -> Any | Absent:
    whole = smallest_datum(writer)
    if whole is ABSENT:
        return ABSENT
    for wanted in reader.fields.values():
        matching = sources(writer, wanted)
        if len(matching) > 1 or (not matching and wanted.default is ABSENT):
            return whole
        for source in matching:
            value = _breaking(source.schema, wanted.schema, tried, checker)
            if value is not ABSENT:
                return {**whole, source.name: value}
    return ABSENT
