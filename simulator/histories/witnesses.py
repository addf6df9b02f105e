"""The cycle that is shown of a component: the shortest, if the search may take that many steps.

Whether there is a cycle of a kind is known without any search: an edge that must be in it, both of
whose ends lie in one component, closes one. Only which is the shortest takes a search: from each
such edge, breadth first. When the steps are used up, the best one so far is shown, and said to be
only that.
"""

from array import array
from collections.abc import Iterable

import attrs

Adjacency = dict[int, list[int]]


@attrs.define
class Steps:
    """How many steps may still be taken."""

    left: int

    def take(self, count: int) -> bool:
        """Take so many, if there are as many."""
        if self.left < count:
            return False
        self.left -= count
        return True


@attrs.frozen
class Cycle:
    """Vertices in order, the first again at the end; whether no shorter one exists."""

    vertices: tuple[int, ...]
    is_shortest: bool


def shortest_cycle(
    after: Adjacency, needed: Iterable[tuple[int, int]], steps: Steps
) -> Cycle | None:
    """The shortest cycle through any of the needed edges, which `after` holds as well.

    None: no needed edge is on a cycle.
    """
    best: tuple[int, ...] = ()
    complete = True
    for source, target in needed:
        if best and steps.left <= 0:
            complete = False
            break
        path = _path(after, target, source, len(best) - 2 if best else None, steps)
        if path and (not best or len(path) < len(best) - 1):
            best = (source, *path)
        if len(best) == 3:
            break  # Two operations: nothing is shorter.
    return Cycle(best, complete) if best else None


def _path(
    after: Adjacency, start: int, goal: int, most: int | None, steps: Steps
) -> tuple[int, ...]:
    """The shortest way, of fewer than `most` vertices beyond the start if it is given."""
    came: dict[int, int] = {start: start}
    front = [start]
    length = 1
    while front and (most is None or length < most):
        length += 1
        reached = []
        for vertex in front:
            following = after.get(vertex, ())
            steps.left -= 1 + len(following)
            for target in following:
                if target in came:
                    continue
                came[target] = vertex
                if target == goal:
                    return _back(came, start, goal)
                reached.append(target)
        front = reached
    return ()


def _back(came: dict[int, int], start: int, goal: int) -> tuple[int, ...]:
    path = [goal]
    while path[-1] != start:
        path.append(came[path[-1]])
    return tuple(reversed(path))


def some_path(
    starts: "array[int]", targets: "array[int]", ends: tuple[int, int], many: int
) -> list[int]:
    """A way over rows of edges, from one end to the other; there must be one.

    It has as few vertices below `many` as any: those from there on cost nothing.
    """
    start, goal = ends
    came = array("q", [-1]) * (len(starts) - 1)
    came[start] = start
    front = [start]
    while came[goal] < 0:
        assert front, "both lie in one component"
        reached: list[int] = []
        while front:
            vertex = front.pop()
            for target in targets[starts[vertex] : starts[vertex + 1]]:
                if came[target] < 0:
                    came[target] = vertex
                    (reached if target < many else front).append(target)
        front = reached
    path = [goal]
    while path[-1] != start:
        path.append(came[path[-1]])
    path.reverse()
    return path
