"""When may a row of the outbox be purged?

A table that only grows is nobody's wish. But is a row that is old a row that was sent? "Are outbox
rows purged before they are dispatched?" Asked in MassTransit/MassTransit#6145.

Rows are purged once they have an age: those that are marked as sent, or all of them; or none is.
Meanwhile the relay is away for four seconds, or it is not.

Predict before you run it: which purge loses events, and when? How old must a row be for the wrong
one to be right? What is left in the table at the end?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._outbox import LOST, TOPOLOGY, UNTIL_TOLD, Telling, load
from experiments._shared import SECOND_US, plotted
from models.patterns.outboxes.outbox_checks import no_loss
from models.patterns.outboxes.outbox_keeping import Auditing, Purging, all_rows, sent_rows
from models.patterns.outboxes.outbox_promises import bounded
from models.patterns.outboxes.outbox_running import Relaying, outbox_scenario
from models.patterns.outboxes.relays import Relay
from simulator import Crash, Experiment, FaultPlan, Scenario, number

AGES_MS = {"1 s": 1_000, "10 s": 10_000}
AWAY_MS = {"never": 0, "4 s": 4_000}
REQUESTS = 40


@attrs.frozen
class Purge:
    """Which rows are purged once they are old; None: no row is."""

    name: str
    which: Any

    def relays(self, age_ms: int) -> tuple[Relaying, ...]:
        """Whom it needs."""
        found = () if self.which is None else (Purging(self.which, age_ms, every_ms=500),)
        return (*found, Auditing(at_ms=15_000, age_ms=age_ms))


SENT = Purge("what was sent", sent_rows)
ALL = Purge("what is old", all_rows)
NONE = Purge("nothing", None)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Four seconds of requests; the relay is away for as long, from their middle on."""
    away = factors["away"]
    faults = FaultPlan((Crash("relay-0", at_ms=2_000, down_ms=away),) if away else ())
    relays = (Relay(poll_ms=100), *factors["purge"].relays(factors["age"]))
    requests = load(2, REQUESTS, every_us=SECOND_US // 10)
    return outbox_scenario(requests, relays=relays, topology=TOPOLOGY, faults=faults)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """An age proves nothing, unless no relay is ever away for so long."""
    lost = factors["purge"] is ALL and factors["away"] > factors["age"]
    return {
        "no_loss": "broken" if lost else "kept",
        "bounded": "broken" if factors["purge"] is NONE else "kept",
    }


def left(run: Telling) -> int | None:
    """Old rows that are still there at the end."""
    return run.old_rows


EXPERIMENT = Experiment(
    name="outbox_purge",
    question="When may a row of the outbox be purged?",
    scenario=scenario,
    factors={"purge": (SENT, ALL, NONE), "age": AGES_MS, "away": AWAY_MS},
    measures={
        "lost": LOST, "old rows left": number(left, more_is_better=False), "until told": UNTIL_TOLD,
    },
    checks={"no_loss": no_loss, "bounded": bounded},
    promises=expected,
    runs=8,
    baseline={"purge": SENT.name},
    gather=Telling,
)  # fmt: skip

illustrate = plotted
