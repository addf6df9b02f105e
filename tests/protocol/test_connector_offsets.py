"""A connector as a ledger: how far it is, where it goes on, and its snapshots."""

import pytest

from simulator.errors import BadInput
from simulator.protocol.connector_offsets import Acknowledgements, Incremental, Offset, read_offset
from simulator.protocol.connector_records import (
    CapturedTable,
    Transaction,
    read_change_event,
    read_key,
)
from simulator.protocol.connector_snapshots import Capture, Plan, plan
from simulator.protocol.connector_telling import ReadChunk, ReadTables
from tests.capturing import NOW_US, commit, connector, delete, events, insert, told, update

# --- Offsets ------------------------------------------------------------------------------------


def test_an_offset_stands_behind_what_is_acknowledged_and_tells_where_in_a_transaction():
    machine = connector(offset=Offset(1, 1))
    machine.committed(commit(3, insert("o1", 1), insert("x", 1, "else"), insert("o2", 1)), NOW_US)
    first, second = machine.batch(NOW_US)

    assert machine.to_flush() is None
    machine.acknowledged(first.number)
    assert machine.to_flush() == Offset(1, 3, 1, 3)
    machine.acknowledged(second.number)
    assert machine.to_flush() == Offset(3, 3, 0, 3)
    assert not machine.idle
    assert machine.flushed(Offset(3, 3, 0, 3)) == 3
    assert (machine.to_flush(), machine.idle) == (None, True)


def test_a_delete_and_its_tombstone_are_one_step():
    """A restart between the two tells both again."""
    machine = connector()
    machine.committed(commit(3, delete("o1", 1), insert("o2", 1)), NOW_US)
    offsets = [offset.place for _, offset in machine.queue]

    assert offsets == [(0, 3, 0), (0, 3, 1), (3, 3, 0)]


@pytest.mark.parametrize(
    ("resume", "keys"),
    [("event", ["b", "c", "d"]), ("lsn", ["c", "d"]), ("xid", ["d"])],
)
def test_a_restart_goes_on_behind_the_last_event_told(resume, keys):
    """Of LSN 5 (transaction 9) one change was told; transaction 4 began before, and commits now."""
    machine = connector(offset=Offset(3, 5, 1, 9), capture=Capture(resume=resume))
    machine.committed(commit(5, insert("a", 1), insert("b", 1), xid=9), NOW_US)
    machine.committed(commit(6, insert("c", 1), xid=4), NOW_US)
    machine.committed(commit(7, insert("d", 1), xid=12), NOW_US)

    assert [read_key(record.key) for record in told(machine)] == keys


def test_acknowledgements_may_come_in_any_order():
    for order, after_second in (("in order", None), ("any order", Offset(2, 2))):
        acks = Acknowledgements(order)
        acks.sent(0, Offset(1, 1))
        acks.sent(1, Offset(2, 2))
        acks.acknowledged(1)
        assert acks.last == after_second
        acks.acknowledged(0)
        assert (acks.last, len(acks)) == (Offset(2, 2), 0)


@pytest.mark.parametrize(("flush", "place"), [("acknowledged", None), ("sent", 1), ("read", 2)])
def test_an_offset_may_be_stored_too_early(flush, place):
    machine = connector(capture=Capture(flush=flush), max_batch_size=1)
    machine.committed(commit(1, insert("a", 1)), NOW_US)
    machine.committed(commit(2, insert("b", 1)), NOW_US)
    machine.batch(NOW_US)
    found = machine.to_flush()

    assert (found and found.done) == place


@pytest.mark.parametrize(
    "offset",
    [
        Offset(),
        Offset(3, 5, 2, 9),
        Offset(lsn=4, snapshotting=True),
        Offset(3, 3, 0, 1, incremental=Incremental(("orders", "payments"), "o1", "o9")),
    ],
    ids=str,
)
def test_an_offset_survives_its_topic(offset):
    assert read_offset(offset.to_json()) == offset


def test_a_commit_without_a_record_moves_no_offset_but_a_heartbeat_does():
    machine = connector()
    machine.committed(commit(4, insert("x", 1, "else")), NOW_US)
    assert (told(machine), machine.to_flush(), machine.idle) == ([], None, True)

    machine.beat(NOW_US)
    (record,) = told(machine)
    assert record.topic == "__debezium-heartbeat.shop"
    assert machine.to_flush() == Offset(4, 4, 0, 4)


def test_another_databases_commit_is_not_even_seen():
    machine = connector(elsewhere=("metrics",))
    machine.committed(commit(4, insert("x", 1, "metrics")), NOW_US)
    machine.beat(NOW_US)
    told(machine)

    assert machine.to_flush() == Offset()


def test_a_full_queue_wants_nothing():
    machine = connector(max_queue_size=3, max_batch_size=2)
    machine.committed(commit(1, *(insert(key, 1) for key in "abcd")), NOW_US)

    assert (machine.wants, len(machine.batch(NOW_US)), machine.wants) == (0, 2, 1)


# --- Snapshots ----------------------------------------------------------------------------------


def test_the_last_row_of_a_snapshot_completes_it():
    machine = connector()
    at = Transaction(6, 0, 5_000)
    for key in "ab":
        machine.read_row("orders", key, 1, at, NOW_US)
    machine.snapshot_read(6)

    first, last = machine.queue
    assert (first[1], last[1]) == (Offset(lsn=6, snapshotting=True), Offset(6, 6))
    assert [event.op for event in events(told(machine))] == ["r", "r"]
    machine.committed(commit(6, insert("a", 1)), NOW_US)
    assert told(machine) == []  # The view had it.


def test_a_heartbeat_amid_a_snapshot_does_not_complete_it():
    """Else a restart would take what was not read yet for told."""
    machine = connector(offset=Offset(snapshotting=True))
    machine.read_row("orders", "a", 1, Transaction(6, 0, 5_000), NOW_US)
    machine.beat(NOW_US)
    told(machine)

    stored = read_offset(machine.to_flush().to_json())
    assert stored.snapshotting
    assert plan("initial", "no_validation", stored, 6) == Plan(snapshots=True)


GONE = "no longer available"


@pytest.mark.parametrize(
    ("mode", "strategy", "offset", "slot", "expected"),
    [
        ("initial", "no_validation", None, None, Plan(snapshots=True, creates=True)),
        ("initial", "no_validation", Offset(snapshotting=True), 4, Plan(snapshots=True)),
        ("initial", "no_validation", Offset(5, 5), 5, Plan(start=Offset(5, 5))),
        ("initial", "no_validation", Offset(5, 5), 9, Plan(start=Offset(5, 5))),
        ("initial", "no_validation", Offset(5, 5), None, GONE),
        ("initial", "trust_offset", Offset(5, 5), 9, GONE),
        ("initial", "trust_offset", Offset(5, 5), 4, Plan(start=Offset(5, 5))),
        ("initial", "trust_slot", Offset(5, 5), 4, Plan(start=Offset(4, 4))),
        ("initial", "trust_greater_lsn", Offset(5, 5), 9, Plan(start=Offset(9, 9))),
        ("initial", "trust_greater_lsn", Offset(5, 5), 4, Plan(start=Offset(5, 5))),
        ("always", "no_validation", Offset(5, 5), 5, Plan(snapshots=True)),
        ("initial_only", "no_validation", None, None,
         Plan(snapshots=True, streams=False, creates=True)),
        ("initial_only", "no_validation", Offset(5, 5), 5, Plan(streams=False)),
        ("no_data", "no_validation", None, None, Plan(creates=True)),
        ("no_data", "no_validation", Offset(5, 5), None, Plan(creates=True)),
        ("when_needed", "no_validation", Offset(5, 5), None, Plan(snapshots=True, creates=True)),
        ("when_needed", "trust_offset", Offset(5, 5), 9, Plan(snapshots=True)),
        ("recovery", "no_validation", Offset(5, 5), 5, Plan(start=Offset(5, 5))),
        ("recovery", "no_validation", None, 5, "needs a stored offset"),
    ],
)  # fmt: skip
def test_snapshot_mode_decides_what_a_start_does(mode, strategy, offset, slot, expected):
    found = plan(mode, strategy, offset, slot)

    if isinstance(expected, str):
        assert expected in found.error
    else:
        assert found == expected


def asked(kind="incremental", *tables):
    data = {"type": kind, "data-collections": tables or ("orders",)}
    return insert("s1", {"type": "execute-snapshot", "data": data}, "signals")


def mark(name, kind):
    return insert(name, {"type": f"snapshot-window-{kind}"}, "signals")


def windowed(machine, *meanwhile, rows=(("a", 1), ("b", 1))):
    """One chunk of two rows, and what the stream shows while its window is open."""
    (order,) = machine.committed(commit(10, asked()), NOW_US)
    assert order == ReadChunk("orders", None, None, 2, "life-1-0-open", "life-1-0-close")
    machine.chunk(rows, "c")
    machine.committed(commit(11, mark(order.opens, "open")), NOW_US)
    for number, change in enumerate(meanwhile):
        machine.committed(commit(12 + number, change), NOW_US)
    return machine.committed(commit(20, mark(order.closes, "close")), NOW_US)


def incremental(**more):
    return connector(
        signal_data_collection="signals", incremental_snapshot_chunk_size=2, **more
    )


def test_a_chunk_is_told_without_the_keys_that_the_stream_showed():
    machine = incremental()
    (order,) = windowed(machine, update("a", 1, 2))

    assert [(one.op, one.after["id"]) for one in events(told(machine))] == [("u", "a"), ("r", "b")]
    assert (order.after, order.most) == ("b", "c")
    machine.chunk([("c", 1)], "c")
    machine.committed(commit(21, mark(order.opens, "open")), NOW_US)
    assert machine.committed(commit(22, mark(order.closes, "close")), NOW_US) == ()
    assert [one.after["id"] for one in events(told(machine))] == ["c"]
    assert machine.place == Offset(22, 22, 0, 22)


def test_without_a_window_old_rows_are_told_after_new_ones():
    machine = incremental(capture=Capture(window=False))
    windowed(machine, update("a", 1, 2), delete("b", 1))

    found = [(one.op, read_key(record.key)) for record, one in
             ((record, read_change_event(record.value)) for record in told(machine))
             if one is not None]  # fmt: skip
    assert found == [("u", "a"), ("d", "b"), ("r", "a"), ("r", "b")]


def test_an_incremental_snapshot_goes_on_behind_the_last_key_that_was_told():
    machine = incremental()
    windowed(machine)
    told(machine)
    stored = read_offset(machine.to_flush().to_json())
    again = incremental(offset=stored)

    assert stored.incremental == Incremental(("orders",), "b", "c")
    assert again.resume_chunks() == (
        ReadChunk("orders", "b", "c", 2, "life-1-0-open", "life-1-0-close"),
    )
    # The marks of a former life open no window.
    assert again.committed(commit(21, mark("life-0-0-open", "open")), NOW_US) == ()


def test_a_second_signal_waits_for_the_first_snapshot():
    machine = connector(
        CapturedTable("orders"), CapturedTable("payments"), signal_data_collection="signals"
    )
    (order,) = machine.committed(commit(1, asked()), NOW_US)
    assert machine.committed(commit(2, asked("incremental", "payments")), NOW_US) == ()
    machine.chunk([], None)
    machine.committed(commit(3, mark(order.opens, "open")), NOW_US)
    (following,) = machine.committed(commit(4, mark(order.closes, "close")), NOW_US)

    assert (order.table, following.table) == ("orders", "payments")


def test_a_blocking_snapshot_is_read_where_the_stream_stands():
    machine = incremental()

    assert machine.committed(commit(1, asked("blocking")), NOW_US) == (ReadTables(("orders",)),)
    machine.read_blocking("orders", "a", 1, Transaction(1, 0, 0), NOW_US)
    assert [record.event_id for record in told(machine)] == ["shop.orders@blocking1/a"]


def test_a_signal_for_a_table_that_is_not_captured_is_refused():
    with pytest.raises(BadInput, match=r"not captured.*stock"):
        incremental().committed(commit(1, asked("incremental", "stock")), NOW_US)
