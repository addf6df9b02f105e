"""One right architecture, and for each rule of the lint a twin that differs in one thing."""

import attrs

from simulator.linting.architecture import (
    FOR_EVER,
    Architecture,
    EventDesign,
    Handles,
    Sends,
    ServiceDesign,
    TopicDesign,
)

BILLING = Handles(
    "orders", ["OrderCreated"], group="billing", instances=2, retries=4,
    after_limit="dead letters", sink="idempotent", stores=["ledger"], claims="at-least-once",
)  # fmt: skip
PAYMENTS = Sends(
    "payments", ["PaymentAuthorized"], key="order_id", through="outbox", stores=["ledger"],
    after=["OrderCreated"],
)  # fmt: skip
SHIPPING = Handles(
    "payments", ["PaymentAuthorized"], group="shipping", retries=4, after_limit="stop",
    sink="versioned", stores=["parcels"],
)  # fmt: skip
SHOP = Sends("orders", ["OrderCreated"], key="order_id", through="capture", stores=["shop"])
EVENTS = (
    EventDesign("OrderCreated", "event", 2),
    EventDesign("PaymentAuthorized", "event", 1),
)
RIGHT = Architecture(
    "shop",
    (TopicDesign("orders", 3), TopicDesign("payments", 3)),
    EVENTS,
    (
        ServiceDesign("shop", sends=[SHOP]),
        ServiceDesign("billing", [BILLING], [PAYMENTS]),
        ServiceDesign("shipping", [SHIPPING]),
    ),
)


def with_billing(**fields):
    """Billing handles in another way."""
    return _with(billing=attrs.evolve(BILLING, **fields))


def with_payments(**fields):
    """Billing sends in another way."""
    return _with(payments=attrs.evolve(PAYMENTS, **fields))


def with_services(*more):
    """Others beside them."""
    return attrs.evolve(RIGHT, services=(*RIGHT.services, *more))


def _with(billing=BILLING, payments=PAYMENTS):
    shop, _, shipping = RIGHT.services
    return attrs.evolve(
        RIGHT, services=(shop, ServiceDesign("billing", [billing], [payments]), shipping)
    )


def _mailed():
    """Two services act on one command."""
    mail = EventDesign("SendReceipt", schema_version=1)
    sends = Sends("mails", ["SendReceipt"], key="order_id", through="outbox")
    reads = attrs.evolve(BILLING, topic="mails", events=("SendReceipt",))
    services = (
        ServiceDesign("office", sends=[sends]),
        ServiceDesign("mail", [attrs.evolve(reads, group="mail")]),
        ServiceDesign("texts", [attrs.evolve(reads, group="texts")]),
    )
    return attrs.evolve(with_services(*services), events=(*EVENTS, mail))


def _overloaded():
    """Everybody else sends to the topic of orders."""
    names = ("CustomerMoved", "PriceChanged", "StockCounted")
    others = Sends("orders", names, key="order_id", through="outbox")
    told = tuple(EventDesign(name, schema_version=1) for name in names)
    return attrs.evolve(
        with_services(ServiceDesign("others", sends=[others])), events=(*EVENTS, *told)
    )


def _circling():
    """Shipping asks for the payment once more."""
    back = Sends(
        "orders", ["OrderCreated"], key="order_id", through="outbox", after=["PaymentAuthorized"]
    )
    shop, billing, _ = RIGHT.services
    return attrs.evolve(
        RIGHT, services=(shop, billing, ServiceDesign("shipping", [SHIPPING], [back]))
    )


# rule -> (the twin, the finding's subject, how many faults its witness has)
TWINS = {
    "command-event": (_mailed(), "SendReceipt", 0),
    "unversioned-event": (
        attrs.evolve(RIGHT, events=(attrs.evolve(EVENTS[0], schema_version=0), EVENTS[1])),
        "OrderCreated", 0,
    ),
    "overloaded-topic": (_overloaded(), "orders", 0),
    "reaction-cycle": (_circling(), "OrderCreated", 0),
    "random-key": (with_payments(key="random"), "billing sends to payments", 0),
    "missing-group-id": (with_billing(group=""), "billing handles orders", 0),
    "hidden-synchrony": (with_billing(awaits="payments"), "billing handles orders", 0),
    "moment-of-delivery": (with_billing(within_ms=1_000), "billing handles orders", 1),
    "endless-retries": (
        with_billing(retries=FOR_EVER, after_limit=None), "billing handles orders", 0,
    ),
    "no-dead-letters": (with_billing(after_limit="skip"), "billing handles orders", 0),
    "dual-write": (with_payments(through="direct"), "billing sends to payments", 1),
    "non-idempotent-sink": (with_billing(sink="naive"), "billing handles orders", 1),
    "exactly-once-claimed": (
        with_billing(claims="exactly-once", sink=None), "billing handles orders", 1,
    ),
    "stale-decision": (with_billing(decides_on="free_credit"), "billing handles orders", 0),
}  # fmt: skip
