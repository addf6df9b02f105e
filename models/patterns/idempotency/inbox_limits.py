"""What an inbox forgets, and what it does not compare.

windowed           a mark counts for a while: what comes again after that is taken for new
telling_conflicts  the mark keeps the payload: the same id with another payload is told of, where
                   most inboxes drop it without a word
dated, purging     the mark keeps its time, and a purger deletes what is old
"""

from collections.abc import Callable
from typing import Any

from models.patterns.idempotency.around import INBOX, STORE
from models.patterns.idempotency.inbox import DUPLICATE, Effect
from models.patterns.retrying.wrapping import Factory
from simulator import (
    Cluster,
    ConsumerRecord,
    Context,
    Delete,
    Get,
    Insert,
    Select,
    StoreError,
    UniqueViolation,
)

CONFLICT, GIVEN, PURGED = "conflict", "given", "purged"


def windowed(effect: Effect, window_us: int, *, scope: str = "billing") -> Factory:
    """Mark and effect together; what was seen `window_us` ago or earlier is taken for new.

    It must be longer than the oldest redelivery can be: by a rebalance, from a queue of dead
    letters, by hand.
    """

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            key, now_us = (scope, record.event_id), context.node.now_us
            mark = Insert(INBOX, key, now_us, effect=False)
            (seen_us,) = yield store.transact(Get(INBOX, key))
            stale = seen_us is not None and now_us - seen_us >= window_us
            forget = (Delete(INBOX, key, effect=False),) if stale else ()
            try:
                yield store.transact(*forget, mark, *effect(record))
            except UniqueViolation:
                context.note(DUPLICATE, record.event_id)

        return handle

    return factory


def telling_conflicts(
    effect: Effect, *, scope: str = "billing", tells: bool = True
) -> Factory:
    """As one_transaction; an id that comes again with another payload is told of.

    Most stores only know ids: the second payload is dropped without a word (`tells=False`).
    """

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            key = (scope, record.event_id)
            context.note(GIVEN, f"{record.event_id}={record.value!r}")
            mark = Insert(INBOX, key, record.value, effect=False)
            try:
                yield store.transact(mark, *effect(record))
            except UniqueViolation:
                (known,) = yield store.transact(Get(INBOX, key))
                if tells and known != record.value:
                    context.note(CONFLICT, record.event_id)

        return handle

    return factory


def dated(effect: Effect, *, scope: str = "billing") -> Factory:
    """Mark and effect together; the mark says when, so that a purger can delete it one day."""

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            mark = Insert(INBOX, (scope, record.event_id), context.node.now_us, effect=False)
            try:
                yield store.transact(mark, *effect(record))
            except UniqueViolation:
                context.note(DUPLICATE, record.event_id)

        return handle

    return factory


def purging(cluster: Cluster, age_us: int, every_us: int, until_us: int) -> None:
    """Deploy a purger: marks (of `dated`) that are older than an age are deleted, now and then."""

    def drive(node: Any) -> Any:
        store = cluster.context(node).store(STORE)
        while node.now_us < until_us:
            yield node.sleep(every_us)
            try:
                (rows,) = yield store.transact(Select(INBOX, before(node.now_us - age_us)))
                for row in rows:
                    yield store.transact(Delete(INBOX, row.key, effect=False))
            except StoreError:
                continue  # Another time.
            if rows:
                node.record(("noted", PURGED, str(len(rows))))

    def before(at_us: int) -> Callable[[Any], bool]:
        return lambda row: bool(row.value <= at_us)

    cluster.driver("purger", drive)
