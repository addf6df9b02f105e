"""What becomes of a message that arrives before its saga exists?

Asked in Particular/docs.particular.net#5583 and #3508: a message for a saga that is not found is
discarded by default, as if it had been handled. Here a saga starts when the order and the bank's
word on it have both come, from different topics; nobody says which comes first.

Predict before you run it: if what is early is dropped, how many sagas never start when the bank's
word comes 50 ms after the order? When both come at once? When it comes before?
"""

from collections.abc import Mapping
from typing import Any

from experiments._sagas import COMPLETES, LASTS, NEVER_ENDS, SLOW_WIRE, Ends
from experiments._shared import plotted
from models.patterns.sagas.orchestration import PLACED, Orchestrating, dropped, kept
from models.patterns.sagas.order_saga import CONFIRMED, OPENING, ORDER, Shop, order, shop_scenario
from models.patterns.sagas.saga_checks import sagas_end
from simulator import Experiment, Scenario

EARLY = {"kept": kept, "dropped": dropped}
COMES = {"50 ms later": 50, "at once": 0, "50 ms before": -50}


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Five orders; nothing fails."""
    how = Orchestrating(
        {"order": ORDER[1:5]}, starters=(PLACED, CONFIRMED), early=factors["what is early is"]
    )
    orders = [order(number) for number in range(1, 6)]
    opening = {**OPENING, "credit of ann": 1_000}
    shop = Shop(
        orders, every_ms=100, how=how, opening=opening,
        confirmed_ms=factors["the bank's word comes"], patience_ms=12_000,
    )  # fmt: skip
    return shop_scenario(shop, topology=SLOW_WIRE)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only an order of arrival that nobody has promised saves who drops what is early."""
    safe = factors["what is early is"] is kept or factors["the bank's word comes"] > 0
    return {"sagas_end": "kept" if safe else "broken"}


EXPERIMENT = Experiment(
    name="saga_early_message",
    question="What becomes of a message that arrives before its saga exists?",
    scenario=scenario,
    factors={"what is early is": EARLY, "the bank's word comes": COMES},
    measures={"completed": COMPLETES, "never ends": NEVER_ENDS, "lasts": LASTS},
    checks={"sagas_end": sagas_end(within_s=8)},
    promises=expected,
    runs=10,
    baseline={"what is early is": "kept"},
    gather=Ends,
)

illustrate = plotted
