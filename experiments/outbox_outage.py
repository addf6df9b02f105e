"""What does an outbox do with the rows that failed while the broker was away?

"Failed rows are overtaken by scheduled rows after Kafka is back." Asked in dotnetcore/CAP#1078.

A relay's rows fail once its producer has waited for two seconds. It then stops, and begins with
the row that failed; or it goes on with the next; or it puts the row aside, behind all that have
failed less often.

Predict before you run it: for which outages does each of them mix up an order's events? Which of
them has told everything first? Does any of them lose an event?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._outbox import (
    LOST,
    OUT_OF_ORDER,
    TOLD_AGAIN,
    TOOK,
    TOPOLOGY,
    UNTIL_TOLD,
    Telling,
    load,
)
from experiments._shared import SECOND_US, plotted
from models.patterns.outboxes.outbox_checks import commit_order, no_loss
from models.patterns.outboxes.outbox_running import outbox_scenario
from models.patterns.outboxes.relays import Relay, going_on, set_aside
from simulator import Experiment, FaultPlan, Partition, Scenario


@attrs.frozen
class Failed:
    """What becomes of a row that failed."""

    name: str
    relay: Relay


STOP = Failed("stop there", Relay(batch=10, poll_ms=50))
FAILED = (
    STOP,
    Failed("go on", Relay(sends=going_on, batch=10, poll_ms=50)),
    Failed("put it aside", Relay(turn=set_aside, batch=10, poll_ms=50)),
)
OUTAGES_MS = {"1 s": 1_000, "5 s": 5_000, "15 s": 15_000}
REQUESTS = 100


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Ten seconds of requests about two orders; soon the broker is out of reach."""
    until_ms = 1_000 + factors["outage"]
    faults = FaultPlan((Partition(("relay-0",), ("broker-*",), 1_000, until_ms),))
    requests = load(2, REQUESTS, orders=2, every_us=SECOND_US // 10)
    relays = (factors["failed"].relay,)
    return outbox_scenario(requests, relays=relays, topology=TOPOLOGY, faults=faults)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """What fails is overtaken, unless nobody may pass; an outage that nothing fails in is none."""
    fails = factors["outage"] > 2_000
    return {
        "no_loss": "kept",
        "commit_order": "broken" if fails and factors["failed"] is not STOP else "kept",
    }


EXPERIMENT = Experiment(
    name="outbox_outage",
    question="What does an outbox do with the rows that failed while the broker was away?",
    scenario=scenario,
    factors={"failed": FAILED, "outage": OUTAGES_MS},
    measures={
        "lost": LOST, "out of order": OUT_OF_ORDER, "told again": TOLD_AGAIN,
        "until told": UNTIL_TOLD, "all told after": TOOK,
    },
    checks={"no_loss": no_loss, "commit_order": commit_order},
    promises=expected,
    runs=8,
    baseline={"failed": STOP.name},
    gather=Telling,
)  # fmt: skip

illustrate = plotted
