"""A schema registry: subjects have versions, schemas have ids, and a level guards what is next.

Rule 1: one id for one schema, in whatever subjects it stands; an id never means another schema.
Rule 2: registering what stands already in a subject answers with its version, and changes nothing.
Rule 3: a new version is compared with the last that stands, or at a transitive level with all.
Rule 4: the first version of a subject is always taken.
Rule 5: a version deleted softly no longer counts for anybody but its readers: its id is still
answered, it can be registered again as a new version, and its number is not used again. Deleted for
good, it is gone; its id too, when nobody else has it. Only what is deleted softly can be.

Not modelled: references between schemas, metadata and rules, modes (READONLY, IMPORT), aliases of
subjects, contexts, normalisation by switch: a schema is compared by its canonical text.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import attrs

from simulator.contracts.avro_types import ABSENT, Absent
from simulator.contracts.contracts import AVRO, STRICT, Reason, Schema, counterexample, reasons
from simulator.contracts.contracts import faults as faults_of
from simulator.contracts.levels import DEFAULT_LEVEL, Level, level_named
from simulator.errors import BadInput


class Registered(NamedTuple):
    """The schema stands; `new` says whether this call put it there."""

    schema_id: int
    version: int
    new: bool


class Breach(NamedTuple):
    """A version with which the new schema does not get along, in one direction.

    direction: BACKWARD when the new schema cannot read what `version` wrote, FORWARD when `version`
        cannot read what the new one writes.
    datum: breaks that reader, or ABSENT when none was found.
    """

    direction: str
    version: int
    reasons: tuple[Reason, ...]
    datum: Any | Absent

    def __str__(self) -> str:
        who = "the new schema does not read what version {0} wrote"
        if self.direction == "FORWARD":
            who = "version {0} does not read what the new schema writes"
        why = "; ".join(f"{one.kind} at {one.path}: {one.text}" for one in self.reasons)
        shown = "no datum was found" if self.datum is ABSENT else f"for example {self.datum!r}"
        return f"{who.format(self.version)}: {why} ({shown})"


class Refused(NamedTuple):
    """The schema was not taken. `faults` are its own; `breaches` are with other versions."""

    subject: str
    level: Level
    breaches: tuple[Breach, ...] = ()
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        why = [*self.faults, *map(str, self.breaches)]
        return f"{self.subject} at {self.level}: " + "; ".join(why)


class Latest(NamedTuple):
    """The last version of a subject that stands."""

    schema_id: int
    version: int
    schema: Schema


class NotFound(NamedTuple):
    """There is no such subject, version or id, or it is deleted."""

    what: str


class NotDeletable(NamedTuple):
    """It must be deleted softly before it can be deleted for good."""

    what: str


@attrs.define
class _Version:
    number: int
    schema: Schema
    schema_id: int
    deleted: bool = False


@attrs.define
class _Subject:
    versions: list[_Version] = attrs.field(factory=list)
    level: Level | None = None

    def standing(self) -> list[_Version]:
        return [one for one in self.versions if not one.deleted]


class Registry:
    """The machine; every method is one request."""

    def __init__(self, level: Level | str = DEFAULT_LEVEL, *, policy: str = STRICT) -> None:
        """An empty registry.

        Args:
            level: of every subject that has none of its own.
            policy: STRICT or LENIENT, for JSON Schema.
        """
        self._level = level_named(level)
        self._policy = policy
        self._subjects: dict[str, _Subject] = {}
        self._ids: dict[str, int] = {}  # By the schema's identity.
        self._last_id = 0

    def level_of(self, subject: str) -> Level:
        """The subject's own level, or else the registry's."""
        found = self._subjects.get(subject)
        return self._level if found is None or found.level is None else found.level

    def set_level(self, level: Level | str, subject: str | None = None) -> None:
        """Set the level of a subject, or of all that have none; what stands is not looked at."""
        if subject is None:
            self._level = level_named(level)
        else:
            self._subjects.setdefault(subject, _Subject()).level = level_named(level)

    def check(self, subject: str, schema: Schema) -> Refused | None:
        """Whether the schema would be refused, and why; nothing changes."""
        level = self.level_of(subject)
        if faults := faults_of(schema):
            return Refused(subject, level, faults=faults)
        standing = self._subjects.get(subject, _Subject()).standing()
        breaches = tuple(
            breach
            for old in level.looked_at(standing)
            for breach in self._breaches(level, schema, old)
        )
        return Refused(subject, level, breaches) if breaches else None

    def _breaches(self, level: Level, schema: Schema, old: _Version) -> Iterator[Breach]:
        ways = []
        if level.backward:
            ways.append(("BACKWARD", old.schema, schema))
        if level.forward:
            ways.append(("FORWARD", schema, old.schema))
        for direction, writer, reader in ways:
            if wrong := reasons(writer, reader, self._policy):
                yield Breach(direction, old.number, wrong, counterexample(writer, reader))

    def register(self, subject: str, schema: Schema) -> Registered | Refused:
        """Make the schema the subject's newest version, unless it stands there or is refused."""
        if isinstance(stands := self.find(subject, schema), Registered):
            return stands
        refused = self.check(subject, schema)
        if refused is not None:
            return refused
        schema_id = self._ids.get(schema.identity)
        if schema_id is None:
            self._last_id += 1
            schema_id = self._ids[schema.identity] = self._last_id
        versions = self._subjects.setdefault(subject, _Subject()).versions
        number = max((one.number for one in versions), default=0) + 1
        versions.append(_Version(number, schema, schema_id))
        return Registered(schema_id, number, new=True)

    def find(self, subject: str, schema: Schema) -> Registered | NotFound:
        """Where the schema stands in the subject; nothing changes."""
        for one in self._subjects.get(subject, _Subject()).standing():
            if one.schema == schema:
                return Registered(one.schema_id, one.number, new=False)
        return NotFound(f"{subject} with this schema")

    def latest(self, subject: str) -> Latest | NotFound:
        """The subject's last version that stands, with its id."""
        standing = self._subjects.get(subject, _Subject()).standing()
        if not standing:
            return NotFound(f"{subject} version latest")
        last = standing[-1]
        return Latest(last.schema_id, last.number, last.schema)

    def schema(self, schema_id: int) -> Schema | NotFound:
        """The schema with this id: what a reader asks for, also when its version is deleted."""
        for subject in self._subjects.values():
            for one in subject.versions:
                if one.schema_id == schema_id:
                    return one.schema
        return NotFound(f"schema {schema_id}")

    def version(self, subject: str, number: int | None = None) -> Schema | NotFound:
        """A version of the subject that stands; None is the last."""
        standing = self._subjects.get(subject, _Subject()).standing()
        for one in reversed(standing):
            if number in (None, one.number):
                return one.schema
        return NotFound(f"{subject} version {'latest' if number is None else number}")

    def versions(self, subject: str, *, deleted: bool = False) -> list[int]:
        """The numbers of the versions that stand, oldest first; or with those deleted softly."""
        found = self._subjects.get(subject, _Subject()).versions
        return [one.number for one in found if deleted or not one.deleted]

    def subjects(self) -> list[str]:
        """The subjects that have a version, in alphabetical order."""
        return sorted(name for name in self._subjects if self.versions(name))

    def delete(
        self, subject: str, number: int, *, permanent: bool = False
    ) -> int | NotFound | NotDeletable:
        """Delete a version, softly or for good; its number is the answer."""
        if number < 1:
            raise BadInput("versions are counted from 1:", "version", number)
        versions = self._subjects.get(subject, _Subject()).versions
        for one in versions:
            if one.number == number and (permanent or not one.deleted):
                if permanent and not one.deleted:
                    return NotDeletable(f"{subject} version {number} is not deleted softly")
                one.deleted = True
                if permanent:
                    versions.remove(one)
                    self._forget(one)
                return number
        return NotFound(f"{subject} version {number}")

    def _forget(self, gone: _Version) -> None:
        """An id goes with the last version that has it, and is not given again."""
        if isinstance(self.schema(gone.schema_id), NotFound):
            del self._ids[gone.schema.identity]


def avro(document: Any) -> Schema:
    """A schema of Avro; see `Schema`."""
    return Schema(document, AVRO)
