"""The broker restarts while an order is created: does the order stay pending?

Asked in ebubekirdinc/SuuCat#9. The orchestrator writes what it has decided, and a command is to be
sent; the broker is away for four seconds, and whoever sends gives up after one. Either the command
is written in the transaction of the decision, and a relay sends it; or it is sent after it was
decided. And either the saga minds the time, and asks again or goes back, or it does not.

Predict before you run it: which of the four leaves orders pending? Do deadlines make up for a
command that was never sent? What do they cost the orders under way?
"""

from collections.abc import Mapping
from typing import Any

from experiments._sagas import COMPENSATES, COMPLETES, LASTS, NEVER_ENDS, SLOW_WIRE, Ends
from experiments._shared import plotted
from models.patterns.sagas.orchestration import Orchestrating
from models.patterns.sagas.order_saga import OPENING, ORDER, Shop, order, shop_scenario
from models.patterns.sagas.saga_checks import all_or_nothing, sagas_end
from models.patterns.sagas.sending import save_then_send, through_outbox
from simulator import Crash, Experiment, FaultPlan, Scenario

SAVING = {"in one transaction": through_outbox, "sent afterwards": save_then_send}
DEADLINES = {"none": None, "2 s": 2_000}
STEPS = ORDER[1:5]
DOWN_MS = 4_000


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """Eight orders, five milliseconds apart; the broker goes while they are under way."""
    how = Orchestrating(
        {"order": STEPS}, saving=factors["the command is"], patience_ms=factors["deadline"]
    )
    orders = [order(number) for number in range(1, 9)]
    opening = {**OPENING, "credit of ann": 1_000, "chair": 10}
    shop = Shop(orders, every_ms=5, how=how, opening=opening, giving_up_ms=1_000,
                patience_ms=20_000)  # fmt: skip
    away = Crash("broker-0", at_ms=40 + 11 * (seed % 8), down_ms=DOWN_MS)
    return shop_scenario(
        shop, topology=SLOW_WIRE, faults=FaultPlan((away,)), heal_after_ms=5_000
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """What was decided and not sent is waited for, for ever, unless somebody minds the time."""
    stuck = factors["the command is"] is save_then_send and factors["deadline"] is None
    return {"sagas_end": "broken" if stuck else "kept", "all_or_nothing": "kept"}


EXPERIMENT = Experiment(
    name="saga_broker_restart",
    question="The broker restarts while an order is created: does the order stay pending?",
    scenario=scenario,
    factors={"the command is": SAVING, "deadline": DEADLINES},
    measures={
        "completed": COMPLETES, "compensated": COMPENSATES, "never ends": NEVER_ENDS,
        "lasts": LASTS,
    },
    checks={
        "sagas_end": sagas_end(within_s=12),
        "all_or_nothing": all_or_nothing(*(step.name for step in STEPS)),
    },
    promises=expected,
    runs=8,
    baseline={"the command is": "in one transaction"},
    gather=Ends,
)  # fmt: skip

illustrate = plotted
