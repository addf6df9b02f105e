"""An Avro schema is a graph of types: parsed, checked and numbered, with its names made full.

Rule 1: a name is qualified by its own namespace, else by the one around it; a type must be defined
before it is named, and only once (Avro specification, "Names").
Rule 2: a default must fit its type; a union's default may fit any of its branches.
Rule 3: what a schema says beside its types (doc, order, properties of its own) is not kept.

Not modelled: references to a type that is defined further on in the document, which newer Java
parsers accept and the specification does not; protocols, aliases of enum symbols.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from simulator.contracts.avro_defaults import default_fits
from simulator.contracts.avro_types import (
    ABSENT,
    MAPPINGS,
    NAMED,
    PRIMITIVES,
    AvroField,
    AvroSchema,
    logical_type_of,
)
from simulator.errors import BadInput

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_avro(document: Any, *, check_defaults: bool = True) -> AvroSchema:
    """The schema that `document` (a JSON text, or what such a text says) describes.

    Args:
        check_defaults: whether a field's default must fit its type, as Java's parser asks for
            unless it is told not to. A default of an enum's or a fixed's field is looked at more
            closely than there: it must be a symbol, or have the size.

    Raises:
        BadInput: it is no Avro schema; `where` is the path to what is wrong.
    """
    if isinstance(document, str) and document.strip()[:1] in ('"', "{", "["):
        try:
            document = json.loads(document)
        except ValueError as error:
            raise BadInput(f"is not JSON: {error}", "schema", document) from None
    return _Parser(check_defaults).type_of(document, "", "schema")


def canonical_avro(document: Any) -> str:
    """The document as one text: keys in order, `{"type": "string"}` written as `"string"`.

    Two documents with one text are one schema to a registry; doc and properties count.
    """
    return json.dumps(_plain(document), sort_keys=True, separators=(",", ":"))


def _plain(document: Any) -> Any:
    match document:
        case {"type": str(name)} if len(document) == 1:
            return name
        case Mapping():
            kept = ("default", "symbols", "aliases")  # Values, not schemas.
            return {key: value if key in kept else _plain(value) for key, value in document.items()}
        case list() | tuple():
            return [_plain(part) for part in document]
    return document


@attrs.define
class _Parser:
    check_defaults: bool
    named: dict[str, AvroSchema] = attrs.field(factory=dict)
    made: int = 0

    def number(self) -> int:
        """Of the next type: its place in the order in which types are met."""
        self.made += 1
        return self.made

    def type_of(self, document: Any, space: str, path: str) -> AvroSchema:
        """The type that `document` says, within the namespace `space`."""
        match document:
            case str():
                return self._referred(document, space, path)
            case list():
                return self._union(document, space, path)
            case {"type": str(kind)}:
                return self._described(kind, document, space, path)
            case {"type": list() | dict() as inner}:
                return self.type_of(inner, space, f"{path}/type")
            case Mapping():
                raise BadInput("has no type", path, document, 'give it a "type"')
        raise BadInput(
            "is not a schema:", path, document, "write a name, a list of branches, or an object"
        )

    def _referred(self, name: str, space: str, path: str) -> AvroSchema:
        if name in PRIMITIVES:
            return AvroSchema(name, self.number())
        # A name without dots is looked for in the namespace around it, then in none (Java's
        # Schema.Names).
        for full in (name if "." in name or not space else f"{space}.{name}", name):
            if full in self.named:
                return self.named[full]
        raise BadInput(
            "names a type that is not defined before it:", path, name,
            "define it where it is first used",
        )  # fmt: skip

    def _union(self, branches: list[Any], space: str, path: str) -> AvroSchema:
        union = AvroSchema("union", self.number())
        seen: dict[str, int] = {}
        for index, document in enumerate(branches):
            here = f"{path}/{index}"
            branch = self.type_of(document, space, here)
            if branch.kind == "union":
                raise BadInput("a union stands inside a union:", here, document, "make it one list")
            if branch.label in seen:
                raise BadInput(
                    f"is the same branch as {seen[branch.label]}:", here, branch.label,
                    "a union has each type once, and each name once",
                )  # fmt: skip
            seen[branch.label] = index
            union.branches = (*union.branches, branch)
        return union

    def _described(self, kind: str, document: Any, space: str, path: str) -> AvroSchema:
        if kind in PRIMITIVES:
            return AvroSchema(kind, self.number(), logical_type=logical_type_of(kind, document))
        if kind in ("array", "map"):
            inner = MAPPINGS[kind]
            if inner not in document:
                raise BadInput(f"has no {inner}", path, document, f'give it "{inner}"')
            schema = AvroSchema(kind, self.number())
            schema.inner = self.type_of(document[inner], space, f"{path}/{inner}")
            return schema
        if kind not in NAMED:
            return self._referred(kind, space, f"{path}/type")
        schema = self._named(kind, document, space, path)
        if kind == "enum":
            self._enum(schema, document, path)
        elif kind == "fixed":
            size = document.get("size")
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise BadInput("a fixed needs its size in bytes:", path, size, "0 or more")
            schema.size = size
            schema.logical_type = logical_type_of(kind, document)
        else:
            self._fields(schema, document, path)
        return schema

    def _named(self, kind: str, document: Any, space: str, path: str) -> AvroSchema:
        """The type with its full name and aliases, kept for those who name it."""
        name = document.get("name")
        if not isinstance(name, str):
            raise BadInput(f"a type of kind {kind} needs a name:", path, name)
        namespace = document.get("namespace", space) or ""
        if not isinstance(namespace, str):
            raise BadInput("a namespace is a text:", f"{path}/namespace", namespace)
        full = _full_name(name, namespace, f"{path}/name")
        if full in self.named or full in PRIMITIVES:
            raise BadInput("is defined already:", f"{path}/name", full, "a name has one type")
        own = full.rpartition(".")[0]
        schema = AvroSchema("record" if kind == "error" else kind, self.number(), name=full)
        schema.aliases = tuple(
            _full_name(alias, own, f"{path}/aliases")
            for alias in _texts(document.get("aliases", []), f"{path}/aliases")
        )
        self.named[full] = schema
        return schema

    def _enum(self, schema: AvroSchema, document: Any, path: str) -> None:
        symbols = _texts(document.get("symbols"), f"{path}/symbols")
        for index, symbol in enumerate(symbols):
            _checked_name(symbol, f"{path}/symbols/{index}")
            if symbol in symbols[:index]:
                raise BadInput("stands twice:", f"{path}/symbols/{index}", symbol)
        schema.symbols = tuple(symbols)
        schema.default = document.get("default", ABSENT)
        if schema.default is not ABSENT and schema.default not in schema.symbols:
            raise BadInput(
                "is not one of the symbols:", f"{path}/default", schema.default,
                f"one of {', '.join(symbols)}",
            )  # fmt: skip

    def _fields(self, schema: AvroSchema, document: Any, path: str) -> None:
        written = document.get("fields")
        if not isinstance(written, list):
            raise BadInput("a record needs a list of fields:", path, written)
        fields: dict[str, AvroField] = {}
        for index, entry in enumerate(written):
            here = f"{path}/fields/{index}"
            if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
                raise BadInput("a field is an object with a name:", here, entry)
            name = _checked_name(entry["name"], f"{here}/name")
            if name in fields:
                raise BadInput("stands twice:", f"{here}/name", name)
            if "type" not in entry:
                raise BadInput("has no type", here, name, 'give it a "type"')
            fields[name] = AvroField(
                name=name,
                schema=self.type_of(entry["type"], schema.name.rpartition(".")[0], f"{here}/type"),
                default=entry.get("default", ABSENT),
                aliases=tuple(
                    _checked_name(alias, f"{here}/aliases")
                    for alias in _texts(entry.get("aliases", []), f"{here}/aliases")
                ),
                position=index,
            )
        schema.fields = fields
        for one in fields.values():  # Once the record is whole: a default may hold one of its own.
            self._checked_default(one, f"{path}/fields/{one.position}/default")

    def _checked_default(self, one: AvroField, path: str) -> None:
        if not self.check_defaults or one.default is ABSENT:
            return
        if not default_fits(one.default, one.schema):
            raise BadInput(
                f"does not fit the type {one.schema.label}:", path, one.default,
                "null itself is a value: it fits only where null is a branch"
                if one.default is None else "a default is written as JSON, bytes as a text",
            )  # fmt: skip


def _texts(value: Any, path: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadInput("is not a list of texts:", path, value)
    return value


def _checked_name(name: str, path: str) -> str:
    if not NAME.fullmatch(name):
        raise BadInput(
            "is not a name:", path, name, "letters, digits and _, not beginning with a digit"
        )
    return name


def _full_name(name: str, space: str, path: str) -> str:
    """`name` within `space`; a name with dots brings its own namespace."""
    full = name if "." in name or not space else f"{space}.{name}"
    full = full.removeprefix(".")  # ".Order" is Order in no namespace.
    for part in full.split("."):
        _checked_name(part, path)
    return full
