"""What does a redrive of dead letters do to what has happened since?

Asked in spring-attic/spring-cloud-stream-binder-kafka#21 (how do I process the DLQ again?),
KanishJebaMathewM/Truxify#15653 (a replay drops the handler's work) and apache/pulsar#23557 (is
order needed inside the DLQ?). Some events are rejected; five seconds later the fault is mended,
and an operator sends the letters back to where they came from, behind all that was sent
meanwhile. Or what follows a failed event of its key is parked with it, and evaluated in its
order.

Predict before you run it: a handler overwrites, writes only over what is older, adds up, or
remembers each event's id before it does its work. Which rows are wrong after the redrive? Which
are after parked sequences were evaluated? Which events did not have to wait for the repair?
"""

from collections.abc import Mapping
from typing import Any

from experiments._retries import DEAD_ONES, OUT_OF_ORDER, WRONG, some
from experiments._shared import WIRE, plotted
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.letter_promises import as_without_trouble, behind_what_is_parked
from models.patterns.retrying.redrive import remembering_first
from models.patterns.retrying.retry_setups import in_place, parked, redriven
from models.patterns.retrying.troubled import Application, troubled
from models.patterns.retrying.troubles import (
    FROM_MS,
    LEDGER,
    Troubles,
    added_up,
    changes,
    newer,
    overwritten,
)
from simulator import Cluster, Experiment, Scenario, spring_fixed

PLAIN, PARKED = "redriven", "sequences parked"
HANDLERS = {
    "overwrite": (overwritten, False),
    "newer only": (newer, False),
    "add up": (added_up, False),
    "id first": (added_up, True),
}
ITEMS = changes(8, 6, every_ms=25)
MENDED_MS = FROM_MS + 5_000
REJECTED = 8  # Percent.


def remembering(application: Application) -> Application:
    """The same, with a handler that remembers ids before its work."""

    def remembers(cluster: Cluster, handling: Any) -> None:
        application(cluster, remembering_first(handling, LEDGER))

    return remembers


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """Forty-eight events of eight keys; other ones are rejected under each seed."""
    effect, remembers = factors["handler"]
    application = (
        redriven(in_place(spring_fixed(10, 1, exhausted="dlt")), at_ms=MENDED_MS)
        if factors["letters"] == PLAIN
        else parked(from_ms=MENDED_MS)
    )
    rejected = some((item.event_id for item in ITEMS), seed, REJECTED)
    return troubled(
        remembering(application) if remembers else application,
        Troubles(rejects=rejected, mended_ms=MENDED_MS),
        items=ITEMS,
        effect=effect,
        links=(WIRE,),
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Parking keeps order; a redrive needs an effect that does not need it.

    Who remembers ids first drops the event already when it is tried for the second time.
    """
    (effect, remembers), plain = factors["handler"], factors["letters"] == PLAIN
    if remembers:
        return {"as_without_trouble": "broken"}
    return {
        "behind_what_is_parked": "broken" if plain else "kept",
        "as_without_trouble": "broken" if plain and effect is overwritten else "kept",
    }


EXPERIMENT = Experiment(
    name="redrive",
    question="What does a redrive of dead letters do to what has happened since?",
    scenario=scenario,
    factors={"letters": (PLAIN, PARKED), "handler": HANDLERS},
    measures={
        "put aside": DEAD_ONES,
        "out of order": OUT_OF_ORDER,
        "rows that are wrong": WRONG,
    },
    checks=(behind_what_is_parked, as_without_trouble),
    promises=expected,
    runs=10,
    baseline={"letters": PLAIN},
    gather=Handled,
)

illustrate = plotted
