"""A cluster in a world: what a model deploys on.

A model is a function of a `Cluster`: it adds topics, stores, sources and services, and nodes of
its own. Everything is added before the run starts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from simulator.cluster.broker import Broker
from simulator.cluster.broker_settings import BrokerSettings
from simulator.cluster.calls import Answer, Server
from simulator.cluster.consumer import Consumer
from simulator.cluster.context import Context
from simulator.cluster.controller import ControllerNode
from simulator.cluster.draining import is_drained, replicated
from simulator.cluster.internal_topics import OFFSETS
from simulator.cluster.layout import Layout
from simulator.cluster.producer import Producer
from simulator.cluster.service import HandlerFactory, Service
from simulator.cluster.serving import Serving
from simulator.cluster.share_consumer import ShareConsumer
from simulator.cluster.share_service import ShareService, ShareServing, known_topics
from simulator.cluster.source import Source
from simulator.cluster.store import StoreNode
from simulator.cluster.transforming import Transformation, TransformFactory, Transforming
from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.share_settings import share_config, share_group_settings
from simulator.scenario.topology import Topic
from simulator.scenario.workload import Workload

if TYPE_CHECKING:
    from simulator.cluster.connector import Connector
    from simulator.protocol.connector_records import CapturedTable
    from simulator.protocol.consumer_settings import ConsumerSettings
    from simulator.protocol.coordinated_group import CoordinatedGroup
    from simulator.protocol.partition import Partition
    from simulator.protocol.producer_settings import ProducerSettings
    from simulator.protocol.replication import Replica
    from simulator.protocol.share_partition import SharePartition
    from simulator.protocol.share_settings import ShareConsumerSettings
    from simulator.scenario.workload import WorkItem
    from simulator.world.kernel import Steps
    from simulator.world.node import Boot, Node
    from simulator.world.world import World

ASK_AGAIN_US = 1_000 * MICROS_PER_MS


class Cluster:
    """Brokers, and all who talk to them."""

    def __init__(self, world: "World") -> None:
        self.world = world
        scenario = world.scenario
        settings = BrokerSettings.parse(scenario.broker)
        self.layout = Layout(scenario.topology, settings, scenario.variant)
        self._controller: ControllerNode | None = None
        self._brokers: dict[str, Broker] = {}
        self._stores: dict[str, StoreNode] = {}
        self._sources: list[Source] = []
        self._services: list[Service | Transformation] = []
        self._share_services: list[ShareService] = []
        self._connectors: list[Connector] = []
        self._conditions: list[Callable[[], bool]] = []
        self._members: dict[str, int] = {}  # node -> how many consumers it has had
        for name in self.layout.brokers:
            world.add(name, self._boot_broker)
        self._want_controller()
        world.at_rest = self.at_rest
        world.at_start = self._tell_warnings

    def _want_controller(self) -> None:
        """Add the controller's node, if there is to be one: it boots before the brokers do."""
        if self.layout.controlled and self.layout.controller not in self.world.nodes:
            self.world.add(self.layout.controller, self._boot_controller, first=True)

    def _boot_broker(self, node: "Node") -> None:
        self._brokers[node.name] = Broker(node, self.layout)

    def _boot_controller(self, node: "Node") -> None:
        self._controller = ControllerNode(node, self.layout)

    def _tell_warnings(self) -> None:
        for text in self.layout.warnings:
            self.world.trace.record(0, "world", (), ("warned", text))

    # --- What a model adds ---------------------------------------------------------------------

    def topic(
        self,
        name: str,
        partitions: int = 1,
        replication_factor: int = 1,
        settings: Mapping[str, Any] | None = None,
    ) -> str:
        """One more topic; the answer is its name.

        Raises:
            BadInput: the name is taken or can be none, a setting is not allowed, there are not so
                many brokers, or the run has begun.
        """
        if self.world.running:
            raise BadInput("comes too late, the run has begun:", "cluster", name, "add it before")
        if name in self.layout.topics:
            raise BadInput("there are two topics called", "cluster", name, "give each its name")
        # It refuses what can be no topic.
        topic = Topic(name, partitions, replication_factor, settings or {})
        brokers = len(self.layout.brokers)
        if replication_factor > brokers:
            fix = f"at most {brokers}, or add brokers"
            raise BadInput(
                f"topic {name!r} wants more replicas than there are brokers:", "cluster",
                replication_factor, fix,
            )  # fmt: skip
        self.layout.add_topic(topic)
        self._want_controller()
        return name

    def add_partitions(self, topic: str, partitions: int, at_ms: int) -> None:
        """Let a topic have `partitions` partitions from a time on, while the run goes on.

        Clients learn of it with their next metadata; the keys of old records stay where they are.

        Raises:
            BadInput: there is no such topic, or it has as many already.
        """
        known_topics((topic,), self.layout.topics, "cluster")
        known = self.layout.topics[topic]
        if partitions <= known.partitions:
            rule = f"topic {topic!r} has {known.partitions} partitions, and can only get more, not"
            raise BadInput(rule, "cluster", partitions)
        delay_us = at_ms * MICROS_PER_MS - int(self.world.kernel.now)
        self.world.kernel.call_later(max(0, delay_us), self._grow, (topic, partitions))

    def _grow(self, what: tuple[str, int]) -> None:
        topic, partitions = what
        world = self.world
        if self._controller is not None and not world.nodes[self.layout.controller].gate.open:
            world.kernel.call_later(ASK_AGAIN_US, self._grow, what)  # It is down: ask again.
            return
        if partitions <= self.layout.topics[topic].partitions:
            return  # Another order was for more, and came first.
        if self._controller is not None and not self._controller.add_partitions(topic, partitions):
            world.kernel.call_later(ASK_AGAIN_US, self._grow, what)  # Nobody is there to keep them.
            return
        added = self.layout.grow(topic, partitions)
        if self._controller is not None:
            return
        now_us = int(world.kernel.now)
        world.trace.record(now_us, "world", (), ("partitions_added", topic, partitions))
        for where in added:
            name = self.layout.leader(where)
            if world.nodes[name].gate.open or world.nodes[name].gate.held is not None:
                self._brokers[name].lead(where)

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

    def rests_when(self, condition: "Callable[[], bool]") -> None:
        """The run is at rest only when this holds too: for work of which nothing else tells."""
        self._conditions.append(condition)

    def store(
        self,
        name: str,
        settings: Mapping[str, Any] | None = None,
        *,
        unique: Mapping[str, Sequence[Callable[[Any, Any], Any]]] | None = None,
    ) -> str:
        """A transactional store on a node of its own; the answer is its name.

        Args:
            settings: by PostgreSQL's names, such as idle_in_transaction_session_timeout.
            unique: further unique constraints, by table: each gives what no two rows may have in
                common, of a row's key and value (None: nothing).

        Raises:
            BadInput: the name is taken, a setting is not allowed, or the run has begun.
        """
        store = StoreNode(settings, name, unique)
        self.world.add(name, store.boot)
        self._stores[name] = store
        return name

    def server(self, name: str, factory: "Callable[[Context], Answer]") -> Server:
        """A node that answers plain calls: a factory of functions from question to answer."""
        return Server(self, name, factory)

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
        known_topics(serving.topics, self.layout.topics, name)
        service = Service(self, name, instances, factory, serving)
        self._services.append(service)
        return service

    def transform(
        self, name: str, instances: int, factory: TransformFactory, transforming: Transforming
    ) -> Transformation:
        """A group on nodes `name-0`, ... that reads, transforms and writes, in transactions."""
        known_topics((*transforming.sources, transforming.sink), self.layout.topics, name)
        transformation = Transformation(self, name, instances, factory, transforming)
        self._services.append(transformation)
        return transformation

    def share_group(
        self, name: str, instances: int, factory: HandlerFactory, serving: ShareServing
    ) -> ShareService:
        """A share group of services on nodes `name-0`, `name-1`, ... (KIP-932)."""
        known_topics(serving.topics, self.layout.topics, name)
        service = ShareService(self, name, instances, factory, serving)
        self._share_services.append(service)
        return service

    def connector(
        self,
        name: str,
        store: str,
        tables: "Iterable[str | CapturedTable]",
        settings: Mapping[str, Any],
        **how: Any,
    ) -> "Connector":
        """A connector on a node of its own, which captures a store's tables, as Debezium does.

        Args:
            settings: by Debezium's names; topic.prefix must be there.
            how: capture, router, elsewhere, partitions, topic_settings, producer: see `Connector`.

        Raises:
            BadInput: there is no such store, a setting is not allowed, a table is named twice.
        """
        from simulator.cluster.connector import Connector

        connector = Connector(self, name, store, tables, settings, **how)
        self._connectors.append(connector)
        return connector

    def share_settings(self, group: str, settings: Mapping[str, Any]) -> None:
        """A share group's own settings, such as share.auto.offset.reset.

        Raises:
            BadInput: one is unknown, not allowed, or outside its brokers' bounds.
        """
        own = share_group_settings(settings, f"share group {group}")
        share_config(self.layout.settings.share, own, f"share group {group}")
        self.layout.share_groups[group] = own

    def partitions(self, topic: str) -> tuple[TopicPartition, ...]:
        """The partitions that a topic has now.

        Raises:
            BadInput: there is no such topic.
        """
        known_topics((topic,), self.layout.topics, "cluster")
        return tuple(self.layout.partitions(topic))

    # --- Clients -----------------------------------------------------------------------------

    def context(
        self, node: "Node", producer_settings: "Mapping[str, Any] | None" = None
    ) -> Context:
        """What a handler is given, for an incarnation of a node of the model's own."""
        return Context(self, node, producer_settings or {})

    def producer(
        self, node: "Node", settings: "Mapping[str, Any] | ProducerSettings | None" = None
    ) -> Producer:
        """A producer on a node, for as long as its incarnation lives."""
        return Producer(node, self.layout.brokers, settings or {})

    def consumer(
        self, node: "Node", settings: "Mapping[str, Any] | ConsumerSettings | None" = None
    ) -> Consumer:
        """A consumer on a node, for as long as its incarnation lives."""
        return Consumer(node, self.layout.brokers, settings or {}, self._member_id(node))

    def share_consumer(
        self, node: "Node", settings: "Mapping[str, Any] | ShareConsumerSettings"
    ) -> ShareConsumer:
        """A share consumer on a node, for as long as its incarnation lives."""
        return ShareConsumer(node, self.layout.brokers, settings, self._member_id(node))

    def _member_id(self, node: "Node") -> str:
        """One that no other consumer has, of this incarnation of the node or another."""
        number = self._members.get(node.name, 0)
        self._members[node.name] = number + 1
        return f"{node.name}#{number}" if number else node.name

    # --- For the world and for drivers ---------------------------------------------------------

    def store_node(self, name: str) -> "tuple[Node, StoreNode]":
        """A store's node and machine."""
        if name not in self._stores:
            known = ", ".join(self._stores) or "none"
            raise BadInput("there is no store called", "cluster", name, f"known: {known}")
        return self.world.nodes[name], self._stores[name]

    def partition(self, topic: str, partition: int) -> "Partition":
        """The log of a partition on its leader, for tests and pictures; it may be down.

        Without a leader it is that of the first replica.
        """
        where = next(
            where for where in self.layout.partitions(topic) if where.partition == partition
        )
        return self._brokers[self._leader(where) or self.layout.leader(where)].partitions[where]

    def share_partition(self, group: str, topic: str, partition: int) -> "SharePartition | None":
        """What a share group knows of a partition, at its leader; None where it is not loaded."""
        where = TopicPartition(topic, partition)
        leader = self._leader(where)
        shares = self._brokers[leader].share_groups if leader else None
        return None if shares is None else shares.partitions.machine(group, where)

    def log(self, where: TopicPartition) -> "Partition | None":
        """The log of a partition at who leads it now; None where nobody does."""
        leader = self._leader(where)
        return self._brokers[leader].partitions.get(where) if leader else None

    def replica(self, broker: str, topic: str, partition: int) -> "Replica | None":
        """A broker's replica of a partition, for tests and pictures; None where it has none."""
        replicas = self._brokers[broker].replicas
        where = TopicPartition(topic, partition)
        return None if replicas is None else replicas.replicas.get(where)

    def _leader(self, where: TopicPartition) -> str:
        """The broker that leads a partition now; "" is nobody."""
        if self._controller is None:
            return self.layout.leader(where)
        return self._controller.machine.partitions[where].leader

    def group_at(self, group_id: str) -> "CoordinatedGroup | None":
        """A group's machine at its coordinator, for tests and pictures; None where it has none."""
        where = self.layout.coordinator_partition(OFFSETS, group_id)
        name = self.layout.coordinator_at(where)
        if self._controller is not None:
            known = self._controller.machine.partitions.get(where)
            name = known.leader if known is not None else ""
        return self._brokers[name].coordinators.group(group_id) if name else None

    def at_rest(self) -> bool:
        """Whether nothing is left to do: all sent, all read, all committed, nobody at work.

        With a controller, all replicas are in sync too, and know that they are.
        """
        if not all(node.gate.open for node in self.world.nodes.values()):
            return False
        if not all(source.at_rest for source in self._sources):
            return False
        if not all(is_drained(self, service) for service in self._services):
            return False
        if not all(service.at_rest for service in self._share_services):
            return False
        if not all(connector.at_rest for connector in self._connectors):
            return False
        if not all(broker.transactions.at_rest for broker in self._brokers.values()):
            return False
        if not all(condition() for condition in self._conditions):
            return False
        return self._controller is None or replicated(self, self._controller.machine)
