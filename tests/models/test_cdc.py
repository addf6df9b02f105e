"""Copies that are made of what a connector tells: the right ones, and the wrong ones."""

from functools import partial

import pytest

from models.patterns.capture.cdc import COPY, copying, copying_blindly, copying_keys, copying_whole
from models.patterns.capture.cdc_batches import by_offset, by_time, first_deletes
from models.patterns.capture.cdc_reading import one_row_each, outbox_reader, zombies, zombies_buried
from models.patterns.capture.cdc_shop import SHOP, captured, put, signal, work
from simulator import (
    CapturedTable,
    ChangeEvent,
    Crash,
    Delete,
    Insert,
    Replay,
    Status,
    Upsert,
    copies_are_whole,
    copy_converges,
    copy_never_invents,
    never_applied_twice,
    outbox_router,
    parse_witness,
    simulate,
)
from tests.checks.captured_traces import captured as hand_made

ORDERS, COPIED = (SHOP, "orders"), (COPY, "orders")
converges, true = copy_converges(ORDERS, COPIED), copy_never_invents(ORDERS, COPIED)


def run(jobs, **how):
    return simulate(captured(jobs, **how))


def test_a_copy_becomes_what_the_table_is():
    trace = run(
        work(put("a", 1), put("a", {"n": 2}), put("b", 1), Delete("orders", "b")),
        before=(put("z", 0),),
    )

    assert converges(trace)
    assert converges(trace).reached == 3


def test_a_copy_becomes_what_the_table_is_after_crashes_too():
    jobs = work(put("a", 1), put("b", 1), Delete("orders", "a"), put("b", 2))
    faults = (Crash("connector", at_ms=1_150, down_ms=200), Crash("copying-0", at_ms=1_500))

    assert converges(run(jobs, before=(put("z", 0),), faults=faults))


def test_a_connector_without_an_offset_reads_anew_and_misses_what_was_deleted_meanwhile():
    """It had told of the row, and had stored no offset: the new snapshot has no word of it."""
    jobs = work(put("a", 1), put("b", 1), Delete("orders", "a"), put("b", 2))
    trace = run(jobs, faults=(Crash("connector", at_ms=1_150, down_ms=200),))

    assert converges(trace).status is Status.BROKEN


def test_a_connector_that_makes_no_snapshot_misses_no_delete():
    """The slot is older than all rows, so the log has everything, and it has it again."""
    jobs = work(put("a", 1), put("b", 1), Delete("orders", "a"), put("b", 2))
    faults = (Crash("connector", at_ms=1_150, down_ms=200),)

    assert converges(run(jobs, faults=faults, settings={"snapshot.mode": "no_data"}, slot=True))


@pytest.mark.parametrize(("slot", "kept"), [(True, True), (False, False)])
def test_a_signal_is_seen_behind_the_slot_only(slot, kept):
    """The connector comes when the signal lies in the log already."""
    trace = run(
        work((signal(("orders",)),)), before=(put("a", 1),), slot=slot,
        settings={"snapshot.mode": "no_data"}, faults=(Crash("connector", at_ms=0, down_ms=5_000),),
    )  # fmt: skip

    assert bool(converges(trace)) is kept


@pytest.mark.parametrize(("handler", "kept"), [(copying, True), (copying_blindly, False)])
def test_the_placeholder_of_a_large_column_is_not_its_value(handler, kept):
    jobs = work(put("a", {"n": 1, "notes": "long"}), put("a", {"n": 2, "notes": "long"}))
    trace = run(jobs, tables=(CapturedTable("orders", large=("notes",)),), handler=handler)

    assert bool(true(trace)) is kept
    assert bool(converges(trace)) is kept


@pytest.mark.parametrize(("handler", "metadata"), [(copying_whole, True), (copying, False)])
def test_a_transaction_is_shown_whole_by_who_waits_for_all_of_it(handler, metadata):
    both = ("orders", "payments")
    topics = [f"shop.{table}" for table in both] + ["shop.transaction"] * metadata
    jobs = work(
        (put("a", 1), Upsert("payments", "a", 1)),
        (Delete("orders", "a"), Upsert("payments", "a", 2)),
    )
    trace = run(
        jobs, tables=both, topics=topics, handler=handler,
        settings={"provide.transaction.metadata": metadata},
    )  # fmt: skip

    assert bool(copies_are_whole(SHOP, COPY, *both)(trace)) is metadata
    assert converges(trace)


def test_rows_that_a_snapshot_read_belong_to_no_transaction():
    trace = run(
        work(put("a", 1)), before=(put("z", 0),), topics=("shop.orders", "shop.transaction"),
        handler=copying_whole, settings={"provide.transaction.metadata": True},
    )  # fmt: skip

    assert converges(trace)


@pytest.mark.parametrize(("handler", "kept"), [(copying_keys, True), (copying, False)])
def test_a_row_whose_key_changes_is_moved_by_who_reads_the_headers(handler, kept):
    ann = {"name": "Ann"}
    jobs = work(
        Upsert("people", 1, {"email": "a", **ann}), Upsert("people", 1, {"email": "b", **ann}),
        Delete("people", 1),
    )  # fmt: skip
    trace = run(
        jobs[: 2 if kept else 3], tables=(CapturedTable("people", identity="full"),),
        handler=handler, settings={"message.key.columns": "people:email"},
    )  # fmt: skip

    assert bool(one_row_each(trace)) is kept


def test_one_row_each_has_nothing_to_say_of_nobody():
    assert one_row_each(hand_made("quiet")).reached == 0
    assert one_row_each(hand_made("quiet")).status is Status.KEPT


# --- Who comes late ------------------------------------------------------------------------------


def late(*lines, left=()):
    trace = hand_made(*lines)
    for key in left:
        trace.record(50_000, "late", (), ("noted", "left", key))
    return trace


def ended(trace, reason):
    trace.record(60_000, "world", (), ("run_ended", reason))
    return zombies_buried(trace).status


def test_who_comes_late_is_told_of_no_deleted_row():
    lines = ("+ a 1", "+ b 1", "+ a -")

    assert ended(late(*lines, left=["b"]), "quiet") is Status.KEPT
    assert ended(late(*lines, left=["a", "b"]), "quiet") is Status.BROKEN
    assert ended(late(*lines, left=["a", "b"]), "horizon") is Status.CANNOT_TELL
    assert zombies_buried(late(*lines)).reached == 0


ONE_BY_ONE = {
    "snapshot.mode": "no_data", "max.batch.size": 1, "offset.flush.interval.ms": 5_000
}  # fmt: skip


def test_who_comes_late_does_not_come_in_the_midst_of_a_repetition():
    """The connector dies when all is told, and again when the row is told, and not its end."""
    scenario = captured(
        work(put("a", 1), put("b", 1), Delete("orders", "a")), handler=None, slot=True,
        settings=ONE_BY_ONE, more=partial(zombies, topic="shop.orders", at_us=2_500_000),
    )  # fmt: skip
    deaths = parse_witness("crash@connector/after_send#3=1;crash@connector/after_send#4=1")
    trace = simulate(scenario, Replay(deaths, strict=False))

    assert zombies_buried(trace)
    assert zombies_buried(trace).reached == 1


@pytest.mark.parametrize(("remembers_ms", "kept"), [(60_000, True), (1_000, False)])
def test_an_inbox_must_remember_as_long_as_a_row_lives(remembers_ms, kept):
    """snapshot.mode=always sends the rows of the outbox again at each start."""
    row = {"aggregatetype": "order", "aggregateid": "o1", "type": "Paid", "payload": "paid"}
    trace = run(
        work(Insert("outbox", "e1", row, effect=False)), tables=("outbox",), handler=None,
        router=outbox_router(), settings={"snapshot.mode": "always"},
        faults=(Crash("connector", at_ms=4_000, down_ms=500),),
        more=lambda cluster: outbox_reader(cluster, "outbox.event.order", remembers_ms),
    )  # fmt: skip

    assert bool(never_applied_twice(trace)) is kept


# --- Batches --------------------------------------------------------------------------------------


def event(op, ts_ms=1):
    return ChangeEvent(op, None, None if op == "d" else {"value": op}, {"ts_ms": ts_ms}, ts_ms)


def last(collapsed):
    """What is done to each key last."""
    return {key: one.op for key, one in collapsed}


def test_a_batch_is_collapsed_to_what_stands_last_in_the_topic():
    replaced = [("a", event("d")), ("a", event("c"))]
    cancelled = [("a", event("c")), ("a", event("d"))]

    assert last(by_offset(replaced)) == {"a": "c"}
    assert last(by_offset(cancelled)) == {"a": "d"}


def test_two_events_of_one_time_cannot_be_told_apart_by_it():
    replaced = [("a", event("d")), ("a", event("c"))]

    assert last(by_time(replaced)) == {"a": "d"}
    assert last(by_time([("a", event("d")), ("a", event("c", 2))])) == {"a": "c"}


def test_deletes_that_come_first_undo_nothing():
    cancelled = [("a", event("c")), ("a", event("d"))]

    assert last(first_deletes(cancelled)) == {"a": "c"}
