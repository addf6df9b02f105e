"""A hop: a service that reads an event, changes something, and tells what it did in an event.

Each hop may handle an event more than once. Its own effect happens once, for the inbox is in its
transaction. What it sends happens at least once, and the next hop knows it again by its id:

named_after   the id is made of the incoming one and a number: every run makes the same
stored        the id is drawn, and kept in the outbox by the transaction of the effect
drawn         the id is drawn anew by every run: the next hop takes the same fact for another
without_inbox as named_after, with no memory of what was seen

What is sent is sent after the transaction, and the offset is committed after that: so a crash in
between brings the incoming event again, which finds its mark, and is sent on once more.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from models.patterns.idempotency.around import INBOX, STORE
from models.patterns.idempotency.inbox import Effect
from models.patterns.retrying.wrapping import Factory
from simulator import ConsumerRecord, Context, Get, Insert, UniqueViolation, uniform

OUTBOX = "outbox"
DRAWN = 2**31


def name_after(event_id: str, index: int = 0) -> str:
    """The id of the index-th event that is made of this one."""
    return f"{event_id}>{index}"


def cause_of(event_id: str) -> str:
    """The id of the event that this one was made of; "" if of none."""
    return event_id.rpartition(">")[0]


def named_after(effect: Effect, topic: str, *, scope: str, inbox: bool = True) -> Factory:
    """The outgoing id follows from the incoming one.

    Args:
        topic: where the outgoing event goes; its key is the incoming event's id.
        scope: who consumes.
        inbox: whether it is remembered what was seen.
    """

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            mark = (Insert(INBOX, (scope, record.event_id), effect=False),) if inbox else ()
            with suppress(UniqueViolation):  # Whether it was sent on as well nobody knows.
                yield store.transact(*mark, *effect(record))
            out = name_after(record.event_id)
            yield context.send(topic, record.value, record.event_id, event_id=out)

        return handle

    return factory


def without_inbox(effect: Effect, topic: str, *, scope: str) -> Factory:
    """As named_after, but what was seen before is done again."""
    return named_after(effect, topic, scope=scope, inbox=False)


def drawing(context: Context) -> Callable[[], str]:
    """Ids that no run makes twice, as a UUID is."""
    draw = context.node.source(f"uuid@{context.node.name}", "choice", uniform(0, DRAWN))
    return lambda: f"uuid-{draw():08x}-{next(context.node.numbers)}"


def stored(effect: Effect, topic: str, *, scope: str) -> Factory:
    """The outgoing id is drawn once, and lies in the outbox with the effect."""

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store, draw = context.store(STORE), drawing(context)

        def handle(record: ConsumerRecord) -> Any:
            key = (scope, record.event_id)
            mark = Insert(INBOX, key, effect=False)
            out = draw()
            try:
                kept = Insert(OUTBOX, key, out, effect=False)
                yield store.transact(mark, kept, *effect(record))
            except UniqueViolation:
                (out,) = yield store.transact(Get(OUTBOX, key))
            yield context.send(topic, record.value, record.event_id, event_id=out)

        return handle

    return factory


def drawn(effect: Effect, topic: str, *, scope: str) -> Factory:
    """The outgoing id is drawn anew each time that the event is handled."""

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store, draw = context.store(STORE), drawing(context)

        def handle(record: ConsumerRecord) -> Any:
            mark = Insert(INBOX, (scope, record.event_id), effect=False)
            with suppress(UniqueViolation):
                yield store.transact(mark, *effect(record))
            yield context.send(topic, record.value, record.event_id, event_id=draw())

        return handle

    return factory
