"""How much faster is a group with more members, and where does that end?

A topic with four partitions, and 400 events a second for two seconds; an event takes five to ten
milliseconds, so that a member handles about 130 a second. A partition is read by one member.

Predict before you run it: with one to six members, how many events a second are handled? Is three
any better than two? How many idle at five, and at six? What would you change to make six useful?
"""

from collections.abc import Mapping
from typing import Any

from experiments._groups import LATENCY, grouped
from experiments._shared import plotted
from models.groups.owning import Owning
from models.groups.promises import done_within, nobody_idle
from simulator import Experiment, Scenario, number, ratio, uniform

PARTITIONS = 4
MEMBERS = (1, 2, 3, 4, 5, 6)
ORDERS, EVERY_US = 270, 2_500
HANDLING = uniform(5_000, 10_000)
IN_TIME_MS = 1_000


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Two seconds of orders, for so many members."""
    return grouped(
        "more consumers",
        orders=ORDERS,
        every_us=EVERY_US,
        instances=factors["members"],
        partitions=PARTITIONS,
        serving={"processing": HANDLING},
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """There is work for as many members as there are partitions."""
    return {
        "done_in_time": "kept" if factors["members"] >= PARTITIONS else "broken",
        "nobody_idle": "kept" if factors["members"] <= PARTITIONS else "broken",
    }


EXPERIMENT = Experiment(
    name="more_consumers",
    question="How much faster is a group with more members, and where does that end?",
    scenario=scenario,
    factors={"members": MEMBERS},
    measures={
        "handled": ratio(
            lambda run: (run.handlings * 1_000_000, run.done_us), unit="a second",
            more_is_better=True,
        ),
        "idle": number(lambda run: run.idle, unit="members", more_is_better=False),
        "latency": LATENCY,
    },
    checks={"done_in_time": done_within(IN_TIME_MS), "nobody_idle": nobody_idle},
    promises=expected,
    runs=20,
    baseline={"members": "4"},
    gather=Owning,
)

illustrate = plotted
