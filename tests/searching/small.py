"""Small scenarios for exhaustive searches: everything is over soon, so that a run costs little."""

from typing import Any

from simulator import EXACTLY_ONCE, Consumers, Topic, Topology, Workload, constant
from simulator.scenario.workload import WorkItem
from tests.few_orders import few_orders

ONE_PARTITION = Topology(brokers=1, topics=(Topic("orders", 1),))
# Whoever waits, waits for a quarter of a second; a dead member is noticed after one.
IMPATIENT = {
    "session.timeout.ms": 1_000,
    "heartbeat.interval.ms": 900,
    "request.timeout.ms": 300,
    "fetch.max.wait.ms": 250,
    "default.api.timeout.ms": 5_000,
    "max.poll.interval.ms": 2_000,
}
DATA_AND_COMMITS = tuple(
    f"drop@*/{kind}{way}"
    for kind in ("Produce", "Fetch", "OffsetCommit")
    for way in ("Request", "Response")
)
CONSUMER_POINTS = ("crash@billing-*/*",)


def together(messages: int) -> Workload:
    """So many messages at one instant, a tenth of a second after the start."""
    return Workload(
        events=0,
        items=tuple(
            WorkItem(100_000, "orders", "k0", "{}", f"e{number}")
            for number in range(1, messages + 1)
        )
    )


def consumed(guarantee: Any = EXACTLY_ONCE, messages: int = 3, **more: Any) -> Any:
    """One producer, one partition, one consumer, and the ledger."""
    handler, settings = more.pop("handler", None), {**IMPATIENT, **more.pop("settings", {})}
    processing = constant(more.pop("processing_us", 1_000))
    consumers = Consumers(instances=1, settings=settings, processing=processing, handler=handler)
    return few_orders(
        guarantee,
        topology=ONE_PARTITION,
        workload=together(messages),
        consumers=consumers,
        producer={"request.timeout.ms": 300},
        **more,
    )
