"""Do more consumers help when one key is hot?

A partition is read by one member of a group, so what one member can handle bounds what a
partition can take. Events arrive at 240 a second; a member handles about a hundred. Keys are
drawn evenly, by Zipf's law, or so that one key gets two thirds of everything. Such a key may be
split: its events are given sixteen keys in turn.

Predict before you run it: with six partitions, how many members keep pace under even keys? And
how many under the hot key? Look at the backlog, and at the latency's 99th percentile. What is the
price of splitting?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._shared import (
    BUSIEST,
    FROM_US,
    LATENCY,
    OUT_OF_ORDER,
    WIRE,
    billing,
    plotted,
)
from models.topics.keys import split
from models.topics.load import Load
from models.topics.order import aggregate_order
from models.topics.pace import within
from simulator import (
    AT_LEAST_ONCE,
    Experiment,
    Scenario,
    Seeded,
    Topic,
    Topology,
    Workload,
    constant,
    hot_key,
    number,
    poisson,
    skewed_keys,
    uniform_keys,
)

EVENTS, PER_S = 720, 240


@attrs.frozen
class Law:
    """How keys are drawn, and in how many parts the hottest is split."""

    name: str
    keys: Any
    parts: int = 1


HOT = hot_key(200, 0.67)
EVEN = Law("even", uniform_keys(200))
SPLIT = Law("one hot, split", HOT, parts=16)
KEYS = (EVEN, Law("Zipf", skewed_keys(200, 1.5)), Law("one hot", HOT), SPLIT)
MEMBERS = (1, 3, 6)
PARTITIONS = 6
HANDLING_US = 7_000
IN_TIME_MS = 400


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """Three seconds of load, under a law of keys, for a group of so many members."""
    law: Law = factors["keys"]
    drawn = Workload(events=EVENTS, arrivals=poisson(PER_S), keys=law.keys)
    items = tuple(
        item._replace(
            at_us=item.at_us + FROM_US,
            key=split(item, law.parts) if item.key == "k0" and law.parts > 1 else item.key,
            event_id=f"{item.key}/{item.event_id}",  # By which it is known what it is about.
        )
        for item in drawn.stream(Seeded(seed))
    )
    return Scenario(
        name="hot partition",
        topology=Topology(topics=(Topic("orders", PARTITIONS),), links=(WIRE,)),
        workload=Workload(items=items),
        guarantee=AT_LEAST_ONCE,
        consumers=attrs.evolve(
            billing(instances=factors["members"]), processing=constant(HANDLING_US)
        ),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Even keys want members; a hot key wants other keys, and they cost its order."""
    keeps_pace = factors["keys"] in (EVEN, SPLIT) and factors["members"] > 1
    return {
        "in_time": "kept" if keeps_pace else "broken",
        "aggregate_order": "broken" if factors["keys"] is SPLIT else "kept",
    }


EXPERIMENT = Experiment(
    name="hot_partition",
    question="Do more consumers help when one key is hot?",
    scenario=scenario,
    factors={"keys": KEYS, "members": MEMBERS},
    measures={
        "in the busiest partition": BUSIEST,
        "backlog at the load's end": number(
            lambda run: run.backlog, unit="events", more_is_better=False
        ),
        "latency": LATENCY,
        "out of order": OUT_OF_ORDER,
    },
    checks=(within(IN_TIME_MS, "in_time"), aggregate_order),
    promises=expected,
    runs=20,
    baseline={"keys": "even", "members": "6"},
    gather=Load,
)

illustrate = plotted
