"""What several experiments have in common: wires, patience, groups, and a few measures.

Links are slow enough for records to be under way together; a producer waits a second for an answer
rather than half a minute, and a group notices a dead member within seconds: so a run is short.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.topics.load import Load
from simulator import (
    Consumers,
    Guarantee,
    Link,
    Results,
    Topic,
    Topology,
    constant,
    exponential,
    results_plot,
    samples,
    share,
    uniform,
)

MILLISECOND_US = 1_000
SECOND_US = 1_000_000
FROM_US = 8 * SECOND_US  # By then a group has formed.

SESSION: Mapping[str, Any] = {
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 2_000,
    "max.poll.records": 10,  # So that a backlog is not one batch, and one commit.
}
PATIENCE: Mapping[str, Any] = {"request.timeout.ms": 1_000, "delivery.timeout.ms": 30_000}
WIRE = Link(latency=exponential(1_000, floor_us=200))


def patient(name: str, sink: str = "naive", commit: str = "after", **settings: Any) -> Guarantee:
    """A guarantee that promises nothing yet: the experiment declares what is kept.

    Args:
        settings: the producer's, with underscores for Kafka's dots: acks="all".
    """
    dotted = {key.replace("_", "."): value for key, value in settings.items()}
    return Guarantee(name=name, producer={**PATIENCE, **dotted}, commit=commit, sink=sink)


def billing(
    handler: Any = None, instances: int = 2, group: str = "billing", **settings: Any
) -> Consumers:
    """A group of services that need one to five milliseconds for an event.

    Args:
        handler: a factory of handlers; without one, events are counted in the ledger.
        group: the group, and what its nodes are called.
        settings: the consumers', with underscores for Kafka's dots.
    """
    dotted = {key.replace("_", "."): value for key, value in settings.items()}
    return Consumers(
        group=group,
        instances=instances,
        settings={**SESSION, **dotted},
        processing=uniform(1_000, 5_000),
        handler=handler,
    )


def lossy(requests: float = 0.0, answers: float = 0.0, sender: str = "order-service") -> list[Link]:
    """Wires on which a producer's requests, or the brokers' answers to them, get lost.

    Args:
        requests: the share of produce requests that never arrive.
        answers: the share of their answers that never arrive.
        sender: the producer's node.
    """
    slow = exponential(4_000, floor_us=1_000)
    return [
        Link(sender, "broker-*", slow, loss=requests, messages="ProduceRequest"),
        Link("broker-*", sender, slow, loss=answers, messages="ProduceResponse"),
        WIRE,
    ]


def steady_wire(latency_us: int = 1_000) -> Link:
    """A wire without chance."""
    return Link(latency=constant(latency_us))


# --- Pictures -----------------------------------------------------------------------------------


def plotted(results: Results, folder: Path) -> list[Path]:
    """Write the plot of all estimates; a file that calls this `illustrate` gets it with a run."""
    folder.mkdir(parents=True, exist_ok=True)
    plot = folder / "plot.svg"
    plot.write_text(results_plot(results), encoding="utf-8")
    return [plot]


# --- Measures of a Load ---------------------------------------------------------------------------

OUT_OF_ORDER = share(lambda run: run.out_of_order)
STORED_TWICE = share(lambda run: run.stored_twice)
APPLIED_TWICE = share(lambda run: (run.delivery.applied_twice, run.delivery.applied))
LATENCY = samples(lambda run: run.delivery.latencies_us, quantiles=(0.5, 0.99))
BUSIEST = share(lambda run: run.busiest)


def lost(run: Load) -> tuple[int, int] | None:
    """Acknowledged events that were never applied; None if the run was cut off."""
    delivery = run.delivery
    return None if delivery.lost is None else (delivery.lost, delivery.acknowledged)


LOST = share(lost)


# --- Replicas -----------------------------------------------------------------------------------

# Three brokers keep the topic. The fourth coordinates this group, and never fails here: so what is
# late is late for the sake of its replicas.
BROKERS, GROUP = 4, "accounting"
# A broker counts as gone after two seconds, a follower as behind after three.
REPLICATION: Mapping[str, Any] = {
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 2_000,
    "replica.lag.time.max.ms": 3_000,
}


def replicated(
    topic: str, *links: Link, partitions: int = 1, replication_factor: int = 3, **settings: Any
) -> Topology:
    """Four brokers and a topic that is kept on some of them; broker-0 leads partition 0.

    Args:
        links: before the plain wire.
        settings: the topic's, with underscores for Kafka's dots: min_insync_replicas=2.
    """
    dotted = {key.replace("_", "."): value for key, value in settings.items()}
    return Topology(
        brokers=BROKERS,
        topics=(Topic(topic, partitions, replication_factor, dotted),),
        links=(*links, WIRE),
    )
