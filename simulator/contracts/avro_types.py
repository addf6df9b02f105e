"""The types of Avro, as values that may refer to one another in circles.

A schema's `number` tells its types apart: it is the place of a type in its document, so that a
pair of numbers names a pair of types without an address.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

import attrs

PRIMITIVES: Final = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
NAMED: Final = ("record", "error", "enum", "fixed")
MAPPINGS: Final = {"array": "items", "map": "values"}  # Where the type of the parts stands.

INT: Final = (-(2**31), 2**31 - 1)
LONG: Final = (-(2**63), 2**63 - 1)

# The reader's kind, and the kinds of a writer that it reads too (Schema Resolution).
PROMOTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "long": ("int",),
    "float": ("int", "long"),
    "double": ("int", "long", "float"),
    "bytes": ("string",),
    "string": ("bytes",),
}

_LOGICAL: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("int",),
    "time-millis": ("int",),
    "time-micros": ("long",),
    "timestamp-millis": ("long",),
    "timestamp-micros": ("long",),
    "timestamp-nanos": ("long",),
    "local-timestamp-millis": ("long",),
    "local-timestamp-micros": ("long",),
    "local-timestamp-nanos": ("long",),
    "uuid": ("string", "fixed"),
    "decimal": ("bytes", "fixed"),
    "big-decimal": ("bytes",),
    "duration": ("fixed",),
}


class Absent(Enum):
    """`ABSENT` stands where nothing is: null is a value."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


class Branch(NamedTuple):
    """A union's value together with the branch that it is written under (a full name or a kind)."""

    name: str
    value: Any


@attrs.define(eq=False)
class AvroField:
    """A record's field; `default` is ABSENT, or what the document says, as JSON."""

    name: str
    schema: "AvroSchema"
    default: Any
    aliases: tuple[str, ...]
    position: int


@attrs.define(eq=False)
class AvroSchema:
    """A type; which of the parts mean anything depends on its `kind`.

    `name` and `aliases` are full names; `default` is an enum's; `inner` is what an array or a map
    holds. It is not changed any more once it is parsed.
    """

    kind: str
    number: int
    name: str = ""
    aliases: tuple[str, ...] = ()
    fields: dict[str, AvroField] = attrs.field(factory=dict, repr=False)
    symbols: tuple[str, ...] = ()
    default: Any = ABSENT
    size: int = 0
    branches: tuple["AvroSchema", ...] = attrs.field(default=(), repr=False)
    inner: "AvroSchema | None" = attrs.field(default=None, repr=False)
    logical_type: str = ""

    @property
    def label(self) -> str:
        """What the type is called as a branch: its full name, or its kind."""
        return self.name or self.kind

    @property
    def short_name(self) -> str:
        """The name without its namespace."""
        return self.name.rpartition(".")[2]

    @property
    def parts(self) -> "AvroSchema":
        """What an array or a map holds."""
        assert self.inner is not None, f"{self.kind} has no parts"
        return self.inner


def logical_type_of(kind: str, document: Mapping[str, Any]) -> str:
    """The logical type, or "" where there is none or it may not stand here: then it is ignored.

    Readers resolve by the type underneath; no check of compatibility looks at it.
    """
    name = document.get("logicalType")
    if not isinstance(name, str) or kind not in _LOGICAL.get(name, ()):
        return ""
    size = document.get("size")
    if kind == "fixed" and {"uuid": 16, "duration": 12}.get(name, size) != size:
        return ""
    if name == "decimal":
        precision, scale = document.get("precision"), document.get("scale", 0)
        if not isinstance(precision, int) or not isinstance(scale, int):
            return ""
        if not 0 <= scale <= precision or precision == 0:
            return ""
    return name
