"""What does an event's key do to the order of an order's events, and to the partitions' load?

Created, paid, shipped: three events of one order, twenty milliseconds apart. Under the order's id
they share a partition. Under a random key (a UUID, say), the event's type, or no key at all they
may lie in different ones, whose readers keep no step with each other.

Predict before you run it: with twelve partitions, which share of events takes effect after a
later one of its order, under each key? And with one partition? Which key loads the partitions
unevenly?

Asked in camunda-community-hub/zeebe-kafka-exporter#31, where the key held the record's position, so
that no two were the same.
"""

from collections.abc import Mapping
from typing import Any

from experiments._shared import (
    BUSIEST,
    FROM_US,
    LATENCY,
    LOST,
    OUT_OF_ORDER,
    WIRE,
    billing,
    plotted,
)
from models.systems.orders import TOPIC, naive, orders_scenario, work
from models.topics.keys import KEYS, by_order, keyed
from models.topics.load import Load
from models.topics.order import aggregate_order
from simulator import AT_LEAST_ONCE, Experiment, Scenario, Topic, Topology

PARTITIONS = (1, 4, 12)
ORDERS, EVERY_US = 60, 5_000


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """The same orders under another key; nothing fails."""
    items = keyed(work(ORDERS, EVERY_US, FROM_US), KEYS[factors["key"]], seed)
    return orders_scenario(
        AT_LEAST_ONCE,
        items=items,
        topology=Topology(topics=(Topic(TOPIC, factors["partitions"]),), links=(WIRE,)),
        consumers=billing(naive, instances=3),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """One partition keeps every order; more of them only that of one key."""
    kept = factors["partitions"] == 1 or KEYS[factors["key"]] is by_order
    return {"aggregate_order": "kept" if kept else "broken", "never_lost": "kept"}


EXPERIMENT = Experiment(
    name="random_key",
    question="What does an event's key do to the order of an order's events, and to the load?",
    scenario=scenario,
    factors={"key": tuple(KEYS), "partitions": PARTITIONS},
    measures={
        "out of order": OUT_OF_ORDER,
        "in the busiest partition": BUSIEST,
        "lost": LOST,
        "latency": LATENCY,
    },
    checks={"aggregate_order": aggregate_order, "never_lost": "never_lost"},
    promises=expected,
    runs=40,
    baseline={"key": "order id"},
    gather=Load,
)

illustrate = plotted
