"""Whose instances are upgraded first?

An order's promo_code is taken away, or added without a default, or added with one: changes of level
BACKWARD, FORWARD and FULL. Two instances of the shop write orders, two of billing read them, each
with the schema that it was deployed with; they are restarted one by one, consumers first, producers
first, or in turn. The registry knows every schema, and is content.

Predict before you run it: which order has unreadable events under which level? And why does
producers first, which FORWARD asks for, still go wrong when billing is behind?
"""

from collections.abc import Mapping
from typing import Any

from attrs import evolve

from experiments._contracts import Reading, unreadable
from experiments._shared import WIRE, plotted
from models.patterns.contracts.rollouts import (
    CHANGES,
    CONSUMERS_FIRST,
    PRODUCERS_FIRST,
    PRODUCERS_FIRST_DRAINED,
    ROLLOUTS,
    TOGETHER,
)
from models.patterns.contracts.upgrade import TOPIC, everything_is_read, upgrading
from simulator import Experiment, FaultPlan, Pause, Scenario, Topic, Topology, flag, share

SESSION = {
    "session.timeout.ms": 2_000, "heartbeat.interval.ms": 500, "max.poll.interval.ms": 5_000,
    "request.timeout.ms": 2_000, "default.api.timeout.ms": 5_000,
}  # fmt: skip
BROKER = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000}
BEHIND = {"keeps up": False, "two seconds behind": True}
SAFE = {
    "BACKWARD": (CONSUMERS_FIRST,),
    "FORWARD": (PRODUCERS_FIRST_DRAINED,),
    "FULL": (CONSUMERS_FIRST, PRODUCERS_FIRST, PRODUCERS_FIRST_DRAINED, TOGETHER),
}
UNSAFE = {
    ("BACKWARD", PRODUCERS_FIRST), ("BACKWARD", PRODUCERS_FIRST_DRAINED),
    ("FORWARD", CONSUMERS_FIRST), ("FORWARD", TOGETHER),
}  # fmt: skip


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """The change, rolled out; billing stands still for a while before, or not."""
    made = upgrading(
        factors["change"], factors["order"], settings=SESSION, broker=BROKER,
        topology=Topology(topics=(Topic(TOPIC, 2),), links=(WIRE,)),
    )  # fmt: skip
    if not factors["billing"]:
        return made
    first_ms = min(at for name, at in factors["order"].times.items() if name.startswith("billing"))
    pauses = tuple(
        Pause(name, at_ms=max(1, first_ms - 1_500), for_ms=2_000)
        for name in ("billing-0", "billing-1")
    )
    return evolve(made, faults=FaultPlan((*made.faults, *pauses)))


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A level goes with an order; the others go well by luck, of which no promise is declared."""
    level, order = factors["change"].name, factors["order"].name
    if factors["billing"] and order == PRODUCERS_FIRST and level != "FULL":
        # Who is behind reads the new by its new instances, and the old as well.
        return {"everything_is_read": "broken"} if level == "FORWARD" else {}
    if (level, order) in UNSAFE:
        return {"everything_is_read": "broken"}
    return {"everything_is_read": "kept"} if order in SAFE[level] else {}


EXPERIMENT = Experiment(
    name="upgrade_order",
    question="Whose instances are upgraded first?",
    scenario=scenario,
    factors={"change": CHANGES, "order": ROLLOUTS, "billing": BEHIND},
    measures={
        "unreadable": share(unreadable),
        "went well": flag(lambda run: not run.unreadable, more_is_better=True),
    },
    checks=(everything_is_read,),
    promises=expected,
    runs=6,
    baseline={"order": CONSUMERS_FIRST},
    gather=Reading,
)

illustrate = plotted
