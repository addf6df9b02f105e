"""Change data capture: told at least once, and again as a suffix (C01, C02 and C05)."""

from functools import partial

from models.patterns.capture.cdc_shop import CONNECTOR, SHOP, Work, captured, put, signal, work
from simulator import (
    Capture,
    Crash,
    StoreError,
    Upsert,
    changes_captured,
    repeats_are_rewinds,
    repeats_bounded,
)
from tests.laws.law import Law, Twin

MS, SECOND = 1_000, 1_000_000
HERE = "crash@connector/*"
QUICK = {"offset.flush.interval.ms": 100}

CHANGES = work(put("a", 1), (put("a", 2), put("b", 1)), put("b", 2))
TWO_TABLES = work((put("a", 1), Upsert("payments", "a", 1)))
OTHER_FIRST = work((Upsert("payments", "a", 1), put("a", 1)))
# Topics lie on brokers in turn; the one that has the orders is down for a while.
ORDERS_DOWN = {name: (Crash(f"broker-{name}", at_ms=900, down_ms=1_500),) for name in (0, 1)}
DOWN = Crash(CONNECTOR, at_ms=1_500, down_ms=1_500)
LATER = (*work(put("a", 1), put("a", 2)), *work(put("a", 3), put("b", 1), from_us=2 * SECOND))
AFTER = work(put("c", 1), from_us=5 * SECOND)
# The slower transaction begins first, and commits last.
CROSSING = (
    Work(SECOND, (put("a", 1),)),
    Work(SECOND + 200 * MS, (put("a", 2),), open_us=400 * MS),
    Work(SECOND + 300 * MS, (put("b", 1),)),
)


def operator(cluster, at_us=2_500 * MS, again=False):
    """Somebody drops the slot while nobody reads it, and makes a new one, as a failover does."""

    def drive(node):
        yield node.sleep(at_us)
        database = cluster.context(node).store(SHOP)
        try:
            yield database.drop_slot("debezium")
        except StoreError:
            return  # A crash has changed the plan: somebody reads it.
        if again:
            yield database.create_slot("debezium")

    cluster.driver("operator", drive)


def lossy(capture, jobs=CHANGES, **how):
    how.setdefault("settings", QUICK)
    how.setdefault("before", (put("z", 0),))  # So that an offset is stored before all else.
    return captured(jobs, handler=None, capture=capture, **how)


C01 = Law(
    "C01",
    "Every committed change is told at least once, wherever the connector crashes.",
    changes_captured(SHOP, CONNECTOR, "orders"),
    "node_crashed",
    sites=HERE,
    right={
        "flush after ack": lossy(Capture()),
        "several changes of one transaction": lossy(
            Capture(), settings={**QUICK, "max.batch.size": 1}
        ),
        "transactions that cross": lossy(Capture(), jobs=CROSSING),
        "slot ahead of the offset, when_needed": lossy(
            Capture(), jobs=LATER, faults=(DOWN,), more=partial(operator, again=True),
            settings={"snapshot.mode": "when_needed", "offset.mismatch.strategy": "trust_offset"},
        ),
    },
    twins={
        "flush before ack": Twin(
            lossy(Capture(flush="sent"), brokers=2, faults=ORDERS_DOWN[0]),
            1, "crash@connector/after_flush",
        ),
        "flush of what is read": Twin(
            lossy(Capture(flush="read"), settings={**QUICK, "poll.interval.ms": 250}),
            1, "crash@connector/after_flush",
        ),
        "unordered acks": Twin(
            lossy(
                Capture(acks="any order"), jobs=TWO_TABLES, tables=("orders", "payments"),
                brokers=3, faults=ORDERS_DOWN[0],
            ),
            1, "crash@connector/after_flush",
        ),
        "resumes by lsn alone": Twin(
            lossy(
                Capture(resume="lsn"), jobs=OTHER_FIRST, tables=("payments", "orders"),
                brokers=3, faults=ORDERS_DOWN[1],
            ),
            1, "crash@connector/after_flush",
        ),
        "resumes by transaction id": Twin(
            lossy(Capture(resume="xid"), jobs=CROSSING), 1, "crash@connector/after_flush"
        ),
        "slot confirmed before the offset is stored": Twin(
            lossy(Capture(confirms="read"), settings={"poll.interval.ms": 250}),
            1, "crash@connector/before_send",
        ),
        "dropped slot": Twin(lossy(Capture(), jobs=LATER, faults=(DOWN,), more=operator), 0),
        "recreated slot": Twin(
            lossy(Capture(), jobs=LATER, faults=(DOWN,), more=partial(operator, again=True)), 0
        ),
        "no_data after a purge": Twin(
            lossy(
                Capture(), jobs=(*LATER, *AFTER), faults=(DOWN,),
                store={"max_slot_wal_keep_size": 64}, settings={"snapshot.mode": "no_data"},
            ),
            0,
        ),
    },
)  # fmt: skip

NO_DATA = {"snapshot.mode": "no_data", "offset.flush.interval.ms": 1_000}

C02 = Law(
    "C02",
    "What is told again is a suffix of what was told, in the order of the log.",
    repeats_are_rewinds(CONNECTOR),
    "repeats_are_rewinds",
    sites=HERE,
    right={"one task": lossy(Capture(), settings=NO_DATA)},
    twins={
        "a second snapshot in the midst of the stream": Twin(
            lossy(
                Capture(),
                jobs=work(put("a", 1), put("b", 1), (signal(("orders",), "blocking"),), put("c", 1),
                          every_us=400 * MS),
                settings={},
            ),
            0,
        )
    },
)

BATCH, FLUSH_MS, POLL_MS = 2, 400, 100
MANY = work(*(put(f"o{number}", number) for number in range(12)), every_us=50 * MS)
BOUNDED = {
    "max.batch.size": BATCH, "poll.interval.ms": POLL_MS, "offset.flush.interval.ms": FLUSH_MS
}  # fmt: skip

ONE_CRASH = (Crash(CONNECTOR, at_ms=1_390, down_ms=200),)

C05 = Law(
    "C05",
    "A crash repeats at most a batch for each poll of a flush interval.",
    repeats_bounded(CONNECTOR, BATCH * FLUSH_MS // POLL_MS),
    "node_crashed",
    classes=("delay", "tie"),
    right={"a crash": lossy(Capture(), jobs=MANY, settings=BOUNDED, faults=ONE_CRASH)},
    twins={
        "as if it were one batch": Twin(
            lossy(Capture(), jobs=MANY, settings=BOUNDED), 1, "crash@connector/after_send",
            check=repeats_bounded(CONNECTOR, BATCH),
        )
    },
)
