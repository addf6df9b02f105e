"""Which broker leads a topic's partitions, as far as one consumer knows (Metadata.java).

1. Topics are asked for when they are first wanted, again after metadata.max.age.ms, and whenever
   an answer shows that what is known is out of date.
2. Two requests are retry.backoff.ms apart at least; while the news is no news, ever further.
3. Of a partition nothing is believed that is older than what was seen: an answer with an earlier
   leader epoch than one told before, by metadata, by a commit or by a leader, is left aside
   (KIP-320).

Not modelled: a random choice of the broker that is asked; a consumer asks one, and the next one
after a failure.
"""

from collections.abc import Callable, Sequence

from simulator.protocol.errors import Error
from simulator.protocol.leader_epochs import NO_EPOCH
from simulator.protocol.messages import (
    MetadataRequest,
    MetadataResponse,
    PartitionMetadata,
    TopicMetadata,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.wire import NEVER, Wire


class Leaders:
    """One consumer's view of the cluster.

    Args:
        brokers: the nodes to ask first.
        changed: called after every answer.

    Attributes:
        heeds_epochs: see rule 3; without it every answer is believed, and no epoch is known.
        wanted: the topics of interest.
        due_us: when to ask next; `NEVER` while there is nothing to ask, or nobody has answered.
        nodes: the leader of each partition that has one.
        epochs: the epoch of each leader in `nodes`.
        followers: the last replica of each partition, where that is not the leader.
        partitions: the numbers of each topic that was told of; none if there is no such topic.
    """

    def __init__(
        self, wire: Wire, brokers: Sequence[str], max_age_us: int, changed: Callable[[], None]
    ) -> None:
        self._wire = wire
        self._brokers = tuple(brokers)
        self._turn = 0
        self._max_age_us = max_age_us
        self._changed = changed
        self._asked: tuple[str, ...] | None = None
        self._attempts = 0
        self._not_before_us = 0
        self.wanted: tuple[str, ...] = ()
        self.due_us = NEVER
        self.heeds_epochs = True
        self._seen: dict[TopicPartition, int] = {}  # The latest epoch, of a leader or of none.
        self.nodes: dict[TopicPartition, str] = {}
        self.epochs: dict[TopicPartition, int] = {}
        self.followers: dict[TopicPartition, str] = {}
        self.partitions: dict[str, tuple[int, ...]] = {}
        self._replicas: dict[TopicPartition, tuple[str, ...]] = {}
        self._racks: dict[str, str] = {}  # Of the brokers told of last.

    def any_node(self) -> str:
        """A broker to ask what any broker can answer."""
        return self._brokers[self._turn % len(self._brokers)]

    def turn(self) -> None:
        """The broker did not answer: ask the next one from now on."""
        self._turn += 1

    def want(self, topics: Sequence[str]) -> None:
        """These are the topics of interest; what is new among them is asked for."""
        self.wanted = tuple(sorted(topics))
        if not self.knows(self.wanted):
            self.stale()

    def knows(self, topics: Sequence[str]) -> bool:
        """Whether every one of these topics was told of, if only that there is none."""
        return all(topic in self.partitions for topic in topics)

    def racks(self, topics: Sequence[str]) -> dict[TopicPartition, tuple[str, ...]]:
        """In which racks the replicas of each partition of the topics are; {} without racks.

        Sorted, each rack once; "" is where a broker is that just now is not told of, and so has no
        rack (MetadataResponse.convertToNodeArray).
        """
        rack_of = self._racks
        if not rack_of:
            return {}
        return {
            where: tuple(sorted({rack_of.get(node, "") for node in self._replicas.get(where, ())}))
            for topic in topics
            for where in (TopicPartition(topic, n) for n in self.partitions.get(topic, ()))
        }

    def stale(self) -> None:
        """What is known is out of date: ask as soon as the backoff allows."""
        if self._asked is None:
            self.due_us = min(self.due_us, self._not_before_us)
            self._wire.want(self.due_us)

    def saw(self, partition: TopicPartition, epoch: int) -> None:
        """Somebody knows of a leader epoch; if it is newer, who leads is not known any more."""
        if NO_EPOCH < self._seen.get(partition, NO_EPOCH) < epoch:
            self._seen[partition] = epoch
            self._leaderless(partition)
            self.stale()

    def refresh(self, now_us: int) -> None:
        """Ask if it is time to."""
        if now_us >= self.due_us and self._asked is None and self.wanted:
            self._asked = self.wanted
            self.due_us = NEVER
            self._wire.ask(self.any_node(), MetadataRequest(self.wanted), self._answered)

    def _answered(self, body: MetadataResponse | None, now_us: int) -> None:
        self._asked = None
        if body is None:
            self.turn()
            self._again(now_us)
            return
        before = (self.nodes, self.partitions, self.epochs)
        self._learn(body)
        if before != (self.nodes, self.partitions, self.epochs):
            self._attempts = 0
        if any(_unsettled(topic) for topic in body.topics) or not self.knows(self.wanted):
            self._again(now_us)
        else:
            self._not_before_us = now_us + self._wire.backoff_us(self._attempts)
            self.due_us = now_us + self._max_age_us
        self._wire.want(self.due_us)
        self._changed()

    def _again(self, now_us: int) -> None:
        self._not_before_us = self.due_us = now_us + self._wire.backoff_us(self._attempts)
        self._attempts += 1
        self._wire.want(self.due_us)

    def _learn(self, body: MetadataResponse) -> None:
        at = self.any_node()
        if body.brokers:
            self._brokers = tuple(body.brokers)
            self._turn = self._brokers.index(at) if at in self._brokers else 0
        self._racks = dict(zip(body.brokers, body.racks, strict=bool(body.racks)))
        self.nodes = dict(self.nodes)
        self.epochs = dict(self.epochs)
        self.partitions = dict(self.partitions)
        for topic in body.topics:
            if topic.partitions or topic.error is Error.UNKNOWN_TOPIC_OR_PARTITION:
                numbers = sorted(one.partition.partition for one in topic.partitions)
                self.partitions[topic.topic] = tuple(numbers)
            for one in topic.partitions:
                self._learn_leader(one)

    def _learn_leader(self, told: PartitionMetadata) -> None:
        partition, leader, epoch, replicas, _ = told
        if self.heeds_epochs:
            if epoch < self._seen.get(partition, NO_EPOCH):
                return
            self._seen[partition] = epoch
        self._replicas[partition] = replicas
        if not leader:
            self._leaderless(partition)
            return
        self.nodes[partition] = leader
        if self.heeds_epochs:
            self.epochs[partition] = epoch
        if replicas and replicas[-1] != leader:
            self.followers[partition] = replicas[-1]
        else:
            self.followers.pop(partition, None)

    def _leaderless(self, partition: TopicPartition) -> None:
        self.nodes.pop(partition, None)
        self.epochs.pop(partition, None)
        self.followers.pop(partition, None)


def _unsettled(topic: TopicMetadata) -> bool:
    """Whether the topic should be asked for again: an error, or a partition without a leader."""
    return topic.error is not Error.NONE or any(not one.leader for one in topic.partitions)
