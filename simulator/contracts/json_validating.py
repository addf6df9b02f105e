"""Whether an instance is valid under a JSON Schema of draft 7.

Not modelled: formats, references out of the document; patterns are Python's, not ECMAScript's.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import attrs

from simulator.contracts.json_types import target


def is_valid(instance: Any, document: Any) -> bool:
    """Whether `instance` is what the schema `document` (parsed JSON) allows."""
    return _Validator(document).valid(instance, document, ())


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values: 1 is 1.0, and true is not 1."""
    match one, other:
        case (bool(), _) | (_, bool()):
            return one is other
        case Mapping(), Mapping():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other if isinstance(one, str) else one == other


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _exact(value: float) -> Fraction:
    return Fraction(str(value))


def _has_type(value: Any, kind: str) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "number":
            return _is_number(value)
        case "integer":
            return _is_number(value) and value == int(value)
        case "array":
            return isinstance(value, list)
    return isinstance(value, Mapping)


@attrs.define
class _Validator:
    root: Any

    def valid(self, value: Any, schema: Any, around: tuple[str, ...]) -> bool:
        """`around` are the references followed since the last step into the instance."""
        if isinstance(schema, bool):
            return schema
        if "$ref" in schema:
            pointer = schema["$ref"]
            if pointer in around:
                return True  # It says no more than it has said already.
            return self.valid(value, target(self.root, pointer, "schema"), (*around, pointer))
        if not self._combined(value, schema, around):
            return False
        kinds = schema.get("type")
        if kinds is not None:
            kinds = kinds if isinstance(kinds, list) else [kinds]
            if not any(_has_type(value, kind) for kind in kinds):
                return False
        if "enum" in schema and not any(same(value, one) for one in schema["enum"]):
            return False
        if "const" in schema and not same(value, schema["const"]):
            return False
        if isinstance(value, str):
            return _text(value, schema)
        if _is_number(value):
            return _number(value, schema)
        if isinstance(value, list):
            return self._array(value, schema)
        return not isinstance(value, Mapping) or self._object(value, schema)

    def _combined(self, value: Any, schema: Mapping[str, Any], around: tuple[str, ...]) -> bool:
        for keyword in ("allOf", "anyOf", "oneOf"):
            if keyword in schema:
                good = sum(self.valid(value, one, around) for one in schema[keyword])
                wanted = len(schema[keyword])
                if not {"allOf": good == wanted, "anyOf": good > 0, "oneOf": good == 1}[keyword]:
                    return False
        if "not" in schema and self.valid(value, schema["not"], around):
            return False
        if "if" in schema:
            branch = "then" if self.valid(value, schema["if"], around) else "else"
            return self.valid(value, schema.get(branch, True), around)
        return True

    def _array(self, value: list[Any], schema: Mapping[str, Any]) -> bool:
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return False
        if schema.get("uniqueItems") and any(
            same(one, other) for at, one in enumerate(value) for other in value[:at]
        ):
            return False
        if "contains" in schema and not any(self.valid(x, schema["contains"], ()) for x in value):
            return False
        items = schema.get("items", True)
        if not isinstance(items, list):
            return all(self.valid(one, items, ()) for one in value)
        rest = schema.get("additionalItems", True)
        return all(
            self.valid(one, items[at] if at < len(items) else rest, ())
            for at, one in enumerate(value)
        )

    def _object(self, value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
        size = len(value)
        if not schema.get("minProperties", 0) <= size <= schema.get("maxProperties", size):
            return False
        if any(name not in value for name in schema.get("required", ())):
            return False
        for name, needed in schema.get("dependencies", {}).items():
            if name not in value:
                continue
            if isinstance(needed, list):
                if any(one not in value for one in needed):
                    return False
            elif not self.valid(value, needed, ()):
                return False
        names = schema.get("propertyNames", True)
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, one in value.items():
            said = [properties[name]] if name in properties else []
            said += [patterns[each] for each in patterns if re.search(each, name)]
            said = said or [schema.get("additionalProperties", True)]
            if not self.valid(name, names, ()) or not all(self.valid(one, s, ()) for s in said):
                return False
        return True


def _text(value: str, schema: Mapping[str, Any]) -> bool:
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        return False
    return "pattern" not in schema or re.search(schema["pattern"], value) is not None


def _number(value: float, schema: Mapping[str, Any]) -> bool:
    return not (
        ("minimum" in schema and value < schema["minimum"])
        or ("maximum" in schema and value > schema["maximum"])
        or ("exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"])
        or ("exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"])
        or ("multipleOf" in schema and _exact(value) % _exact(schema["multipleOf"]) != 0)
    )
