"""A global position is drawn before the commit, so positions become visible out of order.

A transaction draws position 1 and thinks; another draws 2 and commits. Who reads the log now sees
2 and not 1: position 1 is a gap. It may be filled at any moment, or never, as a transaction that
is rolled back leaves its position unused. A reader that passes the gap loses the event if it
comes; one that waits stands still if it does not.

A policy is a function: from the place where a reader is, and what it sees, to the rows that it
takes now and the place where it is then. In the order of what they cost:

below_xmin      takes only what transactions older than any that still runs have written, in the
                order of (transaction, position): nothing can appear before it
waits(proven)   waits before a gap until every transaction that could fill it has ended
takes_later()   passes the gap, remembers it, and takes the event whenever it comes (Axon's token)
by_id           right if writers lock the table first: then positions become visible in order

The twins: `by_id` without the lock; `waits(after(ms))` and `takes_later(ms)` with less patience
than the slowest transaction takes; `waits(never)`, which a rollback stops for ever.

Not modelled: limits on what one look reads, and on how many gaps a token may hold.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import attrs

from simulator import Row


class Gap(NamedTuple):
    """A position that was not there: since when, and the newest transaction of that moment."""

    position: int
    since_us: int
    horizon: int


@attrs.frozen
class Place:
    """How far a reader has come: the last position, or (transaction, position); and its gaps."""

    cursor: Any = 0
    gaps: tuple[Gap, ...] = ()


@attrs.frozen
class Seen:
    """One look: the rows, the oldest transaction that runs, the newest, and when it was."""

    rows: tuple[Row, ...]
    xmin: int
    xid: int
    now_us: int


Taken = tuple[list[Row], Place]
Policy = Callable[[Place, Seen], Taken]
Dead = Callable[[Gap, Seen], bool]


def by_id(place: Place, seen: Seen) -> Taken:
    """All behind the last one."""
    rows = [row for row in seen.rows if row.key > place.cursor]
    return rows, Place(rows[-1].key if rows else place.cursor)


def below_xmin(place: Place, seen: Seen) -> Taken:
    """All that older transactions wrote than any which still runs."""
    after = place.cursor or (0, 0)
    rows = [row for row in seen.rows if row.xid < seen.xmin and (row.xid, row.key) > after]
    rows.sort(key=lambda row: (row.xid, row.key))
    return rows, Place((rows[-1].xid, rows[-1].key) if rows else place.cursor)


# --- Gaps: when one may be passed ---------------------------------------------------------------


def never(gap: Gap, seen: Seen) -> bool:
    """A gap is waited for."""
    del gap, seen
    return False


def proven(gap: Gap, seen: Seen) -> bool:
    """All transactions that had begun when it was first seen have ended."""
    return seen.xmin > gap.horizon


def after(timeout_ms: int) -> Dead:
    """It has been there for so long."""
    return lambda gap, seen: seen.now_us - gap.since_us >= timeout_ms * 1_000


def _gaps(place: Place, seen: Seen, known: tuple[Gap, ...]) -> list[Gap]:
    """The positions that are not there, between the cursor and the last row."""
    there = {row.key for row in seen.rows}
    last = max(there, default=0)
    first_seen = {gap.position: gap for gap in known}
    return [
        first_seen.get(position, Gap(position, seen.now_us, seen.xid))
        for position in range(place.cursor + 1, last + 1)
        if position not in there
    ]


def waits(dead: Dead) -> Policy:
    """A reader that stops before a gap, until it is filled or thought dead."""

    def policy(place: Place, seen: Seen) -> Taken:
        gaps = _gaps(place, seen, place.gaps)
        alive = [gap for gap in gaps if not dead(gap, seen)]
        last = max((row.key for row in seen.rows), default=place.cursor)
        end = alive[0].position - 1 if alive else max(last, place.cursor)
        rows = [row for row in seen.rows if place.cursor < row.key <= end]
        return rows, Place(end, tuple(gap for gap in gaps if gap.position > end))

    return policy


def takes_later(timeout_ms: int | None = None) -> Policy:
    """A reader that goes on, and comes back for what was missing; perhaps not after so long."""

    def policy(place: Place, seen: Seen) -> Taken:
        missing = {gap.position for gap in place.gaps}
        rows = [row for row in seen.rows if row.key > place.cursor or row.key in missing]
        there = {row.key for row in rows}
        gaps = [gap for gap in place.gaps if gap.position not in there]
        gaps += _gaps(place, seen, ())
        if timeout_ms is not None:
            dead = after(timeout_ms)
            gaps = [gap for gap in gaps if not dead(gap, seen)]
        last = max((row.key for row in rows), default=place.cursor)
        return rows, Place(max(last, place.cursor), tuple(gaps))

    return policy
