"""The rows of transactions: a group reads and writes in transactions, and somebody reads that.

As a scenario's guarantee in transactions deploys it, but who reads may also see what is not
committed; each record that it is given is applied, unless it lies where one was applied before.
"""

from typing import TYPE_CHECKING, Any

from simulator.cluster.serving import Serving
from simulator.cluster.sinks import LEDGER, PROCESSED
from simulator.cluster.transforming import Transforming, passed_on
from simulator.errors import UniqueViolation
from simulator.protocol.store import Add, Insert

if TYPE_CHECKING:
    from simulator.cluster.cluster import Cluster
    from simulator.cluster.context import Context

SINK, READERS = "bills", "auditing"


def transforming(cluster: "Cluster", isolation: str, *, in_transaction: bool = True) -> None:
    """Deploy it.

    Args:
        isolation: the isolation.level of who reads what was written.
        in_transaction: whether offsets are committed in the transaction, or after it.
    """
    scenario = cluster.world.scenario
    consumers, workload = scenario.consumers, scenario.workload
    cluster.store(LEDGER)
    cluster.source(workload.producer, workload, scenario.guarantee.producer)
    settings = {"auto.offset.reset": "earliest", **consumers.settings, "max.poll.records": 2}
    how = Transforming(
        sources=workload.topics,
        sink=cluster.topic(SINK, 1, 1),
        settings=settings,
        producer=scenario.guarantee.producer,
        processing=consumers.processing,
        poll_timeout_ms=consumers.poll_timeout_ms,
        offsets_in_transaction=in_transaction,
    )
    cluster.transform(consumers.group, consumers.instances, passed_on, how)
    reading = {**settings, "isolation.level": isolation}
    cluster.group(READERS, 1, _each_place_once, Serving((SINK,), reading))


def _each_place_once(context: "Context") -> Any:
    ledger = context.store(LEDGER)

    def handle(record: Any) -> Any:
        place = f"{record.topic}-{record.partition}@{record.offset}"
        mark = Insert(PROCESSED, place, effect=False)
        try:
            yield ledger.transact(mark, Add(LEDGER, record.key, 1))
        except UniqueViolation:
            return  # It was read, and counted, before.

    return handle


__all__ = ["READERS", "SINK", "transforming"]
