"""How many clients come back at the same moment, and how long does it take to serve them all?

A service is away for two seconds, and sixty clients notice in the same instant. When it is back it
can answer five calls in fifty milliseconds, and refuses those beyond that. Everybody tries again
until it is served: each second; after delays that double up to five seconds; or after a delay that
is drawn: anything up to the doubled one (full jitter), half of it and up to as much again (equal),
anything up to three times the last (decorrelated).

Predict before you run it: for each law, how many calls are there in the busiest fifty milliseconds
after the service is back? How many are made in all? When is the last client served?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._shared import MILLISECOND_US, SECOND_US, plotted
from models.patterns.retrying.storm import Service, Storm, served_within, storming
from simulator import (
    Backoff,
    DecorrelatedJitter,
    EqualJitter,
    Experiment,
    Exponential,
    Fixed,
    FullJitter,
    Scenario,
    number,
)

STEPS = Exponential(100, 2, 5_000)
LAWS = {
    "fixed": Fixed(1_000),
    "exponential": STEPS,
    "full jitter": FullJitter(STEPS),
    "equal jitter": EqualJitter(STEPS),
    "decorrelated": DecorrelatedJitter(100, 5_000),
}
DOWN_MS = (1_000, 3_000)
SERVICE = Service(capacity=5, down_ms=DOWN_MS)
CLIENTS = {"10 clients": 10, "60 clients": 60}
LIMIT_MS = 10_000


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Clients that all lose their service at once."""
    policy = Backoff(law=factors["delays"])
    return Scenario(
        name="retry storm",
        application=storming(factors["clients"], policy, SERVICE),
        horizon_ms=120_000,
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Who comes back together is served five at a time, one delay after the other."""
    together = factors["delays"] in (LAWS["fixed"], LAWS["exponential"])
    return {
        "served_in_time": "broken" if together and factors["clients"] > 50 else "kept"
    }


EXPERIMENT = Experiment(
    name="retry_storm",
    question="How many clients come back at the same moment, and when are all of them served?",
    scenario=scenario,
    factors={"delays": LAWS, "clients": CLIENTS},
    measures={
        "busiest moment": number(lambda run: run.busiest, unit="calls", more_is_better=False),
        "calls": number(lambda run: run.total, unit="calls", more_is_better=False),
        "all served after": number(
            lambda run: run.done_us / SECOND_US, unit="s", more_is_better=False
        ),
    },
    checks=(served_within(LIMIT_MS, DOWN_MS[1]),),
    promises=expected,
    runs=20,
    baseline={"delays": "exponential"},
    gather=partial(Storm, DOWN_MS[1] * MILLISECOND_US),
)

illustrate = plotted
