"""Retries without blocking: what fails goes to a retry topic with the time when it is due.

    main topic -> retry topics -> dead letters

The failed record is published to a retry topic, and when it is there its offset is committed: those
behind it go on at once, those of its own key too. So order is lost, and a stale event may overwrite
a newer one. The consumer of a retry topic pauses a partition until its first record is due, and
works on the others meanwhile; failures go forward, never back.

With one topic a delay, records wait behind such as wait as long as they do. In a `single` topic a
record that is due soon waits behind one that is due late.

Sources: spring-kafka's @RetryableTopic ("By using this strategy you lose Kafka's ordering
guarantees for that topic"; spring-projects/spring-kafka#920), and Uber's layout, on which it is
based.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from models.patterns.retrying.dead_letters import SENDING, letter, read_letter
from models.patterns.retrying.retries import drawing
from models.patterns.retrying.wrapping import Factory, Handler, calling
from simulator import Backoff, Cluster, ConsumerRecord, Context, KafkaError, Progress, Wait

IDLE_MS = 500  # A poll of nothing takes so long at most.
AGAIN_US = 100_000  # After so long, what could not be published is tried again.


@attrs.frozen
class Ladder:
    """Where a failed record goes next.

    Args:
        policy: the delays, and how many.
        retry: the retry topics, one a delay, the last of them for all that follow.
        dead: the topic of dead letters.
        permanent: errors that go there at once.
    """

    policy: Backoff
    retry: tuple[str, ...]
    dead: str
    permanent: tuple[type[KafkaError], ...] = ()

    def next(self, attempts: int, error: KafkaError, draw: Any) -> tuple[str, int]:
        """The topic after so many failed attempts, and how long (us) it is to wait there."""
        progress = Progress(retries=attempts - 1)
        u, v = draw(self.policy, progress)
        step = self.policy.after_failure(progress, u=u, v=v)
        if isinstance(error, self.permanent) or not isinstance(step, Wait):
            return self.dead, 0
        return self.retry[min(attempts, len(self.retry)) - 1], step.delay_us


def forwarding(factory: Factory, ladder: Ladder, group: str) -> Factory:
    """A handler whose failures go to the next topic; for the main group and for the others."""

    def forwarding_factory(context: Context) -> Handler:
        handle, draw = calling(context, factory(context)), drawing(context)
        producer = context.cluster.producer(context.node, SENDING)

        def forward(record: ConsumerRecord) -> Any:
            try:
                return (yield from handle(record))
            except KafkaError as failed:
                error = failed
            before = read_letter(record)
            attempts = 1 if before is None else before.attempts + 1
            topic, delay_us = ladder.next(attempts, error, draw)
            made = letter(record, group, error, 1, context.node.now_us + delay_us)
            # Only when the letter is there may the record be committed.
            yield producer.send(
                topic, made.value, made.key, event_id=made.event_id, headers=made.headers
            )
            context.note("dead_lettered" if topic == ladder.dead else "retry", record.event_id)

        return forward

    return forwarding_factory


def consuming_retries(
    cluster: Cluster,
    group: str,
    topics: Sequence[str],
    factory: Factory,
    settings: Mapping[str, Any],
    *,
    waits: bool = True,
) -> None:
    """A consumer of retry topics, on a node called as its group.

    Args:
        factory: of handlers; a record that one raises for is tried again in its place.
        settings: the consumer's, by Kafka's names.
        waits: whether it waits until a record is due; the twin does not.
    """

    def boot(node: Any) -> None:
        context = Context(cluster, node, {})
        handle = calling(context, factory(context))
        consumer = cluster.consumer(
            node, {**settings, "group.id": group, "enable.auto.commit": False}
        )
        consumer.subscribe(topics)
        node.start(_retry(context, consumer, handle, waits=waits), "retries")

    cluster.node(group, boot)


def _retry(context: Context, consumer: Any, handle: Handler, *, waits: bool) -> Any:
    """Poll, put off what is not due, handle and commit the others."""
    node = context.node
    due: dict[tuple[str, int], int] = {}  # Paused partitions, and until when (us).
    while True:
        over = [where for where, due_us in due.items() if due_us <= node.now_us]
        for where in over:
            del due[where]
        consumer.resume([where for where in over if where in consumer.assignment()])
        left_us = min(due.values(), default=node.now_us + IDLE_MS * 1_000) - node.now_us
        records = yield consumer.poll(max(1, min(IDLE_MS, -(-left_us // 1_000))))
        put_off: dict[tuple[str, int], None] = {}
        for record in records:
            where = (record.topic, record.partition)
            made = read_letter(record)
            if where in put_off:
                continue  # Behind one that is not due: it comes again.
            if waits and made is not None and made.due_us > node.now_us:
                consumer.seek(where, record.offset)
                consumer.pause([where])
                due[where] = made.due_us
                put_off[where] = None
                continue
            yield from _handled(context, handle, record)
            try:
                yield consumer.commit_sync({where: record.offset + 1})
            except KafkaError:
                break  # The group has moved on: whoever owns the partition does it again.


def _handled(context: Context, handle: Handler, record: ConsumerRecord) -> Any:
    while True:
        context.record = record
        try:
            yield from handle(record)
        except KafkaError:
            yield context.sleep(AGAIN_US)
        else:
            context.record = None
            return
