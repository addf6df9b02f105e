"""How soon is an outbox's event on the topic, and what does the database pay for it?

A relay that polls asks in vain most of the time, or finds rows that have been waiting. A relay
that tails the log is told. Which poll interval is worth it?

Predict before you run it: how long does an event wait in the table, for each poll interval? How
many requests does an event cost the database, at five events a second and at a hundred? Where does
the log stand?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._outbox import ASKED, LOST, TOPOLOGY, UNTIL_TOLD, Telling, load
from experiments._shared import SECOND_US, plotted
from models.patterns.outboxes.outbox_checks import no_loss
from models.patterns.outboxes.outbox_promises import told_within
from models.patterns.outboxes.outbox_running import Relaying, outbox_scenario
from models.patterns.outboxes.relays import Relay
from models.patterns.outboxes.wal_relay import WalRelay
from simulator import Experiment, Scenario

LIMIT_US = 150_000
REQUESTS = 40


@attrs.frozen
class Brings:
    """Who brings the rows to the topic."""

    name: str
    relay: Relaying


LOG = Brings("the log", WalRelay(wait_ms=500))
WAYS = (
    LOG,
    *(Brings(f"poll, {each} ms", Relay(poll_ms=each)) for each in (10, 100, 1_000)),
)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Two services; nothing fails."""
    requests = load(2, REQUESTS, every_us=SECOND_US // factors["per second"])
    relays = (factors["relay"].relay,)
    return outbox_scenario(requests, relays=relays, topology=TOPOLOGY)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Half a second is the mean of what a poll each second makes an event wait."""
    late = factors["relay"].name == "poll, 1000 ms"
    return {"no_loss": "kept", "told_in_time": "broken" if late else "kept"}


EXPERIMENT = Experiment(
    name="outbox_latency",
    question="How soon is an outbox's event on the topic, and what does the database pay for it?",
    scenario=scenario,
    factors={"relay": WAYS, "per second": (5, 100)},
    measures={"until told": UNTIL_TOLD, "requests per event": ASKED, "lost": LOST},
    checks={"no_loss": no_loss, "told_in_time": told_within(LIMIT_US)},
    promises=expected,
    runs=12,
    baseline={"relay": LOG.name},
    gather=Telling,
)

illustrate = plotted
