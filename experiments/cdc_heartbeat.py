"""How much of its log does a database keep for a connector whose tables are quiet?

A slot lets the database forget what it has confirmed, and it is confirmed when an offset is stored,
which needs a record. Where no captured table changes there is none, and the log grows until the
disk is full; a heartbeat is such a record. If it is another database of the server that is busy,
the slot does not even see its changes, and the heartbeat must write a row of its own.

Predict before you run it: the captured table changes once, another table twenty times a second, for
half a minute. How many transactions are kept at most, without heartbeats, with one every second,
and with one that writes a row, if the other table is in the same database, or in another one?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._capture import judged_by
from experiments._shared import plotted
from models.patterns.capture.cdc_shop import captured, put, watching_log, work
from simulator import Experiment, Scenario, Upsert, log_retained_within, number

BUSY, EVERY_US = 600, 50_000
ACTION = Upsert("heartbeat", 1, "here", effect=False)
BEATS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "every second": {"heartbeat.interval.ms": 1_000},
    "and writes a row": {"heartbeat.interval.ms": 1_000, "heartbeat.action.query": ACTION},
}
WHERE: Mapping[str, tuple[str, ...]] = {"this database": (), "another one": ("metrics",)}
retained = log_retained_within(60)


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """One order, and metrics all the while."""
    metrics = [Upsert("metrics", "load", step, effect=False) for step in range(BUSY)]
    jobs = work(put("o-1", seed), *metrics, every_us=EVERY_US + seed)
    return captured(
        jobs, handler=None, elsewhere=factors["busy is"], more=partial(watching_log),
        settings={"offset.flush.interval.ms": 1_000, **factors["heartbeat"]},
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A heartbeat is enough where the connector sees the log go on."""
    beats, elsewhere = factors["heartbeat"], factors["busy is"]
    kept = beats is BEATS["and writes a row"] or (bool(beats) and not elsewhere)
    return {"log_retained_within": "kept" if kept else "broken"}


EXPERIMENT = Experiment(
    name="cdc_heartbeat",
    question="How much of its log does a database keep for a connector whose tables are quiet?",
    scenario=scenario,
    factors={"heartbeat": BEATS, "busy is": WHERE},
    measures={
        "transactions kept at most": number(lambda run: run.retained, more_is_better=False),
        "offsets stored": number(lambda run: run.stored),
    },
    checks=(retained,),
    promises=expected,
    runs=4,
    baseline={"heartbeat": "none"},
    gather=judged_by(retained),
)

illustrate = plotted
