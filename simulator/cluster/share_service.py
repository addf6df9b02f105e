"""A share group of services: its instances poll, handle each record, and say what became of it.

explicit  (share.acknowledgement.mode) a record is accepted when its handler has ended well,
          rejected when the handler answers "reject", and released when it raises a `KafkaError`:
          then somebody is given it again, until it was delivered too often.
implicit  the next poll accepts all that the last one gave, whatever the handlers made of it.

Handlers are given as for a consumer group (see `service`): a factory, called once an incarnation.

Not modelled here: handlers that work beside each other in one instance; a lock that is renewed.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from simulator.chance.laws import Delay, constant
from simulator.cluster.context import Context
from simulator.cluster.draining import share_is_drained
from simulator.cluster.handlers import Steps, handler_of, handler_waits, steps_of
from simulator.cluster.service import Handler, HandlerFactory
from simulator.errors import BadInput, KafkaError
from simulator.protocol.share_settings import ShareConsumerSettings, share_consumer_settings
from simulator.world.node import PowerCut

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.consumer import ConsumerRecord
    from simulator.cluster.share_consumer import ShareConsumer
    from simulator.world.node import Node

EXPLICIT: Mapping[str, Any] = {"share.acknowledgement.mode": "explicit"}


@attrs.frozen
class ShareServing:
    """How a share group serves.

    Args:
        topics: what it subscribes to.
        settings: its share consumers' settings, by Kafka's names; explicit, unless they say
            otherwise.
        group: the group's own settings, such as share.auto.offset.reset.
        processing: the delay law of handling one record, before its handler runs.
        poll_timeout_ms: how long a poll waits for records at most; at least 1, for time must pass.
        producer: settings of the producer by which handlers send.
    """

    topics: tuple[str, ...]
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    group: Mapping[str, Any] = attrs.field(factory=lambda: {"share.auto.offset.reset": "earliest"})
    processing: Delay = attrs.field(default=constant(0))
    poll_timeout_ms: int = 60_000
    producer: Mapping[str, Any] = attrs.field(factory=dict)


class ShareService:
    """A share group's instances; each is a node `group-0`, `group-1`, ..."""

    def __init__(
        self,
        cluster: "Cluster",
        group: str,
        instances: int,
        factory: HandlerFactory,
        serving: ShareServing,
    ) -> None:
        self.group = group
        self.serving = serving
        self._cluster = cluster
        self._factory = factory
        self._busy: dict[str, int] = {}  # node -> the incarnation that is handling a record
        self._settings: ShareConsumerSettings = share_consumer_settings(
            {"group.id": group, **EXPLICIT, **serving.settings}, f"share consumers of {group}"
        )
        cluster.share_settings(group, serving.group)
        self.nodes = [cluster.node(f"{group}-{number}", self._boot) for number in range(instances)]

    @property
    def at_rest(self) -> bool:
        """Whether everything in the group's topics is finished, and nobody is at work."""
        for node in self.nodes:
            if self._busy.get(node.name) == node.incarnation and node.gate.open:
                return False
        return not self.nodes or all(
            share_is_drained(self._cluster, self.group, topic) for topic in self.serving.topics
        )

    def _boot(self, node: "Node") -> None:
        context = Context(self._cluster, node, self.serving.producer)
        handler = handler_of(self._factory, context)
        consumer = self._cluster.share_consumer(node, self._settings)
        node.start(self._live(node, consumer, context, handler), "service")

    def _live(
        self, node: "Node", consumer: "ShareConsumer", context: Context, handler: Handler
    ) -> Steps:
        serving = self.serving
        explicit = self._settings.share_acknowledgement_mode == "explicit"
        ticks = node.source(f"process@{node.name}", "delay", serving.processing)
        consumer.subscribe(serving.topics)
        while True:
            self._busy.pop(node.name, None)
            records = yield consumer.poll(max(1, serving.poll_timeout_ms))
            if not records:
                continue
            self._busy[node.name] = node.incarnation
            if not node.point("after_poll"):
                yield node.event()
            for record in records:
                kind = yield from self._handle(context, handler, record, ticks)
                if explicit:
                    consumer.acknowledge(record, kind)

    def _handle(
        self, context: Context, handler: Handler, record: "ConsumerRecord", ticks: Any
    ) -> Steps:
        """Handle one record; how it is to be acknowledged."""
        node = context.node
        waits = handler_waits(handler)
        context.record, context.calls, context.plain = record, 0, not waits
        context.attempt = 1
        place = (self.group, record.topic, record.partition, record.offset, record.event_id)
        if not node.point("before_process"):
            yield node.event()
        node.record(("processing_started", *place))
        delay_us = self.serving.processing.floor_us + ticks()
        if delay_us:
            yield node.sleep(delay_us)
        outcome, kind = "done", "accept"
        try:
            made = handler(record)
            if waits or hasattr(made, "throw"):  # The latter wraps one that waits.
                context.plain = False
                made = yield from steps_of(made)
            elif not node.gate.open:  # It swallowed its own death.
                yield node.event()
            kind = made if made == "reject" else "accept"
        except KafkaError as failed:
            outcome, kind = type(failed).__name__, "release"
        except PowerCut:
            yield node.event()
        node.record(("processing_ended", *place, outcome))
        if not node.point("after_process"):
            yield node.event()
        context.record = None
        return kind


def known_topics(topics: tuple[str, ...], known: Mapping[str, Any], where: str) -> None:
    """Refuse a topic that is not there.

    Raises:
        BadInput: there is none of that name.
    """
    for topic in topics:
        if topic not in known:
            fix = "known: " + ", ".join(known)
            raise BadInput("there is no topic called", where, topic, fix)
