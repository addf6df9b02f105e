"""What each operation does in a transaction of several statements: look, lock, look again, write.

Each is a generator that stops where it waits for a lock. What `store.decide` does in one step for
a request that is alone, these do among others.
"""

from collections.abc import Callable
from typing import Any

from simulator.errors import BadInput
from simulator.protocol.store_operations import (
    ABSENT,
    KEPT,
    QUICK,
    UNIQUE_VIOLATION,
    Add,
    AdvisoryLock,
    AdvisoryUnlock,
    AlterTable,
    CurrentXid,
    Delete,
    EmitMessage,
    Get,
    Insert,
    LockTable,
    Nextval,
    Note,
    Refused,
    Row,
    Select,
    SnapshotXmin,
    TryAdvisoryLock,
    Update,
    Upsert,
    check_key,
    check_lock,
    run_operation,
)
from simulator.protocol.store_transactions import (
    Transaction,
    Transactions,
    Waiting,
)


def run(
    all_: Transactions, tx: Transaction, operations: tuple[Any, ...], event_id: str
) -> Waiting:
    """Run operations one after the other; their results.

    Raises:
        Refused: the transaction is to be aborted.
        BadInput: an operation is none.
    """
    results = []
    for operation in operations:
        kind = operation.__class__
        does = _DOES.get(kind)
        if does is None:
            raise BadInput("a store does not know the operation", "", operation)
        if kind is not LockTable:  # LOCK TABLE comes before the snapshot, so one may wait for it.
            all_.begin_snapshot(tx)
        try:
            results.append((yield from does(all_, tx, operation, event_id)))
        except TypeError as error:
            if kind in QUICK:
                check_key(operation.table, operation.key, error)
            raise
    return tuple(results)


# --- Rows ----------------------------------------------------------------------------------------


def _insert(all_: Transactions, tx: Transaction, one: Insert, event_id: str) -> Waiting:
    table, key = one.table, one.key
    if key.__class__ is Nextval:
        key = all_.draw(tx, key.sequence)
        one = Insert(table, key, one.value, one.effect)
    if one.effect:
        tx.asked.append((table, key, event_id))
    yield from all_.enter(tx, table)
    if not all_.may_be_inserted(tx, table, key):
        raise Refused(UNIQUE_VIOLATION, f"{table} has a row {key!r} already")
    yield from all_.lock_row(tx, table, key)
    own = tx.writes.get(table, {})
    old = own[key] if key in own else all_.store.versions.now(table, key)[0]
    return (yield from _written(all_, tx, one, old, event_id))


def _upsert(all_: Transactions, tx: Transaction, one: Any, event_id: str) -> Waiting:
    """Of Upsert and Add, which write whether there is a row or not."""
    if one.effect:
        tx.asked.append((one.table, one.key, event_id))
    yield from all_.enter(tx, one.table)
    yield from all_.lock_row(tx, one.table, one.key)
    old, _ = all_.newest(tx, one.table, one.key)
    return (yield from _written(all_, tx, one, old, event_id))


def _update(all_: Transactions, tx: Transaction, one: Any, event_id: str) -> Waiting:
    """Of Update and Delete, which find a row or do nothing."""
    if one.effect:
        tx.asked.append((one.table, one.key, event_id))
    yield from all_.enter(tx, one.table)
    old, _ = all_.sees(tx, one.table, one.key)
    if old is not ABSENT:
        yield from all_.lock_row(tx, one.table, one.key)
        old, _ = all_.newest(tx, one.table, one.key)
        if old is ABSENT:
            all_.let_go(tx, one.table, one.key)
    return (yield from _written(all_, tx, one, old, event_id))


def _written(all_: Transactions, tx: Transaction, one: Any, old: Any, event_id: str) -> Waiting:
    """Write what an operation makes of a locked row; its result."""
    new, result = run_operation(one, old, one.table in all_.store.loose)
    if new is not KEPT:
        if one.table in all_.store.unique.of:
            yield from _constrain(all_, tx, one, old, new)
        all_.write(tx, one.table, one.key, new, (one.effect, event_id))
    return result


def _constrain(all_: Transactions, tx: Transaction, one: Any, old: Any, new: Any) -> Waiting:
    """Take the values that a row has, and those that it had, unless another row has them."""
    unique, table, key = all_.store.unique, one.table, one.key
    for number, value in unique.values(table, key, old):
        yield from all_.lock(tx, tx, ("unique", table, number, value), "update")
    for number, value in unique.values(table, key, new):
        yield from all_.lock(tx, tx, ("unique", table, number, value), "update")
        if unique.is_taken(table, number, value, key, tx.writes.get(table, {})):
            raise Refused(UNIQUE_VIOLATION, f"{table} has a row with {value!r} already")


def _get(all_: Transactions, tx: Transaction, one: Get, _: str) -> Waiting:
    check_lock(one.lock)
    if one.lock:
        yield from all_.enter(tx, one.table)
    value, _xid = all_.sees(tx, one.table, one.key)
    if one.lock and value is not ABSENT:
        if not (yield from all_.lock_row(tx, one.table, one.key, one.lock)):
            return None
        value, _xid = all_.newest(tx, one.table, one.key)
        if value is ABSENT:
            all_.let_go(tx, one.table, one.key)
    return None if value is ABSENT else value


def _select(all_: Transactions, tx: Transaction, one: Select, _: str) -> Waiting:
    check_lock(one.lock)
    if one.lock:
        yield from all_.enter(tx, one.table)
    rows = all_.rows(tx, one)
    if not one.lock:
        return tuple(rows if one.limit is None else rows[: one.limit])
    locked: list[Row] = []
    for row in rows:
        if one.limit is not None and len(locked) >= one.limit:
            break
        if not (yield from all_.lock_row(tx, one.table, row.key, one.lock)):
            continue
        value, xid = all_.newest(tx, one.table, row.key)
        if value is ABSENT:
            all_.let_go(tx, one.table, row.key)
            continue
        now = Row(row.key, value, xid)
        # Only what came while it waited is looked at again.
        if now == row or one.where is None or one.where(now):
            locked.append(now)
    return tuple(locked)


# --- Locks ---------------------------------------------------------------------------------------


def _lock_table(all_: Transactions, tx: Transaction, one: LockTable, _: str) -> Waiting:
    return (yield from all_.lock(tx, tx, ("table", one.table), "update"))


def _advisory(all_: Transactions, tx: Transaction, one: AdvisoryLock, _: str) -> Waiting:
    return (yield from _advise(all_, tx, one, "update"))


def _try_advisory(all_: Transactions, tx: Transaction, one: TryAdvisoryLock, _: str) -> Waiting:
    return (yield from _advise(all_, tx, one, "skip locked"))


def _advise(all_: Transactions, tx: Transaction, one: Any, how: str) -> Waiting:
    resource = ("advisory", one.name)
    had = resource in all_.locks.of(tx)
    if not (yield from all_.lock(tx, tx, resource, how)):
        return False
    if one.session:
        session = tx.session
        if session is tx:
            fix = "a plain function has none; wait for the store in a generator"
            raise BadInput("there is no session to hold a lock:", "store", one.name, fix)
        all_.locks.take(session, resource)
        session.advisory[one.name] = session.advisory.get(one.name, 0) + 1
        if not had:
            all_.granted += all_.locks.release(tx, resource)
    return True


def _unlock(all_: Transactions, tx: Transaction, one: AdvisoryUnlock, _: str) -> Waiting:
    yield from ()
    session = tx.session
    count = 0 if session is tx else session.advisory.get(one.name, 0)
    if count > 1:
        session.advisory[one.name] = count - 1
    elif count:
        del session.advisory[one.name]
        all_.granted += all_.locks.release(session, ("advisory", one.name))
    return count > 0


# --- What is not in rows -------------------------------------------------------------------------


def _nextval(all_: Transactions, tx: Transaction, one: Nextval, _: str) -> Waiting:
    yield from ()
    return all_.draw(tx, one.sequence)


def _current_xid(all_: Transactions, tx: Transaction, _: CurrentXid, __: str) -> Waiting:
    yield from ()
    return all_.take_xid(tx)


def _xmin(all_: Transactions, tx: Transaction, _: SnapshotXmin, __: str) -> Waiting:
    yield from ()
    return all_.oldest_xid() if tx.lsn is None else tx.xmin


def _message(all_: Transactions, tx: Transaction, one: EmitMessage, _: str) -> Waiting:
    yield from ()
    all_.take_xid(tx)
    tx.notes.append(Note(len(tx.changes), "message", one.prefix, one.content))
    return True


def _alter(all_: Transactions, tx: Transaction, one: AlterTable, _: str) -> Waiting:
    yield from all_.lock(tx, tx, ("table", one.table), "update")
    all_.take_xid(tx)
    tx.notes.append(Note(len(tx.changes), "ddl", one.table, tuple(one.columns)))
    return True


_DOES: dict[type, Callable[..., Waiting]] = {
    Insert: _insert, Upsert: _upsert, Add: _upsert, Update: _update, Delete: _update, Get: _get,
    Select: _select, Nextval: _nextval, AdvisoryLock: _advisory, TryAdvisoryLock: _try_advisory,
    AdvisoryUnlock: _unlock, LockTable: _lock_table, CurrentXid: _current_xid,
    SnapshotXmin: _xmin, EmitMessage: _message, AlterTable: _alter,
}  # fmt: skip
