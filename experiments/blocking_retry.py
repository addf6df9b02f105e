"""How long may a record be retried in its place?

While a handler waits for its next attempt its consumer does not poll, and after 300 s without a
poll (max.poll.interval.ms) it is out of its group. Then another instance is given the record,
begins its attempts anew, and is out of the group in its turn. Here ten retries are the limit, and
the delay between them is a factor.

Predict before you run it: from which delay on does the limit of eleven attempts not hold? How
often is the event tried then, and how many letters are written of it? What becomes of all that if
the record waits in a retry topic?
"""

from collections.abc import Mapping
from typing import Any

from experiments._retries import ATTEMPTS, GAVE_UP, HOURS, LONGEST, REBALANCES
from experiments._shared import WIRE, plotted
from models.groups.promises import never_rebalanced
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.letter_promises import loops_at_most
from models.patterns.retrying.retry_promises import tried_at_most
from models.patterns.retrying.retry_setups import RETRY, elsewhere, in_place
from models.patterns.retrying.troubled import troubled
from models.patterns.retrying.troubles import DEAD, Troubles, changes
from simulator import Experiment, Scenario, number, retryable_topic

IN_PLACE, TOPIC = "in place", "retry topic"
RETRIES, INTERVAL_S = 10, 300
DELAYS = {"10 s": 10, "25 s": 25, "35 s": 35, "60 s": 60}
BAD = "k0/1"
HOUR_MS = 3_600_000
FROM_MS = 60_000  # By then both instances have their partitions.


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Six events of one partition, the first of them bad; two instances, and half an hour."""
    policy = retryable_topic(1 + RETRIES, factors["delay"] * 1_000)
    application = (
        in_place(policy, settings=HOURS, instances=2)
        if factors["retries"] == IN_PLACE
        else elsewhere(
            policy, settings=HOURS, instances=2, from_ms=FROM_MS + 1_000, until_ms=HOUR_MS
        )
    )
    return troubled(
        application,
        Troubles(rejects=(BAD,)),
        items=changes(3, 2, from_ms=FROM_MS),
        topics=(DEAD, RETRY),
        links=(WIRE,),
        more={"heal_after_ms": FROM_MS + 1_000, "horizon_ms": 1_800_000},
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """In place, all delays together must be shorter than the interval."""
    fits = factors["delay"] * RETRIES < INTERVAL_S or factors["retries"] == TOPIC
    outcome = "kept" if fits else "broken"
    return {
        "never_rebalanced": outcome,
        "tried_at_most": outcome,
        "one_letter": outcome,
    }


EXPERIMENT = Experiment(
    name="blocking_retry",
    question="How long may a record be retried in its place?",
    scenario=scenario,
    factors={"retries": (IN_PLACE, TOPIC), "delay": DELAYS},
    measures={
        "attempts": ATTEMPTS,
        "given up after": GAVE_UP,
        "rebalances": REBALANCES,
        "letters of the event": number(lambda run: run.rounds(DEAD), more_is_better=False),
        "longest wait of another": LONGEST,
    },
    checks={
        "never_rebalanced": never_rebalanced,
        "tried_at_most": tried_at_most(1 + RETRIES),
        "one_letter": loops_at_most(1, DEAD, "one_letter"),
    },
    promises=expected,
    runs=3,
    gather=Handled,
)

illustrate = plotted
