"""Logs of events: what a user gives, and the logs that a broker may make of it.

A log is a tuple of numbers of events, from 1, in the order in which they are read.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from simulator.errors import BadInput
from simulator.scenario.workload import WorkItem

TOPIC = "events"
MADE_MOST = 1_000  # By number: all choices of so many are beyond any search.
FIX = "give a number, or a list of (key, value): text, bytes, or a dict for a value"

Log = tuple[WorkItem, ...]


def events_of(given: Any) -> Log:
    """The events that a user gave, with the ids e1, e2, ... where they have none of their own.

    Raises:
        BadInput: they cannot be read.
    """
    if isinstance(given, bool) or given is None:
        raise BadInput("cannot be read:", "events", given, FIX)
    if isinstance(given, int):
        if not 0 <= given <= MADE_MOST:
            fix = "give a small number, or a list of your own"
            raise BadInput(f"is a number from 0 to {MADE_MOST}, not", "events", given, fix)
        given = [
            (f"k{(number - 1) % 2}", {"event_id": f"e{number}", "amount": 10 ** (number - 1)})
            for number in range(1, given + 1)
        ]
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        raise BadInput("cannot be read:", "events", given, FIX)
    log = tuple(_event(number, one) for number, one in enumerate(given, 1))
    ids = [one.event_id for one in log]
    for event_id in ids:
        if ids.count(event_id) > 1:
            fix = "give each its own: to repeat events is our part"
            raise BadInput("two events have the event_id", "events", event_id, fix)
    return log


def _event(number: int, given: Any) -> WorkItem:
    where = f"events[{number - 1}]"
    if isinstance(given, WorkItem):
        return given._replace(at_us=0, topic=TOPIC)
    if isinstance(given, Mapping):
        given = (given.get("key"), given)
    if not (isinstance(given, Sequence) and not isinstance(given, (str, bytes))):
        given = (None, given)
    if len(given) != 2:
        raise BadInput("is not (key, value):", where, given, FIX)
    key, value = given
    event_id = f"e{number}"
    if isinstance(value, Mapping):
        event_id = str(value.get("event_id", event_id))
        try:
            value = json.dumps(value)
        except (TypeError, ValueError) as error:
            raise BadInput(f"is no JSON ({error}):", where, value, FIX) from None
    for what, part in (("key", key), ("value", value)):
        if part is not None and not isinstance(part, (str, bytes)):
            raise BadInput(f"its {what} is neither text nor bytes:", where, part, FIX)
    return WorkItem(0, TOPIC, key, value, event_id)


def by_key(event: Any) -> Any:
    """What events are kept in order by, unless one says otherwise."""
    return event.key


# --- What a log may become ----------------------------------------------------------------------


def doublings(log: Log) -> Iterator[Log]:
    """Each event a second time, at each later place."""
    for first, event in enumerate(log):
        for place in range(first + 1, len(log) + 1):
            yield (*log[:place], event, *log[place:])


def interleavings(log: Log, by: Callable[[Any], Any] | None) -> Iterator[Log]:
    """Every other order which keeps that of events of one key."""
    queues: list[list[WorkItem]] = []
    if by is None:
        queues = [[event] for event in log]
    else:
        names = [by(event) for event in log]
        order = [names.index(name) for name in names]
        placed = sorted(zip(order, log, strict=True), key=lambda one: one[0])
        queues = [[event for _, event in group] for _, group in groupby(placed, lambda one: one[0])]
    for found in _woven(tuple(tuple(queue) for queue in queues)):
        if found != log:
            yield found


def _woven(queues: tuple[Log, ...]) -> Iterator[Log]:
    if not any(queues):
        yield ()
    for number, queue in enumerate(queues):
        if queue:
            left = (*queues[:number], queue[1:], *queues[number + 1 :])
            for rest in _woven(left):
                yield (queue[0], *rest)


def smaller(log: Log) -> Iterator[Log]:
    """Every choice of fewer events, at least one, the fewest first, in their order."""
    from itertools import combinations

    for size in range(1, len(log)):
        yield from combinations(log, size)
