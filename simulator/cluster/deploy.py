"""What a scenario without a model of its own runs: one producer, one topic, one service, a ledger.

Each record is counted in the ledger, under its key, by the guarantee's sink (see `sinks`). Where
the sink is a transaction, the service writes to a topic, `billing-output`, and a reader counts
what is committed there.
"""

from typing import TYPE_CHECKING, Any

from simulator.cluster.cluster import Cluster
from simulator.cluster.serving import Serving
from simulator.cluster.sinks import (
    LEDGER,
    PROCESSED,
    idempotent_sink,
    memory_sink,
    naive_sink,
)
from simulator.cluster.transforming import Transforming, passed_on
from simulator.errors import BadInput, UniqueViolation
from simulator.protocol.store import Add, Insert

if TYPE_CHECKING:
    from simulator.cluster.consumer import ConsumerRecord
    from simulator.cluster.context import Context
    from simulator.cluster.service import Handler, HandlerFactory
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
        BadInput: the guarantee's commit and sink do not go together.
    """
    scenario = world.scenario
    cluster = Cluster(world)
    if scenario.application is not None:
        scenario.application(cluster)
        return cluster
    guarantee, consumers, workload = scenario.guarantee, scenario.consumers, scenario.workload
    if (guarantee.commit == "transaction") != (guarantee.sink == "transaction"):
        rule = "commits in transactions need a sink in transactions, and it them; not"
        raise BadInput(rule, f"guarantee {guarantee.name}", (guarantee.commit, guarantee.sink))
    if LEDGER not in world.nodes:
        cluster.store(LEDGER)
    cluster.source(workload.producer, workload, guarantee.producer)
    if guarantee.commit == "transaction":
        _transform(cluster)
        return cluster
    serving = Serving(
        topics=workload.topics,
        settings={"auto.offset.reset": "earliest", **consumers.settings},
        commit=guarantee.commit,
        commit_each=consumers.commit_each,
        processing=consumers.processing,
        poll_timeout_ms=consumers.poll_timeout_ms,
        parallel=consumers.parallel,
    )
    factory = consumers.handler or SINKS[guarantee.sink]
    cluster.group(consumers.group, consumers.instances, factory, serving)
    return cluster


def _transform(cluster: Cluster) -> None:
    """The service writes what it makes of each record, in transactions, and a reader counts that.

    A record that is read again lies where it lay: so it is counted once for each place.
    """
    scenario = cluster.world.scenario
    consumers, workload = scenario.consumers, scenario.workload
    like = cluster.layout.topics[workload.topics[0]]
    sink = cluster.topic(f"{consumers.group}-output", like.partitions, like.replication_factor)
    settings = {"auto.offset.reset": "earliest", **consumers.settings}
    transforming = Transforming(
        sources=workload.topics,
        sink=sink,
        settings=settings,
        producer=scenario.guarantee.producer,
        processing=consumers.processing,
        poll_timeout_ms=consumers.poll_timeout_ms,
    )
    factory = consumers.handler or passed_on
    cluster.transform(consumers.group, consumers.instances, factory, transforming)
    reading = {**settings, "isolation.level": "read_committed"}
    cluster.group(
        f"{consumers.group}-reader", 1, _each_place_once, Serving((sink,), reading)
    )


def _each_place_once(context: "Context") -> "Handler":
    ledger = context.store(LEDGER)

    def handle(record: "ConsumerRecord") -> Any:
        place = f"{record.topic}-{record.partition}@{record.offset}"
        mark = Insert(PROCESSED, place, effect=False)
        try:
            yield ledger.transact(mark, counted(record))
        except UniqueViolation:
            return  # It was read, and counted, before.

    return handle
