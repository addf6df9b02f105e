"""Draws the pictures that the README and these pages show: `python docs/pictures.py`.

    one_crash.svg    the same crash under three guarantees, from experiments/delivery_guarantees.py
    lost_leader.svg  acks=1: a leader dies with a record that no follower has

tests/report/test_readme_figure.py fails when a picture is not what this would draw.
"""

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

if TYPE_CHECKING:
    from simulator import Scenario


def one_crash() -> str:
    """One crash, three guarantees."""
    drawn: str = importlib.import_module("experiments.delivery_guarantees").one_crash_figure()
    return drawn


def lost_leader() -> str:
    """A leader that answers at once, and dies."""
    from simulator import Zero, figure, simulate, spacetime

    run = spacetime(simulate(lost_leader_scenario(), Zero()))
    lost = sum(row.kind == "lost" for row in run.rows)
    name = "acks=1: the leader answers before anybody else has the record"
    panels = [(name, f"acknowledged 2, lost {lost}", run)]
    return figure(panels, title="A leader dies alone", until_us=5_150_000)


def lost_leader_scenario() -> "Scenario":
    """Two events and one fault, on wires so slow that arrows are seen to slant.

    The followers take e1 over; before they ask again, e2 is appended and acknowledged, and the
    leader dies. Three brokers keep the topic; the fourth coordinates the group.
    """
    from simulator import (
        Consumers,
        Crash,
        FaultPlan,
        Guarantee,
        Link,
        Scenario,
        Topic,
        Topology,
        WorkItem,
        Workload,
        constant,
    )

    items = tuple(
        WorkItem(at_ms * 1_000, "orders", "o-1", "", f"e{number}")
        for number, at_ms in enumerate((1_000, 1_600), start=1)
    )
    links = (
        Link("order-service", "broker-*", constant(200_000)),
        Link("broker-*", "order-service", constant(150_000)),
        Link("broker-*", "broker-*", constant(300_000)),
        Link("broker-*", "accounting-0", constant(150_000)),
        Link("accounting-0", "ledger", constant(150_000)),
        Link(latency=constant(5_000)),
    )
    return Scenario(
        topology=Topology(4, (Topic("orders", 1, replication_factor=3),), links),
        workload=Workload(topic="orders", producer="order-service", items=items),
        consumers=Consumers(group="accounting", instances=1, processing=constant(200_000)),
        guarantee=Guarantee("leader-only", {"acks": "1", "enable.idempotence": False}),
        broker={
            "broker.heartbeat.interval.ms": 250,
            "broker.session.timeout.ms": 1_000,
            "group.initial.rebalance.delay.ms": 0,
        },
        faults=FaultPlan((Crash("broker-0", at_ms=2_050, down_ms=2_000),)),
    )


PICTURES = {"one_crash.svg": one_crash, "lost_leader.svg": lost_leader}


def main() -> None:
    """Draw them all."""
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
        print(f"drawn: docs/{name}")


if __name__ == "__main__":
    main()
