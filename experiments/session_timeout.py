"""How long should a group wait for a member that is not heard of?

session.timeout.ms is a bet. A member that has crashed costs its partitions that long; one that
only paused (a garbage collection, a frozen machine) for longer than that is taken for dead: its
partitions go to others, who do again what it had in hand, while it awakes and finishes it too.
Here a member crashes for good, or all of them pause for four to sixteen seconds at a time.

Predict before you run it: draw both curves over the session timeout, the time that a partition
stands still after a crash, and the share of events that take effect twice. Where would you set it,
and what would you need of your handlers to set it lower?
"""

from collections.abc import Mapping
from typing import Any

from experiments._groups import FROM_MS, LATENCY, LONGEST, OWNERLESS, REBALANCES, grouped
from experiments._shared import APPLIED_TWICE, MILLISECOND_US, plotted
from models.groups.owning import Owning
from models.groups.promises import done_within
from simulator import Crash, Experiment, Hazards, PauseHazard, Scenario, uniform

SESSIONS = {"6 s": 6_000, "10 s": 10_000, "20 s": 20_000, "45 s": 45_000}
CRASH, PAUSES = "one crashes", "pauses"
SHORTEST_MS, LONGEST_MS = 4_000, 16_000
PATIENCE_MS = 22_000
MEMBERS = 3
ORDERS, EVERY_US = 200, 50_000


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Thirty seconds of orders for three members, one of which crashes, or all of which pause."""
    lasting = uniform(SHORTEST_MS * MILLISECOND_US, LONGEST_MS * MILLISECOND_US)
    pauses = PauseHazard("billing-*", every_ms=15_000, p=0.5, lasting=lasting)
    crash = Crash("billing-1", at_ms=FROM_MS + 3_000, down_ms=60_000)
    crashes = factors["what"] == CRASH
    return grouped(
        "session timeout",
        orders=ORDERS,
        every_us=EVERY_US,
        instances=MEMBERS,
        serving={"processing": uniform(10_000, 50_000)},
        settings={"session.timeout.ms": factors["session"]},
        faults=(crash,) if crashes else (),
        more={"hazards": Hazards() if crashes else Hazards(pause=(pauses,))},
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Below the longest pause some work is done twice; a crash is missed for a session."""
    crashes, session_ms = factors["what"] == CRASH, factors["session"]
    if crashes:
        return {"done_in_time": "kept" if session_ms < PATIENCE_MS else "broken"}
    return {"never_applied_twice": "broken" if session_ms < LONGEST_MS else "kept"}


EXPERIMENT = Experiment(
    name="session_timeout",
    question="How long should a group wait for a member that is not heard of?",
    scenario=scenario,
    factors={"what": (CRASH, PAUSES), "session": SESSIONS},
    measures={
        "longest still": LONGEST,
        "without an owner": OWNERLESS,
        "applied twice": APPLIED_TWICE,
        "rebalances": REBALANCES,
        "latency": LATENCY,
    },
    checks={
        "done_in_time": done_within(PATIENCE_MS),
        "never_applied_twice": "never_applied_twice",
    },
    promises=expected,
    runs=20,
    baseline={"session": "45 s"},
    gather=Owning,
)

illustrate = plotted
