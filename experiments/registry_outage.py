"""Who notices that the schema registry is down?

A value says by four bytes which schema wrote it, and a reader asks the registry for that schema. An
id means one schema for ever, so that a client asks once in its life, if it remembers. Here the
registry is away for three of six seconds, and meanwhile nothing else happens, or billing's
instances are restarted one after the other.

Predict before you run it: how long do events wait with a client that remembers, and with one that
asks each time? What does a restart change? Is anything lost?
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from experiments._contracts import Reading, Written, deploy
from experiments._shared import WIRE, plotted
from experiments.schema_levels import order
from models.patterns.contracts.upgrade import REGISTRY, TOPIC
from simulator import (
    Cases,
    Check,
    Crash,
    Experiment,
    FaultPlan,
    Scenario,
    Topic,
    Topology,
    Verdict,
    Watching,
    Workload,
    number,
    samples,
)

EVENTS = 150
SECOND_US = 1_000_000
AWAY = Crash(REGISTRY, at_ms=2_000, down_ms=3_000)
CLIENTS = {"remembers ids": True, "asks each time": False}
OUTAGES = {"no outage": (), "3 s": (AWAY,)}
RESTARTS = {
    "nothing": (),
    "readers restart": (
        Crash("billing-0", at_ms=2_500, down_ms=100), Crash("billing-1", at_ms=3_000, down_ms=100),
    ),
}  # fmt: skip
SESSION = {"session.timeout.ms": 1_000, "heartbeat.interval.ms": 300}
BROKER = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000}


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """One version of the contract, twenty-five events a second."""
    data = tuple({"order_id": f"o-{one}"} for one in range(EVENTS))
    application = partial(
        deploy, versions=(Written(order(), data),), use=lambda datum: datum["order_id"],
        cached=factors["client"], session=SESSION,
    )  # fmt: skip
    return Scenario(
        name="registry outage",
        topology=Topology(topics=(Topic(TOPIC, 2),), links=(WIRE,)),
        workload=Workload(events=0),
        application=application,
        faults=FaultPlan((*factors["registry"], *factors["meanwhile"])),
        broker=BROKER,
    )


def _read_within_a_second() -> Watching:
    stored_us: dict[str, int] = {}
    cases, reached = Cases(), 0

    def on_acknowledged(entry: Any) -> None:
        stored_us.setdefault(entry[4][1], entry[1])

    def on_applied(entry: Any) -> None:
        nonlocal reached
        event_id = entry[4][4]
        reached += 1
        waited_us = entry[1] - stored_us.get(event_id, entry[1])
        if waited_us > SECOND_US:
            cases.add(f"{event_id} waited {waited_us} us to be read", (entry[0],), (event_id,))

    def finish() -> Verdict:
        return cases.verdict("read_within_a_second", reached)

    observers = {"record_acknowledged": on_acknowledged, "effect_applied": on_applied}
    return Watching(observers, finish)


read_within_a_second = Check(
    "read_within_a_second", "No event waits longer than a second.", _read_within_a_second
)


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """An id that is known needs no registry; what a restart costs by itself is not promised."""
    known = {"never_lost": "kept"}
    if factors["registry"] and (factors["meanwhile"] or not factors["client"]):
        return {**known, "read_within_a_second": "broken"}
    return known if factors["meanwhile"] else {**known, "read_within_a_second": "kept"}


EXPERIMENT = Experiment(
    name="registry_outage",
    question="Who notices that the schema registry is down?",
    scenario=scenario,
    factors={"registry": OUTAGES, "meanwhile": RESTARTS, "client": CLIENTS},
    measures={
        "waited": samples(lambda run: run.waited_us, quantiles=(0.5, 0.99)),
        "requests to it": number(lambda run: run.asked, more_is_better=False),
    },
    checks={"never_lost": "never_lost", "read_within_a_second": read_within_a_second},
    promises=expected,
    runs=6,
    baseline={"registry": "no outage"},
    gather=Reading,
)

illustrate = plotted
