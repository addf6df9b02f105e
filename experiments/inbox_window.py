"""For how long must an inbox remember, and what does that cost?

An inbox that kept every mark for ever would grow for ever, so marks are deleted after a while: the
window. An event that comes again later than that is taken for new. It comes again at once after a
rebalance, within seconds from a retry, after minutes or days from among the dead letters, when
somebody has looked at them. (Here a day is squeezed into two minutes: only the ratio counts.)

Predict before you run it: at which windows is an event applied twice that comes again after two,
twenty, and a hundred and twenty seconds? What if window and age are the same? How many marks does
each window have to keep, of four events a second?

Asked in JasperFx/wolverine#3710; the windows that libraries ship go from a minute (Watermill) and
half an hour (MassTransit) to a week (NServiceBus).
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from experiments._groups import FRESH, HANDLING
from experiments._shared import APPLIED_TWICE, FROM_US, PATIENCE, SECOND_US, SESSION, WIRE, plotted
from models.patterns.idempotency.inbox import counted, one_transaction
from models.patterns.idempotency.inbox_limits import windowed
from models.systems.orders import LEDGER, TOPIC
from simulator import (
    Cluster,
    Delivery,
    Experiment,
    Scenario,
    Serving,
    Topic,
    Topology,
    WorkItem,
    number,
    share,
)

WINDOWS: Mapping[str, int | None] = {"5 s": 5, "20 s": 20, "60 s": 60, "for ever": None}
AGES = {"2 s": 2, "20 s": 20, "120 s": 120}
EVENTS, EVERY_US = 100, 250_000
AGAIN_EVERY = 5  # One event in so many comes again.


@attrs.define
class Marks:
    """What became of the events, and how many marks were needed at a time.

    Attributes:
        window_us: for how long a mark is kept; 0: for ever.
    """

    delivery: Delivery = attrs.field(factory=Delivery)
    applied_us: list[int] = attrs.field(factory=list)
    window_us: int = 0

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            *self.delivery.observers(), ("effect_applied", self._on_applied),
            ("noted", self._on_noted),
        )  # fmt: skip

    def _on_applied(self, entry: Any) -> None:
        self.applied_us.append(entry[1])

    def _on_noted(self, entry: Any) -> None:
        if entry[4][1] == "window":
            self.window_us = int(entry[4][2])

    @property
    def kept(self) -> int:
        """The most marks that had to be kept at a time."""
        if not self.window_us:
            return len(self.applied_us)
        most = first = 0
        for last, at_us in enumerate(self.applied_us):
            while self.applied_us[first] <= at_us - self.window_us:
                first += 1
            most = max(most, last - first + 1)
        return most


def items(age_s: int) -> list[WorkItem]:
    """Orders, of which some come again after so long."""
    told = []
    for place in range(EVENTS):
        at_us, event_id = FROM_US + place * EVERY_US, f"e{place}"
        told.append(WorkItem(at_us, TOPIC, f"o-{place}", event_id, event_id))
        if place % AGAIN_EVERY == 0:
            later_us = at_us + age_s * SECOND_US
            told.append(WorkItem(later_us, TOPIC, f"o-{place}", event_id, event_id))
    return sorted(told, key=lambda item: item.at_us)


def deploy(cluster: Cluster, age_s: int, window_s: int | None) -> None:
    """A shop, and one billing service with its inbox."""
    cluster.store(LEDGER)
    cluster.source("order-service", iter(items(age_s)), {"linger.ms": 0, **PATIENCE})
    window_us = (window_s or 0) * SECOND_US
    inbox = windowed(counted, window_us) if window_s else one_transaction(counted)

    def factory(context: Any) -> Any:
        context.note("window", str(window_us))
        return inbox(context)

    settings = {**SESSION, **FRESH}
    cluster.group("billing", 1, factory, Serving((TOPIC,), settings, processing=HANDLING))


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Half a minute of orders, and what comes again of them."""
    return Scenario(
        name="inbox window",
        topology=Topology(topics=(Topic(TOPIC, 1),), links=(WIRE,)),
        application=partial(deploy, age_s=factors["again after"], window_s=factors["window"]),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """It must be longer than the oldest redelivery; if it is just as long, chance decides."""
    window, age = factors["window"], factors["again after"]
    if window == age:
        return {"never_lost": "kept"}
    kept = window is None or window > age
    return {"never_lost": "kept", "never_applied_twice": "kept" if kept else "broken"}


EXPERIMENT = Experiment(
    name="inbox_window",
    question="For how long must an inbox remember, and what does that cost?",
    scenario=scenario,
    factors={"window": WINDOWS, "again after": AGES},
    measures={
        "applied twice": APPLIED_TWICE,
        "of those that came again": share(
            lambda run: (run.delivery.applied_twice, EVENTS // AGAIN_EVERY)
        ),
        "marks": number(lambda run: run.kept, unit="rows", more_is_better=False),
    },
    checks=("never_lost", "never_applied_twice"),
    promises=expected,
    runs=4,
    baseline={"window": "for ever"},
    gather=Marks,
)

illustrate = plotted
