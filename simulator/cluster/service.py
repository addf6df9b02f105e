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

An instance whose poll has no position to go on from (auto.offset.reset=none) ends as an application
does that does not catch that: it closes its consumer, and is gone until its node is started again.

Not modelled here: retry topics, attempt limits, dead letters, parallel handling.
"""

import inspect
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from simulator.chance.choosers import never
from simulator.chance.laws import Delay, constant
from simulator.cluster.context import Context
from simulator.errors import (
    FencedInstance,
    KafkaError,
    NoOffsetForPartition,
    RequestTimedOut,
)
from simulator.protocol.consumer_settings import ConsumerSettings, consumer_settings
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
        poll_timeout_ms: how long a poll waits for records; at least 1, for time must pass.
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
        self._ended: dict[str, int] = {}  # node -> the incarnation that has given up
        self._consumers: dict[str, Consumer] = {}
        self._settings = _settings(group, serving)  # At once, so that a mistake is told at once.
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

    @property
    def has_ended(self) -> bool:
        """Whether every instance has given up, so that nothing more will be handled."""
        return all(self._ended.get(node.name) == node.incarnation for node in self.nodes)

    def position(self, where: TopicPartition) -> int:
        """The furthest offset that any owner of a partition was handed."""
        return max(
            (
                consumer.position(where) or 0
                for consumer in self._consumers.values()
                if where in consumer.assignment()
            ),
            default=0,
        )

    def begins_at(self, where: TopicPartition, offset: int) -> bool:
        """Whether a reset or a seek has put the partition's owners there: nothing is to commit."""
        owners = [one for one in self._consumers.values() if where in one.assignment()]
        begun = [one.begun_at(where) for one in owners]
        return bool(begun) and all(at is not None and at >= offset for at in begun)

    def _boot(self, node: "Node") -> None:
        context = Context(self._cluster, node, self.serving.producer)
        handler = self._factory(context)
        consumer = self._consumers[node.name] = self._cluster.consumer(node, self._settings)
        node.start(self._live(node, consumer, context, handler), "service")

    def _live(
        self, node: "Node", consumer: "Consumer", context: Context, handler: Handler
    ) -> Steps:
        serving = self.serving
        work = self._working(consumer, context, handler)
        consumer.subscribe(serving.topics)
        timeout_ms = max(1, serving.poll_timeout_ms)
        while True:
            self._busy.pop(node.name, None)
            try:
                records = yield consumer.poll(timeout_ms)
            except NoOffsetForPartition as lost:
                node.record(("warned", f"{node.name} stops: {type(lost).__name__}: {lost}"))
                self._ended[node.name] = node.incarnation
                yield consumer.close()
                return
            if not records:
                continue
            self._busy[node.name] = node.incarnation
            if not node.point("after_poll"):
                yield node.event()
            yield from work(records)

    @staticmethod
    def _committing(
        node: "Node", consumer: "Consumer"
    ) -> Callable[["ConsumerRecord | None"], Steps]:
        """The steps of a commit."""
        before, after = node.crash_point("before_commit"), node.crash_point("after_commit")

        def commit(record: "ConsumerRecord | None") -> Steps:
            """The positions, or just past a record; False if they are others' by now."""
            offsets = None if record is None else {(record[0], record[1]): record[2] + 1}
            while True:
                if before is not None and not before():
                    yield node.event()
                try:
                    yield consumer.commit_sync(offsets)
                except RequestTimedOut:
                    continue  # It may have happened; to commit the same again does no harm.
                except FencedInstance:
                    raise  # Another has this member's group.instance.id: nothing can mend that.
                except KafkaError:
                    return False  # The next poll rejoins the group; its new owner commits.
                break
            if after is not None and not after():
                yield node.event()
            return True

        return commit

    def _working(
        self, consumer: "Consumer", context: Context, handler: Handler
    ) -> Callable[[list["ConsumerRecord"]], Steps]:
        """The steps from a poll to the next: handling each record, and the commits."""
        each = self.serving.commit_each
        before, after = self.serving.commit == "before", self.serving.commit == "after"
        commit = self._committing(context.node, consumer)
        handle = self._handling(context, handler)

        def work(records: "list[ConsumerRecord]") -> Steps:
            if before and not each and not (yield from commit(None)):
                return
            for record in records:
                if before and each and not (yield from commit(record)):
                    return
                yield from handle(record)
                if after and each:
                    yield from commit(record)
            if after and not each:
                yield from commit(None)

        return work

    def _handling(
        self, context: Context, handler: Handler
    ) -> Callable[["ConsumerRecord"], Steps]:
        """The steps of handling one record."""
        group, law = self.group, self.serving.processing
        tries_again = self.serving.commit != "before"  # What is committed is not tried again.
        node, trace, kernel = context.node, context.node.trace, context.node.kernel
        name, event, tell, floor_us = node.name, node.event, trace.record, law.floor_us
        ticks = node.source(f"process@{name}", "delay", law)
        before, after = node.crash_point("before_process"), node.crash_point("after_process")
        tells_started = trace.wants("processing_started")
        tells_ended = trace.wants("processing_ended")
        waits = _waits(handler)

        def handle(record: "ConsumerRecord") -> Steps:
            context.record = record
            context.attempt = 0
            topic, partition, offset, _, _, event_id, _, _ = record
            while True:
                context.attempt += 1
                context.calls = 0
                context.plain = not waits
                if before is not None and not before():
                    yield event()
                if tells_started:
                    started = ("processing_started", group, topic, partition, offset, event_id)
                    tell(kernel._now, name, (), started)  # noqa: SLF001
                else:
                    trace.seq += 1
                delay_us = floor_us if ticks is never else floor_us + ticks()
                if delay_us:
                    yield node.sleep(delay_us)
                outcome = "done"
                try:
                    made = handler(record)
                    if waits or hasattr(made, "throw"):  # The latter wraps one that waits.
                        context.plain = False
                        yield from _steps(made)
                    elif not node.gate.open:  # It swallowed its own death.
                        yield event()
                except KafkaError as failed:
                    outcome = type(failed).__name__
                except PowerCut:
                    yield event()
                if tells_ended:
                    ended = ("processing_ended", group, topic, partition, offset, event_id)
                    tell(kernel._now, name, (), (*ended, outcome))  # noqa: SLF001
                else:
                    trace.seq += 1
                if after is not None and not after():
                    yield event()
                if outcome == "done" or not tries_again:
                    break
                yield node.sleep(RETRY_PAUSE_US)
            context.record = None

        return handle


def _waits(handler: Handler) -> bool:
    """Whether the handler is a generator function or an `async def`."""
    call: Any = handler
    if not inspect.isroutine(handler):
        call = getattr(handler, "__call__", handler)  # noqa: B004 - the function behind it
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


def _settings(group: str, serving: Serving) -> ConsumerSettings:
    """The settings of a group's consumers.

    Raises:
        BadInput: one is unknown or not allowed.
    """
    given = {"group.id": group, **serving.settings}
    given.setdefault("enable.auto.commit", serving.commit == "auto")
    return consumer_settings(given, f"consumers of {group}")
