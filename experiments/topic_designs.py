"""Which events should share a topic?

Orders are created, paid and shipped; and there are four times as many page views, which take long
to handle. Billing wants the orders, analytics the views. One topic an aggregate, one a type, or one
for everything the company has to tell: the key is the order's id (or the page) in each.

Predict before you run it: where do an order's events lose their order? Which share of what billing
reads is of no use to it? And how late are orders when the one group that reads the universal topic
handles views as well?
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from experiments._shared import (
    BUSIEST,
    FROM_US,
    OUT_OF_ORDER,
    SESSION,
    WIRE,
    plotted,
)
from models.systems.orders import LEDGER, LIFE, naive, work
from models.topics.designs import BY_TYPE, DESIGNS, VIEWED, Design, page_views, wanting
from models.topics.load import Load
from models.topics.order import aggregate_order
from simulator import (
    Cluster,
    Context,
    Experiment,
    Scenario,
    Serving,
    Topology,
    WorkItem,
    constant,
    samples,
    share,
)

PARTITIONS = 3
ORDERS, EVERY_US = 40, 12_000
VIEWS, VIEW_EVERY_US = 480, 1_500
BILLING_US, ANALYTICS_US = 2_000, 12_000
READERS = ("billing alone", "billing and analytics in one")


def events(design: Design) -> tuple[WorkItem, ...]:
    """Orders among page views, in the topics of the design."""
    both = (*work(ORDERS, EVERY_US, FROM_US), *page_views(VIEWS, VIEW_EVERY_US, FROM_US))
    return design.placed(sorted(both, key=lambda item: item.at_us))


def slow_views(factory: Callable[[Context], Any]) -> Callable[[Context], Any]:
    """A group that does two services' work: orders go to the ledger, views take their time."""
    mine = wanting(LIFE, factory)

    def build(context: Context) -> Callable[..., Any]:
        bill = mine(context)

        def handle(record: Any) -> Any:
            if record.event_id.startswith("view-"):
                yield context.sleep(ANALYTICS_US)
            else:
                yield from bill(record)

        return handle

    return build


def deploy(cluster: Cluster, design: Design, readers: str) -> None:
    """One producer, and the group that bills, with or without the views to handle as well."""
    cluster.store(LEDGER)
    cluster.source("shop", iter(events(design)))
    alone = readers == READERS[0]
    wanted = LIFE if alone else (*LIFE, VIEWED)
    serving = Serving(
        topics=design.read_by(wanted),
        settings={**SESSION, "auto.offset.reset": "earliest"},
        processing=constant(BILLING_US),
    )
    cluster.group("billing", 3, wanting(LIFE, naive) if alone else slow_views(naive), serving)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """The same events, placed by a design."""
    design = factors["topics"]
    return Scenario(
        name=design.name,
        topology=Topology(topics=design.topics((*LIFE, VIEWED), PARTITIONS), links=(WIRE,)),
        application=partial(deploy, design=design, readers=factors["readers"]),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Order lies in a partition, and so within a topic.

    Readers that are never behind overtake nothing, even across topics. That is luck, and no
    promise is declared of it.
    """
    if factors["topics"] is not BY_TYPE:
        return {"aggregate_order": "kept"}
    return {} if factors["readers"] == READERS[0] else {"aggregate_order": "broken"}


EXPERIMENT = Experiment(
    name="topic_designs",
    question="Which events should share a topic?",
    scenario=scenario,
    factors={"topics": DESIGNS, "readers": READERS},
    measures={
        "out of order": OUT_OF_ORDER,
        "read in vain": share(lambda run: run.in_vain),
        "in the busiest partition": BUSIEST,
        "latency of orders": samples(lambda run: run.delivery.latencies_us, quantiles=(0.5, 0.95)),
    },
    checks=(aggregate_order,),
    promises=expected,
    runs=20,
    baseline={"topics": DESIGNS[0].name},
    gather=Load,
)

illustrate = plotted
