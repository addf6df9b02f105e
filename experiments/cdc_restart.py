"""Where does a connector go on after a restart, when several changes share one place in the log?

All changes of a transaction share its LSN, and a transaction that began earlier may commit later.
A connector that crashes in the midst of such a transaction must know how many of its changes it
has told. Asked in debezium/debezium#7760 (silent data loss on restart with transactions in
progress) and in debezium/debezium#7531 and #4152 (events that share one LSN are skipped).

Here rows are written one by one, several in one transaction, or by transactions that overlap; the
topic's broker is away for a while, so that what is acknowledged ends amid a transaction; then the
connector crashes after it has stored its offset.

Predict before you run it: which way of going on loses changes, of which kind of work? And what
does the right one pay for losing nothing?
"""

from collections.abc import Mapping
from typing import Any

from experiments._capture import AGAIN, LOST, judged_by, never_lost
from experiments._shared import plotted
from models.patterns.capture.cdc_shop import CONNECTOR, Work, captured, put, work
from simulator import Capture, Crash, CrashHazard, Experiment, Hazards, Scenario, Upsert, constant

FROM_US, EVERY_US, ROUNDS = 1_000_000, 60_000, 16
TABLES = ("payments", "orders")
WAYS = {
    "behind the event": Capture(),
    "behind its LSN": Capture(resume="lsn"),
    "behind its transaction's id": Capture(resume="xid"),
}
AWAY = Crash("broker-1", at_ms=1_400, down_ms=600)  # It leads the topic of the orders.
HAZARDS = Hazards(crash=(CrashHazard(CONNECTOR, "after_flush", 0.6, constant(200_000)),))


def paid(number: int) -> Upsert:
    """A payment, in another table and topic."""
    return Upsert("payments", f"p-{number % 4}", number)


WORK = {
    "row by row": work(
        *(put(f"o-{number % 4}", number) for number in range(ROUNDS)), every_us=EVERY_US
    ),
    "several rows at once": work(
        *((paid(number), put(f"o-{number % 4}", number)) for number in range(ROUNDS)),
        every_us=EVERY_US,
    ),
    "overlapping": tuple(
        Work(FROM_US + number * EVERY_US, (put(f"o-{number}", number),), (number % 3) * 150_000)
        for number in range(ROUNDS)
    ),
}


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Crashes strike when an offset has just been stored."""
    return captured(
        factors["work"], before=(put("o-0", -1),), tables=TABLES, handler=None, brokers=3,
        capture=factors["goes on"], faults=(AWAY,), hazards=HAZARDS,
        settings={"offset.flush.interval.ms": 100},
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """An LSN loses the rest of a transaction, an id also those that began before."""
    capture, shape = factors["goes on"], factors["work"]
    kept = (
        capture.resume == "event"
        or shape is WORK["row by row"]
        or (capture.resume == "lsn" and shape is WORK["overlapping"])
    )
    return {"changes_captured": "kept" if kept else "broken"}


EXPERIMENT = Experiment(
    name="cdc_restart",
    question="Where does a connector go on after a restart, amid changes that share one LSN?",
    scenario=scenario,
    factors={"goes on": WAYS, "work": WORK},
    measures={"lost": LOST, "told again": AGAIN},
    checks=(never_lost,),
    promises=expected,
    runs=20,
    baseline={"goes on": "behind the event"},
    gather=judged_by(never_lost),
)

illustrate = plotted
