"""Changes of what a schema says of a text, a number or a list, and the changes a policy allows."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from simulator.contracts.json_types import JsonNode
from simulator.contracts.json_validating import same

ABOUT: Final = {
    "$id": "ID_CHANGED",
    "title": "TITLE_CHANGED",
    "description": "DESCRIPTION_CHANGED",
    "default": "DEFAULT_CHANGED",
}
# Keyword -> how the kinds of its changes begin.
_BOUNDS: Final[Mapping[str, str]] = {
    "maxLength": "MAX_LENGTH",
    "minLength": "MIN_LENGTH",
    "maximum": "MAXIMUM",
    "minimum": "MINIMUM",
    "exclusiveMaximum": "EXCLUSIVE_MAXIMUM",
    "exclusiveMinimum": "EXCLUSIVE_MINIMUM",
    "maxItems": "MAX_ITEMS",
    "minItems": "MIN_ITEMS",
    "maxProperties": "MAX_PROPERTIES",
    "minProperties": "MIN_PROPERTIES",
}
_KEYWORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "string": ("maxLength", "minLength"),
    "number": ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"),
    "array": ("maxItems", "minItems"),
}


def _allowed() -> frozenset[str]:
    kinds = [*ABOUT.values(), "SCHEMA_REMOVED", "TYPE_EXTENDED", "PATTERN_REMOVED"]
    for keyword, name in _BOUNDS.items():
        upper = keyword.lower().startswith(("max", "exclusivemax"))
        kinds += [f"{name}_REMOVED", f"{name}_{'INCREASED' if upper else 'DECREASED'}"]
    kinds += [f"MULTIPLE_OF_{how}" for how in ("REDUCED", "REMOVED")]
    kinds += [f"DEPENDENCY_{how}" for how in ("ARRAY_NARROWED", "ARRAY_REMOVED", "SCHEMA_REMOVED")]
    for what, many in (("PROPERTY", "PROPERTIES"), ("ITEM", "ITEMS")):
        kinds += [
            f"ADDITIONAL_{many}_ADDED",
            f"ADDITIONAL_{many}_EXTENDED",
            f"{what}_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
            f"{what}_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL",
            f"{what}_REMOVED_FROM_OPEN_CONTENT_MODEL",
            f"{what}_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
            f"{what}_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        ]
    return frozenset(kinds) | {
        "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED",
        "REQUIRED_ATTRIBUTE_REMOVED",
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL",
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
        "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL",
        "UNIQUE_ITEMS_REMOVED",
        "ENUM_ARRAY_EXTENDED",
        "COMBINED_TYPE_EXTENDED",
        "PRODUCT_TYPE_NARROWED",
        "SUM_TYPE_EXTENDED",
        "NOT_TYPE_NARROWED",
    }


STRICT: Final = _allowed()
LENIENT: Final = STRICT | {
    "ADDITIONAL_PROPERTIES_NARROWED",
    "ADDITIONAL_PROPERTIES_REMOVED",
    "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
    "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
    "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
    "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
}

Change = tuple[str, tuple[str, ...]]


def bounds(before: JsonNode, after: JsonNode, keyword: str) -> Iterator[Change]:
    """How a bound changed, if it did."""
    old, new = before.keywords.get(keyword), after.keywords.get(keyword)
    if old == new:
        return
    if old is None or new is None:
        how = "ADDED" if old is None else "REMOVED"
    else:
        how = "INCREASED" if old < new else "DECREASED"
    yield f"{_BOUNDS[keyword]}_{how}", (keyword,)


def value_changes(before: JsonNode, after: JsonNode) -> Iterator[Change]:
    """What changed for the values themselves, of two nodes of one kind: (kind, where under it)."""
    for keyword in _KEYWORDS.get(before.kind, ()):
        yield from bounds(before, after, keyword)
    old, new = before.keywords, after.keywords
    match before.kind:
        case "string":
            was, will = old.get("pattern"), new.get("pattern")
            if was != will:
                how = "ADDED" if was is None else "REMOVED" if will is None else "CHANGED"
                yield f"PATTERN_{how}", ("pattern",)
        case "number":
            yield from _multiples(old.get("multipleOf"), new.get("multipleOf"))
            if (old.get("type") == "integer") != (new.get("type") == "integer"):
                yield "TYPE_EXTENDED" if old.get("type") == "integer" else "TYPE_NARROWED", ()
        case "array":
            was, will = bool(old.get("uniqueItems")), bool(new.get("uniqueItems"))
            if was != will:
                yield f"UNIQUE_ITEMS_{'REMOVED' if was else 'ADDED'}", ("uniqueItems",)
        case "enum":
            yield from _choices(old["enum"], new["enum"])
        case "const" if not same(old["const"], new["const"]):
            yield "ENUM_ARRAY_CHANGED", ("const",)


def _multiples(was: Any, will: Any) -> Iterator[Change]:
    if was == will:
        return
    if was is None or will is None:
        how = "ADDED" if was is None else "REMOVED"
    else:
        old, new = Fraction(str(was)), Fraction(str(will))
        how = "EXPANDED" if new % old == 0 else "REDUCED" if old % new == 0 else "CHANGED"
    yield f"MULTIPLE_OF_{how}", ("multipleOf",)


def _choices(was: list[Any], will: list[Any]) -> Iterator[Change]:
    lost = any(not any(same(one, other) for other in will) for one in was)
    gained = any(not any(same(one, other) for other in was) for one in will)
    if lost or gained:
        how = "CHANGED" if lost and gained else "NARROWED" if lost else "EXTENDED"
        yield f"ENUM_ARRAY_{how}", ("enum",)
