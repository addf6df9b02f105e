"""Why does an outbox publish an event twice, and who notices?

A handler with an inbox writes its outgoing events with its change, and delivers them itself; and a
relay delivers what is waiting, too. "Messages are double published using InboxState": asked in
MassTransit/MassTransit#3791 and #4470.

The handler delivers, or the relay, or both: with a lock on the rows at hand, or without.

Predict before you run it: which of the four publish twice although nothing fails? Which do so when
processes die? Of what is published twice, how much takes effect twice at a reader with an inbox,
and at one without?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from experiments._outbox import LOST, SHIPPED_TWICE, TOLD_AGAIN, TOPOLOGY, UNTIL_TOLD, Telling
from experiments._shared import plotted
from models.patterns.outboxes.atomic_handler import atomic, phases
from models.patterns.outboxes.outbox_checks import never_repeated, no_loss
from models.patterns.outboxes.outbox_promises import nothing_doubled
from models.patterns.outboxes.outbox_reading import counting, read_by, shipping
from models.patterns.outboxes.outbox_running import handling
from models.patterns.outboxes.relay_rows import unsent, unsent_unlocked
from models.patterns.outboxes.relays import Relay
from simulator import CrashHazard, Experiment, Hazards, Scenario, constant


@attrs.frozen
class Who:
    """Who delivers the outgoing events."""

    name: str
    handler: Any
    relays: tuple[Relay, ...] = ()


UNLOCKED = Who(
    "both, unlocked", partial(phases, lock=""), (Relay(unsent_unlocked, poll_ms=20),)
)
RELAY = Who("the relay", atomic, (Relay(poll_ms=20),))
WHO = (
    RELAY,
    Who("the handler", phases),
    Who("both, locked", phases, (Relay(unsent, poll_ms=20),)),
    UNLOCKED,
)
CRASHES = {"none": 0.0, "10%": 0.1}  # Of deliveries, between the topic and the mark.
READERS = {"with an inbox": shipping, "without": counting}
PAYMENTS = 20


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Payments come in; handler and relay die now and then, having published."""
    who: Who = factors["who"]
    crashes = tuple(
        CrashHazard("*", point, factors["crashes"], constant(100_000))
        for point in ("sent", "published")
    )
    return handling(
        who.handler,
        who.relays,
        payments=PAYMENTS,
        reader=read_by(factors["reader"]),
        topology=TOPOLOGY,
        hazards=Hazards(crash=crashes),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Without locks, or after a crash, an event comes twice; an inbox is all it takes."""
    twice = factors["who"] is UNLOCKED or factors["crashes"] > 0
    return {
        "no_loss": "kept",
        "never_repeated": "broken" if twice else "kept",
        "nothing_doubled": "broken" if twice and factors["reader"] is counting else "kept",
    }


EXPERIMENT = Experiment(
    name="outbox_double_publish",
    question="Why does an outbox publish an event twice, and who notices?",
    scenario=scenario,
    factors={"who": WHO, "crashes": CRASHES, "reader": READERS},
    measures={
        "told again": TOLD_AGAIN, "effect twice": SHIPPED_TWICE, "lost": LOST,
        "until told": UNTIL_TOLD,
    },
    checks={
        "no_loss": no_loss, "never_repeated": never_repeated, "nothing_doubled": nothing_doubled,
    },
    promises=expected,
    runs=6,
    baseline={"who": RELAY.name},
    gather=Telling,
)  # fmt: skip

illustrate = plotted
