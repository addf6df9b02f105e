"""Effects that need no inbox, and those that only look so: what the row itself remembers.

Each event says which version of its aggregate it is, and what the aggregate is then:

guarded      written if its version is greater than the row's: any order, any repetition
next_parked  written if it is the very next version; an early one is parked until it is
next_only    as next_parked, but what comes early is dropped: it does not come again
blind        written whatever is there: an old event that comes again puts the row back

And two that go by no version. A member of a set, or the greatest amount (`member`, `highest`), is
the same however often it is written; a total (`added`) is not.
"""

import json
from collections.abc import Callable
from typing import Any

from models.patterns.idempotency.around import STORE
from models.patterns.idempotency.inbox import LEDGER, Effect
from models.patterns.retrying.wrapping import Factory
from simulator import Add, AdvisoryLock, ConsumerRecord, Context, Delete, Get, Insert, Upsert

PARKED = "parked"


def told(version: int, state: Any) -> str:
    """What an event says: the version, and the state as of it."""
    return json.dumps({"version": version, "state": state})


def read(record: ConsumerRecord) -> tuple[int, Any]:
    """(version, state) of an event; also what a row holds."""
    found = json.loads(record.value or "{}")
    return found["version"], found["state"]


# --- One operation ----------------------------------------------------------------------------


def blind(record: ConsumerRecord) -> tuple[Any, ...]:
    """The row becomes what the event says."""
    return (Upsert(LEDGER, record.key, read(record)),)


def guarded(record: ConsumerRecord) -> tuple[Any, ...]:
    """The row becomes what the event says, if that is newer."""
    version, state = read(record)
    return (Upsert(LEDGER, record.key, (version, state), when=lambda old: version > old[0]),)


def highest(record: ConsumerRecord) -> tuple[Any, ...]:
    """The row is the greatest amount that was told."""
    _, amount = read(record)
    return (Upsert(LEDGER, record.key, amount, when=lambda old: amount > old),)


def member(record: ConsumerRecord) -> tuple[Any, ...]:
    """A row for each thing that was told, by its natural key."""
    _, thing = read(record)
    return (Upsert(LEDGER, record.key, thing),)


def added(record: ConsumerRecord) -> tuple[Any, ...]:
    """The row is the total of what was told."""
    _, amount = read(record)
    return (Add(LEDGER, record.key, amount),)


# --- A look, and then an operation ------------------------------------------------------------


def next_parked(effect: Effect = blind, *, parks: bool = True) -> Factory:
    """A version is applied after the one before it, and never twice.

    Args:
        effect: what a version changes.
        parks: whether a version that comes early is kept; if not, it is dropped.
    """

    def factory(context: Context) -> Callable[[ConsumerRecord], Any]:
        store = context.store(STORE)

        def handle(record: ConsumerRecord) -> Any:
            version, state = read(record)
            tx = yield store.begin()
            # Not the row's lock: of a first version there is no row yet, and nothing is locked.
            yield tx.run(AdvisoryLock(f"{LEDGER} {record.key!r}"))
            (row,) = yield tx.run(Get(LEDGER, record.key))
            current = row[0] if row else 0
            if version == current + 1:
                yield tx.run(*effect(record))
                yield from catch_up(tx, record.key, version)
            elif version > current and parks:
                yield tx.run(Upsert(PARKED, (record.key, version), state, effect=False))
            yield tx.commit()

        def catch_up(tx: Any, key: Any, version: int) -> Any:
            while True:
                version += 1
                (state,) = yield tx.run(Get(PARKED, (key, version)))
                if state is None:
                    return
                yield tx.run(Upsert(LEDGER, key, (version, state)))
                yield tx.run(Delete(PARKED, (key, version), effect=False))

        return handle

    return factory


def next_only(effect: Effect = blind) -> Factory:
    """A version that comes early is dropped."""
    return next_parked(effect, parks=False)


def once_by_natural_key(record: ConsumerRecord) -> tuple[Any, ...]:
    """A row that is inserted: the business key is unique, and a second insert is refused."""
    _, thing = read(record)
    return (Insert(LEDGER, (record.key, thing), True),)
