"""A transformation: a group whose instances read, transform, and write, each poll in a transaction.

1. One poll, one transaction: the records that were made and the offsets that were read are
   committed together, or not at all. That is exactly-once inside the log, if four more things
   hold, and each has a switch that turns it off (see `Transforming`): who reads sees committed
   records only, an instance keeps its transactional.id, it says who it is in its group, and after
   an abort it goes back to what is committed.
2. What can be aborted is aborted, and read again after a pause. What cannot (the producer is
   fenced, say) ends the life of the instance: it closes both clients and, after a pause, begins
   anew with fresh ones and a fresh transform, as a supervised process does.
3. A call that took longer than max.block.ms is called again until its end is known.
4. Whatever a transform does beside what it gives back (a store's transaction, `context.send`) is
   in no transaction of this producer: it happens as often as the record is transformed.

A transform is given as a factory, called once a life with a `Context`. It is a function of one
record that gives an `Output`, several, or None; or a generator function or an `async def` that
returns them. What it raises of `KafkaError` aborts the transaction.

Crash points: after_poll, before_process, after_process, produce-k before the k-th record is handed
over, before_commit, after_commit. Offsets that are committed outside of the transaction are
committed after it; before_commit lies between the two.

Sources: KIP-98, KIP-447, the example in KafkaProducer.java (sendOffsetsToTransaction),
ExactlyOnceMessageProcessor.java.

Not modelled here: a transaction that lasts over several polls, a producer for each partition
(before KIP-447), a process that is restarted by its supervisor after a crash of its own making.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from simulator.chance.laws import Delay, constant
from simulator.cluster.context import Context
from simulator.cluster.handlers import Steps
from simulator.cluster.serving import Serving
from simulator.cluster.transforming_life import Life, Output
from simulator.errors import BadInput, KafkaError, NoOffsetForPartition
from simulator.protocol.consumer_settings import ConsumerSettings, consumer_settings
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.producer_settings import ProducerSettings, producer_settings
from simulator.protocol.settings import one_of, switch

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.consumer import Consumer, ConsumerRecord
    from simulator.world.node import Node

Transform = Callable[["ConsumerRecord"], Any]
TransformFactory = Callable[[Context], Transform]


def passed_on(_: Context) -> Transform:
    """A factory of transforms that pass each record on as it is."""

    def transform(record: "ConsumerRecord") -> Output:
        return Output(record.key, record.value)

    return transform


@attrs.frozen
class Transforming:
    """How a group transforms; its defaults are exactly-once.

    Args:
        sources: the topics that it reads.
        sink: the topic that it writes.
        settings: its consumers' settings, by Kafka's names. Unless they say otherwise, these are
            read_committed, without automatic commits, and begin at the earliest record.
        producer: its producers' settings; a transactional.id comes by itself.
        processing: the delay law of transforming one record, before its transform runs.
        poll_timeout_ms: how long a poll waits for records; at least 1, for time must pass.
        static: each instance has its node's name as group.instance.id (KIP-345).
        transactional: without, records are sent by an idempotent producer, and offsets committed
            when they are acknowledged: at-least-once.
        offsets_in_transaction: without, the consumer commits after each transaction.
        rewinds: after an abort the consumer goes back to what is committed; without, it reads on
            where it stands, past the records of the aborted transaction (KAFKA-17582).
        transactional_id: of an instance: "instance" is its node's name; "random" is another one
            each life, so that what a former life left open is nobody's, and nobody is fenced.
        metadata: what the producer says of its consumer: "member", or "group_id_only", by which
            the group's coordinator finds no zombie out (before KIP-447).
        restart_ms: the pause before an instance that gave up begins anew.
    """

    sources: tuple[str, ...]
    sink: str
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    producer: Mapping[str, Any] = attrs.field(factory=dict)
    processing: Delay = attrs.field(default=constant(0))
    poll_timeout_ms: int = 60_000
    static: bool = attrs.field(default=False, validator=switch)
    transactional: bool = attrs.field(default=True, validator=switch)
    offsets_in_transaction: bool = attrs.field(default=True, validator=switch)
    rewinds: bool = attrs.field(default=True, validator=switch)
    transactional_id: str = attrs.field(default="instance", validator=one_of("instance", "random"))
    metadata: str = attrs.field(default="member", validator=one_of("member", "group_id_only"))
    restart_ms: int = 1_000


class Transformation:
    """A group of instances that transform; each is a node `group-0`, `group-1`, ..."""

    def __init__(
        self,
        cluster: "Cluster",
        group: str,
        instances: int,
        factory: TransformFactory,
        transforming: Transforming,
    ) -> None:
        self.group = group
        self.transforming = transforming
        self.serving = Serving(topics=transforming.sources)  # What it is when it is drained.
        self.goes_by_positions = False  # Its commits say how far it is.
        self.factory = factory
        self.cluster = cluster
        self._at_work: dict[str, int] = {}  # node -> the incarnation that is in a transaction
        self._ended: dict[str, int] = {}  # node -> the incarnation that has given up
        self._lives: dict[str, int] = {}  # node -> how many it has had
        self._consumers: dict[str, Consumer] = {}
        # Read now, so that a mistake is told at once.
        self.isolation_level = self.consumer_settings("").isolation_level
        self.producer_settings("")
        self.nodes = [
            cluster.node(f"{group}-{number}", self._boot) for number in range(instances)
        ]

    @property
    def at_rest(self) -> bool:
        """Whether no living instance is in the midst of a transaction."""
        return not any(
            self._at_work.get(node.name) == node.incarnation and node.gate.open
            for node in self.nodes
        )

    @property
    def has_ended(self) -> bool:
        """Whether every instance has given up for good, so that nothing more will be read."""
        return all(self._ended.get(node.name) == node.incarnation for node in self.nodes)

    def position(self, where: TopicPartition) -> int:
        """The furthest offset that any owner of a partition was handed."""
        owners = [one for one in self._consumers.values() if where in one.assignment()]
        return max((consumer.position(where) or 0 for consumer in owners), default=0)

    def begins_at(self, where: TopicPartition, offset: int) -> bool:
        """Whether a reset or a seek has put the partition's owners there: nothing is to commit."""
        owners = [one for one in self._consumers.values() if where in one.assignment()]
        begun = [one.begun_at(where) for one in owners]
        return bool(begun) and all(at is not None and at >= offset for at in begun)

    def consumer_settings(self, node: str) -> ConsumerSettings:
        """The settings of a node's consumer.

        Raises:
            BadInput: one is unknown or not allowed.
        """
        given: dict[str, Any] = {
            "group.id": self.group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
        if self.transforming.static:
            given["group.instance.id"] = node or self.group
        return consumer_settings(
            {**given, **self.transforming.settings}, f"consumers of {self.group}"
        )

    def producer_settings(self, node: str) -> ProducerSettings:
        """The settings of the producer of a node's next life.

        Raises:
            BadInput: one is unknown or not allowed.
        """
        transforming = self.transforming
        given = dict(transforming.producer)
        if "transactional.id" in given:
            rule, fix = "each instance has its own transactional.id, not", "leave it out"
            raise BadInput(rule, self.group, given["transactional.id"], fix)
        if transforming.transactional:
            named = node or self.group
            if transforming.transactional_id == "random":
                named = f"{named}-{self._lives.get(node, 0)}"
            given["transactional.id"] = named
        return producer_settings(given, f"producers of {self.group}")

    def _boot(self, node: "Node") -> None:
        node.start(self._live(node), "transformation")

    def _live(self, node: "Node") -> Steps:
        """Life after life, until one has no position to begin from."""
        pause_us = self.transforming.restart_ms * MICROS_PER_MS
        while True:
            life = Life(self, node)
            self._consumers[node.name] = life.consumer
            self._lives[node.name] = self._lives.get(node.name, 0) + 1
            goes_on = True
            try:
                yield from life.run(self._at_work)
            except NoOffsetForPartition as lost:
                node.record(("warned", f"{node.name} stops: {type(lost).__name__}: {lost}"))
                self._ended[node.name] = node.incarnation
                goes_on = False
            except KafkaError as failed:
                node.record(("noted", "gave up", f"{node.name}: {failed}"))
            self._at_work.pop(node.name, None)
            yield from life.end()
            if not goes_on:
                return
            yield node.sleep(pause_us)
