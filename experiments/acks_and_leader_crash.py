"""What is an acknowledgement worth when the leader dies?

Three brokers keep every record. With acks=0 a producer is told nothing and believes all; with
acks=1 the leader answers once the record is in its own log; with acks=all once every replica in
sync has it. Then the leader crashes for twenty seconds, while events flow, and another leads.

Predict before you run it: which share of the events that the producer believes stored is lost under
each of the three? What does each wait for its acknowledgement, and what does a crash do to that?
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
from simulator import Crash, Experiment, FaultPlan, Link, Scenario, exponential, samples

ACKS = {
    "0": {"acks": "0", "enable_idempotence": False},
    "1": {"acks": "1", "enable_idempotence": False},
    "all": {"acks": "all", "enable_idempotence": True},
}
CRASHES = {"none": False, "of the leader": True}
ORDERS, EVERY_US = 60, 10_000
AT_MS = FROM_US // MILLISECOND_US + 400
# Brokers stand further from each other than clients do: what is not replicated yet is a tail.
BETWEEN_BROKERS = Link("broker-*", "broker-*", exponential(6_000, floor_us=2_000))


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Orders into one partition, whose leader crashes in the middle."""
    crash = (Crash("broker-0", at_ms=AT_MS, down_ms=20_000),) if factors["crash"] else ()
    return orders_scenario(
        patient("acks", linger_ms=0, **factors["acks"]),
        items=work(ORDERS, EVERY_US, FROM_US),
        topology=replicated(TOPIC, BETWEEN_BROKERS),
        consumers=billing(idempotent, group=GROUP),
        broker=REPLICATION,
        faults=FaultPlan(crash),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only what every replica in sync has outlives its leader."""
    dies = factors["crash"] and factors["acks"]["acks"] != "all"
    return {
        "never_lost": "broken" if dies else "kept",
        "never_applied_twice": "kept",
        "committed_is_kept": "kept",  # What acks=0 and 1 lose had never been committed.
    }


EXPERIMENT = Experiment(
    name="acks_and_leader_crash",
    question="What is an acknowledgement worth when the leader dies?",
    scenario=scenario,
    factors={"acks": ACKS, "crash": CRASHES},
    measures={
        "lost": LOST,
        "acknowledged after": samples(lambda run: run.acknowledged_us, quantiles=(0.5, 0.99)),
        "latency": LATENCY,
    },
    checks=("never_lost", "never_applied_twice", "committed_is_kept"),
    promises=expected,
    runs=20,
    baseline={"acks": "all"},
    gather=Load,
)

illustrate = plotted
