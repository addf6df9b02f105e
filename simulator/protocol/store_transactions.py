"""One transaction of several statements: what it sees, what it locks, what it has written.

Rule 1: read committed: each statement sees what is committed when it begins, and what its own
transaction wrote. One that waited for a row's lock goes on with the row's newest version, and
leaves it out if it is gone or no longer wanted (PostgreSQL's EvalPlanQual).
Rule 2: repeatable read: every statement sees what was committed when the first one began. To
write or lock a row that somebody has changed since is a `serialization_failure`. Two transactions
that each read what the other writes both commit: write skew.
Rule 3: serializable: repeatable read, and when a transaction that has written commits, all that it
read (rows, and conditions, whether rows satisfied them or not) is compared with what others have
committed since its snapshot: if they changed any of it, it is a `serialization_failure`. So those
that commit are as if one after the other, in the order of their commits, and one that only read is
as if at its snapshot, and never refused. PostgreSQL's SSI refuses only where two such dependencies
meet; this refuses at each, so it refuses more often, and never lets an anomaly through.
Rule 4: a lock on a row that is not there is none; whoever inserts a key that an open transaction
has inserted waits for it, and then goes on or is refused (`unique_violation`).
Rule 5: an error aborts the transaction: its locks go at once, and only a rollback is left.

A statement is a generator: it stops where it waits for a lock, and goes on when it has it.

Not modelled: predicate locks (SIREAD) with false positives by page, read only deferrable
transactions, memory limits of either, savepoints, two-phase commit. A row that was deleted and
inserted again counts as the same row to whoever waited for its lock (PostgreSQL passes it by).
"""

from collections.abc import Callable, Generator, Iterable
from typing import Any

from simulator.protocol.store import Store
from simulator.protocol.store_locks import Locks, Resource
from simulator.protocol.store_operations import (
    ABSENT,
    DEADLOCK_DETECTED,
    LOCK_NOT_AVAILABLE,
    SERIALIZATION_FAILURE,
    Change,
    Committed,
    Note,
    Refused,
    Row,
    Select,
)

CONCURRENT_UPDATE = "could not serialize access due to concurrent update"
DEPENDENCIES = "could not serialize access due to read/write dependencies among transactions"

Waiting = Generator[None, None, Any]


class Transaction:
    """One open transaction.

    Attributes:
        session: whose it is; its own, if it has none.
        held: the number of the snapshot it holds among the store's versions, or None.
        lsn: what the snapshot is of; None: each statement sees the newest.
        xid: its id; 0 until it writes.
        writes: what rows are to it that it wrote, by table and key.
        changes: all that it did to rows, in order, and on whose behalf.
        asked: the effects that it wanted: (table, key, event id).
        logged: whether a sequence had to be logged for it.
        running: the statement at work, or waiting.
    """

    __slots__ = (
        "asked", "at_once", "changes", "held", "isolation", "keys", "logged", "lsn", "notes",
        "number", "one_request", "ranges", "request", "running", "session", "statement",
        "writes", "xid", "xmin",
    )  # fmt: skip

    def __init__(self, session: Any, number: int, isolation: str) -> None:
        self.session: Any = self if session is None else session
        self.number = number
        self.isolation = isolation
        self.statement = 0  # How many of its statements have begun.
        self.one_request: Any = None  # The request, if this is all of the transaction.
        self.at_once = False  # Whether nobody can wait for it.
        self.held: int | None = None
        self.lsn: int | None = None
        self.xmin = 0
        self.xid = 0
        self.writes: dict[str, dict[Any, Any]] = {}
        self.changes: list[tuple[Change, str]] = []
        self.notes: list[Note] = []
        self.asked: list[tuple[str, Any, str]] = []
        self.keys: dict[tuple[str, Any], None] = {}  # What a serializable one has read: rows ...
        self.ranges: list[tuple[str, Callable[[Row], bool]]] = []  # ... and conditions.
        self.logged = False
        self.running: Waiting | None = None
        self.request: Any = None  # Whom the statement that runs is answered to.


class Transactions:
    """The transactions that are open at a store, and the one way they come to see and write."""

    __slots__ = ("granted", "in_flight", "locks", "store")

    def __init__(self, store: Store) -> None:
        self.store = store
        self.locks = Locks()
        self.in_flight: dict[int, Transaction] = {}  # By xid, in the order they were given.
        self.granted: list[Transaction] = []  # Those that got a lock, and have not gone on yet.

    # --- Seeing --------------------------------------------------------------------------------

    def begin_snapshot(self, tx: Transaction) -> None:
        """Let a transaction that has none take its snapshot, if its isolation has one."""
        if tx.isolation != "read committed" and tx.held is None:
            self.hold(tx, self.store.lsn)

    def hold(self, tx: Transaction, lsn: int, xmin: int = 0) -> None:
        """Let a transaction see the tables as of an lsn.

        xmin: the oldest transaction that was in flight then; 0: it is now.
        """
        tx.held = self.store.versions.hold(lsn)
        tx.lsn = lsn
        tx.xmin = xmin or self.oldest_xid()

    def oldest_xid(self) -> int:
        """The oldest transaction in flight; the next to come, if none is."""
        return next(iter(self.in_flight), self.store.next_xid)

    def take_xid(self, tx: Transaction) -> int:
        """The transaction's id, which it gets now if it had none."""
        if not tx.xid:
            tx.xid = self.store.next_xid
            self.store.next_xid += 1
            self.in_flight[tx.xid] = tx
        return tx.xid

    def draw(self, tx: Transaction, sequence: str) -> int:
        """The next value of a sequence; what it logged is flushed when the transaction commits."""
        facts = self.store.journal.facts
        logged = len(facts)
        value = self.store.sequences.draw(sequence)
        tx.logged = tx.logged or len(facts) > logged
        return value

    def sees(self, tx: Transaction, table: str, key: Any) -> tuple[Any, int]:
        """What a row is to a transaction, and who wrote it; ABSENT: there is none."""
        if tx.isolation == "serializable":
            tx.keys[table, key] = None
        own = tx.writes.get(table)
        if own is not None and key in own:
            return own[key], tx.xid
        versions = self.store.versions
        return versions.now(table, key) if tx.lsn is None else versions.row(table, key, tx.lsn)

    def newest(self, tx: Transaction, table: str, key: Any) -> tuple[Any, int]:
        """What a row is that the transaction has locked: its own, or as committed last.

        Raises:
            Refused: its snapshot is older than that.
        """
        own = tx.writes.get(table)
        if own is not None and key in own:
            return own[key], tx.xid
        versions = self.store.versions
        if tx.lsn is not None and versions.changed_since(table, key, tx.lsn):
            raise Refused(SERIALIZATION_FAILURE, CONCURRENT_UPDATE)
        return versions.now(table, key)

    def rows(self, tx: Transaction, asked: Select) -> list[Row]:
        """The rows that a transaction sees, those that are asked for, in order."""
        table, where = asked.table, asked.where
        least, below = asked.at_least, asked.below
        if tx.isolation == "serializable":
            tx.ranges.append((table, wanted(asked)))
        found, versions, lsn = [], self.store.versions, tx.lsn
        own = tx.writes.get(table, {})
        for key in versions.keys(table, lsn, least, below):
            if key not in own:
                value, xid = versions.now(table, key) if lsn is None else versions.row(
                    table, key, lsn
                )
                if value is not ABSENT:
                    found.append(Row(key, value, xid))
        found += [
            Row(key, value, tx.xid)
            for key, value in own.items()
            if value is not ABSENT
            and (least is None or key >= least)
            and (below is None or key < below)
        ]
        if where is not None:
            found = [row for row in found if where(row)]
        return in_order(found, asked.order_by)

    # --- Writing -------------------------------------------------------------------------------

    def write(
        self, tx: Transaction, table: str, key: Any, new: Any, whose: tuple[bool, str]
    ) -> None:
        """Let a row that the transaction has locked become `new`, to itself alone for now.

        Args:
            whose: whether it is an effect, and of which event.
        """
        self.take_xid(tx)
        own = tx.writes.setdefault(table, {})
        before = own[key] if key in own else self.store.versions.now(table, key)[0]
        own[key] = new
        deleted = new is ABSENT
        change = Change(table, key, None if deleted else new, whose[0], deleted, before)
        tx.changes.append((change, whose[1]))

    # --- Locking -------------------------------------------------------------------------------

    def lock(
        self, tx: Transaction, owner: Any, resource: Resource, how: str, *, shared: bool = False
    ) -> Waiting:
        """Take a lock; whether it is there now ("skip locked": it may not be).

        Raises:
            Refused: it would have to wait, and cannot or would wait for itself.
        """
        locks = self.locks
        if locks.take(owner, resource, shared=shared):
            return True
        if how == "skip locked":
            return False
        what = told(resource)
        if how == "nowait" or tx.at_once:
            raise Refused(LOCK_NOT_AVAILABLE, f"could not obtain lock on {what}")
        locks.wait(owner, resource, shared=shared)
        circle = locks.circle(owner)
        if circle:
            granted = locks.withdraw(owner)
            assert not granted, "it came last, so nobody has waited for it"
            raise Refused(
                DEADLOCK_DETECTED, f"deadlock detected, {len(circle)} wait in a circle for {what}"
            )
        yield
        return True

    def enter(self, tx: Transaction, table: str) -> Waiting:
        """Keep those out who lock a table as a whole: before a statement looks for what to lock.

        Whatever is to be done with a row that is locked, a table's lock is waited for.
        """
        return (yield from self.lock(tx, tx, ("table", table), "update", shared=True))

    def lock_row(self, tx: Transaction, table: str, key: Any, how: str = "update") -> Waiting:
        """Lock a row of a table that was entered."""
        return (yield from self.lock(tx, tx, ("row", table, key), how))

    def let_go(self, tx: Transaction, table: str, key: Any) -> None:
        """A row that was gone when its lock was had needs none, unless it was one's own."""
        if key not in tx.writes.get(table, ()):
            self.granted += self.locks.release(tx, ("row", table, key))

    def may_be_inserted(self, tx: Transaction, table: str, key: Any) -> bool:
        """Whether a key is not there for good: nobody has it who does not wish to end it."""
        if table in self.store.loose:
            return True
        own = tx.writes.get(table)
        if own is not None and key in own:
            return own[key] is ABSENT
        if self.store.versions.now(table, key)[0] is ABSENT:
            return True
        other = self.locks.holder(("row", table, key))
        return other is not None and key in other.writes.get(table, ())

    # --- Ending --------------------------------------------------------------------------------

    def fact(self, tx: Transaction, event_id: str, now_us: int) -> Committed | None:
        """What committing it writes into the log; None if it has changed nothing.

        Raises:
            Refused: it is serializable, and others have changed what it read.
        """
        if not tx.changes and not tx.notes:
            return None
        if tx.isolation == "serializable":
            self._validate(tx)
        changes = tuple(change for change, _ in tx.changes)
        return self.store.commit(event_id, changes, self.take_xid(tx), now_us, tuple(tx.notes))

    def _validate(self, tx: Transaction) -> None:
        assert tx.lsn is not None, "it wrote, so it has a snapshot"
        versions = self.store.versions
        for fact in versions.commits_since(tx.lsn):
            for change in fact.changes:
                table, key = change.table, change.key
                if (table, key) in tx.keys or any(
                    value is not ABSENT and where(Row(key, value, xid))
                    for other, where in tx.ranges
                    if other == table
                    for value, xid in (versions.row(table, key, lsn)
                                       for lsn in (fact.lsn - 1, fact.lsn))
                ):
                    raise Refused(SERIALIZATION_FAILURE, DEPENDENCIES)

    def end(self, tx: Transaction) -> None:
        """Forget a transaction that has committed or not; others get its locks."""
        if tx.xid:
            del self.in_flight[tx.xid]
        if tx.held is not None:
            self.store.versions.release(tx.held)
            tx.held = None
        if tx in self.granted:  # Another that ended with it gave it a lock just now.
            self.granted.remove(tx)
        self.granted += self.locks.release_all(tx)


def wanted(asked: Select) -> Callable[[Row], bool]:
    """Whether a row is one that is asked for."""
    where, least, below = asked.where, asked.at_least, asked.below

    def is_wanted(row: Row) -> bool:
        if (least is not None and row.key < least) or (below is not None and row.key >= below):
            return False
        return where is None or where(row)

    return is_wanted


def in_order(rows: list[Row], order_by: Callable[[Row], Any] | None) -> list[Row]:
    """Rows sorted by their keys, and then by what is asked for."""
    try:
        rows.sort(key=_key)
    except TypeError:  # Keys of several kinds.
        rows.sort(key=_spelt)
    if order_by is not None:
        rows.sort(key=order_by)
    return rows


def _key(row: Row) -> Any:
    return row.key


def _spelt(row: Row) -> tuple[str, str]:
    return type(row.key).__name__, repr(row.key)


def told(resource: Iterable[Any]) -> str:
    """A lock in words."""
    kind, *names = resource
    return f"{kind} {' '.join(repr(name) for name in names)}"
