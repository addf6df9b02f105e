"""Numbers that go with a judgement, and break nothing: realtime lag, and repeated deliveries.

1. A process lags behind on a key if, when it polled, something had been in the log for a while that
   lies beyond what it has been given since. That is at least how stale its view was.
2. Where consumers subscribe, at-least-once delivery gives some records more than once to one
   process; how many is counted.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Any

from simulator.histories.operations import (
    ASSIGN,
    FAIL,
    OK,
    POLL,
    SUBSCRIBE,
    TXN,
    UNKNOWN,
    Operations,
    Value,
)

LAGS_MOST = 20_000_000  # Polls times keys that are looked at; beyond, the worst so far is told.
SHOWN_MOST = 100

Lag = tuple[int, Value, str, int]  # When the poll was invoked, by whom, the key, how long.


def lags(operations: Operations) -> Iterator[Lag]:
    """For each ok poll or transaction, and each key that its process holds: how far behind it was.

    Times are those of the history. Sends on their own do not move a position; what a transaction
    sends does, as what it was given.
    """
    touched: list[tuple[array[int], array[int]]] = [
        (array("q"), array("q")) for _ in operations.keys
    ]  # By key: the highest offset so far, each time that it rose, and when that was known.
    held: dict[int, dict[int, int]] = {}
    for place, does in enumerate(operations.does):
        if operations.outcome[place] == FAIL:
            continue
        process = operations.process[place]
        if does < ASSIGN:
            highest = _highest(operations, place)
            _touch(touched, highest, operations.ended_time[place])
            if does in (POLL, TXN) and operations.outcome[place] == OK:
                mine = held.setdefault(process, {})
                for key, offset in highest.items():
                    mine[key] = max(mine.get(key, UNKNOWN), offset)
                began = operations.invoked_time[place]
                for key, position in mine.items():
                    lag = _lag(touched[key], position, began)
                    yield began, operations.processes[process], operations.keys[key], lag
        elif place in operations.sessions and operations.outcome[place] == OK:
            known = held.get(process, {}) if does == ASSIGN else {}
            kept = operations.sessions[place] if does == ASSIGN else ()
            held[process] = {key: known.get(key, UNKNOWN) for key in kept}


def _lag(touched: "tuple[array[int], array[int]]", position: int, began: int) -> int:
    offsets, times = touched
    if not offsets or offsets[-1] <= position:
        return 0
    return max(0, began - times[bisect_left(offsets, position + 1)])


def _highest(operations: Operations, place: int) -> dict[int, int]:
    highest: dict[int, int] = {}
    for told in (operations.sends(place), operations.polls(place)):
        for value, offset in told:
            key = operations.key_of[value]
            if offset > highest.get(key, UNKNOWN):
                highest[key] = offset
    return highest


def _touch(
    touched: "list[tuple[array[int], array[int]]]", highest: dict[int, int], time: int
) -> None:
    for key, offset in highest.items():
        offsets, times = touched[key]
        if not offsets or offset > offsets[-1]:
            offsets.append(offset)
            times.append(time)


def worst_lag(operations: Operations) -> dict[str, Any] | None:
    """The longest lag: when, who, which key; None where nobody polled."""
    worst: Lag | None = None
    for lag in islice(lags(operations), LAGS_MOST):
        if worst is None or lag[3] > worst[3]:
            worst = lag
    return worst and dict(zip(("time", "process", "key", "lag"), worst, strict=True))


def consume_counts(operations: Operations) -> dict[str, Any]:
    """Of processes that have ever subscribed: how often each was given one value.

    `distribution`: how many pairs of process and value there are for each count. `repeated`: the
    first of those above one.
    """
    subscribed = {
        operations.process[place]: True
        for place, does in enumerate(operations.does)
        if does == SUBSCRIBE
    }
    deliveries = array("q")
    starts, read = operations.read_from, operations.read
    for place, process in enumerate(operations.process):
        if process in subscribed and operations.outcome[place] == OK:
            above = process << 32
            deliveries.extend(above | value for value in read[starts[place] : starts[place + 1]])
    distribution: dict[int, int] = {}
    repeated: list[dict[str, Any]] = []
    before, count = UNKNOWN, 0
    for delivery in [*sorted(deliveries), UNKNOWN]:
        if delivery == before:
            count += 1
            continue
        if count:
            distribution[count] = distribution.get(count, 0) + 1
        if count > 1 and len(repeated) < SHOWN_MOST:
            key, value = operations.named(before & 0xFFFFFFFF)
            who = operations.processes[before >> 32]
            repeated.append({"process": who, "key": key, "value": value, "count": count})
        before, count = delivery, 1
    return {"distribution": dict(sorted(distribution.items())), "repeated": repeated}
