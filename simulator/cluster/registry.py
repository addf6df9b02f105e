"""A schema registry on a node of its own, and the client by which others ask it.

The registry is a pure machine (`simulator.contracts.registry`); what changed it lies in a journal,
flushed before the answer leaves, and a restart replays it. An id means one schema for ever, so a
client asks for each id once in its life: a registry that is down is noticed by who meets an id for
the first time, and by nobody else.

Every method of the client gives an event to wait for. Without an answer it fails with
RequestTimedOut, which is retriable: what a reader waits for may come back.

Not modelled: several registries with a leader among them, their topic `_schemas`, the expiry of
cached subjects (latest.cache.ttl.sec is -1: never), authentication.
"""

from typing import TYPE_CHECKING, Any

from simulator.contracts.contracts import STRICT, Schema
from simulator.contracts.levels import DEFAULT_LEVEL, Level, level_named
from simulator.contracts.registry import Latest, NotFound, Refused, Registered, Registry
from simulator.contracts.requests import (
    CheckSchemaRequest,
    DeleteVersionRequest,
    FindSchemaRequest,
    LatestSchemaRequest,
    RegisterSchemaRequest,
    RegistryRequest,
    RegistryResponse,
    SchemaRequest,
    SetLevelRequest,
    respond,
)
from simulator.errors import BadInput, CodecError, RequestTimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.cluster.cluster import Cluster
    from simulator.cluster.context import Context
    from simulator.world.kernel import Event
    from simulator.world.network import Connection
    from simulator.world.node import Node

REGISTRY_TIMEOUT_MS = 60_000  # Confluent's client: http.read.timeout.ms.


def schema_registry(
    cluster: "Cluster", name: str, level: Level | str = DEFAULT_LEVEL, *, policy: str = STRICT
) -> str:
    """A registry on a node of its own; the answer is its name.

    Args:
        level: of every subject that has none of its own.
        policy: STRICT or LENIENT, for JSON Schema.

    Raises:
        BadInput: there is no such level.
    """
    level_named(level)

    def boot(node: "Node") -> None:
        journal = node.disk.journal("schemas")
        registry = Registry(level, policy=policy)
        for fact in journal.facts:
            respond(registry, fact)

        def serve(connection: "Connection", correlation: int, request: RegistryRequest) -> None:
            answer, changed = respond(registry, request)
            if changed:
                journal.append(request)
                journal.flush()
            if told := _told(request, answer):
                node.record(("noted", *told))
            if changed and not node.point("after_append"):
                return
            connection.back.send(correlation, RegistryResponse(answer))

        node.on_request = serve

    cluster.node(name, boot)
    return name


def _told(request: RegistryRequest, answer: Any) -> tuple[str, str] | None:
    """What a trace says of it."""
    match request, answer:
        case RegisterSchemaRequest(subject), Registered(schema_id, version, True):
            return "schema registered", f"{subject} version {version} is schema {schema_id}"
        case RegisterSchemaRequest(), Refused():
            return "schema refused", str(answer)
        case SetLevelRequest(level, subject), _:
            return "level set", f"{level} for {subject or 'all'}"
    return None


class SchemaClient:
    """What a node knows of a registry, and how it asks for more.

    Args:
        context: of the handler, or driver, that asks; the client's memory dies with it.
        name: the registry's node.
        cached: whether answers that never change are remembered.
        timeout_ms: how long an answer is waited for.

    Raises:
        BadInput: there is no such node.
    """

    def __init__(
        self,
        context: "Context",
        name: str,
        *,
        cached: bool = True,
        timeout_ms: int = REGISTRY_TIMEOUT_MS,
    ) -> None:
        nodes = context.cluster.world.nodes
        if name not in nodes:
            known = ", ".join(nodes)
            raise BadInput("there is no registry called", context.node.name, name, known)
        self.context = context
        self.name = name
        self.asked = 0  # Requests that were sent.
        self._cached = cached
        self._timeout_ms = timeout_ms
        self._schemas: dict[int, Schema] = {}
        self._ids: dict[tuple[str, str], Registered] = {}
        self._latest: dict[str, Latest] = {}

    def schema(self, schema_id: int) -> "Event":
        """The schema with this id.

        Raises:
            CodecError: there is none: the value is of another registry, or of nobody's.
            RequestTimedOut: no answer.
        """
        if schema_id in self._schemas:
            return self._known(self._schemas[schema_id])

        def take(answer: Schema | NotFound) -> Schema:
            if isinstance(answer, NotFound):
                raise CodecError(f"{self.name} knows no {answer.what}")
            if self._cached:
                self._schemas[schema_id] = answer
            return answer

        return self._ask(SchemaRequest(schema_id), take)

    def register(self, subject: str, schema: Schema) -> "Event":
        """Registered or Refused, after the schema was offered to the subject."""
        return self._placed(RegisterSchemaRequest(subject, schema))

    def find(self, subject: str, schema: Schema) -> "Event":
        """Registered or NotFound: where the schema stands in the subject."""
        return self._placed(FindSchemaRequest(subject, schema))

    def latest(self, subject: str) -> "Event":
        """Latest or NotFound: the subject's last version, as it was when it was asked for first."""
        if subject in self._latest:
            return self._known(self._latest[subject])

        def take(answer: Latest | NotFound) -> Latest | NotFound:
            if isinstance(answer, Latest) and self._cached:
                self._latest[subject] = answer
            return answer

        return self._ask(LatestSchemaRequest(subject), take)

    def check(self, subject: str, schema: Schema) -> "Event":
        """Refused or None: whether the schema would be refused."""
        return self._ask(CheckSchemaRequest(subject, schema))

    def set_level(self, level: Level | str, subject: str | None = None) -> "Event":
        """Set the level of a subject, or of all that have none."""
        return self._ask(SetLevelRequest(level_named(level), subject))

    def delete(self, subject: str, version: int, *, permanent: bool = False) -> "Event":
        """The version's number, NotFound or NotDeletable."""
        return self._ask(DeleteVersionRequest(subject, version, permanent))

    def _placed(self, request: RegisterSchemaRequest | FindSchemaRequest) -> "Event":
        key = (request.subject, request.schema.identity)
        if key in self._ids:
            return self._known(self._ids[key])

        def take(answer: Any) -> Any:
            if isinstance(answer, Registered) and self._cached:
                self._ids[key] = answer
                self._schemas[answer.schema_id] = request.schema
            return answer

        return self._ask(request, take)

    def _known(self, answer: Any) -> "Event":
        return self.context.node.event().succeed(answer)

    def _ask(
        self, request: RegistryRequest, take: "Callable[[Any], Any] | None" = None
    ) -> "Event":
        context = self.context
        if context.plain:
            fix = "make the handler a generator function or an async def"
            raise BadInput("a plain function cannot wait for", context.node.name, self.name, fix)
        event = context.node.event()

        def answered(response: RegistryResponse | None) -> None:
            if response is None:
                asked = type(request).__name__
                event.fail(RequestTimedOut(f"{self.name} gave no answer to {asked}"))
                return
            try:
                event.succeed(response.answer if take is None else take(response.answer))
            except CodecError as refused:
                event.fail(refused)

        self.asked += 1
        context.connections.request(
            self.name, request, answered, purpose="registry", timeout_ms=self._timeout_ms
        )
        return event
