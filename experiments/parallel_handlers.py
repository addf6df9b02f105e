"""How much faster are several handlers at once, and what do they cost?

One instance reads four partitions. It handles one event after the other; or one of each partition
at once, or of each order (its key), or any sixteen. Handling takes 2 to 40 ms, most of it waiting
for others, and there is more to do than it can. Then its process dies, and starts again.

What is done may have gaps below it. The naive commit tells the group of the highest event that is
done; the gap-aware one of the lowest that is not, and leaves the rest to be done again.

Predict before you run it: how many events a second does each way handle? Whose orders get their
events in disorder? Which events are gone for good, which are done twice, and how many of them?

Asked in RTBHOUSE/kafka-workers#19.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from experiments._shared import (
    APPLIED_TWICE,
    FROM_US,
    LOST,
    MILLISECOND_US,
    OUT_OF_ORDER,
    PATIENCE,
    SESSION,
    WIRE,
    plotted,
)
from models.systems.orders import TOPIC, naive, work
from models.topics.load import Load
from models.topics.order import aggregate_order
from simulator import (
    AT_LEAST_ONCE,
    Consumers,
    Crash,
    Delivery,
    Experiment,
    FaultPlan,
    Parallel,
    Scenario,
    Topic,
    Topology,
    WorkItem,
    Workload,
    number,
    uniform,
)

ONE_BY_ONE, PARTITION, KEY, ANY = "one by one", "per partition", "per order", "any"
HANDLERS = {ONE_BY_ONE: None, PARTITION: "partition", KEY: "key", ANY: "record"}
COMMITS = {"gap-aware": "gap_aware", "naive": "naive"}
WORKERS = 16
ORDERS, EVERY_US = 200, 500
DIES_AFTER_MS = 300
HANDLING = uniform(2_000, 40_000)


@attrs.define
class Work:
    """One run: what a Load counts of it, and how much was done before the process died."""

    load: Load = attrs.field(factory=Load)
    died: bool = False
    done: int = 0

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            *self.load.observers(),
            ("effect_applied", self._on_applied),
            ("node_crashed", self._on_crashed),
        )

    def _on_applied(self, _: Any) -> None:
        self.done += not self.died

    def _on_crashed(self, _: Any) -> None:
        self.died = True

    @property
    def a_second(self) -> int:
        """How many events took effect in a second, until the process died."""
        return self.done * 1_000 // DIES_AFTER_MS

    @property
    def delivery(self) -> Delivery:
        """What became of the events."""
        return self.load.delivery

    @property
    def out_of_order(self) -> tuple[int, int]:
        """As a Load counts it."""
        return self.load.out_of_order


def items() -> list[WorkItem]:
    """The orders' events as they happen, two thousand a second."""
    return [
        item._replace(at_us=FROM_US + place * EVERY_US) for place, item in enumerate(work(ORDERS))
    ]


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Orders, four partitions, and one instance that dies under the load."""
    by = HANDLERS[factors["handlers"]]
    commits = COMMITS[factors["commits"]]
    dies = Crash("billing-0", at_ms=FROM_US // MILLISECOND_US + DIES_AFTER_MS, down_ms=500)
    return Scenario(
        name="parallel handlers",
        topology=Topology(topics=(Topic(TOPIC, 4),), links=(WIRE,)),
        workload=Workload(topic=TOPIC, producer="order-service", items=items()),
        guarantee=attrs.evolve(AT_LEAST_ONCE, producer={**AT_LEAST_ONCE.producer, **PATIENCE}),
        consumers=Consumers(
            instances=1,
            settings=SESSION,
            processing=HANDLING,
            parallel=None if by is None else Parallel(by=by, workers=WORKERS, commits=commits),
            handler=naive,
        ),
        faults=FaultPlan((dies,)),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only where a partition has several handlers can there be gaps; and disorder only with any."""
    gaps = factors["handlers"] in (KEY, ANY)
    loses = gaps and factors["commits"] == "naive"
    return {
        "never_lost": "broken" if loses else "kept",
        "never_committed_past_processed": "broken" if loses else "kept",
        "aggregate_order": "broken" if factors["handlers"] == ANY else "kept",
    }


EXPERIMENT = Experiment(
    name="parallel_handlers",
    question="How much faster are several handlers at once, and what do they cost?",
    scenario=scenario,
    factors={"handlers": tuple(HANDLERS), "commits": tuple(COMMITS)},
    measures={
        "handled a second": number(lambda run: run.a_second, unit="events", more_is_better=True),
        "lost": LOST,
        "applied twice": APPLIED_TWICE,
        "out of order": OUT_OF_ORDER,
    },
    checks={
        "never_lost": "never_lost",
        "never_committed_past_processed": "never_committed_past_processed",
        "aggregate_order": aggregate_order,
    },
    promises=expected,
    runs=20,
    baseline={"handlers": ONE_BY_ONE, "commits": "gap-aware"},
    gather=Work,
)

illustrate = plotted
