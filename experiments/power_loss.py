"""What does a record survive: a process's crash, one machine's power, the whole room's?

Kafka answers before a record is on the disk: it lies in the operating system's memory, which
outlives the process and not the power. flush.messages=1 writes each one before it is acknowledged;
replication keeps others in other machines' memory instead. The power may fail in one machine, or in
all of them at once.

Predict before you run it: which of the four ways to keep a record loses acknowledged ones, and to
which of the three faults?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._shared import (
    FROM_US,
    GROUP,
    LATENCY,
    LOST,
    MILLISECOND_US,
    REPLICATION,
    billing,
    patient,
    plotted,
    replicated,
)
from models.systems.orders import TOPIC, idempotent, orders_scenario, work
from models.topics.load import Load
from simulator import Crash, Experiment, FaultPlan, Scenario, samples


@attrs.frozen
class Keeping:
    """How often a record is kept, and whether each is flushed."""

    name: str
    copies: int
    flushed: bool


KEEPINGS = (
    Keeping("1 copy", 1, flushed=False),
    Keeping("1 copy, flushed", 1, flushed=True),
    Keeping("3 copies", 3, flushed=False),
    Keeping("3 copies, flushed", 3, flushed=True),
)
FAULTS = {
    "process crash": ("process", ("broker-0",)),
    "power of one": ("power", ("broker-0",)),
    "power of all": ("power", ("broker-0", "broker-1", "broker-2")),
}
ORDERS, EVERY_US = 40, 50_000
AT_MS = FROM_US // MILLISECOND_US + 1_000


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Two seconds of orders; after one the fault; the readers come when all is over."""
    keeping: Keeping = factors["kept"]
    mode, struck = factors["fault"]
    readers = (f"{GROUP}-0", f"{GROUP}-1")
    settings = {"flush_messages": 1} if keeping.flushed else {}
    return orders_scenario(
        patient("all", acks="all", linger_ms=0, delivery_timeout_ms=60_000),
        items=work(ORDERS, EVERY_US, FROM_US),
        topology=replicated(
            TOPIC,
            replication_factor=keeping.copies,
            min_insync_replicas=min(2, keeping.copies),
            **settings,
        ),
        consumers=billing(idempotent, group=GROUP),
        broker=REPLICATION,
        faults=FaultPlan(
            (
                *(Crash(name, at_ms=AT_MS, down_ms=5_000, mode=mode) for name in struck),
                *(Crash(name, at_ms=AT_MS - 900, down_ms=20_000) for name in readers),
            )
        ),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Lost is what lay in nobody's memory any more, and on nobody's disk."""
    keeping: Keeping = factors["kept"]
    mode, struck = factors["fault"]
    gone = mode == "power" and not keeping.flushed and len(struck) >= keeping.copies
    return {"never_lost": "broken" if gone else "kept"}


EXPERIMENT = Experiment(
    name="power_loss",
    question="What does a record survive: a process's crash, one machine's power, all machines'?",
    scenario=scenario,
    factors={"kept": KEEPINGS, "fault": FAULTS},
    measures={
        "lost": LOST,
        "acknowledged after": samples(lambda run: run.acknowledged_us, quantiles=(0.5, 0.99)),
        "latency": LATENCY,
    },
    checks=("never_lost",),
    promises=expected,
    runs=20,
    gather=Load,
)

illustrate = plotted
