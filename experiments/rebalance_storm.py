"""What does a rebalance stop: the world, or what moves?

An eager group gives everything back before it assigns anew. A cooperative one keeps what stays,
and needs two rounds for what moves (KIP-429). With group.protocol=consumer the coordinator tells
each member what to give back, and nobody waits for the others (KIP-848). A group of four with
twelve partitions gets two more members, or two of its members crash and come back. One event in
a hundred takes a second and a half; a member that is at work on it rejoins when it is done.

Predict before you run it: for how long is nothing handled at all while there is work? How many
partitions move, and how long does one wait for an owner? Under which protocol do events take
effect twice though nobody has failed? A listener that commits what a rebalance takes
(onPartitionsRevoked): does it cure that?
"""

from collections.abc import Mapping
from typing import Any

import attrs

from experiments._groups import (
    ALL_STILL,
    FROM_MS,
    LATENCY,
    LONGEST,
    MOVES,
    OWNERLESS,
    STILL,
    grouped,
)
from experiments._shared import APPLIED_TWICE, plotted
from models.groups.owning import Owning
from simulator import Crash, Experiment, Scenario, empirical


@attrs.frozen
class Protocol:
    """How the members rebalance; whether they commit what is taken from them as it is taken."""

    name: str
    settings: Mapping[str, Any]
    commit_revoked: bool = False


STICKY = {"partition.assignment.strategy": "cooperative-sticky"}
EAGER = Protocol("eager", {"partition.assignment.strategy": "range"})
COOPERATIVE = Protocol("cooperative", STICKY)
LISTENING = Protocol("cooperative, listening", STICKY, commit_revoked=True)
CONSUMER = Protocol("consumer", {"group.protocol": "consumer"})
PROTOCOLS = (EAGER, COOPERATIVE, LISTENING, CONSUMER)
PARTITIONS, MEMBERS = 12, 4
ORDERS, EVERY_US = 170, 20_000
HANDLING = empirical([3_000] * 99 + [1_500_000])


@attrs.frozen
class Storm:
    """What happens to the members while orders come in for ten seconds."""

    name: str
    instances: int
    faults: tuple[Crash, ...]


# Those that join later are away from the run's beginning.
GROWING = Storm(
    "two join",
    MEMBERS + 2,
    (
        Crash("billing-4", at_ms=0, down_ms=FROM_MS + 2_000),
        Crash("billing-5", at_ms=0, down_ms=FROM_MS + 6_000),
    ),
)
CRASHING = Storm(
    "two crash",
    MEMBERS,
    tuple(
        Crash(f"billing-{number}", "before_commit", nth=20 + 40 * number, down_ms=2_000)
        for number in range(2)
    ),
)
STORMS = (GROWING, CRASHING)


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Ten seconds of orders, and a storm."""
    storm: Storm = factors["storm"]
    protocol: Protocol = factors["protocol"]
    return grouped(
        f"rebalance storm, {storm.name}",
        orders=ORDERS,
        every_us=EVERY_US,
        instances=storm.instances,
        serving={"processing": HANDLING, "commit_revoked": protocol.commit_revoked},
        settings=protocol.settings,
        partitions=PARTITIONS,
        faults=storm.faults,
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A crash repeats what was not committed; so does a rebalance in which none may commit.

    While it rebalances, a cooperative member reads on and cannot commit. The listener commits what
    is revoked; but one that is late, and finds the next rebalance begun, has lost its partitions.
    """
    calm = factors["storm"] is GROWING and factors["protocol"] in (EAGER, CONSUMER)
    return {"never_applied_twice": "kept" if calm else "broken", "never_lost": "kept"}


EXPERIMENT = Experiment(
    name="rebalance_storm",
    question="What does a rebalance stop: the world, or what moves?",
    scenario=scenario,
    factors={"storm": STORMS, "protocol": PROTOCOLS},
    measures={
        "nothing handled": ALL_STILL,
        "standing still": STILL,
        "longest": LONGEST,
        "without an owner": OWNERLESS,
        "moved": MOVES,
        "applied twice": APPLIED_TWICE,
        "latency": LATENCY,
    },
    checks=("never_applied_twice", "never_lost"),
    promises=expected,
    runs=20,
    baseline={"protocol": "eager"},
    gather=Owning,
)

illustrate = plotted
