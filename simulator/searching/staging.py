"""A run of a search, with the world in reach: what is alike is tried once.

1. A crash forgets: a process that dies takes its memory along. So of several crash points of a
   node between which nobody else could see anything, and no time passed, one is tried; where
   hazards let the node stay away otherwise at one of them, each.
2. What is lost is lost: a message that is not sent, because its link is cut or its connection
   broken, cannot be dropped as well.
3. What happens at one instant on different nodes has no order (see `footprints`), where ties are in
   the scope.

All three hold for nodes that keep what they know on themselves, and the first for those that write
nothing to a disk. A handler of a user's own may keep something outside (a global, a list that
instances share): so these are left out for it, unless it is declared that it does not.
"""

import gc
from collections.abc import Iterable
from typing import TYPE_CHECKING

from simulator.chance import Chooser, Overlay
from simulator.chance.exhaustive import Exhaustive
from simulator.scenario.scenario import Scenario
from simulator.searching.footprints import Beginnings, Histories
from simulator.trace.trace import FlatEntry, Observer, Trace

if TYPE_CHECKING:
    from simulator.world.world import World

# What a node does for itself: nobody else can see it, unless a check looks.
_OWN = frozenset(("record_polled", "processing_started", "processing_ended", "position_reset"))
_NOT_SENT = ("cut", "behind_a_loss")


def keeps_to_itself(scenario: Scenario) -> bool:
    """Whether all that runs is the simulator's own, which keeps nothing outside of its nodes.

    A planned fault of the n-th message or moment is outside: it counts across crashes.
    """
    own = scenario.application is None and scenario.consumers.handler is None
    return own and not scenario.faults.deviations()


class Stage:
    """Runs one schedule after the other, and tells the chooser what need not be tried.

    Args:
        watched: the kinds of event that the check looks at: what it sees is never alike.
        chooser: whose guide it becomes.
        alike: leave out choices that decide nothing new (rules 1 and 2).
        histories: number them; and with `ordered`, end a run where it comes to a known beginning.
        ordered: rule 3.
    """

    def __init__(
        self,
        watched: Iterable[str],
        chooser: Exhaustive,
        *,
        alike: bool = True,
        histories: Histories | None = None,
        ordered: bool = False,
    ) -> None:
        self._own = _OWN.difference(watched)
        self._chooser = chooser
        self._alike = alike
        self.histories = Histories() if ordered and histories is None else histories
        self._beginnings: Beginnings | None = None
        if ordered and self.histories is not None:
            self._beginnings = Beginnings(self.histories, chooser.scope)
        self._alone = 0  # Entries that say nothing to anybody else.
        self._marks: dict[str, tuple[object, ...]] = {}
        self._world: World | None = None
        if alike or ordered:
            chooser.guide = self

    def run(self, scenario: Scenario, observers: Iterable[tuple[str, Observer]]) -> None:
        """As `simulate`, of the chooser's next schedule; no trace is kept.

        Raises:
            CoveredError: another schedule covers the rest of this one.
            Exception: what the run raised.
        """
        chooser = self._chooser
        planned = chooser.planned = scenario.faults.deviations()
        door = Overlay(planned, chooser) if planned else chooser
        door.start()
        trace = Trace(keep=False, observers=(*observers, *self._observers()))
        trace.record(0, "world", (), ("run_started", scenario.name))
        self._alone = 0
        self._marks = {}
        collects = gc.isenabled()
        gc.disable()  # A world is garbage as a whole, once it is over: not before.
        try:
            self._play(scenario, door, trace)
        finally:
            self._let_go()
            gc.collect(0)
            if collects:
                gc.enable()
        door.finish()

    def _play(self, scenario: Scenario, door: Chooser, trace: Trace) -> None:
        """Make a world, and run it."""
        from simulator.cluster.deploy import deploy
        from simulator.world.world import World

        world = self._world = World(scenario, door, trace)
        if self._beginnings is not None:
            self._beginnings.begin(world, self._chooser)
        deploy(world)
        world.run()

    def _let_go(self) -> None:
        """Nobody here looks at a world that is over: so the collector finds it at once."""
        self._world = None
        if self._beginnings is not None:
            self._beginnings.end()

    def _observers(self) -> list[tuple[str, Observer]]:
        told: list[tuple[str, Observer]] = [*self._chooser.observers()]
        if self.histories is not None:
            told += self.histories.begin()
        if self._alike:
            told += [(kind, self._count) for kind in sorted(self._own)]
            told.append(("message_dropped", self._dropped))
        return told

    def _count(self, _: FlatEntry) -> None:
        self._alone += 1

    def _dropped(self, entry: FlatEntry) -> None:
        _, _, source, target, api, reason = entry[4]
        if reason in _NOT_SENT:
            self._chooser.take_back(f"drop@{source}>{target}/{api}")

    # --- As a guide ----------------------------------------------------------------------------

    def covered(self, name: str, k: int, used: tuple[int, ...]) -> bool:
        """Whether the run has come to a beginning that is known."""
        return self._beginnings is not None and self._beginnings.covered(name, k, used)

    def decided(self, name: str, value: int) -> None:
        """Who went first is part of a beginning."""
        if self._beginnings is not None:
            self._beginnings.decided(name, value)

    def vacuous(self, name: str, deviations: int) -> bool:
        """Whether a crash here is the crash of an earlier choice of the run."""
        what, _, rest = name.partition("@")
        world = self._world
        if what != "crash" or world is None or not self._alike:
            return False
        node_name, _, point = rest.partition("/")
        node = world.nodes[node_name]
        if node.disk.names():
            return False
        seen = world.trace.seq - self._alone
        # What of the node outlives a crash, and what all others could know of it.
        kept = (world.network.opened, repr(node.numbers), *_away(world, node_name, point))
        mark = (int(world.kernel.now), seen, deviations, *kept)
        known = self._marks.get(node_name)
        self._marks[node_name] = mark
        return known == mark


def _away(world: "World", node: str, point: str) -> tuple[object, ...]:
    """How a node crashes at a point, and how long it stays away."""
    hazard = world.nemesis.hazard_at(node, point)
    return () if hazard is None else (hazard.mode, hazard.down)


__all__ = ["Stage", "keeps_to_itself"]
