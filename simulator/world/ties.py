"""Where several things happen at one instant, chance may say which of them goes first.

1. What happens is somebody's: a message that arrives is its route's (`a>b`), all else a node's.
   Each keeps its own order: what one node does, and what comes along one route, is never turned
   round; so a connection keeps its order as well.
2. Of all who have something to do at the instant, in the order in which they came, one is picked
   at the site `tie@a>b|c|d`; 0 is the first come. Then the others are asked about anew.
3. What the world itself does (the end of a fault, the end of the run) lets nothing pass it by, and
   what SimPy holds to be urgent (the start of a process) comes before all.
4. Nobody is asked unless the chooser wants to be: the natural law is first come, first served.

Not modelled: of more than eight who are due at one instant, only the first eight can be next.
"""

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final

from simpy.events import NORMAL

from simulator.chance import TIE, Pick, Site
from simulator.world.kernel import Gate, HeapEntry, Process, Timer, fire, happen
from simulator.world.network import Connection, _arrive, _tell_closed, _tell_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.chance import Chooser

MOST_TIED = 8
PREFIX: Final = "tie@"
NOBODY: Final = ""  # It has no effect any more, or none that could come too early.
WORLD: Final = "*"


class Ties:
    """Asks a chooser who goes first; for one run."""

    def __init__(self, chooser: "Chooser") -> None:
        self._chooser = chooser
        self._draws: dict[str, Callable[[], int]] = {}

    def choose(self, queue: list[HeapEntry], first: HeapEntry) -> HeapEntry:
        """The next thing to happen: `first`, or another of its instant, which leaves the queue."""
        at = first[0]
        if first[1] != NORMAL:
            return first
        actor = actor_of(first[3], first[4])
        if actor in (NOBODY, WORLD):
            return first
        actors, entries, aside = [actor], [first], []
        while queue and queue[0][0] == at and len(actors) < MOST_TIED:
            entry = heappop(queue)
            aside.append(entry)
            actor = actor_of(entry[3], entry[4])
            if actor == WORLD:
                break
            if actor != NOBODY and actor not in actors:
                actors.append(actor)
                entries.append(entry)
        chosen = entries[self._pick(actors)] if len(actors) > 1 else first
        for entry in (first, *aside):
            if entry is not chosen:
                heappush(queue, entry)
        return chosen

    def _pick(self, actors: list[str]) -> int:
        name = PREFIX + "|".join(actors)
        draw = self._draws.get(name)
        if draw is None:
            law = Pick(len(actors))
            draw = self._draws[name] = self._chooser.source(Site(name, TIE), law)
        return draw()


def actor_of(function: Any, argument: Any) -> str:
    """Whose it is that the function is called: a node's name, a route, NOBODY or WORLD."""
    if function is _arrive:
        route = argument[0].route
        return f"{route.source.name}>{route.target.name}"
    if function is fire:
        timer: Timer = argument
        return NOBODY if timer.cancelled else _owner(timer.gate)
    if function is happen:
        return _of_event(argument)
    if function is _tell_closed:
        connection: Connection = argument
        return f"{connection.server.name}>{connection.client.name}"
    if function is _tell_ended:
        return f"{argument.client.name}>{argument.server.name}"
    return WORLD


def _of_event(event: Any) -> str:
    """Of the process that ends, or of the one that waits."""
    if isinstance(event, Process):
        return _owner(event._gate)  # noqa: SLF001 - of our own package
    if not event.callbacks:
        return NOBODY
    waiting = getattr(event.callbacks[0], "__self__", None)
    return _owner(waiting._gate) if isinstance(waiting, Process) else WORLD  # noqa: SLF001


def _owner(gate: Gate) -> str:
    if not gate.open and gate.held is None:  # It is dead: nothing will come of it.
        return NOBODY
    return gate.owner or WORLD
