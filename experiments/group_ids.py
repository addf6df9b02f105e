"""Without a group.id, or with a random one: who gets which events?

Instances that share a group.id share the partitions. One that has none assigns itself everything
and commits nothing; one that draws its group.id at each start is a group by itself, which has
committed nothing yet. Both get all events, each instance of them, and at each start again from
wherever auto.offset.reset says. Three instances; one of them is restarted for four seconds.

Predict before you run it: how often is an event handled under each, and how often does it take
effect? What does the restarted instance do again, or miss? For which purpose is getting everything
right, and which reset does it need then?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._groups import FROM_MS, PER_EVENT, grouped
from experiments._shared import APPLIED_TWICE, plotted
from models.groups.owning import Owning
from models.groups.promises import seen_by_all
from models.groups.running import Restart
from simulator import Experiment, Scenario, number

INSTANCES = 3
ORDERS, EVERY_US = 80, 40_000
# It is asked to end, and done: what is repeated is not a matter of a crash.
RESTART = Restart("billing-1", FROM_MS + 3_000, away_ms=4_000, grace_ms=1_000)


@attrs.frozen
class GroupId:
    """Which group.id each instance has, and when it commits."""

    name: str
    group_ids: str
    commit: str = "after"


SHARED = GroupId("the same", "one")
NONE = GroupId("none", "none", commit="none")
RANDOM = GroupId("random", "random")
GROUP_IDS = (SHARED, NONE, RANDOM)
RESETS = ("earliest", "latest")


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Ten seconds of orders for three instances, one of which is away for four."""
    group_id: GroupId = factors["group id"]
    return grouped(
        f"group id: {group_id.name}",
        orders=ORDERS,
        every_us=EVERY_US,
        instances=INSTANCES,
        serving={"group_ids": group_id.group_ids, "commit": group_id.commit},
        settings={"auto.offset.reset": factors["reset"]},
        restarts=(RESTART,),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Work wants one group; a cache in each instance wants none, and the beginning."""
    shared = factors["group id"] is SHARED
    everything = not shared and factors["reset"] == "earliest"
    return {
        "never_applied_twice": "kept" if shared else "broken",
        "seen_by_all": "kept" if everything else "broken",
        "never_lost": "kept",
    }


EXPERIMENT = Experiment(
    name="group_ids",
    question="Without a group.id, or with a random one: who gets which events?",
    scenario=scenario,
    factors={"group id": GROUP_IDS, "reset": RESETS},
    measures={
        "handled": PER_EVENT,
        "applied twice": APPLIED_TWICE,
        "groups that have committed": number(
            lambda run: len(run.groups), unit="groups", more_is_better=False
        ),
    },
    checks={
        "never_applied_twice": "never_applied_twice",
        "seen_by_all": seen_by_all(INSTANCES),
        "never_lost": "never_lost",
    },
    promises=expected,
    runs=20,
    baseline={"group id": "the same"},
    gather=Owning,
)

illustrate = plotted
