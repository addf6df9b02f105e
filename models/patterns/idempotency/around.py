"""Guards around any handler: none of them is in the handler's transaction, and so each is too weak.

    Consumers(handler=marking_after(factory))

marking_before  a mark, and then the handler: a crash between the two loses
marking_after   the handler, and then a mark: a crash between the two repeats
remembering     ids in the memory of the process: a restart forgets them

That is what a deduplicating middleware can do at most (Watermill's marks before, in memory). What
is right wants the handler's own transaction: `inbox.one_transaction`.
"""

from collections.abc import Callable
from typing import Any

from models.patterns.retrying.wrapping import Factory, calling
from simulator import ConsumerRecord, Context, Get, Insert, UniqueViolation, Upsert

STORE, INBOX = "ledger", "inbox"
MILLION = 1_000_000


def marking_before(factory: Factory, *, scope: str = "billing") -> Factory:
    """A mark in a transaction of its own, and then the handler.

    Args:
        scope: who consumes.
    """

    def guarded(context: Context) -> Callable[[ConsumerRecord], Any]:
        store, handle = context.store(STORE), calling(context, factory(context))

        def guard(record: ConsumerRecord) -> Any:
            try:
                yield store.transact(Insert(INBOX, (scope, record.event_id), effect=False))
            except UniqueViolation:
                return
            yield from handle(record)

        return guard

    return guarded


def marking_after(factory: Factory, *, scope: str = "billing") -> Factory:
    """The handler, unless there is a mark, and then a mark in a transaction of its own.

    Args:
        scope: who consumes.
    """

    def guarded(context: Context) -> Callable[[ConsumerRecord], Any]:
        store, handle = context.store(STORE), calling(context, factory(context))

        def guard(record: ConsumerRecord) -> Any:
            mark = (scope, record.event_id)
            (seen,) = yield store.transact(Get(INBOX, mark))
            if seen is None:
                yield from handle(record)
                yield store.transact(Upsert(INBOX, mark, 1, effect=False))

        return guard

    return guarded


def remembering(factory: Factory, *, at_most: int = MILLION) -> Factory:
    """The handler, unless this process has handled the event before.

    Args:
        at_most: so many ids are remembered, and then the oldest is forgotten.
    """

    def guarded(context: Context) -> Callable[[ConsumerRecord], Any]:
        handle = calling(context, factory(context))
        seen: dict[str, None] = {}

        def guard(record: ConsumerRecord) -> Any:
            if record.event_id in seen:
                return
            yield from handle(record)
            seen[record.event_id] = None
            if len(seen) > at_most:
                del seen[next(iter(seen))]

        return guard

    return guarded
