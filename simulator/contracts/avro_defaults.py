"""A default is written as JSON: bytes as a text of code points up to 255, a union by any branch."""

from collections.abc import Mapping
from typing import Any

from simulator.contracts.avro_types import ABSENT, INT, LONG, AvroSchema, Branch


def default_fits(value: Any, schema: AvroSchema, filling: frozenset[int] = frozenset()) -> bool:
    """Whether `value`, as JSON, can stand for a value of the type.

    `filling` are the records whose defaults are being filled in: one that needs itself never ends.
    """
    match schema.kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int" | "long":
            low, high = INT if schema.kind == "int" else LONG
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        case "float" | "double":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "bytes" | "fixed":
            return (
                isinstance(value, str)
                and all(ord(one) < 256 for one in value)
                and (schema.kind == "bytes" or len(value) == schema.size)
            )
        case "enum":
            return value in schema.symbols
        case "array":
            return isinstance(value, list) and all(
                default_fits(one, schema.parts, filling) for one in value
            )
        case "map":
            return isinstance(value, Mapping) and all(
                default_fits(one, schema.parts, filling) for one in value.values()
            )
        case "union":
            return any(default_fits(value, branch, filling) for branch in schema.branches)
    return isinstance(value, Mapping) and all(
        default_fits(value[one.name], one.schema, filling)
        if one.name in value
        else one.default is not ABSENT
        and schema.number not in filling
        and default_fits(one.default, one.schema, filling | {schema.number})
        for one in schema.fields.values()
    )


def default_datum(value: Any, schema: AvroSchema) -> Any:
    """The datum that a default means.

    A union's is that of the first branch which it fits.
    """
    match schema.kind:
        case "bytes" | "fixed":
            return value.encode("latin-1")
        case "float" | "double":
            return float(value)
        case "array":
            return [default_datum(one, schema.parts) for one in value]
        case "map":
            return {key: default_datum(one, schema.parts) for key, one in value.items()}
        case "union":
            branch = next(one for one in schema.branches if default_fits(value, one))
            return Branch(branch.label, default_datum(value, branch))
        case "record":
            return {
                one.name: default_datum(value.get(one.name, one.default), one.schema)
                for one in schema.fields.values()
            }
    return value
