"""When may a connector store its offset, and how often should it?

An offset that is stored before the records are acknowledged, or by the furthest acknowledgement,
runs ahead of what lies in the topics. Asked in yugabyte/yugabyte-db#33126 (the flushed LSN was
derived from acknowledgements in any order) and in airbytehq/airbyte#12821 (the offset was flushed
before the records were persisted).

The topic of the orders is on a broker that is away for a while, again and again; the connector
crashes now and then, after it has stored an offset.

Predict before you run it: which of them loses changes? And what does it cost to store the offset
each second rather than ten times a second: how many changes are told again?
"""

from collections.abc import Mapping
from typing import Any

from experiments._capture import AGAIN, LOST, STORED, judged_by, never_lost
from experiments._shared import plotted
from models.patterns.capture.cdc_shop import CONNECTOR, captured, put, work
from simulator import Capture, Crash, CrashHazard, Experiment, Hazards, Scenario, Upsert, constant

TABLES = ("orders", "payments")
STORES = {
    "acknowledged, in order": Capture(),
    "furthest acknowledged": Capture(acks="any order"),
    "handed over": Capture(flush="sent"),
    "read": Capture(flush="read"),
}
INTERVALS_MS = (100, 500)
AWAY = tuple(Crash("broker-0", at_ms=at_ms, down_ms=300) for at_ms in (1_300, 2_100, 2_900))
HAZARDS = Hazards(crash=(CrashHazard(CONNECTOR, "after_flush", 0.5, constant(200_000)),))
JOBS = work(
    *(
        put(f"o-{number % 4}", number) if number % 2 else Upsert("payments", f"p-{number}", number)
        for number in range(60)
    ),
    every_us=40_000,
)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Orders and payments in turn, and a broker that comes and goes."""
    return captured(
        JOBS, before=(put("o-0", -1),), tables=TABLES, handler=None, brokers=3, faults=AWAY,
        hazards=HAZARDS, capture=factors["offset of what is"],
        settings={
            "offset.flush.interval.ms": factors["flush interval, ms"], "poll.interval.ms": 50
        },
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Nothing but what is acknowledged, in order, may be passed over."""
    right = factors["offset of what is"] is STORES["acknowledged, in order"]
    return {"changes_captured": "kept" if right else "broken"}


EXPERIMENT = Experiment(
    name="cdc_offsets",
    question="When may a connector store its offset, and how often should it?",
    scenario=scenario,
    factors={"offset of what is": STORES, "flush interval, ms": INTERVALS_MS},
    measures={"lost": LOST, "told again": AGAIN, "offsets stored": STORED},
    checks=(never_lost,),
    promises=expected,
    runs=15,
    baseline={"offset of what is": "acknowledged, in order"},
    gather=judged_by(never_lost),
)

illustrate = plotted
