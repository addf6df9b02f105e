"""How many may deliver an outbox at a time, if an order's events are to keep their order?

"Ordered delivery to the broker seems broken": a relay reads rows in their order and delivers ten of
them at a time. Asked in MassTransit/MassTransit#3512 (QueryMessageLimit: "set to 1 if you need
in-order delivery across multiple transactions"). "Does the outbox keep the order of its entries on
several instances?" Asked in gruelbox/transaction-outbox#198.

One relay, one row at a time; one relay, ten at a time; two relays that skip each other's locked
rows; two relays, each with orders of its own; two relays of which one leads.

Predict before you run it: which keep an order's events in order? How much sooner are the others
done? Is there one that is as quick and in order? And what if one order has all the events?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._outbox import (
    OUT_OF_ORDER,
    TOLD_AGAIN,
    TOOK,
    TOPOLOGY,
    UNTIL_TOLD,
    Telling,
    load,
    pair,
)
from experiments._shared import plotted
from models.patterns.outboxes.outbox_checks import commit_order, no_loss
from models.patterns.outboxes.outbox_running import outbox_scenario
from models.patterns.outboxes.relay_rows import one_leader, per_key, skip_locked, unsent_unlocked
from models.patterns.outboxes.relays import Relay, each_by_itself
from simulator import Experiment, Scenario


@attrs.frozen
class Delivery:
    """Who delivers, and how much at a time."""

    name: str
    relays: tuple[Relay, ...]
    keeps_order: bool = True


ONE = Delivery("one, one row", (Relay(unsent_unlocked, each_by_itself, poll_ms=20),))
WAYS = (
    ONE,
    Delivery(
        "one, ten rows", (Relay(unsent_unlocked, each_by_itself, at_once=10, poll_ms=20),), False
    ),
    Delivery("two, skip locked", pair(rows=skip_locked, batch=5, poll_ms=20), False),
    Delivery("two, by key", pair(rows=per_key, batch=5, poll_ms=20)),
    Delivery("two, a leader", pair(rows=one_leader(unsent_unlocked), batch=5, poll_ms=20)),
)
REQUESTS = 60


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Three services write faster than one row at a time can be delivered."""
    requests = load(3, REQUESTS, orders=factors["orders"], every_us=3_000)
    return outbox_scenario(requests, relays=factors["delivery"].relays, topology=TOPOLOGY)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Whoever has an order alone keeps it."""
    return {
        "no_loss": "kept",
        "commit_order": "kept" if factors["delivery"].keeps_order else "broken",
    }


EXPERIMENT = Experiment(
    name="outbox_delivery",
    question="How many may deliver an outbox at a time, if an order's events are to keep order?",
    scenario=scenario,
    factors={"delivery": WAYS, "orders": (1, 10)},
    measures={
        "out of order": OUT_OF_ORDER, "told again": TOLD_AGAIN, "until told": UNTIL_TOLD,
        "all told after": TOOK,
    },
    checks={"no_loss": no_loss, "commit_order": commit_order},
    promises=expected,
    runs=12,
    baseline={"delivery": ONE.name},
    gather=Telling,
)  # fmt: skip

illustrate = plotted
