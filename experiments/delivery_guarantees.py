"""What does each delivery guarantee lose, apply twice and cost, when consumers crash and answers
get lost?

The same orders (or the same real event log, `--events FILE`) are handled under four guarantees.
They differ in the producer's settings, in when offsets are committed, and in how a handler knows
that it applied an event before. Crashes strike between a record's handling and its commit; the
answers that are lost are the brokers' answers to the producer.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from models.systems.orders import SINKS, TOPIC, orders_scenario, work
from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    EXACTLY_ONCE,
    IN_MEMORY_SET,
    BadInput,
    Consumers,
    Crash,
    CrashHazard,
    Experiment,
    FaultPlan,
    Guarantee,
    Hazards,
    Link,
    Results,
    Scenario,
    Topic,
    Topology,
    WorkItem,
    Zero,
    constant,
    exponential,
    figure,
    read_event_log,
    results_plot,
    samples,
    share,
    simulate,
    spacetime,
    uniform,
)

GUARANTEES = (AT_MOST_ONCE, AT_LEAST_ONCE, EXACTLY_ONCE, IN_MEMORY_SET)
CRASHES = {"none": 0.0, "0.5%": 0.005, "2%": 0.02}  # At each of two points a record.
LOST_ANSWERS = {"none": 0.0, "5%": 0.05}
CRASHES_OF_LOGS = {"none": 0.0, "0.05%": 0.0005, "0.2%": 0.002}  # Logs are long.
ORDERS, EVERY_US = 40, 100_000
FROM_US = 8_000_000  # By then the group has formed.
RUNS, RUNS_OF_LOGS = 50, 3

SESSION = {
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 2_000,
    "max.poll.records": 10,  # So that a backlog is not one batch, and one commit.
}
PATIENCE = {"request.timeout.ms": 1_000, "delivery.timeout.ms": 20_000}


def experiment(
    *,
    events: str = "",
    span_ms: int = 60_000,
    case_id: str = "case_id",
    event_type: str = "event_type",
    timestamp: str = "timestamp",
    event_id: str = "event_id",
    orders: int = ORDERS,
) -> Experiment:
    """The experiment, on generated orders or on a real event log.

    Args:
        events: a CSV or JSON lines file; without one, orders are generated.
        span_ms: the virtual time into which the log is compressed.
        case_id: the column of the log that is the key; event_type, timestamp and event_id too.
        orders: how many orders are generated.
    """
    if events:
        columns = {
            "case_id": case_id,
            "event_type": event_type,
            "timestamp": timestamp,
            "event_id": event_id,
        }
        log = read_event_log(events, topic=TOPIC, span_ms=span_ms, **columns)
        items = tuple(item._replace(at_us=item.at_us + FROM_US) for item in log)
    else:
        items = work(orders, EVERY_US, FROM_US)
    if not items:
        raise BadInput("there must be something to deliver, not so many orders:", "orders", orders)

    def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
        return crashing(factors["guarantee"], items, factors["crashes"], factors["lost answers"])

    return Experiment(
        name="delivery_guarantees",
        question="What does each guarantee lose, apply twice and cost?",
        scenario=scenario,
        factors={
            "guarantee": GUARANTEES,
            "crashes": CRASHES_OF_LOGS if events else CRASHES,
            "lost answers": LOST_ANSWERS,
        },
        measures={
            "lost": share(lambda run: None if run.lost is None else (run.lost, run.acknowledged)),
            "applied twice": share(lambda run: (run.applied_twice, run.applied)),
            "out of order": share(lambda run: (run.out_of_order, run.applied)),
            "latency": samples(lambda run: run.latencies_us, quantiles=(0.5, 0.99)),
        },
        checks=("never_lost", "never_applied_twice"),
        promises=expected,
        runs=RUNS_OF_LOGS if events else RUNS,
        baseline={"guarantee": None},
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """What should come out: who breaks which promise once there are crashes."""
    name = factors["guarantee"].name if factors["crashes"] else ""
    doubling = (AT_LEAST_ONCE.name, IN_MEMORY_SET.name)
    return {
        "never_lost": "broken" if name == AT_MOST_ONCE.name else "kept",
        "never_applied_twice": "broken" if name in doubling else "kept",
    }


def crashing(
    guarantee: Guarantee, items: tuple[WorkItem, ...], crashes: float, lost_answers: float
) -> Scenario:
    """Orders under a guarantee, with consumers that crash and brokers whose answers get lost."""
    patient = attrs.evolve(guarantee, producer={**guarantee.producer, **PATIENCE})
    latency = exponential(1_000, floor_us=200)
    return orders_scenario(
        patient,
        items=items,
        topology=Topology(
            topics=(Topic(TOPIC, 3),),
            links=(
                Link(
                    "broker-*",
                    "order-service",
                    latency=latency,
                    loss=lost_answers,
                    messages="ProduceResponse",
                ),
                Link(latency=latency),
            ),
        ),
        consumers=Consumers(
            group="billing",
            instances=2,
            settings=SESSION,
            processing=uniform(1_000, 5_000),
            handler=SINKS[guarantee.sink],
        ),
        hazards=Hazards(
            crash=(CrashHazard("billing-*", "*_process", p=crashes, down=constant(2_000_000)),)
        ),
    )


# --- The picture: one crash, three guarantees ---------------------------------------------------

DRAWN = {
    AT_MOST_ONCE: "commit, then process",
    AT_LEAST_ONCE: "process, then commit",
    EXACTLY_ONCE: "the effect and the event's id in one transaction",
}
DRAWN_ORDERS = ("o-1", "o-2")  # Their keys lie in different partitions.
# Wires so slow that arrows are seen to slant; the group's own messages are few, and pass quicker.
SLOW = (
    Link("order-service", "broker-*", constant(250_000)),
    Link("broker-*", "billing-*", constant(200_000)),
    Link("billing-*", "ledger", constant(200_000)),
    Link("billing-*", "broker-*", constant(80_000)),
    Link(latency=constant(100_000)),
)


def illustrate(results: Results, folder: Path) -> list[Path]:
    """Write the plot of all estimates, and the space-time figure of one crash."""
    folder.mkdir(parents=True, exist_ok=True)
    plot, story = folder / "plot.svg", folder / "one_crash.svg"
    plot.write_text(results_plot(results), encoding="utf-8")
    story.write_text(one_crash_figure(), encoding="utf-8")
    return [plot, story]


def slow_scenario(guarantee: Guarantee, *faults: Crash) -> Scenario:
    """Two orders on slow wires, with a group that notices a crash within seconds."""
    orders = [item for item in work(3, every_us=600_000) if item.key in DRAWN_ORDERS]
    items = tuple(
        item._replace(at_us=item.at_us + 1_400_000, event_id=f"e{number}")
        for number, item in enumerate(orders, start=1)
    )
    return orders_scenario(
        guarantee,
        items=items,
        topology=Topology(topics=(Topic(TOPIC, 2),), links=SLOW),
        consumers=Consumers(
            group="billing",
            instances=2,
            settings={
                "session.timeout.ms": 2_000,
                "heartbeat.interval.ms": 500,
                "max.poll.records": 1,
            },
            processing=constant(300_000),
            handler=SINKS[guarantee.sink],
        ),
        broker={"group.initial.rebalance.delay.ms": 300, "group.min.session.timeout.ms": 1_000},
        faults=FaultPlan(faults),
    )


def the_crash() -> Crash:
    """A crash just after the first effect, before its commit, if commits come after.

    At the same instant a consumer that commits first is still at work on what it committed.
    """
    calm = simulate(slow_scenario(AT_LEAST_ONCE), Zero())
    first = next(entry for entry in calm if entry.event.kind == "processing_started")
    effect = next(entry for entry in calm if entry.event.kind == "effect_applied")
    return Crash(first.node, at_ms=effect.at_us // 1_000 + 20, down_ms=4_000)


def one_crash_figure() -> str:
    """The same orders and the same crash under three guarantees, one below the other."""
    crash = the_crash()
    panels = []
    for guarantee, how in DRAWN.items():
        run = spacetime(simulate(slow_scenario(guarantee, crash), Zero()))
        panels.append((f"{guarantee.name}: {how}", said(run), run))
    return figure(panels, title="One crash, three guarantees")


def said(run: Any) -> str:
    """`lost 1, applied twice 0`."""
    kinds = [row.kind for row in run.rows]
    return f"lost {kinds.count('lost')}, applied twice {kinds.count('duplicate')}"
