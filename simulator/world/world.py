"""A world: nodes, a network, a nemesis and one clock; it runs once and leaves a trace.

A run has two phases. In the first, load and faults do what they do. The hazards end
(`FaultsEnded`) at `heal_after_ms`; without one, when the load has been handed over, the timed
faults are over, and everything has come to rest for the first time, or half a minute after the
load if it does not. Then the world is given time: it ends quiet when whoever lives in it says that
nothing is left to do, or at its horizon, counted from the end of load and faults.
"""

import gc
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from simulator.chance.sites import site_at
from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS
from simulator.world.kernel import Gate, Kernel, Process
from simulator.world.nemesis import Nemesis
from simulator.world.network import Network
from simulator.world.node import Boot, Node, PowerCut

if TYPE_CHECKING:
    from simulator.chance import Chooser
    from simulator.scenario.scenario import Scenario
    from simulator.trace.trace import Trace
    from simulator.world.kernel import Choose
    from simulator.world.route import Draw

REST_US = 500 * MICROS_PER_MS  # So long must nothing be left to do before a run ends quiet.
GRACE_US = 30_000 * MICROS_PER_MS
LOOK_EVERY_US = 50 * MICROS_PER_MS
GC_EVERY = 50_000  # So many more objects than before may be alive before they are looked at.
CLOSE_TRIES = 10  # A generator may yield again while it is being closed.


class _Collector:
    """What the collector was set to before the first of the worlds that run now."""

    worlds: ClassVar[int] = 0
    thresholds: ClassVar[tuple[int, int, int]] = (0, 0, 0)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """A run makes few cycles and keeps much: the usual collector would look at it in vain.

    Worlds may run in several threads: the first sets the collector, the last sets it back.
    """
    if not hasattr(gc, "set_threshold"):  # PyPy's collector has no thresholds.
        yield
        return
    if not _Collector.worlds:
        _Collector.thresholds = before = gc.get_threshold()
        if before[0]:  # 0: somebody has turned it off.
            gc.set_threshold(max(before[0], GC_EVERY), *before[1:])
    _Collector.worlds += 1
    try:
        yield
    finally:
        _Collector.worlds -= 1
        if not _Collector.worlds:
            gc.set_threshold(*_Collector.thresholds)


class World:
    """Everything that runs; built for one scenario, one chooser and one trace."""

    def __init__(self, scenario: "Scenario", chooser: "Chooser", trace: "Trace") -> None:
        self.scenario = scenario
        self.chooser = chooser
        self.trace = trace
        self.kernel = Kernel(event_budget=scenario.event_budget)
        self.network = Network(self.kernel, scenario.topology, chooser, trace)
        self.nodes: dict[str, Node] = {}
        self.nemesis = Nemesis(self, scenario)
        self.at_rest: Callable[[], bool] = lambda: True
        self.at_start: Callable[[], None] = lambda: None
        self.running = False
        self._graveyard: list[Process] = []
        self._loads = 0
        self._records = 0
        self._healed = False
        self._looking = False
        self._grace_us = 0
        self._resting_since: int | None = None
        self._deadline_us = 0

    def add(self, name: str, boot: Boot, *, first: bool = False) -> Node:
        """A new node; it boots when the world starts, before all others if it is to be `first`.

        Raises:
            BadInput: the name is taken, or the world is running already.
        """
        if self.running:
            raise BadInput("comes too late, the run has begun:", "topology", name, "add it before")
        if name in self.nodes:
            raise BadInput("two nodes are called", "topology", name, "give each its own name")
        node = Node(self, name, boot)
        if first:
            self.nodes = {name: node, **self.nodes}
        else:
            self.nodes[name] = node
        return node

    def source(self, site: str, fault_class: str, law: Any) -> "Draw":
        """The source of chance at a site."""
        return self.chooser.source(site_at(site, fault_class), law)

    def bury(self, processes: list[Process]) -> None:
        """Keep dead processes to the end of the run: collecting them would run their `finally`."""
        self._graveyard.extend(processes)

    # --- The two phases ------------------------------------------------------------------------

    def load_begins(self) -> None:
        """One more source of load: the hazards last at least until it ends."""
        self._loads += 1

    def load_ends(self, records: int) -> None:
        """A source of load has handed over its last record."""
        self._loads -= 1
        self._records += records
        if not self._loads:
            self.trace.record(
                int(self.kernel.now), "world", (), ("workload_ended", self._records)
            )
            self.consider_healing()

    def consider_healing(self) -> None:
        """Look whether the hazards are to end; a load or a timed fault has ended."""
        if self._healed or self._looking or self.nemesis.busy:
            return
        after_ms = self.scenario.heal_after_ms
        if after_ms is None:
            if not self._loads:
                self._looking = True
                self._grace_us = int(self.kernel.now) + GRACE_US
                self._look(None)
        elif self.kernel.now >= after_ms * MICROS_PER_MS:
            self._looking = True
            self._heal()
            self._look(None)

    def _heal(self) -> None:
        """From here on nothing goes wrong by chance."""
        self._healed = True
        self.chooser.heal()
        self.nemesis.stop_hazards()
        self.network.heal()
        for node in self.nodes.values():
            node.forget_points()
        now = int(self.kernel.now)
        self.trace.record(now, "world", (), ("faults_ended",))
        self._deadline_us = now + self.scenario.horizon_ms * MICROS_PER_MS

    def _look(self, _: Any) -> None:
        """Is there anything left to do?"""
        now = int(self.kernel.now)
        at_rest = not self._loads and self.at_rest()
        if not self._healed and (at_rest or now >= self._grace_us):
            self._heal()
        if self._loads:
            self._deadline_us = now + self.scenario.horizon_ms * MICROS_PER_MS
        if not at_rest:
            self._resting_since = None
        elif self._resting_since is None:
            self._resting_since = now
        elif now - self._resting_since >= REST_US:
            self._end("quiet")
            return
        if self._healed and now >= self._deadline_us:
            self._end("horizon")
            return
        self.kernel.call_later(LOOK_EVERY_US, self._look, None)

    def _end(self, reason: str) -> None:
        self.trace.record(int(self.kernel.now), "world", (), ("run_ended", reason))
        self.kernel.stop()

    def run(self) -> None:
        """Run to the end.

        Raises:
            EventBudgetExceeded: the run did not end by itself.
            Exception: whatever a process raised and nobody handled, the original object.
        """
        self.begin()
        try:
            with collecting_rarely():
                self.kernel.run(choose=self._choose())
        finally:
            self.close()

    def _choose(self) -> "Choose | None":
        """Who says what goes first at one instant; None, the natural law: the first come."""
        if not self.chooser.breaks_ties():
            return None
        from simulator.world.ties import Ties

        return Ties(self.chooser).choose

    def begin(self, *, later: Collection[str] = ()) -> None:
        """Boot every node but those that somebody will boot later, and set the clocks of faults."""
        self.running = True
        self.at_start()
        for node in self.nodes.values():
            if node.name not in later:
                node.boot()
        self.nemesis.start()
        if self.scenario.heal_after_ms is not None:
            self.kernel.call_later(
                self.scenario.heal_after_ms * MICROS_PER_MS,
                lambda _: self.consider_healing(),
                None,
            )
        if not self._loads:
            self.kernel.call_later(0, lambda _: self.consider_healing(), None)

    def close(self) -> None:
        """Shut every gate for good, then let the dead be collected.

        What was still to come is forgotten: without a collector's help most of it is gone.
        """
        for node in self.nodes.values():
            node.gate.open = False
            node.gate.held = None
            self.bury(node.processes())
        for process in self._graveyard:
            _close(process)
        self._graveyard.clear()
        self.kernel.forget()
        self.network.forget()


def _close(process: Process) -> None:
    """Close a generator whose world is over; nothing it still does has an effect."""
    for _ in range(CLOSE_TRIES):
        try:
            process._generator.close()  # noqa: SLF001
        except RuntimeError:  # It yielded again: ask again.
            continue
        except (Exception, PowerCut):  # noqa: BLE001 - nobody is left to be told
            return
        return


__all__ = ["Gate", "World"]
