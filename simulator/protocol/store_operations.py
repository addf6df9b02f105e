"""What a store can be asked to do: operations on rows, sequences, locks and the log, as values.

Rule 1: every write says whether it is an effect (what an event was for) or a mark (a note that
the event was seen, `effect=False`), because a promise is about effects.
Rule 2: functions that an operation carries (`change`, `when`, `where`, `order_by`) look at plain
values and give new ones; they change nothing, and may be called more than once.
Rule 3: a lock is asked for by the words of `FOR UPDATE`: "" takes none, "update" waits, "skip
locked" passes a locked row by, "nowait" refuses at once (`lock_not_available`). They are of rows:
whoever has locked the whole table is waited for.

Not modelled: FOR SHARE, FOR NO KEY UPDATE and FOR KEY SHARE (every row lock excludes every other),
savepoints, updates that change a key, foreign keys, joins and aggregates (read, then reckon).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from simulator.errors import BadInput

COMMITTED = "committed"
UNIQUE_VIOLATION = "unique_violation"
ABORTED = "aborted"
SERIALIZATION_FAILURE = "serialization_failure"
DEADLOCK_DETECTED = "deadlock_detected"
LOCK_NOT_AVAILABLE = "lock_not_available"

LOCKS = ("", "update", "skip locked", "nowait")


class Refused(Exception):
    """Why a transaction is rolled back, as (status, detail); it never leaves the machines."""


class Row(NamedTuple):
    """A row as a transaction sees it; xid: of the transaction that wrote it (xmin)."""

    key: Any
    value: Any
    xid: int


class Nextval(NamedTuple):
    """The next value of a sequence, from 1; in `Insert`, as a column's default. Result: the value.

    It is not transactional: what a rollback leaves unused, nobody gets. Nor is what a crash leaves
    of the 32 values that are logged ahead (PostgreSQL: SEQ_LOG_VALS): sequences have gaps.
    """

    sequence: str


class Insert(NamedTuple):
    """Add a row; a unique key that is there refuses the transaction. Result: the key.

    The key of a transaction that is still open is waited for.
    """

    table: str
    key: Any
    value: Any = None
    effect: bool = True


class Upsert(NamedTuple):
    """Add or replace a row (ON CONFLICT DO UPDATE). Result: whether it was written.

    when: given the old value, whether to replace it (DO UPDATE ... WHERE); None: always.
    """

    table: str
    key: Any
    value: Any = None
    when: Callable[[Any], bool] | None = None
    effect: bool = True


class Update(NamedTuple):
    """Put `change(old value)` in a row's place. Result: the new value; None: there is no row."""

    table: str
    key: Any
    change: Callable[[Any], Any]
    effect: bool = True


class Add(NamedTuple):
    """Add an integer to a running total, which begins at 0. Result: the new total."""

    table: str
    key: Any
    amount: int
    effect: bool = True


class Delete(NamedTuple):
    """Remove a row. Result: whether it was there."""

    table: str
    key: Any
    effect: bool = True


class Get(NamedTuple):
    """Read a row. Result: its value, or None; in a table without unique keys, all its values."""

    table: str
    key: Any
    lock: str = ""


class Select(NamedTuple):
    """Read the rows that `where` is true of. Result: a tuple of Row.

    Args:
        where: given a Row; None: all rows.
        order_by: given a Row, what to sort by; None: by key. Rows that compare equal stand in
            order of their keys.
        limit: how many rows at most; with "skip locked", so many that were not locked.
        lock: as in `Get`. Rows are locked one after the other, in order; one whose lock had to be
            waited for is looked at again, and left out if `where` is true of it no more.
        at_least: keys below it are not looked at; None: no bound.
        below: nor keys from it on; with bounds a table is not read as a whole.
    """

    table: str
    where: Callable[[Row], bool] | None = None
    order_by: Callable[[Row], Any] | None = None
    limit: int | None = None
    lock: str = ""
    at_least: Any = None
    below: Any = None


class AdvisoryLock(NamedTuple):
    """Wait for a lock that has a name and nothing else. Result: True.

    session: hold it until `AdvisoryUnlock` or the end of the connection, not of the transaction.
    """

    name: Any
    session: bool = False


class TryAdvisoryLock(NamedTuple):
    """Take an advisory lock if nobody has it. Result: whether it was taken."""

    name: Any
    session: bool = False


class AdvisoryUnlock(NamedTuple):
    """Give a session's advisory lock back, once for each time it was taken.

    Result: whether the session had it.
    """

    name: Any


class LockTable(NamedTuple):
    """Lock a table EXCLUSIVE: nobody else writes it or locks a row of it, all may read.

    Result: True.
    """

    table: str


class CurrentXid(NamedTuple):
    """This transaction's id (pg_current_xact_id), which it gets now if it had none. Result: it."""


class SnapshotXmin(NamedTuple):
    """The oldest transaction id in flight (pg_snapshot_xmin): all below it have ended.

    Result: it; the next that will be given, if none is in flight.
    """


class EmitMessage(NamedTuple):
    """Write a message into the log, with the transaction (pg_logical_emit_message).

    Result: True.
    """

    prefix: str
    content: Any


class AlterTable(NamedTuple):
    """Say what columns a table has from here on; its rows stay as they are. Result: True.

    The log tells it; writers are locked out as by `LockTable` (PostgreSQL locks readers out too).
    """

    table: str
    columns: tuple[str, ...]


Operation = (
    Insert | Upsert | Update | Add | Delete | Get | Select | Nextval | AdvisoryLock
    | TryAdvisoryLock | AdvisoryUnlock | LockTable | CurrentXid | SnapshotXmin | EmitMessage
    | AlterTable
)  # fmt: skip

WRITES: frozenset[Any] = frozenset((Insert, Upsert, Update, Add, Delete))
QUICK: frozenset[Any] = WRITES | {Get}  # What one step can do when nobody holds a lock.
OTHERS: frozenset[Any] = frozenset(
    (Select, Nextval, AdvisoryLock, TryAdvisoryLock, AdvisoryUnlock, LockTable, CurrentXid,
     SnapshotXmin, EmitMessage, AlterTable)
)  # fmt: skip


def check_lock(how: str) -> None:
    """Raise BadInput if there is no such way to lock a row."""
    if how not in LOCKS:
        words = ", ".join(repr(one) for one in LOCKS)
        raise BadInput("there is no row lock called", "store", how, f"one of {words}")


def check_key(table: Any, key: Any, error: TypeError) -> None:
    """Raise BadInput if what was wrong is a key that can be none; else it is the caller's bug."""
    try:
        dict.fromkeys(((table, key),))
    except TypeError:
        raise BadInput("a row's key must be a plain value:", str(table), key) from error


class _Word:
    """What stands where a row's value would, and is no value of any row."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


ABSENT: Any = _Word("ABSENT")  # There is no row.
KEPT: Any = _Word("KEPT")  # The operation leaves the row as it is.


class Change(NamedTuple):
    """What one row became, and was before (ABSENT: there was none)."""

    table: str
    key: Any
    value: Any
    effect: bool = True
    deleted: bool = False
    before: Any = ABSENT


class Note(NamedTuple):
    """What a transaction wrote into the log besides rows; op: message or ddl.

    position: how many changes of rows stand before it.
    """

    position: int
    op: str
    name: str
    content: Any


class Committed(NamedTuple):
    """A transaction's entry in the write-ahead log; `lsn` counts them, in order of commit.

    event_id: on whose behalf it was, if it was one request.
    """

    event_id: str
    changes: tuple[Change, ...]
    lsn: int = 0
    xid: int = 0
    at_us: int = 0
    notes: tuple[Note, ...] = ()


class SequenceLogged(NamedTuple):
    """A sequence may have given out everything up to `last`, whoever asks after a crash."""

    sequence: str
    last: int
    lsn: int


def run_operation(operation: Any, old: Any, loose: bool) -> tuple[Any, Any]:  # noqa: FBT001 - hot.
    """What a write makes of a row: its new value (ABSENT: none; KEPT: as it is), and the result.

    Args:
        old: the row's value, or ABSENT.
        loose: whether the table's keys need not be unique.

    Raises:
        Refused: the transaction cannot go on.
    """
    kind = operation.__class__
    if kind is Insert:
        if loose:
            return ((operation[2],) if old is ABSENT else (*old, operation[2])), operation[1]
        if old is not ABSENT:
            detail = f"{operation.table} has a row {operation.key!r} already"
            raise Refused(UNIQUE_VIOLATION, detail)
        return operation[2], operation[1]
    if kind is Add:
        amount = operation[2]
        total = 0 if old is ABSENT else old
        if not isinstance(total, int) or not isinstance(amount, int):
            detail = f"{operation.table} {operation.key!r}: cannot add {amount!r} to {total!r}"
            raise Refused(ABORTED, detail)
        return total + amount, total + amount
    if kind is Upsert:
        when = operation[3]
        if when is not None and old is not ABSENT and not when(old):
            return KEPT, False
        return ((operation[2],) if loose else operation[2]), True
    if kind is Update:
        if old is ABSENT:
            return KEPT, None
        new = operation[2](old)
        return new, new
    assert kind is Delete
    return (KEPT, False) if old is ABSENT else (ABSENT, True)
