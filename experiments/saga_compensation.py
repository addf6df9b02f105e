"""What is left behind when a saga goes back: in the right order, in the wrong one, not everywhere?

Asked in eventuate-tram/eventuate-tram-sagas#9 and workflow-core#206: a later step
fails, and the first compensation is not called. Five orders go through create, reserve credit,
reserve stock, charge and ship; either everything is to be had, or the last article is gone. A saga
undoes what was done, the last first; or the first first; or somebody has forgotten to write the
compensation of the credit.

Predict before you run it: which of the three leaves something behind? Does the wrong order, here,
where each undo stands for itself? And what does going back cost in time?
"""

from collections.abc import Mapping
from typing import Any

from experiments._sagas import COMPENSATES, LASTS, LEFT, NEVER_ENDS, SLOW_WIRE, Ends
from experiments._shared import plotted
from models.patterns.sagas.deciding import RIGHT, Rules, first_first, forgetting
from models.patterns.sagas.orchestration import Orchestrating
from models.patterns.sagas.order_saga import OPENING, ORDER, Shop, order, shop_scenario
from models.patterns.sagas.saga_checks import all_or_nothing
from models.patterns.sagas.saga_order import compensated_in_reverse
from simulator import Experiment, Scenario

RULES = {
    "last first": RIGHT,
    "first first": Rules(undo_order=first_first),
    "one forgotten": Rules(undo_order=forgetting("reserve_credit")),
}
THERE = {"everything": 10, "no article": 0}


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Five orders of one article each; nothing fails but business."""
    how = Orchestrating({"order": ORDER}, factors["compensation"], patience_ms=5_000)
    opening = {**OPENING, "credit of ann": 1_000, "chair": factors["to be had"]}
    orders = [order(number) for number in range(1, 6)]
    shop = Shop(orders, every_ms=20, how=how, opening=opening)
    return shop_scenario(shop, topology=SLOW_WIRE, heal_after_ms=None)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """The order is a promise of its own; what is forgotten is left."""
    rules, back = factors["compensation"], not factors["to be had"]
    reverse, all_gone = rules is RIGHT, rules is not RULES["one forgotten"]
    return {
        "compensated_in_reverse": "kept" if reverse or not back else "broken",
        "all_or_nothing": "kept" if all_gone or not back else "broken",
    }


EXPERIMENT = Experiment(
    name="saga_compensation",
    question="What is left behind when a saga goes back?",
    scenario=scenario,
    factors={"compensation": RULES, "to be had": THERE},
    measures={
        "compensated": COMPENSATES, "effects left": LEFT, "never ends": NEVER_ENDS, "lasts": LASTS,
    },
    checks={
        "compensated_in_reverse": compensated_in_reverse,
        "all_or_nothing": all_or_nothing(*(step.name for step in ORDER)),
    },
    promises=expected,
    runs=10,
    baseline={"compensation": "last first"},
    gather=Ends,
)  # fmt: skip

illustrate = plotted
