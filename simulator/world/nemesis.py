"""The nemesis: it makes the planned faults happen, and lets chance add those of the hazards.

Faults that name a message or a point of the program are choices (`drop@...`, `crash@...`) that a
plan has answered beforehand; faults that name a time are started by the clock. When the hazards
end, chance adds no more; a planned fault still strikes.
"""

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from simulator.chance import Bernoulli
from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS
from simulator.scenario.faults import (
    Clog,
    Crash,
    CrashHazard,
    DiskLoss,
    Partition,
    Pause,
    PauseHazard,
    Skew,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.scenario.scenario import Scenario
    from simulator.world.node import Node
    from simulator.world.route import Draw
    from simulator.world.world import World


@lru_cache(maxsize=256, typed=True)
def _flag(probability: float) -> Bernoulli:
    """A law is checked when it is made, and runs by the thousand have the same few."""
    return Bernoulli(probability)


class Nemesis:
    """What goes wrong in a world, by plan and by chance."""

    def __init__(self, world: "World", scenario: "Scenario") -> None:
        self._world = world
        self._scenario = scenario
        self._hazards = True
        self._planned_crashes = scenario.faults.crashes()
        self._met: dict[str, int] = {}
        self._pending = 0  # Timed faults that have not ended.

    @property
    def busy(self) -> bool:
        """Whether a timed fault is still to come or to end."""
        return self._pending > 0

    def start(self) -> None:
        """Set the clock for every timed fault."""
        for fault in self._scenario.faults.timed:
            match fault:
                case Crash(at_ms=int(at_ms)):
                    self._once(at_ms, fault.down_ms, self._timed_crash, fault)
                case DiskLoss():
                    self._once(fault.at_ms, fault.down_ms, self._timed_crash, fault)
                case Pause():
                    self._once(fault.at_ms, fault.for_ms, self._pause, fault)
                case Skew():
                    self._once(fault.at_ms, 0, self._skew, fault)
                case Partition():
                    self._between(fault.from_ms, fault.until_ms, self._partition, fault)
                case Clog():
                    self._between(fault.from_ms, fault.until_ms, self._clog, fault)
        for hazard in self._scenario.hazards.pause:
            for node in self._matching((hazard.node,)):
                flag = self._world.network.draw(
                    f"pause@{node.name}", "pause", Bernoulli(hazard.p)
                )
                if flag is not None:
                    self._tick((hazard, node, flag))

    def stop_hazards(self) -> None:
        """Chance adds no fault from here on."""
        self._hazards = False

    def draw_at(self, node: str, point: str) -> "Draw | None":
        """The source that says whether `node` crashes at `point`; None where it never does."""
        hazard = self.hazard_at(node, point) if self._hazards else None
        site = f"crash@{node}/{point}"
        draw = self._world.network.draw(site, "crash", _flag(hazard.p if hazard else 0.0))
        if draw is None or not self._planned_crashes:
            return draw
        return self._counting(draw, site)

    def hazard_at(self, node: str, point: str) -> "CrashHazard | None":
        """The hazard that says how `node` crashes at `point`: the first that matches."""
        for hazard in self._scenario.hazards.crash:
            if fnmatchcase(node, hazard.node) and fnmatchcase(point, hazard.point):
                return hazard
        return None

    def _counting(self, draw: "Draw", site: str) -> "Draw":
        """Count the times a point is passed, so that a strike can find its own plan."""
        met = self._met

        def counted() -> int:
            met[site] = met.get(site, -1) + 1
            return draw()

        return counted

    def strike(self, node: "Node", point: str) -> None:
        """Crash a node at a point it has just reached."""
        site = f"crash@{node.name}/{point}"
        planned = self._planned_crashes.get((site, self._met.get(site, 0)))
        if planned is not None:
            self._crash(node, planned.mode, point, planned.down_ms * MICROS_PER_MS)
            return
        hazard = self.hazard_at(node.name, point)
        if hazard is not None:
            law = hazard.down
            down_us = law.floor_us + node.source(f"down@{node.name}", "delay", law)()
            self._crash(node, hazard.mode, point, down_us)
            return
        self._crash(node, "process", point, 1_000 * MICROS_PER_MS)  # A witness of its own.

    def _crash(self, node: "Node", mode: Any, point: str, down_us: int) -> None:
        if node.gate.open or node.gate.held is not None:
            node.crash(mode, point)
            self._world.kernel.call_later(down_us, lambda _: node.restart(), None)

    def _tick(self, turn: "tuple[PauseHazard, Node, Draw]") -> None:
        """Each `every_ms`, as long as there are hazards, a node may be paused."""
        if not self._hazards:
            return
        hazard, node, flag = turn
        kernel = self._world.kernel
        if kernel.now and flag():
            law = hazard.lasting
            node.pause(law.floor_us + node.source(f"lasting@{node.name}", "delay", law)())
        kernel.call_later(hazard.every_ms * MICROS_PER_MS, self._tick, turn)

    # --- By the clock --------------------------------------------------------------------------

    def _once(self, at_ms: int, lasts_ms: int, act: "Callable[[Any], None]", fault: Any) -> None:
        self._pending += 1
        kernel = self._world.kernel
        kernel.call_later(at_ms * MICROS_PER_MS, act, fault)
        kernel.call_later((at_ms + lasts_ms) * MICROS_PER_MS, self._over, None)

    def _between(
        self, from_ms: int, until_ms: int, act: "Callable[[Any], None]", fault: Any
    ) -> None:
        self._pending += 1
        kernel = self._world.kernel
        kernel.call_later(from_ms * MICROS_PER_MS, act, (fault, True))
        kernel.call_later(until_ms * MICROS_PER_MS, act, (fault, False))
        kernel.call_later(until_ms * MICROS_PER_MS, self._over, None)

    def _over(self, _: Any) -> None:
        """At the end of this instant: what ends the fault (a restart, say) comes first."""
        self._world.kernel.call_later(0, self._ended, None)

    def _ended(self, _: Any) -> None:
        self._pending -= 1
        self._world.consider_healing()

    def _node(self, name: str) -> "Node":
        found = self._world.nodes.get(name)
        if found is None:
            known = ", ".join(self._world.nodes)
            raise BadInput("a fault names an unknown node:", "faults", name, f"known: {known}")
        return found

    def _timed_crash(self, fault: Any) -> None:
        mode = "disk" if isinstance(fault, DiskLoss) else fault.mode
        self._crash(self._node(fault.node), mode, "at", fault.down_ms * MICROS_PER_MS)

    def _pause(self, fault: Pause) -> None:
        self._node(fault.node).pause(fault.for_ms * MICROS_PER_MS)

    def _skew(self, fault: Skew) -> None:
        self._node(fault.node).skew(fault.jump_ms * MICROS_PER_MS, fault.drift_ppm)

    def _partition(self, order: tuple[Partition, bool]) -> None:
        fault, begins = order
        network = self._world.network
        act = network.cut if begins else network.mend
        for one in self._matching(fault.side_a):
            for other in self._matching(fault.side_b):
                if one is not other:
                    act(one, other)
                    if fault.symmetric:
                        act(other, one)

    def _clog(self, order: tuple[Clog, bool]) -> None:
        fault, begins = order
        network = self._world.network
        act = network.clog if begins else network.unclog
        for one in self._matching((fault.source,)):
            for other in self._matching((fault.target,)):
                if one is not other:
                    act(one, other)

    def _matching(self, patterns: tuple[str, ...]) -> "list[Node]":
        return [
            node
            for node in self._world.nodes.values()
            if any(fnmatchcase(node.name, pattern) for pattern in patterns)
        ]
