"""What the rows' scenarios have in common: as little as shows the bug, so that runs are short."""

from collections.abc import Callable
from typing import Any

import attrs

from simulator import (
    AT_LEAST_ONCE,
    Add,
    Consumers,
    ProducerFailed,
    Scenario,
    Serving,
    Topic,
    Topology,
    Workload,
    constant,
    steady,
    uniform_keys,
)

TOPIC = "orders"
BROKER = "broker-0"
PRODUCER = "orders-producer"
# A lost answer is noticed after a second; a producer does not give up while faults last.
PATIENCE = {
    "linger.ms": 0,
    "request.timeout.ms": 1_000,
    "delivery.timeout.ms": 300_000,
    "retry.backoff.ms": 10,
}


READING = {
    "session.timeout.ms": 2_000,
    "heartbeat.interval.ms": 500,
    "request.timeout.ms": 1_000,
    "default.api.timeout.ms": 5_000,
}
QUICK_GROUPS = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000}


def looking(_: Any) -> Callable[[Any], None]:
    """A handler that does nothing: what was read stands in the trace."""
    return lambda _: None


READER = Consumers(
    group="reader", instances=1, settings=READING, processing=constant(0), handler=looking
)


def producing(
    *,
    records: int = 2,
    per_s: float = 1_000,
    keys: int = 1,
    partitions: int = 1,
    topic: dict[str, Any] | None = None,
    broker: dict[str, Any] | None = None,
    producer: dict[str, Any] | None = None,
    **more: Any,
) -> Scenario:
    """A producer that hands over a few records, and a reader, by whom checks know what is there.

    Args:
        topic, broker: settings of the topic, and of the broker beside QUICK_GROUPS.
        producer: settings beside those of PATIENCE.
        more: other fields of the Scenario.
    """
    settings = {**AT_LEAST_ONCE.producer, **PATIENCE, **(producer or {})}
    return Scenario(
        topology=Topology(topics=(Topic(TOPIC, partitions, 1, topic or {}),)),
        broker={**QUICK_GROUPS, **(broker or {})},
        workload=Workload(events=records, arrivals=steady(per_s), keys=uniform_keys(keys)),
        guarantee=attrs.evolve(AT_LEAST_ONCE, producer=settings, commit="none"),
        consumers=READER,
        **more,
    )


# --- An application that sends again by itself ----------------------------------------------

SHOP, LEDGER, GROUP = "shop", "ledger", "billing"
SESSION = {"auto.offset.reset": "earliest", **READING}


Again = Callable[[ProducerFailed], bool]


def at_any_failure(_: ProducerFailed) -> bool:
    """Whatever has failed is handed over again."""
    return True


def if_certain(failure: ProducerFailed) -> bool:
    """Only what was certainly not written is handed over again."""
    return failure.definite


def insisting(cluster: Any, again: Again, number_of_orders: int) -> None:
    """A shop whose own code hands an order over again when the producer has given it up."""
    settings = cluster.world.scenario.guarantee.producer

    def sell(node: Any) -> Any:
        producer = cluster.producer(node, settings)
        for number in range(number_of_orders):
            for _ in range(3):
                try:
                    yield producer.send(TOPIC, "sold", "k0", event_id=f"order-{number}")
                except ProducerFailed as failure:
                    if again(failure):
                        continue
                break
            yield node.sleep(100_000)
        yield producer.close()

    cluster.driver(SHOP, sell)


def selling(again: Again, orders: int) -> Callable[[Any], None]:
    """The shop, and a reader."""

    def deployed(cluster: Any) -> None:
        insisting(cluster, again, orders)
        serving = Serving((TOPIC,), SESSION, commit="none")
        cluster.group(READER.group, 1, looking, serving)

    return deployed


def billing(factory: Any) -> Callable[[Any], None]:
    """The shop, and a service that applies each order to a ledger."""

    def deployed(cluster: Any) -> None:
        insisting(cluster, at_any_failure, 2)
        cluster.store(LEDGER)
        serving = Serving((TOPIC,), SESSION, processing=constant(1_000))
        cluster.group(GROUP, 1, factory, serving)

    return deployed


def sold(record: Any) -> Any:
    """One more order in the ledger."""
    return Add(LEDGER, record.key, 1)
