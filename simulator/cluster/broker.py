"""A broker: it takes requests in, lets machines decide on each, and answers.

1. One request of a connection at a time, in order: while one is answered late (a fetch that
   waits, a join, a batch that others must have first), those behind it wait (SocketServer.scala
   mutes the channel). What arrived of a connection that was closed since is still handled.
2. Without a controller (every partition has one replica) a broker serves what it leads from its
   first moment. With one it serves once the controller has let it in (see `lifecycle`).

Not modelled here: request queues and service time (a request takes no time of its own), quotas,
fetch sessions, and closing the connection over an error of a request with acks=0.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.coordinator import Coordinators
from simulator.cluster.coordinator_log import LocalLogs
from simulator.cluster.housekeeping import Housekeeping
from simulator.cluster.internal_topics import OFFSETS, TRANSACTIONS
from simulator.cluster.later import LATER
from simulator.cluster.partitions import Partitions
from simulator.cluster.peers import Peers
from simulator.cluster.replicas import Replicas
from simulator.cluster.replicated_log import ReplicatedLogs
from simulator.cluster.share_groups import ShareGroups
from simulator.cluster.transactions import Transactions
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.partition import Partition

if TYPE_CHECKING:
    from simulator.cluster.asker import Asker
    from simulator.cluster.layout import Layout
    from simulator.world.network import Connection
    from simulator.world.node import Node


class _Session:
    """The broker's side of a connection."""

    __slots__ = ("busy", "queue")

    def __init__(self) -> None:
        self.busy = False
        self.queue: deque[tuple[int, Any]] = deque()


class Broker:
    """One incarnation of a broker on its node."""

    def __init__(self, node: "Node", layout: "Layout") -> None:
        self.node = node
        self.layout = layout
        self.logs = ReplicatedLogs(self) if layout.controlled else LocalLogs(self)
        self.peers = Peers(self)
        self.replicas: Replicas | None = None
        self.coordinators = Coordinators(self)
        self.handlers: dict[type, Callable[[Asker, int, Any], Any]] = {
            m.FindCoordinatorRequest: self._find_coordinator,
            m.InitProducerIdRequest: self._init_producer_id,
            **self.coordinators.handlers,
        }
        served = Replicas(self) if layout.controlled else Partitions(self)
        self.replicas = served if isinstance(served, Replicas) else None
        self._served = served
        self.partitions: Mapping[TopicPartition, Partition] = served.logs
        self.housekeeping = Housekeeping(
            node,
            layout.settings,
            served.logs,
            layout.settings_of,
            refusal=served.refusal,
            apply=served.apply,
            changed=served.changed,
        )
        self.handlers.update(served.handlers)
        self.handlers.update(self.housekeeping.handlers)
        served.markers.elsewhere[OFFSETS] = self.coordinators.transactions.write_marker
        self.transactions = Transactions(self)
        self.handlers.update(self.transactions.handlers)
        self.share_groups = ShareGroups(self)
        self.handlers.update(self.share_groups.handlers)
        if self.replicas is None:
            self.serve()
        else:
            node.on_request = self._refuse  # Until it is let in.
            self.replicas.start()

    def lead(self, where: TopicPartition) -> None:
        """Begin to lead a partition that was added to a topic, where there is no controller."""
        assert isinstance(self._served, Partitions), "a controller tells its brokers itself"
        self._served.lead(where)
        self.housekeeping.opened(where)

    def topic_sizes(self) -> dict[str, int]:
        """How many partitions each topic has, as far as this broker knows. Do not change it."""
        if self.replicas is None:
            return self.layout.sizes
        return self.replicas.image.sizes

    def refusal(self, where: TopicPartition) -> Error | None:
        """Why this broker does not lead a partition, or None."""
        return self._served.refusal(where)

    def serve(self) -> None:
        """Take requests in from now on."""
        self.node.on_request = self.receive

    def _refuse(self, connection: "Connection", _: int, __: Any) -> None:
        """Nobody listens at the port yet."""
        connection.reset_by_peer(self.node)

    # --- One request at a time -----------------------------------------------------------------

    def receive(self, connection: "Asker", correlation: int, body: Any) -> None:
        """Handle a request, or queue it behind the one of its connection that is not answered."""
        session = connection.state
        if session is None:
            session = connection.state = _Session()
        if session.busy:
            session.queue.append((correlation, body))
            return
        answer = self.handlers[type(body)](connection, correlation, body)
        if answer is LATER:
            session.busy = True
        elif answer is not None:
            connection.back.send(correlation, answer)

    def answer(self, connection: "Asker", correlation: int, body: Any) -> None:
        """Give a late answer, and go on with what its connection has queued.

        That may end in a crash (`after_append`), and whoever calls goes on: see `is_dead`.
        """
        if self.is_dead:
            return
        if body is not None:  # Of a request with acks=0.
            connection.back.send(correlation, body)
        session = connection.state
        session.busy = False
        while session.queue and not session.busy and self.node.gate.open:
            number, request = session.queue.popleft()
            self.receive(connection, number, request)

    @property
    def is_dead(self) -> bool:
        """Whether it crashed in this instant, while somebody below was at work."""
        return not self.node.gate.open

    # --- Coordinators and producers --------------------------------------------------------------

    def _find_coordinator(self, _: "Asker", __: int, body: m.FindCoordinatorRequest) -> Any:
        topic = OFFSETS if body.key_type == "group" else TRANSACTIONS
        if not body.key:
            wrong = Error.INVALID_GROUP_ID if topic == OFFSETS else Error.INVALID_REQUEST
            return m.FindCoordinatorResponse(wrong)
        where = self.layout.coordinator_partition(topic, body.key)
        return m.FindCoordinatorResponse(*self.logs.find(where))

    def _init_producer_id(
        self, connection: "Asker", number: int, body: m.InitProducerIdRequest
    ) -> Any:
        if body.transactional_id is not None:
            return self.transactions.request(connection, number, body)
        return m.InitProducerIdResponse(Error.NONE, self.layout.next_producer_id(), 0)
