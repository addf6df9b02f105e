"""Change data capture: what is told of a database, and what a copy makes of it (C01 to C12)."""

from functools import partial

from hypothesis import strategies as st

from models.patterns.capture.cdc import COPY, copying, copying_blindly, copying_keys, copying_whole
from models.patterns.capture.cdc_reading import one_row_each, outbox_reader, zombies, zombies_buried
from models.patterns.capture.cdc_shop import (
    CONNECTOR,
    SHOP,
    captured,
    put,
    signal,
    watching_log,
    work,
)
from simulator import (
    Altered,
    Capture,
    CapturedTable,
    Cluster,
    Crash,
    Delete,
    Insert,
    Link,
    Upsert,
    constant,
    copies_are_whole,
    copy_converges,
    copy_never_goes_back,
    copy_never_invents,
    log_retained_within,
    never_applied_twice,
    outbox_router,
    shapes_at,
)
from tests.laws.capture_delivery import C01, C02, C05
from tests.laws.law import Law, Rule, Twin

MS, SECOND = 1_000, 1_000_000
ORDERS, COPIED = (SHOP, "orders"), (COPY, "orders")
HERE = "crash@connector/*"
# Not of what is written to the copy, or to a topic: what comes when its sender has given up, and
# has gone on, brings an old row again.
WAITS = (
    "delay@shop>*", "delay@connector>shop/*", "delay@application>*", "delay@broker-0>*", "tie@*"
)  # fmt: skip
# Elsewhere a wait makes somebody begin again, and tell or copy again what was done before.
READS = (
    "delay@*/ReadSlot*", "delay@*/CreateSlot*", "delay@*/Store*", "delay@shop>connector/Transact*",
    "delay@connector>shop/Transact*", "tie@*",
)  # fmt: skip


# --- C03, C04: snapshots --------------------------------------------------------------------------

# The connector's requests to the database take a tenth of a second, so there is room in between.
FAR = (Link(CONNECTOR, SHOP, constant(100 * MS)),)
OLD = (put("a", 1), put("b", 1), put("c", 1))
# Written all the while in which a snapshot may read and take its position.
DURING = (
    *work(put("a", 2), put("b", 2), Delete("orders", "c"), put("b", 3), from_us=50 * MS),
    *work(Delete("orders", "a"), put("d", 1), every_us=60 * MS, from_us=330 * MS),
)
ASKED = (
    *work((signal(("orders",)),), from_us=SECOND),
    *work(put("b", 2), put("b", 3), Delete("orders", "c"), put("a", 2), put("b", 4),
          every_us=70 * MS, from_us=SECOND + 60 * MS),
)  # fmt: skip
CHUNKS = {"snapshot.mode": "no_data", "incremental.snapshot.chunk.size": 2}


def snapshot(kind, jobs=DURING, **how):
    return captured(jobs, before=OLD, links=FAR, capture=Capture(snapshot=kind), **how)


def incremental(window):
    """The slot is there first: a signal that comes before it is never seen."""
    return captured(
        ASKED, before=OLD, links=FAR, settings=CHUNKS, capture=Capture(window=window), slot=True
    )


C03 = Law(
    "C03",
    "In the end the fold of a table's topic is the table, whatever was written meanwhile.",
    copy_converges(ORDERS, COPIED, CONNECTOR),
    "copy_converges",
    right={
        "atomic": snapshot("atomic"),
        "position first": snapshot("position_first"),
        "incremental, with a window": incremental(True),
    },
    twins={
        "select, then position": Twin(snapshot("select_first"), 0),
        "incremental, without a window": Twin(incremental(False), 0),
    },
    classes=("delay", "tie"),
    sites=WAITS,
)

C04 = Law(
    "C04",
    "No row of the copy returns to an older version.",
    copy_never_goes_back(ORDERS, COPIED),
    "copy_never_goes_back",
    right={"atomic": snapshot("atomic"), "incremental, with a window": incremental(True)},
    twins={"incremental, without a window": Twin(incremental(False), 0)},
    classes=("delay", "tie"),
    sites=READS,
)

# --- C06 to C10: what is told of a change -------------------------------------------------------

GONE = (put("a", 1), put("b", 1), Delete("orders", "a"))
COMPACTED = {
    "cleanup.policy": "compact", "segment.ms": 1_000, "min.cleanable.dirty.ratio": 0.01,
    "delete.retention.ms": 1_000,
}  # fmt: skip
CLEANER = {"log.initial.task.delay.ms": 500, "log.cleaner.backoff.ms": 500}


def compacted(tombstones):
    """Changes go on, so that segments are closed; who reads comes when all is cleaned.

    There is no snapshot: a second one, made where no offset was stored, tells of no row that was
    deleted meanwhile.
    """
    ticking = work(*(put("clock", number) for number in range(12)), every_us=500 * MS,
                   from_us=2 * SECOND)  # fmt: skip
    return captured(
        (*work(*GONE), *ticking), handler=None, broker=CLEANER, topic_settings=COMPACTED,
        settings={"tombstones.on.delete": tombstones, "snapshot.mode": "no_data"}, slot=True,
        more=partial(zombies, topic="shop.orders", at_us=9 * SECOND),
    )  # fmt: skip


PEOPLE = CapturedTable("people", identity="full")
MOVED = work(
    Upsert("people", 1, {"email": "ann@a", "name": "Ann"}),
    Upsert("people", 1, {"email": "ann@b", "name": "Ann"}),
    Upsert("people", 1, {"email": "ann@c", "name": "Ann"}),
)


def moved(handler):
    return captured(
        MOVED, tables=(PEOPLE,), handler=handler, partitions=2,
        settings={"message.key.columns": "people:email"},
    )  # fmt: skip


TRANSFERS = work(
    (put("a", 1), Upsert("payments", "a", 1)), (put("a", 2), Upsert("payments", "a", 2))
)


def together(handler, metadata):
    tables = ("orders", "payments")
    topics = [f"shop.{table}" for table in tables] + ["shop.transaction"] * metadata
    return captured(
        TRANSFERS, tables=tables, handler=handler, topics=topics,
        settings={"provide.transaction.metadata": metadata, "snapshot.mode": "no_data"},
    )  # fmt: skip


LARGE = CapturedTable("orders", large=("notes",))
NOTES = work(
    put("a", {"status": "new", "notes": "long"}), put("a", {"status": "paid", "notes": "long"})
)


def large(handler):
    return captured(NOTES, tables=(LARGE,), handler=handler)


# --- C09: a history, an offset in it ------------------------------------------------------------

HISTORIES = st.tuples(
    st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from(["t", "u"]), st.sampled_from(["xy", "z", ""])),
        max_size=4,
    ).map(lambda found: tuple(Altered(lsn, table, tuple(c)) for lsn, table, c in sorted(found))),
    st.integers(0, 9),
)


def shapes_are_right(shapes, case):
    """The columns of each table are those of its last DDL statement up to the offset."""
    history, offset = case
    then = [one for one in history if one.lsn <= offset]
    return shapes(history, offset) == {one.table: one.columns for one in then}


def recovered(history, _):
    """What snapshot.mode=recovery makes: the tables as they are now."""
    return shapes_at(history, max((one.lsn for one in history), default=0))


# --- C11, C12 -----------------------------------------------------------------------------------

# The server is busy with another database's table.
ELSEWHERE = work(
    put("a", 1), *(Upsert("metrics", "load", number) for number in range(40)), every_us=200 * MS
)


def quiet(**settings):
    return captured(
        ELSEWHERE, handler=None, elsewhere=("metrics",), settings=settings, more=watching_log
    )


BEATS = {"heartbeat.interval.ms": 300}
ACTION = {"heartbeat.action.query": Upsert("heartbeat", 1, "here", effect=False)}
OUTBOX = {"aggregatetype": "order", "aggregateid": "o1", "type": "Paid", "payload": "paid"}
EVENTS = work(Insert("outbox", "e1", OUTBOX, effect=False))


def outboxed(remembers_ms):
    def more(cluster: Cluster):
        outbox_reader(cluster, "outbox.event.order", remembers_ms)

    return captured(
        EVENTS, tables=("outbox",), handler=None, more=more, router=outbox_router(),
        settings={"snapshot.mode": "always"},
        faults=(Crash(CONNECTOR, at_ms=4_000, down_ms=500),),
    )  # fmt: skip


LAWS = (
    C01,
    C02,
    C03,
    C04,
    C05,
    Law(
        "C06",
        "Once the topic is compacted, nothing is left of a row that was deleted.",
        zombies_buried,
        "zombies_buried",
        right={"tombstones": compacted(True)},
        twins={"no tombstones": Twin(compacted(False), 0)},
    ),
    Law(
        "C07",
        "A change of the key is a delete and a create: between the two a row is missing, or two.",
        one_row_each,
        "one_row_each",
        right={"headers, in one transaction": moved(copying_keys)},
        twins={"one after the other": Twin(moved(copying), 0)},
        classes=("delay", "tie"),
        sites=READS,
    ),
    Law(
        "C08",
        "Who waits for all events of a transaction shows it whole.",
        copies_are_whole(SHOP, COPY, "orders", "payments"),
        "copies_are_whole",
        right={"transaction metadata": together(copying_whole, True)},
        twins={"no metadata": Twin(together(copying, False), 0)},
    ),
    Rule(
        "C09",
        "Replaying the schema history to an offset gives the tables' columns there.",
        HISTORIES,
        shapes_are_right,
        right={"replay to the offset": shapes_at},
        twins={"recovery after DDL": recovered},
        situation=lambda case: any(one.lsn > case[1] for one in case[0]),
        situated="offsets with DDL behind them",
    ),
    Law(
        "C10",
        "The placeholder of an unchanged large column is never written into the copy.",
        copy_never_invents(ORDERS, COPIED),
        "copy_never_invents",
        right={"the old value stays": large(copying)},
        twins={"naive upsert": Twin(large(copying_blindly), 0)},
    ),
    Law(
        "C11",
        "However quiet the captured tables are, the database may forget its log.",
        log_retained_within(20, per_crash=12),
        "log_retained_within",
        sites=HERE,
        right={"heartbeat with action query": quiet(**BEATS, **ACTION)},
        twins={
            "no heartbeat": Twin(quiet(), 0),
            "heartbeat that writes nothing": Twin(quiet(**BEATS), 0),
        },
    ),
    Law(
        "C12",
        "A second snapshot sends what is in the outbox again, under its id: an inbox that "
        "remembers as long as a row lives applies it once.",
        never_applied_twice,
        "never_applied_twice",
        right={"remembers longer": outboxed(60_000)},
        twins={"remembers less": Twin(outboxed(1_000), 0)},
    ),
)
