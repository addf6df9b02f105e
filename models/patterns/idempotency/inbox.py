"""An inbox: what an event changes is written together with the memory of having seen it.

Every delivery that can be repeated is repeated one day. So each way below remembers what it has
seen, and they differ in where, when and under which key:

one_transaction  mark and effect in one transaction; a second mark is refused by the unique key
mark_before      the mark in a transaction of its own, first: a crash between the two loses
mark_after       the mark in a transaction of its own, last: a crash between the two repeats
in_memory        ids in the memory of the process, which a restart empties
check_then_act   looks for the mark, then writes mark and effect with no unique key: of two who look
                 at the same time, both act

The key says of what one speaks, from the strongest to the weakest: the event's own id; its place in
the broker's log, which a second send of the same event does not share; the payload, which two
events may share that are not the same. It includes who consumes (`scope`): two consumers that share
one take the event from each other.

Each is given an effect, a function from a record to operations of the store, and gives a factory of
handlers: `Consumers(handler=one_transaction(effect))`. Those that need not know what a handler does
are had around any handler, too (`around.py`).
"""

from collections.abc import Callable
from typing import Any

from models.patterns.idempotency.around import (
    INBOX,
    MILLION,
    STORE,
    marking_after,
    marking_before,
    remembering,
)
from models.patterns.retrying.wrapping import Factory
from simulator import (
    Add,
    ConsumerRecord,
    Context,
    Get,
    Insert,
    UniqueViolation,
    Upsert,
)

LEDGER = "ledger"
DUPLICATE = "duplicate"  # What a handler notes of a delivery that it passes over.

Effect = Callable[[ConsumerRecord], tuple[Any, ...]]
Identity = Callable[[ConsumerRecord], Any]


# --- By what an event is known ----------------------------------------------------------------


def by_event_id(record: ConsumerRecord) -> str:
    """The id that its producer gave it: the same fact, however often it is sent."""
    return record.event_id


def by_place(record: ConsumerRecord) -> str:
    """Where it lies in the broker's log: sent a second time, it lies elsewhere."""
    return f"{record.topic}-{record.partition}@{record.offset}"


def by_payload(record: ConsumerRecord) -> str:
    """What it says: two facts that say the same are taken for one."""
    return f"{record.key!r}: {record.value!r}"


# --- What it changes --------------------------------------------------------------------------


def counted(record: ConsumerRecord) -> tuple[Any, ...]:
    """One more for the record's key: done twice, it shows."""
    return (Add(LEDGER, record.key, 1),)


def counted_in(table: str) -> Effect:
    """One more for the record's key, in a table."""
    return lambda record: (Add(table, record.key, 1),)


# --- Ways to remember -------------------------------------------------------------------------


def no_memory(effect: Effect) -> Factory:
    """None: every delivery has its effect."""

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            yield store.transact(*effect(record))

        return handle

    return factory


def one_transaction(
    effect: Effect, *, scope: str = "billing", identity: Identity = by_event_id
) -> Factory:
    """The mark and the effect are there together, or neither is.

    Args:
        scope: who consumes.
        identity: by what an event is known.
    """

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            mark = Insert(INBOX, (scope, identity(record)), effect=False)
            try:
                yield store.transact(mark, *effect(record))
            except UniqueViolation:
                context.note(DUPLICATE, record.event_id)

        return handle

    return factory


def mark_before(effect: Effect, *, scope: str = "billing") -> Factory:
    """The mark first, and then the effect: what crashes in between is taken for done."""
    return marking_before(no_memory(effect), scope=scope)


def mark_after(effect: Effect, *, scope: str = "billing") -> Factory:
    """The effect first, and then the mark: what crashes in between is taken for new."""
    return marking_after(no_memory(effect), scope=scope)


def in_memory(effect: Effect, *, at_most: int = MILLION) -> Factory:
    """Ids in a dict of the process: a restart, or another instance, knows nothing of them."""
    return remembering(no_memory(effect), at_most=at_most)


def check_then_act(effect: Effect, *, scope: str = "billing") -> Factory:
    """Looks, and then writes mark and effect together; the mark's key is not unique."""

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            mark = (scope, record.event_id)
            (seen,) = yield store.transact(Get(INBOX, mark))
            if seen is None:
                yield store.transact(Upsert(INBOX, mark, 1, effect=False), *effect(record))

        return handle

    return factory
