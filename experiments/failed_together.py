"""What does an error handler do when several records of a poll have failed?

Asked in spring-projects/spring-kafka#4504 and #4505 (two records of one partition fail in handlers
that suspend: one of them is never tried again) and #1237 and #3867 (records of several partitions
fail in turn: the tracker of the failed record counts none of them to its end). One handler seeks to
each partition's first failure, the other for one failure after the other; one counts for each
record, the other only for the one that failed last.

Predict before you run it: which of the four loses an event, which goes on for ever, and under which
failures does it not show?
"""

from collections.abc import Mapping
from typing import Any

from experiments._retries import ATTEMPTS, LOST, NOT_APPLIED
from experiments._shared import WIRE, plotted
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.retry_promises import conserved, tried_at_most
from models.patterns.retrying.retry_setups import sought
from models.patterns.retrying.seeking import last_told, lowest, of_each, of_the_last
from models.patterns.retrying.troubled import troubled
from models.patterns.retrying.troubles import Troubles, changes
from simulator import Experiment, Scenario

SEEKS = {"first failure": lowest, "last that is told": last_told}
TRACKING = {"each record": of_each, "the last record": of_the_last}
ONE, TWO, APART = "one", "two of a partition", "two partitions' for ever"
FAILURES = {
    ONE: Troubles(rejects=("k0/1",)),
    TWO: Troubles(fails={"k0/1": 2, "k0/2": 1}),
    APART: Troubles(rejects=("k0/1", "k3/1")),
}
LIMIT = 4


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Eight events of two keys, in two partitions, in a poll or two."""
    return troubled(
        sought(
            LIMIT, seeks=factors["seeks"], tracking=factors["counts"], until_ms=15_000,
            settings={"fetch.min.bytes": 300, "fetch.max.wait.ms": 200},
        ),
        factors["failures"],
        items=changes(("k0", "k3"), 4, every_ms=1),
        partitions=2,
        links=(WIRE,),
        more={"horizon_ms": 3_000},
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Each mistake needs its own two failures to show."""
    failures = factors["failures"]
    skips = factors["seeks"] is last_told and failures is FAILURES[TWO]
    loops = factors["counts"] is of_the_last and failures is FAILURES[APART]
    return {
        "conserved": "broken" if skips else "kept",
        "tried_at_most": "broken" if loops else "kept",
    }


EXPERIMENT = Experiment(
    name="failed_together",
    question="What does an error handler do when several records of a poll have failed?",
    scenario=scenario,
    factors={"seeks": SEEKS, "counts": TRACKING, "failures": FAILURES},
    measures={"lost": LOST, "not applied": NOT_APPLIED, "attempts": ATTEMPTS},
    checks={
        "conserved": conserved(always=False),
        "tried_at_most": tried_at_most(LIMIT, ("k0/1", "k3/1")),
    },
    promises=expected,
    runs=10,
    gather=Handled,
)

illustrate = plotted
