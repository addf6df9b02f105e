"""From one node to another: how long messages take, what is held, and what chance has to say.

A route knows each kind of message by itself: its sites are drop, duplicate and delay of the kind.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from simulator.chance import Bernoulli, Copies
from simulator.chance.sites import Site

if TYPE_CHECKING:
    from simulator.scenario.topology import Link
    from simulator.world.network import Network
    from simulator.world.node import Node

Draw = Callable[[], int]

LOSSLESS, SINGLE = Bernoulli(0.0), Copies(0.0)


@lru_cache(maxsize=256)
def _laws(loss: float, duplicate: float) -> tuple[Bernoulli, Copies]:
    return Bernoulli(loss), Copies(duplicate)


@lru_cache(maxsize=4_096)
def _sites(source: str, target: str, message: str) -> tuple[Site, Site, Site]:
    """Where it is asked about a kind of message; runs by the thousand ask at the same sites."""
    where = f"{source}>{target}/{message}"
    return (
        Site(f"drop@{where}", "drop"),
        Site(f"duplicate@{where}", "duplicate"),
        Site(f"delay@{where}", "delay"),
    )


class Plan:
    """What chance has to say on one kind of message on one route; None: nothing ever."""

    __slots__ = ("delay", "drop", "duplicate", "name")

    def __init__(
        self, name: str, drop: Draw | None, duplicate: Draw | None, delay: Draw | None
    ) -> None:
        self.name = name
        self.drop = drop
        self.duplicate = duplicate
        self.delay = delay


class Route:
    """From one node to another."""

    __slots__ = (
        "clogs", "cuts", "floor_us", "held", "link", "network", "plans", "source", "target",
    )

    def __init__(self, network: "Network", source: "Node", target: "Node", link: "Link") -> None:
        self.network = network
        self.source = source
        self.target = target
        self.link = link
        self.floor_us = link.latency.floor_us
        self.plans: dict[type, Plan] = {}
        self.cuts = 0  # A count, because partitions may overlap.
        self.clogs = 0
        self.held: list[tuple[Any, ...]] = []

    def plan(self, message: type) -> Plan:
        """The plan of a kind of message, made when the first such message is sent."""
        found = self.plans.get(message)
        if found is None:
            name = message.__name__
            network, link = self.network, self.link
            loss, copies = _laws(link.loss, link.duplicate)
            drop, duplicate, delay = _sites(self.source.name, self.target.name, name)
            spoils = link.loss or link.duplicate  # Else no name need be looked at.
            hazard = spoils and network.hazards and link.spoils(name)
            found = self.plans[message] = Plan(
                name,
                network.draw_at(drop, loss if hazard else LOSSLESS),
                network.draw_at(duplicate, copies if hazard else SINGLE),
                network.draw_at(delay, link.latency),
            )
        return found
