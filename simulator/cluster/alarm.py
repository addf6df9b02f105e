"""A client's one timer, and its draws of waits: what every driver of a client machine needs.

The machine says when it wants to be told the time next; the alarm is set again only for an earlier
time, because to wake a machine too early costs a little and does no harm.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from simulator.chance import uniform

if TYPE_CHECKING:
    from simulator.world.kernel import Timer
    from simulator.world.node import Node

NEVER_US = 1 << 62
MILLION = 1_000_000


class Alarm:
    """One moving timer of an incarnation of a node.

    Args:
        ring: called when the time has come.

    Attributes:
        at_us: when it rings, by the node's clock; NEVER_US when it is not set.
    """

    __slots__ = ("_node", "_ring", "_timer", "_waits", "at_us")

    def __init__(self, node: "Node", ring: Callable[[], None]) -> None:
        self._node = node
        self._ring = ring
        self._timer: Timer | None = None
        self._waits: Callable[[], int] | None = None
        self.at_us = NEVER_US

    def set(self, at_us: int) -> None:
        """Ring at this time instead."""
        if self._timer is not None:
            self._timer.cancel()
        self.at_us = at_us
        self._timer = self._node.after(max(at_us - self._node.now_us, 1), self._due)

    def _due(self, _: object) -> None:
        self._timer = None
        self.at_us = NEVER_US
        self._ring()

    def between(self, least_us: int, most_us: int) -> int:
        """A wait from a range, drawn at the node's site `backoff`; the shortest is benign."""
        if least_us == most_us:
            return least_us
        if self._waits is None:
            site = f"backoff@{self._node.name}"
            self._waits = self._node.source(site, "delay", uniform(0, MILLION))
        return least_us + (most_us - least_us) * self._waits() // MILLION
