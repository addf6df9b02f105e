"""How may a batch of changes be collapsed to one change a key?

A row that is deleted and inserted again in one transaction has two events with one time. Asked in
memiiso/debezium-server-iceberg#661 (a delete and an insert in one batch collapse to the wrong row).

Predict before you run it: orders are replaced, by a delete and an insert in one transaction, or
cancelled, by an insert and a delete. Which way of collapsing leaves which of them wrong? Does a
smaller batch help?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._capture import WRONG, converges, judged_by
from experiments._shared import plotted
from models.patterns.capture.cdc_batches import COLLAPSES, batching
from models.patterns.capture.cdc_shop import captured, put, work
from simulator import Delete, Experiment, Insert, Scenario

ROUNDS, ROWS = 24, 6
UNTIL_US = 5_000_000
EVERY_MS = (50, 1_000)
PARTS = ("replaced", "cancelled", "both apart")


def changes(kind: str, seed: int) -> tuple[Any, ...]:
    """What becomes of orders: two operations in one transaction, or in two."""
    done: list[Any] = []
    for step in range(ROUNDS):
        key = f"o-{(step + seed) % ROWS}"
        if kind == "replaced":
            done.append((Delete("orders", key), Insert("orders", key, step)))
        elif kind == "cancelled":
            done.append((put(f"n-{step}", step), Delete("orders", f"n-{step}")))
        else:
            done += [Delete("orders", key), Insert("orders", key, step)]
    return tuple(done)


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """Nothing fails."""
    jobs = work(*changes(factors["orders are"], seed), every_us=30_000 + 1_000 * seed)
    sink = partial(
        batching, topic="shop.orders", collapse=COLLAPSES[factors["collapsed"]],
        every_ms=factors["batch, ms"], until_us=UNTIL_US,
    )  # fmt: skip
    return captured(
        jobs, before=tuple(put(f"o-{row}", -1) for row in range(ROWS)), handler=None, more=sink
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only the order of the topic is right for both."""
    wrong = {("by time", "replaced"), ("deletes first", "cancelled")}
    broken = (factors["collapsed"], factors["orders are"]) in wrong
    return {"copy_converges": "broken" if broken else "kept"}


EXPERIMENT = Experiment(
    name="cdc_batches",
    question="How may a batch of changes be collapsed to one change a key?",
    scenario=scenario,
    factors={"collapsed": tuple(COLLAPSES), "orders are": PARTS, "batch, ms": EVERY_MS},
    measures={"rows wrong": WRONG},
    checks=(converges,),
    promises=expected,
    runs=8,
    baseline={"collapsed": "by offset"},
    gather=judged_by(converges),
)

illustrate = plotted
