"""How long should a saga wait for an answer before it goes back?

Asked in apache/servicecomb-pack#219 and #225: the saga timed out, and was never compensated. Three
orders; each service answers at once, or needs a third of a second on average, or the stock does
not know the article and never answers. Nobody knows which of these it is: a late answer and none
look the same.

Predict before you run it: without a deadline, which sagas never end? With 100 ms, which of those
that would have completed are undone? Which deadline is wrong least often, and what does it cost
where no answer comes?
"""

from collections.abc import Mapping
from typing import Any

from experiments._sagas import COMPENSATES, COMPLETES, LASTS, NEVER_ENDS, SLOW_WIRE, Ends
from experiments._shared import plotted
from models.patterns.sagas.orchestration import Orchestrating
from models.patterns.sagas.order_saga import OPENING, ORDER, Shop, order, shop_scenario
from models.patterns.sagas.saga_checks import all_or_nothing, sagas_end
from simulator import Experiment, Scenario, constant, exponential

DEADLINES = {"none": None, "100 ms": 100, "1 s": 1_000, "4 s": 4_000}
ANSWERS = {
    "at once": ("chair", constant(0)),
    "in 0.3 s": ("chair", exponential(300_000)),
    "never": ("moon", constant(0)),
}


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Three orders, a second apart; nothing fails but that somebody is slow, or says nothing."""
    sku, working = ANSWERS[factors["answers"]]
    how = Orchestrating({"order": ORDER}, patience_ms=factors["deadline"])
    orders = [order(number, sku=sku) for number in range(1, 4)]
    opening = {**OPENING, "credit of ann": 1_000}
    shop = Shop(
        orders, every_ms=1_000, how=how, opening=opening, working=working, patience_ms=15_000
    )
    return shop_scenario(shop, topology=SLOW_WIRE, heal_after_ms=3_000)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Who waits for ever waits for ever; whatever the deadline, nothing is left half done."""
    waits = factors["deadline"] is None and factors["answers"] == "never"
    return {"sagas_end": "broken" if waits else "kept", "all_or_nothing": "kept"}


EXPERIMENT = Experiment(
    name="saga_deadlines",
    question="How long should a saga wait for an answer before it goes back?",
    scenario=scenario,
    factors={"deadline": DEADLINES, "answers": tuple(ANSWERS)},
    measures={
        "completed": COMPLETES, "compensated": COMPENSATES, "never ends": NEVER_ENDS,
        "lasts": LASTS,
    },
    checks={
        "sagas_end": sagas_end(within_s=10),
        "all_or_nothing": all_or_nothing(*(step.name for step in ORDER)),
    },
    promises=expected,
    runs=6,
    baseline={"deadline": "none"},
    gather=Ends,
)  # fmt: skip

illustrate = plotted
