"""The domain of the examples: how many of a thing are left, and which orders have reserved some.

Commands ask (Receive, Reserve, Release) and may be refused; events tell (StockReceived,
StockReserved, StockReleased) and cannot. `decide` and `evolve` are functions of their arguments
alone: no clock, no chance, no look at anything else.

Who decides twice about one order decides the same: `decide` has nothing to say of an order that
is reserved already, so a command that is sent again does no harm.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import attrs

from models.patterns.event_sourcing.event_sourcing import Aggregate
from models.patterns.event_sourcing.event_store import Event

RECEIVED, RESERVED, RELEASED = "StockReceived", "StockReserved", "StockReleased"


class Receive(NamedTuple):
    """Put so many into stock."""

    delivery_id: str
    quantity: int


class Reserve(NamedTuple):
    """Hold so many for an order."""

    order_id: str
    quantity: int = 1


class Release(NamedTuple):
    """An order was cancelled: what it held is free again."""

    order_id: str


Command = Receive | Reserve | Release


@attrs.frozen
class Stock:
    """What the events of one thing come to.

    Attributes:
        available: so many may be reserved; never below 0.
        orders: what each order holds.
        deliveries: those that were counted.
    """

    available: int = 0
    orders: Mapping[str, int] = attrs.field(factory=dict)
    deliveries: tuple[str, ...] = ()


def decide(stock: Stock, command: Command) -> tuple[Event, ...]:
    """What happens by a command: nothing, if it cannot be or has happened before."""
    match command:
        case Receive(delivery_id, quantity) if delivery_id not in stock.deliveries:
            data = {"delivery_id": delivery_id, "quantity": quantity}
            return (Event(RECEIVED, data, f"{delivery_id}/received"),)
        case Reserve(order_id, quantity):
            if order_id not in stock.orders and quantity <= stock.available:
                data = {"order_id": order_id, "quantity": quantity}
                return (Event(RESERVED, data, f"{order_id}/reserved"),)
        case Release(order_id):
            if stock.orders.get(order_id):
                return (Event(RELEASED, {"order_id": order_id}, f"{order_id}/released"),)
    return ()


def evolve(stock: Stock, event: Event) -> Stock:
    """The state after an event; events of other kinds change nothing."""
    data = event.data
    match event.event_type:
        case "StockReceived":
            return attrs.evolve(
                stock,
                available=stock.available + data["quantity"],
                deliveries=(*stock.deliveries, data["delivery_id"]),
            )
        case "StockReserved":
            orders = {**stock.orders, data["order_id"]: data["quantity"]}
            return attrs.evolve(
                stock, available=stock.available - data["quantity"], orders=orders
            )
        case "StockReleased":
            held = stock.orders.get(data["order_id"], 0)
            orders = {**stock.orders, data["order_id"]: 0}
            return attrs.evolve(stock, available=stock.available + held, orders=orders)
    return stock


STOCK = Aggregate(Stock(), decide, evolve)


# --- A twin --------------------------------------------------------------------------------------


def impure(expired: Callable[[Event], bool]) -> Callable[[Stock, Event], Stock]:
    """The twin of `evolve`: a reservation that has run out by now is left out of the fold.

    Whether it has is asked of a clock, of a die, or of another service: of something that will
    answer otherwise at the next replay. The right way is an event, `StockReleased`, once it has.
    """

    def evolving(stock: Stock, event: Event) -> Stock:
        if event.event_type == RESERVED and expired(event):
            return stock
        return evolve(stock, event)

    return evolving
