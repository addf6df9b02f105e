"""Which rows of the outbox a polling relay takes next, and how it remembers that they are done.

unsent           those not marked, by number; several relays take turns, row by row
unsent_unlocked  twin, where there are several relays: all read the same rows
skip_locked      those that no other relay has: work is shared, and order is lost
per_key          several relays, each with orders of its own
one_leader       around another: only who holds an advisory lock gets any
after_cursor     twin: numbers are handed out before the commit, so a later one may be seen earlier
below_watermark  after the cursor, and of transactions older than any that is still in flight
by_transaction   twin: after a cursor on transactions, whoever is still in flight

Where there are none because others have them, or who began earlier is still in flight, the answer
is LOCKED: nobody can say that all is done.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from models.patterns.outboxes.outbox import OUTBOX, Steps, as_sent
from models.patterns.outboxes.outbox_running import LOCKED
from simulator import Delete, Get, Row, Select, SnapshotXmin, TryAdvisoryLock, Update, Upsert

Rows = Callable[[Any, int], Steps]
NOWHERE = (0, 0)  # The cursor before all rows: (transaction, number).


def _waits(row: Row) -> bool:
    return not row.value["sent"]


def _turn(row: Row) -> tuple[int, int]:
    return row.value["failures"], row.key  # Nobody but `set_aside` counts failures.


def _position(row: Row) -> tuple[int, int]:
    return row.xid, row.key


def unsent(tx: Any, batch: int, lock: str = "update") -> Steps:
    """Rows that are not marked, by their number; others who want them wait."""
    (rows,) = yield tx.run(Select(OUTBOX, _waits, _turn, batch, lock))
    return rows


unsent_unlocked = partial(unsent, lock="")


def skip_locked(tx: Any, batch: int) -> Steps:
    """Rows that no other relay has."""
    rows = yield from unsent(tx, batch, "skip locked")
    if rows:
        return rows
    return LOCKED if (yield from unsent_unlocked(tx, 1)) else ()


def after_cursor(tx: Any, batch: int) -> Steps:
    """Twin: what is committed late under a number that was passed is never read."""
    (found,) = yield tx.run(Get("cursor", "relay"))
    last = (found or NOWHERE)[1]
    (rows,) = yield tx.run(Select(OUTBOX, lambda row: row.key > last, limit=batch))
    return rows


def below_watermark(tx: Any, batch: int) -> Steps:
    """By transaction, then number; and only where nothing can come in between any more."""
    found, oldest = yield tx.run(Get("cursor", "relay"), SnapshotXmin())
    last = found or NOWHERE
    (rows,) = yield tx.run(Select(OUTBOX, lambda row: last < _position(row), _position, batch))
    below = tuple(row for row in rows if row.xid < oldest)
    return LOCKED if rows and not below else below[:batch]


def by_transaction(tx: Any, batch: int) -> Steps:
    """Twin: the same order, without a look at who is still at work."""
    (found,) = yield tx.run(Get("cursor", "relay"))
    last = found or NOWHERE
    (rows,) = yield tx.run(Select(OUTBOX, lambda row: last < _position(row), _position, batch))
    return rows


def per_key(tx: Any, batch: int) -> Steps:
    """An order belongs to one relay for as long as its transaction lasts."""
    waiting = yield from unsent_unlocked(tx, batch)
    mine: list[Row] = []
    for order in dict.fromkeys(row.value["aggregateid"] for row in waiting):
        (locked,) = yield tx.run(TryAdvisoryLock(f"outbox/{order}"))
        if locked:  # Look again: who had the lock before has published what was waiting.
            rows = yield from unsent_unlocked(tx, batch)
            mine += [row for row in rows if row.value["aggregateid"] == order]
    return LOCKED if waiting and not mine else mine


def one_leader(rows: Rows) -> Rows:
    """Whoever has the advisory lock relays; it falls to another when its session ends."""

    def led(tx: Any, batch: int) -> Steps:
        (leads,) = yield tx.run(TryAdvisoryLock("outbox"))
        return (yield from rows(tx, batch)) if leads else LOCKED

    return led


# --- How rows are remembered ---------------------------------------------------------------------


def mark(rows: Sequence[Row]) -> tuple[Any, ...]:
    """They stay, marked, until somebody purges them."""
    return tuple(Update(OUTBOX, row.key, as_sent, effect=False) for row in rows)


def delete(rows: Sequence[Row]) -> tuple[Any, ...]:
    """They go at once."""
    return tuple(Delete(OUTBOX, row.key, effect=False) for row in rows)


def move_cursor(rows: Sequence[Row]) -> tuple[Any, ...]:
    """They stay as they are; where the relay has come to is written elsewhere."""
    return (Upsert("cursor", "relay", _position(rows[-1]), effect=False),)
