"""Several services sell the same thing: each decides on the stream, and appends where it looked.

A delivery comes, and then every seller works off its commands, one after the other. A projector
keeps the read model `available` meanwhile: it is always a little behind. A migration runs, too:
the right one (`as_read`) turns old rows into new ones where they are read, and writes nothing; the
twin (`in_place`) writes over what is stored.
"""

from collections.abc import Callable, Generator
from typing import Any

from models.patterns.event_sourcing.event_sourcing import fold
from models.patterns.event_sourcing.stock import STOCK, Command, Receive
from models.patterns.event_sourcing.stored_events import (
    EVENTS,
    READ_MODEL,
    STREAM,
    event_of,
    handle,
    patiently,
    read_rows,
)
from simulator import Cluster, Get, Select, Upsert

LEDGER = "ledger"
BEHIND_US = 300_000  # The pause of the projector.

Steps = Generator[Any, Any, Any]


def selling(context: Any, commands: tuple[Command, ...], **how: Any) -> Steps:
    """A seller: it begins once the delivery has come, and the read model knows of it."""
    ledger = context.store(LEDGER)
    while not (yield from patiently(ledger, Get(READ_MODEL, STREAM)))[0]:
        yield context.sleep(100_000)
    for command in commands:
        yield from handle(context, ledger, command, **how)


def projecting(context: Any, until_us: int) -> Steps:
    """The read model, from time to time: what is available by the stream so far."""
    ledger, shown = context.store(LEDGER), None
    while shown is None or context.node.now_us < until_us:
        rows = yield from read_rows(ledger, STREAM)
        if rows:
            state = fold(STOCK, [event_of(row) for row in rows])
            shown = (state.available, len(rows) - 1)
            yield from patiently(ledger, Upsert(READ_MODEL, STREAM, shown, effect=False))
        yield context.sleep(BEHIND_US)


def renamed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row as today's code would have written it: types have a version in their name now."""
    return (*row[:3], row[3] if row[3].endswith(".v2") else f"{row[3]}.v2", *row[4:])


def as_read(ledger: Any) -> Steps:
    """Read all rows by today's names; the answer is those rows, and nothing is written."""
    (rows,) = yield from patiently(ledger, Select(EVENTS))
    return [renamed(row.value) for row in rows]


def in_place(ledger: Any) -> Steps:
    """The twin: write all rows anew, by today's names."""
    (rows,) = yield from patiently(ledger, Select(EVENTS))
    changes = [Upsert(EVENTS, row.key, renamed(row.value)) for row in rows]
    if changes:
        yield from patiently(ledger, *changes)


def deploy(
    cluster: Cluster,
    *,
    sellers: tuple[tuple[Command, ...], ...],
    quantity: int = 1,
    migrate: Callable[[Any], Steps] = as_read,
    until_us: int = 2_000_000,
    **how: Any,
) -> None:
    """A delivery of so many, sellers with their commands, a projector, and a migration.

    Args:
        how: see `handle`: how they append, by which key, and what they look at.
    """
    cluster.store(LEDGER)

    def receiving(node: Any) -> Steps:
        context = cluster.context(node)
        yield from handle(context, context.store(LEDGER), Receive("d-1", quantity))

    def seller(commands: tuple[Command, ...]) -> Callable[[Any], Steps]:
        return lambda node: selling(cluster.context(node), commands, **how)

    def migrating(node: Any) -> Steps:
        context = cluster.context(node)
        yield context.sleep(until_us)
        yield from migrate(context.store(LEDGER))
        context.note("migrated")

    cluster.driver("deliveries", receiving)
    for number, commands in enumerate(sellers):
        cluster.driver(f"seller-{number}", seller(commands))
    cluster.driver("projector", lambda node: projecting(cluster.context(node), until_us))
    cluster.driver("migration", migrating)
