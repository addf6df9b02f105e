"""Every order in which machines may be told things, without a clock and without a world.

1. A system is a value and pure functions: where it starts, what may happen next, and what is the
   case once it has. Nothing has a time, so anything may be slow; what is not among the moves
   cannot happen.
2. `pooled` makes a system of machines that send each other messages: each message on its way may
   arrive next, be lost, or arrive and come again.
3. States that are alike are gone on from once (`alike`). The search is by breadth, so that the
   first counterexample is a shortest one. With `alike=None` every schedule is run for itself, and
   counted.

Not modelled: time, so nothing that only a timer decides can be found, or excluded, here.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import attrs

from simulator.chance.sites import DROP, DUPLICATE, FAULT_CLASSES
from simulator.errors import BadInput
from simulator.searching.prove import Outcome
from simulator.searching.schedules import counted, indented

State = TypeVar("State")
Nodes = TypeVar("Nodes")

STEPS_MOST = 1_000_000


class Move(NamedTuple):
    """What may happen next: its name, its class of fault ("": it is none), and what it needs."""

    label: str
    fault_class: str = ""
    what: Any = None


@attrs.frozen
class System(Generic[State]):
    """What is searched.

    Args:
        promise: what must hold in every state, as a sentence.
        start: the first state.
        moves: what may happen next in a state; nothing: the run is over.
        play: the state after a move; the given one must stay as it is.
        broken: how a state breaks the promise, or "".
    """

    promise: str
    start: Callable[[], State]
    moves: Callable[[State], Iterable[Move]]
    play: Callable[[State, Move], State]
    broken: Callable[[State], str]


@attrs.frozen
class Searched:
    """What a search of all orders came to.

    Attributes:
        promise: the system's.
        outcome: proved, refuted, or open (there was more than could be run).
        budgets: how many faults of each class there were at most.
        states: how many states were looked at; of those alike, one.
        steps: how many moves were made.
        schedules: how many runs were brought to their end; None where states alike are met once,
            for then one run stands for many.
        longest: the most moves that led to a state.
        broken: how the promise is broken.
        moves: the moves that lead there: where states alike are met once, a shortest way.
    """

    promise: str
    outcome: Outcome
    budgets: Mapping[str, int]
    states: int
    steps: int
    schedules: int | None
    longest: int
    broken: str = ""
    moves: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether it is proved."""
        return self.outcome is Outcome.PROVED

    def __str__(self) -> str:
        """The claim, with its scope."""
        bounds = ", ".join(f"at most {most} of class {name}" for name, most in self.budgets.items())
        told = [counted(self.states, "state"), counted(self.steps, "step")]
        if self.schedules is not None:
            told.append(counted(self.schedules, "schedule"))
        lines = [f"faults: {bounds or 'none'}", f"{', '.join(told)}, {self.longest} deep"]
        if self.broken:
            lines += [f"broken: {self.broken}", f"by: {'; '.join(self.moves) or 'the start'}"]
        return f"{self.promise} {self.outcome}\n{indented(lines)}"


class _Place(NamedTuple):
    """A state that was come to: with what faults used, how deep, and by which way."""

    state: Any
    used: tuple[int, ...]
    deep: int
    way: "tuple[Any, str] | None"  # The way before, and the last move.


def search_orders(
    system: System[State],
    budgets: Mapping[str, int] | None = None,
    *,
    alike: Callable[[State], Hashable] | None = lambda state: state,
    depth: int | None = None,
    most: int = STEPS_MOST,
) -> Searched:
    """Let everything happen in every order, until a state breaks the promise.

    Args:
        budgets: how many moves of a class of fault a run may have; of a class without one, none.
        alike: what must be equal of two states that are gone on from once; all that decides what
            may follow, and what the promise is about. None: no two are.
        depth: so many moves at most; what would go on after them leaves the outcome open.
        most: so many steps in all at most.

    Raises:
        BadInput: a budget is of no class of fault.
    """
    limits = dict(budgets or {})
    for name in limits:
        if name not in FAULT_CLASSES:
            raise BadInput("no class of fault is called", "budgets", name, ", ".join(FAULT_CLASSES))
    return _Search(system, limits, alike, depth, most).run()


class _Search(Generic[State]):
    def __init__(
        self,
        system: System[State],
        limits: dict[str, int],
        alike: Callable[[State], Hashable] | None,
        depth: int | None,
        most: int,
    ) -> None:
        self._system = system
        self._limits = limits
        self._place_of = {name: place for place, name in enumerate(limits)}
        self._most_of = tuple(limits.values())
        self._alike = alike
        self._depth = depth
        self._most = most
        self._known: dict[Hashable, list[tuple[int, ...]]] = {}

    def run(self) -> Searched:
        """Go on from every state that is new, the shallow ones first."""
        system, alike, most, depth = self._system, self._alike, self._most, self._depth
        moves_of, play, broken_by = system.moves, system.play, system.broken
        first = _Place(system.start(), (0,) * len(self._limits), 0, None)
        waiting = deque((first,))
        take = waiting.popleft if alike is not None else waiting.pop
        states = steps = schedules = longest = 0
        whole = True
        self._is_known(first)
        while waiting:
            place = take()
            states += 1
            state, used, deep, way = place
            longest = max(longest, deep)
            broken = broken_by(state)
            if broken:
                found = self._told(Outcome.REFUTED, states, steps, schedules, longest)
                return attrs.evolve(found, broken=broken, moves=_path(way))
            goes_on = False
            for move in moves_of(state):
                using = self._using(used, move.fault_class)
                if using is None:
                    continue
                goes_on = True
                if steps >= most or deep == depth:
                    whole = False
                    break
                steps += 1
                there = _Place(play(state, move), using, deep + 1, (way, move.label))
                if alike is None or not self._is_known(there):
                    waiting.append(there)
            schedules += not goes_on or deep == depth
            if steps >= most:
                break
        outcome = Outcome.PROVED if whole and not waiting else Outcome.OPEN
        return self._told(outcome, states, steps, schedules, longest)

    def _using(self, used: tuple[int, ...], fault_class: str) -> tuple[int, ...] | None:
        """What is used of the budgets after a move; None: there is no budget for it."""
        if not fault_class:
            return used
        place = self._place_of.get(fault_class)
        if place is None or used[place] >= self._most_of[place]:
            return None
        return (*used[:place], used[place] + 1, *used[place + 1 :])

    def _is_known(self, place: _Place) -> bool:
        """Whether one alike was come to with no more faults."""
        if self._alike is None:
            return False
        known = self._known.setdefault(self._alike(place.state), [])
        for before in known:
            if all(one <= other for one, other in zip(before, place.used, strict=True)):
                return True
        known.append(place.used)
        return False

    def _told(
        self, outcome: Outcome, states: int, steps: int, schedules: int, longest: int
    ) -> Searched:
        each = schedules if self._alike is None else None
        promise, limits = self._system.promise, self._limits
        return Searched(promise, outcome, limits, states, steps, each, longest)


def _path(way: "tuple[Any, str] | None") -> tuple[str, ...]:
    """The moves of a way, the first one first."""
    moves: list[str] = []
    while way is not None:
        way, label = way
        moves.append(label)
    return tuple(reversed(moves))


# --- Machines that send each other messages ---------------------------------------------------


class Flight(NamedTuple):
    """A message on its way. Two that are equal are the same to everybody."""

    source: str
    target: str
    body: Any


class Pooled(NamedTuple):
    """The state of machines and of all that is on its way between them, in the order of sending."""

    nodes: Any
    flights: tuple[Flight, ...]


def pooled(
    promise: str,
    start: Callable[[], tuple[Nodes, Iterable[Flight]]],
    deliver: Callable[[Nodes, Flight], tuple[Nodes, Iterable[Flight]]],
    broken: Callable[[Nodes], str],
    *,
    acts: Callable[[Nodes], Iterable[Move]] = lambda _: (),
    act: Callable[[Nodes, Move], tuple[Nodes, Iterable[Flight]]] | None = None,
    ordered: bool = True,
) -> System[Pooled]:
    """A system of machines and messages.

    Args:
        start: the machines, and what is on its way at the beginning.
        deliver: the machines after a message has arrived, and what they send; those given stay as
            they are.
        broken: how the machines break the promise, or "".
        acts: what they may do of themselves: a timeout, a crash (a move with a class of fault).
        act: the machines after such a move, and what they send.
        ordered: of the messages from one node to another, only the first can arrive next.
    """

    def begin() -> Pooled:
        nodes, sent = start()
        return Pooled(nodes, tuple(sent))

    def moves(state: Pooled) -> Iterable[Move]:
        found = []
        lanes = set()
        for place, flight in enumerate(state.flights):
            lane = flight[:2] if ordered else place
            if lane not in lanes:
                lanes.add(lane)
                name = f"{flight.body} {flight.source}>{flight.target}"
                found.append(Move(name, "", place))
                found.append(Move(f"{name} is lost", DROP, place))
                found.append(Move(f"{name}, and comes again", DUPLICATE, place))
        found += acts(state.nodes)
        return found

    def play(state: Pooled, move: Move) -> Pooled:
        place, flights = move.what, state.flights
        if type(place) is not int:
            assert act is not None, "what can be done must be given as act"
            nodes, sent = act(state.nodes, move)
            return Pooled(nodes, (*flights, *sent))
        rest = flights[:place] + flights[place + 1 :]
        if move.fault_class == DROP:
            return Pooled(state.nodes, rest)
        nodes, sent = deliver(state.nodes, flights[place])
        kept = flights if move.fault_class == DUPLICATE else rest
        return Pooled(nodes, (*kept, *sent))

    return System(promise, begin, moves, play, lambda state: broken(state.nodes))


__all__ = ["Flight", "Move", "Pooled", "Searched", "System", "pooled", "search_orders"]
