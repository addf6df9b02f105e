"""What the experiments on contracts have in common: versions that a level takes, and their readers.

A shop writes some orders under each version that the registry took, one version after the other.
A group that was deployed with the newest of them reads the topic from its beginning.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from models.patterns.contracts.evolution_running import UNREADABLE
from models.patterns.contracts.upgrade import LEDGER, REGISTRY, TOPIC
from simulator import (
    STRICT,
    Add,
    Cluster,
    CodecError,
    Context,
    Deserializer,
    Registered,
    Registry,
    Schema,
    SchemaClient,
    Serializer,
    Serving,
    schema_registry,
)

EVERY_US = 40_000
Use = Callable[[Any], Any]  # What the program does with a datum; KeyError: a field is not there.


@attrs.frozen
class Written:
    """One version of a contract, and the data that are written while it is the newest."""

    schema: Schema
    data: tuple[Any, ...]


def accepted(level: str, versions: Sequence[Written], policy: str = STRICT) -> list[Written]:
    """Those versions which a registry takes in turn; what it refuses is not deployed."""
    registry = Registry(level, policy=policy)
    return [
        one for one in versions
        if isinstance(registry.register(TOPIC, one.schema), Registered)
    ]  # fmt: skip


def deploy(
    cluster: Cluster,
    versions: Sequence[Written],
    *,
    use: Use,
    resolves: bool = True,
    cached: bool = True,
    settings: dict[str, Any] | None = None,
    session: dict[str, Any] | None = None,
) -> None:
    """The shop, the registry, and a group of two that reads everything.

    Args:
        use: what the program needs of a datum.
        resolves: whether it has a schema of its own; else it goes by the writer's alone.
        cached: whether the readers' client remembers what the registry said.
        settings: the shop's serializer's.
        session: the readers' consumers'.
    """
    cluster.store(LEDGER)
    schema_registry(cluster, REGISTRY, "none")  # What may be was decided before.
    newest = versions[-1].schema

    def shop(node: Any) -> Any:
        context = Context(cluster, node, {})
        serializer = Serializer(SchemaClient(context, REGISTRY), settings, plain=True)
        number = 0
        for version in versions:
            for datum in version.data:
                value = yield serializer.serialize(TOPIC, datum, version.schema)
                context.send(TOPIC, value, f"o-{number % 7}", event_id=f"o-{number}")
                number += 1
                yield context.sleep(EVERY_US)

    def billing(context: Context) -> Callable[..., Any]:
        client = SchemaClient(context, REGISTRY, cached=cached, timeout_ms=500)
        deserializer = Deserializer(client, newest if resolves else None, plain=True)
        ledger = context.store(LEDGER)

        def handle(record: Any) -> Any:
            try:
                use((yield deserializer.deserialize(record.value)))
            except (CodecError, KeyError) as wrong:
                context.note(UNREADABLE, f"{record.event_id}: {wrong}")
                return
            yield ledger.transact(Add("orders", record.event_id, 1))

        return handle

    cluster.driver("shop", shop)
    reading = {"auto.offset.reset": "earliest", **(session or {})}
    serving = Serving(topics=(TOPIC,), settings=reading)
    cluster.group("billing", 2, billing, serving)


@attrs.define
class Reading:
    """Counts of one run.

    Attributes:
        read: records that took effect.
        unreadable: those that a reader could not make sense of.
        waited_us: for each that took effect, how long after it was stored.
        asked: requests to the registry.
    """

    read: int = 0
    unreadable: int = 0
    waited_us: list[int] = attrs.field(factory=list)
    asked: int = 0
    _stored_us: dict[str, int] = attrs.field(factory=dict)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            ("effect_applied", self._on_applied),
            ("noted", self._on_noted),
            ("record_acknowledged", self._on_acknowledged),
            ("message_sent", self._on_sent),
        )

    def _on_applied(self, entry: Any) -> None:
        self.read += 1
        if entry[4][4] in self._stored_us:
            self.waited_us.append(entry[1] - self._stored_us[entry[4][4]])

    def _on_noted(self, entry: Any) -> None:
        self.unreadable += entry[4][1] == UNREADABLE

    def _on_acknowledged(self, entry: Any) -> None:
        self._stored_us.setdefault(entry[4][1], entry[1])

    def _on_sent(self, entry: Any) -> None:
        self.asked += entry[4][3] == REGISTRY

    @property
    def seen(self) -> int:
        """All that were read, or could not be."""
        return self.read + self.unreadable


def unreadable(run: Reading) -> tuple[int, int]:
    """(records that a reader could not make sense of, records that it was given)."""
    return run.unreadable, run.seen
