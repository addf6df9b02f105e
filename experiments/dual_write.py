"""What does a crash leave of a change and its event, if a service writes each by itself?

A service changes its database and tells others on a topic. Commit, then publish; or publish, then
commit; or publish while the transaction is open; or write the event down with the change and
publish it in the same process after the commit. Or write it down and let a relay publish it.
"What happens if publishing after the commit fails?" Asked in
dotnet-architecture/eShopOnContainers#1340.

Predict before you run it: the process dies once in so many requests, at each point between two
steps. Which of the five lose events, and which tell of what never was? Which do so without any
crash, if one transaction in ten is rolled back? What does the right one cost, in time until an
event is told, and in repetitions?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._outbox import GHOSTS, LOST, TOLD_AGAIN, TOPOLOGY, UNTIL_TOLD, Telling, load
from experiments._shared import plotted
from models.patterns.outboxes.outbox import (
    Publishing,
    commit_then_publish,
    publish_in_process,
    publish_inside,
    publish_then_commit,
    with_outbox,
)
from models.patterns.outboxes.outbox_checks import no_ghost, no_loss
from models.patterns.outboxes.outbox_running import outbox_scenario
from models.patterns.outboxes.relays import Relay
from simulator import CrashHazard, Experiment, Hazards, Scenario, constant


@attrs.frozen
class Way:
    """A way to tell of a change."""

    name: str
    publishing: Publishing
    relays: tuple[Relay, ...] = ()


OUTBOX = Way("outbox and relay", with_outbox, (Relay(poll_ms=50),))
WAYS = (
    Way("commit, then publish", commit_then_publish),
    Way("publish, then commit", publish_then_commit),
    Way("publish inside", publish_inside),
    Way("publish in process", publish_in_process),
    OUTBOX,
)
CRASHES = {"none": 0.0, "5%": 0.05}
REQUESTS = 60


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Two services; one request in ten is given up."""
    way: Way = factors["way"]
    requests = load(2, REQUESTS, thinks_us=lambda _: 1_000, gives_up=lambda one: one % 10 == 3)
    crashes = tuple(
        CrashHazard(node, "*", factors["crashes"], constant(100_000))
        for node in ("orders-*", "relay-*")
    )
    return outbox_scenario(
        requests, way.publishing, way.relays, topology=TOPOLOGY, hazards=Hazards(crash=crashes)
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """After the commit a crash loses; before it an event may be a ghost, crash or not."""
    name, crashes = factors["way"].name, factors["crashes"] > 0
    after = name in ("commit, then publish", "publish in process")
    before = name in ("publish, then commit", "publish inside")
    return {
        "no_loss": "broken" if after and crashes else "kept",
        "no_ghost": "broken" if before else "kept",
    }


EXPERIMENT = Experiment(
    name="dual_write",
    question="What does a crash leave of a change and its event, if each is written by itself?",
    scenario=scenario,
    factors={"way": WAYS, "crashes": CRASHES},
    measures={
        "lost": LOST, "ghosts": GHOSTS, "told again": TOLD_AGAIN, "until told": UNTIL_TOLD,
    },
    checks={"no_loss": no_loss, "no_ghost": no_ghost},
    promises=expected,
    runs=20,
    baseline={"way": OUTBOX.name},
    gather=Telling,
)  # fmt: skip

illustrate = plotted
