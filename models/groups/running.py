"""A consumer group under steady orders, and a deployment that restarts its instances in turn."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from models.systems.orders import LEDGER, TOPIC, naive, work
from simulator import Cluster, Crash, Serving, WorkItem


@attrs.frozen
class Restart:
    """One instance goes at a time, and is back after a while.

    Args:
        instance: its node.
        at_ms: when it is asked to end, and closes its consumer.
        away_ms: how long after that it is there again; more than the grace.
        grace_ms: when its process is killed, whether it is done or not; 0: nobody has asked.
    """

    instance: str
    at_ms: int
    away_ms: int
    grace_ms: int = 0

    @property
    def crash(self) -> Crash:
        """The end of the process, as a fault."""
        down_ms = self.away_ms - self.grace_ms
        return Crash(self.instance, at_ms=self.at_ms + self.grace_ms, down_ms=down_ms)


def rolling(
    instances: int,
    *,
    from_ms: int,
    every_ms: int,
    away_ms: int,
    grace_ms: int = 0,
    group: str = "billing",
) -> tuple[Restart, ...]:
    """One instance after another is restarted, as a deployment does it."""
    return tuple(
        Restart(f"{group}-{number}", from_ms + number * every_ms, away_ms, grace_ms)
        for number in range(instances)
    )


def steady_orders(orders: int, every_us: int, from_us: int) -> list[WorkItem]:
    """The lives of so many orders, an event every `every_us`; those of one order far apart."""
    return [
        item._replace(at_us=from_us + place * every_us)
        for place, item in enumerate(work(orders))
    ]


def deploy(
    cluster: Cluster,
    items: Iterable[WorkItem],
    instances: int,
    *,
    serving: Mapping[str, Any],
    restarts: tuple[Restart, ...] = (),
    handler: Any = naive,
    producer: Mapping[str, Any] | None = None,
    group: str = "billing",
) -> None:
    """A producer, a ledger, a group, and whoever restarts its instances.

    Args:
        serving: the fields of Serving but for the topics.
        restarts: who is asked to end; that the process is gone is up to the fault plan.
    """
    cluster.store(LEDGER)
    cluster.source("order-service", iter(items), {"linger.ms": 0, **(producer or {})})
    service = cluster.group(group, instances, handler, Serving(topics=(TOPIC,), **serving))
    asked = sorted((one for one in restarts if one.grace_ms), key=lambda one: one.at_ms)

    def deployment(node: Any) -> Any:
        for one in asked:
            yield node.sleep(one.at_ms * 1_000 - node.now_us)
            service.stop(one.instance)

    if asked:
        cluster.driver("deployment", deployment)
