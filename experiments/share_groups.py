"""Can many consumers share the work of one partition, and what does it cost?

In a consumer group a partition has one owner, so five of six members idle. In a share group
(KIP-932) all of them acquire records from the one partition, each record by one member, and each
is acknowledged by itself, as in a queue. Orders have three events each, keyed by the order; an
event takes five to twenty milliseconds to handle, and 250 of them arrive a second.

Predict before you run it: how long does either group need until all is done, with one member and
with six? Whose events take effect in an order other than theirs, and why does the key not help?
Is anything lost?
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from experiments._shared import (
    FROM_US,
    LATENCY,
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
from models.topics.pace import within
from simulator import (
    Cluster,
    Delivery,
    Experiment,
    Scenario,
    Serving,
    ShareServing,
    Topic,
    Topology,
    WorkItem,
    number,
    uniform,
)

CONSUMERS, SHARING = "consumer group", "share group"
MEMBERS = (1, 6)
ORDERS, EVERY_US = 60, 4_000
HANDLING = uniform(5_000, 20_000)
IN_TIME_MS = 500


@attrs.define
class Work:
    """One run: what a Load counts of it, and when the last event took effect."""

    load: Load = attrs.field(factory=Load)
    last_us: int = FROM_US

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (*self.load.observers(), ("effect_applied", self._on_applied))

    def _on_applied(self, entry: Any) -> None:
        self.last_us = entry[1]

    @property
    def done_ms(self) -> int:
        """From the first event's sending to the last one's effect."""
        return (self.last_us - FROM_US) // MILLISECOND_US

    @property
    def delivery(self) -> Delivery:
        """What became of the events."""
        return self.load.delivery

    @property
    def out_of_order(self) -> tuple[int, int]:
        """As a Load counts it."""
        return self.load.out_of_order


def items() -> list[WorkItem]:
    """Order by order, an event every four milliseconds."""
    events = sorted(work(ORDERS), key=lambda item: int(str(item.key).removeprefix("o-")))
    return [
        item._replace(at_us=FROM_US + place * EVERY_US) for place, item in enumerate(events)
    ]


def deploy(cluster: Cluster, group: str, members: int) -> None:
    """One producer, and a group of one kind or the other; a record is a batch, and a poll."""
    cluster.store(LEDGER)
    cluster.source("order-service", iter(items()), {**PATIENCE, "linger.ms": 0})
    if group == SHARING:
        sharing = ShareServing(
            topics=(TOPIC,), settings={"max.poll.records": 1}, processing=HANDLING
        )
        cluster.share_group("billing", members, naive, sharing)
        return
    settings = {**SESSION, "max.poll.records": 1, "auto.offset.reset": "earliest"}
    cluster.group("billing", members, naive,
                  Serving(topics=(TOPIC,), settings=settings, processing=HANDLING))  # fmt: skip


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Orders, one partition, and a group of so many members."""
    return Scenario(
        name="share groups",
        topology=Topology(topics=(Topic(TOPIC, 1),), links=(WIRE,)),
        application=partial(deploy, group=factors["group"], members=factors["members"]),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only a share group has work for six; then two of them have one order's events at a time."""
    shared = factors["group"] == SHARING and factors["members"] > 1
    return {
        "in_time": "kept" if shared else "broken",
        "aggregate_order": "broken" if shared else "kept",
        "never_lost": "kept",
        "share_records_in_one_state": "kept",
    }


EXPERIMENT = Experiment(
    name="share_groups",
    question="Can many consumers share the work of one partition, and what does it cost?",
    scenario=scenario,
    factors={"group": (CONSUMERS, SHARING), "members": MEMBERS},
    measures={
        "until all is done": number(lambda run: run.done_ms, unit="ms", more_is_better=False),
        "latency": LATENCY,
        "out of order": OUT_OF_ORDER,
    },
    checks={
        "in_time": within(IN_TIME_MS, "in_time"),
        "aggregate_order": aggregate_order,
        "never_lost": "never_lost",
        "share_records_in_one_state": "share_records_in_one_state",
    },
    promises=expected,
    runs=20,
    baseline={"group": CONSUMERS},
    gather=Work,
)

illustrate = plotted
