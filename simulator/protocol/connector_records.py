"""What a change of a row becomes: Debezium's envelope, its key, and the tombstone behind a delete.

Rule 1: the key is the primary key, {"id": ...}; the value says what the row was and is, where it
comes from, and what happened: op is c, u, d, r (read by a snapshot), t or m.
Rule 2: what the row was is known in full under REPLICA IDENTITY FULL alone; under the default
identity a delete tells the key, and an update nothing of it.
Rule 3: a large column that an update left alone is not in the log; the placeholder stands for it,
except under REPLICA IDENTITY FULL. Who writes the placeholder into a replica corrupts it.
Rule 4: a delete is two records: the event, whose `after` is null, and a tombstone, by which
compaction forgets the key (tombstones.on.delete).
Rule 5: an update that changes the message's key is a delete of the old key (with the new one in
its header `__debezium.newkey`), a tombstone, and a create of the new key (`__debezium.oldkey`).
They may lie in different partitions, and nothing joins them.

A row of a table has a primary key and a value. A value that is a mapping is the row's other
columns by name; a tuple is them by position, whose names only the table's shape tells (as in a
MySQL binlog); anything else is the column "value".

Sources: postgresql.adoc (data change events, primary key updates, TOAST), TableSchemaBuilder.java,
RelationalChangeRecordEmitter.java, TransactionMonitor.java.

Not modelled: Connect's schemas in keys and values, time zones and types of columns. An event's
identity is in its own `event_id`, which no header of Debezium's carries: a transaction's LSN and
the number of the change in it.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import attrs

from simulator.errors import BadInput
from simulator.protocol.connector_settings import ConnectorSettings

IDENTITIES = ("default", "full", "nothing")
NEW_KEY = "__debezium.newkey"
OLD_KEY = "__debezium.oldkey"

Row = Mapping[str, Any]


def _identity(_: Any, __: "attrs.Attribute[Any]", value: Any) -> None:
    if value not in IDENTITIES:
        raise BadInput(f"REPLICA IDENTITY is one of {', '.join(IDENTITIES)}:", "table", value)


@attrs.frozen
class CapturedTable:
    """A table that a connector captures.

    Args:
        name: the store's name of it.
        key: what its primary key's column is called.
        identity: REPLICA IDENTITY: what the log tells of a row that was: "default" its key,
            "full" all of it, "nothing".
        large: columns that are stored out of line, and logged only when they change (TOAST).
        columns: the columns of rows that are tuples, before any DDL.
    """

    name: str
    key: str = "id"
    identity: str = attrs.field(default="default", validator=_identity)
    large: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


class Told(NamedTuple):
    """What of the database a record tells, for the trace."""

    table: str
    key: Any
    value: Any
    op: str
    lsn: int
    number: int


class Outgoing(NamedTuple):
    """A record that a connector publishes; `told` is None where no row is told of."""

    topic: str
    key: Any
    value: Any
    event_id: str
    headers: tuple[tuple[str, str], ...] = ()
    told: Told | None = None
    partition: int | None = None


@attrs.frozen
class ChangeEvent:
    """A value of a table's topic, as a consumer reads it.

    Attributes:
        op: c, u, d, r, t or m.
        before, after: the row; None where there was or is none, or it is not known.
        source: lsn, txId, ts_ms, table, snapshot ("true", "incremental", "false", ...).
        ts_ms: when the connector made the event.
        transaction: id, total_order, data_collection_order; None without transaction metadata.
    """

    op: str
    before: Row | None
    after: Row | None
    source: Row
    ts_ms: int
    transaction: Row | None = None


def read_change_event(value: Any) -> ChangeEvent | None:
    """The change event in a record's value; None for a tombstone.

    Raises:
        BadInput: it is no event of a connector.
    """
    if value is None:
        return None
    try:
        found = json.loads(value)
        return ChangeEvent(
            found["op"], found["before"], found["after"], found["source"], found["ts_ms"],
            found.get("transaction"),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput("not a change event:", "record", value, "op, before, after, source") from (
            error
        )


def read_key(key: Any, column: str = "id") -> Any:
    """The primary key in a record's key, {"id": ...}."""
    return json.loads(key)[column]


def dumps(value: Any) -> str:
    """JSON, in the order in which fields stand."""
    return json.dumps(value, separators=(",", ":"))


class Transaction(NamedTuple):
    """A committed transaction, as a change of it needs to know."""

    lsn: int
    xid: int
    at_us: int


@attrs.frozen
class Recorder:
    """Makes records of changes.

    Args:
        store: the database's name.
        tables: what is captured, by name.
    """

    settings: ConnectorSettings
    store: str
    tables: Mapping[str, CapturedTable]

    # --- Rows ------------------------------------------------------------------------------

    def row(self, table: CapturedTable, key: Any, value: Any, shape: tuple[str, ...]) -> Row:
        """A row by column.

        Raises:
            BadInput: it is a tuple, and has not as many columns as the table's shape.
        """
        if isinstance(value, Mapping):
            return {table.key: key, **value}
        if isinstance(value, tuple):
            if len(value) != len(shape):
                what = f"{table.name} has columns {', '.join(shape) or 'unknown'}, and a row"
                raise BadInput(what, "connector", value, "its schema history is not what it was")
            return {table.key: key, **dict(zip(shape, value, strict=True))}
        return {table.key: key, "value": value}

    def message_key(self, table: CapturedTable, row: Row) -> Row | None:
        """The key of a row's messages; None where a row has none."""
        columns = self.settings.key_columns(table.name)
        if columns:
            return {name: row.get(name) for name in columns}
        return None if table.identity == "nothing" else {table.key: row[table.key]}

    # --- A change --------------------------------------------------------------------------

    def change(
        self,
        transaction: Transaction,
        change: Any,
        op: str,
        *,
        number: int,
        shape: tuple[str, ...],
        now_us: int,
    ) -> list[Outgoing]:
        """The records of one change of a captured table: c, u or d."""
        table = self.tables[change.table]
        old = new = None
        if op != "c":
            old = self.row(table, change.key, change.before, shape)
        if op != "d":
            new = self.row(table, change.key, change.after, shape)
        source = self._source(table.name, transaction, "false")
        if op == "u":
            assert old is not None
            assert new is not None
            return self._updated(table, change, (old, new), source, number=number, now_us=now_us)
        row = old if new is None else new
        assert row is not None
        key = self.message_key(table, row)
        before = None if old is None else self._before(table, old)
        value = None if op == "d" else change.after
        event = self._event(table, key, before, new, op=op, source=source, now_us=now_us)
        event_id = self._id(table.name, transaction.lsn, number)
        told = Told(table.name, change.key, value, op, transaction.lsn, number)
        records = [Outgoing(event[0], event[1], event[2], event_id, (), told)]
        if op == "d" and self.settings.tombstones_on_delete and key is not None:
            records.append(self._tombstone(table, key, event_id, told))
        return records

    def _updated(
        self,
        table: CapturedTable,
        change: Any,
        rows: tuple[Row, Row],
        source: Row,
        *,
        number: int,
        now_us: int,
    ) -> list[Outgoing]:
        old, new = rows
        lsn = source["lsn"]
        event_id = self._id(table.name, lsn, number)
        after = dict(new)
        if table.identity != "full":
            for column in table.large:
                if column in new and column in old and new[column] == old[column]:
                    after[column] = self.settings.unavailable_value_placeholder
        was, is_ = self.message_key(table, old), self.message_key(table, new)
        known = table.identity == "full" or not self.settings.key_columns(table.name)
        if was == is_ or not known:  # Without the old row nobody knows what the old key was.
            before = old if table.identity == "full" else None
            event = self._event(table, is_, before, after, op="u", source=source, now_us=now_us)
            told = Told(table.name, change.key, change.after, "u", lsn, number)
            return [Outgoing(event[0], event[1], event[2], event_id, (), told)]
        before = self._before(table, old)
        gone = self._event(table, was, before, None, op="d", source=source, now_us=now_us)
        told = Told(table.name, change.key, None, "d", lsn, number)
        told_key = ((NEW_KEY, dumps(is_)),)
        records = [Outgoing(gone[0], gone[1], gone[2], f"{event_id}-", told_key, told)]
        if self.settings.tombstones_on_delete:
            records.append(self._tombstone(table, was, f"{event_id}-", told))
        made = self._event(table, is_, None, after, op="c", source=source, now_us=now_us)
        told = Told(table.name, change.key, change.after, "c", lsn, number)
        told_key = ((OLD_KEY, dumps(was)),)
        records.append(Outgoing(made[0], made[1], made[2], f"{event_id}+", told_key, told))
        return records

    def _tombstone(
        self, table: CapturedTable, key: Row | None, event_id: str, told: Told
    ) -> Outgoing:
        topic = self.settings.topic(table.name)
        told = told._replace(op="tombstone")
        return Outgoing(topic, dumps(key), None, f"{event_id}/tombstone", (), told)

    def read(
        self,
        table: CapturedTable,
        key: Any,
        value: Any,
        at: Transaction,
        *,
        shape: tuple[str, ...],
        snapshot: str,
        now_us: int,
    ) -> Outgoing:
        """A row that a snapshot read: "true" is the initial one, "incremental" the other."""
        row = self.row(table, key, value, shape)
        source = self._source(table.name, at, snapshot)
        message_key = self.message_key(table, row)
        event = self._event(table, message_key, None, row, op="r", source=source, now_us=now_us)
        kind = "read" if snapshot == "true" else snapshot
        event_id = f"{self.settings.topic(table.name)}@{kind}{at.lsn}/{key}"
        told = Told(table.name, key, value, "r", at.lsn, 0)
        return Outgoing(event[0], event[1], event[2], event_id, (), told)

    def _before(self, table: CapturedTable, old: Row) -> Row | None:
        if table.identity == "full":
            return old
        return None if table.identity == "nothing" else {table.key: old[table.key]}

    def _source(self, table: str, at: Transaction, snapshot: str) -> dict[str, Any]:
        return {
            "connector": "postgresql",
            "name": self.settings.topic_prefix,
            "ts_ms": at.at_us // 1_000,
            "snapshot": snapshot,
            "db": self.store,
            "table": table,
            "txId": at.xid,
            "lsn": at.lsn,
        }

    def _event(
        self,
        table: CapturedTable,
        key: Row | None,
        before: Row | None,
        after: Row | None,
        *,
        op: str,
        source: Row,
        now_us: int,
    ) -> tuple[str, str | None, Any]:
        """Topic, key and value; the value stays a mapping until its transaction is known."""
        value = {
            "before": before,
            "after": after,
            "source": source,
            "op": op,
            "ts_ms": now_us // 1_000,
        }
        topic = self.settings.topic(table.name)
        return topic, None if key is None else dumps(key), value

    def _id(self, table: str, lsn: int, number: int) -> str:
        return f"{self.settings.topic(table)}@{lsn}/{number}"

    # --- What is no change of a row ----------------------------------------------------------

    def truncated(
        self, transaction: Transaction, table: str, number: int, now_us: int
    ) -> Outgoing:
        """All rows are gone: an event without a key."""
        source = self._source(table, transaction, "false")
        captured = self.tables[table]
        event = self._event(captured, None, None, None, op="t", source=source, now_us=now_us)
        event_id = self._id(table, transaction.lsn, number)
        return Outgoing(event[0], None, event[2], event_id)

    def message(
        self, transaction: Transaction, prefix: str, content: Any, number: int, now_us: int
    ) -> Outgoing:
        """A logical decoding message (pg_logical_emit_message); its content is not a row."""
        value = {
            "op": "m",
            "ts_ms": now_us // 1_000,
            "source": self._source("", transaction, "false"),
            "message": {"prefix": prefix, "content": content},
        }
        event_id = f"{self.settings.message_topic}@{transaction.lsn}/{number}"
        return Outgoing(self.settings.message_topic, dumps({"prefix": prefix}), value, event_id)

    def boundary(
        self, transaction: Transaction, status: str, counts: Mapping[str, int], now_us: int
    ) -> Outgoing:
        """BEGIN or END of a transaction, with the counts of what it held."""
        value: dict[str, Any] = {
            "status": status,
            "id": transaction_id(transaction),
            "ts_ms": now_us // 1_000,
            "event_count": None,
            "data_collections": None,
        }
        if status == "END":
            value["event_count"] = sum(counts.values())
            value["data_collections"] = [
                {"data_collection": table, "event_count": count}
                for table, count in counts.items()
            ]
        topic = self.settings.transaction_topic
        key = dumps({"id": value["id"]})
        return Outgoing(topic, key, value, f"{topic}@{transaction.lsn}/{status}")

    def heartbeat(self, now_us: int, number: int) -> Outgoing:
        """A sign of life, which carries the offset with it."""
        topic = self.settings.heartbeat_topic
        key = dumps({"serverName": self.settings.topic_prefix})
        return Outgoing(topic, key, {"ts_ms": now_us // 1_000}, f"{topic}@{number}")


def transaction_id(transaction: Transaction) -> str:
    """As the events of a transaction name it."""
    return f"{transaction.xid}:{transaction.lsn}"
