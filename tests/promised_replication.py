"""What replication promises, and each way to have it promise less, with the faults that show it.

The promises: with acks=all, three replicas, two of them in sync at least and no unclean elections
nothing that was acknowledged is lost, however many processes crash or stand still and whatever
the network does. With eligible leader replicas one power loss may come on top.

A process that crashed has not shut down in order: for eligible leader replicas that is an unclean
shutdown like a loss of power (KIP-966), and of those it stands one less than min.insync.replicas.
So the second promise has no crashes of brokers beside the one that lost its power.
"""

from typing import Any

import attrs
from hypothesis import strategies as st

from simulator import (
    AT_LEAST_ONCE,
    CHECKS,
    BadInput,
    Consumers,
    Crash,
    DiskLoss,
    FaultPlan,
    Partition,
    Scenario,
    Variant,
    constant,
)
from simulator.testing import fault_plans
from tests.few_orders import SESSION
from tests.promised import Promised
from tests.replicated_orders import replicated_orders

KEPT = tuple(
    CHECKS[name]
    for name in (
        "acknowledged_is_read",
        "committed_is_kept",
        "replicas_agree",
        "offsets_agree",
        "one_leader_an_epoch",
        "stored_once",
        "polls_in_order",
        "sends_in_order",
        "high_watermark_never_falls",
    )
)
SERVERS = ("broker-*", "controller")
STANDS = ("crash", "pause", "delay", "duplicate", "drop", "partition", "clog")
NO_CRASH = ("pause", "delay", "duplicate", "drop", "partition", "clog")
PATIENT = {"delivery.timeout.ms": 600_000, "linger.ms": 0, "request.timeout.ms": 1_000}
ELIGIBLE = Variant(eligible_leader_replicas=True)


def orders(**more: Any) -> Scenario:
    """Some orders, and a reader of each."""
    more.setdefault("producer", PATIENT)
    more.setdefault("events", 8)
    reader = Consumers(instances=1, settings=SESSION, processing=constant(1_000))
    return replicated_orders(AT_LEAST_ONCE, per_s=5, consumers=reader, **more)


def one_power_loss(scenario: Scenario) -> st.SearchStrategy[FaultPlan]:
    """One broker loses its power; whatever else happens, no other broker's process crashes."""
    power = fault_plans(scenario, kinds=("power",), nodes="broker-*", most=1)
    others = fault_plans(scenario, kinds=NO_CRASH, nodes=SERVERS, most=5)
    return st.builds(together, power, others)


def together(one: FaultPlan, other: FaultPlan) -> FaultPlan:
    """Both plans; the one alone where they contradict each other."""
    try:
        return one + other
    except BadInput:
        return one


LOSSLESS = Promised(
    "acks=all on two in-sync replicas of three loses nothing",
    orders(),
    KEPT,
    kinds=STANDS,
    nodes=SERVERS,
    most=8,
)
SPREAD = Promised(
    "nor does it with several partitions, whose leaders are everywhere",
    orders(partitions=3, events=12),
    KEPT,
    kinds=STANDS,
    nodes=SERVERS,
    most=8,
)
ONE_POWER_LOSS = Promised(
    "with eligible leader replicas one power loss may come on top",
    orders(variant=ELIGIBLE),
    KEPT,
    plans=one_power_loss,
)
REPLICATION_PROMISES = (LOSSLESS, SPREAD, ONE_POWER_LOSS)


@attrs.frozen
class Weaker:
    """Less than a promise asks for, or more faults than it stands: the fewest that break it.

    Attributes:
        what: is weaker, or comes on top.
        scenario: the promise's, but for that.
        check: what is broken.
        faults: all of them are needed.
        kept_by: what keeps the promise under these faults; None if it is the faults that are
            too many.
    """

    what: str
    scenario: Scenario
    check: str
    faults: tuple[Any, ...]
    kept_by: Scenario | None = None


ACKS_1 = {**PATIENT, "acks": "1", "enable.idempotence": False}
ACKS_0 = {**PATIENT, "acks": "0", "enable.idempotence": False}
FOLLOWERS = ("broker-1", "broker-2")
LATE = 15_000
CUT_OFF = Partition(FOLLOWERS, ("broker-0",), 150, LATE)  # From their leader, not from the rest.
BOTH_CRASH = (
    Crash("broker-1", at_ms=250, down_ms=LATE),
    Crash("broker-2", at_ms=250, down_ms=LATE),
)
ELECTS_ANYBODY = {"unclean.leader.election.enable": True}

WEAKER = (
    Weaker(
        "acks=1",
        orders(producer=ACKS_1),
        "acknowledged_is_read",
        (CUT_OFF, Crash("broker-0", at_ms=220)),
        LOSSLESS.scenario,
    ),
    Weaker(
        "acks=0",
        orders(producer=ACKS_0),
        "acknowledged_is_read",
        (Crash("broker-0", at_ms=201),),  # The record is on its way.
        LOSSLESS.scenario,
    ),
    Weaker(
        "unclean elections",
        orders(broker=ELECTS_ANYBODY),
        "committed_is_kept",
        (
            Crash("broker-1", "after_append", 1),
            Crash("broker-2", at_ms=1_405),
            Partition(("broker-0",), ("*",), 205, 1_205),
        ),
        LOSSLESS.scenario,
    ),
    Weaker(
        "a power loss of the last in sync",
        LOSSLESS.scenario,
        "committed_is_kept",
        (*BOTH_CRASH, Crash("broker-0", at_ms=3_000, mode="power")),
    ),
    Weaker(
        "a lost disk of the last in sync",
        LOSSLESS.scenario,
        "committed_is_kept",
        (*BOTH_CRASH, DiskLoss("broker-0", 3_000)),
    ),
    Weaker(
        "no eligible leader replicas",
        LOSSLESS.scenario,
        "committed_is_kept",
        (CUT_OFF, Crash("broker-0", at_ms=5_000, mode="power")),
        ONE_POWER_LOSS.scenario,
    ),
    Weaker(
        "min.insync.replicas=1",
        orders(variant=ELIGIBLE, broker={"min.insync.replicas": 1}),
        "committed_is_kept",
        (CUT_OFF, Crash("broker-0", at_ms=5_000, mode="power")),
        ONE_POWER_LOSS.scenario,
    ),
    Weaker(
        "one replica",
        orders(replicas=1, broker={"min.insync.replicas": 1}),
        "acknowledged_is_read",
        (Crash("broker-0", at_ms=10, mode="power"),),
        ONE_POWER_LOSS.scenario,
    ),
    Weaker(
        "a power loss everywhere",
        ONE_POWER_LOSS.scenario,
        "committed_is_kept",
        tuple(Crash(f"broker-{number}", at_ms=100, mode="power") for number in range(3)),
    ),
    Weaker(
        "a second unclean shutdown",
        ONE_POWER_LOSS.scenario,
        "committed_is_kept",
        (
            Partition(("broker-1",), ("broker-*", "controller"), 150, 30_000),
            Crash("broker-2", at_ms=4_000),
            Crash("broker-0", at_ms=4_500, mode="power", down_ms=3_000),
        ),
    ),
)
