"""A JSON text made into structured data as Kafka Connect can hold it: with a schema, inferred.

Rule 1: only a text that begins with { or [ is tried; Jackson ignores what follows the document.
Rule 2: a field whose schema cannot be told is left out: null, and the empty array, by default.
Rule 3: an array has elements of one kind: integers of 32 bits, of 64, other numbers, texts,
booleans, arrays or objects; nulls in between stay. Objects' fields are put together over all
elements, so one element keeps the empty array that another element's gives a schema to.
Rule 4: whatever cannot be expanded stays the text that it was; that is a warning in a log.
An array at the top is such a case: only an object has fields.

Source: Debezium's JsonSchemaData.java; EventRouterDelegate.parseJsonPayload; pull request 7652 of
debezium/debezium for the empty arrays.

Not modelled: field.name.adjustment.mode; the order in which schemas of elements are put together
where two elements have objects with different fields under one name (it is a hash's in Debezium,
and the document's here).
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

_INT32 = 1 << 31
_INT64 = 1 << 63


class NotExpandable(Exception):
    """The text stays as it is; the message says why."""


@attrs.frozen
class _Array:
    of: "_Schema"


@attrs.frozen
class _Fields:
    schemas: Mapping[str, "_Schema"]


_Schema = str | _Array | _Fields


def _kind(value: Any) -> str:
    """Jackson's type of the node."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _number(value: float) -> str:
    if isinstance(value, int):
        if -_INT32 <= value < _INT32:
            return "int32"
        if -_INT64 <= value < _INT64:
            return "int64"
    return "float64"


@attrs.frozen(kw_only=True)
class JsonExpansion:
    """How what has no schema of its own is treated.

    Attributes:
        keeps_nulls: a field that is null stays (`optional_bytes`), or is left out (`ignore`).
        keeps_empty_arrays: so do empty arrays (`optional_string`), or are left out (`ignore`).
    """

    keeps_nulls: bool = False
    keeps_empty_arrays: bool = False

    def __call__(self, text: str) -> dict[str, Any]:
        """The text's object.

        Raises:
            NotExpandable: it stays the text that it is.
        """
        if not text.startswith(("{", "[")):
            raise NotExpandable(f"does not begin with {{ or [: {text[:20]!r}")
        try:
            document, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text)
        except (ValueError, RecursionError) as error:
            raise NotExpandable(str(error)) from None
        schema = self._schema(document)
        if not isinstance(schema, _Fields):
            raise NotExpandable("an array at the top has no fields")
        return _struct(document, schema)

    def _schema(self, value: Any) -> _Schema | None:
        match _kind(value):
            case "null":
                return "bytes" if self.keeps_nulls else None
            case "number":
                return _number(value)
            case "array":
                if value:
                    return _Array(self._element(value))
                return _Array("string") if self.keeps_empty_arrays else None
            case "object":
                told = ((name, self._schema(inner)) for name, inner in value.items())
                return _Fields({name: schema for name, schema in told if schema is not None})
            case kind:
                return kind

    def _element(self, values: list[Any]) -> _Schema:
        """The one schema of an array's elements."""
        known = [value for value in values if value is not None]
        kinds = {_kind(value): None for value in known}
        if len(kinds) > 1:
            raise NotExpandable(f"not a homogeneous array: {', '.join(kinds)}")
        if "number" in kinds and len({_number(value): None for value in known}) > 1:
            raise NotExpandable("not a homogeneous array: numbers of several types")
        if "object" in kinds:
            merged: dict[str, _Schema] = {}
            for value in known:
                fields = self._schema(value)
                assert isinstance(fields, _Fields), f"an object without fields: {value!r}"
                for name, inner in fields.schemas.items():
                    if merged.get(name, "bytes") == "bytes":
                        merged[name] = inner
            return _Fields(merged)
        schema = self._schema(known[0] if known else None)
        if schema is None:
            raise NotExpandable("an array whose elements have no schema")
        return schema


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _struct(document: Any, schema: _Fields) -> dict[str, Any]:
    return {
        name: _value(document[name], inner)
        for name, inner in schema.schemas.items()
        if name in document
    }


def _value(value: Any, schema: _Schema) -> Any:
    """The value as its schema has it; one that does not fit spoils the whole document."""
    if value is None:
        return None
    match _kind(value), schema:
        case "object", _Fields():
            return _struct(value, schema)
        case "array", _Array(of=inner):
            return [_value(element, inner) for element in value]
        case "number", str() if schema == _number(value):
            if isinstance(value, int) and schema == "float64":
                raise NotExpandable(f"an integer of more than 64 bits: {value}")
            return value
        case kind, str() if schema == kind:
            return value
    raise NotExpandable(f"{value!r} beside values of another type")
