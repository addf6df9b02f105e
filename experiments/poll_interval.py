"""What happens to a member that is too long at work between two polls?

Each event takes 300 ms. The group's only rule of liveness that asks the application is
max.poll.interval.ms, here ten seconds: who does not poll for so long has left the group, and does
not know it yet. A poll of fifty events takes fifteen seconds. So the member is out while it works;
others are given its partitions and do the same work again; its commit fails; it joins again, and
asks for the next fifty.

Predict before you run it: without a remedy, does the group ever get anywhere? Which remedies end
that: fewer records a poll, a longer interval, a commit after each record? Which of them leave a
zombie that works beside the new owner, and does an idempotent handler help against it?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._groups import AGAIN, MISSING, REBALANCES, grouped
from experiments._shared import APPLIED_TWICE, SECOND_US, plotted
from models.groups.owning import Owning
from models.groups.promises import done_within, never_rebalanced
from models.systems.orders import SINKS
from simulator import Experiment, Scenario, constant, number

HANDLING_US = 300_000
ORDERS, EVERY_US = 80, 10_000
LIMIT_MS = 75_000


@attrs.frozen
class Remedy:
    """What is set so that a poll's work fits between two polls; or that it need not."""

    name: str
    records: int = 50
    interval_ms: int = 10_000
    each: bool = False


NONE = Remedy("none")
FEWER = Remedy("fewer records", records=10)
LONGER = Remedy("longer interval", interval_ms=60_000)
EACH = Remedy("commit each record", each=True)
REMEDIES = (NONE, FEWER, LONGER, EACH)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Eighty orders at once, and a group of two that needs 36 seconds for them together."""
    remedy: Remedy = factors["remedy"]
    return grouped(
        "max.poll.interval.ms",
        orders=ORDERS,
        every_us=EVERY_US,
        instances=2,
        partitions=2,
        serving={"processing": constant(HANDLING_US), "commit_each": remedy.each},
        settings={
            "max.poll.records": remedy.records,
            "max.poll.interval.ms": remedy.interval_ms,
        },
        handler=SINKS[factors["handler"]],
        more={"horizon_ms": 90_000},
    )


def done_s(run: Owning) -> float | None:
    """From the first order to the last effect; None if some never had one."""
    return None if run.missing[0] else run.done_us / SECOND_US


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Either a poll's work is short enough, or somebody does it again."""
    remedy = factors["remedy"]
    fits = remedy in (FEWER, LONGER)
    again = not fits and factors["handler"] == "naive"
    return {
        "never_rebalanced": "kept" if fits else "broken",
        "never_applied_twice": "broken" if again else "kept",
        "done_in_time": "broken" if remedy is NONE else "kept",
    }


EXPERIMENT = Experiment(
    name="poll_interval",
    question="What happens to a member that is too long at work between two polls?",
    scenario=scenario,
    factors={"remedy": REMEDIES, "handler": ("naive", "idempotent")},
    measures={
        "not done at the end": MISSING,
        "handled again": AGAIN,
        "applied twice": APPLIED_TWICE,
        "rebalances": REBALANCES,
        "until all was done": number(done_s, unit="s", more_is_better=False),
    },
    checks={
        "never_rebalanced": never_rebalanced,
        "never_applied_twice": "never_applied_twice",
        "done_in_time": done_within(LIMIT_MS),
    },
    promises=expected,
    runs=20,
    baseline={"remedy": "none"},
    gather=Owning,
)

illustrate = plotted
