"""Old events are read as today's code would have written them; what is stored stays as it is.

1. An upcaster takes an event from one schema version to the next, and gives none, one, or several
   events. A chain of them takes any version to the newest.
2. It is a function of the event alone. What an old event does not say gets the value that was
   true of all of them then (there was one warehouse), never today's answer.
3. What cannot be told from the old event is no new version of it: it is a new type of event.

    version 1   StockReceived {delivery_id, quantity}
    version 2   StockReceived {..., warehouse}: there was one, "main"
    version 3   StockReceived {delivery_id, lots: [[warehouse, quantity]]}
    version 1   StockCorrected {counted, missing}; version 2: a StockReleased for each missing order

The twins:

SKIPPING        has no step from 1 to 2, and passes such events on as they are
asking(now)     fills in the warehouse by what is asked today
SHORTCUT        has a step of its own from 1 to 3, and it is not what the two steps do
migrate         writes the upcast events over the stored ones
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from models.patterns.event_sourcing.event_store import Event, EventStore

RECEIVED, CORRECTED, RELEASED = "StockReceived", "StockCorrected", "StockReleased"
ONLY_WAREHOUSE = "main"

Upcaster = Callable[[Event], tuple[Event, ...]]
Chain = Mapping[tuple[str, int], Upcaster]
Shortcuts = Mapping[tuple[str, int, int], Upcaster]
NO_SHORTCUTS: Shortcuts = {}


def _with(event: Event, version: int, **data: Any) -> Event:
    return event._replace(data=data, schema_version=version)


def names_the_warehouse(event: Event) -> tuple[Event, ...]:
    """From 1 to 2: what was true of all."""
    return (_with(event, 2, **event.data, warehouse=ONLY_WAREHOUSE),)


def splits_into_lots(event: Event) -> tuple[Event, ...]:
    """From 2 to 3: several warehouses a delivery; this one had one."""
    lots = ((event.data["warehouse"], event.data["quantity"]),)
    return (_with(event, 3, delivery_id=event.data["delivery_id"], lots=lots),)


def tells_each_release(event: Event) -> tuple[Event, ...]:
    """A correction becomes as many events as it corrected, and that may be none."""
    return tuple(
        Event(RELEASED, {"order_id": order_id}, f"{event.event_id}/{order_id}")
        for order_id in event.data["missing"]
    )


CHAIN: Chain = {
    (RECEIVED, 1): names_the_warehouse,
    (RECEIVED, 2): splits_into_lots,
    (CORRECTED, 1): tells_each_release,
}


def upcast(event: Event, chain: Chain = CHAIN) -> tuple[Event, ...]:
    """The event as the newest code would have written it: step by step."""
    step = chain.get((event.event_type, event.schema_version))
    if step is None:
        return (event,)
    return tuple(last for next_ in step(event) for last in upcast(next_, chain))


def upcast_to(
    event: Event, version: int, chain: Chain = CHAIN, shortcuts: Shortcuts = NO_SHORTCUTS
) -> tuple[Event, ...]:
    """The event as the code of a version would have written it.

    Args:
        shortcuts: steps over several versions at once, which are taken first.
    """
    if event.schema_version >= version:
        return (event,)
    step = shortcuts.get((event.event_type, event.schema_version, version))
    if step is None:
        step = chain.get((event.event_type, event.schema_version))
    if step is None:
        return (event,)
    return tuple(
        last for next_ in step(event) for last in upcast_to(next_, version, chain, shortcuts)
    )


# --- A read by today's code ---------------------------------------------------------------------


def lots(events: Iterable[Event], chain: Chain = CHAIN) -> dict[str, int]:
    """How much each warehouse received; it knows the newest version only.

    What has no lots is no delivery that it knows: tolerant, and silent.
    """
    received: dict[str, int] = {}
    for stored in events:
        for event in upcast(stored, chain):
            if event.event_type == RECEIVED:
                for warehouse, quantity in event.data.get("lots", ()):
                    received[warehouse] = received.get(warehouse, 0) + quantity
    return received


# --- Twins --------------------------------------------------------------------------------------

SKIPPING: Chain = {place: step for place, step in CHAIN.items() if place != (RECEIVED, 1)}


def straight_to_lots(event: Event) -> tuple[Event, ...]:
    """From 1 to 3 at once, by somebody who thought that old stock lay in no warehouse."""
    three = _with(
        event, 3, delivery_id=event.data["delivery_id"], lots=(("", event.data["quantity"]),)
    )
    return (three,)


SHORTCUT: Shortcuts = {(RECEIVED, 1, 3): straight_to_lots}


def asking(today: Callable[[], str]) -> Chain:
    """A chain that asks where deliveries go today."""

    def names_todays(event: Event) -> tuple[Event, ...]:
        return (_with(event, 2, **event.data, warehouse=today()),)

    return {**CHAIN, (RECEIVED, 1): names_todays}


def migrate(store: EventStore, chain: Chain = CHAIN) -> None:
    """The twin of reading by a chain: the stored events are written anew."""
    for recorded in list(store.log):
        for event in upcast(recorded.event, chain):
            store.edit(recorded.position, event)
