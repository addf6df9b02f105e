"""One life of an instance that transforms: a consumer, a producer, and a transform.

It lasts from a start to an error with which it cannot go on; what it does meanwhile, and why,
stands in `transforming`.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.cluster.context import Context
from simulator.cluster.handlers import Steps, handler_waits, steps_of
from simulator.cluster.service import RETRY_PAUSE_US
from simulator.errors import KafkaError, NoOffsetForPartition, RequestTimedOut
from simulator.protocol.group_metadata import GroupMetadata
from simulator.world.node import PowerCut

if TYPE_CHECKING:
    from simulator.cluster.consumer import Consumer, ConsumerRecord
    from simulator.cluster.producer import Producer
    from simulator.cluster.transforming import Transformation
    from simulator.world.kernel import Event
    from simulator.world.node import Node

CLOSE_MS = 1_000  # A life that ends waits so long for its clients to close.


class Output(NamedTuple):
    """A record that a transform makes.

    event_id: by default that of the record that it is made of, or `id/0`, `id/1`, ... if there are
    several: so it is the same whenever it is made again.
    """

    key: Any
    value: Any
    event_id: str | None = None
    partition: int | None = None


class Life:
    """One consumer, one producer, and one transform, from a start to a fatal error."""

    def __init__(self, owner: "Transformation", node: "Node") -> None:
        transforming = self._how = owner.transforming
        self._group = owner.group
        self._node = node
        self._context = Context(owner.cluster, node, transforming.producer)
        self._transform = owner.factory(self._context)
        self._waits = handler_waits(self._transform)
        self.consumer: Consumer = owner.cluster.consumer(node, owner.consumer_settings(node.name))
        self.producer: Producer = owner.cluster.producer(node, owner.producer_settings(node.name))
        self._ticks = node.source(f"process@{node.name}", "delay", transforming.processing)

    def run(self, at_work: dict[str, int]) -> Steps:
        """Poll after poll.

        Raises:
            KafkaError: it cannot go on.
        """
        node, consumer, how = self._node, self.consumer, self._how
        timeout_ms = max(1, how.poll_timeout_ms)
        if how.transactional:
            yield from patiently(self.producer.init_transactions)
        consumer.subscribe(how.sources)
        while True:
            at_work.pop(node.name, None)
            records = yield consumer.poll(timeout_ms)
            if not records:
                continue
            at_work[node.name] = node.incarnation
            yield from self._point("after_poll")
            try:
                yield from self._transact(records)
            except NoOffsetForPartition:
                raise
            except KafkaError:
                if how.transactional:
                    yield from patiently(self.producer.abort_transaction)
                yield node.sleep(RETRY_PAUSE_US)
                if how.rewinds:
                    yield from self._rewind(records)

    def end(self) -> Steps:
        """Close both clients, in so much time as there is."""
        self.producer.close(CLOSE_MS)
        yield self.consumer.close(CLOSE_MS)
        self._context.connections.close()

    # --- A poll --------------------------------------------------------------------------------

    def _transact(self, records: "list[ConsumerRecord]") -> Steps:
        """Transform what was polled, and commit that it was."""
        how, producer = self._how, self.producer
        if how.transactional:
            producer.begin_transaction()
        sent: list[Event] = []
        for record in records:
            made = yield from self._made_of(record)
            for output in made:
                yield from self._point(f"produce-{len(sent)}")
                key, value, event_id, partition = output
                more = {"event_id": event_id, "partition": partition}
                sent.append(producer.send(how.sink, value, key, **more))
        offsets = self._offsets(records)
        if not how.transactional:
            for event in sent:  # noqa: UP028 (nothing can be sent into a list)
                yield event
        elif how.offsets_in_transaction:
            yield producer.send_offsets_to_transaction(offsets, self._metadata())
            yield from self._point("before_commit")
            yield from patiently(producer.commit_transaction)
        else:
            yield from patiently(producer.commit_transaction)
        if not (how.transactional and how.offsets_in_transaction):
            yield from self._point("before_commit")
            yield from self._commit(offsets)
        yield from self._point("after_commit")

    def _offsets(self, records: "list[ConsumerRecord]") -> dict[tuple[str, int], int]:
        """Where to read on, of each partition that was polled: past markers too, if it is known."""
        assigned = self.consumer.assignment()
        offsets: dict[tuple[str, int], int] = {}
        for record in records:
            offsets[record[0], record[1]] = record[2] + 1
        for where, offset in offsets.items():
            if where in assigned:
                offsets[where] = max(offset, self.consumer.position(where) or 0)
        return offsets

    def _metadata(self) -> GroupMetadata:
        if self._how.metadata == "group_id_only":
            return GroupMetadata(self._group)
        return self.consumer.group_metadata()

    def _commit(self, offsets: dict[tuple[str, int], int]) -> Steps:
        """By the consumer itself; if it has lost its partitions, their new owner commits."""
        while True:
            try:
                yield self.consumer.commit_sync(offsets)
            except RequestTimedOut:
                continue  # It may have happened; to commit the same again does no harm.
            except KafkaError:
                return
            return

    def _rewind(self, records: "list[ConsumerRecord]") -> Steps:
        """Go back to what is committed: positions know nothing of an abort."""
        consumer = self.consumer
        first: dict[tuple[str, int], int] = {}
        for record in records:
            first.setdefault((record[0], record[1]), record[2])
        committed = yield from patiently(lambda: consumer.committed(first))
        for where, offset in first.items():
            if where in consumer.assignment():
                known = committed.get(where)
                consumer.seek(where, offset if known is None else known)

    # --- A record ------------------------------------------------------------------------------

    def _made_of(self, record: "ConsumerRecord") -> Steps:
        """What a record is transformed to."""
        node, context = self._node, self._context
        context.record, context.attempt, context.calls = record, 1, 0
        context.plain = not self._waits
        topic, partition, offset, _, _, event_id, _, _ = record
        place = (self._group, topic, partition, offset, event_id)
        yield from self._point("before_process")
        node.record(("processing_started", *place))
        delay_us = self._how.processing.floor_us + self._ticks()
        if delay_us:
            yield node.sleep(delay_us)
        outcome, failure = "done", None
        made: Any = None
        try:
            made = self._transform(record)
            if self._waits or hasattr(made, "throw"):  # The latter wraps one that waits.
                context.plain = False
                made = yield from steps_of(made)
            elif not node.gate.open:  # It swallowed its own death.
                yield node.event()
        except KafkaError as failed:
            outcome, failure = type(failed).__name__, failed
        except PowerCut:
            yield node.event()
        if failure is None:
            outputs = named(made, event_id)
            ids = tuple(one[2] for one in outputs)
            node.record(("record_transformed", *place, self._how.sink, ids))
        node.record(("processing_ended", *place, outcome))
        yield from self._point("after_process")
        context.record = None
        if failure is not None:
            raise failure
        return outputs

    def _point(self, name: str) -> Steps:
        if not self._node.point(name):
            yield self._node.event()


def named(made: Any, event_id: str) -> tuple[Output, ...]:
    """All that was made of an event, each with its id."""
    if made is None:
        return ()
    outputs: Iterable[Output] = (made,) if isinstance(made, Output) else tuple(made)
    several = len(tuple(outputs)) > 1
    return tuple(
        one if one.event_id is not None
        else one._replace(event_id=f"{event_id}/{number}" if several else event_id)
        for number, one in enumerate(outputs)
    )  # fmt: skip


def patiently(call: "Callable[[], Event]") -> Steps:
    """The end of a call that may take long: it is called again until its end is known."""
    while True:
        try:
            return (yield call())
        except RequestTimedOut:
            continue
