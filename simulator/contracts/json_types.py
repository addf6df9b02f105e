"""A JSON Schema (draft 7), taken apart into nodes of one kind each, as Confluent's provider does.

A schema that says several things at once (a type, an enum, a combination) is the combination of
them all by allOf; a list of types is an anyOf; keywords without a type stand for the type they
belong to; a reference is its target.

Not modelled: references out of the document, identifiers as targets (`$id`), keywords of drafts
after 7 (`prefixItems`, `unevaluatedProperties`, `dependentRequired`), the booleans that draft 4 has
for exclusive bounds, formats.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from simulator.contracts.avro_types import ABSENT
from simulator.errors import BadInput

COMBINATIONS: Final = ("allOf", "anyOf", "oneOf")
KEYWORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "object": (
        "properties", "patternProperties", "additionalProperties", "required", "minProperties",
        "maxProperties", "dependencies", "propertyNames",
    ),
    "array": ("items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"),
}  # fmt: skip
TYPES: Final = ("string", "number", "integer", "boolean", "null", "object", "array")


@attrs.define(eq=False)
class JsonNode:
    """One kind of statement; what it says stands in `keywords`, what it holds in the others.

    `additional` is the schema of properties (or items) that are not named; `open` says whether any
    may come. `number` tells the nodes of a document apart.
    """

    number: int
    kind: str = "empty"
    text: str = ""
    default: Any = ABSENT
    about: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    keywords: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    criterion: str = ""
    parts: list["JsonNode"] = attrs.field(factory=list, repr=False)
    properties: dict[str, "JsonNode"] = attrs.field(factory=dict, repr=False)
    patterns: dict[str, "JsonNode"] = attrs.field(factory=dict, repr=False)
    dependencies: dict[str, "JsonNode"] = attrs.field(factory=dict, repr=False)
    items: "JsonNode | None" = attrs.field(default=None, repr=False)
    additional: "JsonNode | None" = attrs.field(default=None, repr=False)
    open: bool = True


def canonical_json(document: Any) -> str:
    """The document as one text, keys in order."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def parse_json_schema(document: Any) -> JsonNode:
    """The schema of a document: a truth value, an object, or a JSON text of one of these.

    Raises:
        BadInput: it is none; `where` is the path to what is wrong.
    """
    return _Reader(json_document(document)).root()


def json_document(document: Any) -> Any:
    """What the text says, or the document itself."""
    if isinstance(document, str):
        try:
            return json.loads(document)
        except ValueError as error:
            raise BadInput(f"is not JSON: {error}", "schema", document) from None
    return document


def target(document: Any, pointer: Any, path: str) -> Any:
    """What a reference within the document points at.

    Raises:
        BadInput: nothing stands there, or it is a reference to elsewhere.
    """
    if not isinstance(pointer, str) or not pointer.startswith("#"):
        raise BadInput("points out of the document:", path, pointer, "write #/definitions/...")
    found = document
    for part in pointer[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise BadInput("points at nothing:", path, pointer)
    return found


@attrs.define
class _Reader:
    document: Any
    made: int = 0
    targets: dict[str, JsonNode] = attrs.field(factory=dict)

    def root(self) -> JsonNode:
        node = self.targets["#"] = self.new()
        if isinstance(self.document, Mapping) and "$ref" in self.document:
            return self.node(self.document, "#")
        self.fill(node, self.document, "#")
        return node

    def new(self) -> JsonNode:
        self.made += 1
        return JsonNode(self.made)

    def node(self, document: Any, path: str) -> JsonNode:
        """The node of a part of the document; a reference is its target's."""
        met: list[str] = []
        while isinstance(document, Mapping) and "$ref" in document:
            pointer = document["$ref"]
            if pointer in met:
                raise BadInput("refers to itself:", path, pointer)
            met.append(pointer)
            document = target(self.document, pointer, path)
        if met and met[-1] in self.targets:
            return self.targets[met[-1]]
        node = self.new()
        if met:
            self.targets[met[-1]] = node
        self.fill(node, document, path)
        return node

    def fill(self, node: JsonNode, document: Any, path: str) -> None:
        node.text = canonical_json(document)
        if isinstance(document, bool):
            node.kind = "empty" if document else "false"
            return
        if not isinstance(document, Mapping):
            raise BadInput("is not a schema:", path, document, "an object, true or false")
        node.about = document
        node.default = document.get("default", ABSENT)
        said = list(_statements(document, path))
        if len(said) == 1:
            self.say(node, *said[0], path)
        elif said:
            node.kind, node.criterion = "combined", "allOf"
            for kind, part in said:
                inner = self.new()
                inner.text = canonical_json(part)
                self.say(inner, kind, part, path)
                node.parts.append(inner)

    def say(self, node: JsonNode, kind: str, part: Mapping[str, Any], path: str) -> None:
        """Make `node` the one statement `part`."""
        node.kind, node.keywords = kind, part
        match kind:
            case "allOf" | "anyOf" | "oneOf":
                node.kind, node.criterion = "combined", kind
                node.parts = self.nodes(part[kind], f"{path}/{kind}")
            case "types":
                node.kind, node.criterion = "combined", "anyOf"
                node.parts = [self.node({**part, "type": one}, path) for one in part["type"]]
            case "not":
                node.parts = [self.node(part["not"], f"{path}/not")]
            case "object":
                self.object(node, part, path)
            case "array":
                self.array(node, part, path)
            case "enum" if not isinstance(part["enum"], list):
                raise BadInput("is not a list:", f"{path}/enum", part["enum"])
            case "string" if "pattern" in part:
                _checked_pattern(part["pattern"], f"{path}/pattern")

    def nodes(self, documents: Any, path: str) -> list[JsonNode]:
        if not isinstance(documents, list):
            raise BadInput("is not a list of schemas:", path, documents)
        return [self.node(one, f"{path}/{index}") for index, one in enumerate(documents)]

    def object(self, node: JsonNode, part: Mapping[str, Any], path: str) -> None:
        for keyword in ("properties", "patternProperties", "dependencies"):
            if not isinstance(part.get(keyword, {}), Mapping):
                raise BadInput("is not an object:", f"{path}/{keyword}", part[keyword])
        for name, one in part.get("properties", {}).items():
            node.properties[name] = self.node(one, f"{path}/properties/{name}")
        for pattern, one in part.get("patternProperties", {}).items():
            here = f"{path}/patternProperties/{pattern}"
            node.patterns[_checked_pattern(pattern, here)] = self.node(one, here)
        for name, one in part.get("dependencies", {}).items():
            if not isinstance(one, list):
                node.dependencies[name] = self.node(one, f"{path}/dependencies/{name}")
        self.rest(node, part, "additionalProperties", path)

    def array(self, node: JsonNode, part: Mapping[str, Any], path: str) -> None:
        items = part.get("items")
        if isinstance(items, list):
            node.parts = self.nodes(items, f"{path}/items")
            self.rest(node, part, "additionalItems", path)
        elif items is not None:
            node.items = self.node(items, f"{path}/items")

    def rest(self, node: JsonNode, part: Mapping[str, Any], keyword: str, path: str) -> None:
        others = part.get(keyword, True)
        node.open = others is not False
        if not isinstance(others, bool):
            node.additional = self.node(others, f"{path}/{keyword}")


def _statements(document: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the schema says, one kind of statement after another."""
    if "enum" in document:
        yield "enum", {"enum": document["enum"]}
    if "const" in document:
        yield "const", {"const": document["const"]}
    for keyword in (*COMBINATIONS, "not"):
        if keyword in document:
            yield keyword, {keyword: document[keyword]}
    if "if" in document:
        yield "conditional", {key: document[key] for key in ("if", "then", "else")
                              if key in document}  # fmt: skip
    kinds = document.get("type")
    if isinstance(kinds, list):
        wanted = [word for kind in kinds for word in KEYWORDS.get(_family(kind, path), ())]
        yield "types", {"type": kinds, **{key: document[key] for key in wanted if key in document}}
        return
    families = list(KEYWORDS) if kinds is None else [_family(kinds, path)]
    for family in families:
        found = {key: document[key] for key in KEYWORDS.get(family, ()) if key in document}
        if kinds is not None:
            found["type"] = kinds
        if found:
            yield family, found


def _family(kind: Any, path: str) -> str:
    if kind not in TYPES:
        raise BadInput("is no type:", f"{path}/type", kind, f"one of {', '.join(TYPES)}")
    return "number" if kind == "integer" else str(kind)


def _checked_pattern(pattern: Any, path: str) -> str:
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        raise BadInput(f"is not a pattern ({error}):", path, pattern) from None
    return str(pattern)
