"""What experiments of outboxes have in common: services under load, and measures of a `Telling`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from experiments._shared import WIRE
from models.patterns.outboxes.outbox import Publishing, Request, Statements, change, with_outbox
from models.patterns.outboxes.outbox_counts import Telling
from models.patterns.outboxes.relays import Relay
from simulator import Topology, number, ratio, samples, share

TOPOLOGY = Topology(links=(WIRE,))
FROM_US = 200_000  # By then relays have connections, and a slot.


def load(
    services: int,
    requests: int,
    *,
    orders: int = 4,
    every_us: int = 20_000,
    thinks_us: Callable[[int], int] = lambda _: 0,
    gives_up: Callable[[int], bool] = lambda _: False,
) -> tuple[tuple[Request, ...], ...]:
    """Requests for services that take them in turn; each order is asked for by all of them.

    Args:
        requests: how many in all.
        orders: how many orders they are about.
        every_us: from a request to the next.
        thinks_us, gives_up: of each request, by its number.
    """
    made: list[list[Request]] = [[] for _ in range(services)]
    for one in range(requests):
        order, status = f"o-{one // services % orders}", f"step-{one}"
        at_us = FROM_US + one * every_us
        request = Request(at_us, order, status, thinks_us(one), gives_up(one))
        made[one % services].append(request)
    return tuple(map(tuple, made))


def outbox_with(statements: Statements = change) -> Publishing:
    """A service that changes an order by these statements."""
    return partial(with_outbox, statements=statements)


def pair(**how: Any) -> tuple[Relay, ...]:
    """Two relays that are alike, on nodes of their own."""
    return tuple(Relay(name=f"relay-{one}", **how) for one in range(2))


LOST = share(lambda run: run.lost)
GHOSTS = share(lambda run: run.ghosts)
OUT_OF_ORDER = share(lambda run: run.out_of_order)
TOLD_AGAIN = share(lambda run: run.told_again)
SHIPPED_TWICE = share(lambda run: run.shipped_twice)
UNTIL_TOLD = samples(lambda run: run.latencies_us, quantiles=(0.5, 0.99))
ASKED = ratio(lambda run: run.asked_per_event, more_is_better=False)
TOOK = number(lambda run: run.took_s, unit="s", more_is_better=False)

__all__ = [
    "ASKED", "FROM_US", "GHOSTS", "LOST", "OUT_OF_ORDER", "SHIPPED_TWICE", "TOLD_AGAIN", "TOOK",
    "TOPOLOGY", "UNTIL_TOLD", "Telling", "load", "outbox_with", "pair",
]  # fmt: skip
