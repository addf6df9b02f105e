"""A transactional database: tables of rows by key, and a write-ahead log in order of commit.

Rule 1: a transaction happens wholly or not at all. What stands in the log is committed, in the
order of its log sequence numbers; what was rolled back never stands there.
Rule 2: a table's key is unique. Inserting a key that is there refuses the whole transaction
(`unique_violation`), and nothing of it is written; tables declared `without_unique` take any
number of rows for a key.
Rule 3: the write-ahead log holds what rows became and what they were, not what was asked, so
replaying a part of it twice does no harm. It is cut at checkpoints, but never behind the oldest
replication slot; a checkpoint and the log since lead to the tables.
Rule 4: versions that a row had before are kept while a snapshot is held that may look at them.

This file is what is committed, and the quick way: a request that is one transaction, of
operations on single rows, while nobody holds a lock. All others are `store_sessions`' matter.

Not modelled: secondary indexes, vacuum (versions that nobody can see are gone at once), replicas.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from simulator.errors import BadInput
from simulator.protocol.journal import Journal
from simulator.protocol.machine import NOTHING, Reply, Request, Step
from simulator.protocol.messages import TransactRequest, TransactResponse
from simulator.protocol.store_operations import (
    ABORTED,
    ABSENT,
    COMMITTED,
    KEPT,
    OTHERS,
    QUICK,
    UNIQUE_VIOLATION,
    Add,
    Change,
    Committed,
    Delete,
    Get,
    Insert,
    Nextval,
    Operation,
    Refused,
    SequenceLogged,
    Upsert,
    check_key,
    check_lock,
    run_operation,
)
from simulator.protocol.store_sequences import Sequences
from simulator.protocol.store_unique import Constraint, Unique
from simulator.protocol.store_versions import Versions

__all__ = [
    "ABORTED", "COMMITTED", "UNIQUE_VIOLATION", "Add", "Change", "Committed", "Delete", "Get",
    "Insert", "Operation", "Store", "Upsert",
]  # fmt: skip

CHECKPOINT_LEAST = 4_096  # Transactions; more when the tables are larger, so that it stays cheap.
SLOTS = "slots"  # The journal's small file that keeps them.

_new = tuple.__new__


class Store:
    """One database.

    Args:
        journal: its write-ahead log on the node's disk; what is in it is recovered.
        without_unique: the names of tables whose keys need not be unique.
        unique: further constraints, by table: functions of a row's key and value.

    Attributes:
        tables: the rows that are committed, by table and key.
        xids: of each of them the transaction that wrote it.
        lsn: of the last commit.
        next_xid: the id that the next transaction gets which writes.
        slots: what each replication slot has confirmed; the log behind that is kept.
        lost_slots: what each of those had confirmed for which it is not kept any more.
        columns: of each table that was altered, its columns since.
        versions: what rows were before, while somebody may look.
    """

    __slots__ = (
        "_checkpoint_at", "_constrained", "_ordered", "_snapshots", "columns", "journal", "loose",
        "lost_slots", "lsn", "next_xid", "sequences", "slots", "tables", "unique", "versions",
        "xids",
    )  # fmt: skip

    def __init__(
        self,
        journal: Journal,
        without_unique: Iterable[str] = (),
        unique: Mapping[str, Sequence[Constraint]] | None = None,
    ) -> None:
        self.journal = journal
        self.unique = Unique(unique)
        self._constrained = self.unique.of
        self.loose = frozenset(without_unique)
        self.tables: dict[str, dict[Any, Any]] = {}
        self.xids: dict[str, dict[Any, int]] = {}
        self.columns: dict[str, tuple[str, ...]] = {}
        self.lsn = 0
        self.next_xid = 1
        self._ordered: dict[str, list[Any]] = {}  # Keys in order, of tables that were asked so.
        self.versions = Versions(self)
        self._snapshots = self.versions.held
        self.sequences = Sequences(self)
        journal.mend()
        slots, lost = journal.checkpoints.get(SLOTS, ({}, {}))
        self.slots: dict[str, int] = dict(slots)
        self.lost_slots: dict[str, int] = dict(lost)
        position = 0
        saved = journal.newest_snapshot()
        if saved is not None:
            position, _, state = saved
            tables, xids, columns, logged, self.lsn, self.next_xid = state
            self.tables = {name: dict(rows) for name, rows in tables.items()}
            self.xids = {name: dict(rows) for name, rows in xids.items()}
            self.columns = dict(columns)
            for name in self._constrained:
                for key, value in self.tables.get(name, {}).items():
                    self.unique.change(name, key, ABSENT, value)
            self.sequences.recover(logged)
        for fact in journal.facts[position:]:
            if fact.__class__ is SequenceLogged:
                self.sequences.replay(fact)
            else:
                self._change(fact)
        self._plan_checkpoint()

    def recover(self, now_us: int) -> Step:  # noqa: ARG002 - the shape of every machine.
        """What a restarted store arms again: nothing."""
        return NOTHING

    # --- Deciding ----------------------------------------------------------------------------

    def decide(self, request: Request, now_us: int) -> Step | None:
        """Run a TransactRequest against the tables as they are; only looks.

        The answer is None if this is not to be had in one step: it wants a sequence, a lock, many
        rows.

        Raises:
            BadInput: an operation is none, or its key can be no key.
        """
        body: TransactRequest = request.body
        changes: list[Change] = []
        results: list[Any] = []
        fresh: dict[tuple[str, Any], Any] = {}
        tables, loose, constrained = self.tables, self.loose, self._constrained
        try:
            for operation in body.operations:
                kind = operation.__class__
                if kind not in QUICK:
                    return self._no_step(operation)
                table, key = operation[0], operation[1]
                rows = tables.get(table)
                old = ABSENT if rows is None else rows.get(key, ABSENT)
                if fresh:
                    old = fresh.get((table, key), old)
                if kind is Get:
                    if operation[2]:
                        check_lock(operation[2])
                    results.append(None if old is ABSENT else old)
                    continue
                if key.__class__ is Nextval or table in constrained:
                    return None
                value, result = run_operation(operation, old, table in loose)
                results.append(result)
                if value is KEPT:
                    continue
                fresh[table, key] = value
                deleted = value is ABSENT
                shown = None if deleted else value
                changes.append(
                    _new(Change, (table, key, shown, operation[-1], deleted, old))
                )
        except Refused as refused:
            status, detail = refused.args
            answer = TransactResponse(status, (), detail)
            return Step((), (Reply(request.id, answer),))
        except TypeError as error:
            check_key(table, key, error)
            raise
        answer = _new(TransactResponse, (COMMITTED, tuple(results), ""))
        facts: tuple[Committed, ...] = ()
        if changes:  # As `commit` has it, which costs too much here.
            xid = self.next_xid
            facts = (
                _new(
                    Committed,
                    (body.event_id, tuple(changes), self.lsn + 1, xid, now_us, ()),
                ),
            )
        return _new(Step, (facts, (_new(Reply, (request.id, answer)),)))

    @staticmethod
    def _no_step(operation: Any) -> None:
        if operation.__class__ not in OTHERS:
            raise BadInput("a store does not know the operation", "", operation)

    def commit(
        self,
        event_id: str,
        changes: tuple[Change, ...],
        xid: int,
        now_us: int,
        notes: tuple[Any, ...] = (),
    ) -> Committed:
        """The next entry of the log, to be applied before any other."""
        return _new(Committed, (event_id, changes, self.lsn + 1, xid, now_us, notes))

    # --- Applying ----------------------------------------------------------------------------

    def apply(self, fact: Committed) -> None:
        """Make a transaction true, in the write-ahead log and in the tables.

        It survives a power loss once the driver has flushed the journal: before it answers.
        """
        journal = self.journal
        if len(journal.facts) >= self._checkpoint_at and journal.flushed == len(journal.facts):
            self._checkpoint()
        journal.facts.append(fact)
        if self._snapshots:
            self.versions.keep(fact)
        self._change(fact)

    def _change(self, fact: Committed) -> None:
        tables, xids = self.tables, self.xids
        indexed = self._ordered or self._constrained
        _, changes, self.lsn, xid, _, notes = fact
        if xid >= self.next_xid:
            self.next_xid = xid + 1
        for table, key, value, _, deleted, _ in changes:
            rows = tables.get(table)
            if rows is None:
                rows = tables[table] = {}
                xids[table] = {}
            if indexed:
                self._index(table, key, rows.get(key, ABSENT), ABSENT if deleted else value)
            if deleted:
                rows.pop(key, None)
                xids[table].pop(key, None)
            else:
                rows[key] = value
                xids[table][key] = xid
        if notes:
            self.columns.update((note.name, note.content) for note in notes if note.op == "ddl")

    def _checkpoint(self) -> None:
        """Save the tables, and cut the write-ahead log that led to them, as far as it may go."""
        journal = self.journal
        journal.snapshot(self._state(), keep=1)
        end = len(journal.facts)
        kept = self.slots.values()
        journal.drop_front(min((self.position(lsn) for lsn in kept), default=end))
        self._plan_checkpoint()

    def _plan_checkpoint(self) -> None:
        rows = sum(len(rows) for rows in self.tables.values())
        saved = self.journal.newest_snapshot()
        behind = saved[0] if saved is not None else 0  # What a slot retains is no reason for one.
        self._checkpoint_at = behind + max(CHECKPOINT_LEAST, rows)

    def _state(self) -> tuple[Any, ...]:
        tables = {name: dict(rows) for name, rows in self.tables.items()}
        xids = {name: dict(rows) for name, rows in self.xids.items()}
        sequences = self.sequences.checkpoint()
        return tables, xids, dict(self.columns), sequences, self.lsn, self.next_xid

    def _index(self, table: str, key: Any, before: Any, after: Any) -> None:
        """A row is about to change: what was derived from it does too."""
        if table in self._constrained:
            self.unique.change(table, key, before, after)
        keys = self._ordered.get(table)
        if keys is not None and (before is ABSENT) != (after is ABSENT):
            at = bisect_left(keys, key)
            if after is ABSENT:
                del keys[at]
            else:
                keys.insert(at, key)

    def save_slots(
        self, name: str = "", confirmed: int = 0, *, lost: str = "", dropped: str = ""
    ) -> None:
        """Write down, at once and for good, what a slot has confirmed, or that it is no more."""
        if name:
            self.slots[name] = confirmed
        if lost:
            self.lost_slots[lost] = self.slots.pop(lost)
        if dropped:
            self.slots.pop(dropped, None)
            self.lost_slots.pop(dropped, None)
        self.journal.checkpoints[SLOTS] = (dict(self.slots), dict(self.lost_slots))

    # --- Looking -----------------------------------------------------------------------------

    def ordered_keys(self, table: str, least: Any, below: Any) -> list[Any]:
        """The keys of a table's rows from `least` up to but without `below`, None: no bound."""
        keys = self._ordered.get(table)
        if keys is None:
            keys = self._ordered[table] = sorted(self.tables.get(table, ()))
        first = 0 if least is None else bisect_left(keys, least)
        return keys[first : None if below is None else bisect_left(keys, below)]

    def position(self, lsn: int) -> int:
        """How many of the log's entries that are still there lie up to and with an lsn."""
        facts = self.journal.facts
        low, high = 0, len(facts)
        while low < high:
            middle = (low + high) // 2
            if facts[middle].lsn <= lsn:
                low = middle + 1
            else:
                high = middle
        return low

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
        """What a replay of the journal must lead to again: the rows of each table."""
        return {name: dict(rows) for name, rows in self.tables.items()}
