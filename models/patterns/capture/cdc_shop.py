"""A shop's database, captured: what is written to it when, and everything around it.

The shop writes its own tables, and knows of no topic. A connector (as Debezium) reads the
database's log, and publishes what has changed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from models.patterns.capture.cdc import copy_service, copying
from simulator import (
    Cluster,
    FaultPlan,
    Hazards,
    Insert,
    Scenario,
    StoreError,
    Topology,
    Upsert,
    ask_snapshot,
)

SHOP, CONNECTOR = "shop", "connector"
SIGNALS, SLOT = "debezium_signal", "debezium"
SETTINGS: Mapping[str, Any] = {
    "topic.prefix": "shop",
    "signal.data.collection": SIGNALS,
    "poll.interval.ms": 10,
    "offset.flush.interval.ms": 500,
    "retriable.restart.connector.wait.ms": 1_000,
}


@attrs.frozen
class Work:
    """A transaction of the shop: begun at a time, and kept open for a while before it commits."""

    at_us: int
    operations: Sequence[Any]
    open_us: int = 0


def shop(
    cluster: Cluster,
    work: Iterable[Work],
    before: Sequence[Any] = (),
    settings: Mapping[str, Any] | None = None,
    *,
    slot: bool = False,
) -> None:
    """The database and the application that writes to it.

    Args:
        before: what is written at once, before the connector has taken its first step.
        settings: the database's.
        slot: whether its operators make the connector's slot before any work is done, so that the
            connector misses none of it, however late it comes.
    """
    cluster.store(SHOP, settings)
    planned = list(work)

    def do(node: Any, one: Work) -> Any:
        database = cluster.context(node).store(SHOP)
        yield node.sleep(one.at_us)
        try:
            if not one.open_us:
                yield database.transact(*one.operations)
                return
            transaction = yield database.begin()
            yield transaction.run(*one.operations)
            yield node.sleep(one.open_us)
            yield transaction.commit()
        except StoreError as unsure:  # Whether it happened or not: it is not done again.
            node.record(("noted", "work given up", str(unsure)))

    def prepare(node: Any) -> Any:
        database = cluster.context(node).store(SHOP)
        while True:
            try:
                if (yield database.slot(SLOT)) is not None:
                    return
                yield database.create_slot(SLOT)
            except StoreError:  # The connector was quicker, or nobody answered.
                yield node.sleep(100_000)

    def drive(node: Any) -> Any:
        if before:
            yield node.start(do(node, Work(0, before)), "before")
        if slot:
            yield node.start(prepare(node), "prepare")
        yield from [node.start(do(node, one), "work") for one in planned]

    cluster.driver("application", drive)


def signal(tables: Iterable[str], kind: str = "incremental") -> Insert:
    """What the shop's operators write to have tables read again."""
    return Insert(SIGNALS, f"ask-{kind}", ask_snapshot("ad hoc", tables, kind), effect=False)


def watching_log(cluster: Cluster, slot: str = SLOT, every_us: int = 1_000_000) -> None:
    """Somebody who looks how much of the log the database keeps for a slot, and notes it."""

    def boot(node: Any) -> None:
        node.start(look(node), "look")

    def look(node: Any) -> Any:
        database = cluster.context(node).store(SHOP)
        while True:
            yield node.sleep(every_us)
            state = yield database.slot(slot)
            if state is not None:
                node.record(("noted", "log retained", str(state.retained_transactions)))

    cluster.node("watcher", boot)


def work(*operations: Any, every_us: int = 100_000, from_us: int = 1_000_000) -> tuple[Work, ...]:
    """Transactions of one operation, or of several in a tuple, one after the other."""
    return tuple(
        Work(from_us + number * every_us, (one,) if hasattr(one, "table") else one)
        for number, one in enumerate(operations)
    )


def put(key: Any, value: Any, table: str = "orders") -> Upsert:
    """Make a row what it shall be."""
    return Upsert(table, key, value)


def _deploy(
    cluster: Cluster,
    *,
    jobs: Iterable[Work],
    before: Sequence[Any],
    tables: Sequence[Any],
    settings: Mapping[str, Any],
    store: Mapping[str, Any],
    handler: Any,
    topics: Sequence[str],
    more: Callable[[Cluster], None] | None,
    slot: bool,
    how: Mapping[str, Any],
) -> None:
    shop(cluster, jobs, before, store, slot=slot)
    cluster.connector(CONNECTOR, SHOP, tables, {**SETTINGS, **settings}, **how)
    if handler is not None:
        copy_service(cluster, topics, handler)
    if more is not None:
        more(cluster)


def captured(
    jobs: Iterable[Work],
    *,
    before: Sequence[Any] = (),
    tables: Sequence[Any] = ("orders",),
    settings: Mapping[str, Any] | None = None,
    store: Mapping[str, Any] | None = None,
    handler: Any = copying,
    topics: Sequence[str] = (),
    more: Callable[[Cluster], None] | None = None,
    faults: Iterable[Any] = (),
    hazards: Hazards | None = None,
    links: Iterable[Any] = (),
    brokers: int = 1,
    broker: Mapping[str, Any] | None = None,
    slot: bool = False,
    **how: Any,
) -> Scenario:
    """A shop, a connector, and a copy.

    Args:
        before: what the shop writes at once, before the connector has taken its first step.
        settings: of the connector, beside SETTINGS.
        store: of the shop's database.
        handler: of the service that keeps the copy; None: nobody does.
        topics: that it reads, if they are not those of the tables.
        more: what else there is.
        slot: whether the connector's slot is made before any work is done.
        how: of the connector: capture, router, elsewhere, partitions, topic_settings.
    """
    names = [getattr(table, "name", table) for table in tables]
    reads = tuple(topics) or tuple(f"{SETTINGS['topic.prefix']}.{name}" for name in names)
    deploy = partial(
        _deploy, jobs=tuple(jobs), before=before, tables=tables, settings=settings or {},
        store=store or {}, handler=handler, topics=reads, more=more,
        slot=slot, how=how,
    )  # fmt: skip
    return Scenario(
        name="captured",
        application=deploy,
        topology=Topology(brokers=brokers, topics=(), links=tuple(links)),
        faults=FaultPlan(tuple(faults)),
        hazards=hazards or Hazards(),
        broker={"group.initial.rebalance.delay.ms": 0, **(broker or {})},
        horizon_ms=120_000,
    )
