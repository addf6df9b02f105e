"""Strongly connected components, without recursion and over flat arrays: Tarjan's algorithm.

Every step is one edge or one vertex, so what it costs is known before it begins.

R. Tarjan, "Depth-first search and linear graph algorithms", 1972.
"""

from array import array
from collections.abc import Iterable, Iterator


def rows(many: int, edges: "Iterable[tuple[int, int]]") -> "tuple[array[int], array[int]]":
    """Edges as rows: those of vertex v lead to `targets[starts[v]:starts[v + 1]]`."""
    sources, reached = array("q"), array("q")
    starts = array("q", [0]) * (many + 2)
    for source, target in edges:
        sources.append(source)
        reached.append(target)
        starts[source + 2] += 1
    for vertex in range(many):
        starts[vertex + 2] += starts[vertex + 1]
    targets = array("q", [0]) * len(reached)
    for source, target in zip(sources, reached, strict=True):
        place = starts[source + 1]
        targets[place] = target
        starts[source + 1] = place + 1
    starts.pop()
    return starts, targets


def components(starts: "array[int]", targets: "array[int]") -> Iterator[list[int]]:
    """The components of two vertices or more."""
    many = len(starts) - 1
    number = array("q", [0]) * many  # From 1 on, in the order of discovery; 0 is not yet.
    low = array("q", [0]) * many
    going = array("q", starts[:many])  # The next edge of each vertex.
    held = bytearray(many)
    stack: list[int] = []
    count = 0
    for root in range(many):
        if number[root]:
            continue
        path = [root]
        while path:
            vertex = path[-1]
            edge = going[vertex]
            if not number[vertex]:
                count += 1
                number[vertex] = low[vertex] = count
                stack.append(vertex)
                held[vertex] = 1
            end = starts[vertex + 1]
            deeper = False
            while edge < end:
                target = targets[edge]
                edge += 1
                if not number[target]:
                    path.append(target)
                    deeper = True
                    break
                if held[target] and number[target] < low[vertex]:
                    low[vertex] = number[target]
            going[vertex] = edge
            if deeper:
                continue
            path.pop()
            if path and low[vertex] < low[path[-1]]:
                low[path[-1]] = low[vertex]
            if low[vertex] == number[vertex]:
                found = _unstack(stack, held, vertex)
                if len(found) > 1:
                    yield found


def _unstack(stack: list[int], held: bytearray, root: int) -> list[int]:
    found = []
    while True:
        vertex = stack.pop()
        held[vertex] = 0
        found.append(vertex)
        if vertex == root:
            return found
