"""A connector's machine by hand: transactions in, records out."""

from simulator.protocol.connector import Connector
from simulator.protocol.connector_offsets import Offset
from simulator.protocol.connector_records import CapturedTable, Recorder, read_change_event
from simulator.protocol.connector_settings import connector_settings
from simulator.protocol.connector_snapshots import AS_DEBEZIUM
from simulator.protocol.store_slots import Commit, RowChange

NOW_US = 7_000


def insert(key, after, table="orders"):
    return RowChange(table, key, None, after, "insert")


def update(key, before, after, table="orders"):
    return RowChange(table, key, before, after, "update")


def delete(key, before, table="orders"):
    return RowChange(table, key, before, None, "delete")


def commit(lsn, *changes, xid=None):
    return Commit(lsn, lsn if xid is None else xid, 5_000, changes)


def connector(*tables, offset=None, capture=AS_DEBEZIUM, shapes=None, router=None, elsewhere=(),
              **settings):  # fmt: skip
    named = {key.replace("_", "."): value for key, value in settings.items()}
    read = connector_settings({"topic.prefix": "shop", **named})
    captured = {one.name: one for one in tables or (CapturedTable("orders"),)}
    recorder = Recorder(read, "db", captured)
    return Connector(
        recorder, "life-1", offset or Offset(), shapes or {}, capture=capture, router=router,
        elsewhere=elsewhere,
    )  # fmt: skip


def told(machine, acknowledge=True):
    """Everything in the queue, handed over."""
    records = []
    while batch := machine.batch(NOW_US):
        for published in batch:
            records.append(published.record)
            if acknowledge:
                machine.acknowledged(published.number)
    return records


def events(records):
    return [read_change_event(record.value) for record in records]
