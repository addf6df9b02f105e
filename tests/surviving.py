"""Which faults leave what was acknowledged, under which settings: docs/replication.md's table.

The scenarios and most of the faults are those of tests/promised_replication.py. The reader comes
when everything is over, so that what is lost was not read before.

`python -m tests.surviving` prints the table; tests/test_surviving.py compares it with the page.
"""

from typing import Any

import attrs

from simulator import CHECKS, Crash, DiskLoss, FaultPlan, Scenario, Status, simulate
from tests.promised_replication import (
    ACKS_0,
    ACKS_1,
    BOTH_CRASH,
    CUT_OFF,
    ELECTS_ANYBODY,
    ELIGIBLE,
    LOSSLESS,
    ONE_POWER_LOSS,
    WEAKER,
    orders,
)

WEAKENED = {one.what: one.faults for one in WEAKER}
READS_LATE = Crash("billing-0", at_ms=1, down_ms=40_000)
JUDGES = ("acknowledged_is_read", "committed_is_kept")
ONE_OF_ONE = {"min.insync.replicas": 1}

CONFIGURATIONS: dict[str, Scenario] = {
    "1 copy": orders(replicas=1, broker=ONE_OF_ONE),
    "acks=0": orders(producer=ACKS_0),
    "acks=1": orders(producer=ACKS_1),
    "all": LOSSLESS.scenario,
    "all, unclean": orders(broker=ELECTS_ANYBODY),
    "all, ELR": ONE_POWER_LOSS.scenario,
    "all, ELR, at least 1": orders(variant=ELIGIBLE, broker=ONE_OF_ONE),
    "all, flushed": orders(topic={"flush.messages": 1}),
}

FAULTS: dict[str, tuple[Any, ...]] = {
    "the leader's process crashes": (Crash("broker-0", at_ms=220),),
    "the leader's process crashes while a record is on its way": WEAKENED["acks=0"],
    "the leader is cut off from its followers, then its process crashes": WEAKENED["acks=1"],
    "all three processes crash at once": tuple(
        Crash(f"broker-{number}", at_ms=100) for number in range(3)
    ),
    "the leader's machine loses its power": (Crash("broker-0", at_ms=220, mode="power"),),
    "the leader loses its disk": (DiskLoss("broker-0", 220),),
    "the leader comes back behind the others, and nobody else is there": WEAKENED[
        "unclean elections"
    ],
    "the leader is alone in sync, then loses its power": WEAKENED["no eligible leader replicas"],
    "the leader is alone in sync, then loses its disk": (CUT_OFF, DiskLoss("broker-0", 5_000)),
    "both followers crash, then the leader loses its power": (
        *BOTH_CRASH,
        Crash("broker-0", at_ms=3_000, mode="power"),
    ),
    "a follower is cut off, the other crashes, then the leader loses its power": WEAKENED[
        "a second unclean shutdown"
    ],
    "all three machines lose their power at once": WEAKENED["a power loss everywhere"],
}


def fate(scenario: Scenario, faults: tuple[Any, ...]) -> str:
    """kept or lost: what was acknowledged, or committed, under these faults."""
    trace = simulate(attrs.evolve(scenario, faults=FaultPlan((*faults, READS_LATE))))
    found = [CHECKS[name](trace).status for name in JUDGES]
    if Status.BROKEN in found:
        return "**lost**"
    assert all(status is Status.KEPT for status in found), found
    return "kept"


def table() -> str:
    """As it stands on the page."""
    columns = " | ".join(CONFIGURATIONS)
    lines = [f"| what happens | {columns} |", "|---" * (len(CONFIGURATIONS) + 1) + "|"]
    for what, faults in FAULTS.items():
        cells = " | ".join(fate(scenario, faults) for scenario in CONFIGURATIONS.values())
        lines.append(f"| {what} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
