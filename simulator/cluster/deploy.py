"""What a scenario without a model of its own runs: one producer, one topic, one service, a ledger.

Each record is counted in the ledger, under its key, by the guarantee's sink (see `sinks`).
"""

from typing import TYPE_CHECKING

from simulator.cluster.cluster import Cluster
from simulator.cluster.service import Serving
from simulator.cluster.sinks import LEDGER, idempotent_sink, memory_sink, naive_sink
from simulator.errors import BadInput
from simulator.protocol.store import Add

if TYPE_CHECKING:
    from simulator.cluster.consumer import ConsumerRecord
    from simulator.cluster.service import HandlerFactory
    from simulator.world.world import World


def counted(record: "ConsumerRecord") -> Add:
    """One more for the record's key."""
    return Add(LEDGER, record.key, 1)


SINKS: "dict[str, HandlerFactory]" = {
    "naive": naive_sink(counted),
    "idempotent": idempotent_sink(counted),
    "memory": memory_sink(counted),
}


def deploy(world: "World") -> Cluster:
    """Put a scenario's application into a world.

    Raises:
        BadInput: the guarantee needs something that is not modelled.
    """
    scenario = world.scenario
    cluster = Cluster(world)
    if scenario.application is not None:
        scenario.application(cluster)
        return cluster
    guarantee, consumers, workload = scenario.guarantee, scenario.consumers, scenario.workload
    if guarantee.commit == "transaction" or guarantee.sink == "transaction":
        raise BadInput(
            "transactions are not modelled:",
            "guarantee",
            guarantee.name,
            "use exactly-once, whose effect and event id share one transaction of the store",
        )
    if LEDGER not in world.nodes:
        cluster.store(LEDGER)
    cluster.source(workload.producer, workload, guarantee.producer)
    serving = Serving(
        topics=workload.topics,
        settings={"auto.offset.reset": "earliest", **consumers.settings},
        commit=guarantee.commit,
        commit_each=consumers.commit_each,
        processing=consumers.processing,
        poll_timeout_ms=consumers.poll_timeout_ms,
    )
    factory = consumers.handler or SINKS[guarantee.sink]
    cluster.group(consumers.group, consumers.instances, factory, serving)
    return cluster
