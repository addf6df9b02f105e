"""A read model can be thrown away and made again from the log, if its projection allows it.

1. A projection is a function of a row's old value and an event; what it says is written where it
   says, and nothing else happens. So the live model, made event by event, and one that is made
   again from the whole log are equal.
2. A rebuild begins with nothing: beside the old model, which is read until the new one has caught
   up (blue/green), or in its place once it has been emptied.
3. Mails, calls and commands are no part of a projection. If one sends them all the same, a replay
   must say that it is one, and the projection must not send then.
4. An event of an unknown type is skipped, or stops the projection. Either will do, if it is the
   same for the live projection and for the rebuild. (Marten's defaults: the live one skips what it
   cannot handle, a rebuild stops there.)
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from models.patterns.event_sourcing.event_store import Event
from models.patterns.event_sourcing.stock import RECEIVED, RELEASED, RESERVED

SKIP, STOP = "skip", "stop"

Rows = Mapping[str, Any]
Projection = Callable[[Rows, Event], Rows]
Mail = Callable[[Event], None]


class Unknown(Exception):
    """A projection met an event that it has no rule for."""


def holdings(rows: Rows, event: Event) -> Rows:
    """A read model of stock: what is left, and what each order holds.

    Raises:
        Unknown: an event of another type.
    """
    data, left = event.data, rows.get("left", 0)
    match event.event_type:
        case "StockReceived":
            return {**rows, "left": left + data["quantity"]}
        case "StockReserved":
            return {**rows, "left": left - data["quantity"], data["order_id"]: data["quantity"]}
        case "StockReleased":
            held = rows.get(data["order_id"], 0)
            return {**rows, "left": left + held, data["order_id"]: 0}
    raise Unknown(event.event_type)


KNOWN = (RECEIVED, RESERVED, RELEASED)


@attrs.frozen
class ReadModel:
    """Rows, and how far in the log they have come: the last position that is in them."""

    rows: Rows = attrs.field(factory=dict)
    checkpoint: int = -1
    stopped: bool = False


def project(
    model: ReadModel, log: Iterable[tuple[int, Event]], projection: Projection, unknown: str = SKIP
) -> ReadModel:
    """The model after the events behind its checkpoint.

    Args:
        log: events by position.
        unknown: what to do with an event that the projection does not know.
    """
    rows, checkpoint = model.rows, model.checkpoint
    for position, event in log:
        if position <= checkpoint or model.stopped:
            continue
        try:
            rows = projection(rows, event)
        except Unknown:
            if unknown == STOP:
                return ReadModel(rows, checkpoint, stopped=True)
        checkpoint = position
    return ReadModel(rows, checkpoint, model.stopped)


# --- Rebuilding ---------------------------------------------------------------------------------


def into_a_new_one(live: ReadModel) -> ReadModel:
    """Blue/green: beside the live one, from nothing."""
    del live
    return ReadModel()


def truncated_first(live: ReadModel) -> ReadModel:
    """In the place of the live one, which is emptied first."""
    return attrs.evolve(live, rows={}, checkpoint=-1, stopped=False)


def into_what_is_there(live: ReadModel) -> ReadModel:
    """The twin: only the checkpoint is set back, and everything is counted again."""
    return attrs.evolve(live, checkpoint=-1, stopped=False)


def rebuilt(
    live: ReadModel,
    log: Iterable[tuple[int, Event]],
    projection: Projection,
    begin: Callable[[ReadModel], ReadModel] = into_a_new_one,
    unknown: str = SKIP,
) -> ReadModel:
    """The model made again from the whole log."""
    return project(begin(live), log, projection, unknown)


# --- Effects beside the projection --------------------------------------------------------------


def silent(projection: Projection, mail: Mail, *, replaying: bool) -> Projection:
    """The right way to tell somebody: not in a replay."""
    return projection if replaying else telling(projection, mail, replaying=replaying)


def telling(projection: Projection, mail: Mail, *, replaying: bool) -> Projection:
    """The twin: a mail for each reservation, whenever it is projected."""
    del replaying

    def projecting(rows: Rows, event: Event) -> Rows:
        if event.event_type == RESERVED:
            mail(event)
        return projection(rows, event)

    return projecting
