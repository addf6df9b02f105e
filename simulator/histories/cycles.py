"""Who depends on himself: cycles, named after the edges that they take.

G0             ww alone: two operations overwrote each other
G1c            ww and wr, and at least one wr: each has seen what the other did
G0-realtime    a G0 with at least one edge of time; G1c-realtime likewise (or -process)
PL-1-, PL-2-   there is a component in ww; in ww and wr (Adya's levels, as Elle names them)
strong-...     ... and the edges of time (strong-session-: of each process)

Of each component the most severe is named, and what it implies is not named again. Names follow the
edges that were taken; an edge that is ww and of time as well counts as ww.

A. Adya, "Weak Consistency", 1999; K. Kingsbury and P. Alvaro, "Elle", 2020.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, repeat
from typing import Any

from simulator.histories.components import components, rows
from simulator.histories.finding import Finding, Findings
from simulator.histories.graph import (
    TIME,
    WR,
    WW,
    Region,
    by_place,
    graph,
    precedes,
    regions,
    with_moments,
)
from simulator.histories.operations import UNKNOWN, Operations
from simulator.histories.options import PROCESS, Options
from simulator.histories.versions import Versions
from simulator.histories.witnesses import Adjacency, Steps, shortest_cycle, some_path

KINDS = ("G0", "G1c", "G0-process", "G1c-process", "G0-realtime", "G1c-realtime")
LEVELS = ("PL-1", "PL-2")
SESSIONS = {"process": "strong-session-", "realtime": "strong-"}
EXISTS = (
    *(f"{before}{level}-cycle-exists" for before in ("", *SESSIONS.values()) for level in LEVELS),
)
IMPLIES = {
    "G0": ("G1c", "G0-time", "G1c-time"),
    "G1c": ("G1c-time",),
    "G0-time": ("G1c-time",),
}
# A kind of cycle, the edges that it may take, and the one that it must.
SEVEREST_FIRST = (
    ("G0", WW, WW),
    ("G1c", WW | WR, WR),
    ("G0-time", WW | TIME, WW),
    ("G1c-time", WW | WR | TIME, WR),
)
ALL_KINDS = tuple(kinds for _, kinds, _ in SEVEREST_FIRST)
SHARE = 100  # One component's search may take this share of all steps, so that each has some.
FEW = 2_000  # Operations of a component whose edges of time are listed one by one.
LONG = 12  # Edges of a cycle that is shown as it is; in a longer one, runs of time are one edge.
LISTED_MOST = 1_000  # Operations of a component that are listed.


class Cycles:
    """The search for cycles in one history.

    Attributes:
        findings: by name, all of KINDS and EXISTS, and empty-transaction-graph.
        unfinished: what was not searched, as sentences; empty if all was.
    """

    def __init__(self, operations: Operations, versions: Versions, options: Options) -> None:
        names = (*KINDS, *EXISTS, "empty-transaction-graph")
        self.findings: Findings = {name: Finding() for name in names}
        self.unfinished: list[str] = []
        self.operations = operations
        self.versions = versions
        self.order = options.order
        self.steps = Steps(options.steps_most)
        self.each = max(1, options.steps_most // SHARE)
        by_process = options.order == PROCESS
        self.graph = graph(operations, versions, ww_deps=options.ww_deps, by_process=by_process)
        self._search()

    def _search(self) -> None:
        found = self.graph
        self.findings["empty-transaction-graph"].reached = 1
        if found.is_empty:
            self.findings["empty-transaction-graph"].add(operations=len(self.operations))
        for finding in self.findings.values():
            finding.reached = finding.reached or len(found.source)
        skipped = 0
        for region in regions(self.operations, found):
            if not self.steps.take(4 * len(region.places) + len(region.edges)):
                skipped += len(region.places)
                continue
            for component in self._components(region):
                many = len(component.places)
                if not self.steps.take(16 * many + 4 * len(component.edges)):
                    skipped += many
                elif many <= FEW:
                    Few(self, component).judge()
                else:
                    Many(self, component).judge()
        if skipped:
            self.unfinished.append(
                f"the search for cycles has used up its steps: {skipped} operations that may lie "
                "on one were left out"
            )

    def _components(self, region: Region) -> Iterator[Region]:
        """The components of a region."""
        found = self.graph
        many, by_process = len(region.places), self.order == PROCESS
        edges = with_moments(
            self.operations, found, region, WW | WR | TIME, by_process=by_process
        )
        of = by_place(region.places, repeat(UNKNOWN, many))
        places: list[array[int]] = []
        for vertices in components(*rows(2 * many, edges)):
            members = sorted(vertex for vertex in vertices if vertex < many)
            for vertex in members:
                of[region.places[vertex]] = len(places)
            places.append(array("q", (region.places[vertex] for vertex in members)))
        if not places:
            return
        inner = [array("q") for _ in places]
        for edge in region.edges:
            number = of[found.source[edge]]
            if number >= 0 and number == of[found.target[edge]]:
                inner[number].append(edge)
        yield from map(Region, places, inner)

    def name_levels(self, within: "Mapping[int, Sequence[int]]") -> None:
        """Name the weakest levels that a component breaks: by kinds of edges, who is in it."""
        strong = SESSIONS[self.order]
        exists = {
            "PL-1": within[WW],
            "PL-2": () if within[WW] else within[WW | WR],
            f"{strong}PL-1": () if within[WW] else within[WW | TIME],
        }
        weaker = any(exists.values())
        exists[f"{strong}PL-2"] = () if weaker else within[WW | WR | TIME]
        index = self.operations.index
        for level, members in exists.items():
            if members:
                scc = [index[place] for place in sorted(members)[:LISTED_MOST]]
                self.findings[f"{level}-cycle-exists"].add(scc=scc, size=len(members))

    def name_cycle(
        self, kind: str, vertices: Sequence[int], steps: list[int], *, is_shortest: bool
    ) -> None:
        """Show a cycle: places, the first again at the end, and the kinds of edges between them."""
        finding = self.findings[kind.replace("time", self.order)]
        if not finding.wanted:
            finding.count += 1
            return
        if len(steps) > LONG:
            vertices, steps = _contracted(vertices, steps)
            is_shortest = len(steps) == 2
        pairs = zip(vertices, vertices[1:], steps, strict=False)
        finding.add(
            cycle=[self.operations.index[place] for place in vertices],
            steps=[self._step(source, target, kind) for source, target, kind in pairs],
            shortest=is_shortest,
        )

    def _step(self, source: int, target: int, kind: int) -> dict[str, Any]:
        """An edge, of the kind that counts first, and what it is of."""
        operations, versions = self.operations, self.versions
        if kind & WW:
            for value, _ in operations.sends(target):
                place = versions.last[value] - 1
                if place < 0:
                    continue
                before = versions.by_index[operations.key_of[value]][place]
                if operations.writer(before) == source:
                    key, name = operations.named(value)
                    return {
                        "type": "ww", "key": key, "value": operations.values[before], "value'": name
                    }  # fmt: skip
        if kind & WR:
            for value, _ in operations.polls(target):
                if operations.writer(value) == source:
                    key, name = operations.named(value)
                    return {"type": "wr", "key": key, "value": name}
        return {"type": self.order}


def _contracted(vertices: Sequence[int], steps: list[int]) -> tuple[Sequence[int], list[int]]:
    """The same cycle with each run of edges of time as one: what follows from order is in order.

    It begins with another edge, so no run goes over its end.
    """
    left, kinds = [vertices[0]], [steps[0]]
    for place, kind in zip(vertices[1:], steps[1:], strict=False):
        if kind == kinds[-1] == TIME:
            continue
        left.append(place)
        kinds.append(kind)
    return [*left, vertices[-1]], kinds


class Few:
    """A component that is small enough to list each edge: its shortest cycles are shown."""

    def __init__(self, cycles: Cycles, component: Region) -> None:
        self._cycles = cycles
        self._members = list(component.places)
        self._kinds: dict[tuple[int, int], int] = {}
        found = cycles.graph
        for edge in component.edges:
            pair = found.source[edge], found.target[edge]
            self._kinds[pair] = self._kinds.get(pair, 0) | found.kind[edge]
        by_process = cycles.order == PROCESS
        for pair in precedes(cycles.operations, self._members, by_process=by_process):
            self._kinds[pair] = self._kinds.get(pair, 0) | TIME
        self._steps = Steps(min(cycles.each, cycles.steps.left))
        self._granted = self._steps.left

    def judge(self) -> None:
        """Name the levels, then the cycles."""
        within = {kinds: self._least(kinds) for kinds in ALL_KINDS}
        self._cycles.name_levels(within)
        implied: dict[str, bool] = {}
        for kind, kinds, needed in SEVEREST_FIRST:
            if kind not in implied and within[kinds] and self._found(kind, kinds, needed):
                implied.update(dict.fromkeys(IMPLIES.get(kind, ()), True))
        self._cycles.steps.take(min(self._granted - self._steps.left, self._cycles.steps.left))

    def _least(self, kinds: int) -> list[int]:
        """The smallest component of the edges of these kinds; of equal ones the first."""
        local = {place: number for number, place in enumerate(self._members)}
        pairs = (
            (local[source], local[target])
            for (source, target), kind in self._kinds.items()
            if kind & kinds
        )
        found = [sorted(one) for one in components(*rows(len(local), pairs))]
        if not found:
            return []
        return [self._members[number] for number in min(found, key=lambda one: (len(one), one))]

    def _found(self, kind: str, kinds: int, needed: int) -> bool:
        """Show the shortest cycle of a kind, if there is one."""
        after: Adjacency = {}
        for (source, target), one in sorted(self._kinds.items()):
            if one & kinds:
                after.setdefault(source, []).append(target)
        edges = [pair for pair, one in sorted(self._kinds.items()) if one & needed]
        cycle = shortest_cycle(after, edges, self._steps)
        if cycle is None:
            return False
        steps = [_first(self._kinds[pair] & kinds) for pair in pairwise(cycle.vertices)]
        self._cycles.name_cycle(kind, cycle.vertices, steps, is_shortest=cycle.is_shortest)
        return True


def _first(kinds: int) -> int:
    """Of several kinds the one that counts: ww, then wr, then time."""
    return kinds & -kinds


class Many:
    """A component of many operations: all is linear, and some cycle of each kind is shown."""

    def __init__(self, cycles: Cycles, component: Region) -> None:
        self._cycles = cycles
        self._component = component

    def judge(self) -> None:
        """Name the levels, and the cycles."""
        within: dict[int, Sequence[int]] = {}
        implied: dict[str, bool] = {}
        for kind, kinds, needed in SEVEREST_FIRST:
            within[kinds] = ()
            if not self._depends(kinds):
                continue  # Time alone goes in no circle.
            starts, targets = self._rows(kinds)
            of, within[kinds] = self._components(starts, targets)
            if kind in implied:
                continue
            pair = self._pair(of, needed)
            if pair is not None:
                source, target = pair
                path = some_path(starts, targets, (target, source), len(self._component.places))
                self._show(kind, [source, *path], kinds)
                implied.update(dict.fromkeys(IMPLIES.get(kind, ()), True))
        self._cycles.name_levels(within)

    def _depends(self, kinds: int) -> bool:
        kind = self._cycles.graph.kind
        return any(kind[edge] & kinds for edge in self._component.edges)

    def _rows(self, kinds: int) -> "tuple[array[int], array[int]]":
        cycles = self._cycles
        by_process = cycles.order == PROCESS
        edges = with_moments(
            cycles.operations, cycles.graph, self._component, kinds, by_process=by_process
        )
        return rows(2 * len(self._component.places), edges)

    def _components(
        self, starts: "array[int]", targets: "array[int]"
    ) -> "tuple[array[int], Sequence[int]]":
        """Which component each vertex is in, and the places of the smallest one."""
        places = self._component.places
        many = len(places)
        of = array("q", [UNKNOWN]) * (2 * many)
        least: list[int] = []
        for number, vertices in enumerate(components(starts, targets)):
            members = [vertex for vertex in vertices if vertex < many]
            for vertex in members:
                of[vertex] = number
            if not least or len(members) < len(least):
                least = members
        return of, array("q", (places[vertex] for vertex in least))

    def _pair(self, of: "array[int]", needed: int) -> tuple[int, int] | None:
        """The vertices of the first edge of the needed kind that lies on a cycle."""
        places, found = self._component.places, self._cycles.graph
        vertex_of = by_place(places, range(len(places)))
        for edge in self._component.edges:
            if found.kind[edge] & needed:
                source, target = vertex_of[found.source[edge]], vertex_of[found.target[edge]]
                if of[source] >= 0 and of[source] == of[target]:
                    return source, target
        return None

    def _show(self, kind: str, path: list[int], kinds: int) -> None:
        """Of a path over moments only the operations are shown, with the time between them."""
        places, found = self._component.places, self._cycles.graph
        many = len(places)
        wanted = {
            (places[one], places[other]): 0
            for one, other in pairwise(path)
            if one < many and other < many
        }
        for edge in self._component.edges:
            pair = found.source[edge], found.target[edge]
            if pair in wanted:
                wanted[pair] |= found.kind[edge]
        vertices = [places[vertex] for vertex in path if vertex < many]
        steps = [
            _first(wanted.get(pair, TIME) & kinds)
            for pair in pairwise(vertices)
        ]
        self._cycles.name_cycle(kind, vertices, steps, is_shortest=len(steps) == 2)
