"""What brokers say to each other: who leads a partition, and requests to whoever that is.

1. A broker asks whom it knows to lead, by its own image of the cluster: it may be behind.
2. What a broker asks itself does not go over the network: it takes no time and is never lost. It
   is handled as any request is, one at a time for each purpose.

Source: InterBrokerSendThread.java, MetadataCache.scala (getPartitionLeaderEndpoint).

Not modelled: requests to several transactions' or partitions' ends that are sent as one.
"""

from typing import TYPE_CHECKING, Any

from simulator.cluster.connections import Answered, Connections
from simulator.cluster.internal_topics import INTERNAL
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition

if TYPE_CHECKING:
    from simulator.cluster.broker import Broker
    from simulator.world.node import Node

NOBODY = ""


class _Itself:
    """A broker's connection to itself: both of its lanes in one."""

    __slots__ = ("_answered", "_number", "back", "client", "state")

    def __init__(self, node: "Node") -> None:
        self.client = node
        self.state: Any = None
        self.back = self
        self._number = 0
        self._answered: dict[int, Answered] = {}

    def ask(self, broker: "Broker", body: Any, answered: Answered) -> None:
        number = self._number
        self._number = number + 1
        self._answered[number] = answered
        connection: Any = self
        self.client.after(0, lambda _: broker.receive(connection, number, body))

    def send(self, number: int, body: Any) -> None:
        """The answer."""
        self.client.after(0, self._answered.pop(number), body)


class Peers:
    """One incarnation of a broker, as it speaks to the others and to itself."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._name = broker.node.name
        self._connections = Connections(broker.node)
        self._itself: dict[str, _Itself] = {}

    def leader(self, where: TopicPartition) -> str | None:
        """Who leads a partition; NOBODY if nobody does now, None if there is no such partition."""
        replicas = self._broker.replicas
        if replicas is not None:
            image = replicas.image
            return image.partition(where).leader if where in image.partitions else None
        layout = self._broker.layout
        if where.topic in INTERNAL:
            return layout.coordinator_at(where)
        known = layout.not_here(where) is Error.NOT_LEADER_OR_FOLLOWER
        return layout.leader(where) if known else None

    def request(self, target: str, body: Any, answered: Answered, purpose: str) -> None:
        """Ask a broker; `answered` is told None when there will be no answer."""
        if target != self._name:
            self._connections.request(target, body, answered, purpose)
            return
        itself = self._itself.get(purpose)
        if itself is None:
            itself = self._itself[purpose] = _Itself(self._broker.node)
        itself.ask(self._broker, body, answered)
