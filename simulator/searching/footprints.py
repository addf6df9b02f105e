"""What happened before what: which histories are the same, and which beginnings are.

1. A node's history is what the node did, with the times, and with the history of whoever sent what
   it was told. Two runs have the same history when each node has; then they differ at most in the
   order of things at one instant on different nodes, which nobody can tell.
2. The footprint of what a node does is the node itself: nodes share nothing but messages. So two
   beginnings of runs go on alike if all histories are the same, the same faults were made, and the
   same things are due, in the same order where order is not a choice of its own.
3. Where a beginning was come to before, with no more spent of any budget, all that may follow it
   follows there: the run need not go on (Godefroid: Partial-Order Methods for the Verification of
   Concurrent Systems, 1996; here time is part of the history).

Sound only as far as footprints are complete: a handler of a user's own that keeps something outside
of its node (a global, an object that instances share) has a bigger footprint than it shows.
"""

from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from simulator.chance.exhaustive import Exhaustive
from simulator.chance.scope import Scope
from simulator.trace.events import EVENTS
from simulator.trace.trace import FlatEntry, Observer

if TYPE_CHECKING:
    from simulator.world.world import World

# Their second field counts all messages of the run: it says nothing of the message itself.
_NUMBERED = frozenset(
    ("message_sent", "message_delivered", "message_dropped", "message_duplicated")
)
_TIE = "tie@"


class Histories:
    """Numbers histories: equal numbers, equal histories, exactly (nothing is hashed away).

    Serves all runs of one search; `begin()` starts the next run.
    """

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._of_node: dict[str, int] = {}
        self._of_entry: dict[int, int] = {}

    def begin(self) -> list[tuple[str, Observer]]:
        """A run begins: these observers are to be told of all that happens in it."""
        self._of_node = {}
        self._of_entry = {}
        observe = self._observer()
        return [(kind, observe) for kind in EVENTS]

    def _observer(self) -> Callable[[FlatEntry], None]:
        numbers, of_node, of_entry = self._numbers, self._of_node, self._of_entry

        def observe(entry: FlatEntry) -> None:
            seq, at_us, node, causes, event = entry
            if event[0] in _NUMBERED:
                event = (event[0], *event[2:])
            told = tuple([of_entry[cause] for cause in causes if cause in of_entry])
            key = (node, of_node.get(node, 0), at_us, event, told)
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = len(numbers) + 1
            of_node[node] = of_entry[seq] = number

        return observe

    def of(self, seq: int) -> int:
        """The history of an entry of the present run."""
        return self._of_entry.get(seq, 0)

    def present(self) -> tuple[int, ...]:
        """The history up to now: the number of each node's, in the order of their names."""
        return tuple(number for _, number in sorted(self._of_node.items()))


class Beginnings:
    """Knows the beginnings of runs from which all has been tried, or will be; for one search.

    Args:
        histories: numbers the histories of the same runs.
        scope: what is searched. Only if all ties are in it, and nothing bounds them, is the order
            of unrelated things no part of a beginning.
    """

    def __init__(self, histories: Histories, scope: Scope) -> None:
        self._histories = histories
        unbounded = scope.deviations is None and "tie" not in scope.budgets
        self._ties_are_free = unbounded and any(one in ("*", "tie@*") for one in scope.sites)
        self._known: dict[Any, list[tuple[int, ...]]] = {}
        self._world: World | None = None
        self._chooser: Exhaustive | None = None
        self._orders: dict[str, tuple[Any, ...]] = {}

    def begin(self, world: "World", chooser: Exhaustive) -> None:
        """A run begins."""
        self._world = world
        self._chooser = chooser
        self._orders = {}

    def end(self) -> None:
        """The run is over: let go of its world."""
        self._world = None

    def decided(self, name: str, value: int) -> None:
        """Keep in mind who went first, where two were due at one node.

        It may have done something of which no entry tells.
        """
        if not name.startswith(_TIE) or self._world is None:
            return
        actors = name[len(_TIE) :].split("|")
        chosen = actors[value]
        node = _node_of(chosen)
        if sum(_node_of(actor) == node for actor in actors) > 1:
            now = int(self._world.kernel.now)
            self._orders[node] = (self._orders.get(node, ()), now, chosen)

    def covered(self, name: str, k: int, used: tuple[int, ...]) -> bool:
        """Whether this beginning is known, with no more used of any budget."""
        assert self._world is not None
        assert self._chooser is not None
        if name.startswith(_TIE):
            name, k = "|".join(sorted(name[len(_TIE) :].split("|"))), 0
        faults = [taken[1:] for taken in self._chooser.plan if not taken[1].startswith(_TIE)]
        key = (
            name,
            k,
            self._histories.present(),
            tuple(sorted(self._orders.items())),
            tuple(sorted(faults)),
            self._due(),
        )
        known = self._known.setdefault(key, [])
        for before in known:
            if all(one <= other for one, other in zip(before, used, strict=True)):
                return True
        known.append(used)
        return False

    def _due(self) -> tuple[Any, ...]:
        """All that is due: when, whose, what; sorted by whose where that order is free."""
        from simulator.world.ties import NOBODY, WORLD, actor_of

        assert self._world is not None
        kernel = self._world.kernel
        due: list[tuple[Any, ...]] = []
        step = 0  # What the world itself does lets nothing pass it by.
        for at, urgency, _, function, argument in sorted(kernel._queue, key=_ORDER):  # noqa: SLF001
            whose = actor_of(function, argument)
            if whose == NOBODY:
                continue
            free = self._ties_are_free and whose != WORLD and urgency
            step += whose == WORLD
            sorted_by = whose if free else ""
            due.append((at, urgency, step, sorted_by, whose, self._what(function, argument)))
        due.sort(key=_SORTED)
        return tuple(due)

    def _what(self, function: Any, argument: Any) -> Any:
        from simulator.world.kernel import Timer

        if isinstance(argument, tuple) and len(argument) == 6:  # A message on its way.
            return self._histories.of(argument[5])
        if isinstance(argument, Timer):
            return argument.function.__qualname__
        return function.__qualname__


_ORDER = itemgetter(0, 1, 2)
_SORTED = itemgetter(0, 1, 2, 3)


def _node_of(actor: str) -> str:
    """Where it happens: a message, where it arrives."""
    return actor.rpartition(">")[2]


__all__ = ["Beginnings", "Histories"]
