"""A small transactional database: tables of rows by key, and a write-ahead log.

Rule 1: a transaction happens wholly or not at all, and one after another: what it reads is what
it would read alone, with its own writes.
Rule 2: a table's key is unique. Inserting a key that is there refuses the whole transaction
(`unique_violation`), and nothing of it is written; tables declared `without_unique` take any
number of rows for a key.
Rule 3: the write-ahead log holds what rows became, not what was asked, so replaying a part of it
twice does no harm. It is cut at checkpoints; a checkpoint and the log since lead to the tables.
Rule 4: a change says whether it is an effect (what the event was for) or a mark (a note that the
event was seen, `effect=False`), because a promise is about effects.

Not modelled: isolation levels and locks (transactions run one at a time, each in one step),
conditions and queries, several statements with thinking in between, secondary indexes, reading
the write-ahead log from outside, replicas.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from simulator.errors import BadInput
from simulator.protocol.journal import Journal
from simulator.protocol.machine import NOTHING, Reply, Request, Step
from simulator.protocol.messages import TransactRequest, TransactResponse

COMMITTED = "committed"
UNIQUE_VIOLATION = "unique_violation"
ABORTED = "aborted"

CHECKPOINT_LEAST = 4_096  # Transactions; more when the tables are larger, so that it stays cheap.


class Insert(NamedTuple):
    """Add a row; a unique key that is there refuses the transaction. Result: None."""

    table: str
    key: Any
    value: Any = None
    effect: bool = True


class Upsert(NamedTuple):
    """Add or replace a row. Result: None."""

    table: str
    key: Any
    value: Any = None
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


Operation = Insert | Upsert | Add | Delete | Get


class Change(NamedTuple):
    """What one row became."""

    table: str
    key: Any
    value: Any
    effect: bool = True
    deleted: bool = False


class Committed(NamedTuple):
    """A transaction's entry in the write-ahead log."""

    event_id: str
    changes: tuple[Change, ...]


class _Refused(Exception):
    """Why a transaction is rolled back; it never leaves this file."""


_ABSENT: Any = object()
_OPERATIONS: frozenset[Any] = frozenset((Insert, Upsert, Add, Delete, Get))
_new = tuple.__new__


class Store:
    """One database.

    Args:
        journal: its write-ahead log on the node's disk; what is in it is recovered.
        without_unique: the names of tables whose keys need not be unique.
    """

    __slots__ = ("_checkpoint_at", "_loose", "journal", "tables")

    def __init__(self, journal: Journal, without_unique: Iterable[str] = ()) -> None:
        self.journal = journal
        self._loose = frozenset(without_unique)
        self.tables: dict[str, dict[Any, Any]] = {}
        journal.mend()
        position = 0
        saved = journal.newest_snapshot()
        if saved is not None:
            position, _, tables = saved
            self.tables = {name: dict(rows) for name, rows in tables.items()}
        for fact in journal.facts[position:]:
            self._change(fact)
        self._plan_checkpoint()

    def recover(self, now_us: int) -> Step:  # noqa: ARG002 - the shape of every machine.
        """What a restarted store arms again: nothing."""
        return NOTHING

    # --- Deciding ----------------------------------------------------------------------------

    def decide(self, request: Request, now_us: int) -> Step:  # noqa: ARG002 - see recover.
        """Run a TransactRequest against the tables as they are; only looks.

        Raises:
            BadInput: an operation is none, or its key can be no key.
        """
        body: TransactRequest = request.body
        changes: list[Change] = []
        results: list[Any] = []
        fresh: dict[tuple[str, Any], Any] = {}
        tables, loose = self.tables, self._loose
        try:
            for operation in body.operations:
                if operation.__class__ not in _OPERATIONS:
                    raise BadInput("a store does not know the operation", "", operation)
                table, key = operation[0], operation[1]
                rows = tables.get(table)
                old = _ABSENT if rows is None else rows.get(key, _ABSENT)
                if fresh:
                    old = fresh.get((table, key), old)
                if operation.__class__ is Get:
                    results.append(None if old is _ABSENT else old)
                    continue
                value, result = _run(operation, old, table in loose)
                results.append(result)
                deleted = value is _ABSENT
                if deleted and old is _ABSENT:
                    continue
                fresh[table, key] = value
                shown = None if deleted else value
                changes.append(_new(Change, (table, key, shown, operation[-1], deleted)))
        except _Refused as refused:
            status, detail = refused.args
            answer = TransactResponse(status, (), detail)
            return Step((), (Reply(request.id, answer),))
        except TypeError as error:
            raise BadInput("a row's key must be a plain value:", str(table), key) from error
        answer = _new(TransactResponse, (COMMITTED, tuple(results), ""))
        facts = (_new(Committed, (body.event_id, tuple(changes))),) if changes else ()
        return _new(Step, (facts, (_new(Reply, (request.id, answer)),)))

    # --- Applying ----------------------------------------------------------------------------

    def apply(self, fact: Committed) -> None:
        """Make a transaction true, in the write-ahead log and in the tables.

        It survives a power loss once the driver has flushed the journal: before it answers.
        """
        journal = self.journal
        if len(journal.facts) >= self._checkpoint_at and journal.flushed == len(journal.facts):
            self._checkpoint()
        journal.facts.append(fact)
        self._change(fact)

    def _change(self, fact: Committed) -> None:
        tables = self.tables
        for table, key, value, _, deleted in fact[1]:
            rows = tables.get(table)
            if rows is None:
                rows = tables[table] = {}
            if deleted:
                rows.pop(key, None)
            else:
                rows[key] = value

    def _checkpoint(self) -> None:
        """Save the tables, and cut the write-ahead log that led to them."""
        journal = self.journal
        journal.snapshot({name: dict(rows) for name, rows in self.tables.items()}, keep=1)
        journal.drop_front(len(journal.facts))
        self._plan_checkpoint()

    def _plan_checkpoint(self) -> None:
        rows = sum(len(rows) for rows in self.tables.values())
        self._checkpoint_at = max(CHECKPOINT_LEAST, rows)

    # --- Looking -----------------------------------------------------------------------------

    def changes(self, step: Step) -> Iterator[tuple[str, Any, Any]]:
        """(table, key, value) of each effect of a decided step; marks are left out."""
        for fact in step.facts:
            for change in fact.changes:
                if change.effect:
                    yield change.table, change.key, change.value

    def rows(self, table: str) -> dict[Any, Any]:
        """A copy of one table; empty if nothing was ever written to it."""
        return dict(self.tables.get(table, {}))

    def hard_state(self) -> dict[str, dict[Any, Any]]:
        """What a replay of the journal must lead to again."""
        return {name: dict(rows) for name, rows in self.tables.items()}


def _run(operation: Any, old: Any, loose: bool) -> tuple[Any, Any]:  # noqa: FBT001 - hot.
    """The row's new value (absent: deleted), and the operation's result."""
    kind = operation.__class__
    if kind is Insert:
        if loose:
            return ((operation[2],) if old is _ABSENT else (*old, operation[2])), None
        if old is not _ABSENT:
            detail = f"{operation.table} has a row {operation.key!r} already"
            raise _Refused(UNIQUE_VIOLATION, detail)
        return operation[2], None
    if kind is Add:
        amount = operation[2]
        total = 0 if old is _ABSENT else old
        if not isinstance(total, int) or not isinstance(amount, int):
            detail = f"{operation.table} {operation.key!r}: cannot add {amount!r} to {total!r}"
            raise _Refused(ABORTED, detail)
        return total + amount, total + amount
    if kind is Upsert:
        return ((operation[2],) if loose else operation[2]), None
    assert kind is Delete
    return _ABSENT, old is not _ABSENT
