"""Who reacts to what: the table that is the whole of a choreographed saga.

    OrderPlaced > reserve_credit > CreditReserved > reserve_stock > StockReserved > charge ...
                                   CreditRefused > reject          StockRefused > release credit

An event bears its past: the types of the events that led to it. So a reaction that would go round
for ever can be told when it may happen (`guard`), and every run of the table ends. The twin asks
the past nothing.
"""

from collections.abc import Callable, Iterable

import attrs

from models.patterns.sagas.saga import COMPENSATED, COMPLETED, DO, RUNNING, UNDO

PLACED, RESTOCKED = "OrderPlaced", "Restocked"

Past = tuple[str, ...]
"""The types of the events that led to an event, the first first."""


def always(_: Past) -> bool:
    """Whatever was before."""
    return True


def first_time(past: Past) -> bool:
    """Only if nothing was restocked before."""
    return RESTOCKED not in past


def second_time(past: Past) -> bool:
    """Only if something was restocked before."""
    return RESTOCKED in past


@attrs.frozen
class Reaction:
    """What a service does when something has happened, and what it says then.

    Args:
        on: the type of the event.
        service: who reacts.
        step: what it does; "" is nothing but to say something.
        verb: do or undo.
        then: the event that follows; "" is none.
        otherwise: the event that follows a refusal.
        phase: what the order becomes by it.
        guard: whether it happens, given the event's past.
    """

    on: str
    service: str
    step: str = ""
    verb: str = DO
    then: str = ""
    otherwise: str = ""
    phase: str = ""
    guard: Callable[[Past], bool] = always


Table = tuple[Reaction, ...]
TABLE: Table = (
    Reaction(PLACED, "orders", phase=RUNNING),
    Reaction(PLACED, "payment", "reserve_credit", DO, "CreditReserved", "CreditRefused"),
    Reaction("CreditReserved", "stock", "reserve_stock", DO, "StockReserved", "StockRefused"),
    Reaction("StockReserved", "payment", "charge", DO, "Charged"),
    Reaction("Charged", "shipping", "ship", DO, "Shipped"),
    Reaction("Shipped", "orders", phase=COMPLETED),
    Reaction("CreditRefused", "orders", phase=COMPENSATED),
    Reaction("StockRefused", "payment", "reserve_credit", UNDO, "CreditReleased"),
    Reaction("CreditReleased", "orders", phase=COMPENSATED),
)


def restocking(guard: Callable[[Past], bool]) -> Table:
    """The table in which a refusal lets the stock be filled up, and asked again.

    guard: of the filling up. With `first_time` the second refusal releases the credit; the twin
    `always` fills up whenever it is refused, and what is never to be had is refused for ever.
    """
    kept = tuple(one for one in TABLE if one.on != "StockRefused")
    return (
        *kept,
        Reaction("StockRefused", "stock", then=RESTOCKED, guard=guard),
        Reaction(RESTOCKED, "stock", "reserve_stock", DO, "StockReserved", "StockRefused"),
        Reaction(
            "StockRefused", "payment", "reserve_credit", UNDO, "CreditReleased", guard=second_time
        ),
    )


def follows(table: Table, event: str, past: Past, refused: Callable[[], bool]) -> tuple[str, ...]:
    """The events that follow one, if `refused()` says of each step whether it is refused."""
    said = []
    for reaction in table:
        if reaction.on == event and reaction.guard(past):
            no = bool(reaction.otherwise) and refused()
            said.append(reaction.otherwise if no else reaction.then)
    return tuple(one for one in said if one)


def comes_to_rest(
    table: Table, event: str, refusals: Iterable[bool], most: int = 50
) -> bool:
    """Whether a run of the table from an event is over after `most` events.

    refusals: whether the first step is refused, the second, ...; the last holds for all others.
    """
    answers = list(refusals) or [False]
    under_way: list[tuple[str, Past]] = [(event, ())]
    for _ in range(most):
        if not under_way:
            return True
        event, past = under_way.pop(0)
        after = (*past, event)
        found = follows(table, event, past, lambda: answers.pop(0) if answers[1:] else answers[0])
        under_way += [(one, after) for one in found]
    return not under_way
