"""Who writes and who reads see different stores, and the second is behind the first.

1. A command answers with the position of what it wrote, and nothing else. A query that brings this
   token waits until the read model's checkpoint is there, or says that it has waited too long: it
   never gives an older answer.
2. A client that reads from several replicas of the model carries the highest checkpoint that it
   has seen, and so never goes back in time.
3. A model that must be fresh at once is written in the transaction of the event (inline): nobody
   waits for it, but each write waits for the model, and fails with it.
4. A query changes nothing, and no command is decided on a read model: it is yesterday's.

The twins: `plain_read` asks the model as it is; `any_replica` reads now here, now there.
Waiting is PyPI eventsourcing's: a second at most, looking after 100 ms, and 200, 400, 800, 800 ...
"""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import attrs

from models.patterns.read_models.projections import (
    CHECKPOINTS,
    LEDGER,
    LOG,
    MODEL,
    NAME,
    POLL_US,
    VIEWS,
    asked,
    counted,
    moved,
    projecting,
    publishing,
)
from simulator import Cluster, Context, Get, Insert, StoreTimeout, UniqueViolation

Steps = Generator[Any, Any, Any]

TIMEOUT_MS, FIRST_MS, LONGEST_MS = 1_000, 100, 800


@attrs.frozen
class Waiting:
    """How long a query waits for its position, and how often it looks.

    Args:
        timeout_ms: so long at most; 0: it looks once.
        first_ms: the first pause; each later one is twice as long ...
        longest_ms: ... but no longer than this.
    """

    timeout_ms: int = TIMEOUT_MS
    first_ms: int = FIRST_MS
    longest_ms: int = LONGEST_MS


PATIENT = Waiting()


# --- Writing ------------------------------------------------------------------------------------


def write(ledger: Any, position: int, quantity: int, *more: Any) -> Steps:
    """A command: one event in the log; the answer is its position."""
    while True:
        try:
            yield ledger.transact(Insert(LOG, position, (f"o-{position}", quantity)), *more)
        except StoreTimeout:
            continue
        except UniqueViolation:
            pass  # Our own first try.
        return position


def write_inline(ledger: Any, position: int, quantity: int) -> Steps:
    """The same, with the read model in the same transaction."""
    changes = counted((f"o-{position}", quantity))
    return (yield from write(ledger, position, quantity, *changes, moved(position)))


# --- Reading: the checkpoint that the answer is of, or None after too long ----------------------


def plain_read(context: Any, views: Any, token: int, waiting: Waiting = PATIENT) -> Steps:
    """The twin: whatever the model says now."""
    del context, token, waiting
    checkpoint, _ = yield from asked(views, Get(CHECKPOINTS, NAME), Get(MODEL, "all"))
    return checkpoint or 0


def read_after(context: Any, views: Any, token: int, waiting: Waiting = PATIENT) -> Steps:
    """The model's answer, once the token's position is in it; None after too long."""
    began_us, pause_ms = context.node.now_us, waiting.first_ms
    while True:
        checkpoint = yield from plain_read(context, views, token)
        if checkpoint >= token:
            return checkpoint
        left_us = waiting.timeout_ms * 1_000 - (context.node.now_us - began_us)
        if left_us <= 0:
            return None
        context.note("behind", f"{checkpoint} {token}")
        yield context.sleep(min(pause_ms * 1_000, left_us))
        pause_ms = min(2 * pause_ms, waiting.longest_ms)


Read = Callable[..., Steps]


def write_then_read(
    context: Any,
    quantities: tuple[int, ...],
    read: Read = read_after,
    waiting: Waiting = PATIENT,
    every_us: int = 0,
    *,
    inline: bool = False,
) -> Steps:
    """A client that writes and looks at what it wrote, again and again.

    It notes `answered`: the position that it wrote, that of the answer (or `late`), and the
    microseconds of reading, and of writing.
    """
    node, ledger = context.node, context.store(LEDGER)
    views = ledger if inline else context.store(VIEWS)
    writes = write_inline if inline else write
    for place, quantity in enumerate(quantities, start=1):
        began_us = node.now_us
        token = yield from writes(ledger, place, quantity)
        wrote_us = node.now_us
        seen = yield from read(context, views, token, waiting)
        shown = "late" if seen is None else seen
        context.note("answered", f"{token} {shown} {node.now_us - wrote_us} {wrote_us - began_us}")
        if every_us:
            yield context.sleep(every_us)


# --- Replicas -----------------------------------------------------------------------------------


def any_replica(seen: int) -> int:
    """The twin's token: none, so any answer will do."""
    del seen
    return 0


def not_before(seen: int) -> int:
    """The token of a client that remembers what it has seen."""
    return seen


def reading_around(
    context: Any, replicas: tuple[str, ...], reads: int, token: Callable[[int], int] = not_before,
    every_us: int = POLL_US,
) -> Steps:
    """A client that reads from one replica after the other, and notes `read`: the checkpoint."""
    seen = 0
    for number in range(reads):
        views = context.store(replicas[number % len(replicas)])
        found = yield from read_after(context, views, token(seen))
        if found is not None:
            context.note("read", str(found))
            seen = max(seen, found)
        yield context.sleep(every_us)


def deploy(
    cluster: Cluster,
    *,
    quantities: tuple[int, ...] = (2, 3),
    replicas: tuple[tuple[str, int], ...] = ((VIEWS, POLL_US),),
    projectors: int = 1,
    client: Callable[[Context], Steps] | None = None,
    **how: Any,
) -> None:
    """A log, read models that follow it, and perhaps a client; see `projecting` for the rest.

    Args:
        replicas: stores of the read model, each with the pause of its projector.
        projectors: so many follow for one replica, where one should.
        client: what it does; it writes the log, unless there are `quantities`.
    """
    cluster.store(LEDGER)

    def starts(steps: Callable[[Context], Steps]) -> Callable[[Any], Steps]:
        return lambda node: steps(cluster.context(node))

    if quantities:
        cluster.driver("writer", starts(lambda context: publishing(context, quantities)))
    for name, poll_us in replicas:
        cluster.store(name)
        follow = {"until": len(quantities), **how, "views": name, "poll_us": poll_us}
        for number in range(projectors):
            who = f"projector-{number}" if len(replicas) == 1 else f"{name}-projector"
            cluster.driver(who, starts(partial(projecting, **follow)))
    if client is not None:
        cluster.driver("client", starts(client))
