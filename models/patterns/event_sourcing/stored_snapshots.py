"""Snapshots of a stream in the database, and a deployment of new code in the middle of the day.

Loading reads the snapshot's row and the events behind it; folding takes its time by the event.
The first half of the commands is handled by yesterday's code, whose fold knows nothing of
releases; then the new code comes, with another `state_version`. Snapshots that yesterday's code
has made are still there.

The twin `trusts_any_code` (see `snapshots`) goes on from them.
"""

from collections.abc import Callable, Generator, Iterable
from typing import Any

import attrs

from models.patterns.event_sourcing.event_promises import check_of
from models.patterns.event_sourcing.event_sourcing import Aggregate, fold
from models.patterns.event_sourcing.event_store import Event
from models.patterns.event_sourcing.snapshots import Snapshot, Usable, of_this_code
from models.patterns.event_sourcing.stock import (
    RELEASED,
    STOCK,
    Command,
    Stock,
    evolve,
)
from models.patterns.event_sourcing.stored_events import (
    EVENTS,
    STREAM,
    append_exactly,
    event_of,
    key_by_version,
    patiently,
)
from simulator import Cases, Check, Cluster, Get, Select, Upsert

LEDGER, SNAPSHOTS = "ledger", "snapshots"
FOLD_US = 100  # For an event: reading it, parsing it, folding it.

Steps = Generator[Any, Any, Any]


def yesterdays(stock: Stock, event: Event) -> Stock:
    """The fold before it knew of releases."""
    return stock if event.event_type == RELEASED else evolve(stock, event)


CODES: dict[int, Aggregate] = {
    1: attrs.evolve(STOCK, evolve=yesterdays, state_version=1),
    2: attrs.evolve(STOCK, state_version=2),
}


def load(context: Any, ledger: Any, code: Aggregate, usable: Usable) -> Steps:
    """The state, its version, and how many events were read for it."""
    (stored,) = yield from patiently(ledger, Get(SNAPSHOTS, STREAM))
    state, after = code.initial, -1
    if stored is not None:
        version, state_version, available, orders, deliveries = stored
        snapshot = Snapshot(version, state_version, Stock(available, dict(orders), deliveries))
        if usable(snapshot, code):
            state, after = snapshot.state, version
    wanted = Select(EVENTS, at_least=(STREAM, after + 1))
    (rows,) = yield from patiently(ledger, wanted)
    yield context.sleep(len(rows) * FOLD_US)
    state = fold(code, [event_of(row.value) for row in rows], state)
    return state, after + len(rows), len(rows)


def handling(
    context: Any, commands: tuple[Command, ...], every: int, usable: Usable = of_this_code
) -> Steps:
    """Handle commands one after the other; the second half with the new code.

    It notes `loaded`: the code, the version, what is available by it, how many events were read,
    and the microseconds that it took.

    Args:
        every: a snapshot at each multiple of so many versions; 0: none.
    """
    ledger = context.store(LEDGER)
    for place, command in enumerate(commands):
        code = CODES[1 if 2 * place < len(commands) else 2]
        began_us = context.node.now_us
        state, version, read = yield from load(context, ledger, code, usable)
        took_us = context.node.now_us - began_us
        said = f"{code.state_version} {version} {state.available} {read} {took_us}"
        context.note("loaded", said)
        events = code.decide(state, command)
        if not events:
            continue
        yield from append_exactly(ledger, STREAM, events, version, key_by_version)
        version += len(events)
        if every and (version + 1) // every > (version + 1 - len(events)) // every:
            state = fold(code, events, state)
            row = (
                version, code.state_version, state.available, tuple(state.orders.items()),
                state.deliveries,
            )  # fmt: skip
            yield from patiently(ledger, Upsert(SNAPSHOTS, STREAM, row, effect=False))


def deploy(
    cluster: Cluster,
    *,
    commands: Iterable[Command],
    every: int,
    usable: Callable[[Snapshot, Aggregate], bool] = of_this_code,
) -> None:
    """A store, and a service with its commands."""
    cluster.store(LEDGER)
    given = tuple(commands)
    cluster.driver("service", lambda node: handling(cluster.context(node), given, every, usable))


def _as_folded(entries: list[Any], cases: Cases) -> int:
    events: list[Event] = []
    loads = 0
    for one in entries:
        if one[4][0] == "effect_applied":
            if one[4][1] == EVENTS:
                events.append(event_of(one[4][3]))
        elif one[4][1] == "loaded":
            loads += 1
            code, version, available, *_ = map(int, one[4][2].split(" "))
            folded = fold(CODES[code], events[: version + 1]).available
            if folded != available:
                said = f"at {version} {available} were thought available, and {folded} are"
                cases.add(said, (one[0],))
    return loads


loads_as_folded: Check = check_of(
    "loads_as_folded", "What is loaded is what a fold of all events by today's code gives.",
    ("effect_applied", "noted"), _as_folded,
)  # fmt: skip
