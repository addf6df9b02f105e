"""One transaction being told: its records, the offset behind each, and what it orders.

Rule 1: the offset behind a record lets a restart go on with the next change of the transaction;
behind the last record it is the whole transaction's. Behind the first of several records of one
change (a delete and its tombstone) it is the one before the change.
Rule 2: BEGIN and END stand around the records of a transaction that has any
(provide.transaction.metadata); END says how many they are.
Rule 3: DDL, signals and watermarks are carried out in their places: what they order is done
before the next transaction is told.

Sources: PostgresOffsetContext.java, TransactionMonitor.java, EventDispatcher.java.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from simulator.errors import BadInput
from simulator.protocol.connector_history import Altered
from simulator.protocol.connector_offsets import Offset
from simulator.protocol.connector_records import Outgoing, Transaction, transaction_id

if TYPE_CHECKING:
    from simulator.protocol.connector import Connector

# As the log names what happened to a row, and as the envelope does.
OPERATIONS: Mapping[str, str] = {"insert": "c", "update": "u", "delete": "d", "truncate": "t"}


class ReadChunk(NamedTuple):
    """Insert `opens` into the signal table, read a chunk, insert `closes`; then tell `chunk`.

    after: the key behind which to read; None: from the first. most: None is not known yet.
    """

    table: str
    after: Any
    most: Any
    limit: int
    opens: str
    closes: str


class ReadTables(NamedTuple):
    """Read whole tables, while the stream waits: a blocking snapshot was asked for."""

    tables: tuple[str, ...]


class KeepHistory(NamedTuple):
    """Write into the schema history, and wait, before anything else is published."""

    altered: Altered


Order = ReadChunk | ReadTables | KeepHistory


@attrs.define
class Telling:
    """One transaction being told: its records, and the offset behind each of them."""

    _connector: "Connector"
    _commit: Any
    _skipped: int
    _now_us: int
    orders: list[Order] = attrs.field(factory=list)
    _records: list[tuple[Outgoing, int]] = attrs.field(factory=list)  # And changes told with it.
    _counts: dict[str, int] = attrs.field(factory=dict)
    _closed: list[list[tuple[Any, Any]]] = attrs.field(factory=list)  # Chunks.

    @property
    def _transaction(self) -> Transaction:
        return Transaction(self._commit.lsn, self._commit.xid, self._commit.at_us)

    def change(self, number: int, change: Any) -> None:
        """One change, in order."""
        connector = self._connector
        recorder, settings = connector.recorder, connector.settings
        table = change.table
        if change.op == "ddl":
            if table in recorder.tables:
                altered = Altered(self._commit.lsn, table, tuple(change.after))
                connector.shapes[table] = altered.columns
                self.orders.append(KeepHistory(altered))
            return
        if change.op == "message":
            content = change.after
            made = recorder.message(
                self._transaction, table, content, number, self._now_us
            )
            self._add([made], number)
            return
        if table == settings.signal_data_collection and change.op == "insert":
            self._signal(change)
        if table not in recorder.tables:
            return
        connector.window.saw(table, change.key)
        op = OPERATIONS[change.op]
        if op in settings.skipped_operations:
            return
        if op == "t":
            records = [recorder.truncated(self._transaction, table, number, self._now_us)]
        else:
            shape = connector.shapes.get(table, ())
            records = recorder.change(
                self._transaction, change, op, number=number, shape=shape, now_us=self._now_us
            )
        self._add(self._numbered(table, records), number)

    def _numbered(self, table: str, records: list[Outgoing]) -> list[Outgoing]:
        """Say of each event where it stands in its transaction, if that is to be said."""
        if not self._connector.settings.provide_transaction_metadata:
            return records
        name, counts = transaction_id(self._transaction), self._counts
        found = []
        for made in records:
            record = made
            if made.value is not None:
                counts[table] = counts.get(table, 0) + 1
                block = {
                    "id": name,
                    "total_order": sum(counts.values()),
                    "data_collection_order": counts[table],
                }
                record = made._replace(value={**made.value, "transaction": block})
            found.append(record)
        return found

    def _add(self, records: list[Outgoing], number: int) -> None:
        if number >= self._skipped:
            last = len(records) - 1
            for position, record in enumerate(records):
                self._records.append((record, number + (position == last)))

    def _signal(self, change: Any) -> None:
        """A row was inserted into the signal table: {"type": ..., "data": ...}, or a watermark."""
        window = self._connector.window
        row = change.after if isinstance(change.after, Mapping) else {}
        match row.get("type"):
            case "execute-snapshot":
                data = row.get("data", {})
                tables = tuple(data.get("data-collections", ()))
                for table in tables:
                    if table not in self._connector.recorder.tables:
                        known = ", ".join(self._connector.recorder.tables)
                        raise BadInput("a signal names a table that is not captured:",
                                       "connector", table, f"captured: {known}")
                if data.get("type", "incremental") == "blocking":
                    self.orders.append(ReadTables(tables))
                elif window.ask(tables):
                    self.orders.append(self._connector.next_chunk())
            case "snapshot-window-open" | "snapshot-window-close":
                rows = window.marked(change.key)
                if rows is not None:
                    self._closed.append(rows)

    def end(self) -> None:
        """The transaction is told: its boundaries, its records, and what closed with it."""
        connector, commit = self._connector, self._commit
        before = connector.place
        incremental = connector.window.state
        whole = Offset(commit.lsn, commit.lsn, 0, commit.xid, incremental=incremental)
        records = self._bounded()
        last = len(records) - 1
        for position, (record, events) in enumerate(records):
            offset = whole
            if position != last:
                offset = Offset(
                    before.done, commit.lsn, events, commit.xid, incremental=before.incremental
                )
            connector.enqueue(record, offset)
        connector.place = whole
        for rows in self._closed:
            self._close(rows)

    def _bounded(self) -> list[tuple[Outgoing, int]]:
        """The records, between BEGIN and END if those are to be told."""
        records = self._records
        if not self._counts or not self._connector.settings.provide_transaction_metadata:
            return records
        recorder = self._connector.recorder
        begin = recorder.boundary(self._transaction, "BEGIN", self._counts, self._now_us)
        end = recorder.boundary(self._transaction, "END", self._counts, self._now_us)
        begun = [] if self._skipped else [(begin, 0)]
        return [*begun, *records, (end, len(self._commit.changes))]

    def _close(self, rows: list[tuple[Any, Any]]) -> None:
        """A chunk's window closed: tell what is left of it, and ask for the next."""
        connector = self._connector
        window, recorder = connector.window, connector.recorder
        state = window.state
        assert state is not None, "a window belongs to a snapshot"
        table = recorder.tables[state.tables[0]]
        shape = connector.shapes.get(table.name, ())
        told = [
            (
                recorder.read(
                    table, key, value, self._transaction,
                    shape=shape, snapshot="incremental", now_us=self._now_us,
                ),
                attrs.evolve(connector.place, incremental=window.told(key)),
            )
            for key, value in rows
        ]
        goes_on = window.advance()
        connector.place = attrs.evolve(connector.place, incremental=window.state)
        if told:
            told[-1] = (told[-1][0], connector.place)
        for record, offset in told:
            connector.enqueue(record, offset)
        if goes_on:
            self.orders.append(connector.next_chunk())
