"""When a rebalance takes a partition away: wait for what is being handled, or let go at once?

An instance handles several events at once, and done are, say, 1, 2, 3, 5, 6 and 7, while 4 is still
being handled. Then another instance joins. Whoever waits for its handlers commits everything, and
nothing comes again; but nobody begins anything until the slowest handler is done. Whoever drops
what is being handled commits what is done without a gap below it, here up to 3; so 4 is done twice,
and 5, 6 and 7 come again as well.

Predict before you run it: how many events come again with one, four and sixteen handlers at once,
if they are dropped? For how long does nobody begin anything if handlers are waited for, at 0.2 and
at 1 s each? Which of the two loses anything?

Asked in RTBHOUSE/kafka-workers#19 and PostHog/posthog#80897.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from experiments._groups import AGAIN, FROM_MS, grouped
from experiments._shared import LOST, MILLISECOND_US, plotted
from models.groups.owning import Owning
from simulator import Crash, Delivery, Experiment, Parallel, Scenario, number, uniform

HANDLERS = (1, 4, 16)
REVOKED = ("wait", "drop")
TAKES_US = {"0.2 s": 200_000, "1 s": 1_000_000}
JOINS_MS, LATER_MS = FROM_MS + 3_000, 130
LOAD_US = 6_000_000


@attrs.define
class Pauses:
    """What an Owning counts, and the longest time without the beginning of a handler."""

    owning: Owning = attrs.field(factory=Owning)
    longest_us: int = 0
    _latest_us: int = -1

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (*self.owning.observers(), ("processing_started", self._on_started))

    def _on_started(self, entry: Any) -> None:
        if self._latest_us >= 0:
            self.longest_us = max(self.longest_us, entry[1] - self._latest_us)
        self._latest_us = entry[1]

    @property
    def again(self) -> tuple[int, int]:
        """As an Owning counts it."""
        return self.owning.again

    @property
    def delivery(self) -> Delivery:
        """What became of the events."""
        return self.owning.delivery


def scenario(factors: Mapping[str, Any], run: int) -> Scenario:
    """Orders that keep one instance's handlers busy, and a second one that starts meanwhile."""
    takes_us, workers = factors["handling"], factors["handlers"]
    every_us = takes_us // workers
    away = Crash("billing-1", at_ms=1, down_ms=JOINS_MS + run * LATER_MS % 1_000)
    return grouped(
        "drain or drop",
        orders=LOAD_US // every_us // 3,
        every_us=every_us,
        instances=2,
        partitions=2,
        serving={
            "processing": uniform(takes_us // 2, takes_us * 3 // 2),
            "parallel": Parallel("record", workers, on_revoked=factors["revoked"]),
        },
        faults=(away,),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Dropping repeats, and nothing is lost either way."""
    dropped = factors["revoked"] == "drop"
    return {"never_lost": "kept", "never_applied_twice": "broken" if dropped else "kept"}


EXPERIMENT = Experiment(
    name="drain_or_drop",
    question="When a partition is taken away: wait for what is being handled, or let go at once?",
    scenario=scenario,
    factors={"handling": TAKES_US, "handlers": HANDLERS, "revoked": REVOKED},
    measures={
        "again": number(lambda run: run.again[0], unit="events", more_is_better=False),
        "handled again": AGAIN,
        "longest pause": number(
            lambda run: run.longest_us / MILLISECOND_US, unit="ms", more_is_better=False
        ),
        "lost": LOST,
    },
    checks={
        "never_lost": "never_lost",
        "never_applied_twice": "never_applied_twice",
    },
    promises=expected,
    runs=4,
    baseline={"revoked": "wait"},
    gather=Pauses,
)

illustrate = plotted
