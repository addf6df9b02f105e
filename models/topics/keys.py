"""An event's key decides its partition, and only events of one partition keep their order.

by_order   the order's id: an order's events lie in one partition, in order
by_type    the event's type: as many partitions are used as there are types, and one order's events
           lie in different ones
by_chance  a new key each time (a UUID, say): spread evenly, and no two events keep their order
unkeyed    none: the producer fills one partition for a while, and then another
split      parts of a key that is hot: its load is shared, and its events keep no order

The order's id here stands for any aggregate's: what must be applied in order shares a key.
"""

from collections.abc import Callable, Iterable, Mapping

from models.patterns.envelope import read_envelope
from simulator import WorkItem

Keying = Callable[[WorkItem, int], str | None]
"""From an event and the run's number to the event's key."""


def by_order(item: WorkItem, _: int = 0) -> str:
    """The id of the order that the event is about."""
    return str(read_envelope(item.value).payload["order_id"])


def by_type(item: WorkItem, _: int = 0) -> str:
    """What happened, such as OrderCreated."""
    return read_envelope(item.value).event_type


def by_chance(item: WorkItem, run: int = 0) -> str:
    """A key that no other event has; other runs have others."""
    return f"{run}:{item.event_id}"


def unkeyed(_: WorkItem, __: int = 0) -> None:
    """No key."""
    return


def split(item: WorkItem, ways: int) -> str:
    """The event's key in one of so many parts, in turn: a hot key's load, shared; its order, gone.

    The events' ids are to end in their number.
    """
    digits = item.event_id[len(item.event_id.rstrip("0123456789")) :]
    return f"{item.key}#{int(digits or 0) % ways}"


KEYS: Mapping[str, Keying] = {
    "order id": by_order,
    "event type": by_type,
    "random": by_chance,
    "none": unkeyed,
}


def keyed(items: Iterable[WorkItem], keying: Keying, run: int = 0) -> tuple[WorkItem, ...]:
    """The same events at the same times, under other keys."""
    return tuple(item._replace(key=keying(item, run)) for item in items)
