"""A service: a consumer group whose instances poll, handle each record, and commit.

When offsets are committed is the whole difference between delivery guarantees: see `serving`.

A handler is given as a factory, called once per incarnation with a `Context`; so what it kept in
memory dies with the incarnation. It may be a plain function, a generator function or an
`async def`, of one record. What it raises of `KafkaError` is a failure of handling (see `after`);
anything else is a bug of the handler, and ends the run as it would end a test.

An instance ends as an application does that does not catch what its consumer throws: there is no
position to go on from (auto.offset.reset=none), another has taken its group.instance.id, its group
is gone. It closes its consumer, and is gone until its node is started again.

By itself a service tries for ever. Attempt limits, retry topics and dead letters are patterns
around a handler; see `models/patterns`.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simulator.chance.choosers import never
from simulator.chance.laws import Pick
from simulator.cluster.context import Context
from simulator.cluster.handlers import Steps, handler_of, handler_waits, steps_of
from simulator.cluster.rebalance_listener import committing_revoked
from simulator.cluster.serving import Serving
from simulator.errors import (
    BadInput,
    FencedInstance,
    KafkaError,
    RequestTimedOut,
)
from simulator.protocol.consumer_settings import ConsumerSettings, consumer_settings
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.world.node import PowerCut

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.consumer import Consumer, ConsumerRecord
    from simulator.cluster.parallel import ParallelWork
    from simulator.world.node import Node

Handler = Callable[..., Any]
HandlerFactory = Callable[[Context], Handler]
RETRY_PAUSE_US = 100 * MICROS_PER_MS
AGAIN_MS = 100  # So long does an instance whose commit was refused wait for records.
RANDOM_GROUPS = 2**31


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
        self._owing: dict[str, int] = {}  # node -> the incarnation whose last commit was refused
        self._ended: dict[str, int] = {}  # node -> the incarnation that has given up
        self._stopping: dict[str, int] = {}  # node -> the incarnation that was asked to end
        self._consumers: dict[str, Consumer] = {}
        # At once, so that a mistake is told at once; each instance has its own of these.
        self._settings = _settings(group, serving, f"{group}-0")
        self.nodes = [
            cluster.node(f"{group}-{number}", self._boot) for number in range(instances)
        ]

    @property
    def isolation_level(self) -> str:
        """What its consumers see of transactions."""
        return self._settings.isolation_level

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

    @property
    def goes_by_positions(self) -> bool:
        """Whether how far it is can be seen by positions alone, for no commit speaks for all."""
        return self.serving.commit == "none" or self.serving.group_ids != "one"

    def stop(self, name: str) -> None:
        """Have an instance close its consumer after the records at hand, and end in order.

        It is gone until its node is started again: a crash, which finds nobody at work, does that.
        """
        nodes = {node.name: node for node in self.nodes}
        if name not in nodes:
            raise BadInput("there is no instance called", self.group, name, ", ".join(nodes))
        self._stopping[name] = nodes[name].incarnation

    def position(self, where: TopicPartition) -> int:
        """The furthest offset that any owner of a partition was handed.

        If each instance reads everything, it is that of the one which is furthest behind.
        """
        if self.serving.group_ids != "one":
            return min(
                (consumer.position(where) or 0) if where in consumer.assignment() else 0
                for consumer in self._consumers.values()
            )
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
        if self.serving.group_ids != "one":
            return False  # Each for itself: its position tells.
        owners = [one for one in self._consumers.values() if where in one.assignment()]
        begun = [one.begun_at(where) for one in owners]
        return bool(begun) and all(at is not None and at >= offset for at in begun)

    def _boot(self, node: "Node") -> None:
        context = Context(self._cluster, node, self.serving.producer)
        handler = handler_of(self._factory, context)
        settings = _settings(self.group, self.serving, node.name, self._drawn(node))
        consumer = self._consumers[node.name] = self._cluster.consumer(node, settings)
        node.start(self._live(node, consumer, context, handler), "service")

    def _live(
        self, node: "Node", consumer: "Consumer", context: Context, handler: Handler
    ) -> Steps:
        serving = self.serving
        work = self._working(consumer, context, handler)
        parallel = self._in_parallel(consumer, context, handler)
        self._choose(consumer, parallel.listener if parallel is not None else None)
        timeout_ms = max(1, serving.poll_timeout_ms)
        try:
            if parallel is not None:
                yield from parallel.live()  # Until it is asked to end.
            while self._stopping.get(node.name) != node.incarnation:
                owing = self._owing.get(node.name) == node.incarnation
                records = yield consumer.poll(min(timeout_ms, AGAIN_MS) if owing else timeout_ms)
                if not records:
                    if owing:
                        yield from self._settle(node, consumer)
                    continue
                self._busy[node.name] = node.incarnation
                if not node.point("after_poll"):
                    yield node.event()
                yield from work(records)
                self._busy.pop(node.name, None)
        except KafkaError as lost:  # A handler's own has been dealt with: this is the consumer's.
            node.record(("warned", f"{node.name} stops: {type(lost).__name__}: {lost}"))
        self._busy.pop(node.name, None)
        self._ended[node.name] = node.incarnation
        yield consumer.close()

    def _settle(self, node: "Node", consumer: "Consumer") -> Steps:
        """Try a refused commit again, if what it was about is still this instance's.

        A cooperative member keeps its partitions over a rebalance and is not given their records
        again: "You can try completing the rebalance by calling poll() and then retry the operation"
        (RebalanceInProgressException of ConsumerCoordinator.java). So does one of KIP-848 whose
        epoch was stale.
        """
        if consumer.assignment():
            yield from self._committing(node, consumer)(None)
        else:
            del self._owing[node.name]

    def _in_parallel(
        self, consumer: "Consumer", context: Context, handler: Handler
    ) -> "ParallelWork | None":
        if self.serving.parallel is None:
            return None
        from simulator.cluster.parallel import ParallelWork

        node, incarnation = context.node, context.node.incarnation

        def busy(at_work: bool) -> None:  # noqa: FBT001 - one truth is all it is told
            if at_work:
                self._busy[node.name] = incarnation
            else:
                self._busy.pop(node.name, None)

        return ParallelWork(
            self.group,
            self.serving,
            consumer,
            (context, handler),
            commit=self._committing(node, consumer),
            busy=busy,
            stops=lambda: self._stopping.get(node.name) == incarnation,
        )

    def _choose(self, consumer: "Consumer", listener: Any = None) -> None:
        """Say what is consumed: with others, or, without a group.id, everything."""
        topics = self.serving.topics
        if self.serving.group_ids == "none":
            layout = self._cluster.layout
            consumer.assign(where for topic in topics for where in layout.partitions(topic))
        else:
            if listener is None and self.serving.commit_revoked:
                listener = committing_revoked(consumer)
            consumer.subscribe(topics, listener)

    def _drawn(self, node: "Node") -> str:
        """What is added to the group's name for this start of an instance."""
        if self.serving.group_ids != "random":
            return ""
        draw = node.source(f"group@{node.name}", "choice", Pick(RANDOM_GROUPS))
        return f"-{node.name.rpartition('-')[2]}-{draw():08x}"

    def _committing(
        self, node: "Node", consumer: "Consumer"
    ) -> Callable[[Mapping[Any, int] | None], Steps]:
        """The steps of a commit."""
        before, after = node.crash_point("before_commit"), node.crash_point("after_commit")

        def commit(offsets: Mapping[Any, int] | None) -> Steps:
            """These, or all positions; False if they are others' by now."""
            while True:
                if before is not None and not before():
                    yield node.event()
                try:
                    yield consumer.commit_sync(offsets)
                except RequestTimedOut:
                    continue  # It may have happened; to commit the same again does no harm.
                except FencedInstance:
                    raise  # Another has this member's group.instance.id: nothing can mend that.
                except KafkaError:  # The next poll rejoins the group.
                    if self.serving.commit == "after" and self.serving.parallel is None:
                        self._owing[node.name] = node.incarnation
                    return False
                break
            if self._owing:
                self._owing.pop(node.name, None)
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
                if before and each and not (yield from commit(_past(record))):
                    return
                yield from handle(record)
                if after and each:
                    yield from commit(_past(record))
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
        waits = handler_waits(handler)

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
                outcome, dead = "done", False
                try:
                    made = handler(record)
                    if waits or hasattr(made, "throw"):  # The latter wraps one that waits.
                        context.plain = False
                        yield from steps_of(made)
                    else:
                        dead = not node.gate.open  # It swallowed its own death.
                except KafkaError as failed:
                    outcome = type(failed).__name__
                except PowerCut:
                    dead = True
                if dead:
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


def _past(record: "ConsumerRecord") -> dict[tuple[str, int], int]:
    """What is to be committed once a record is done."""
    return {(record[0], record[1]): record[2] + 1}


def _settings(group: str, serving: Serving, node: str, drawn: str = "") -> ConsumerSettings:
    """The settings of the consumer on a node of a group; `drawn` is added to the group.id.

    Raises:
        BadInput: one is unknown or not allowed.
    """
    given: dict[str, Any] = {} if serving.group_ids == "none" else {"group.id": group + drawn}
    if serving.static:
        given["group.instance.id"] = node
    given |= serving.settings
    given.setdefault("enable.auto.commit", serving.commit == "auto")
    return consumer_settings(given, f"consumers of {group}")
