"""A periodic commit: how much comes again after a rebalance, and how does the interval bound it?

Orders come fifty a second, and an instance of two leaves the group in the midst of them. It is
asked to end, and commits what it has handled on its way out; or its process is killed, and what it
has handled since its last commit is handled again by the other: up to a whole interval.

Predict before you run it: with an interval of five seconds, how many events come again when the
instance is asked to end, and how many when it is killed? By how much does a fiftieth of the
interval help, and what does it cost in commits?

Asked in confluentinc/parallel-consumer#365.
"""

from collections.abc import Mapping
from typing import Any

from experiments._groups import AGAIN, COMMITS, FROM_MS, grouped
from experiments._shared import APPLIED_TWICE, LOST, plotted
from models.groups.owning import Owning
from models.groups.running import Restart
from models.patterns.idempotency.repeats import repeats_at_most
from simulator import Experiment, Scenario, number

INTERVALS_MS = {"0.1 s": 100, "1 s": 1_000, "5 s": 5_000}
ENDS = {"asked to": 500, "killed": 0}
ORDERS, EVERY_US = 120, 20_000
GOES_MS, LATER_MS, AWAY_MS = 4_000, 350, 9_000
IN_A_SECOND = 35  # Events that an instance is given in a second, and a poll more.


def scenario(factors: Mapping[str, Any], run: int) -> Scenario:
    """Seven seconds of orders; one instance of two goes after four or five, in each run later."""
    goes_ms = FROM_MS + GOES_MS + run * LATER_MS % 1_000
    restart = Restart("billing-1", goes_ms, AWAY_MS, factors["ends"])
    return grouped(
        "commit interval",
        orders=ORDERS,
        every_us=EVERY_US,
        instances=2,
        serving={"commit": "auto"},
        settings={"auto.commit.interval.ms": factors["interval"]},
        restarts=(restart,),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Whoever is killed repeats what was handled in an interval; nothing is lost."""
    killed = factors["ends"] == 0
    return {
        "never_lost": "kept",
        "never_applied_twice": "broken" if killed else "kept",
        "a second's at most": "broken" if killed and factors["interval"] > 1_000 else "kept",
    }


EXPERIMENT = Experiment(
    name="commit_interval",
    question="A periodic commit: how much comes again, and how does the interval bound it?",
    scenario=scenario,
    factors={"interval": INTERVALS_MS, "ends": ENDS},
    measures={
        "again": number(lambda run: run.again[0], unit="events", more_is_better=False),
        "handled again": AGAIN,
        "applied twice": APPLIED_TWICE,
        "commits per event": COMMITS,
        "lost": LOST,
    },
    checks={
        "never_lost": "never_lost",
        "never_applied_twice": "never_applied_twice",
        "a second's at most": repeats_at_most(IN_A_SECOND),
    },
    promises=expected,
    runs=6,
    baseline={"interval": "5 s"},
    gather=Owning,
)

illustrate = plotted
