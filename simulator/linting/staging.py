"""The small world in which a finding does its harm: one broker, quick groups, one store.

Names are the architecture's own, as far as a topic or a node can bear them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from simulator.chance.laws import constant
from simulator.cluster.cluster import Cluster
from simulator.cluster.serving import Serving
from simulator.errors import KafkaError, StoreError, UniqueViolation
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.store_operations import Delete, Select
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.scenario.workload import WorkItem

STORE = "database"
OWN = (STORE, "broker", "controller")
NAME_MOST = 100
IDLE_MOST = 50  # A relay ends when it has found nothing so often.
LATER_US = 1_000_000  # When the first event is sent: by then the groups have formed.
STEP_US = 20 * MICROS_PER_MS
BROKER = {"group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1_000}
SESSION = {
    "session.timeout.ms": 2_000, "heartbeat.interval.ms": 500, "request.timeout.ms": 2_000,
    "default.api.timeout.ms": 5_000, "auto.offset.reset": "earliest",
}  # fmt: skip
RAPID = {"linger.ms": 0}

Deploy = Callable[[Cluster], None]
Item = tuple[Any, str]  # A key, and an event id; the value is what stands before its slash.


def plain(name: str) -> str:
    """A name that topics and nodes may have, and that none of the world's own has."""
    shown = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")[:NAME_MOST] or "x"
    return f"{shown}-too" if shown in OWN else shown


def apart(name: str, *others: str) -> str:
    """A name for a part of the stage, which is none of the architecture's."""
    taken = [plain(other) for other in others]
    while name in taken:
        name += "-too"
    return name


def world(name: str, topics: Mapping[str, int], deploy: Deploy, horizon_ms: int = 30_000) -> Any:
    """A scenario with these topics (each with its partitions) and a store."""

    def application(cluster: Cluster) -> None:
        cluster.store(STORE)
        deploy(cluster)

    return Scenario(
        name=name,
        application=application,
        topology=Topology(topics=tuple(Topic(plain(one), many) for one, many in topics.items())),
        broker=BROKER,
        horizon_ms=horizon_ms,
    )


def send(
    cluster: Cluster, sender: str, topic: str, items: Iterable[Item], later_us: int = 0
) -> None:
    """A sender of events, one after the other; the first when the groups have formed."""
    work = [
        WorkItem(
            LATER_US + later_us + number * STEP_US, plain(topic), key, event_id.split("/")[0],
            event_id,
        )
        for number, (key, event_id) in enumerate(items)
    ]  # fmt: skip
    cluster.source(plain(sender), work, RAPID)


def opened(cluster: Cluster, *rows: Any) -> None:
    """Rows that are there before anything happens."""

    def opening(node: Any) -> Any:
        while True:
            try:
                yield cluster.context(node).store(STORE).transact(*rows)
            except UniqueViolation:
                return  # It was tried before, by this start of the node or an earlier one.
            except StoreError:
                yield node.sleep(STEP_US)
            else:
                return

    cluster.driver("opening", opening)


def relay(cluster: Cluster, name: str, topic: str, *, writer: str, reads: str) -> None:
    """Rows of the table `outbox` become records: what is acknowledged is deleted.

    writer, reads: the service that writes those rows, and its topic; while it has something to
    read there may be more of them.
    """

    def relaying(node: Any) -> Any:
        context = cluster.context(node, RAPID)
        store = context.store(STORE)
        asking = cluster.consumer(node, {"group.id": plain(writer), "enable.auto.commit": False})
        idle = 0
        while idle < IDLE_MOST:
            try:
                if idle == IDLE_MOST - 1 and (yield from _behind(cluster, asking, plain(reads))):
                    idle = 0
                (rows,) = yield store.transact(Select("outbox"))
                for row in rows:
                    yield context.send(plain(topic), "", row.key, event_id=row.value)
                    yield store.transact(Delete("outbox", row.key, effect=False))
            except KafkaError:
                rows = ()  # It is tried again.
                idle = min(idle, IDLE_MOST - 2)
            idle = 0 if rows else idle + 1
            yield node.sleep(10 * STEP_US)

    cluster.driver(plain(name), relaying)


def _behind(cluster: Cluster, asking: Any, topic: str) -> Any:
    """Whether a consumer's group has not committed all that is in a topic."""
    places = cluster.partitions(topic)
    ends = yield asking.end_offsets(places)
    committed = yield asking.committed(places)
    return any(ends[where] > (committed[where] or 0) for where in places)


def serve(
    cluster: Cluster, service: str, topic: str, factory: Any, instances: int = 1, **more: Any
) -> None:
    """A group of a service's instances."""
    settings = {**SESSION, **more.pop("settings", {})}
    more.setdefault("processing", constant(STEP_US // 2))
    serving = Serving((plain(topic),), settings, producer=RAPID, **more)
    cluster.group(plain(service), instances, factory, serving)
