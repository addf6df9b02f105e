"""A relay that reads the database's log: what commits is there, in the order of commits.

It tails a replication slot, makes of each change of the outbox's table what Debezium's event
router makes of it, publishes, and confirms the slot once that is acknowledged; what it had not
confirmed when it died is sent again. A row may be deleted as soon as it is inserted, for the log
keeps both. There is no number to pass by, for the log has no gaps.

publish_then_confirm  repeats after a crash
confirm_then_publish  twin: what is confirmed and was not published is never published

Not modelled here: a snapshot of what was in the table before the slot was created. The services
take their first request when it is there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import attrs

from models.patterns.outboxes.outbox import LEDGER, OUTBOX, PRODUCER, Steps, survives
from models.patterns.outboxes.outbox_running import Quiet
from simulator import (
    CapturedChange,
    Cluster,
    Context,
    Emitted,
    KafkaError,
    OutboxRouter,
    outbox_router,
)

OPERATIONS: Mapping[str, Literal["c", "u", "d"]] = {"insert": "c", "update": "u", "delete": "d"}


def routed(router: OutboxRouter, commits: Sequence[Any]) -> list[Emitted]:
    """The events that are in the log's entries, in their order."""
    events = []
    for commit in commits:
        for change in commit.changes:
            if change.table == OUTBOX and change.op in OPERATIONS:
                made = router.route(as_captured(change, commit.at_us // 1_000))
                if isinstance(made, Emitted):
                    events.append(made)
    return events


def as_captured(change: Any, ts_ms: int) -> CapturedChange:
    """A change of a row as Debezium's connector tells it."""
    op = OPERATIONS[change.op]
    return CapturedChange(op=op, before=change.before, after=change.after, ts_ms=ts_ms)


def slot_is_there(context: Context, name: str) -> Steps:
    """Have a replication slot; what was committed before it exists is not read."""
    ledger = context.store(LEDGER)
    while True:
        try:
            if (yield ledger.slot(name)) is None:
                yield ledger.create_slot(name)
        except KafkaError as error:  # Perhaps it was created all the same.
            context.note("failed", type(error).__name__)
            continue
        return


def publish_all(context: Context, events: Sequence[Emitted]) -> Steps:
    """Publish in order, each after the one before is acknowledged."""
    for event in events:
        event_id = dict(event.headers)["id"]
        yield context.send(event.topic, event.value, event.key, event_id=event_id)


def publish_then_confirm(
    context: Context, relay: "WalRelay", commits: Sequence[Any], events: Sequence[Emitted]
) -> Steps:
    """Nothing is forgotten before the topic has it."""
    yield from publish_all(context, events)
    yield from survives(context, "published")
    yield context.store(LEDGER).confirm(relay.slot, commits[-1].lsn)


def confirm_then_publish(
    context: Context, relay: "WalRelay", commits: Sequence[Any], events: Sequence[Emitted]
) -> Steps:
    """Twin: the slot goes on, whatever becomes of the events."""
    yield context.store(LEDGER).confirm(relay.slot, commits[-1].lsn)
    yield from survives(context, "confirmed")
    yield from publish_all(context, events)


@attrs.frozen
class WalRelay:
    """A relay that tails the log.

    Args:
        turn: what comes first, the topic or the slot.
        options: of the event router, by Debezium's names.
        batch: how many commits it reads at a time.
        wait_ms: how long it waits for the next.
        slot: the replication slot's name.
        name: of its node.
    """

    turn: Callable[..., Steps] = publish_then_confirm
    options: Mapping[str, Any] = attrs.field(factory=dict)
    batch: int = 100
    wait_ms: int = 100
    slot: str = "outbox"
    name: str = "relay-0"

    def __call__(self, cluster: Cluster, quiet: Quiet) -> None:
        """Deploy it on a node of its own."""
        router = outbox_router(self.options)

        def live(node: Any) -> Steps:
            context = cluster.context(node, PRODUCER)
            ledger = context.store(LEDGER)
            yield from slot_is_there(context, self.slot)
            quiet.awaited.pop(self.name, None)
            read = 0  # Whatever it says, a slot begins where it was confirmed.
            while True:
                began_us = node.now_us
                try:
                    commits = yield ledger.read_slot(self.slot, read, self.batch, self.wait_ms)
                    quiet.looked(self.name, began_us, commits)
                    if not commits:
                        continue
                    yield from self.turn(context, self, commits, routed(router, commits))
                    read = commits[-1].lsn
                except KafkaError as error:  # It is read again.
                    context.note("failed", type(error).__name__)
                    yield context.sleep(self.wait_ms * 1_000)

        def boot(node: Any) -> None:
            node.start(live(node), "relay")

        quiet.idle_us[self.name] = -1
        quiet.awaited[self.name] = None
        cluster.node(self.name, boot)
