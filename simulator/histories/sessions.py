"""One process goes forward, and leaves nothing out: in an operation, and from one to the next.

1. Values of one key that follow each other should lie next to each other in the log. Further on is
   a skip; the same place or before it is a step back. Where a place is not known nobody can tell.
2. Polls: the position is what the last *ok* operation was given. One that failed is compared with
   it, and does not move it: the next one begins again from there.
3. Sends: operations that are ok or info count, and move on.
4. `assign` and `subscribe`, ok or info, keep the positions of their keys and forget all others.
5. Where a partition came or went during an operation, its own polls of it are let pass.

Between operations a skip of sends is no anomaly: others send meanwhile.
"""

from simulator.histories.finding import SKIPPED_MOST, Finding, Findings
from simulator.histories.operations import FAIL, INFO, OK, Operations
from simulator.histories.versions import Versions

_Positions = dict[int, dict[int, tuple[int, int]]]  # process -> key -> value, and who last had it


def polls(operations: Operations, versions: Versions) -> Findings:
    """Steps of polls: int-poll-skip, int-nonmonotonic-poll, poll-skip, nonmonotonic-poll."""
    inner_skip, inner_back = Finding(), Finding()
    skip, back = Finding(), Finding()
    inner = _Cases(operations, versions, inner_skip, inner_back)
    outer = _Cases(operations, versions, skip, back)
    positions: _Positions = {}
    starts, read, key_of = operations.read_from, operations.read, operations.key_of
    process, outcome, step = operations.process, operations.outcome, versions.step
    sessions, rebalanced = operations.sessions, operations.rebalanced
    within = between = 0
    for place, how in enumerate(outcome):
        begin, end = starts[place], starts[place + 1]
        if begin == end:
            if place in sessions and how != FAIL:
                _keep(positions, process[place], sessions[place])
            continue
        before = positions.get(process[place])
        moved = rebalanced.get(place, ())
        now: dict[int, tuple[int, int]] = {}
        for value in read[begin:end]:
            key = key_of[value]
            known = now.get(key)
            if known is not None:
                within += 1
                one, other = step[known[0]], step[value]
                if other - one != 1 and one >= 0 <= other and key not in moved:
                    inner.add(known[0], value, place)
            elif before is not None and (known := before.get(key)) is not None:
                between += 1
                one, other = step[known[0]], step[value]
                if other - one != 1 and one >= 0 <= other:
                    outer.add(known[0], value, known[1], place)
            now[key] = (value, place)
        if how == OK:
            positions[process[place]] = {**before, **now} if before else now
    inner_skip.reached = inner_back.reached = within
    skip.reached = back.reached = between
    return {
        "int-poll-skip": inner_skip,
        "int-nonmonotonic-poll": inner_back,
        "poll-skip": skip,
        "nonmonotonic-poll": back,
    }


def sends(operations: Operations, versions: Versions) -> Findings:
    """Steps of sends: int-send-skip, int-nonmonotonic-send, nonmonotonic-send."""
    inner_skip, inner_back, back = Finding(), Finding(), Finding()
    inner = _Cases(operations, versions, inner_skip, inner_back)
    outer = _Cases(operations, versions, None, back)
    positions: _Positions = {}
    starts, sent, key_of = operations.sent_from, operations.sent, operations.key_of
    process, outcome, step = operations.process, operations.outcome, versions.step
    sessions = operations.sessions
    within = between = 0
    for place, how in enumerate(outcome):
        begin, end = starts[place], starts[place + 1]
        if begin == end:
            if place in sessions and how != FAIL:
                _keep(positions, process[place], sessions[place])
            continue
        before = positions.get(process[place]) if how in (OK, INFO) else None
        now: dict[int, tuple[int, int]] = {}
        for value in sent[begin:end]:
            key = key_of[value]
            known = now.get(key)
            if known is not None:
                within += 1
                one, other = step[known[0]], step[value]
                if other - one != 1 and one >= 0 <= other:
                    inner.add(known[0], value, place)
            elif before is not None and (known := before.get(key)) is not None:
                between += 1
                one, other = step[known[0]], step[value]
                if other - one < 1 and one >= 0 <= other:
                    outer.add(known[0], value, known[1], place)
            now[key] = (value, place)
        if how != FAIL:
            positions[process[place]] = {**before, **now} if before else now
    inner_skip.reached = inner_back.reached = within
    back.reached = between
    return {
        "int-send-skip": inner_skip,
        "int-nonmonotonic-send": inner_back,
        "nonmonotonic-send": back,
    }


def _keep(positions: _Positions, process: int, keys: tuple[int, ...]) -> None:
    known = positions.get(process)
    if known:
        positions[process] = {key: known[key] for key in keys if key in known}


class _Cases:
    """Adds skips and steps back to what was found of them; without `skip`, steps back alone."""

    def __init__(
        self, operations: Operations, versions: Versions, skip: Finding | None, back: Finding
    ) -> None:
        self._operations, self._versions = operations, versions
        self._skip, self._back = skip, back

    def add(self, one: int, other: int, *places: int) -> None:
        """Two values that do not lie next to each other, of one operation or of two."""
        delta = self._versions.delta(one, other)
        found = self._back if self._skip is None or delta < 1 else self._skip
        if not found.wanted:
            found.count += 1
            return
        operations = self._operations
        named = [operations.index[place] for place in places]
        case = {
            "key": operations.keys[operations.key_of[one]],
            "values": [operations.values[one], operations.values[other]],
            "delta": delta,
            **({"op": named[0]} if len(named) == 1 else {"ops": named}),
        }
        if delta > 1:
            between = self._versions.between(one, other, SKIPPED_MOST)
            case["skipped"] = [operations.values[value] for value in between]
        found.add(**case)
