"""What does a consumer miss that sleeps longer than its topic remembers?

Events older than retention.ms are deleted, whether or not everybody has read them. A group whose
committed offset lies before the log's start gets OFFSET_OUT_OF_RANGE, and auto.offset.reset decides
what that means: begin at the earliest that is left, at the end, or stop and say so.

Predict before you run it: retention is ten seconds. The only instance is away for five, or for
twenty, or for thirty: what share of the forty seconds' events is lost under each policy? Which
policy loses nothing without a word?

Under `none` a group that has committed nothing cannot begin at all. So an operator commits its
first offsets here, and the service is started after that.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._shared import (
    FROM_US,
    MILLISECOND_US,
    SECOND_US,
    SESSION,
    WIRE,
    plotted,
)
from models.systems.orders import LEDGER
from models.topics.load import Load
from models.topics.loss import told_by_warning
from simulator import (
    Add,
    Cluster,
    Crash,
    Experiment,
    FaultPlan,
    Scenario,
    Seeded,
    Serving,
    Topic,
    Topology,
    WorkItem,
    Workload,
    flag,
    naive_sink,
    poisson,
    share,
    uniform,
)

RETENTION = {"retention.ms": 10_000, "segment.ms": 1_000}
CHECKED = {"log.initial.task.delay.ms": 500, "log.retention.check.interval.ms": 500}
LOAD_S, PER_S = 40, 8
ASLEEP_MS = FROM_US // MILLISECOND_US + 4_000
SLEEPS = {"5 s": 5_000, "20 s": 20_000, "30 s": 30_000}
POLICIES = ("earliest", "latest", "none")
TOPIC, PARTITIONS, GROUP = "orders", 2, "billing"
STARTED_MS = 2_000


def operator(cluster: Cluster, node: Any) -> Any:
    """Commit the group's first offsets, as long as nobody is in it."""
    consumer = cluster.consumer(node, {"group.id": GROUP, "enable.auto.commit": False})
    consumer.assign([(TOPIC, number) for number in range(PARTITIONS)])
    yield consumer.commit_sync({(TOPIC, number): 0 for number in range(PARTITIONS)})
    yield consumer.close()


def deploy(cluster: Cluster, items: tuple[WorkItem, ...], reset: str) -> None:
    """A producer, an operator, and a group of one."""
    cluster.store(LEDGER)
    cluster.driver("operator", partial(operator, cluster))
    cluster.source("order-service", iter(items))
    serving = Serving(
        topics=(TOPIC,),
        settings={**SESSION, "auto.offset.reset": reset},
        processing=uniform(1_000, 5_000),
    )
    cluster.group(GROUP, 1, naive_sink(lambda record: Add(LEDGER, record.key, 1)), serving)


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """Forty seconds of events, for a group of one that is away for some of them."""
    drawn = Workload(events=LOAD_S * PER_S, arrivals=poisson(PER_S))
    items = tuple(item._replace(at_us=item.at_us + FROM_US) for item in drawn.stream(Seeded(seed)))
    return Scenario(
        name="slept past retention",
        topology=Topology(topics=(Topic(TOPIC, PARTITIONS, settings=RETENTION),), links=(WIRE,)),
        application=partial(deploy, items=items, reset=factors["reset"]),
        faults=FaultPlan(
            (
                Crash("billing-0", at_ms=0, down_ms=STARTED_MS),
                Crash("billing-0", at_ms=ASLEEP_MS, down_ms=factors["asleep"]),
            )
        ),
        broker=CHECKED,
        horizon_ms=60_000,
    )


def missing(run: Load) -> tuple[int, int]:
    """Events that were acknowledged and had taken no effect when the run ended."""
    return run.delivery.acknowledged - run.delivery.applied, run.delivery.acknowledged


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Beyond retention every policy misses something; only `none` says so."""
    late = factors["asleep"] * MILLISECOND_US > 10 * SECOND_US
    quietly = late and factors["reset"] != "none"
    return {"never_lost_unnoticed": "broken" if quietly else "kept"}


EXPERIMENT = Experiment(
    name="slept_past_retention",
    question="What does a consumer miss that sleeps longer than its topic remembers?",
    scenario=scenario,
    factors={"asleep": SLEEPS, "reset": POLICIES},
    measures={
        "not applied": share(missing),
        "stopped, and said so": flag(lambda run: run.stopped, more_is_better=None),
    },
    checks=(told_by_warning(),),
    promises=expected,
    runs=20,
    baseline={"reset": "earliest"},
    gather=Load,
)

illustrate = plotted
