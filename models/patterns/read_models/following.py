"""Writers whose transactions take their time, and a reader that follows them by a policy.

Each transaction draws the global position of its event, thinks, and then commits or rolls back.
The reader writes what it takes, and its place in the log, in one transaction of its own store: so
after a crash it goes on where it was, with the gaps that it knew of.
"""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from models.patterns.read_models.gaps import Gap, Place, Policy, Seen
from models.patterns.read_models.projections import CHECKPOINTS, LEDGER, VIEWS, asked
from simulator import (
    Cluster,
    CurrentXid,
    Get,
    Insert,
    LockTable,
    Nextval,
    Select,
    SnapshotXmin,
    StoreError,
    Upsert,
)

FEED, APPLIED, POSITIONS = "feed", "applied", "positions"
NAME = "follower"
IDLE = 16  # So many times longer it pauses at most when nothing happens.

Steps = Generator[Any, Any, Any]


class Write(NamedTuple):
    """A transaction of one event: when it begins, how long it thinks, and how it ends."""

    event_id: str
    at_us: int
    think_us: int
    rolls_back: bool = False


def writing(
    context: Any, writes: tuple[Write, ...], *, lock: bool = False, think: Any = None
) -> Steps:
    """One transaction after another; each draws its position, thinks, and commits.

    One that fails is tried again with a new position. It notes `committed`: the event's id, and
    the microseconds from its beginning. With a law of thinking, each thinks by that as well.
    """
    node, ledger = context.node, context.store(LEDGER)
    more = node.source(f"think@{node.name}", "delay", think) if think is not None else int
    for one in writes:
        think_us = one.think_us + more()
        yield context.sleep(max(0, one.at_us - node.now_us))
        began_us = node.now_us
        while True:
            try:
                transaction = yield ledger.begin()
                if lock:
                    yield transaction.run(LockTable(FEED))
                yield transaction.run(Insert(FEED, Nextval(POSITIONS), one.event_id))
                yield context.sleep(think_us)
                if not node.point("before_commit"):
                    return
                if one.rolls_back:
                    yield transaction.rollback()
                else:
                    yield transaction.commit()
                    context.note("committed", f"{one.event_id} {node.now_us - began_us}")
            except StoreError:
                continue
            break


def following(context: Any, policy: Policy, until_us: int, poll_us: int = 50_000) -> Steps:
    """Read the log by a policy until a moment; rows and place are written in one transaction.

    It looks every `poll_us`, and less often when nothing happens.
    """
    ledger, views = context.store(LEDGER), context.store(VIEWS)
    place: Place | None = None
    pause_us = poll_us
    while context.node.now_us < until_us:
        if place is None:
            (stored,) = yield from asked(views, Get(CHECKPOINTS, NAME))
            cursor, gaps = stored or (0, ())
            place = Place(cursor, tuple(Gap(*gap) for gap in gaps))
        xid, xmin, rows = yield from asked(ledger, CurrentXid(), SnapshotXmin(), Select(FEED))
        taken, then = policy(place, Seen(rows, xmin, xid, context.node.now_us))
        idle = then == place and not then.gaps
        pause_us = min(2 * pause_us, IDLE * poll_us) if idle else poll_us
        if then != place:
            applied = [Insert(APPLIED, row.key, row.value) for row in taken]
            mark = (then.cursor, tuple(tuple(gap) for gap in then.gaps))
            try:
                yield views.transact(*applied, Upsert(CHECKPOINTS, NAME, mark, effect=False))
            except StoreError:
                place = None  # It may have happened: see where we are.
                continue
            place = then
        yield context.sleep(pause_us)


def deploy(
    cluster: Cluster,
    *,
    writers: tuple[tuple[Write, ...], ...],
    policy: Policy,
    until_us: int,
    lock: bool = False,
    think: Any = None,
    poll_us: int = 50_000,
) -> None:
    """Writers, each with its transactions, and a reader that follows until a moment."""
    cluster.store(LEDGER)
    cluster.store(VIEWS)

    def writer(writes: tuple[Write, ...]) -> Callable[[Any], Steps]:
        return lambda node: writing(
            cluster.context(node), writes, lock=lock, think=think
        )

    for number, writes in enumerate(writers):
        cluster.driver(f"writer-{number}", writer(writes))
    cluster.driver(
        "follower", lambda node: following(cluster.context(node), policy, until_us, poll_us)
    )
