"""What the rows of replication have in common: three brokers keep one partition, led by the first.

A fourth broker keeps nothing: it coordinates the reader's group, so that no failure of the three
holds up who reads.
"""

from typing import Any

import attrs

from experiments.known_bugs.scenarios import QUICK_GROUPS, TOPIC, producing
from simulator import (
    Link,
    Scenario,
    Topic,
    Topology,
    Variant,
    Workload,
    steady,
    uniform_keys,
)

LEADER, SECOND, THIRD, FOURTH = (f"broker-{number}" for number in range(4))
FOLLOWERS = (SECOND, THIRD)
BUDGET = 40  # A run of a replicated log takes twenty times as long as one of a log alone.
LAG_MS = 600
CONTROLLER = "controller"
QUICK = {
    "broker.heartbeat.interval.ms": 250,
    "broker.session.timeout.ms": 1_000,
    "replica.lag.time.max.ms": LAG_MS,
    "replica.fetch.wait.max.ms": 250,
    "replica.fetch.backoff.ms": 100,
    "replica.high.watermark.checkpoint.interval.ms": 500,
    "auto.leader.rebalance.enable": False,
}


def replicated(
    *,
    records: int = 12,
    per_s: float = 4,
    replicas: int = 3,
    topic: dict[str, Any] | None = None,
    producer: dict[str, Any] | None = None,
    link: Link | None = None,
    variant: Variant | None = None,
) -> Scenario:
    """Records over a few seconds, to a partition that is kept more than once, and their reader.

    Args:
        topic, producer: settings of the topic, and of the producer.
        link: of all messages.
        variant: by default the present.
    """
    scenario = producing(producer={"retry.backoff.ms": 100, **(producer or {})})
    return attrs.evolve(
        scenario,
        topology=Topology(4, (Topic(TOPIC, 1, replicas, topic or {}),), (link or Link(),)),
        workload=Workload(events=records, arrivals=steady(per_s), keys=uniform_keys(1)),
        broker={**QUICK_GROUPS, **QUICK},
        variant=variant or Variant(),
        horizon_ms=60_000,
    )


UNCLEAN = {"unclean.leader.election.enable": True}
TWO_IN_SYNC = {"min.insync.replicas": 2}
ONE_ACK = {"acks": 1, "enable.idempotence": False}
