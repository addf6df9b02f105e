"""An event store in a database: a row an event, and a unique key of (stream, version).

An append is one transaction. Of two that were decided on the same version one inserts its row,
and the other is refused by the key: it loads again and decides again. A client that gets no
answer sends the same rows to the same places: if they are there already, with its ids, that was
its own first try.

The twins differ in one function:

append_anywhere     inserts at whatever version is next, not where it has looked
append_reloading    after no answer it looks where the stream is now, and appends there
key_by_event        the key is the event's id: nothing keeps two events from one version
from_read_model     decides on what a projection has made of the stream so far
"""

from collections.abc import Callable, Generator, Iterable
from typing import Any

from models.patterns.event_sourcing.event_sourcing import Aggregate, fold
from models.patterns.event_sourcing.event_store import Event
from models.patterns.event_sourcing.stock import STOCK, Command, Stock
from simulator import Get, Insert, Select, StoreTimeout, UniqueViolation

EVENTS, READ_MODEL = "events", "available"
STREAM = "stock-A1"

Steps = Generator[Any, Any, Any]
Key = Callable[[str, int, Event], Any]


def row_of(stream: str, version: int, event: Event) -> tuple[Any, ...]:
    """An event as plain values, which nobody can change."""
    data = tuple(sorted(event.data.items()))
    return (stream, version, event.event_id, event.event_type, data)


def event_of(row: tuple[Any, ...]) -> Event:
    """The event in a row."""
    return Event(row[3], dict(row[4]), row[2])


def key_by_version(stream: str, version: int, event: Event) -> Any:
    """The right key: one event a version."""
    del event
    return (stream, version)


def key_by_event(stream: str, version: int, event: Event) -> Any:
    """The twin: one row an event."""
    del stream, version
    return event.event_id


def patiently(ledger: Any, *operations: Any) -> Steps:
    """The results of reading, asked for until there is an answer."""
    while True:
        try:
            return (yield ledger.transact(*operations))
        except StoreTimeout:
            continue


def read_rows(ledger: Any, stream: str) -> Steps:
    """A stream's rows, by version."""
    wanted = Select(
        EVENTS, where=lambda row: row.value[0] == stream, order_by=lambda row: row.value[1]
    )
    (rows,) = yield from patiently(ledger, wanted)
    return [row.value for row in rows]


def inserts(stream: str, events: Iterable[Event], expected: int, key: Key) -> list[Insert]:
    """One row an event, at the versions that follow the expected one."""
    return [
        Insert(EVENTS, key(stream, version, event), row_of(stream, version, event))
        for version, event in enumerate(events, start=expected + 1)
    ]


# --- Appending: whether the events are in the stream now ----------------------------------------


def append_exactly(
    ledger: Any, stream: str, events: tuple[Event, ...], expected: int, key: Key = key_by_version
) -> Steps:
    """Append where we have looked; the same again after no answer."""
    while True:
        try:
            yield ledger.transact(*inserts(stream, events, expected, key))
        except UniqueViolation:
            rows = yield from read_rows(ledger, stream)
            there = [row[2] for row in rows[expected + 1 : expected + 1 + len(events)]]
            return there == [event.event_id for event in events]
        except StoreTimeout:
            continue
        return True


def append_anywhere(
    ledger: Any, stream: str, events: tuple[Event, ...], expected: int, key: Key = key_by_version
) -> Steps:
    """The twin: at the next version, whatever it is; what was decided is not looked at again."""
    while True:
        try:
            yield ledger.transact(*inserts(stream, events, expected, key))
        except (UniqueViolation, StoreTimeout):
            expected = len((yield from read_rows(ledger, stream))) - 1
        else:
            return True


def append_reloading(
    ledger: Any, stream: str, events: tuple[Event, ...], expected: int, key: Key = key_by_version
) -> Steps:
    """The twin: it takes no answer for no append, and appends where the stream is by now."""
    while True:
        try:
            yield ledger.transact(*inserts(stream, events, expected, key))
        except UniqueViolation:
            return False
        except StoreTimeout:
            expected = len((yield from read_rows(ledger, stream))) - 1
        else:
            return True


# --- Deciding: on which state -------------------------------------------------------------------


def from_stream(ledger: Any, stream: str, aggregate: Aggregate = STOCK) -> Steps:
    """The right way: the state that the stream comes to, and the version of its last event."""
    rows = yield from read_rows(ledger, stream)
    return fold(aggregate, [event_of(row) for row in rows]), len(rows) - 1


def from_read_model(ledger: Any, stream: str) -> Steps:
    """The twin: what the read model says is available, and the version of the stream."""
    (shown,) = yield from patiently(ledger, Get(READ_MODEL, stream))
    rows = yield from read_rows(ledger, stream)
    return Stock(shown[0] if shown else 0), len(rows) - 1


def handle(
    context: Any,
    ledger: Any,
    command: Command,
    *,
    stream: str = STREAM,
    append: Callable[..., Steps] = append_exactly,
    key: Key = key_by_version,
    look: Callable[..., Steps] = from_stream,
    think_us: int = 0,
) -> Steps:
    """Load, decide, append; and again, as long as somebody else was faster.

    The answer is the version of the last event that happened, -1 if none did.
    """
    while True:
        state, version = yield from look(ledger, stream)
        events = STOCK.decide(state, command)
        if not events:
            return -1
        if think_us:
            yield context.sleep(think_us)
        if not context.node.point("before_append"):
            return -1
        if (yield from append(ledger, stream, events, version, key)):
            context.note("appended", f"{stream} {version} {events[0].event_id}")
            context.node.point("after_append")
            return version + len(events)
