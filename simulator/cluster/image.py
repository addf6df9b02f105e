"""The cluster as one broker knows it: what it has read of the controller's log so far.

It may be behind, and so is what it tells clients: their metadata are stale then.

Source: MetadataImage.java, KRaftMetadataCache.java.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from simulator.cluster.internal_topics import INTERNAL
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.replica_messages import BrokerState, PartitionRegistration

MOVED = (Error.NOT_LEADER_OR_FOLLOWER, Error.FENCED_LEADER_EPOCH)


class Image:
    """Brokers, topics and partitions.

    Args:
        brokers: all that there are.
        racks: where they stand, if they have racks.

    Attributes:
        alive: brokers that are neither fenced nor shutting down, with their epochs. It is looked
            at by every replica, and changed here alone.
        partitions: the newest word on each partition.
        sizes: how many partitions each topic of the application has.
    """

    def __init__(self, brokers: tuple[str, ...], racks: Mapping[str, str]) -> None:
        self._order = brokers
        self._racks = racks
        self.alive: dict[str, int] = {}
        self.partitions: dict[TopicPartition, PartitionRegistration] = {}
        self._topics: dict[str, list[TopicPartition]] = {}
        self._told: dict[str, m.TopicMetadata] = {}
        self.sizes: dict[str, int] = {}

    def learn(self, records: Iterable[Any]) -> list[PartitionRegistration]:
        """Take over records of the controller's log; the partitions that have changed."""
        changed: dict[TopicPartition, PartitionRegistration] = {}
        for record in records:
            match record:
                case PartitionRegistration():
                    changed[record.partition] = record
                case BrokerState(broker, epoch, fenced, shutting_down):
                    self._told.clear()
                    if fenced or shutting_down:
                        self.alive.pop(broker, None)
                    else:
                        self.alive[broker] = epoch
        for where, record in changed.items():
            if where not in self.partitions:
                known = self._topics.setdefault(where.topic, [])
                known.append(where)
                if where.topic not in INTERNAL:
                    self.sizes = {**self.sizes, where.topic: len(known)}
            self.partitions[where] = record
            self._told.pop(where.topic, None)
        return list(changed.values())

    def not_here(self, where: TopicPartition) -> Error:
        """Why a broker that has no replica of a partition does not serve it."""
        if where in self.partitions:
            return Error.NOT_LEADER_OR_FOLLOWER
        return Error.UNKNOWN_TOPIC_OR_PARTITION

    def metadata(self, topics: tuple[str, ...] | None) -> m.MetadataResponse:
        """What a client is told; None asks for every topic."""
        brokers = tuple(name for name in self._order if name in self.alive)
        asked = tuple(self._topics) if topics is None else topics
        racks = tuple(self._racks[name] for name in brokers) if self._racks else ()
        return m.MetadataResponse(brokers, tuple(map(self._topic, asked)), racks)

    def produced(self, answer: m.ProduceResponse) -> m.ProduceResponse:
        """An answer to a producer, which also tells who leads what was refused (KIP-951)."""
        if all(one[1] is Error.NONE for one in answer[0]):
            return answer
        leaders = tuple(
            self.partition(one.partition)
            for one in answer.results
            if one.error in MOVED and one.partition in self.partitions
        )
        return answer._replace(leaders=leaders) if leaders else answer

    def _topic(self, topic: str) -> m.TopicMetadata:
        known = self._told.get(topic)
        if known is not None:
            return known
        partitions = self._topics.get(topic)
        if partitions is None:
            return m.TopicMetadata(topic, Error.UNKNOWN_TOPIC_OR_PARTITION)
        told = tuple(self.partition(where) for where in sorted(partitions))
        self._told[topic] = m.TopicMetadata(topic, Error.NONE, told)
        return self._told[topic]

    def partition(self, where: TopicPartition) -> m.PartitionMetadata:
        """What a client is told of one partition."""
        one = self.partitions[where]
        leader = one.leader if one.leader in self.alive else ""
        return m.PartitionMetadata(
            one.partition, leader, one.leader_epoch, one.replicas, one.isr
        )
