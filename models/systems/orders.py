"""Orders: created, then paid, then shipped; three events an order, and a ledger that adds them up.

Every effect is an addition, because an addition that is done twice shows. The three ways of
writing the same handler differ in one thing, how they know that an event was applied before:

naive           they do not
idempotent      the event's id is inserted in the transaction of the effect
in_memory_set   ids are remembered in a set, which the first restart empties
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from models.patterns.envelope import Envelope, read_envelope
from simulator import (
    AT_LEAST_ONCE,
    Add,
    BadInput,
    Consumers,
    Guarantee,
    Scenario,
    Topic,
    Topology,
    WorkItem,
    Workload,
    idempotent_sink,
    memory_sink,
    naive_sink,
)

TOPIC = "orders"
LEDGER = "ledger"
LIFE = ("OrderCreated", "PaymentAuthorized", "OrderShipped")
FIRST_MOMENT = datetime(2025, 12, 4, 12, tzinfo=UTC)


def life(number: int) -> tuple[Envelope, ...]:
    """The three events of one order, in their order."""
    order_id = f"o-{number}"
    at = FIRST_MOMENT + timedelta(seconds=number)
    payloads: tuple[dict[str, Any], ...] = (
        {"order_id": order_id, "user_id": f"u-{number % 7}", "total_cents": 1_000 + number},
        {"order_id": order_id, "total_cents": 1_000 + number},
        {"order_id": order_id},
    )
    return tuple(
        Envelope(
            event_type,
            1,
            f"{order_id}/{event_type}",
            (at + timedelta(seconds=step)).isoformat().replace("+00:00", "Z"),
            payload,
        )
        for step, (event_type, payload) in enumerate(zip(LIFE, payloads, strict=True))
    )


def work(orders: int, every_us: int = 10_000, from_us: int = 0) -> tuple[WorkItem, ...]:
    """So many orders' lives, overlapping: a new one every `every_us`, each step four later.

    The first is created at `from_us`. The key is the order's id, so that one order's events lie
    in one partition, in order.
    """
    items = []
    for number in range(orders):
        for step, envelope in enumerate(life(number)):
            at_us = from_us + (number + 4 * step) * every_us + step
            key = envelope.payload["order_id"]
            items.append(WorkItem(at_us, TOPIC, key, envelope.to_json(), envelope.event_id))
    return tuple(sorted(items, key=lambda item: item.at_us))


def effect(value: Any) -> Add:
    """What an event adds to the ledger; events of other domains are counted by their type.

    Raises:
        BadInput: the payload lacks what the effect needs; the field is named.
    """
    envelope = read_envelope(value)
    match envelope.event_type:
        case "OrderCreated":
            return Add("orders", _field(envelope, "order_id"), 1)
        case "PaymentAuthorized":
            return Add(
                "paid_cents", _field(envelope, "order_id"), _field(envelope, "total_cents")
            )
        case "OrderShipped":
            return Add("parcels", _field(envelope, "order_id"), 1)
    return Add("events", envelope.event_type, 1)


def _field(envelope: Envelope, name: str) -> Any:
    found = envelope.payload.get(name)
    if found is None:
        known = ", ".join(envelope.payload) or "nothing"
        raise BadInput(f"payload.{name} is missing; it has", envelope.event_type, known)
    return found


def _effect(record: Any) -> Add:
    return effect(record.value)


naive = naive_sink(_effect)
idempotent = idempotent_sink(_effect)
in_memory_set = memory_sink(_effect)

SINKS = {
    "naive": naive,
    "idempotent": idempotent,
    "memory": in_memory_set,
}


def orders_scenario(
    guarantee: Guarantee = AT_LEAST_ONCE,
    *,
    items: tuple[WorkItem, ...] | None = None,
    instances: int = 2,
    **more: Any,
) -> Scenario:
    """Orders under a guarantee: one producer, three partitions, a group of billing services.

    Args:
        items: what is sent; 100 orders by default.
        instances: how many billing services.
        more: other fields of the Scenario.

    Raises:
        BadInput: the guarantee wants a sink that this model has not.
    """
    if guarantee.sink not in SINKS:
        known = ", ".join(SINKS)
        raise BadInput("orders have no sink called", guarantee.name, guarantee.sink, known)
    chosen = work(100) if items is None else items
    more.setdefault("topology", Topology(topics=(Topic(TOPIC, 3),)))
    more.setdefault(
        "consumers",
        Consumers(group="billing", instances=instances, handler=SINKS[guarantee.sink]),
    )
    return Scenario(
        name=f"orders, {guarantee.name}",
        workload=Workload(topic=TOPIC, producer="order-service", items=chosen),
        guarantee=guarantee,
        **more,
    )
