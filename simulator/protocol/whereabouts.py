"""Where a producer believes the partitions are, and when it asks again.

1. Only topics that were sent to are asked for; each once known is refreshed after
   metadata.max.age.ms, or at once when an answer shows that the metadata are old.
2. An attempt that failed, or that told nothing new, makes the next one wait: retry.backoff.ms,
   doubled up to retry.backoff.max.ms.
3. A partition keeps its queue for ever; without a leader it stands under the broker of no name.
   Partitions that were added get queues of their own, as soon as an answer tells of them.
4. What is said of an older leader epoch than the known one is not believed. A newer epoch makes
   what waits to be tried again go at once (KAFKA-15415), and the refusal of a ProduceRequest may
   tell of it itself (KIP-951).

Sources: Metadata.java, ProducerMetadata.java, NetworkClient.DefaultMetadataUpdater,
ProducerBatch.java (hasLeaderChangedForTheOngoingRetry).

Not modelled: metadata of new topics alone (every request names all topics), topics forgotten
after metadata.max.idle.ms, topic ids, brokers that leave the cluster for good.
"""

from collections.abc import Callable

from simulator.protocol.accumulator import Destination, PartitionQueue
from simulator.protocol.backoff import exponential_backoff
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    MetadataRequest,
    MetadataResponse,
    PartitionMetadata,
    TopicMetadata,
)
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.partitioning import StickyPartitioner
from simulator.protocol.producer_settings import ProducerSettings

NEVER_US = 2**62  # Later than any time.


class Topic:
    """A topic whose partitions are known: one queue each, and which of them have a leader.

    `fresh`: some of them have not had a batch yet; until then load is not looked at (KIP-794).
    """

    __slots__ = ("fresh", "led", "name", "queues", "sticky")

    def __init__(self, name: str, sticky: StickyPartitioner) -> None:
        self.name = name
        self.queues: list[PartitionQueue] = []
        self.led: tuple[int, ...] = ()
        self.fresh = True
        self.sticky = sticky


class Whereabouts:
    """Brokers, topics and leaders, as the last answers told them.

    Args:
        bootstrap: the brokers to ask at first.
        pick: draws one of 0..n-1 for the records of a topic that have no key.
        between: draws a wait from a range.
    """

    __slots__ = (
        "_attempts",
        "_backoff_us",
        "_between",
        "_max_age_us",
        "_not_before_us",
        "_pick",
        "_queues",
        "_refreshed_us",
        "_settings",
        "_turn",
        "asked",
        "brokers",
        "nowhere",
        "refused",
        "topics",
        "wanted",
    )

    def __init__(
        self,
        settings: ProducerSettings,
        bootstrap: tuple[str, ...],
        pick: Callable[[str, int], int],
        between: Callable[[int, int], int],
    ) -> None:
        self.brokers = {name: Destination(name) for name in bootstrap}
        self.nowhere = Destination("")
        self.topics: dict[str, Topic] = {}
        self.refused: dict[str, Error] = {}  # Topics that can never be.
        self.asked = False  # A request is on its way.
        self.wanted = False  # What is known is old, or not enough.
        self._settings = settings
        self._pick = pick
        self._between = between
        self._backoff_us = (
            settings.retry_backoff_ms * MICROS_PER_MS,
            settings.retry_backoff_max_ms * MICROS_PER_MS,
        )
        self._max_age_us = settings.metadata_max_age_ms * MICROS_PER_MS
        self._queues = 0
        self._attempts = 0
        self._not_before_us = 0
        self._refreshed_us = 0
        self._turn = 0

    def due_us(self) -> int:
        """When the next request should be sent; NEVER_US when none should."""
        if self.asked or not (self.wanted or self.topics):
            return NEVER_US
        if self.wanted:
            return self._not_before_us
        return max(self._refreshed_us + self._max_age_us, self._not_before_us)

    def least_loaded(self, most_in_flight: int) -> Destination | None:
        """The broker with the fewest requests in flight; equal ones take turns.

        None when each of them has as many as it may. Those that are lost are asked last.
        """
        brokers = [broker for broker in self.brokers.values() if not broker.lost]
        brokers = brokers or list(self.brokers.values())
        turn = self._turn % len(brokers)
        chosen = min(brokers[turn:] + brokers[:turn], key=lambda broker: broker.in_flight)
        if chosen.in_flight >= most_in_flight:
            return None
        self._turn += 1
        return chosen

    def request(self, awaited: tuple[str, ...]) -> MetadataRequest:
        """The request to send now: for the known topics, and those that senders wait for."""
        self.asked = True
        return MetadataRequest(tuple(dict.fromkeys((*self.topics, *awaited))))

    def answered(self, response: MetadataResponse | None, now_us: int) -> None:
        """Learn from an answer, or from there being none."""
        self.asked = False
        changed = False
        if response is not None:
            self.wanted = False
            self._refreshed_us = now_us
            for name in response.brokers:
                if name not in self.brokers:
                    self.brokers[name] = Destination(name)
            for told in response.topics:
                changed = self._learn(told, now_us) or changed
        if changed:
            self._attempts = 0
            self._not_before_us = now_us
        else:
            self._not_before_us = now_us + self._between(
                *exponential_backoff(self._attempts, *self._backoff_us)
            )
            self._attempts += 1

    def _learn(self, told: TopicMetadata, now_us: int) -> bool:
        """Whether the answer for one topic said anything new."""
        known = self.topics.get(told.topic)
        if told.error is not Error.NONE:
            if not told.error.retriable:
                self.refused[told.topic] = told.error
                return True
            if known is None:
                return False
            for queue in known.queues:
                if queue.batches:
                    self.wanted = True
                self._move(queue, self.nowhere, queue.leader_epoch, now_us)
            known.led = ()
            return False
        if known is None:
            known = self._new_topic(told.topic)
        changed = False
        for told_one in sorted(told.partitions):
            partition = told_one.partition
            if partition.partition == len(known.queues):
                known.queues.append(PartitionQueue(partition, self._queues, self.nowhere))
                self._queues += 1
                known.fresh = True
            queue = known.queues[partition.partition]
            if told_one.leader_epoch < queue.leader_epoch:
                continue  # From a broker that is behind.
            leader = self.brokers.get(told_one.leader, self.nowhere)
            if leader is self.nowhere and queue.batches:
                self.wanted = True
            if leader is not queue.destination or told_one.leader_epoch > queue.leader_epoch:
                changed = True
                self._move(queue, leader, told_one.leader_epoch, now_us)
        self._look_for_leaders(known)
        return changed

    def learn_leaders(self, leaders: tuple[PartitionMetadata, ...], now_us: int) -> None:
        """Learn of newer leaders from a refusal (Metadata.updatePartitionLeadership)."""
        for (name, number), leader, leader_epoch, *_ in leaders:
            known = self.topics[name]
            queue = known.queues[number]
            if leader and leader_epoch > queue.leader_epoch:
                if leader not in self.brokers:
                    self.brokers[leader] = Destination(leader)
                self._move(queue, self.brokers[leader], leader_epoch, now_us)
                self._look_for_leaders(known)

    def _look_for_leaders(self, topic: Topic) -> None:
        topic.led = tuple(
            number
            for number, queue in enumerate(topic.queues)
            if queue.destination is not self.nowhere
        )

    def _new_topic(self, name: str) -> Topic:
        def pick(options: int) -> int:
            return self._pick(name, options)

        topic = Topic(name, StickyPartitioner(max(self._settings.batch_size, 1), pick))
        self.topics[name] = topic
        return topic

    def _move(
        self, queue: PartitionQueue, leader: Destination, leader_epoch: int, now_us: int
    ) -> None:
        """Hand a queue over to another broker; a new leader is tried without a backoff."""
        if queue.batches:
            queue.destination.pending.pop(queue.number, None)
            leader.pending[queue.number] = queue
            if leader_epoch > queue.leader_epoch:
                for batch in queue.batches:
                    batch.ready_us = min(batch.ready_us, now_us)
        queue.destination = leader
        queue.leader_epoch = leader_epoch
