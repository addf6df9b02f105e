"""An error handler that seeks: what failed is polled again in its place, up to a limit.

A consumer handles all records of a poll, and learns of their failures afterwards, several at a time
(as with handlers that suspend). Then two things must be right for each of them, not only for one:

from where    `lowest` reads each partition again from its first failure. The twin `last_told`
              seeks for one failure after the other: the last seek wins, and what failed before it
              is passed (spring-projects/spring-kafka#4504, #4505).
how often     `of_each` counts for each record. The twin `of_the_last` has one slot, and begins anew
              when another record fails: two partitions that fail in turn go on for ever
              (spring-projects/spring-kafka#1237, #3867).

Records that were handled well, behind one that failed, are handled again: their effects must bear
that.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from models.patterns.retrying.dead_letters import GivingUp
from models.patterns.retrying.wrapping import Factory, calling
from simulator import Cluster, ConsumerRecord, Context, KafkaError

Place = tuple[str, int]
Failures = list[ConsumerRecord]
From = Callable[[Iterable[ConsumerRecord]], dict[Place, int]]
Tracking = Callable[[], Callable[[ConsumerRecord], int]]
PAUSE_US = 100_000  # Before what failed is read again.


def lowest(failed: Iterable[ConsumerRecord]) -> dict[Place, int]:
    """Each partition from its first failure on."""
    seeks: dict[Place, int] = {}
    for record in failed:
        where = record[:2]
        seeks[where] = min(record.offset, seeks.get(where, record.offset))
    return seeks


def last_told(failed: Iterable[ConsumerRecord]) -> dict[Place, int]:
    """Twin: a seek for each failure; of a partition's the last remains."""
    return {record[:2]: record.offset for record in failed}


def of_each() -> Callable[[ConsumerRecord], int]:
    """How often each record has failed."""
    counts: dict[tuple[Any, ...], int] = {}

    def count(record: ConsumerRecord) -> int:
        counts[record[:3]] = counts.get(record[:3], 0) + 1
        return counts[record[:3]]

    return count


def of_the_last() -> Callable[[ConsumerRecord], int]:
    """Twin: how often this record has failed since another one did."""
    place: tuple[Any, ...] = ()
    failures = 0

    def count(record: ConsumerRecord) -> int:
        nonlocal place, failures
        failures = failures + 1 if record[:3] == place else 1
        place = record[:3]
        return failures

    return count


def seeking(
    cluster: Cluster,
    group: str,
    topics: tuple[str, ...],
    factory: Factory,
    settings: Mapping[str, Any],
    *,
    attempts: int,
    giving_up: GivingUp,
    seeks: From = lowest,
    tracking: Tracking = of_each,
) -> None:
    """A consumer with such an error handler, on a node called as its group.

    Args:
        attempts: after so many a record is given up.
        giving_up: what is done with it then.
        seeks: from where partitions are read again.
        tracking: how failures are counted.
    """

    def boot(node: Any) -> None:
        context = Context(cluster, node, {})
        handle, give_up, count = calling(context, factory(context)), giving_up(context), tracking()
        consumer = cluster.consumer(
            node, {**settings, "group.id": group, "enable.auto.commit": False}
        )
        consumer.subscribe(topics)

        def done(record: ConsumerRecord) -> Any:
            """Whether a record was handled, or given up."""
            context.record = record
            try:
                yield from handle(record)
            except KafkaError as error:
                if count(record) < attempts:
                    return False
                try:
                    yield from give_up(record, error, attempts)
                except KafkaError:
                    return False
            return True

        node.start(_live(context, consumer, done, seeks), "service")

    cluster.node(group, boot)


def _live(context: Context, consumer: Any, done: Callable[[Any], Any], seeks: From) -> Any:
    """Poll, handle everything, seek to what has failed, and commit what lies before it."""
    while True:
        records = yield consumer.poll(500)
        failed: Failures = []
        for record in records:
            if not (yield from done(record)):
                failed.append(record)
        again = seeks(failed)
        for where, offset in again.items():
            consumer.seek(where, offset)
        past = {record[:2]: record.offset + 1 for record in records}
        try:
            yield consumer.commit_sync({**past, **again})
        except KafkaError:
            continue  # The group has moved on: whoever has the partitions reads them again.
        if again:
            yield context.sleep(PAUSE_US)
