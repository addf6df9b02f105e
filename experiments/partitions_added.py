"""What happens to order, and to records, when a topic gets more partitions while events flow?

A key's partition is its hash modulo the number of partitions: with more of them most keys move.
What an order had in flight in its old partition may be overtaken by what follows in the new one.
The cure is to stop, drain, add, and go on when everybody knows: clients learn of new partitions
with their next metadata (metadata.max.age.ms), so going on at once is not enough. And a reader
that begins a partition at its end (auto.offset.reset=latest) misses what was written before it
learnt of it.

Predict before you run it: in which of the four procedures is order broken? Under which policy are
events lost, and which?

Asked in karafka/karafka#2804 and apache/pulsar#23603.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from experiments._shared import (
    FROM_US,
    LATENCY,
    LOST,
    MILLISECOND_US,
    OUT_OF_ORDER,
    PATIENCE,
    SESSION,
    WIRE,
    plotted,
)
from models.systems.orders import LEDGER, TOPIC, naive, work
from models.topics.load import Load
from models.topics.order import aggregate_order
from simulator import Cluster, Experiment, Scenario, Serving, Topic, Topology, WorkItem, constant

BEFORE, AFTER = 3, 7
ORDERS, EVERY_US = 260, 8_000
CHANGE_US = FROM_US + 500 * MILLISECOND_US
KNOWN_AFTER_MS = 500  # metadata.max.age.ms of everybody.
HANDLING_US = 5_000


@attrs.frozen
class Procedure:
    """When partitions are added, and how long the application stops for it.

    Args:
        name: for tables.
        drain_us: it stops so long before the change, for readers to catch up; None: no change.
        wait_us: and so long after it, for everybody to know.
    """

    name: str
    drain_us: int | None
    wait_us: int = 0


NEVER = Procedure("no change", None)
FLOWING = Procedure("while events flow", 0)
DRAINED = Procedure("drained, on at once", 1_500_000)
KNOWN = Procedure("drained, on when known", 1_500_000, 5_000_000)
PROCEDURES = (NEVER, FLOWING, DRAINED, KNOWN)


def items(procedure: Procedure) -> tuple[WorkItem, ...]:
    """Orders; what falls due after the stop is sent when the application goes on."""
    pause_us = (procedure.drain_us or 0) + procedure.wait_us
    return tuple(
        item if item.at_us < CHANGE_US else item._replace(at_us=item.at_us + pause_us)
        for item in work(ORDERS, EVERY_US, FROM_US)
    )


def deploy(cluster: Cluster, procedure: Procedure, reset: str) -> None:
    """One producer, a group of three, and somebody who adds partitions."""
    cluster.store(LEDGER)
    known = {"metadata.max.age.ms": KNOWN_AFTER_MS}
    cluster.source("order-service", iter(items(procedure)), {**PATIENCE, **known})
    serving = Serving(
        topics=(TOPIC,),
        # Members hear of a rebalance with their next heartbeat.
        settings={**SESSION, **known, "heartbeat.interval.ms": 300, "auto.offset.reset": reset},
        processing=constant(HANDLING_US),
    )
    cluster.group("billing", 3, naive, serving)
    if procedure.drain_us is not None:
        at_ms = (CHANGE_US + procedure.drain_us) // MILLISECOND_US
        cluster.add_partitions(TOPIC, AFTER, at_ms=at_ms)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Orders at nearly the rate that their readers can handle, and a topic that grows."""
    return Scenario(
        name="partitions added",
        topology=Topology(topics=(Topic(TOPIC, BEFORE),), links=(WIRE,)),
        application=partial(deploy, procedure=factors["procedure"], reset=factors["reset"]),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Order wants everybody to know before it goes on; so does a reader that begins at the end."""
    procedure, latest = factors["procedure"], factors["reset"] == "latest"
    unknown = procedure in (FLOWING, DRAINED)
    told = {"never_lost": "broken" if latest and unknown else "kept"}
    if procedure is not DRAINED:  # Whether anything is overtaken then depends on who learns first.
        told["aggregate_order"] = "broken" if procedure is FLOWING else "kept"
    return told


EXPERIMENT = Experiment(
    name="partitions_added",
    question="What happens to order, and to records, when a topic gets more partitions?",
    scenario=scenario,
    factors={"procedure": PROCEDURES, "reset": ("earliest", "latest")},
    measures={"out of order": OUT_OF_ORDER, "lost": LOST, "latency": LATENCY},
    checks={"aggregate_order": aggregate_order, "never_lost": "never_lost"},
    promises=expected,
    runs=20,
    baseline={"procedure": NEVER.name},
    gather=Load,
)

illustrate = plotted
