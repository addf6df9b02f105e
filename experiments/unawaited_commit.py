"""At most once: must the commit be known to have succeeded before a record is handled?

To commit before handling is at most once: what crashes in between is lost, nothing is done twice.
That holds if the handler waits for the commit's answer. Who commits and does not wait, because it
takes a while, handles events whose commit is still on its way. If the group has moved on meanwhile
(a rebalance, or a pause that was too long), that commit is refused; and the partition's next owner
is given the same events.

Predict before you run it: an instance is paused for longer than its session, in the midst of its
work; or it is killed. Which of the two ways applies events twice, and when? What does waiting cost?

Asked in akka/alpakka-kafka#1081.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._shared import (
    APPLIED_TWICE,
    FROM_US,
    LATENCY,
    LOST,
    MILLISECOND_US,
    PATIENCE,
    SESSION,
    WIRE,
    plotted,
)
from models.patterns.idempotency.inbox import counted
from models.systems.orders import LEDGER, TOPIC
from models.topics.load import Load
from simulator import (
    Cluster,
    Crash,
    Experiment,
    FaultPlan,
    KafkaError,
    Pause,
    Scenario,
    Topic,
    Topology,
    WorkItem,
)

WAITS = {"waited for": True, "not waited for": False}
AT_MS, LATER_MS = FROM_US // MILLISECOND_US + 1_500, 70
HAPPENS = ("nothing", "killed", "paused")
EVENTS, EVERY_US, TAKES_US = 120, 30_000, 5_000
LASTS_US = 35_000_000


def working(cluster: Cluster, node: Any, waits: bool) -> Any:  # noqa: FBT001
    """Commit each event, and then handle it, whether its commit is known to be done or not."""
    settings = {
        **SESSION, "group.id": "billing", "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }  # fmt: skip
    consumer = cluster.consumer(node, settings)
    context = cluster.context(node)
    store = context.store(LEDGER)
    consumer.subscribe([TOPIC])
    while True:
        for record in (yield consumer.poll(1_000)):
            past = {(record.topic, record.partition): record.offset + 1}
            if waits:
                try:
                    yield consumer.commit_sync(past)
                except KafkaError:
                    break  # It is another's: it has not been handled, and is not.
            else:
                consumer.commit_async(past)
            context.record = record
            yield node.sleep(TAKES_US)
            yield store.transact(*counted(record))


def deploy(cluster: Cluster, waits: bool) -> None:  # noqa: FBT001
    """A shop and two workers."""
    cluster.store(LEDGER)
    items = [
        WorkItem(FROM_US + place * EVERY_US, TOPIC, f"o-{place}", "order", f"e{place}")
        for place in range(EVENTS)
    ]
    cluster.source("order-service", iter(items), {"linger.ms": 0, **PATIENCE})

    def boot(node: Any) -> None:
        node.start(working(cluster, node, waits), "worker")

    for number in range(2):
        cluster.node(f"billing-{number}", boot)
    cluster.driver("clock", lambda node: (yield node.sleep(LASTS_US)))


def scenario(factors: Mapping[str, Any], run: int) -> Scenario:
    """Four seconds of orders; after one and a half something happens to an instance."""
    at_ms = AT_MS + run * LATER_MS % 500
    faults = {
        "nothing": (),
        "killed": (Crash("billing-0", at_ms=at_ms, down_ms=10_000),),
        "paused": (Pause("billing-0", at_ms, 9_000),),
    }
    return Scenario(
        name="unawaited commit",
        topology=Topology(topics=(Topic(TOPIC, 2),), links=(WIRE,)),
        application=partial(deploy, waits=factors["commit"]),
        faults=FaultPlan(faults[factors["happens"]]),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only who waits is sure to be the only one."""
    if factors["commit"] or factors["happens"] == "nothing":
        return {"never_applied_twice": "kept"}
    return {"never_applied_twice": "broken"} if factors["happens"] == "paused" else {}


EXPERIMENT = Experiment(
    name="unawaited_commit",
    question="At most once: must the commit be known to have succeeded before a record is handled?",
    scenario=scenario,
    factors={"commit": WAITS, "happens": HAPPENS},
    measures={"applied twice": APPLIED_TWICE, "lost": LOST, "latency": LATENCY},
    checks=("never_applied_twice",),
    promises=expected,
    runs=6,
    baseline={"commit": "waited for"},
    gather=Load,
)

illustrate = plotted
