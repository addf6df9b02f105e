"""All laws, family by family; what cannot be expressed stands in `UNTOLD`, with its reason."""

import importlib
from pathlib import Path

from tests.laws.law import Law, Rule

FAMILIES = (
    "delivery", "ordering", "inbox", "retries", "schema", "event_sourcing", "projections",
    "capture", "outbox", "sagas", "anti_patterns",
)  # fmt: skip
TITLES = {
    "delivery": "Delivery",
    "ordering": "Order",
    "inbox": "Idempotency",
    "retries": "Retries and dead letters",
    "schema": "Schema evolution",
    "event_sourcing": "Event sourcing",
    "projections": "Read models",
    "capture": "Change data capture",
    "outbox": "Outbox and inbox",
    "sagas": "Sagas",
    "anti_patterns": "Anti-patterns",
}
# How many laws a family has, by the letter that their names begin with; in the families' order.
SIZES = {
    "D": 14, "O": 11, "I": 10, "R": 13, "S": 13, "E": 12, "Q": 9, "C": 12, "X": 13, "G": 11, "Z": 10
}  # fmt: skip

# Law -> why there is no test of it.
UNTOLD: dict[str, str] = {}


def _laws() -> tuple[Law | Rule, ...]:
    here = Path(__file__).parent
    found: list[Law | Rule] = []
    for family in FAMILIES:
        if (here / f"{family}.py").exists():
            found += importlib.import_module(f"tests.laws.{family}").LAWS
    return tuple(found)


LAWS = _laws()
