"""Kinds of changes of a Protobuf schema, and which of them Confluent's registry takes for harmless.

On the wire a field is its number: a name may change, an unknown number is skipped, a missing one
has its zero value. What changes how the bytes of a number are read is not compatible.

Not modelled: .proto files. Changes are named by whoever made them, not found by comparing.
"""

from collections.abc import Iterable
from typing import Final

from simulator.errors import BadInput

COMPATIBLE: Final = frozenset({
    "ENUM_ADDED", "ENUM_CONST_ADDED", "ENUM_CONST_CHANGED", "ENUM_CONST_REMOVED", "ENUM_REMOVED",
    "FIELD_ADDED", "FIELD_NAME_CHANGED", "FIELD_REMOVED", "FIELD_STRING_OR_BYTES_LABEL_CHANGED",
    "MESSAGE_ADDED", "MESSAGE_MOVED", "ONEOF_ADDED", "ONEOF_FIELD_ADDED",
    "ONEOF_FIELD_MOVED_TO_TOP_LEVEL", "ONEOF_REMOVED",
})  # fmt: skip
INCOMPATIBLE: Final = frozenset({
    "FIELD_KIND_CHANGED", "FIELD_MOVED_TO_EXISTING_ONEOF", "FIELD_NAMED_TYPE_CHANGED",
    "FIELD_NUMERIC_LABEL_CHANGED", "FIELD_SCALAR_KIND_CHANGED", "MESSAGE_REMOVED",
    "MULTIPLE_FIELDS_MOVED_TO_ONEOF", "ONEOF_FIELD_REMOVED", "PACKAGE_CHANGED",
    "REQUIRED_FIELD_ADDED", "REQUIRED_FIELD_REMOVED",
})  # fmt: skip


def protobuf_incompatibilities(changes: Iterable[str]) -> tuple[str, ...]:
    """Those of the named changes that are not compatible, in the order given.

    Raises:
        BadInput: no change has this name.
    """
    found = []
    for change in changes:
        if change in INCOMPATIBLE:
            found.append(change)
        elif change not in COMPATIBLE:
            known = ", ".join(sorted(COMPATIBLE | INCOMPATIBLE))
            raise BadInput("is no kind of change:", "change", change, f"one of {known}")
    return tuple(found)
