"""Dead letters: a record that was given up, with all that is needed to handle it one day after all.

Rule 1: key, value and event id are the record's own, byte for byte, and so is its place: that is
what its effect, its order and its deduplication go by.
Rule 2: where it came from is told once, when it leaves its topic, and stays; so is the first error.
Only the last error and the attempts change on the way. So a letter does not grow.
Rule 3: the letter is in its topic when the producer was told so, and not before: then the offset
of the record may be committed.

The twins of `letter` break rule 1, those of `publishing` break rule 3. Sources: spring-kafka's
DeadLetterPublishingRecoverer (headers kafka_dlt-original-*), dapr/dapr#8284 (a publish that failed
was ignored), confluentinc/kafka-connect-jdbc#1597 (offsets were committed with neither).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from simulator import ConsumerRecord, Context, KafkaError, ProducerFailed

Headers = tuple[tuple[str, Any], ...]
GiveUp = Callable[[ConsumerRecord, KafkaError, int], Any]  # Steps: record, last error, attempts.
GivingUp = Callable[[Context], GiveUp]

NAMES = tuple(f"dead-letter-{name}" for name in ("origin", "first", "last", "attempts", "due"))
SENDING: Mapping[str, Any] = {
    "linger.ms": 0, "request.timeout.ms": 1_000, "delivery.timeout.ms": 3_000,
    "max.block.ms": 3_000,
}  # fmt: skip


@attrs.frozen
class Letter:
    """What is published: a record, and what is known of its failure.

    Attributes:
        origin: topic, partition, offset and timestamp (us) where the record lay first, and the
            group that gave it up.
        attempts: how often it was tried, in all.
        due_us: not before this time; 0: at any time.
        others: the headers that the record had from its producer.
    """

    key: Any
    value: Any
    event_id: str
    origin: tuple[str, int, int, int, str]
    first_error: str
    last_error: str
    attempts: int
    due_us: int = 0
    others: Headers = ()

    @property
    def headers(self) -> Headers:
        """As they travel."""
        told = (self.origin, self.first_error, self.last_error, self.attempts, self.due_us)
        return (*self.others, *zip(NAMES, map(json.dumps, told), strict=True))


def letter(
    record: ConsumerRecord, group: str, error: KafkaError, attempts: int, due_us: int = 0
) -> Letter:
    """A record that has failed, as a letter; one that was a letter keeps where it came from."""
    last = f"{type(error).__name__}: {error}"
    before = read_letter(record)
    if before is not None:
        total = before.attempts + attempts
        return attrs.evolve(before, last_error=last, attempts=total, due_us=due_us)
    origin = (record.topic, record.partition, record.offset, record.timestamp_us, group)
    fact = record.key, record.value, record.event_id
    return Letter(*fact, origin, last, last, attempts, due_us, record.headers)


def read_letter(record: ConsumerRecord) -> Letter | None:
    """The letter that a record is; None: it is an event as it was first sent."""
    told = dict(record.headers)
    if NAMES[0] not in told:
        return None
    origin, first, last, attempts, due_us = (json.loads(told[name]) for name in NAMES)
    others = tuple(header for header in record.headers if header[0] not in NAMES)
    fact = record.key, record.value, record.event_id
    return Letter(*fact, tuple(origin), first, last, attempts, due_us, others)


# --- Twins of `letter`: three ways to lose what a letter is for ---------------------------------


def new_id(record: ConsumerRecord, group: str, error: KafkaError, attempts: int) -> Letter:
    """As a new fact, of which nobody can tell that it was seen before."""
    made = letter(record, group, error, attempts)
    return attrs.evolve(made, event_id=f"{record.event_id}-dead")


def reserialised(record: ConsumerRecord, group: str, error: KafkaError, attempts: int) -> Letter:
    """With a value that was read and written again: equal to us, not to whoever signed it."""
    made = letter(record, group, error, attempts)
    try:
        value = json.dumps(json.loads(record.value or ""))
    except ValueError:
        value = json.dumps(record.value)
    return attrs.evolve(made, value=value)


def last_stop(record: ConsumerRecord, group: str, error: KafkaError, attempts: int) -> Letter:
    """With the topic that it failed in last as its origin, and that failure as the first."""
    others = tuple(header for header in record.headers if header[0] not in NAMES)
    return letter(record._replace(headers=others), group, error, attempts)


# --- What is done with a record in the end --------------------------------------------------------


def publishing(topic: str, group: str, write: Any = letter) -> GivingUp:
    """Publish it to a topic of dead letters, and wait until it is there.

    If that fails, so does the handling of the record: it is not committed, and comes again.
    """

    def giving_up(context: Context) -> GiveUp:
        producer = context.cluster.producer(context.node, SENDING)

        def give_up(record: ConsumerRecord, error: KafkaError, attempts: int) -> Any:
            yield _sent(producer, topic, write(record, group, error, attempts))
            context.note("dead_lettered", record.event_id)

        return give_up

    return giving_up


def fire_and_forget(topic: str, group: str, write: Any = letter) -> GivingUp:
    """Twin: publish it, and wait for nothing: the offset is committed before the letter is there.

    What became of the publish nobody learns.
    """

    def giving_up(context: Context) -> GiveUp:
        producer = context.cluster.producer(context.node, SENDING)

        def give_up(record: ConsumerRecord, error: KafkaError, attempts: int) -> Any:
            _sent(producer, topic, write(record, group, error, attempts))
            context.note("dead_lettered", record.event_id)
            yield context.sleep(0)

        return give_up

    return giving_up


def ignoring_failure(topic: str, group: str, write: Any = letter) -> GivingUp:
    """Twin: publish it, wait for the answer, and go on whatever the answer is (dapr#8284)."""

    def giving_up(context: Context) -> GiveUp:
        producer = context.cluster.producer(context.node, SENDING)

        def give_up(record: ConsumerRecord, error: KafkaError, attempts: int) -> Any:
            try:
                yield _sent(producer, topic, write(record, group, error, attempts))
            except ProducerFailed:
                context.note("letter_failed", record.event_id)
            else:
                context.note("dead_lettered", record.event_id)

        return give_up

    return giving_up


def log_and_skip(context: Context) -> GiveUp:
    """Twin: write a line into a log that nobody reads: spring-kafka's recoverer by default."""

    def give_up(record: ConsumerRecord, _: KafkaError, __: int) -> Any:
        context.note("skipped", record.event_id)
        yield context.sleep(0)

    return give_up


def stopping(context: Context) -> GiveUp:
    """Do nothing more, this record least of all, until somebody looks (Connect's tolerance none).

    Nothing is lost, and nothing goes on: the partitions stay with the member that has stopped.
    """

    def give_up(record: ConsumerRecord, error: KafkaError, _: int) -> Any:
        context.node.record(("warned", f"{context.node.name} stops at {record.event_id}: {error}"))
        yield context.node.event()  # Which nobody will ever let happen.

    return give_up


def _sent(producer: Any, topic: str, made: Letter) -> Any:
    """The event of a letter's sending."""
    return producer.send(
        topic, made.value, made.key, event_id=made.event_id, headers=made.headers
    )
