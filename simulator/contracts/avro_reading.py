"""What a reader makes of a datum that was written under another schema.

A datum is of plain values: None, bool, int, float, str, bytes, lists and dicts; a union's value may
say its branch with `Branch(name, value)`, else it is written under the first branch that it fits.

Not modelled: logical types (a date is a number of days), the loss of digits when a long is read as
a float, bytes that are no UTF-8 read as a string (they are replaced).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from simulator.contracts.avro_compatibility import Checker, branch_for, names_match, sources
from simulator.contracts.avro_defaults import default_datum
from simulator.contracts.avro_types import (
    ABSENT,
    INT,
    LONG,
    PROMOTIONS,
    AvroField,
    AvroSchema,
    Branch,
)
from simulator.errors import BadInput


class Read(NamedTuple):
    """The reader understood: `value` is what its program sees, without `Branch`."""

    value: Any


class Unreadable(NamedTuple):
    """The reader broke: where in the datum, and at what."""

    path: str
    reason: str


class _Broken(Exception):
    """Carries an `Unreadable` out of the middle of a datum."""


def fits(datum: Any, schema: AvroSchema) -> bool:
    """Whether `datum` can be written under `schema`."""
    if isinstance(datum, Branch):
        return schema.kind == "union" and any(
            branch.label == datum.name and fits(datum.value, branch) for branch in schema.branches
        )
    whole = isinstance(datum, int) and not isinstance(datum, bool)
    match schema.kind:
        case "null":
            return datum is None
        case "boolean":
            return isinstance(datum, bool)
        case "int":
            return whole and INT[0] <= datum <= INT[1]
        case "long":
            return whole and LONG[0] <= datum <= LONG[1]
        case "float" | "double":
            return whole or isinstance(datum, float)
        case "string":
            return isinstance(datum, str)
        case "bytes":
            return isinstance(datum, bytes)
        case "fixed":
            return isinstance(datum, bytes) and len(datum) == schema.size
        case "enum":
            return datum in schema.symbols
        case "array":
            return isinstance(datum, list) and all(fits(one, schema.parts) for one in datum)
        case "map":
            return isinstance(datum, Mapping) and all(
                isinstance(key, str) and fits(one, schema.parts) for key, one in datum.items()
            )
        case "union":
            return any(fits(datum, branch) for branch in schema.branches)
    return isinstance(datum, Mapping) and all(
        one.name in datum and fits(datum[one.name], one.schema) for one in schema.fields.values()
    )


def read_avro(datum: Any, writer: AvroSchema, reader: AvroSchema) -> Read | Unreadable:
    """What `reader` makes of `datum`, written under `writer`.

    Raises:
        BadInput: the datum cannot be written under the writer's schema.
    """
    if not fits(datum, writer):
        raise BadInput("does not fit the writer's schema:", "datum", datum)
    try:
        return Read(_read(datum, writer, reader, "", Checker()))
    except _Broken as broken:
        path, reason = broken.args
        return Unreadable(path or "/", reason)


def _read(datum: Any, writer: AvroSchema, reader: AvroSchema, path: str, checker: Checker) -> Any:
    if writer.kind == "union":
        branch = _written_branch(datum, writer)
        value = datum.value if isinstance(datum, Branch) else datum
        return _read(value, branch, reader, path, checker)
    if reader.kind == "union":
        chosen = branch_for(writer, reader, checker)
        if chosen is None:
            raise _Broken(path, f"no branch of the reader's union reads {writer.label}")
        return _read(datum, writer, chosen, path, checker)
    if writer.kind != reader.kind:
        return _promoted(datum, writer, reader, path)
    if reader.name and not names_match(writer, reader):
        raise _Broken(path, f"{writer.name} was written, the reader expects {reader.name}")
    match reader.kind:
        case "array":
            return [
                _read(one, writer.parts, reader.parts, f"{path}/{index}", checker)
                for index, one in enumerate(datum)
            ]
        case "map":
            return {
                key: _read(one, writer.parts, reader.parts, f"{path}/{key}", checker)
                for key, one in datum.items()
            }
        case "fixed" if writer.size != reader.size:
            raise _Broken(path, f"{writer.size} bytes were written, not {reader.size}")
        case "enum" if datum not in reader.symbols:
            if reader.default is ABSENT:
                raise _Broken(path, f"the reader does not know the symbol {datum}")
            return reader.default
        case "float" | "double":
            return float(datum)
        case "record":
            return _record(datum, writer, reader, path, checker)
    return datum


def _record(
    datum: Any, writer: AvroSchema, reader: AvroSchema, path: str, checker: Checker
) -> dict[str, Any]:
    value = {}
    claims = _claims(writer, reader)
    for wanted in reader.fields.values():
        here = f"{path}/{wanted.name}"
        matching = [one for one in claims if claims[one] == wanted.name]
        if len(matching) > 1:
            raise _Broken(here, f"several written fields are {wanted.name}: {', '.join(matching)}")
        if matching:
            source = writer.fields[matching[0]]
            value[wanted.name] = _read(
                datum[source.name], source.schema, wanted.schema, here, checker
            )
        elif wanted.default is ABSENT:
            raise _Broken(here, f"{wanted.name} was not written, and has no default")
        else:
            value[wanted.name] = _bare(default_datum(wanted.default, wanted.schema))
    return value


def _claims(writer: AvroSchema, reader: AvroSchema) -> dict[str, str]:
    """Of each written field that is read, the reader's field that gets it.

    Java's Schema.applyAliases renames the writer's fields first: an alias goes before a name.
    """
    claims: dict[str, str] = {}
    by_alias: list[AvroField] = [one for one in reader.fields.values() if one.aliases]
    for wanted in (*by_alias, *reader.fields.values()):
        for source in sources(writer, wanted):
            claims.setdefault(source.name, wanted.name)
    return claims


def _written_branch(datum: Any, union: AvroSchema) -> AvroSchema:
    if isinstance(datum, Branch):
        return next(one for one in union.branches if one.label == datum.name)
    return next(one for one in union.branches if fits(datum, one))


def _promoted(datum: Any, writer: AvroSchema, reader: AvroSchema, path: str) -> Any:
    if writer.kind not in PROMOTIONS.get(reader.kind, ()):
        raise _Broken(path, f"{writer.label} was written, the reader expects {reader.label}")
    match reader.kind:
        case "float" | "double":
            return float(datum)
        case "bytes":
            return datum.encode()
        case "string":
            return datum.decode("utf-8", "replace")
    return datum


def _bare(datum: Any) -> Any:
    """The datum without the names of branches."""
    match datum:
        case Branch():
            return _bare(datum.value)
        case list():
            return [_bare(one) for one in datum]
        case Mapping():
            return {key: _bare(one) for key, one in datum.items()}
    return datum
