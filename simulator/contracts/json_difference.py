"""What changed from the writer's JSON Schema to the reader's, and which changes may be.

The kinds and their verdicts are those of Confluent's SchemaDiff. A policy is the set of changes
that are compatible: STRICT, the default, or LENIENT, which allows besides what only the content
model forbids: to add or remove properties and to close the model, as Avro's readers would.

An object's content model is open when unnamed properties may hold anything, closed when there may
be none, partially open when they have a schema. Adding a property to an open one is incompatible:
under this name anything may have been written.

Two of the compatible changes can break a reader all the same, and are kept as they are: a required
property with a default, which no validation fills in, and a oneOf that grows by a branch which
overlaps another, so that old instances match twice.

Not modelled: what Confluent does not compare either (formats, propertyNames, contains, patterns of
properties, if/then/else, a name that is required and is no property): such changes pass unseen.
"""

import re
from typing import Final, NamedTuple

import attrs

from simulator.contracts.avro_types import ABSENT
from simulator.contracts.json_types import JsonNode
from simulator.contracts.json_validating import same
from simulator.contracts.json_values import ABOUT, LENIENT, STRICT, bounds, value_changes

POLICIES: Final = {"STRICT": STRICT, "LENIENT": LENIENT}


class Difference(NamedTuple):
    """A kind of change, and where (`#/properties/amount`)."""

    kind: str
    path: str


def json_differences(
    writer: JsonNode, reader: JsonNode, allowed: frozenset[str] = STRICT
) -> tuple[Difference, ...]:
    """Every change from `writer` to `reader`, compatible or not.

    `allowed` matters here too: of several ways to match branches, a compatible one is taken.
    """
    walk = _Walk(allowed)
    walk.compare(writer, reader)
    return tuple(walk.found)


def json_incompatibilities(
    writer: JsonNode, reader: JsonNode, allowed: frozenset[str] = STRICT
) -> tuple[Difference, ...]:
    """The changes that the policy does not allow; empty: the reader is compatible."""
    found = json_differences(writer, reader, allowed)
    return tuple(one for one in found if one.kind not in allowed)


@attrs.define
class _Walk:
    allowed: frozenset[str]
    path: tuple[str, ...] = ()
    around: frozenset[int] = frozenset()  # The writer's nodes that are being compared.
    found: list[Difference] = attrs.field(factory=list)

    def add(self, kind: str, *under: str) -> None:
        self.found.append(Difference(kind, "#/" + "/".join((*self.path, *under))))

    def tried(self, before: JsonNode, after: JsonNode, *under: str) -> tuple[bool, "_Walk"]:
        """Compare on the side: whether that is compatible, and what was found."""
        aside = _Walk(self.allowed, (*self.path, *under), self.around)
        aside.compare(before, after)
        return all(one.kind in self.allowed for one in aside.found), aside

    def compare(self, before: JsonNode | None, after: JsonNode | None, *under: str) -> None:
        if under:
            inner = _Walk(self.allowed, (*self.path, *under), self.around)
            inner.compare(before, after)
            self.found += inner.found
        elif before is None or after is None:
            if before is not after:
                self.add("SCHEMA_ADDED" if before is None else "SCHEMA_REMOVED")
        elif self.as_branch(before, after):
            pass
        elif before.kind != after.kind:
            if before.kind != "false" and after.kind != "empty":
                self.add("TYPE_CHANGED")
        elif before.number not in self.around:
            inner = _Walk(self.allowed, self.path, self.around | {before.number})
            inner.same_kind(before, after)
            self.found += inner.found

    def as_branch(self, before: JsonNode, after: JsonNode) -> bool:
        """Whether a plain schema is a branch of the combination which it becomes, or came of.

        What was valid for a plain schema is valid for a sum with a branch that reads it; what was
        valid for a product is valid for whatever reads one of its branches.
        """
        if before.kind != "combined" and after.kind == "combined":
            if len(after.parts) != 1 and after.criterion == "allOf":
                return False
            for part in after.parts:
                good, aside = self.tried(before, part)
                if good:
                    self.found += aside.found
                    if len(after.parts) > 1:
                        self.add("SUM_TYPE_EXTENDED")
                    return True
        elif before.kind == "combined" and after.kind != "combined":
            if len(before.parts) != 1 and before.criterion != "allOf":
                return False
            for part in before.parts:
                good, aside = self.tried(part, after)
                if good:
                    self.found += aside.found
                    if len(before.parts) > 1:
                        self.add("PRODUCT_TYPE_NARROWED")
                    return True
        return False

    def same_kind(self, before: JsonNode, after: JsonNode) -> None:
        for keyword, kind in ABOUT.items():
            if not same(before.about.get(keyword, ABSENT), after.about.get(keyword, ABSENT)):
                self.add(kind)
        for kind, under in value_changes(before, after):
            self.add(kind, *under)
        match before.kind:
            case "combined":
                self.combined(before, after)
            case "not":
                good, _ = self.tried(after.parts[0], before.parts[0], "not")
                self.add("NOT_TYPE_NARROWED" if good else "NOT_TYPE_EXTENDED", "not")
            case "object":
                self.required(before, after)
                self.properties(before, after)
                self.dependencies(before, after)
                self.rest(before, after, "additionalProperties", "ADDITIONAL_PROPERTIES")
                for keyword in ("maxProperties", "minProperties"):
                    for kind, _ in bounds(before, after, keyword):
                        self.add(kind, keyword)
            case "array":
                self.compare(before.items, after.items, "items")
                self.items(before, after)
                self.rest(before, after, "additionalItems", "ADDITIONAL_ITEMS")

    def combined(self, before: JsonNode, after: JsonNode) -> None:
        if before.criterion != after.criterion:
            alone = len(before.parts) == 1
            good = after.criterion == "anyOf" or (
                alone and (after.criterion == "oneOf" or len(after.parts) == 1)
            )
            self.add("COMBINED_TYPE_EXTENDED" if good else "COMBINED_TYPE_CHANGED")
            if not good:
                return
        old = list({one.text: one for one in before.parts}.values())
        new = list({one.text: one for one in after.parts}.values())
        name = "PRODUCT_TYPE" if after.criterion == "allOf" else "SUM_TYPE"
        if len(old) != len(new):
            self.add(f"{name}_{'EXTENDED' if len(old) < len(new) else 'NARROWED'}")
        edges: list[dict[int, list[Difference]]] = []
        for index, one in enumerate(old):
            edges.append({})
            for place, other in enumerate(new):
                good, aside = self.tried(one, other, f"{before.criterion}/{index}")
                if good:
                    edges[index][place] = aside.found
        matched = _matched([list(one) for one in edges])
        for place, index in sorted(matched.items()):
            self.found += edges[index][place]
        if len(matched) < min(len(old), len(new)):
            self.add("COMBINED_TYPE_SUBSCHEMAS_CHANGED")

    def required(self, before: JsonNode, after: JsonNode) -> None:
        old, new = before.keywords.get("required", ()), after.keywords.get("required", ())
        for name in before.properties:
            if name not in after.properties or (name in old) == (name in new):
                continue
            if name in old:
                self.add("REQUIRED_ATTRIBUTE_REMOVED", "required", name)
            elif after.properties[name].default is not ABSENT:
                self.add("REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED", "required", name)
            else:
                self.add("REQUIRED_ATTRIBUTE_ADDED", "required", name)

    def properties(self, before: JsonNode, after: JsonNode) -> None:
        for name in {**before.properties, **after.properties}:
            old, new = before.properties.get(name), after.properties.get(name)
            if old is not None and new is not None:
                self.compare(old, new, "properties", name)
            elif old is not None:
                self.removed(old, after, "PROPERTY", ("properties", name))
            elif new is not None:
                self.added(name, new, before, after)

    def added(self, name: str, new: JsonNode, before: JsonNode, after: JsonNode) -> None:
        """A property came: what may have been written under its name so far?"""
        path = ("properties", name)
        how = "OPTIONAL_PROPERTY_ADDED"
        if name in after.keywords.get("required", ()):
            filled = "" if new.default is ABSENT else "_WITH_DEFAULT"
            how = f"REQUIRED_PROPERTY{filled}_ADDED"
        if _is_open(before):
            if new.kind == "empty":
                self.add("PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL", *path)
            else:
                self.add(f"{how}_TO_OPEN_CONTENT_MODEL", *path)
            return
        covering = _covering(before, name)
        if covering is not None:
            self.covered(covering, new, "PROPERTY_ADDED", path)
        self.add(f"{how}_TO_UNOPEN_CONTENT_MODEL", *path)

    def removed(self, old: JsonNode, after: JsonNode, what: str, path: tuple[str, ...]) -> None:
        """A property or an item went: does the reader bear what it held?"""
        covering = _covering(after, path[-1])
        if _is_open(after):
            self.add(f"{what}_REMOVED_FROM_OPEN_CONTENT_MODEL", *path)
        elif covering is not None:
            self.covered(old, covering, f"{what}_REMOVED", path)
        elif old.kind == "false":
            self.add(f"{what}_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", *path)
        else:
            self.add(f"{what}_REMOVED_FROM_CLOSED_CONTENT_MODEL", *path)

    def covered(self, old: JsonNode, new: JsonNode, what: str, path: tuple[str, ...]) -> None:
        good, aside = self.tried(old, new, *path)
        self.found += aside.found
        how = "IS" if good else "NOT"
        self.add(f"{what}_{how}_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", *path)

    def dependencies(self, before: JsonNode, after: JsonNode) -> None:
        old, new = before.keywords.get("dependencies", {}), after.keywords.get("dependencies", {})
        for name in {**old, **new}:
            path = ("dependencies", name)
            was, will = (one.get(name) if isinstance(one.get(name), list) else None
                         for one in (old, new))  # fmt: skip
            if was is not None or will is not None:
                if was is None or will is None:
                    self.add(f"DEPENDENCY_ARRAY_{'ADDED' if was is None else 'REMOVED'}", *path)
                elif set(was) != set(will):
                    how = "CHANGED"
                    if set(was) <= set(will) or set(was) >= set(will):
                        how = "EXTENDED" if set(was) <= set(will) else "NARROWED"
                    self.add(f"DEPENDENCY_ARRAY_{how}", *path)
            first, second = before.dependencies.get(name), after.dependencies.get(name)
            if first is not None and second is not None:
                self.compare(first, second, *path)
            elif first is not second:
                how = "ADDED" if first is None else "REMOVED"
                self.add(f"DEPENDENCY_SCHEMA_{how}", *path)

    def rest(self, before: JsonNode, after: JsonNode, keyword: str, what: str) -> None:
        """What may stand beside the named properties or items."""
        if before.open != after.open:
            self.add(f"{what}_{'ADDED' if after.open else 'REMOVED'}", keyword)
        elif before.additional is None and after.additional is not None:
            self.add(f"{what}_NARROWED", keyword)
        elif before.additional is not None and after.additional is None:
            self.add(f"{what}_EXTENDED", keyword)
        else:
            self.compare(before.additional, after.additional, keyword)

    def items(self, before: JsonNode, after: JsonNode) -> None:
        """Places of a tuple; as with properties, but none of them has to be there."""
        shared = min(len(before.parts), len(after.parts))
        for index in range(shared):
            self.compare(before.parts[index], after.parts[index], f"items/{index}")
        for index, old in enumerate(before.parts[shared:], shared):
            self.removed(old, after, "ITEM", (f"items/{index}",))
        for index, new in enumerate(after.parts[shared:], shared):
            path = (f"items/{index}",)
            if _is_open(before):
                how = "_WITH_EMPTY_SCHEMA" if new.kind == "empty" else ""
                self.add(f"ITEM{how}_ADDED_TO_OPEN_CONTENT_MODEL", *path)
            elif before.additional is not None:
                self.covered(before.additional, new, "ITEM_ADDED", path)
            else:
                self.add("ITEM_ADDED_TO_CLOSED_CONTENT_MODEL", *path)


def _is_open(node: JsonNode) -> bool:
    return node.open and node.additional is None and not node.patterns


def _covering(node: JsonNode, name: str) -> JsonNode | None:
    """The schema of what is called `name` and has no schema of its own."""
    for pattern, schema in node.patterns.items():
        if re.search(pattern, name):
            return schema
    return node.additional


def _matched(edges: list[list[int]]) -> dict[int, int]:
    """A largest matching, of right places to left ones (augmenting paths)."""
    owner: dict[int, int] = {}

    def place(left: int, seen: set[int]) -> bool:
        for right in edges[left]:
            if right not in seen:
                seen.add(right)
                if right not in owner or place(owner[right], seen):
                    owner[right] = left
                    return True
        return False

    for left in range(len(edges)):
        place(left, set())
    return owner
