"""When the last replica in sync is gone: wait for it, or go on with one that is behind?

The followers were away while the leader took records alone (min.insync.replicas=1). They come
back, and in that instant it crashes for half a minute. unclean.leader.election.enable lets a
replica lead that is known to be behind: the partition is there again, and what it had not fetched
is gone, though it was acknowledged. Without it nobody leads until the old leader is back.

Predict before you run it: which events does an unclean election lose? How long does the 99th
percentile of acknowledgements take with it, and how long without?
"""

from collections.abc import Mapping
from typing import Any

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
from simulator import Crash, Experiment, FaultPlan, Scenario, samples, share

UNCLEAN = {"off": False, "on": True}
ORDERS, EVERY_US = 100, 100_000
AWAY_MS = FROM_US // MILLISECOND_US + 1_000
FOR_MS = 4_000
DOWN_MS = 30_000


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Ten seconds of orders; after five the leader goes, and two that missed four come back."""
    away = ("broker-1", "broker-2", f"{GROUP}-0", f"{GROUP}-1")  # Nobody reads meanwhile.
    return orders_scenario(
        patient("all", acks="all", linger_ms=0, delivery_timeout_ms=60_000),
        items=work(ORDERS, EVERY_US, FROM_US),
        topology=replicated(TOPIC, unclean_leader_election_enable=factors["unclean election"]),
        consumers=billing(idempotent, group=GROUP),
        broker=REPLICATION,
        faults=FaultPlan(
            (
                *(Crash(name, at_ms=AWAY_MS, down_ms=FOR_MS) for name in away),
                Crash("broker-0", at_ms=AWAY_MS + FOR_MS, down_ms=DOWN_MS),
            )
        ),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Availability is bought with what was acknowledged."""
    came_out = "broken" if factors["unclean election"] else "kept"
    return {"never_lost": came_out, "committed_is_kept": came_out}


EXPERIMENT = Experiment(
    name="unclean_election",
    question="When the last replica in sync is gone: wait for it, or go on with one behind?",
    scenario=scenario,
    factors={"unclean election": UNCLEAN},
    measures={
        "lost": LOST,
        "given up": share(lambda run: (run.failed, run.delivery.sent)),
        "acknowledged after": samples(lambda run: run.acknowledged_us, quantiles=(0.5, 0.99)),
        "latency": LATENCY,
    },
    checks=("never_lost", "committed_is_kept"),
    promises=expected,
    runs=20,
    baseline={"unclean election": "off"},
    gather=Load,
)

illustrate = plotted
