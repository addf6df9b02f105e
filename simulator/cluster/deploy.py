"""What a scenario without a model of its own runs: one producer, one topic, one service, a ledger.

Each record is applied to the ledger by the guarantee's sink. The three sinks are the whole
difference between applying twice and not:

naive       the effect, each time the record is handled
idempotent  the effect and the event's id in one transaction of the store: a second is refused
memory      the ids that were seen are in a set, in the handler's memory
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.cluster.cluster import Cluster
from simulator.cluster.service import Serving
from simulator.errors import BadInput, UniqueViolation
from simulator.protocol.store import Add, Insert

if TYPE_CHECKING:
    from simulator.cluster.consumer import ConsumerRecord
    from simulator.cluster.context import Context
    from simulator.world.world import World

LEDGER = "ledger"
PROCESSED = "processed"


def naive_sink(context: "Context") -> Callable[..., Any]:
    """Count each handling of a record in the ledger."""
    ledger = context.store(LEDGER)

    def handle(record: "ConsumerRecord") -> Any:
        yield ledger.transact(Add(LEDGER, record.key, 1))

    return handle


def idempotent_sink(context: "Context") -> Callable[..., Any]:
    """Count a record in the transaction that marks its event as processed."""
    ledger = context.store(LEDGER)

    def handle(record: "ConsumerRecord") -> Any:
        try:
            yield ledger.transact(
                Insert(PROCESSED, record.event_id, "", effect=False),
                Add(LEDGER, record.key, 1),
            )
        except UniqueViolation:
            return  # It was applied before: nothing is left to do.

    return handle


def memory_sink(context: "Context") -> Callable[..., Any]:
    """Count a record unless its event is in a set, which a restart empties."""
    ledger = context.store(LEDGER)
    seen: set[str] = set()

    def handle(record: "ConsumerRecord") -> Any:
        if record.event_id not in seen:
            yield ledger.transact(Add(LEDGER, record.key, 1))
            seen.add(record.event_id)

    return handle


SINKS: dict[str, Callable[["Context"], Callable[..., Any]]] = {
    "naive": naive_sink,
    "idempotent": idempotent_sink,
    "memory": memory_sink,
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
        processing=consumers.processing,
        poll_timeout_ms=consumers.poll_timeout_ms,
    )
    factory = consumers.handler or SINKS[guarantee.sink]
    cluster.group(consumers.group, consumers.instances, factory, serving)
    return cluster
