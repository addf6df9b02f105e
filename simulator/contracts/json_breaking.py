"""An instance that is valid for the writer and not for the reader, searched for in a finite pool.

An instance that is found is a proof. That none is found proves nothing: the pool is made of values
next to what the schemas name (bounds and their neighbours, choices, properties and one or two
names beside them), each object and list varied in one place at a time.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations, islice
from typing import Any, Final

from simulator.contracts.avro_types import ABSENT, Absent
from simulator.contracts.json_types import (
    COMBINATIONS,
    KEYWORDS,
    canonical_json,
    json_document,
    target,
)
from simulator.contracts.json_validating import is_valid

MOST: Final = 20_000  # Instances that are tried.
NAMES_MOST: Final = 7
VALUES_MOST: Final = 12  # Of one property or item.
DISPUTED_MOST: Final = 4  # Of those values.
DEPTH: Final = 4
_PLAIN: Final = (0, "", None, True, "x", 5, 1.5, -1, 12, "ab", "abcd", False)


def breaking_instance(writer: Any, reader: Any, *, most: int = MOST) -> Any | Absent:
    """An instance that `writer` (a document) allows and `reader` does not, or ABSENT: none found.

    Args:
        most: instances tried before the search is given up.
    """
    writer, reader = json_document(writer), json_document(reader)
    for instance in islice(_pool([(writer, writer), (reader, reader)], DEPTH), most):
        if is_valid(instance, writer) and not is_valid(instance, reader):
            return instance
    return ABSENT


Part = tuple[Any, Any]  # A schema, and the document in which its references point.


def _all_parts(parts: list[Part]) -> list[Mapping[str, Any]]:
    """The schemas and all that they combine or refer to, without booleans, each with its root."""
    found: list[Mapping[str, Any]] = []
    met: list[str] = []
    waiting = list(parts)
    while waiting:
        schema, root = waiting.pop(0)
        if not isinstance(schema, Mapping):
            continue
        if "$ref" in schema:
            key = f"{schema['$ref']} {canonical_json(root)}"
            if key not in met:
                met.append(key)
                waiting.append((target(root, schema["$ref"], "schema"), root))
            continue
        found.append({**schema, "$root": root})
        for keyword in COMBINATIONS:
            waiting += [(one, root) for one in schema.get(keyword, ())]
        waiting += [(schema[key], root) for key in ("not", "if", "then", "else") if key in schema]
        waiting += [
            (one, root) for one in schema.get("dependencies", {}).values()
            if isinstance(one, Mapping)
        ]  # fmt: skip
    return found


def _pool(parts: list[Part], depth: int) -> Iterator[Any]:
    """Instances around what the schemas say, small ones first."""
    schemas = _all_parts(parts)
    seen: list[str] = []
    for one in (*_scalars(schemas), *_PLAIN):
        text = canonical_json(one)
        if text not in seen:
            seen.append(text)
            yield one
    if depth > 0:
        lists = any(map(_of_lists, schemas)) and not any(map(_of_objects, schemas))
        for kind in (_arrays, _objects) if lists else (_objects, _arrays):
            yield from kind(schemas, depth)
    else:
        yield from ({}, [])


def _of_lists(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" or any(one in schema for one in KEYWORDS["array"])


def _of_objects(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "object" or any(one in schema for one in KEYWORDS["object"])


def _scalars(schemas: list[Mapping[str, Any]]) -> Iterator[Any]:
    for schema in schemas:
        yield from schema.get("enum", ())
        if "const" in schema:
            yield schema["const"]
        for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if keyword in schema:
                yield from (schema[keyword] + step for step in (0, 1, -1))
        if "multipleOf" in schema:
            yield from (schema["multipleOf"] * times for times in (1, 2, 3))
        for keyword in ("minLength", "maxLength"):
            if keyword in schema:
                yield from ("x" * max(schema[keyword] + step, 0) for step in (0, 1, -1))
        if "pattern" in schema:
            yield from _around(schema["pattern"])


def _around(pattern: str) -> Iterator[str]:
    """Texts which a simple pattern may match: its letters without its signs, and repeated."""
    plain = "".join(one for one in pattern if one.isalnum() or one in "-_ @./")
    yield from (plain, plain + "x", plain * 2, f"{plain}1")


def _inner(schemas: list[Mapping[str, Any]], keyword: str, name: Any, others: str) -> list[Part]:
    """What the schemas say of one property or item."""
    parts = []
    for schema in schemas:
        named = schema.get(keyword, {})
        if isinstance(named, list):
            inner = named[name] if name < len(named) else schema.get(others, True)
        elif keyword == "items":
            inner = named
        else:
            inner = named.get(name, schema.get(others, True))
        parts.append((inner, schema["$root"]))
    return parts


def _values(parts: list[Part], depth: int) -> list[Any]:
    """Some values for a place: those first which most schemas of the place allow, and a few about
    which they do not agree, for one of those may be what breaks the reader.
    """
    some = list(islice(_pool(parts, depth - 1), 4 * VALUES_MOST))
    scored = [
        (sum(not is_valid(one, _rooted(schema, root)) for schema, root in parts), index)
        for index, one in enumerate(some)
    ]
    best = [some[index] for _, index in sorted(scored)]
    kept = best[: VALUES_MOST // 2]
    torn = [some[index] for wrong, index in sorted(scored) if 0 < wrong < len(parts)]
    kinds = {type(one).__name__: one for one in reversed(best)}  # One of each kind besides.
    return [*kept, *torn[:DISPUTED_MOST], *kinds.values()]


def _rooted(schema: Any, root: Any) -> Any:
    """A part of a document as a document: references go on finding their targets."""
    if not isinstance(schema, Mapping) or not isinstance(root, Mapping):
        return schema
    return {**{key: root[key] for key in ("definitions", "$defs") if key in root}, **schema}


def _objects(schemas: list[Mapping[str, Any]], depth: int) -> Iterator[Any]:
    names: list[str] = []
    size = 0
    for schema in schemas:
        named = [*schema.get("properties", ()), *schema.get("required", ())]
        for name, needed in schema.get("dependencies", {}).items():
            named += [name, *(needed if isinstance(needed, list) else ())]
        for pattern in schema.get("patternProperties", {}):
            named += list(_around(pattern))[:1]
        names += [name for name in dict.fromkeys(named) if name not in names]
        size = max(size, schema.get("minProperties", 0), schema.get("maxProperties", 0))
    beside = ["zz", "yy", *(f"x{index}" for index in range(size))]
    names = [*names[:NAMES_MOST], *[one for one in beside if one not in names][: max(2, size + 1)]]
    choices = {
        name: _values(_inner(schemas, "properties", name, "additionalProperties"), depth)
        for name in names
    }
    for count in range(len(names) + 1):
        for chosen in combinations(names, count):
            base = {name: choices[name][0] for name in chosen}
            yield base
            for name in chosen:
                yield from ({**base, name: value} for value in choices[name][1:])


def _arrays(schemas: list[Mapping[str, Any]], depth: int) -> Iterator[Any]:
    longest = 2
    for schema in schemas:
        items = schema.get("items")
        places = len(items) if isinstance(items, list) else 0
        named = (places, schema.get("minItems", 0), schema.get("maxItems", 0))
        longest = max(longest, *(one + 1 for one in named))
    choices = [
        _values(_inner(schemas, "items", index, "additionalItems"), depth)
        for index in range(min(longest, NAMES_MOST))
    ]
    bases: list[list[Any]] = []
    for count in range(len(choices) + 1):
        bases.append([choices[index][index % len(choices[index])] for index in range(count)])
        bases.append([one[0] for one in choices[:count]])
    yield from bases
    for base in bases:
        for index in range(len(base)):
            for value in choices[index]:
                yield [*base[:index], value, *base[index + 1 :]]
