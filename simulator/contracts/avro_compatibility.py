"""A reader's schema is compatible with a writer's when it reads whatever may have been written.

The rules are those of the Avro specification's "Schema Resolution" as Java's SchemaCompatibility
has them, which is what Confluent's registry asks: named types match by the name without its
namespace, or by an alias of the *reader's*; defaults and aliases of the writer mean nothing;
logical types are not looked at; a pair that is being compared already is taken for compatible.

Two of its answers are known to be odd, and kept. A reader's field that matches several of the
writer's is an exception in Java and incompatible here. One writer's field that feeds two of the
reader's is accepted, though no reader can do it: `colliding_aliases` finds such schemas, and the
registry refuses them.
"""

from typing import Final, NamedTuple

import attrs

from simulator.contracts.avro_types import ABSENT, PROMOTIONS, AvroField, AvroSchema

NAME_MISMATCH: Final = "NAME_MISMATCH"
TYPE_MISMATCH: Final = "TYPE_MISMATCH"
FIXED_SIZE_MISMATCH: Final = "FIXED_SIZE_MISMATCH"
MISSING_ENUM_SYMBOLS: Final = "MISSING_ENUM_SYMBOLS"
MISSING_UNION_BRANCH: Final = "MISSING_UNION_BRANCH"
READER_FIELD_MISSING_DEFAULT_VALUE: Final = "READER_FIELD_MISSING_DEFAULT_VALUE"
AMBIGUOUS_FIELD: Final = "AMBIGUOUS_FIELD"  # Ours: Java throws.


class Incompatibility(NamedTuple):
    """One thing that stands in a reader's way: its kind, where in the reader's schema, and why."""

    kind: str
    path: str
    text: str


def avro_incompatibilities(writer: AvroSchema, reader: AvroSchema) -> tuple[Incompatibility, ...]:
    """Everything that keeps `reader` from reading what `writer` may write; empty: compatible."""
    return Checker().compare(writer, reader, "")


def names_match(writer: AvroSchema, reader: AvroSchema) -> bool:
    """Whether the named type of the reader is the writer's, by its short name or by an alias."""
    return reader.short_name == writer.short_name or writer.name in reader.aliases


def sources(writer: AvroSchema, wanted: AvroField) -> list[AvroField]:
    """The writer's fields which the reader's field `wanted` may stand for, by name or alias."""
    return [writer.fields[name] for name in (wanted.name, *wanted.aliases) if name in writer.fields]


def colliding_aliases(schema: AvroSchema) -> list[str]:
    """Aliases of fields that are the name, or the alias, of another field of their record too."""
    found: list[str] = []
    for record in types_of(schema):
        claimed: dict[str, str] = {name: name for name in record.fields}
        for one in record.fields.values():
            taken = [each for each in one.aliases if claimed.setdefault(each, one.name) != one.name]
            found += [f"the alias {each} of {record.name}.{one.name} is taken" for each in taken]
    return found


def types_of(schema: AvroSchema) -> list[AvroSchema]:
    """Every type of the schema once, each before those inside it."""
    found: dict[int, AvroSchema] = {}
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if one.number in found:
            continue
        found[one.number] = one
        inside = [*one.branches, *(each.schema for each in one.fields.values())]
        waiting.extend(reversed(inside if one.inner is None else [*inside, one.inner]))
    return list(found.values())


@attrs.define
class Checker:
    """Compares pairs of types, each once; None stands for a pair that is being compared."""

    known: dict[tuple[int, int], tuple[Incompatibility, ...] | None] = attrs.field(factory=dict)

    def compare(
        self, writer: AvroSchema, reader: AvroSchema, path: str
    ) -> tuple[Incompatibility, ...]:
        """What stands in the way of `reader`, which stands at `path`."""
        pair = (writer.number, reader.number)
        if pair not in self.known:
            self.known[pair] = None
            self.known[pair] = tuple(self._compared(writer, reader, path))
        return self.known[pair] or ()

    def _compared(self, writer: AvroSchema, reader: AvroSchema, path: str) -> list[Incompatibility]:
        if writer.kind == "union":
            return self._from_union(writer, reader, path)
        if reader.kind == "union":
            if any(not self.compare(writer, branch, path) for branch in reader.branches):
                return []
            return [_lacking(writer, path)]
        if writer.kind != reader.kind:
            if writer.kind in PROMOTIONS.get(reader.kind, ()):
                return []
            text = f"the reader's {reader.label} does not read the writer's {writer.label}"
            return [Incompatibility(TYPE_MISMATCH, path or "/", text)]
        if reader.kind in ("array", "map"):
            inside = "items" if reader.kind == "array" else "values"
            return list(self.compare(writer.parts, reader.parts, f"{path}/{inside}"))
        found = []
        if reader.name and not names_match(writer, reader):
            text = f"the reader's {reader.name} is not the writer's {writer.name}, nor an alias"
            found.append(Incompatibility(NAME_MISMATCH, f"{path}/name", text))
        if reader.kind == "fixed" and writer.size != reader.size:
            text = f"the reader expects {reader.size} bytes, the writer wrote {writer.size}"
            found.append(Incompatibility(FIXED_SIZE_MISMATCH, f"{path}/size", text))
        if reader.kind == "enum" and reader.default is ABSENT:
            missing = [one for one in writer.symbols if one not in reader.symbols]
            if missing:
                text = f"the reader knows neither {', '.join(missing)} nor a default symbol"
                found.append(Incompatibility(MISSING_ENUM_SYMBOLS, f"{path}/symbols", text))
        return found + self._fields(writer, reader, path)

    def _from_union(
        self, writer: AvroSchema, reader: AvroSchema, path: str
    ) -> list[Incompatibility]:
        """Each branch of the writer's must be readable."""
        found: list[Incompatibility] = []
        for branch in writer.branches:
            wrong = self.compare(branch, reader, path)
            if wrong and reader.kind == "union":
                found.append(_lacking(branch, path))
            else:
                found.extend(wrong)
        return found

    def _fields(self, writer: AvroSchema, reader: AvroSchema, path: str) -> list[Incompatibility]:
        found: list[Incompatibility] = []
        for wanted in reader.fields.values():
            here = f"{path}/fields/{wanted.position}"
            matching = sources(writer, wanted)
            if len(matching) > 1:
                names = ", ".join(one.name for one in matching)
                text = f"the reader's field {wanted.name} matches several of the writer's: {names}"
                found.append(Incompatibility(AMBIGUOUS_FIELD, here, text))
            elif matching:
                found.extend(self.compare(matching[0].schema, wanted.schema, f"{here}/type"))
            elif wanted.default is ABSENT:
                text = f"the writer has no field {wanted.name}, and the reader no default for it"
                found.append(Incompatibility(READER_FIELD_MISSING_DEFAULT_VALUE, here, text))
        return found


def _lacking(writer: AvroSchema, path: str) -> Incompatibility:
    text = f"no branch of the reader's union reads the writer's {writer.label}"
    return Incompatibility(MISSING_UNION_BRANCH, path or "/", text)


def branch_for(writer: AvroSchema, union: AvroSchema, checker: Checker) -> AvroSchema | None:
    """The branch of the reader's `union` by which a value of `writer` (no union) is read, or None.

    The full name goes before the short one, the same kind before a promotion, and a branch that
    reads whatever was written before one that may fail.
    """
    candidates = [
        branch
        for branch in union.branches
        if branch.kind == writer.kind and (not branch.name or names_match(writer, branch))
    ]
    candidates.sort(key=lambda branch: branch.name != writer.name)
    candidates += [
        branch for branch in union.branches if writer.kind in PROMOTIONS.get(branch.kind, ())
    ]
    for branch in candidates:
        if not checker.compare(writer, branch, ""):
            return branch
    return candidates[0] if candidates else None
