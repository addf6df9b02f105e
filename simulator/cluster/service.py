"""A service: a consumer group whose instances poll, handle each record, and commit.

When offsets are committed is the whole difference between delivery guarantees:

before  poll, commit, handle: a crash in between loses what was not handled yet. A record is
        handled only if its commit is known to have succeeded, and never tried twice.
after   poll, handle, commit: a crash in between makes the next owner handle it again. A handler
        that fails is tried again, after a pause, until it succeeds.
auto    the consumer commits positions by itself, in poll (enable.auto.commit).
none    nothing is ever committed.

A handler is given as a factory, called once per incarnation with a `Context`; so what it kept in
memory dies with the incarnation. It may be a plain function, a generator function or an
`async def`, of one record. What it raises of `KafkaError` is a failure of handling (see `after`);
anything else is a bug of the handler, and ends the run as it would end a test.

Not modelled here: retry topics, attempt limits, dead letters, parallel handling.
"""

import inspect
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from simulator.chance.laws import Delay, constant
from simulator.cluster.context import Context
from simulator.errors import CommitFailed, KafkaError, RebalanceInProgress, RequestTimedOut
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.world.node import PowerCut

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.consumer import Consumer, ConsumerRecord
    from simulator.world.node import Node

Handler = Callable[..., Any]
HandlerFactory = Callable[[Context], Handler]
Steps = Generator[Any, Any, Any]

RETRY_PAUSE_US = 100 * MICROS_PER_MS


@attrs.frozen
class Serving:
    """How a group serves.

    Args:
        topics: what it subscribes to.
        settings: its consumers' settings, by Kafka's names.
        commit: before, after, auto or none; see above.
        commit_each: commit after (or before) each record, not each poll.
        processing: the delay law of handling one record, before its handler runs.
        producer: settings of the producer by which handlers send.
    """

    topics: tuple[str, ...]
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    commit: str = "after"
    commit_each: bool = False
    processing: Delay = attrs.field(default=constant(0))
    poll_timeout_ms: int = 1_000
    producer: Mapping[str, Any] = attrs.field(factory=dict)


class Service:
    """A group of instances; each is a node `group-0`, `group-1`, ..."""

    def __init__(
        self,
        cluster: "Cluster",
        group: str,
        instances: int,
        factory: HandlerFactory,
        serving: Serving,
    ) -> None:
        self.group = group
        self.serving = serving
        self._cluster = cluster
        self._factory = factory
        self._busy: dict[str, int] = {}  # node -> the incarnation that is handling a record
        self._consumers: dict[str, Consumer] = {}
        self.nodes = [
            cluster.node(f"{group}-{number}", self._boot) for number in range(instances)
        ]

    @property
    def at_rest(self) -> bool:
        """Whether no living instance is at work on a record it was given."""
        return not any(
            self._busy.get(node.name) == node.incarnation and node.gate.open
            for node in self.nodes
        )

    def position(self, where: TopicPartition) -> int:
        """The furthest offset that any instance was handed of a partition."""
        return max(
            (consumer.position(where) or 0 for consumer in self._consumers.values()),
            default=0,
        )

    def _boot(self, node: "Node") -> None:
        settings = {"group.id": self.group, **self.serving.settings}
        settings.setdefault("enable.auto.commit", self.serving.commit == "auto")
        context = Context(self._cluster, node, self.serving.producer)
        handler = self._factory(context)
        consumer = self._consumers[node.name] = self._cluster.consumer(node, settings)
        node.start(self._live(node, consumer, context, handler), "service")

    def _live(
        self, node: "Node", consumer: "Consumer", context: Context, handler: Handler
    ) -> Steps:
        serving = self.serving
        law = serving.processing
        ticks = node.source(f"process@{node.name}", "delay", law)
        handle = self._handling(node, context, handler, law.floor_us, ticks)
        each = serving.commit_each
        consumer.subscribe(serving.topics)
        while True:
            self._busy.pop(node.name, None)
            records = yield consumer.poll(serving.poll_timeout_ms)
            if not records:
                continue
            self._busy[node.name] = node.incarnation
            if not node.point("after_poll"):
                yield node.event()
            if serving.commit == "before" and not each:
                done = yield from self._commit(node, consumer, None)
                if not done:
                    continue
            for record in records:
                if each and serving.commit == "before":
                    done = yield from self._commit(node, consumer, record)
                    if not done:
                        break
                yield from handle(record)
                if each and serving.commit == "after":
                    yield from self._commit(node, consumer, record)
            if serving.commit == "after" and not each:
                yield from self._commit(node, consumer, None)

    def _commit(self, node: "Node", consumer: "Consumer", record: "ConsumerRecord | None") -> Steps:
        """Commit the positions, or just past one record; False if that is not known to be done."""
        if not node.point("before_commit"):
            yield node.event()
        try:
            if record is None:
                yield consumer.commit_sync()
            else:
                yield consumer.commit_sync(
                    {(record.topic, record.partition): record.offset + 1}
                )
        except (CommitFailed, RebalanceInProgress, RequestTimedOut):
            return False  # The next poll rejoins the group; the offsets are its new owner's.
        if not node.point("after_commit"):
            yield node.event()
        return True

    def _handling(
        self,
        node: "Node",
        context: Context,
        handler: Handler,
        floor_us: int,
        ticks: Callable[[], int],
    ) -> Callable[["ConsumerRecord"], Steps]:
        """The steps of handling one record."""
        group = self.group
        waits = _waits(handler)
        context.plain = not waits
        tries_again = self.serving.commit != "before"
        point, record_event = node.point, node.record

        def handle(record: "ConsumerRecord") -> Steps:
            context.record = record
            context.attempt = 0
            where = (group, record.topic, record.partition, record.offset, record.event_id)
            while True:
                context.attempt += 1
                context.calls = 0
                if not point("before_process"):
                    yield node.event()
                record_event(("processing_started", *where))
                delay_us = floor_us + ticks()
                if delay_us:
                    yield node.sleep(delay_us)
                outcome = "done"
                try:
                    if waits:
                        yield from _steps(handler(record))
                    else:
                        handler(record)
                except KafkaError as failed:
                    outcome = type(failed).__name__
                except PowerCut:
                    yield node.event()
                record_event(("processing_ended", *where, outcome))
                if not point("after_process"):
                    yield node.event()
                if outcome == "done" or not tries_again:
                    break
                yield node.sleep(RETRY_PAUSE_US)
            context.record = None

        return handle


def _waits(handler: Handler) -> bool:
    """Whether the handler is a generator function or an `async def`."""
    call = handler if inspect.isroutine(handler) else getattr(handler, "__call__", handler)  # noqa: B004
    return inspect.isgeneratorfunction(call) or inspect.iscoroutinefunction(call)


def _steps(work: Any) -> Steps:
    """A coroutine or generator as steps of the caller."""
    if inspect.iscoroutine(work):
        result = yield from _awaiting(work)
        return result
    result = yield from work
    return result


def _awaiting(work: Any) -> Steps:
    return (yield from work.__await__())
