"""A writer and readers of orders at work: what is charged, and what cannot be read.

One shop writes orders; each of its readers is a group of its own. Whether a reader can go on is its
own matter: what it cannot read it says, and passes on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from models.patterns.contracts.evolution import Reader, Writer, dollars
from simulator import (
    BadInput,
    Cases,
    Check,
    Cluster,
    Context,
    Scenario,
    Serving,
    Status,
    Topic,
    Topology,
    Upsert,
    Verdict,
    Watching,
    WorkItem,
    Workload,
)

LEDGER, CHARGED, TOPIC = "ledger", "charged", "orders"
UNREADABLE = "unreadable"


def charging(reader: Reader) -> Callable[[Context], Any]:
    """A factory of handlers: an order is charged once, and what cannot be read is told aloud."""

    def factory(context: Context) -> Callable[..., Any]:
        ledger = context.store(LEDGER)

        def handle(record: Any) -> Any:
            try:
                charge = reader(record.value)
            except BadInput as wrong:
                context.note(UNREADABLE, f"{record.event_id}: {wrong}")
                return
            yield ledger.transact(Upsert(CHARGED, charge.order_id, charge.cents))

        return handle

    return factory


def orders_of(*writers: Writer, every_us: int = 10_000) -> tuple[WorkItem, ...]:
    """One order of each writer, in turn."""
    return tuple(
        WorkItem(number * every_us, TOPIC, f"o-{number}", write(number), f"o-{number}")
        for number, write in enumerate(writers)
    )


def reading(
    items: tuple[WorkItem, ...], readers: Mapping[str, Reader], **more: Any
) -> Scenario:
    """The orders, and a group of one for each reader.

    Args:
        readers: the groups' names, and how they read.
        more: other fields of the Scenario.
    """

    def deploy(cluster: Cluster) -> None:
        cluster.store(LEDGER)
        cluster.source("shop", iter(items))
        for group, reader in readers.items():
            serving = Serving(topics=(TOPIC,), settings={"auto.offset.reset": "earliest"})
            cluster.group(group, 1, charging(reader), serving)

    more.setdefault("topology", Topology(topics=(Topic(TOPIC),)))
    return Scenario(application=deploy, workload=Workload(events=0), **more)


def _charged_rightly() -> Watching:
    cases, reached = Cases(), 0

    def on_applied(entry: Any) -> None:
        nonlocal reached
        _, table, order_id, cents, _ = entry[4]
        if table != CHARGED:
            return
        reached += 1
        right = 100 * dollars(int(order_id.rpartition("-")[2]))
        if cents != right:
            said = f"{order_id} was charged {cents} cents, and costs {right}"
            cases.add(said, (entry[0],), (order_id,))

    def on_noted(entry: Any) -> None:
        nonlocal reached
        if entry[4][1] == UNREADABLE:
            reached += 1
            said = f"{entry[2]} could not read {entry[4][2]}"
            cases.add(said, (entry[0],), (entry[4][2].partition(":")[0],))

    def finish() -> Verdict:
        if not reached:
            why = "no order was read"
            return Verdict("charged_rightly", Status.CANNOT_TELL, why=why)
        return cases.verdict("charged_rightly", reached)

    return Watching({"effect_applied": on_applied, "noted": on_noted}, finish)


charged_rightly = Check(
    "charged_rightly", "Every order that is read is charged what it costs.", _charged_rightly
)
