"""What is acks=all worth when the in-sync set has shrunk to the leader alone?

`all` means all replicas that are in sync, not all replicas. Two followers are cut off; the leader
goes on alone, and acknowledges, unless min.insync.replicas forbids it. Then the leader crashes,
or its disk is lost, and the followers come back: but they have left the in-sync set, and only
those in it may lead. Eligible leader replicas (KIP-966, off by default in Kafka 4.0) are those
who left it only when nothing could be acknowledged any more: they have everything, and may lead.

Predict before you run it: which share of what was acknowledged is lost with the disk under
min.insync.replicas 1, under 2, and under 2 with eligible leader replicas? What does 2 cost while
the followers are cut off? Remember who may lead, and what a leader without a log tells them.
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
from simulator import Crash, Experiment, FaultPlan, Partition, Scenario, Variant, samples, share


@attrs.frozen
class Caution:
    """How many must be in sync for an acknowledgement, and who may lead when nobody is."""

    name: str
    in_sync: int
    eligible: bool = False


CAUTIONS = (
    Caution("1 in sync", 1),
    Caution("2 in sync", 2),
    Caution("2 in sync, eligible", 2, eligible=True),
)
THE_LEADER = {"stays": "", "crashes": "process", "loses its disk": "disk"}
ORDERS, EVERY_US = 50, 100_000
AWAY_MS = FROM_US // MILLISECOND_US + 1_000
BACK_MS = 20_000  # After so long the followers are back.
DIES_MS = AWAY_MS + 10_000
READERS_MS, READERS_BACK_MS = FROM_US // MILLISECOND_US - 500, 30_000


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Five seconds of orders; the followers go after one, the leader when all are handed over."""
    others = ("broker-0", "broker-3", "controller", "order-service", f"{GROUP}-*")
    faults: list[Any] = [Partition(("broker-1", "broker-2"), others, AWAY_MS, AWAY_MS + BACK_MS)]
    if factors["the leader"]:
        faults.append(Crash("broker-0", at_ms=DIES_MS, down_ms=2_000, mode=factors["the leader"]))
    # The readers come when all is over, and apply what the log still has.
    faults += [Crash(f"{GROUP}-{n}", at_ms=READERS_MS, down_ms=READERS_BACK_MS) for n in (0, 1)]
    caution: Caution = factors["caution"]
    return orders_scenario(
        patient("all", acks="all", linger_ms=0, delivery_timeout_ms=60_000),
        items=work(ORDERS, EVERY_US, FROM_US),
        topology=replicated(TOPIC, min_insync_replicas=caution.in_sync),
        consumers=billing(idempotent, group=GROUP),
        broker=REPLICATION,
        faults=FaultPlan(tuple(faults)),
        variant=Variant(eligible_leader_replicas=caution.eligible),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A lost disk takes everything along, unless one who has it all may lead."""
    alone = factors["the leader"] == "disk" and not factors["caution"].eligible
    came_out = "broken" if alone else "kept"
    return {"never_lost": came_out, "committed_is_kept": came_out}


EXPERIMENT = Experiment(
    name="isr_of_one",
    question="What is acks=all worth when the in-sync set has shrunk to the leader alone?",
    scenario=scenario,
    factors={"caution": CAUTIONS, "the leader": THE_LEADER},
    measures={
        "lost": LOST,
        "given up": share(lambda run: (run.failed, run.delivery.sent)),
        "acknowledged after": samples(lambda run: run.acknowledged_us, quantiles=(0.5, 0.99)),
        "latency": LATENCY,
    },
    checks=("never_lost", "committed_is_kept"),
    promises=expected,
    runs=20,
    baseline={"caution": CAUTIONS[0].name},
    gather=Load,
)

illustrate = plotted
