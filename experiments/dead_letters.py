"""What becomes of an event that cannot be handled, under each system's defaults?

One of six orders' events is rejected, whatever is done: its data are wrong. Each system tries it
again in its own way, and then does what its defaults say: write a line into a log, publish a dead
letter, skip it, stop, or go on for ever. The others are handled at once, if one lets them.

Predict before you run it: how often does each try, and for how long? Where is the event in the end?
What happens to those that lie behind it? The lecture's loop sleeps 0.5 s after the first attempt,
then 1 s and so on, and once more before the dead letter queue; its text promises delays that
double. Which of the two gives the event up later?

"Make processing fail: the event reaches the DLQ after the limit": here it does, in those whose
`conserved` is kept and whose `others_go_on` is kept too.
"""

from collections.abc import Mapping
from typing import Any

from experiments._retries import ATTEMPTS, GAVE_UP, HOURS, LONGEST, LOST, NOT_APPLIED
from experiments._shared import WIRE, plotted
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.retry_presets import ELSEWHERE, PARKED, PRESETS, Preset, ending
from models.patterns.retrying.retry_promises import conserved
from models.patterns.retrying.retry_setups import RETRY, elsewhere, in_place, parked
from models.patterns.retrying.troubled import Application, troubled
from models.patterns.retrying.troubles import DEAD, GROUP, Troubles, changes
from models.patterns.retrying.waiting_promises import others_go_on
from simulator import Experiment, Scenario

BAD = "k1/1"
LOGS = ("spring-kafka default", "connect all")
STUCK = ("connect none", "for ever", "axon sequenced")  # The last: only those of the same key.
HOUR_MS = 3_600_000


def _way(preset: Preset) -> Application:
    if preset.where == ELSEWHERE:
        return elsewhere(preset.policy, until_ms=HOUR_MS, settings=HOURS)
    if preset.where == PARKED:
        return parked(from_ms=2_000, until_ms=12_000)
    return in_place(preset.policy, ending(preset.policy, DEAD, GROUP), settings=HOURS)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Six events of three orders, one of them bad, and a system's way with it."""
    return troubled(
        _way(factors["system"]),
        Troubles(rejects=(BAD,)),
        items=changes(3, 2),
        topics=(DEAD, RETRY),
        links=(WIRE,),
        more={"heal_after_ms": 2_000, "horizon_ms": 100_000},
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Whoever logs loses; whoever never gives up, or stops, keeps others waiting.

    Sequenced dead letters keep those of the event's key waiting, and no others.
    """
    name = factors["system"].name
    return {
        "conserved": "broken" if name in LOGS else "kept",
        "others_go_on": "broken" if name in STUCK else "kept",
    }


EXPERIMENT = Experiment(
    name="dead_letters",
    question="What becomes of an event that cannot be handled, under each system's defaults?",
    scenario=scenario,
    factors={"system": PRESETS},
    measures={
        "attempts": ATTEMPTS,
        "given up after": GAVE_UP,
        "lost": LOST,
        "not applied": NOT_APPLIED,
        "longest wait of another": LONGEST,
    },
    checks={"conserved": conserved(), "others_go_on": others_go_on((BAD,))},
    promises=expected,
    runs=3,
    gather=Handled,
)

illustrate = plotted
