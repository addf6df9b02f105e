"""One schema against another, of whatever format: what breaks the reader, and on what datum.

A schema is equal to another when its text is: its format's canonical form, with which a registry
gives one id to one schema. Schemas of two formats never read one another.
"""

from typing import Any, Final, NamedTuple

from simulator.contracts.avro import canonical_avro, parse_avro
from simulator.contracts.avro_breaking import breaking_datum
from simulator.contracts.avro_compatibility import avro_incompatibilities, colliding_aliases
from simulator.contracts.avro_types import ABSENT, Absent, AvroSchema
from simulator.contracts.json_breaking import breaking_instance
from simulator.contracts.json_difference import POLICIES, json_incompatibilities
from simulator.contracts.json_types import (
    JsonNode,
    canonical_json,
    json_document,
    parse_json_schema,
)
from simulator.errors import BadInput

AVRO: Final = "AVRO"
JSON: Final = "JSON"
STRICT: Final = "STRICT"
FORMAT_CHANGED: Final = "FORMAT_CHANGED"


class Reason(NamedTuple):
    """Why a reader may break: the kind of change, where in its schema, and in words."""

    kind: str
    path: str
    text: str


class Schema:
    """A schema that has been read: its format and its text say which; it is not changed."""

    __slots__ = ("document", "format", "parsed", "text")

    def __init__(self, document: Any, format: str = AVRO) -> None:  # noqa: A002 - its word.
        """Read `document`: JSON as a text, or what it says.

        Raises:
            BadInput: it is no schema of this format, or the format is not known.
        """
        self.format = format
        self.parsed: AvroSchema | JsonNode
        if format == AVRO:
            self.parsed = parse_avro(document)
            bare = isinstance(document, str) and document.strip()[:1] not in ('"', "{", "[")
            self.document = document if bare else json_document(document)
            self.text = canonical_avro(self.document)
        elif format == JSON:
            self.parsed = parse_json_schema(document)
            self.document = json_document(document)
            self.text = canonical_json(self.document)
        else:
            raise BadInput("is no format of schemas:", "format", format, f"{AVRO} or {JSON}")

    @property
    def identity(self) -> str:
        """The same for equal schemas, and only for them."""
        return f"{self.format} {self.text}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and other.identity == self.identity

    def __hash__(self) -> int:
        """As texts have it; nothing depends on the order."""
        return self.identity.__hash__()

    def __repr__(self) -> str:
        return f"Schema({self.text}, {self.format!r})"


def faults(schema: Schema) -> tuple[str, ...]:
    """What a registry should not take, although the format allows it: ambiguous aliases."""
    if isinstance(schema.parsed, AvroSchema):
        return tuple(colliding_aliases(schema.parsed))
    return ()


def reasons(writer: Schema, reader: Schema, policy: str = STRICT) -> tuple[Reason, ...]:
    """Why `reader` may break on what `writer` wrote; empty: it is compatible.

    Args:
        policy: STRICT or LENIENT; only JSON Schema knows the difference.

    Raises:
        BadInput: there is no such policy.
    """
    if policy not in POLICIES:
        raise BadInput("is no policy:", "policy", policy, f"one of {', '.join(POLICIES)}")
    match writer.parsed, reader.parsed:
        case AvroSchema() as first, AvroSchema() as second:
            return tuple(Reason(*one) for one in avro_incompatibilities(first, second))
        case JsonNode() as old, JsonNode() as new:
            found = json_incompatibilities(old, new, POLICIES[policy])
            return tuple(Reason(one.kind, one.path, _in_words(one.kind)) for one in found)
    text = f"the writer's schema is {writer.format}, the reader's {reader.format}"
    return (Reason(FORMAT_CHANGED, "/", text),)


def counterexample(writer: Schema, reader: Schema) -> Any | Absent:
    """A datum that `writer` allows and that breaks `reader`, or ABSENT.

    Avro: ABSENT means that there is none. JSON Schema: that none was found among the values tried,
    which proves nothing. ABSENT too for schemas of two formats, where every datum does.
    """
    match writer.parsed, reader.parsed:
        case AvroSchema() as first, AvroSchema() as second:
            return breaking_datum(first, second)
        case JsonNode(), JsonNode():
            return breaking_instance(writer.document, reader.document)
    return ABSENT


def _in_words(kind: str) -> str:
    return kind.lower().replace("_", " ")
