"""A producer adds a promo_code to its orders: what do its consumers do?

And what if it changes the unit of the total, under the same name or under another? Three consumers
read each of these streams: one that was written for the first version and ignores what it does not
know, one that refuses what it does not know, and one that was written for the newest version and
takes older events through upcasters.

Predict before you run it: which consumer stops at the promo_code? Which change does a consumer
notice that it cannot read, and which makes it charge a hundred times too much, in silence?
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from experiments._shared import WIRE, plotted
from models.patterns.contracts.evolution import (
    meaning_changed,
    strict,
    tolerant,
    tolerant_1,
    version_1,
    version_2,
    version_3,
)
from models.patterns.contracts.evolution_running import (
    TOPIC,
    UNREADABLE,
    charged_rightly,
    orders_of,
    reading,
)
from simulator import Experiment, Scenario, Topic, Topology, Watching, share

ORDERS = 10  # Of each version: the first, and the one that follows.
CHANGES = {
    "none": version_1,
    "promo_code added": version_2,
    "cents in a new field": version_3,
    "cents under the old name": meaning_changed,
}
READERS = {"tolerant, of version 1": tolerant_1, "strict": strict, "with upcasters": tolerant}


@attrs.define
class Charges:
    """What a run charged, and what it could not read."""

    unreadable: int = 0
    _right: Watching = attrs.field(factory=charged_rightly.start)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (*self._right.observers.items(), ("noted", self._on_noted))

    def _on_noted(self, entry: Any) -> None:
        self.unreadable += entry[4][1] == UNREADABLE

    @property
    def not_read(self) -> tuple[int, int]:
        """(orders that could not be read, orders)."""
        return self.unreadable, self._right.finish().reached

    @property
    def wrong(self) -> tuple[int, int]:
        """(orders that were charged another amount, orders)."""
        verdict = self._right.finish()
        return verdict.cases - self.unreadable, verdict.reached


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Orders of the first version, then of the next."""
    items = orders_of(*[version_1] * ORDERS, *[factors["change"]] * ORDERS)
    topology = Topology(topics=(Topic(TOPIC, 3),), links=(WIRE,))
    return reading(items, {"billing": factors["reader"]}, topology=topology)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A field more disturbs only who refuses it; a meaning that changes is seen by nobody."""
    change, reader = factors["change"], factors["reader"]
    right = (
        change is version_1
        or (change is version_2 and reader is not strict)
        or (change is version_3 and reader is tolerant)
    )
    return {"charged_rightly": "kept" if right else "broken"}


EXPERIMENT = Experiment(
    name="promo_code",
    question="A producer adds a promo_code to its orders: what do its consumers do?",
    scenario=scenario,
    factors={"change": CHANGES, "reader": READERS},
    measures={
        "not read": share(lambda run: run.not_read),
        "charged wrongly": share(lambda run: run.wrong),
    },
    checks=(charged_rightly,),
    promises=expected,
    runs=10,
    baseline={"reader": "tolerant, of version 1"},
    gather=Charges,
)

illustrate = plotted
