"""What a handler is given: its node, its stores, its producer, and the record at hand."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.calls import CALL_TIMEOUT_MS, call
from simulator.cluster.connections import Connections
from simulator.cluster.store import StoreClient
from simulator.world.node import power_cut

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.consumer import ConsumerRecord
    from simulator.cluster.producer import Producer
    from simulator.world.kernel import Event
    from simulator.world.node import Node


class Context:
    """One incarnation's surroundings; a factory of handlers gets it once an incarnation.

    Attributes:
        node: the node that the handler runs on.
        record: the record being handled, or None between records.
        attempt: which try of this incarnation it is, from 1.
    """

    def __init__(
        self, cluster: "Cluster", node: "Node", producer_settings: Mapping[str, Any]
    ) -> None:
        self.cluster = cluster
        self.node = node
        self.record: ConsumerRecord | None = None
        self.attempt = 0
        self.plain = False  # Whether the handler is a plain function, which cannot wait.
        self.calls = 0  # How many calls to stores and producers this record has made.
        self.connections = Connections(node)
        self._producer: Producer | None = None
        self._producer_settings = producer_settings
        self._stores: dict[str, StoreClient] = {}

    @property
    def event_id(self) -> str:
        """On whose behalf effects are: the id of the record being handled."""
        return self.record.event_id if self.record is not None else ""

    def store(self, name: str) -> StoreClient:
        """The client of a store node.

        Raises:
            BadInput: there is no such store.
        """
        found = self._stores.get(name)
        if found is None:
            self.cluster.store_node(name)
            found = self._stores[name] = StoreClient(self, name)
        return found

    def send(
        self,
        topic: str,
        value: Any,
        key: Any = None,
        *,
        event_id: str | None = None,
        headers: tuple[tuple[str, Any], ...] = (),
    ) -> "Event":
        """Produce a record; the event gives its partition and offset.

        A plain function cannot wait for it; it may crash just before the call (`produce-0`, ...).
        """
        if self.plain:
            self.calls += 1
            if not self.node.gate.open or not self.node.point(f"produce-{self.calls - 1}"):
                power_cut(self.node)
        if self._producer is None:
            self._producer = self.cluster.producer(self.node, self._producer_settings)
        return self._producer.send(topic, value, key, event_id=event_id, headers=headers)

    def call(
        self, server: str, question: Any, *, timeout_ms: int = CALL_TIMEOUT_MS
    ) -> "Event":
        """Ask a server node and wait: the event gives its answer, or fails as RequestTimedOut."""
        return call(self, server, question, timeout_ms)

    def sleep(self, delay_us: int) -> "Event":
        """An event that happens after a while, by the node's clock."""
        return self.node.sleep(delay_us)

    def note(self, name: str, detail: str = "") -> None:
        """Write a word of the model's own into the trace."""
        self.node.record(("noted", name, detail))
