"""Where everything is: which broker leads which partition, and which coordinates which group.

Partition p of a topic is led by broker (p + number of the topic) modulo the brokers; so a topic of
many partitions is led by all of them, and two topics do not lean on the same first broker.

A group's coordinator is the leader of partition `hash(group) % 50` of `__consumer_offsets`, with
Java's String.hashCode, as in Kafka.

Not modelled here: replicas, elections, reassignment, metadata that is stale, blocks of producer
ids. The layout is fixed, and every broker knows it.
"""

from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING

from simulator.cluster.broker_settings import BrokerSettings
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition

if TYPE_CHECKING:
    from simulator.scenario.topology import Topology

OFFSETS_PARTITIONS = 50  # offsets.topic.num.partitions


def java_hash(text: str) -> int:
    """String.hashCode of Java, as a signed 32-bit number (over UTF-16 units)."""
    value = 0
    encoded = text.encode("utf-16-be", "surrogatepass")
    for high, low in zip(encoded[::2], encoded[1::2], strict=True):
        value = (value * 31 + (high << 8 | low)) & 0xFFFFFFFF
    return value - 2**32 if value >= 2**31 else value


def partition_of_group(group_id: str) -> int:
    """The partition of `__consumer_offsets` that a group's commits go to (Utils.abs: MIN is 0)."""
    value = java_hash(group_id)
    return (0 if value == -(2**31) else abs(value)) % OFFSETS_PARTITIONS


class Layout:
    """Who leads what."""

    def __init__(self, topology: "Topology", settings: BrokerSettings) -> None:
        self.settings = settings
        self.brokers = topology.broker_names
        self._producer_ids = count()
        self._leaders: dict[TopicPartition, str] = {}
        self._topics: dict[str, int] = {}
        for topic in topology.topics:
            self.add_topic(topic.name, topic.partitions)

    def add_topic(self, name: str, partitions: int) -> None:
        """A topic, before the brokers boot."""
        number = len(self._topics)
        self._topics[name] = partitions
        for partition in range(partitions):
            leader = self.brokers[(partition + number) % len(self.brokers)]
            self._leaders[TopicPartition(name, partition)] = leader

    @property
    def topics(self) -> Mapping[str, int]:
        """Topics, and how many partitions each has."""
        return self._topics

    def next_producer_id(self) -> int:
        """A producer id that nobody has: the controllers keep count, and lose no disk."""
        return next(self._producer_ids)

    def partitions(self, topic: str) -> tuple[TopicPartition, ...]:
        """A topic's partitions."""
        return tuple(TopicPartition(topic, number) for number in range(self._topics[topic]))

    def led_by(self, broker: str) -> tuple[TopicPartition, ...]:
        """The partitions that a broker leads."""
        return tuple(where for where, leader in self._leaders.items() if leader == broker)

    def leader(self, where: TopicPartition) -> str:
        """The broker that leads a partition."""
        return self._leaders[where]

    def coordinator_of(self, group_id: str) -> str:
        """The broker that coordinates a group."""
        return self.brokers[partition_of_group(group_id) % len(self.brokers)]

    def not_here(self, where: TopicPartition) -> Error:
        """Why a broker that does not lead a partition does not serve it."""
        if where in self._leaders:
            return Error.NOT_LEADER_OR_FOLLOWER
        return Error.UNKNOWN_TOPIC_OR_PARTITION

    def metadata(self, topics: tuple[str, ...] | None) -> m.MetadataResponse:
        """What a client is told; None asks for every topic."""
        asked = tuple(self._topics) if topics is None else topics
        return m.MetadataResponse(self.brokers, tuple(map(self._topic_metadata, asked)))

    def _topic_metadata(self, topic: str) -> m.TopicMetadata:
        if topic not in self._topics:
            return m.TopicMetadata(topic, Error.UNKNOWN_TOPIC_OR_PARTITION)
        partitions = []
        for number in range(self._topics[topic]):
            where = TopicPartition(topic, number)
            leader = self._leaders[where]
            partitions.append(m.PartitionMetadata(where, leader, 0, (leader,), (leader,)))
        return m.TopicMetadata(topic, Error.NONE, tuple(partitions))
