"""Where everything is when a world begins, and with what settings.

Partition p of a topic is led by broker (p + number of the topic) modulo the brokers; so a topic of
many partitions is led by all of them, and two topics do not lean on the same first broker.

With one replica a partition this stays as it is, and every broker knows it. As soon as a topic has
more, the cluster has a controller: it moves leaderships, and each broker knows what it has read.

Coordinators lead the partitions of two topics of their own (see `internal_topics`). With a
controller these move as others do; without one partition p of either is led by broker p modulo the
brokers, for good.

Not modelled here: blocks of producer ids.
"""

from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

import attrs

from simulator.cluster.broker_settings import BrokerSettings, warnings
from simulator.cluster.internal_topics import INTERNAL
from simulator.protocol import messages as m
from simulator.protocol.controller_facts import ControllerSettings, controller_settings
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.log import LogConfig
from simulator.protocol.names import TopicPartition
from simulator.protocol.replication_facts import ReplicationConfig
from simulator.protocol.share_settings import ShareGroupSettings
from simulator.protocol.topic_settings import TopicSettings
from simulator.protocol.variant import PRESENT, Variant
from simulator.scenario.topology import Topic

if TYPE_CHECKING:
    from simulator.scenario.topology import Topology

CONTROLLER = "controller"


# Worlds by the thousand have the same settings, and to read them takes longer than to find them.


@lru_cache(maxsize=256)
def _replication(settings: BrokerSettings, variant: Variant) -> ReplicationConfig:
    return attrs.evolve(
        settings.replication,
        truncation=variant.way_to_truncate,
        frozen_below_min_isr=variant.frozen_below_min_isr,
    )


@lru_cache(maxsize=1_024)
def _of_topic(
    settings: BrokerSettings,
    variant: Variant,
    where: str,
    said: tuple[tuple[str, type, Any], ...],
) -> tuple[TopicSettings, LogConfig]:
    topic = settings.of_topic({name: value for name, _, value in said}, where)
    config = attrs.evolve(
        settings.log_config(topic), keeps_idle_producers=variant.keeps_idle_producers
    )
    return topic, config


class Layout:
    """Who leads what at first, and the settings of everything.

    Attributes:
        metadata_log: the controller's log.
        first_records: what stands in it when the world begins.
        first_epochs: each broker's epoch then.
        sizes: how many partitions each topic has.
        racks: where each broker stands; empty where brokers have no racks.
        share_groups: the own settings of share groups that have some.
    """

    def __init__(
        self, topology: "Topology", settings: BrokerSettings, variant: Variant = PRESENT
    ) -> None:
        self.settings = settings
        self.variant = variant
        self.brokers = topology.broker_names
        self.racks = dict(zip(self.brokers, topology.racks, strict=bool(topology.racks)))
        self.controller = CONTROLLER
        self.controlling: ControllerSettings = controller_settings(settings.controller, "broker")
        self.replication = _replication(settings, variant)
        self.metadata_log = Journal("__cluster_metadata")
        self.first_records: tuple[Any, ...] = ()
        self.first_epochs: dict[str, int] = {}
        self.share_groups: dict[str, ShareGroupSettings] = {}
        self.sizes: dict[str, int] = {}
        self._producer_ids = count()
        self._leaders: dict[TopicPartition, str] = {}
        self._topics: dict[str, Topic] = {}
        self._partitions: dict[str, tuple[TopicPartition, ...]] = {}
        self._settings: dict[str, TopicSettings] = {}
        self._log_configs: dict[str, LogConfig] = {}
        for name in INTERNAL:
            settings.internal.replication_factor(name, len(self.brokers))  # It refuses too many.
            self._configure(name, settings.internal.settings(name))
        for topic in topology.topics:
            self.add_topic(topic)

    def add_topic(self, topic: Topic) -> None:
        """A topic, before the brokers boot.

        Raises:
            BadInput: one of its settings is unknown or not allowed.
        """
        self._configure(topic.name, topic.settings)
        self._topics[topic.name] = topic
        self._lead(topic)

    def _configure(self, name: str, given: Mapping[str, Any]) -> None:
        # 1, 1.0 and True are equal, and not the same setting.
        said = tuple((setting, type(value), value) for setting, value in given.items())
        self._settings[name], self._log_configs[name] = _of_topic(
            self.settings, self.variant, f"topic {name}", said
        )

    def _lead(self, topic: Topic) -> None:
        number = tuple(self._topics).index(topic.name)
        partitions = tuple(TopicPartition(topic.name, n) for n in range(topic.partitions))
        self._partitions[topic.name] = partitions
        self.sizes = {**self.sizes, topic.name: topic.partitions}
        for where in partitions:
            leader = self.brokers[(where.partition + number) % len(self.brokers)]
            self._leaders.setdefault(where, leader)

    def grow(self, name: str, partitions: int) -> tuple[TopicPartition, ...]:
        """A topic has more partitions from now on; the new ones."""
        before = self._topics[name].partitions
        topic = self._topics[name] = attrs.evolve(self._topics[name], partitions=partitions)
        self._lead(topic)
        return self.partitions(name)[before:]

    @property
    def controlled(self) -> bool:
        """Whether there is a controller: some topic has more than one replica."""
        return any(topic.replication_factor > 1 for topic in self._topics.values())

    @property
    def topics(self) -> Mapping[str, Topic]:
        """Topics by name."""
        return self._topics

    @property
    def warnings(self) -> tuple[str, ...]:
        """What Kafka would take too, and is probably not meant."""
        found = list(self.settings.warnings)
        for topic in self._topics.values():
            found += warnings(topic, self.settings)
        return tuple(found)

    # --- Settings ------------------------------------------------------------------------------

    def topic_settings(self, topic: str) -> TopicSettings:
        """A topic's settings: its own, over those of the brokers."""
        return self._settings[topic]

    def settings_of(self, where: TopicPartition) -> TopicSettings:
        """The settings of a partition's topic."""
        return self._settings[where[0]]

    def log_config(self, where: TopicPartition) -> LogConfig:
        """What the log of a partition is configured with."""
        return self._log_configs[where[0]]

    def replication_config(self, where: TopicPartition) -> ReplicationConfig:
        """What the replicas of a partition are configured with."""
        least = self._settings[where[0]].min_insync_replicas
        if least == self.replication.min_insync_replicas:
            return self.replication
        return attrs.evolve(self.replication, min_insync_replicas=least)

    # --- Where things are ------------------------------------------------------------------------

    def next_producer_id(self) -> int:
        """A producer id that nobody has: the controllers keep count, and lose no disk."""
        return next(self._producer_ids)

    def partitions(self, topic: str) -> tuple[TopicPartition, ...]:
        """A topic's partitions."""
        return self._partitions[topic]

    def led_by(self, broker: str) -> tuple[TopicPartition, ...]:
        """The partitions that a broker leads at first."""
        return tuple(where for where, leader in self._leaders.items() if leader == broker)

    def leader(self, where: TopicPartition) -> str:
        """The broker that leads a partition at first."""
        return self._leaders[where]

    def coordinator_partition(self, topic: str, name: str) -> TopicPartition:
        """The partition to which a group, or a transactional id, belongs in its topic."""
        return self.settings.internal.partition_of(topic, name)

    def coordinator_at(self, where: TopicPartition) -> str:
        """The broker that leads a partition of coordinators where nothing moves."""
        return self.brokers[where.partition % len(self.brokers)]

    def not_here(self, where: TopicPartition) -> Error:
        """Why a broker that does not lead a partition does not serve it."""
        if where in self._leaders:
            return Error.NOT_LEADER_OR_FOLLOWER
        return Error.UNKNOWN_TOPIC_OR_PARTITION

    def metadata(self, topics: tuple[str, ...] | None) -> m.MetadataResponse:
        """What a client is told where leaders are fixed; None asks for every topic."""
        asked = tuple(self._topics) if topics is None else topics
        told = tuple(map(self._topic_metadata, asked))
        return m.MetadataResponse(self.brokers, told, tuple(self.racks.values()))

    def _topic_metadata(self, topic: str) -> m.TopicMetadata:
        if topic not in self._topics:
            return m.TopicMetadata(topic, Error.UNKNOWN_TOPIC_OR_PARTITION)
        partitions = []
        for where in self.partitions(topic):
            leader = self._leaders[where]
            partitions.append(m.PartitionMetadata(where, leader, 0, (leader,), (leader,)))
        return m.TopicMetadata(topic, Error.NONE, tuple(partitions))
