"""Two ways to have an inbox in one transaction, if a handler does more than to write rows.

A handler charges a card, or sends a mail: that is in no transaction, and happens as often as the
handler runs. Of two deliveries of one event at a time:

optimistic   both look for the mark, find none, and run; the second is refused when it commits. The
             effect is there once, and two mails are sent.
pessimistic  the mark is inserted first, in the open transaction: the second delivery waits for it,
             and then finds that it is done. One mail, unless a crash undoes the transaction.
unguarded    both look, and both write: the mark has no unique key.

What the handler does beside its transaction needs a key of its own where it is received.

Sources: NServiceBus' outbox (optimistic by default; pessimistic for SQL), MassTransit's InboxState.
"""

from collections.abc import Callable
from typing import Any

from models.patterns.idempotency.around import INBOX, STORE
from models.patterns.idempotency.inbox import Effect
from models.patterns.idempotency.repeats import RAN
from models.patterns.retrying.wrapping import Factory
from simulator import ConsumerRecord, Context, Get, Insert, UniqueViolation, Upsert

Business = Callable[[Context, ConsumerRecord], Any]  # Steps: what is in no transaction.


def mailing(takes_us: int) -> Business:
    """A mail for each run of the handler; it takes a while."""

    def mail(context: Context, record: ConsumerRecord) -> Any:
        context.note(RAN, record.event_id)
        yield context.sleep(takes_us)

    return mail


def optimistic(effect: Effect, business: Business, *, scope: str = "billing") -> Factory:
    """Looks, runs, and inserts the mark with the effect in the end."""

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            key = (scope, record.event_id)
            (seen,) = yield store.transact(Get(INBOX, key))
            if seen is not None:
                return
            yield from business(context, record)
            try:
                yield store.transact(Insert(INBOX, key, 1, effect=False), *effect(record))
            except UniqueViolation:
                return  # Another was faster: the effect is its own.

        return handle

    return factory


def pessimistic(effect: Effect, business: Business, *, scope: str = "billing") -> Factory:
    """Inserts the mark, runs, and writes the effect, in one transaction that stays open."""

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            tx = yield store.begin()
            try:
                yield tx.run(Insert(INBOX, (scope, record.event_id), 1, effect=False))
            except UniqueViolation:
                yield tx.rollback()
                return
            yield from business(context, record)
            yield tx.run(*effect(record))
            yield tx.commit()

        return handle

    return factory


def unguarded(effect: Effect, business: Business, *, scope: str = "billing") -> Factory:
    """Looks, runs, and writes the mark with the effect, whoever has done so before."""

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            key = (scope, record.event_id)
            (seen,) = yield store.transact(Get(INBOX, key))
            if seen is not None:
                return
            yield from business(context, record)
            yield store.transact(Upsert(INBOX, key, 1, effect=False), *effect(record))

        return handle

    return factory
