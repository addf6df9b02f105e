"""A cluster in a world: what a model deploys on.

A model is a function of a `Cluster`: it adds topics, stores, sources and services, and nodes of
its own. Everything is added before the run starts.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.cluster.broker import Broker
from simulator.cluster.broker_settings import BrokerSettings
from simulator.cluster.consumer import Consumer
from simulator.cluster.layout import Layout
from simulator.cluster.producer import Producer
from simulator.cluster.service import HandlerFactory, Service, Serving
from simulator.cluster.source import Source
from simulator.cluster.store import StoreNode
from simulator.errors import BadInput
from simulator.scenario.topology import Topic
from simulator.scenario.workload import Workload

if TYPE_CHECKING:
    from simulator.protocol.partition import Partition
    from simulator.scenario.workload import WorkItem
    from simulator.world.kernel import Steps
    from simulator.world.node import Boot, Node
    from simulator.world.world import World


class Cluster:
    """Brokers, and all who talk to them."""

    def __init__(self, world: "World") -> None:
        self.world = world
        scenario = world.scenario
        self.layout = Layout(scenario.topology, BrokerSettings.parse(scenario.broker))
        self._brokers: dict[str, Broker] = {}
        self._stores: dict[str, StoreNode] = {}
        self._sources: list[Source] = []
        self._services: list[Service] = []
        for name in self.layout.brokers:
            world.add(name, self._boot_broker)
        world.at_rest = self.at_rest

    def _boot_broker(self, node: "Node") -> None:
        self._brokers[node.name] = Broker(node, self.layout)

    # --- What a model adds ---------------------------------------------------------------------

    def topic(self, name: str, partitions: int = 1) -> str:
        """One more topic; the answer is its name.

        Raises:
            BadInput: the name is taken or can be none, or the run has begun.
        """
        if self.world.running:
            raise BadInput("comes too late, the run has begun:", "cluster", name, "add it before")
        if name in self.layout.topics:
            raise BadInput("there are two topics called", "cluster", name, "give each its name")
        topic = Topic(name, partitions)  # It refuses what can be no topic.
        self.layout.add_topic(topic.name, topic.partitions)
        return name

    def node(self, name: str, boot: "Boot") -> "Node":
        """A node of the model's own; `boot(node)` starts each of its incarnations."""
        return self.world.add(name, boot)

    def driver(self, name: str, drive: "Callable[[Node], Steps]") -> "Node":
        """A node that runs `drive(node)`; the run lasts at least until it has ended once.

        Use it for programs that are not a source or a service; a crash starts it again.
        """
        world = self.world
        world.load_begins()
        ended = False

        def live(node: "Node") -> "Steps":
            nonlocal ended
            yield node.start(drive(node), "driver")
            if not ended:
                ended = True
                world.load_ends(0)

        def boot(node: "Node") -> None:
            node.start(live(node), "driver")

        return self.world.add(name, boot)

    def store(self, name: str) -> str:
        """A transactional store on a node of its own; the answer is its name."""
        store = self._stores[name] = StoreNode()
        self.world.add(name, store.boot)
        return name

    def source(
        self,
        name: str,
        items: "Workload | Iterable[WorkItem]",
        settings: Mapping[str, Any] | None = None,
    ) -> Source:
        """A node that hands records to a producer of its own, at their times."""
        chooser = self.world.chooser
        records = items.stream(chooser) if isinstance(items, Workload) else iter(items)
        source = Source(self, name, records, settings or {})
        self._sources.append(source)
        return source

    def group(
        self, name: str, instances: int, factory: HandlerFactory, serving: Serving
    ) -> Service:
        """A consumer group of services on nodes `name-0`, `name-1`, ..."""
        for topic in serving.topics:
            if topic not in self.layout.topics:
                known = ", ".join(self.layout.topics)
                raise BadInput("there is no topic called", name, topic, f"known: {known}")
        service = Service(self, name, instances, factory, serving)
        self._services.append(service)
        return service

    # --- Clients -----------------------------------------------------------------------------

    def producer(self, node: "Node", settings: Mapping[str, Any] | None = None) -> Producer:
        """A producer on a node, for as long as its incarnation lives."""
        return Producer(node, self.layout.brokers, settings or {})

    def consumer(self, node: "Node", settings: Mapping[str, Any] | None = None) -> Consumer:
        """A consumer on a node, for as long as its incarnation lives."""
        return Consumer(node, self.layout.brokers, settings or {})

    # --- For the world and for drivers ---------------------------------------------------------

    def store_node(self, name: str) -> "tuple[Node, StoreNode]":
        """A store's node and machine."""
        if name not in self._stores:
            known = ", ".join(self._stores) or "none"
            raise BadInput("there is no store called", "cluster", name, f"known: {known}")
        return self.world.nodes[name], self._stores[name]

    def partition(self, topic: str, partition: int) -> "Partition":
        """The log of a partition on its leader, for tests and pictures; it may be down."""
        where = next(
            where for where in self.layout.partitions(topic) if where.partition == partition
        )
        return self._brokers[self.layout.leader(where)].partitions[where]

    def at_rest(self) -> bool:
        """Whether nothing is left to do: all sent, all read, all committed, nobody at work."""
        if not all(node.gate.open for node in self.world.nodes.values()):
            return False
        if not all(source.at_rest for source in self._sources):
            return False
        return all(self._is_drained(service) for service in self._services)

    def _is_drained(self, service: Service) -> bool:
        if not service.at_rest or not service.nodes:
            return not service.nodes
        group = self._brokers[self.layout.coordinator_of(service.group)].coordinators.group(
            service.group
        )
        for topic in service.serving.topics:
            for where in self.layout.partitions(topic):
                log = self._brokers[self.layout.leader(where)].partitions[where]
                if service.serving.commit == "none":
                    done = service.position(where)
                else:
                    committed = group.committed(where) if group is not None else None
                    done = committed.offset if committed is not None else log.log_start_offset
                if done < log.high_watermark:
                    return False
        return True
