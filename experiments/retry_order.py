"""Which order does a topic of retries lose, and which effects mind?

Asked in spring-projects/spring-kafka#920: what fails is published to a retry topic, so that those
behind it need not wait. Here a tenth of the events fails once. They are tried again in their place,
or by way of a retry topic. Three handlers write what an event says: over whatever was there, only
over what is older, or as a sum.

Predict before you run it: which share of events takes effect after a later one of its key? How many
rows are wrong in the end, and under which handlers? How long does an event wait that never failed?
"""

from collections.abc import Mapping
from typing import Any

from experiments._retries import OUT_OF_ORDER, WAITED, WRONG, some
from experiments._shared import WIRE, plotted
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.letter_promises import as_without_trouble, behind_what_is_parked
from models.patterns.retrying.retry_setups import RETRY, elsewhere, in_place
from models.patterns.retrying.troubled import troubled
from models.patterns.retrying.troubles import DEAD, Troubles, added_up, changes, newer, overwritten
from simulator import Experiment, Scenario, retryable_topic

IN_PLACE, TOPIC = "in place", "retry topic"
EFFECTS = {"overwrite": overwritten, "newer only": newer, "add up": added_up}
ITEMS = changes(10, 12, every_ms=25)
FAILING = 10  # Percent.


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """Three seconds of events; other ones fail under each seed."""
    policy = retryable_topic(3, 1_000)
    waits = factors["retries"]
    application = in_place(policy) if waits == IN_PLACE else elsewhere(policy)
    failing = some((item.event_id for item in ITEMS), seed, FAILING)
    return troubled(
        application,
        Troubles(fails=dict.fromkeys(failing, 1)),
        items=ITEMS,
        effect=factors["effect"],
        topics=(DEAD, RETRY),
        links=(WIRE,),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A retry topic loses the order; only who overwrites minds."""
    elsewhere = factors["retries"] == TOPIC
    stale = elsewhere and factors["effect"] is overwritten
    return {
        "behind_what_is_parked": "broken" if elsewhere else "kept",
        "as_without_trouble": "broken" if stale else "kept",
    }


EXPERIMENT = Experiment(
    name="retry_order",
    question="Which order does a topic of retries lose, and which effects mind?",
    scenario=scenario,
    factors={"retries": (IN_PLACE, TOPIC), "effect": EFFECTS},
    measures={
        "out of order": OUT_OF_ORDER,
        "rows that are wrong": WRONG,
        "waited, though it never failed": WAITED,
    },
    checks=(behind_what_is_parked, as_without_trouble),
    promises=expected,
    runs=15,
    baseline={"retries": IN_PLACE},
    gather=Handled,
)

illustrate = plotted
