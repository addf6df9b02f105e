"""Orders, payment, stock, shipping: a saga's scenario, orchestrated.

    create_order  reserve_credit  reserve_stock | charge | pick  ship  approve
    compensatable                               | pivot  | retriable

Each service has a store, and two lanes: requests, and cancellations. What a customer may owe, and
how many of an article there are, is in `OPENING`; so an order may be refused for a reason of
business, by what is in it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from models.patterns.sagas.carrying_out import RIGHTLY, Conduct
from models.patterns.sagas.orchestration import PLACED, Orchestrating, minding, orchestrator
from models.patterns.sagas.participants import REPLIES, participant
from models.patterns.sagas.saga import ENDS, PIVOT, RETRIABLE, Step, saga
from models.patterns.sagas.sending import STORE
from simulator import (
    Cluster,
    Consumers,
    Context,
    Get,
    Scenario,
    Serving,
    StoreError,
    constant,
)  # fmt: skip

ORDERS, CONFIRMATIONS = "order-events", "confirmations"
CONFIRMED = "confirmed"
ORDER = saga(
    Step("create_order", "orders"),
    Step("reserve_credit", "payment"),
    Step("reserve_stock", "stock"),
    Step("charge", "payment", PIVOT, frees="reserve_credit"),
    Step("pick", "stock", RETRIABLE, frees="reserve_stock"),
    Step("ship", "shipping", RETRIABLE),
    Step("approve", "orders", RETRIABLE),
)
# The same, but for the order in which the two are reserved.
STOCK_FIRST = saga(ORDER[0], ORDER[2], ORDER[1], *ORDER[3:])
OPENING = {"credit of ann": 300, "credit of bob": 50, "lamp": 1, "chair": 5}
QUICK = {
    "session.timeout.ms": 2_000, "heartbeat.interval.ms": 500, "request.timeout.ms": 2_000,
    "default.api.timeout.ms": 5_000, "max.poll.interval.ms": 5_000,
    "auto.offset.reset": "earliest",
}  # fmt: skip
PRODUCER = {"linger.ms": 0, "request.timeout.ms": 1_000, "delivery.timeout.ms": 600_000}
LOOK_US, NOTHING_US = 100_000, constant(0)
BROKER = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000}


def order(number: int, customer: str = "ann", sku: str = "chair", **more: Any) -> dict[str, Any]:
    """One order: `o-1`, of 100 cents, for one article."""
    return {"id": f"o-{number}", "customer": customer, "sku": sku, "cents": 100, **more}


def needs(step: str, of: Mapping[str, Any]) -> tuple[str, int] | None:
    """What a step reserves."""
    match step:
        case "reserve_credit":
            return f"credit of {of['customer']}", of["cents"]
        case "reserve_stock":
            return of["sku"], 1
    return None


@attrs.frozen
class Shop:
    """Who places orders, and how the services go about them; the defaults are right.

    Args:
        orders: what is placed.
        every_ms: how long after each other.
        how: the orchestrator.
        conduct: the participants.
        opening: what there is of each resource at first.
        working, cancelling: the delay laws of a request, and of a cancellation.
        confirmed_ms: how long after the order the bank's word on it comes; less than 0: before.
        giving_up_ms: so long the orchestrator tries to send a command.
        patience_ms: so long the shop waits for the ends of its sagas.
    """

    orders: Sequence[Mapping[str, Any]]
    every_ms: int = 0
    how: Orchestrating = attrs.field(factory=lambda: Orchestrating({"order": ORDER}))
    conduct: Conduct = RIGHTLY
    opening: Mapping[str, int] = attrs.field(factory=lambda: OPENING)
    working: Any = NOTHING_US
    cancelling: Any = NOTHING_US
    confirmed_ms: int = 10
    giving_up_ms: int = 600_000
    patience_ms: int = 24_000


def shop_scenario(shop: Shop, **more: Any) -> Scenario:
    """The scenario; faults end after two seconds, so that what is owed can come about."""
    more.setdefault("heal_after_ms", 2_000)
    more.setdefault("horizon_ms", 60_000)
    return Scenario(
        name="an order's saga", broker=BROKER, consumers=Consumers(instances=0),
        application=lambda cluster: deploy(cluster, shop), **more,
    )  # fmt: skip


def deploy(cluster: Cluster, shop: Shop) -> None:
    """The services, an orchestrator with its minder, and who places orders."""
    steps = tuple(step for one in shop.how.sagas.values() for step in one)
    for topic in (ORDERS, CONFIRMATIONS, REPLIES):
        cluster.topic(topic)
    cluster.store(STORE)
    for service in dict.fromkeys(step.service for step in steps):
        store = f"{service}-store"
        if store != STORE:
            cluster.store(store)
        work = participant(store, steps, needs, shop.opening, shop.conduct)
        for lane, delay in (("requests", shop.working), ("cancellations", shop.cancelling)):
            topic = cluster.topic(f"{service}-{lane}")
            cluster.group(topic, 1, work, serving((topic,), delay))
    sending = {**PRODUCER, "delivery.timeout.ms": shop.giving_up_ms}
    leading = attrs.evolve(serving((ORDERS, CONFIRMATIONS, REPLIES)), producer=sending)
    cluster.group("saga", 1, orchestrator(shop.how), leading)

    def mind(node: Any) -> None:
        node.start(minding(Context(cluster, node, sending), shop.how), "minder")

    cluster.node("saga-minder", mind)
    cluster.driver("shop", lambda node: placing(Context(cluster, node, PRODUCER), shop))
    if CONFIRMED in shop.how.starters:
        cluster.driver("bank", lambda node: _confirming(Context(cluster, node, PRODUCER), shop))


def serving(topics: tuple[str, ...], processing: Any = NOTHING_US) -> Serving:
    """A group's way: at least once, and back at once after a crash (KIP-345)."""
    return Serving(topics, QUICK, producer=PRODUCER, processing=processing, static=True)


def placing(context: Context, shop: Shop) -> Any:
    """Place the orders, and wait for the ends of their sagas, or until patience is at an end."""
    yield context.sleep(max(0, -shop.confirmed_ms) * 1_000)
    for one in shop.orders:
        yield from _sent(context, ORDERS, PLACED, one)
        yield context.sleep(shop.every_ms * 1_000)
    yield from until_ended(context, [one["id"] for one in shop.orders], shop.patience_ms)


def until_ended(context: Context, names: Sequence[str], patience_ms: int) -> Any:
    """Wait until the sagas have ended, or patience is at an end."""
    until_us = context.node.now_us + patience_ms * 1_000
    while context.node.now_us < until_us:
        try:
            phases = yield context.store(STORE).transact(*(Get("sagas", name) for name in names))
        except StoreError:
            phases = ()
        if phases and all(phase in ENDS for phase in phases):
            return
        yield context.sleep(LOOK_US)


def _confirming(context: Context, shop: Shop) -> Any:
    """The bank's word on each order."""
    yield context.sleep(max(0, shop.confirmed_ms) * 1_000)
    for one in shop.orders:
        yield from _sent(context, CONFIRMATIONS, CONFIRMED, {"id": one["id"]})
        yield context.sleep(shop.every_ms * 1_000)


def _sent(context: Context, topic: str, what: str, about: Mapping[str, Any]) -> Any:
    if not context.node.point("before_send"):
        yield context.node.event()
    message = json.dumps({"saga": about["id"], "what": what, "order": dict(about)}, sort_keys=True)
    yield context.send(topic, message, about["id"], event_id=f"{about['id']}/{what}")
