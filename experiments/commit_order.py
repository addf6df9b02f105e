"""Commit before, commit after, or let the consumer commit by itself: what does each lose or repeat?

The same orders, and consumers that crash before or after handling a record. Committed before, what
was in hand is lost; committed after, it is done again; committed automatically
(enable.auto.commit), it is done again from wherever the last commit was, up to five seconds ago.

Predict before you run it: which of them lose events, and which apply some twice? How many more are
repeated when a whole poll is committed at once, and how many with the automatic commit? And what
does it cost to commit each record by itself?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._groups import AGAIN, COMMITS, LATENCY, grouped
from experiments._shared import APPLIED_TWICE, LOST, SECOND_US, plotted
from models.groups.owning import Owning
from simulator import CrashHazard, Experiment, Hazards, Scenario, constant


@attrs.frozen
class Commit:
    """When offsets are committed."""

    name: str
    when: str
    each: bool = False
    settings: Mapping[str, Any] = attrs.field(factory=dict)


COMMITS_MADE = (
    Commit("before, a poll", "before"),
    Commit("before, a record", "before", each=True),
    Commit("after, a poll", "after"),
    Commit("after, a record", "after", each=True),
    Commit("automatic, 1 s", "auto", settings={"auto.commit.interval.ms": 1_000}),
    Commit("automatic, 5 s", "auto"),
)
CRASHES = {"none": 0.0, "0.5%": 0.005}  # At each of two points a record.
ORDERS, EVERY_US = 100, 20_000


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Six seconds of orders, for three instances that crash, or do not."""
    commit: Commit = factors["commit"]
    crash = CrashHazard("billing-*", "*_process", factors["crashes"], constant(2 * SECOND_US))
    return grouped(
        f"commit {commit.name}",
        orders=ORDERS,
        every_us=EVERY_US,
        instances=3,
        serving={"commit": commit.when, "commit_each": commit.each},
        settings=commit.settings,
        more={"hazards": Hazards(crash=(crash,))},
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Before is at most once, the others are at least once; without crashes all are both."""
    crashes, before = factors["crashes"] > 0, factors["commit"].when == "before"
    return {
        "never_lost": "broken" if crashes and before else "kept",
        "never_applied_twice": "broken" if crashes and not before else "kept",
        "never_committed_past_processed": "broken" if before else "kept",
    }


EXPERIMENT = Experiment(
    name="commit_order",
    question="What does each moment of the commit lose, repeat, and cost?",
    scenario=scenario,
    factors={"commit": COMMITS_MADE, "crashes": CRASHES},
    measures={
        "lost": LOST,
        "applied twice": APPLIED_TWICE,
        "handled again": AGAIN,
        "commits per event": COMMITS,
        "latency": LATENCY,
    },
    checks=("never_lost", "never_applied_twice", "never_committed_past_processed"),
    promises=expected,
    runs=20,
    baseline={"commit": "after, a poll"},
    gather=Owning,
)

illustrate = plotted
