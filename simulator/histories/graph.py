"""Who depends on whom: operations that sent, polled or both, and edges from cause to consequence.

wr        from who sent a value to whoever was given it
ww        from who sent a value to who sent the next one in the log; only if it is asked for
realtime  from an ok operation to what was invoked after it had ended
process   the same, but only from one operation to the next of its process

There are no rw edges (Elle's anti-dependencies): nobody knows what a poll might have returned.

Edges of time only go forward in the order in which operations ended. So each cycle takes a wr or a
ww edge back, and lies where such edges reach: everything else is left out before any search, and a
history of a million operations has small graphs, or none.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

import attrs

from simulator.histories.operations import ASSIGN, OK, UNKNOWN, Operations
from simulator.histories.versions import Versions

WW, WR, TIME = 1, 2, 4  # As bits: two operations may depend on each other in several ways.
DENSE = 50_000  # From so many places on an array takes less memory than a dict.


@attrs.frozen
class Graph:
    """Dependencies between operations, as parallel columns; by places.

    Attributes:
        source, target, kind: the edges: WR or WW.
        is_empty: whether there is no edge at all, of time neither.
    """

    source: "array[int]"
    target: "array[int]"
    kind: bytearray
    is_empty: bool


def graph(
    operations: Operations, versions: Versions, *, ww_deps: bool, by_process: bool = False
) -> Graph:
    """The dependencies that a history shows; `by_process`, if only a process's own time counts."""
    source, target, kind = array("q"), array("q"), bytearray()
    _reads(operations, source, target)
    kind.extend(bytes([WR]) * len(source))
    if ww_deps:
        _writes(operations, versions, source, target)
        kind.extend(bytes([WW]) * (len(source) - len(kind)))
    is_empty = not source and not _any_order(operations, by_process=by_process)
    return Graph(source, target, kind, is_empty)


def _reads(operations: Operations, source: "array[int]", target: "array[int]") -> None:
    starts, read, sender = operations.read_from, operations.read, operations.sender
    twice = operations.sent_twice
    for place in range(len(operations)):
        begin, end = starts[place], starts[place + 1]
        before = UNKNOWN
        for value in read[begin:end]:
            writer = sender[value]
            if writer not in (before, place) and writer >= 0 and value not in twice:
                source.append(writer)
                target.append(place)
                before = writer


def _writes(
    operations: Operations, versions: Versions, source: "array[int]", target: "array[int]"
) -> None:
    others: dict[tuple[int, int], tuple[int, ...]] = {
        (key, index): values for key, index, values in versions.conflicts
    }
    for key, by_index in enumerate(versions.by_index):
        for index in range(1, len(by_index)):
            writer = operations.writer(by_index[index - 1])
            for value in others.get((key, index)) or (by_index[index],):
                if versions.last[value] != index:
                    continue
                then = operations.writer(value)
                if UNKNOWN not in (writer, then) and writer != then:
                    source.append(writer)
                    target.append(then)


def _any_order(operations: Operations, *, by_process: bool) -> bool:
    """Whether an ok operation had ended before another one (of its process) was invoked."""
    ended, invoked = operations.ended, operations.invoked
    lane_of = operations.process if by_process else bytes(len(operations))
    first: dict[int, int] = {}
    for place in _vertices(operations):
        if operations.outcome[place] == OK:
            lane = lane_of[place]
            first[lane] = min(first.get(lane, ended[place]), ended[place])
    return any(
        invoked[place] > first.get(lane_of[place], invoked[place])
        for place in _vertices(operations)
        if invoked[place] != ended[place]
    )


def _vertices(operations: Operations) -> Iterator[int]:
    for place, does in enumerate(operations.does):
        if does < ASSIGN:
            yield place


@attrs.frozen
class Region:
    """A stretch of operations in which a cycle may lie: places in the order of their ends."""

    places: "array[int]"
    edges: "array[int]"  # Positions in the graph's columns.


def regions(operations: Operations, found: Graph) -> Iterator[Region]:
    """The stretches that edges back reach over, joined where they overlap."""
    ended = operations.ended
    order = sorted(_vertices(operations), key=ended.__getitem__)
    rank = array("q", [UNKNOWN]) * len(operations)
    for position, place in enumerate(order):
        rank[place] = position
    back = sorted(
        rank[target] << 32 | rank[source]
        for source, target in zip(found.source, found.target, strict=True)
        if rank[source] > rank[target]
    )
    if not back:
        return
    stretches: list[list[int]] = []
    for pair in back:
        low, high = pair >> 32, pair & 0xFFFFFFFF
        if stretches and low <= stretches[-1][1]:
            stretches[-1][1] = max(stretches[-1][1], high)
        else:
            stretches.append([low, high])
    stretch_of = array("q", [UNKNOWN]) * len(order)
    for number, (low, high) in enumerate(stretches):
        for position in range(low, high + 1):
            stretch_of[position] = number
    edges = [array("q") for _ in stretches]
    for position, (source, target) in enumerate(zip(found.source, found.target, strict=True)):
        number = stretch_of[rank[source]]
        if number >= 0 and number == stretch_of[rank[target]]:
            edges[number].append(position)
    for number, (low, high) in enumerate(stretches):
        yield Region(array("q", order[low : high + 1]), edges[number])


def by_place(places: "array[int]", values: Iterable[int]) -> "dict[int, int] | array[int]":
    """A value for each place, to be looked up by it: as small as there are few."""
    if len(places) < DENSE:
        return dict(zip(places, values, strict=True))
    found = array("q", [UNKNOWN]) * (max(places) + 1)
    for place, value in zip(places, values, strict=True):
        found[place] = value
    return found


def with_moments(
    operations: Operations, found: Graph, region: Region, kinds: int, *, by_process: bool
) -> Iterator[tuple[int, int]]:
    """The edges of these kinds in a region; vertices are numbered as its places are.

    Edges of time lead over one more vertex an operation, so that there are few of them: `many + n`
    is the moment when the n-th had ended. A moment leads to the next one, and the last moment
    before an operation was invoked leads to the operation.
    """
    many = len(region.places)
    number = by_place(region.places, range(many))
    for edge in region.edges:
        if found.kind[edge] & kinds:
            yield number[found.source[edge]], number[found.target[edge]]
    if not kinds & TIME:
        return
    lanes: dict[int, tuple[array[int], array[int]]] = {}
    for position, place in enumerate(region.places):
        lane = operations.process[place] if by_process else 0
        if lane not in lanes:
            lanes[lane] = array("q"), array("q")
        ends, moments = lanes[lane]
        if operations.invoked[place] != operations.ended[place]:
            before = bisect_left(ends, operations.invoked[place])
            if before:
                yield moments[before - 1], position
        if operations.outcome[place] == OK:
            moment = many + position
            if moments:
                yield moments[-1], moment
            yield position, moment
            ends.append(operations.ended[place])
            moments.append(moment)


def precedes(operations: Operations, members: list[int], *, by_process: bool) -> Iterator[
    tuple[int, int]
]:  # fmt: skip
    """Edges of time between these operations, without those that follow from others.

    `members` stand in the order of their ends. What ended ok waits; who is invoked comes after all
    that wait; who ends ok takes the place of those that it came after.
    """
    outcome, ended, invoked = operations.outcome, operations.ended, operations.invoked
    happenings = sorted(
        [(invoked[place], 1, place) for place in members if invoked[place] != ended[place]]
        + [(ended[place], 0, place) for place in members]
    )
    waiting: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for _, begins, place in happenings:
        lane = operations.process[place] if by_process else 0
        if begins:
            after[place] = list(waiting.get(lane, ()))
            for before in after[place]:
                yield before, place
        elif outcome[place] == OK:
            behind = dict.fromkeys(after.pop(place, ()))
            left = [one for one in waiting.get(lane, ()) if one not in behind]
            waiting[lane] = [*left, place]
