"""Whom does a rolling restart disturb, and what does a name of one's own change?

Three members are restarted one after another. A dynamic member that closes its consumer leaves the
group, and comes back as somebody new: two rebalances each, in which all give back everything. A
static member (group.instance.id, KIP-345) does not leave; if it is back within its session, its
partitions have waited for it, and nobody else has noticed.

Predict before you run it: how many rebalances does a deployment cost? Who is better off when an
instance is away for one second, and who when it is away for four, or for longer than the session?
Look at the time a partition stands still, and at how many move.
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._groups import (
    FROM_MS,
    LATENCY,
    LONGEST,
    MOVES,
    OWNERLESS,
    REBALANCES,
    STILL,
    grouped,
)
from experiments._shared import APPLIED_TWICE, plotted
from models.groups.owning import Owning
from models.groups.promises import never_rebalanced
from models.groups.running import rolling
from simulator import Experiment, Scenario

MEMBERS, PARTITIONS = 3, 6
AWAY_MS = {"1 s": 1_000, "4 s": 4_000, "8 s": 8_000}  # A session is six seconds.
SESSION_MS = 6_000
EVERY_MS = 12_000
ORDERS, EVERY_US = 200, 75_000


GRACE_MS = 500


@attrs.frozen
class Members:
    """Whether they have names of their own, and whether they are asked to end or just killed."""

    name: str
    static: bool = False
    grace_ms: int = GRACE_MS


LEAVING = Members("dynamic")
KILLED = Members("dynamic, killed", grace_ms=0)
STATIC = Members("static", static=True)
MEMBERSHIPS = (LEAVING, KILLED, STATIC)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Three quarters of a minute of orders, and a deployment."""
    members: Members = factors["members"]
    restarts = rolling(
        MEMBERS,
        from_ms=FROM_MS + 5_000,
        every_ms=EVERY_MS,
        away_ms=factors["away"],
        grace_ms=members.grace_ms,
    )
    return grouped(
        "static members",
        orders=ORDERS,
        every_us=EVERY_US,
        instances=MEMBERS,
        serving={"static": members.static},
        partitions=PARTITIONS,
        restarts=restarts,
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Nobody notices a static member that is back within its session."""
    unnoticed = factors["members"] is STATIC and factors["away"] < SESSION_MS
    return {
        "never_rebalanced": "kept" if unnoticed else "broken",
        "never_lost": "kept",
    }


EXPERIMENT = Experiment(
    name="static_members",
    question="Whom does a rolling restart disturb, and what does a name of one's own change?",
    scenario=scenario,
    factors={"away": AWAY_MS, "members": MEMBERSHIPS},
    measures={
        "rebalances": REBALANCES,
        "moved": MOVES,
        "without an owner": OWNERLESS,
        "standing still": STILL,
        "longest": LONGEST,
        "applied twice": APPLIED_TWICE,
        "latency": LATENCY,
    },
    checks={"never_rebalanced": never_rebalanced, "never_lost": "never_lost"},
    promises=expected,
    runs=20,
    baseline={"members": "dynamic"},
    gather=Owning,
)

illustrate = plotted
