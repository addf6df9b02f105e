"""Small shops for the laws: one broker, a topic or two, a handful of events, one or two consumers.

An event here is (at, id) or (at, id, key, value): at so many milliseconds it is handed to a
producer. By default its key is what stands before the slash of its id.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from simulator import (
    AT_LEAST_ONCE,
    Cluster,
    Consumers,
    Guarantee,
    Scenario,
    Serving,
    Topic,
    Topology,
    WorkItem,
    Workload,
    constant,
)
from tests.few_orders import BROKER, PATIENCE, SESSION, few_orders

ORDERS = "orders"
# Where a client is cut off, its transaction ends, and with it its locks, long before the run.
ENDS_IDLE = {"idle_in_transaction_session_timeout": 10_000}
Event = tuple[Any, ...]


def events(told: Iterable[Event], topic: str = ORDERS) -> tuple[WorkItem, ...]:
    """What is handed over, in the order of its time."""
    items = []
    for at_ms, event_id, *more in told:
        key = more[0] if more else event_id.partition("/")[0]
        value = more[1] if len(more) > 1 else event_id
        items.append(WorkItem(at_ms * 1_000, topic, key, value, event_id))
    return tuple(sorted(items, key=lambda item: item.at_us))


def shop(
    handler: Any = None,
    told: Iterable[Event] = ((0, "a/1"), (50, "a/2")),
    *,
    guarantee: Guarantee = AT_LEAST_ONCE,
    partitions: int = 1,
    instances: int = 1,
    consumer: dict[str, Any] | None = None,
    processing_us: int = 5_000,
    topics: tuple[Topic, ...] = (),
    serving: dict[str, Any] | None = None,
    **more: Any,
) -> Scenario:
    """Events for a group of `billing`, whose handlers come from a factory.

    Args:
        handler: the factory; None: the guarantee's sink.
        serving: fields of Consumers, such as parallel and commit_each.
        more: other fields of the Scenario.
    """
    consumers = Consumers(
        instances=instances,
        settings={**SESSION, **(consumer or {})},
        processing=constant(processing_us),
        handler=handler,
        **(serving or {}),
    )
    topology = Topology(topics=(Topic(ORDERS, partitions), *topics))
    return few_orders(
        guarantee,
        consumers=consumers,
        topology=topology,
        workload=Workload(topic=ORDERS, items=events(told)),
        **more,
    )


@attrs.frozen
class Group:
    """Who reads what: a name, a factory of handlers, topics, and how."""

    name: str
    handler: Any
    topics: tuple[str, ...] = (ORDERS,)
    instances: int = 1
    settings: Mapping[str, Any] = attrs.field(factory=dict)
    serving: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Producer:
    """Who sends what: a node's name, events, and the producer's settings."""

    name: str
    told: tuple[WorkItem, ...]
    settings: Mapping[str, Any] = attrs.field(factory=dict)


def deploy(
    cluster: Cluster, producers: tuple[Producer, ...], groups: tuple[Group, ...], more: Any
) -> None:
    """A ledger, producers, groups, and whatever `more(cluster)` adds."""
    cluster.store("ledger", ENDS_IDLE)
    for one in producers:
        cluster.source(one.name, one.told, {**PATIENCE, "linger.ms": 0, **one.settings})
    for group in groups:
        serving = Serving(
            topics=group.topics,
            settings={"auto.offset.reset": "earliest", **SESSION, **group.settings},
            **{
                "processing": constant(5_000),
                "producer": {**PATIENCE, "linger.ms": 0},
                **group.serving,
            },
        )
        cluster.group(group.name, group.instances, group.handler, serving)
    if more is not None:
        more(cluster)


def company(
    groups: Iterable[Group],
    told: Iterable[Event] = ((0, "a/1"), (50, "a/2")),
    *,
    producers: Iterable[Producer] = (),
    topics: Iterable[Topic] = (Topic(ORDERS, 1),),
    more: Any = None,
    **others: Any,
) -> Scenario:
    """Several groups and topics: what one group for one topic does not show.

    Args:
        told: what `shop` sends; unless there are `producers`.
        more: a function of the cluster.
        others: other fields of the Scenario.
    """
    sending = tuple(producers) or (Producer("shop", events(told)),)
    others.setdefault("broker", BROKER)
    others.setdefault("horizon_ms", 120_000)
    return Scenario(
        topology=Topology(topics=tuple(topics)),
        application=partial(deploy, producers=sending, groups=tuple(groups), more=more),
        **others,
    )
