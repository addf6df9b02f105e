"""A guard in memory against duplicates: what is it worth when the process is another?

The same event is sent again a while later, by somebody who got no answer. The service that has
handled it may live on; it may have been started again in the meantime; or its partitions may have
gone to another instance (a failover). A set of ids in memory knows what this process has seen. A
table in the store, written with the effect, knows what anybody has seen.

Predict before you run it: in which of the three cases does the set in memory keep an event from
being applied twice? What does the table cost in latency?

Asked in JasperFx/wolverine#3710.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._groups import FRESH, HANDLING
from experiments._shared import (
    APPLIED_TWICE,
    FROM_US,
    LATENCY,
    LOST,
    MILLISECOND_US,
    PATIENCE,
    SECOND_US,
    SESSION,
    WIRE,
    plotted,
)
from models.patterns.idempotency.inbox import counted, in_memory, no_memory, one_transaction
from models.systems.orders import LEDGER, TOPIC
from models.topics.load import Load
from simulator import (
    Cluster,
    Crash,
    Experiment,
    FaultPlan,
    Scenario,
    Serving,
    Topic,
    Topology,
    WorkItem,
)

GUARDS = {"none": no_memory, "in memory": in_memory, "in the store": one_transaction}
AT_MS = FROM_US // MILLISECOND_US + 4_000  # After the last event, before it comes again.
HAPPENS: Mapping[str, tuple[Crash, ...]] = {
    "nothing": (),
    "a restart": (
        Crash("billing-0", at_ms=AT_MS, down_ms=300), Crash("billing-1", at_ms=AT_MS, down_ms=300)
    ),
    "a failover": (Crash("billing-0", at_ms=AT_MS, down_ms=120_000),),
}  # fmt: skip
EVENTS, EVERY_US, LATER_US = 100, 30_000, 15 * SECOND_US


def items() -> list[WorkItem]:
    """Each event twice, the second time a quarter of a minute later."""
    first = [
        WorkItem(FROM_US + place * EVERY_US, TOPIC, f"o-{place}", f"e{place}", f"e{place}")
        for place in range(EVENTS)
    ]
    return first + [item._replace(at_us=item.at_us + LATER_US) for item in first]


def deploy(cluster: Cluster, guard: Any) -> None:
    """A shop, and two billing services."""
    cluster.store(LEDGER)
    cluster.source("order-service", iter(items()), {"linger.ms": 0, **PATIENCE})
    settings = {**SESSION, **FRESH}
    cluster.group("billing", 2, guard(counted), Serving((TOPIC,), settings, processing=HANDLING))


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Events, something that happens, and the same events again."""
    return Scenario(
        name="memory on failover",
        topology=Topology(topics=(Topic(TOPIC, 4),), links=(WIRE,)),
        application=partial(deploy, guard=factors["guard"]),
        faults=FaultPlan(factors["happens"]),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """What is in memory is gone with it, and nobody else ever knew."""
    guard, quiet = factors["guard"], not factors["happens"]
    kept = guard is one_transaction or (guard is in_memory and quiet)
    return {"never_applied_twice": "kept" if kept else "broken", "never_lost": "kept"}


EXPERIMENT = Experiment(
    name="memory_on_failover",
    question="A guard in memory against duplicates: what is it worth when the process is another?",
    scenario=scenario,
    factors={"guard": GUARDS, "happens": HAPPENS},
    measures={"applied twice": APPLIED_TWICE, "lost": LOST, "latency": LATENCY},
    checks=("never_applied_twice", "never_lost"),
    promises=expected,
    runs=3,
    baseline={"guard": "in the store"},
    gather=Load,
)

illustrate = plotted
