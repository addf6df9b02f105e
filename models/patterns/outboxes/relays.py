"""Polling relays: they read the outbox's table, publish what they find, and remember that.

A relay is put together from a few functions; each wrong twin differs in one of them.

rows      which are next (see `relay_rows`)
turn      `publish_then_mark` repeats after a crash; twins: `mark_then_publish` loses,
          `set_aside` lets what came later overtake what failed; `each_by_itself` publishes
          several at once
sends     `in_order` stops at a row that fails; its twin `going_on` does not
identity  `stored_id`, or its twin `made_id`
done      `mark`, `delete` or `move_cursor`: how a row is remembered

A relay stops for nothing: what fails is read again at the next poll.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from models.patterns.outboxes.outbox import LEDGER, OUTBOX, PRODUCER, Steps, publish, survives
from models.patterns.outboxes.outbox_running import Quiet
from models.patterns.outboxes.relay_rows import Rows, mark, unsent
from simulator import Cluster, Context, Get, KafkaError, ProducerFailed, Update

Identity = Callable[[Context, Any], str]

# --- How rows are sent ---------------------------------------------------------------------------


def in_order(context: Context, rows: Sequence[Any], identity: Identity) -> Steps:
    """One after the other; a row that fails keeps those behind it waiting."""
    sent: list[Any] = []
    for row in rows:
        try:
            yield publish(context, row.value, identity(context, row))
        except ProducerFailed:
            break
        sent.append(row)
    return sent


def going_on(context: Context, rows: Sequence[Any], identity: Identity) -> Steps:
    """Twin: what fails is tried again at the next poll, and overtaken meanwhile."""
    sent: list[Any] = []
    for row in rows:
        sent += yield from in_order(context, (row,), identity)
    return sent


def stored_id(_: Context, row: Any) -> str:
    """The event's own, from its row: the same each time."""
    return str(row.value["id"])


def made_id(context: Context, row: Any) -> str:
    """Twin: a new one each time, by which nobody can tell a repetition."""
    return f"{row.value['id']}/{context.node.name}-{next(context.node.numbers)}"


# --- A turn --------------------------------------------------------------------------------------


def publish_then_mark(context: Context, relay: "Relay") -> Steps:
    """What was published and is not marked is published again."""
    tx = yield context.store(LEDGER).begin()
    rows = yield from relay.rows(tx, relay.batch)
    if rows:
        yield from survives(context, "read")
        sent = yield from relay.sends(context, rows, relay.identity)
        yield from survives(context, "published")
        if sent:
            yield tx.run(*relay.done(sent))
    yield tx.commit()
    return rows


def mark_then_publish(context: Context, relay: "Relay") -> Steps:
    """Twin: what is marked and was not published is never published."""
    tx = yield context.store(LEDGER).begin()
    rows = yield from relay.rows(tx, relay.batch)
    if rows:
        yield tx.run(*relay.done(rows))
    yield tx.commit()
    if rows:
        yield from survives(context, "marked")
        yield from relay.sends(context, rows, relay.identity)
    return rows


def set_aside(context: Context, relay: "Relay") -> Steps:
    """Twin: what failed waits behind everything that has failed less often."""
    tx = yield context.store(LEDGER).begin()
    rows = yield from relay.rows(tx, relay.batch)
    for row in rows:
        sent = yield from relay.sends(context, (row,), relay.identity)
        failed = Update(OUTBOX, row.key, _as_failed, effect=False)
        yield tx.run(*(relay.done(sent) if sent else (failed,)))
    yield tx.commit()
    return rows


def _as_failed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "failures": row["failures"] + 1}


def each_by_itself(context: Context, relay: "Relay") -> Steps:
    """Several rows at a time, each in a transaction of its own; one alone keeps the order."""
    tx = yield context.store(LEDGER).begin()
    rows = yield from relay.rows(tx, relay.batch)
    yield tx.commit()
    waiting = iter(rows or ())

    def deliver() -> Steps:
        for row in waiting:
            tx = yield context.store(LEDGER).begin()
            (still,) = yield tx.run(Get(OUTBOX, row.key, lock="update"))
            if still is not None and not still["sent"]:
                sent = yield from relay.sends(context, (row,), relay.identity)
                if not sent:
                    yield tx.rollback()
                    return  # What comes behind it waits for the next poll.
                yield tx.run(*relay.done(sent))
            yield tx.commit()

    yield from [context.node.start(deliver(), "deliver") for _ in range(relay.at_once)]
    return rows


@attrs.frozen
class Relay:
    """A polling relay.

    Args:
        rows, turn, sends, identity, done: see above.
        batch: how many rows it reads at a time.
        at_once: how many it delivers at a time (see `each_by_itself`).
        poll_ms: how long it waits when there was nothing.
        name: of its node.
    """

    rows: Rows = unsent
    turn: Callable[[Context, "Relay"], Steps] = publish_then_mark
    sends: Callable[[Context, Sequence[Any], Identity], Steps] = in_order
    identity: Identity = stored_id
    done: Callable[[Sequence[Any]], tuple[Any, ...]] = mark
    batch: int = 100
    at_once: int = 1
    poll_ms: int = 100
    name: str = "relay-0"

    def __call__(self, cluster: Cluster, quiet: Quiet) -> None:
        """Deploy it on a node of its own."""

        def live(node: Any) -> Steps:
            context = cluster.context(node, PRODUCER)
            while True:
                began_us, rows = node.now_us, None
                try:
                    rows = yield from self.turn(context, self)
                    quiet.looked(self.name, began_us, rows)
                except KafkaError as error:
                    context.note("failed", type(error).__name__)
                if not rows:
                    yield context.sleep(self.poll_ms * 1_000)

        def boot(node: Any) -> None:
            node.start(live(node), "relay")

        quiet.idle_us[self.name] = -1
        cluster.node(self.name, boot)
