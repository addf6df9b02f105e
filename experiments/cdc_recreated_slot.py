"""What does a connector do when its replication slot is gone, or is not the one it knew?

A slot that is dropped, and made again by a failover or an operator, begins where the log is then:
what was committed in between it never gives. Asked in debezium/debezium#3970 (a recreated slot is
silent loss) and in debezium/debezium#1220.

The connector is away for a second and a half, while the shop goes on writing, and deleting; in that
time nothing happens to its slot, or it is dropped, or dropped and made again.

Predict before you run it: which snapshot.mode goes on without a word, and what has it missed? What
does a new snapshot bring back, and what not even that?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._capture import AGAIN, LOST, WRONG, converges, judged_by, never_lost
from experiments._shared import plotted
from models.patterns.capture.cdc_shop import CONNECTOR, SHOP, captured, put, work
from simulator import Cluster, Crash, Delete, Experiment, Scenario, flag

MODES = ("initial", "when_needed", "no_data")
STRATEGIES = ("no_validation", "trust_offset")
SLOTS = ("kept", "dropped", "recreated")
AWAY_MS = (1_500, 1_500)


def operator(cluster: Cluster, slot: str) -> None:
    """Somebody who drops the slot, and perhaps makes it again, while nobody reads it."""

    def drive(node: Any) -> Any:
        yield node.sleep(2_400_000)
        database = cluster.context(node).store(SHOP)
        if slot != "kept":
            yield database.drop_slot("debezium")
        if slot == "recreated":
            yield database.create_slot("debezium")

    cluster.driver("operator", drive)


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """Ten orders change all the while; another is deleted while the connector is away."""
    changes = [put(f"o-{(number + seed) % 10}", number) for number in range(30)]
    jobs = (
        *work(*changes, every_us=100_000),
        *work(Delete("orders", "cancelled"), from_us=2_050_000),
    )
    at_ms, down_ms = AWAY_MS
    return captured(
        jobs,
        before=(put("cancelled", -1), *(put(f"o-{number}", -1) for number in range(10))),
        more=partial(operator, slot=factors["slot"]),
        faults=(Crash(CONNECTOR, at_ms=at_ms, down_ms=down_ms),),
        settings={
            "snapshot.mode": factors["snapshot.mode"],
            "offset.mismatch.strategy": factors["strategy"],
        },
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only a slot that was kept gives everything."""
    return {"changes_captured": "kept" if factors["slot"] == "kept" else "broken"}


EXPERIMENT = Experiment(
    name="cdc_recreated_slot",
    question="What does a connector do when its replication slot is gone, or another one?",
    scenario=scenario,
    factors={"snapshot.mode": MODES, "strategy": STRATEGIES, "slot": SLOTS},
    measures={
        "lost": LOST,
        "rows wrong": WRONG,
        "told again": AGAIN,
        "says that it stops": flag(lambda run: run.stopped, more_is_better=None),
    },
    checks=(never_lost,),
    promises=expected,
    runs=5,
    baseline={"slot": "kept"},
    gather=judged_by(never_lost, converges),
)

illustrate = plotted
