"""Where is an event whose dead letter cannot be published?

Asked in dapr/dapr#8284 (a failure to publish to the dead letter queue is ignored, and the message
is lost) and confluentinc/kafka-connect-jdbc#1597 and #721 (offsets are committed with neither a
row in the database nor a dead letter). A bad event's letter meets nothing in its way; or its
topic was never created; or the process dies right after its commit.

Predict before you run it: who loses the event in which of the three? Who keeps all others
waiting, and until when?
"""

from collections.abc import Mapping
from typing import Any

from experiments._retries import LOST, NOT_APPLIED
from experiments._shared import WIRE, plotted
from models.patterns.retrying.dead_letters import (
    fire_and_forget,
    ignoring_failure,
    log_and_skip,
    publishing,
    stopping,
)
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.retry_promises import conserved
from models.patterns.retrying.retry_setups import in_place
from models.patterns.retrying.troubled import troubled
from models.patterns.retrying.troubles import DEAD, GROUP, Troubles, changes
from models.patterns.retrying.waiting_promises import others_go_on
from simulator import Crash, Experiment, FaultPlan, Scenario, spring_fixed

WAYS = {
    "awaited": publishing(DEAD, GROUP),
    "not awaited": fire_and_forget(DEAD, GROUP),
    "failure ignored": ignoring_failure(DEAD, GROUP),
    "log and skip": log_and_skip,
    "stop": stopping,
}
NOTHING, NO_TOPIC, DIES = "nothing", "no such topic", "dies after its commit"
BAD = "k0/1"


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Nine events, the first of them bad, and a commit after each."""
    trouble = factors["trouble"]
    crash = Crash(f"{GROUP}-0", "after_commit")
    return troubled(
        in_place(spring_fixed(100, 2), WAYS[factors["letter"]], commit_each=True),
        Troubles(rejects=(BAD,)),
        items=changes(3, 3, every_ms=100),
        topics=() if trouble == NO_TOPIC else (DEAD,),
        links=(WIRE,),
        more={
            "faults": FaultPlan((crash,) if trouble == DIES else ()),
            "heal_after_ms": 3_000,
            "horizon_ms": 30_000,
        },
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Who waits for the letter loses nothing, and stands still where there can be no letter."""
    letter, trouble = factors["letter"], factors["trouble"]
    lost = {
        "not awaited": trouble != NOTHING,
        "failure ignored": trouble == NO_TOPIC,
        "log and skip": True,
    }.get(letter, False)
    stands = letter == "stop" or (letter == "awaited" and trouble == NO_TOPIC)
    return {
        "conserved": "broken" if lost else "kept",
        "others_go_on": "broken" if stands else "kept",
    }


EXPERIMENT = Experiment(
    name="letter_publish",
    question="Where is an event whose dead letter cannot be published?",
    scenario=scenario,
    factors={"letter": tuple(WAYS), "trouble": (NOTHING, NO_TOPIC, DIES)},
    measures={"lost": LOST, "not applied": NOT_APPLIED},
    checks={"conserved": conserved(always=False), "others_go_on": others_go_on((BAD,))},
    promises=expected,
    runs=10,
    baseline={"letter": "awaited"},
    gather=Handled,
)

illustrate = plotted
