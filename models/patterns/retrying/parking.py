"""Sequenced dead letters: what follows a failed event of the same key is parked behind it.

Rule 1: whatever belongs to a sequence of which a letter is parked is parked too, untried. So order
within a key is kept, whatever fails, and other keys go on.
Rule 2: the letters of a sequence are handled in their order, and a letter goes only when it was
handled: after a crash in between it is handled again.
Rule 3: a sequence that is full stops its partition: what can be parked is bounded.

The letters lie in a store, by sequence and offset: so a record that comes again is parked once. If
it was evaluated before it comes again it is handled twice, as any record may be.

As in Axon (SequencedDeadLetterQueue, DeadLetteringEventHandlerInvoker, at most 1024 letters a
sequence); why order inside the dead letters matters: apache/pulsar#23557.
"""

from collections.abc import Callable
from typing import Any

from models.patterns.retrying.wrapping import Factory, Handler, calling
from simulator import (
    Cluster,
    ConsumerRecord,
    Context,
    Delete,
    Insert,
    KafkaError,
    Select,
    StoreError,
    UniqueViolation,
)

LETTERS = "letters"
MOST = 1_024
EVERY_US = 500_000


class Full(KafkaError):
    """A sequence has as many letters as it may have: nothing of it is parked, or handled."""


def by_key(record: ConsumerRecord) -> str:
    """A key is a sequence; what has none is one with its partition."""
    return f"{record.topic}/{record.partition}" if record.key is None else str(record.key)


def parking(
    factory: Factory,
    store: str,
    *,
    most: int = MOST,
    sequence_of: Callable[[ConsumerRecord], str] = by_key,
) -> Factory:
    """A handler whose failures are parked, with all that follows them in their sequence.

    Args:
        most: letters a sequence.
        sequence_of: what must stay in order; the twin `one_by_one` lets others pass.
    """

    def parking_factory(context: Context) -> Handler:
        handle, client = calling(context, factory(context)), context.store(store)

        def park_or_handle(record: ConsumerRecord) -> Any:
            sequence = sequence_of(record)
            waiting = Select(LETTERS, at_least=(sequence, 0), below=(sequence, float("inf")))
            (letters,) = yield client.transact(waiting)
            if not letters:
                try:
                    return (yield from handle(record))
                except KafkaError as error:
                    context.note("giving_up", f"{record.event_id}: {error}")
            if len(letters) >= most:
                raise Full(f"{sequence} has {most} letters")
            try:
                place = (sequence, record.offset)
                yield client.transact(Insert(LETTERS, place, tuple(record), effect=False))
            except UniqueViolation:
                pass  # It was parked before, and is given to us again.
            context.note("parked", record.event_id)

        return park_or_handle

    return parking_factory


def one_by_one(record: ConsumerRecord) -> str:
    """Twin: each record is a sequence of its own, as in a plain queue of dead letters."""
    return f"{record.topic}/{record.partition}@{record.offset}"


def evaluating(
    cluster: Cluster,
    factory: Factory,
    store: str,
    *,
    from_ms: int,
    until_ms: int,
    name: str = "evaluator",
) -> None:
    """A program that handles parked letters, sequence after sequence, until none is left.

    Args:
        factory: of handlers; without the pattern around it.
        from_ms: when it begins.
        until_ms: when it ends, whatever is left.
    """

    def drive(node: Any) -> Any:
        context = Context(cluster, node, {})
        handle, client = calling(context, factory(context)), context.store(store)
        yield node.sleep(max(0, from_ms * 1_000 - node.now_us))
        while node.now_us < until_ms * 1_000:
            try:
                (rows,) = yield client.transact(Select(LETTERS))
            except StoreError:
                continue  # It has waited long enough for the answer.
            if not rows:
                return
            stuck: dict[str, None] = {}  # Sequences of which a letter has failed in this round.
            for row in rows:
                sequence = row.key[0]
                if sequence in stuck:
                    continue
                context.record = ConsumerRecord(*row.value)
                try:
                    yield from handle(context.record)
                    yield client.transact(Delete(LETTERS, row.key, effect=False))
                except KafkaError:
                    stuck[sequence] = None
            yield node.sleep(EVERY_US)

    cluster.driver(name, drive)
