"""Nothing that was written is left out by those who read on: lost-write, unseen.

1. Who was given a value has passed all that lies before it. What nobody was given then, and has
   happened, is lost: nobody will turn back for it.
2. At the end, what was acknowledged should have been given to somebody. Whether it was lost, or
   only not polled yet, a history cannot tell: let all read to the end before it is over.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from simulator.histories.finding import Finding
from simulator.histories.operations import OK, UNKNOWN, Operations
from simulator.histories.versions import Versions

LISTED_MOST = 1_000  # Values that are listed of one key.


def lost_write(operations: Operations, versions: Versions) -> Finding:
    """Values that happened, lie below one that was given to someone, and were given to nobody."""
    found = Finding()
    seen, last = versions.seen, versions.last
    several: list[dict[int, tuple[int, ...]]] = [{} for _ in operations.keys]
    for key, index, values in versions.conflicts:
        several[key][index] = values
    for key, by_index in enumerate(versions.by_index):
        others = several[key]
        bound, highest = _bound(versions, by_index, others)
        found.reached += bound + 1
        lost: list[tuple[int, int]] = []
        for index in range(bound + 1):
            for value in others.get(index) or (by_index[index],):
                if not seen[value] and last[value] == index:
                    writer = _who_wrote(operations, versions, value)
                    if writer >= 0:
                        lost.append((value, writer))
        if lost:
            reader = operations.index[_reader(operations, highest)]
            for value, writer in lost:
                told = {
                    "key": operations.keys[key],
                    "value": operations.values[value],
                    "index": last[value],
                    "max-read-index": bound,
                    "writer": operations.index[writer],
                    "max-read": reader,
                }
                found.add(**told)
    return found


def _bound(
    versions: Versions, by_index: "array[int]", others: dict[int, tuple[int, ...]]
) -> tuple[int, int]:
    """The highest first index of a value that an ok operation was given, and the value."""
    seen, first = versions.seen, versions.first
    for index in range(len(by_index) - 1, -1, -1):
        for value in others.get(index) or (by_index[index],):
            if seen[value] and first[value] == index:
                return index, value
    return UNKNOWN, UNKNOWN


def _who_wrote(operations: Operations, versions: Versions, value: int) -> int:
    """Who sent a value, and it happened; UNKNOWN if nobody did."""
    writers = operations.sent_twice.get(value, (operations.sender[value],))
    return next((one for one in writers if one >= 0 and versions.happened[one]), UNKNOWN)


def _reader(operations: Operations, value: int) -> int:
    """The first ok operation that was given a value."""
    position = -1
    while True:
        position = operations.read.index(value, position + 1)
        place = _owner(operations, position)
        if operations.outcome[place] == OK:
            return place


def _owner(operations: Operations, position: int) -> int:
    return bisect_right(operations.read_from, position) - 1


def unseen(operations: Operations, versions: Versions) -> Finding:
    """Values that ok operations sent, and no ok operation was given."""
    found = Finding()
    missing: dict[int, list[int]] = {}
    time = UNKNOWN
    acknowledged = bytearray(len(operations.values))
    starts, sent = operations.sent_from, operations.sent
    for place, outcome in enumerate(operations.outcome):
        if outcome == OK:
            time = max(time, operations.ended_time[place])
            for value in sent[starts[place] : starts[place + 1]]:
                acknowledged[value] = 1
    for value, is_acknowledged in enumerate(acknowledged):
        if is_acknowledged:
            found.reached += 1
            if not versions.seen[value] and value not in operations.excused:
                missing.setdefault(operations.key_of[value], []).append(value)
    for key in operations.unread_keys:
        missing.pop(key, None)
    for key in sorted(missing):
        values = [operations.values[value] for value in missing[key][:LISTED_MOST]]
        writers = (operations.sender[value] for value in missing[key][:LISTED_MOST])
        found.add(
            key=operations.keys[key],
            time=time,
            unseen=len(missing[key]),
            messages=values,
            ops=[operations.index[place] for place in writers],
        )
    return found


def unseen_series(operations: Operations) -> Iterator[tuple[int, dict[str, int]]]:
    """After each ok operation: its time, and by key how much is acknowledged and not yet given."""
    waiting: dict[int, dict[int, bool]] = {}
    given: dict[int, bool] = {}
    for place, outcome in enumerate(operations.outcome):
        if outcome != OK:
            continue
        for value, _ in operations.sends(place):
            mine = waiting.setdefault(operations.key_of[value], {})
            if value not in given:
                mine[value] = True
        for value, _ in operations.polls(place):
            given[value] = True
            waiting.get(operations.key_of[value], {}).pop(value, None)
        counts = {operations.keys[key]: len(mine) for key, mine in waiting.items()}
        yield operations.ended_time[place], counts
