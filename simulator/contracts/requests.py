"""What a registry is asked over a network, and what it answers: one request for each method.

A request that changed something is a fact: a registry that is given the same facts in the same
order is the same registry, ids and versions too. That is how one recovers.
"""

from typing import Any, NamedTuple

from simulator.contracts.contracts import Schema
from simulator.contracts.levels import Level
from simulator.contracts.registry import Registered, Registry


class RegisterSchemaRequest(NamedTuple):
    """Make it the subject's newest version: Registered or Refused."""

    subject: str
    schema: Schema


class CheckSchemaRequest(NamedTuple):
    """Whether it would be refused: Refused or None."""

    subject: str
    schema: Schema


class FindSchemaRequest(NamedTuple):
    """Under which id it stands in the subject: Registered or NotFound."""

    subject: str
    schema: Schema


class SchemaRequest(NamedTuple):
    """The schema with an id: Schema or NotFound."""

    schema_id: int


class LatestSchemaRequest(NamedTuple):
    """The subject's last version: Latest or NotFound."""

    subject: str


class SetLevelRequest(NamedTuple):
    """Set the level of a subject; None: of all that have none of their own. Answered by it."""

    level: Level
    subject: str | None = None


class DeleteVersionRequest(NamedTuple):
    """Delete a version: its number, NotFound or NotDeletable."""

    subject: str
    version: int
    permanent: bool = False


class RegistryResponse(NamedTuple):
    """What came of a request."""

    answer: Any


RegistryRequest = (
    RegisterSchemaRequest
    | CheckSchemaRequest
    | FindSchemaRequest
    | SchemaRequest
    | LatestSchemaRequest
    | SetLevelRequest
    | DeleteVersionRequest
)


def respond(registry: Registry, request: RegistryRequest) -> tuple[Any, bool]:
    """The answer, and whether the registry has changed by it."""
    match request:
        case RegisterSchemaRequest(subject, schema):
            answer = registry.register(subject, schema)
            return answer, isinstance(answer, Registered) and answer.new
        case CheckSchemaRequest(subject, schema):
            return registry.check(subject, schema), False
        case FindSchemaRequest(subject, schema):
            return registry.find(subject, schema), False
        case SchemaRequest(schema_id):
            return registry.schema(schema_id), False
        case LatestSchemaRequest(subject):
            return registry.latest(subject), False
        case SetLevelRequest(level, subject):
            registry.set_level(level, subject)
            return registry.level_of(subject or ""), True
        case DeleteVersionRequest(subject, version, permanent):
            deleted = registry.delete(subject, version, permanent=permanent)
            return deleted, isinstance(deleted, int)
