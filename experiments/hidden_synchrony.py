"""What does it cost to wait, in a handler, for another service's reply that comes over a topic?

Billing needs a word from credit on each order. It may call credit and wait; or send a request to a
topic and wait there for the reply in another; or send the request and go on when the reply comes,
in another handler. Every other order is prepaid and needs no word. Credit needs two to six
milliseconds, and in half of the runs it is down for five seconds in the middle.

Predict before you run it: how much longer does an order wait for its bill with two topics in
between than with a plain call? And when credit is down, what becomes of the prepaid orders?
"""

from collections.abc import Mapping
from typing import Any

from experiments._shared import FROM_US, plotted
from models.patterns.asking.asking import (
    CREDIT,
    ORDERS,
    REPLIES,
    REQUESTS,
    WAYS,
    deploy,
)
from models.patterns.asking.asking_promises import Billed, nobody_in_the_way
from simulator import (
    Cluster,
    Crash,
    Experiment,
    FaultPlan,
    Link,
    Scenario,
    Topic,
    Topology,
    exponential,
    number,
    samples,
    share,
)

COUNT, EVERY_US = 150, 10_000
DOWN_MS = 5_000
WIRE = Link(latency=exponential(500, floor_us=200))


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:  # noqa: ARG001 - seeds make runs
    """The same orders; credit is there all the time, or goes away for a while."""
    way = factors["billing"]
    node = CREDIT if way == "call" else f"{CREDIT}-0"
    at_ms = FROM_US // 1_000 + COUNT * EVERY_US // 2_000

    def application(cluster: Cluster) -> None:
        deploy(cluster, COUNT, way, every_us=EVERY_US, from_us=FROM_US)

    down = FaultPlan((Crash(node, at_ms=at_ms, down_ms=DOWN_MS),))
    return Scenario(
        name=f"hidden synchrony, {way}",
        application=application,
        topology=Topology(topics=(Topic(ORDERS), Topic(REQUESTS), Topic(REPLIES)), links=(WIRE,)),
        faults=down if factors["credit"] == "down for 5 s" else FaultPlan(),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Who waits for credit stands in the way while it is down, whatever lies in between."""
    held_up = factors["billing"] != "go on" and factors["credit"] != "there"
    return {"nobody_in_the_way": "broken" if held_up else "kept"}


EXPERIMENT = Experiment(
    name="hidden_synchrony",
    question="What does it cost to wait in a handler for a reply that comes over a topic?",
    scenario=scenario,
    factors={"billing": WAYS, "credit": ("there", "down for 5 s")},
    measures={
        "on credit": samples(lambda run: run.latencies_us, quantiles=(0.5, 0.99)),
        "prepaid": samples(lambda run: run.prepaid_us, quantiles=(0.5, 0.99)),
        "billed": share(lambda run: run.billed),
        "times asked": number(lambda run: run.asked),
    },
    checks={"nobody_in_the_way": nobody_in_the_way},
    promises=expected,
    runs=20,
    baseline={"billing": "call"},
    gather=Billed,
)

illustrate = plotted
