"""A connector as a ledger: transactions in, records out."""

import json

import pytest

from simulator.errors import BadInput
from simulator.protocol.connector_history import Altered, read_altered, shapes_at
from simulator.protocol.connector_offsets import Offset
from simulator.protocol.connector_records import CapturedTable, read_change_event, read_key
from simulator.protocol.connector_settings import UNAVAILABLE
from simulator.protocol.connector_telling import KeepHistory
from simulator.protocol.outbox_router import outbox_router
from simulator.protocol.store_slots import RowChange
from tests.capturing import NOW_US, commit, connector, delete, events, insert, told, update

# --- Events -------------------------------------------------------------------------------------


def test_an_insert_is_told_with_its_key_its_row_and_its_place():
    machine = connector()
    machine.committed(commit(3, insert("o1", {"status": "new"})), NOW_US)

    (record,) = told(machine)
    event = read_change_event(record.value)
    assert (record.topic, read_key(record.key), record.event_id) == ("shop.orders", "o1",
                                                                     "shop.orders@3/0")
    assert (event.op, event.before, event.after) == ("c", None, {"id": "o1", "status": "new"})
    assert (event.source["lsn"], event.source["txId"], event.source["ts_ms"]) == (3, 3, 5)
    assert (event.source["snapshot"], event.ts_ms, event.transaction) == ("false", 7, None)


@pytest.mark.parametrize(
    ("identity", "updated", "deleted"),
    [
        ("default", None, {"id": "o1"}),
        ("full", {"id": "o1", "n": 1}, {"id": "o1", "n": 2}),
        ("nothing", None, None),
    ],
)
def test_what_a_row_was_is_known_by_replica_identity(identity, updated, deleted):
    machine = connector(CapturedTable("orders", identity=identity))
    machine.committed(commit(1, update("o1", {"n": 1}, {"n": 2}), delete("o1", {"n": 2})), NOW_US)

    first, second = events(told(machine))[:2]
    assert (first.op, first.before, first.after) == ("u", updated, {"id": "o1", "n": 2})
    assert (second.op, second.before, second.after) == ("d", deleted, None)


def test_a_delete_is_buried_unless_tombstones_are_off_or_there_is_no_key():
    gone = commit(1, delete("o1", 1))
    for machine, records in (
        (connector(), 2),
        (connector(tombstones_on_delete=False), 1),
        (connector(CapturedTable("orders", identity="nothing")), 1),
    ):
        machine.committed(gone, NOW_US)
        found = told(machine)
        assert len(found) == records
        assert all(record.value is None and record.key == found[0].key for record in found[1:])


@pytest.mark.parametrize(
    ("identity", "notes"), [("default", UNAVAILABLE), ("full", "long")]
)
def test_a_large_column_that_an_update_left_alone_is_not_in_the_log(identity, notes):
    machine = connector(CapturedTable("orders", identity=identity, large=("notes",)))
    rows = {"n": 1, "notes": "long"}, {"n": 2, "notes": "long"}, {"n": 2, "notes": "other"}
    machine.committed(commit(1, update("o1", *rows[:2]), update("o1", *rows[1:])), NOW_US)

    first, second = events(told(machine))
    assert first.after == {"id": "o1", "n": 2, "notes": notes}
    assert second.after["notes"] == "other"


def test_an_update_of_the_messages_key_is_a_delete_and_a_create():
    machine = connector(
        CapturedTable("people", identity="full"), message_key_columns="people:email"
    )
    moved = update(1, {"email": "a"}, {"email": "b"}, "people")
    machine.committed(commit(1, moved), NOW_US)

    gone, tombstone, made = told(machine)
    assert [read_key(one.key, "email") for one in (gone, tombstone, made)] == ["a", "a", "b"]
    assert gone.headers == (("__debezium.newkey", '{"email":"b"}'),)
    assert made.headers == (("__debezium.oldkey", '{"email":"a"}'),)
    assert [one.op for one in events((gone, made))] == ["d", "c"]


def test_a_key_that_nobody_remembers_is_not_deleted():
    """Without REPLICA IDENTITY FULL the old row's columns are not in the log."""
    machine = connector(CapturedTable("people"), message_key_columns="people:email")
    machine.committed(commit(1, update(1, {"email": "a"}, {"email": "b"}, "people")), NOW_US)

    (record,) = told(machine)
    assert (read_change_event(record.value).op, read_key(record.key, "email")) == ("u", "b")


def test_a_truncated_table_is_told_of_only_if_it_is_asked_for():
    gone = commit(1, RowChange("orders", None, None, None, "truncate"))
    silent, telling = connector(), connector(skipped_operations="none")
    silent.committed(gone, NOW_US)
    telling.committed(gone, NOW_US)

    assert told(silent) == []
    assert [event.op for event in events(told(telling))] == ["t"]


def test_a_message_of_the_log_is_told_beside_the_tables():
    machine = connector()
    machine.committed(commit(1, RowChange("audit", None, None, "hello", "message")), NOW_US)

    (record,) = told(machine)
    assert (record.topic, json.loads(record.value)["message"]) == (
        "shop.message", {"prefix": "audit", "content": "hello"},
    )  # fmt: skip


def test_a_transaction_stands_between_begin_and_end():
    machine = connector(
        CapturedTable("orders"), CapturedTable("payments"), provide_transaction_metadata=True
    )
    machine.committed(
        commit(4, insert("o1", 1), insert("p1", 1, "payments"), delete("o1", 1)), NOW_US
    )

    begin, *changes, end = [json.loads(one.value) for one in told(machine) if one.value]
    assert (begin["status"], begin["id"], begin["event_count"]) == ("BEGIN", "4:4", None)
    assert [one["transaction"] for one in changes] == [
        {"id": "4:4", "total_order": 1, "data_collection_order": 1},
        {"id": "4:4", "total_order": 2, "data_collection_order": 1},
        {"id": "4:4", "total_order": 3, "data_collection_order": 2},
    ]
    assert end["event_count"] == 3
    assert end["data_collections"] == [
        {"data_collection": "orders", "event_count": 2},
        {"data_collection": "payments", "event_count": 1},
    ]


def test_what_is_no_event_of_a_connector_is_refused():
    for value in ("{", "[]", '{"op": "c"}', 7):
        with pytest.raises(BadInput, match="not a change event"):
            read_change_event(value)
    assert read_change_event(None) is None


# --- Rows by position, and the schema history ---------------------------------------------------


def test_the_columns_of_a_row_by_position_are_those_of_its_place_in_the_log():
    machine = connector(shapes={"orders": ("status",)})
    alter = RowChange("orders", None, None, ("status", "total"), "ddl")
    orders = [
        *machine.committed(commit(1, insert("o1", ("new",))), NOW_US),
        *machine.committed(commit(2, alter), NOW_US),
        *machine.committed(commit(3, insert("o2", ("new", 5))), NOW_US),
    ]

    assert orders == [KeepHistory(Altered(2, "orders", ("status", "total")))]
    assert [event.after for event in events(told(machine))] == [
        {"id": "o1", "status": "new"},
        {"id": "o2", "status": "new", "total": 5},
    ]


def test_a_row_that_does_not_fit_its_table_is_refused():
    """What a schema history that was rebuilt after DDL leads to."""
    with pytest.raises(BadInput, match=r"orders has columns status, and a row.*new.*5"):
        connector(shapes={"orders": ("status",)}).committed(
            commit(1, insert("o1", ("new", 5))), NOW_US
        )


def test_a_history_is_replayed_to_an_offset():
    history = [Altered(2, "orders", ("a",)), Altered(5, "orders", ("a", "b"))]

    assert shapes_at(history, 1, {"orders": ()}) == {"orders": ()}
    assert shapes_at(history, 4) == {"orders": ("a",)}
    assert shapes_at(history, 5) == {"orders": ("a", "b")}
    assert [read_altered(one.to_json()) for one in history] == history


# --- The outbox router --------------------------------------------------------------------------


def test_a_router_makes_events_of_rows_and_drops_their_deletes():
    row = {"aggregatetype": "order", "aggregateid": "o1", "type": "Paid", "payload": "paid"}
    machine = connector(CapturedTable("outbox"), router=outbox_router())
    machine.committed(commit(1, insert("e1", row, "outbox"), delete("e1", row, "outbox")), NOW_US)

    (record,) = told(machine)
    assert (record.topic, record.key, record.value) == ("outbox.event.order", "o1", "paid")
    assert (record.event_id, record.headers) == ("e1", (("id", "e1"),))
    assert machine.to_flush() == Offset(1, 1, 0, 1)  # What was dropped counts as told.


def test_what_the_router_cannot_route_ends_the_task():
    machine = connector(CapturedTable("outbox"), router=outbox_router())
    machine.committed(commit(1, insert("e1", {"payload": "paid"}, "outbox")), NOW_US)

    with pytest.raises(BadInput, match="outbox router stops"):
        machine.batch(NOW_US)
