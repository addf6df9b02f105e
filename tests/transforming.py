"""A few orders that are transformed, exactly once: orders, the bills made of them, and an auditor.

Orders come one by one, and instances take two at a time, so that a run has several transactions.
Everybody who waits, waits for a second or two, so that a fault is over soon.
"""

from functools import partial
from typing import Any

from simulator import (
    AT_LEAST_ONCE,
    CHECKS,
    Add,
    Cluster,
    Output,
    Scenario,
    Serving,
    Topic,
    Topology,
    Transforming,
    Variant,
    Workload,
    constant,
    passed_on,
    steady,
    uniform_keys,
)
from tests.few_orders import BROKER, PATIENCE, SESSION

SHOP, BILLING, AUDITOR = "shop", "billing", "auditor"
ORDERS, BILLS, LEDGER = "orders", "bills", "ledger"
PATIENT = {**PATIENCE, "delivery.timeout.ms": 600_000}  # An order that is given up is no input.
IMPATIENT = {**PATIENCE, "max.block.ms": 2_000, "transaction.timeout.ms": 5_000}
READING = {**SESSION, "max.poll.records": 2}
LOOKING_OFTEN = {
    **BROKER, "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
}  # fmt: skip
COMMITTED = {"isolation.level": "read_committed", "auto.offset.reset": "earliest"}
KEPT = tuple(
    CHECKS[name]
    for name in (
        "exactly_once_output", "aborted_is_never_read", "transactions_atomic", "transactions_end"
    )
)  # fmt: skip


def audited(_: Any) -> Any:
    """A handler that only reads."""
    return lambda _: None


def counted(context: Any) -> Any:
    """Beside its bill, an entry in a store, which knows nothing of the transaction."""

    def transform(record: Any) -> Any:
        yield context.store(LEDGER).transact(Add(LEDGER, record.key, 1))
        return Output(record.key, record.value)

    return transform


def deploy(
    cluster: Cluster,
    instances: int,
    transforming: Transforming,
    factory: Any,
    isolation: str,
) -> None:
    """A shop, who bills its orders, and who reads the bills."""
    if factory is counted:
        cluster.store(LEDGER)
    workload = cluster.world.scenario.workload
    cluster.source(SHOP, workload, PATIENT)
    cluster.transform(BILLING, instances, factory, transforming)
    reading = {**SESSION, **COMMITTED, "isolation.level": isolation}
    cluster.group(AUDITOR, 1, audited, Serving((BILLS,), reading))


def few_bills(
    *,
    events: int = 6,
    instances: int = 2,
    replicas: int = 1,
    version: int = 2,
    isolation: str = "read_committed",
    factory: Any = passed_on,
    variant: dict[str, Any] | None = None,
    consumer: dict[str, Any] | None = None,
    producer: dict[str, Any] | None = None,
    broker: dict[str, Any] | None = None,
    processing_us: int = 2_000,
    per_s: float = 20,
    partitions: int = 2,
    **switches: Any,
) -> Scenario:
    """The scenario.

    Args:
        isolation: of the auditor.
        variant, consumer, producer, broker: beside those of this module; None takes one away.
        switches: of Transforming, such as rewinds=False.
    """
    reading = {**READING, **(consumer or {})}
    transforming = Transforming(
        sources=(ORDERS,),
        sink=BILLS,
        settings={name: value for name, value in reading.items() if value is not None},
        producer={**IMPATIENT, **(producer or {})},
        processing=constant(processing_us),
        poll_timeout_ms=100,
        **switches,
    )
    topics = (Topic(ORDERS, partitions, replicas), Topic(BILLS, partitions, replicas))
    return Scenario(
        topology=Topology(brokers=max(2, replicas), topics=topics),
        workload=Workload(
            events=events, arrivals=steady(per_s), keys=uniform_keys(2), producer=SHOP
        ),
        application=partial(
            deploy,
            instances=instances,
            transforming=transforming,
            factory=factory,
            isolation=isolation,
        ),
        guarantee=AT_LEAST_ONCE,
        broker={**LOOKING_OFTEN, **(broker or {})},
        variant=Variant(transaction_version=version, **(variant or {})),
    )
