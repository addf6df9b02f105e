"""Which outage does a retry policy outlive, and what does that cost those who wait behind?

A service is down for a while. Every event needs it, and none of them is bad: each that ends among
the dead letters was given up too early. Five attempts are the limit: at once; after 0.5 s times the
attempt, and once more before the dead letter (the lecture's loop); after 0.5 s, 1 s, 2 s and 4 s
(the exponential delays that its text promises). Or the loop stands behind a circuit breaker, which
after five failures in a row takes the service for ill, and not the events.

Predict before you run it: the loop's delays add up to 7.5 s, and so do the exponential ones. Which
of them outlives an outage of 6 s? What share of thirty seconds' events does each give up in an
outage of 20 s? What does the breaker do instead?
"""

from collections.abc import Mapping
from typing import Any

from experiments._retries import ATTEMPTS, DEAD_ONES, WAITED
from experiments._shared import WIRE, plotted
from models.patterns.retrying.circuit_breaker import breaking
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.letter_promises import loops_at_most
from models.patterns.retrying.retries import retrying
from models.patterns.retrying.retry_setups import TO_DEAD
from models.patterns.retrying.troubled import grouped, troubled
from models.patterns.retrying.troubles import DEAD, FROM_MS, Troubles, changes
from models.patterns.retrying.wrapping import Factory
from simulator import Experiment, Scenario, lecture_loop, lecture_promise, spring_fixed

AT_ONCE, LOOP = "at once", "lecture loop"
EXPONENTIAL, BREAKER = "exponential", "loop and breaker"
POLICIES = {
    AT_ONCE: spring_fixed(0, 4, exhausted="dlt"),
    LOOP: lecture_loop(),
    EXPONENTIAL: lecture_promise(),
    BREAKER: lecture_loop(),
}
OUTAGES = {"none": 0, "4 s": 4_000, "6 s": 6_000, "20 s": 20_000}
DOWN_MS = FROM_MS + 1_000
OUTLIVED_MS = {AT_ONCE: 0, LOOP: 5_000, EXPONENTIAL: 7_500, BREAKER: 60_000}


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Thirty seconds of events, four a second, and an outage from the first second on."""
    name = factors["policy"]

    def wrapped(factory: Factory) -> Factory:
        inner = breaking(factory, failures=5) if name == BREAKER else factory
        return retrying(inner, POLICIES[name], giving_up=TO_DEAD)

    return troubled(
        grouped(wrapped, settings={"max.poll.records": 5}),
        Troubles(down_ms=(DOWN_MS, DOWN_MS + factors["outage"])),
        items=changes(30, 4, every_ms=250),
        links=(WIRE,),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """What the delays before the last attempt add up to is what a policy outlives."""
    outlived = factors["outage"] <= OUTLIVED_MS[factors["policy"]]
    return {"nothing_given_up": "kept" if outlived else "broken"}


EXPERIMENT = Experiment(
    name="retry_policies",
    question="Which outage does a retry policy outlive, and what does that cost those behind?",
    scenario=scenario,
    factors={"policy": tuple(POLICIES), "outage": OUTAGES},
    measures={"given up": DEAD_ONES, "attempts at most": ATTEMPTS, "waited": WAITED},
    checks={"nothing_given_up": loops_at_most(0, DEAD, "nothing_given_up")},
    promises=expected,
    runs=6,
    baseline={"policy": LOOP},
    gather=Handled,
)

illustrate = plotted
