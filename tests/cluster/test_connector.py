"""A connector in the world: it starts, snapshots, streams, stores offsets, and starts again."""

import json
from functools import partial

import attrs
import pytest

from models.patterns.capture.cdc_shop import CONNECTOR, SHOP, captured, put, signal, work
from simulator import (
    BadInput,
    Crash,
    Delete,
    FaultPlan,
    Insert,
    Pause,
    ProducerFailed,
    Replay,
    Scenario,
    Topology,
    Upsert,
    parse_witness,
    simulate,
)
from simulator.checks.captured import changes_captured, offset_never_ahead
from simulator.cluster.connector import ask_snapshot
from simulator.protocol.connector_offsets import Offset
from simulator.protocol.connector_records import CapturedTable
from simulator.protocol.outbox_router import outbox_router
from simulator.protocol.store_operations import AlterTable, EmitMessage

EVERY = changes_captured(SHOP, CONNECTOR, "orders")
BEHIND = offset_never_ahead(CONNECTOR)
CHANGES = work(put("a", 1), (put("a", 2), put("b", 1)), Delete("orders", "a"))
OLD = (put("z", 0),)


def run(jobs=CHANGES, witness="", **how):
    how.setdefault("handler", None)
    chooser = Replay(parse_witness(witness)) if witness else None
    return simulate(captured(jobs, **how), chooser)


def told(trace, op=""):
    """(op, key, value) of what the connector told."""
    found = [entry[4] for entry in trace.flat if entry[4][0] == "change_captured"]
    return [(one[5], one[3], one[4]) for one in found if op in ("", one[5])]


def noted(trace, name):
    return [entry[4][2] for entry in trace.flat if entry[4][:2] == ("noted", name)]


def warnings(trace):
    return [entry[4][1] for entry in trace.flat if entry[4][0] == "warned"]


def stored(trace):
    return [entry[4][1:] for entry in trace.flat if entry[4][0] == "source_offset_stored"]


def ended(trace):
    return trace.flat[-1][4]


# --- The stream ------------------------------------------------------------------------------


def test_what_is_there_is_read_and_what_is_committed_is_told():
    trace = run(before=OLD)

    assert told(trace) == [
        ("r", "z", 0), ("c", "a", 1), ("u", "a", 2), ("c", "b", 1), ("d", "a", None),
        ("tombstone", "a", None),
    ]  # fmt: skip
    assert noted(trace, "snapshot read") == ["1 rows as of LSN 1"]
    assert stored(trace)[-1] == (4, 4, 0)
    assert ended(trace) == ("run_ended", "quiet")
    assert EVERY(trace)


def test_a_run_is_the_same_every_time():
    assert run(before=OLD).digest() == run(before=OLD).digest()


@pytest.mark.parametrize(
    "point",
    ["after_position", "after_select", "after_read", "before_send", "after_send", "before_flush",
     "after_flush", "after_confirm"],
)  # fmt: skip
@pytest.mark.parametrize("nth", [0, 1])
def test_wherever_it_crashes_everything_is_told(point, nth):
    settings = {"offset.flush.interval.ms": 60, "max.batch.size": 1}
    if point in ("after_position", "after_select") and nth:
        return  # There is one snapshot, which is made anew.
    trace = run(witness=f"crash@connector/{point}#{nth}=1", before=OLD, settings=settings)

    assert any(entry[4][0] == "node_crashed" for entry in trace.flat)
    assert EVERY(trace), EVERY(trace).explain(trace)
    assert BEHIND(trace)
    assert ended(trace) == ("run_ended", "quiet")


def test_a_restart_tells_a_suffix_again():
    faults = (Crash(CONNECTOR, at_ms=1_350, down_ms=300),)
    trace = run(before=OLD, faults=faults, settings={"offset.flush.interval.ms": 10_000})
    before = [("c", "a", 1), ("u", "a", 2), ("c", "b", 1), ("d", "a", None),
              ("tombstone", "a", None)]  # fmt: skip

    # No offset was stored, so the snapshot is made again too, of what is there by then.
    assert told(trace) == [("r", "z", 0), *before, ("r", "b", 1), ("r", "z", 0)]


def test_a_store_that_is_away_is_waited_for():
    faults = (Crash(SHOP, at_ms=1_050, down_ms=2_000),)
    trace = run(before=OLD, jobs=work(put("a", 1), put("a", 2), every_us=3_000_000), faults=faults)

    assert noted(trace, "connector restarts")
    assert EVERY(trace)


def test_a_paused_connector_goes_on():
    trace = run(before=OLD, faults=(Pause(CONNECTOR, at_ms=1_050, for_ms=1_000),))

    assert EVERY(trace)
    assert ended(trace) == ("run_ended", "quiet")


def test_a_small_queue_holds_the_stream_back():
    settings = {"max.batch.size": 1, "max.queue.size": 2}
    many = work(tuple(put(f"o{number}", 1) for number in range(9)))
    trace = run(jobs=many, settings=settings)

    assert len(told(trace)) == 9
    assert EVERY(trace)


def test_a_message_in_the_log_goes_to_its_topic():
    def more(cluster):
        cluster.topic("shop.message")

    trace = run(jobs=work((EmitMessage("audit", "hello"),)), more=more)

    acknowledged = [entry[4] for entry in trace.flat if entry[4][0] == "record_acknowledged"]
    assert [one[2] for one in acknowledged] == ["shop.message", "connect-offsets"]


def test_a_row_that_cannot_be_routed_stops_the_connector():
    """Debezium's task fails, and is not started again by itself."""
    trace = run(
        jobs=work(Insert("outbox", "e1", {"payload": "paid"}, effect=False)), tables=("outbox",),
        router=outbox_router(),
    )  # fmt: skip

    (warning,) = [text for text in warnings(trace) if "stops" in text]
    assert "the outbox router stops with DataException" in warning
    assert ended(trace) == ("run_ended", "quiet")


def test_a_lost_record_starts_the_connector_again():
    """As a task fails whose producer fails; the slot is free for the next one."""
    def more(cluster):
        def drive(node):
            yield node.sleep(1_150_000)
            (connector,) = cluster._connectors
            connector.life.publishing._failure = ProducerFailed("lost")

        cluster.driver("breaker", drive)

    trace = run(before=OLD, jobs=(*CHANGES, *work(put("c", 1), from_us=3_000_000)), more=more)

    assert noted(trace, "connector restarts") == ["ProducerFailed: lost"]
    assert EVERY(trace)
    assert ended(trace) == ("run_ended", "quiet")


# --- Snapshots ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "first", "second"),
    [("initial", 1, 0), ("always", 1, 1), ("no_data", 0, 0), ("when_needed", 1, 0),
     ("initial_only", 1, 0)],
)  # fmt: skip
def test_snapshot_mode_says_what_a_start_reads(mode, first, second):
    """The connector crashes once, when its offset is stored; meanwhile nothing happens."""
    trace = run(
        jobs=(), before=OLD, faults=(Crash(CONNECTOR, at_ms=1_500),),
        settings={"snapshot.mode": mode},
        more=lambda cluster: cluster.driver("until", napping),
    )  # fmt: skip

    assert len(noted(trace, "snapshot read")) == first + second
    assert ended(trace) == ("run_ended", "quiet")


def napping(node):
    yield node.sleep(4_000_000)


def test_initial_only_streams_nothing():
    trace = run(before=OLD, settings={"snapshot.mode": "initial_only"})

    assert told(trace) == [("r", "z", 0)]
    assert ended(trace) == ("run_ended", "quiet")


def dropping(cluster, again):
    def drive(node):
        database = cluster.context(node).store(SHOP)
        yield node.sleep(2_400_000)
        yield database.drop_slot("debezium")
        if again:
            yield database.create_slot("debezium")

    cluster.driver("operator", drive)


LATER = (*CHANGES, *work(put("c", 1), put("c", 2), from_us=2_000_000))
AWAY = (Crash(CONNECTOR, at_ms=1_800, down_ms=1_500),)


@pytest.mark.parametrize(
    ("mode", "strategy", "again", "warned", "reads"),
    [
        ("initial", "no_validation", False, True, 1),
        ("initial", "trust_offset", True, True, 1),
        ("initial", "no_validation", True, False, 1),
        ("when_needed", "no_validation", False, False, 2),
        ("when_needed", "trust_offset", True, False, 2),
    ],
)
def test_a_slot_that_is_gone_is_told_of_or_not(mode, strategy, again, warned, reads):
    trace = run(
        LATER, before=OLD, faults=AWAY, more=partial(dropping, again=again),
        settings={"snapshot.mode": mode, "offset.mismatch.strategy": strategy},
    )  # fmt: skip

    assert any("stops" in text for text in warnings(trace)) is warned
    assert len(noted(trace, "snapshot read")) == reads
    assert (("r", "c", 2) in told(trace)) is (reads == 2)


def test_a_slot_whose_log_was_cut_is_gone():
    trace = run(
        LATER, before=OLD, faults=AWAY, store={"max_slot_wal_keep_size": 64},
        settings={"snapshot.mode": "when_needed"},
    )  # fmt: skip

    assert len(noted(trace, "snapshot read")) == 2
    assert ("r", "c", 2) in told(trace)


def test_an_incremental_snapshot_reads_chunk_by_chunk_and_goes_on_after_a_crash():
    rows = tuple(put(f"o{number}", 1) for number in range(5))
    settings = {
        "snapshot.mode": "no_data", "incremental.snapshot.chunk.size": 2,
        "offset.flush.interval.ms": 20,
    }  # fmt: skip
    jobs = work((signal(("orders",)),), put("p", 1))
    whole = run(jobs, before=rows, settings=settings)
    crashed = run(jobs, witness="crash@connector/after_flush#1=1", before=rows, settings=settings)

    assert [key for _, key, _ in told(whole, "r")] == [f"o{number}" for number in range(5)]
    read = [key for _, key, _ in told(crashed, "r")]
    assert list(dict.fromkeys(read)) == [f"o{number}" for number in range(5)]
    assert len(read) <= 7  # One chunk at most is read again.


def test_a_signal_is_incremental_or_blocking():
    assert ask_snapshot("a", ["orders"])["data"]["type"] == "incremental"
    with pytest.raises(BadInput, match="incremental or blocking: 'other'"):
        ask_snapshot("a", ["orders"], "other")


# --- Schema history ----------------------------------------------------------------------------


HISTORY = {"schema.history.internal.kafka.topic": "history"}
BY_POSITION = CapturedTable("orders", columns=("status",))
ALTERED = work(
    Insert("orders", "a", ("new",)), AlterTable("orders", ("status", "total")),
    Insert("orders", "b", ("new", 5)), every_us=400_000,
)  # fmt: skip


def test_a_schema_history_is_kept_and_replayed():
    trace = run(
        ALTERED, tables=(BY_POSITION,), settings=HISTORY,
        faults=(Crash(CONNECTOR, at_ms=2_600, down_ms=200),),
    )  # fmt: skip

    assert not warnings(trace)
    assert [op for op, _, _ in told(trace)][:2] == ["c", "c"]


@pytest.mark.parametrize(
    ("mode", "said"),
    [("initial", "schema history or its content is missing"), ("recovery", "orders has columns")],
)
def test_a_history_that_was_lost_stops_the_connector_or_is_made_up(mode, said):
    """Recovery takes the columns of now, and the log behind the offset has those of then."""
    trace = simulate(Scenario(
        application=partial(lost_history, mode=mode), topology=Topology(topics=()),
        faults=FaultPlan((Crash(CONNECTOR, at_ms=1, down_ms=3_000),)), horizon_ms=60_000,
    ))  # fmt: skip

    assert any(said in text for text in warnings(trace)), warnings(trace)


def lost_history(cluster, mode):
    """There are an offset and a slot, and no history; DDL has come since."""
    cluster.store(SHOP)
    cluster.connector(
        CONNECTOR, SHOP, (BY_POSITION,), {"topic.prefix": "shop", **HISTORY, "snapshot.mode": mode}
    )
    key = json.dumps([CONNECTOR, {"server": "shop"}], separators=(",", ":"))

    def drive(node):
        database = cluster.context(node).store(SHOP)
        yield database.create_slot("debezium")
        yield database.transact(Insert("orders", "a", ("new",)))
        yield cluster.producer(node).send("connect-offsets", Offset(1, 1, 0, 1).to_json(), key)
        yield database.transact(Insert("orders", "b", ("new",)))
        yield database.transact(AlterTable("orders", ("status", "total")))
        yield node.sleep(4_000_000)

    cluster.driver("application", drive)


# --- Declaring ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("store", "tables", "settings", "said"),
    [
        ("ledger", ("orders",), {}, "there is no store called"),
        (SHOP, ("orders", "orders"), {}, "captured twice"),
        (SHOP, ("orders",), {"snapshot.mode": "never"}, "no_data is what it is called now"),
        (SHOP, ("orders",), {"tasks.max": 2}, "tasks.max is not modelled"),
    ],
)
def test_mistakes_are_told_at_once(store, tables, settings, said):
    def deploy(cluster):
        cluster.store(SHOP)
        cluster.connector(CONNECTOR, store, tables, {"topic.prefix": "shop", **settings})

    with pytest.raises(BadInput, match=said):
        simulate(Scenario(application=deploy, topology=Topology(topics=())))


def test_its_producer_is_not_idempotent_unless_it_is_asked_to_be():
    def deploy(cluster, **how):
        cluster.store(SHOP)
        settings = {"topic.prefix": "shop"}
        made.append(cluster.connector(CONNECTOR, SHOP, ("orders",), settings, **how).producer)

    made = []
    for how in ({}, {"producer": {"enable.idempotence": True}}):
        scenario = Scenario(application=partial(deploy, **how), topology=Topology(topics=()))
        simulate(attrs.evolve(scenario, horizon_ms=1_000))

    assert [one.enable_idempotence for one in made] == [False, True]
    assert {one.max_in_flight_requests_per_connection for one in made} == {1}


def test_a_topic_that_is_there_is_taken_as_it_is():
    def deploy(cluster):
        cluster.store(SHOP)
        cluster.topic("shop.orders", 4)
        cluster.connector(CONNECTOR, SHOP, ("orders",), {"topic.prefix": "shop"}, partitions=2)
        assert cluster.layout.topics["shop.orders"].partitions == 4

    simulate(Scenario(application=deploy, topology=Topology(topics=()), horizon_ms=10_000))


def test_partitions_may_be_given_by_topic():
    def deploy(cluster):
        cluster.store(SHOP)
        cluster.connector(
            CONNECTOR, SHOP, ("orders", "payments"), {"topic.prefix": "shop"},
            partitions={"shop.orders": 3, "": 2},
        )  # fmt: skip
        topics = cluster.layout.topics
        assert topics["shop.orders"].partitions == 3
        assert topics["shop.payments"].partitions == 2
        assert topics["connect-offsets"].partitions == 1

    simulate(Scenario(application=deploy, topology=Topology(topics=()), horizon_ms=10_000))


def test_a_heartbeat_writes_its_row():
    beats = {
        "heartbeat.interval.ms": 300,
        "heartbeat.action.query": Upsert("heartbeat", 1, "here", effect=False),
    }
    trace = run(before=OLD, settings=beats)

    topics = [entry[4][2] for entry in trace.flat if entry[4][0] == "record_acknowledged"]
    assert "__debezium-heartbeat.shop" in topics
    assert ended(trace) == ("run_ended", "quiet")
