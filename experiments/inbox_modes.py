"""Two instances find no entry in the inbox, and both run the handler: what does a guard prevent?

The event is there twice, a few milliseconds apart, in two partitions (its producer has sent it
again under another key, say). Each handler looks, sends a mail, and writes its effect. An
optimistic inbox lets both run, and refuses the second when it commits: its effect is undone, its
mail is not. A pessimistic one inserts its mark first; the second waits for the first, and then
knows. And one without a unique key refuses nobody.

Predict before you run it: how many mails are sent for an event, and how many effects, if the two
come 1 ms apart, and if they come 100 ms apart? Which of them keeps "one mail" when a process dies
between the mail and the commit? What does the open transaction cost?

Asked in Particular/NServiceBus#6583.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from experiments._groups import FRESH
from experiments._shared import APPLIED_TWICE, FROM_US, PATIENCE, SESSION, WIRE, plotted
from models.patterns.idempotency.inbox import counted
from models.patterns.idempotency.inbox_modes import mailing, optimistic, pessimistic, unguarded
from models.patterns.idempotency.repeats import RAN, handled_once
from models.systems.orders import LEDGER, TOPIC
from simulator import (
    Cluster,
    Crash,
    Delivery,
    Experiment,
    FaultPlan,
    Scenario,
    Serving,
    Topic,
    Topology,
    WorkItem,
    ratio,
    samples,
)

MODES = {"no unique key": unguarded, "optimistic": optimistic, "pessimistic": pessimistic}
APART_US = {"1 ms": 1_000, "100 ms": 100_000}
# After the mail, before its effect is committed.
CRASHES: Mapping[str, tuple[Crash, ...]] = {
    "none": (),
    "in the midst": tuple(
        Crash(f"billing-{number}", at_ms=FROM_US // 1_000 + 300 + number * 900 + 13, down_ms=300)
        for number in (1, 0)
    ),
}
EVENTS, EVERY_US, MAIL_US = 50, 60_000, 10_000
KEYS = ("k0", "k3")  # They lie in different partitions.


@attrs.define
class Mails:
    """What became of the events, and how many mails were sent."""

    delivery: Delivery = attrs.field(factory=Delivery)
    mails: int = 0

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (*self.delivery.observers(), ("noted", self._on_noted))

    def _on_noted(self, entry: Any) -> None:
        self.mails += entry[4][1] == RAN


def items(apart_us: int) -> list[WorkItem]:
    """Each event twice, the second time under another key."""
    told = [
        WorkItem(
            FROM_US + place * EVERY_US + later * apart_us, TOPIC, key, "order", f"e{place}"
        )
        for place in range(EVENTS)
        for later, key in enumerate(KEYS)
    ]
    return sorted(told, key=lambda item: item.at_us)


def deploy(cluster: Cluster, mode: Any, apart_us: int) -> None:
    """A shop, and two billing services."""
    cluster.store(LEDGER)
    cluster.source("order-service", iter(items(apart_us)), {"linger.ms": 0, **PATIENCE})
    handler = mode(counted, mailing(MAIL_US))
    cluster.group("billing", 2, handler, Serving((TOPIC,), {**SESSION, **FRESH}))


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Three seconds of events."""
    return Scenario(
        name="inbox modes",
        topology=Topology(topics=(Topic(TOPIC, 2),), links=(WIRE,)),
        application=partial(deploy, mode=factors["mode"], apart_us=factors["apart"]),
        faults=FaultPlan(factors["crashes"]),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """At the same time, without a unique key, all is done twice; with it, what is not written."""
    mode, meet = factors["mode"], factors["apart"] < MAIL_US
    told = {"never_lost": "kept"}
    if mode is not unguarded:
        told["never_applied_twice"] = "kept"
    elif meet:
        told["never_applied_twice"] = "broken"
    twice = (meet and mode is not pessimistic) or factors["crashes"]
    told["handled_once"] = "broken" if twice else "kept"
    return told


EXPERIMENT = Experiment(
    name="inbox_modes",
    question="Two instances find no entry, and both run the handler: what does a guard prevent?",
    scenario=scenario,
    factors={"mode": MODES, "apart": APART_US, "crashes": CRASHES},
    measures={
        "mails for an event": ratio(lambda run: (run.mails, EVENTS), more_is_better=False),
        "applied twice": APPLIED_TWICE,
        "latency": samples(lambda run: run.delivery.latencies_us, quantiles=(0.5, 0.99)),
    },
    checks={
        "never_applied_twice": "never_applied_twice",
        "handled_once": handled_once,
        "never_lost": "never_lost",
    },
    promises=expected,
    runs=4,
    baseline={"mode": "optimistic"},
    gather=Mails,
)

illustrate = plotted
