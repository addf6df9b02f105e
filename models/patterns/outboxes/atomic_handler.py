"""A handler that reads and writes: inbox, change and outgoing events are one commit.

An event of a payment comes in; an invoice is written; an event of the invoice goes out.

atomic         all three in one transaction; a relay does the rest
elsewhere      twin: the inbox is in another database, so that one may have what the other has not
phases         as MassTransit's consumer outbox: new, consumed, delivered; whoever is given the
               event again goes on with the phase that it had come to
first_come     twin: who finds the event in the inbox takes it for done
error_queue    around another: after so many failures the event is put aside (as NServiceBus does).
               If its transaction is committed and its outgoing events are not sent by then, only a
               relay will ever send them.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from models.patterns.outboxes.outbox import LEDGER, OUTBOX, Steps, publish, survives
from simulator import (
    Context,
    Delete,
    Get,
    Insert,
    KafkaError,
    Nextval,
    Select,
    UniqueViolation,
    Upsert,
)

INVOICING, INBOX = "invoicing", "inbox"
NEW, CONSUMED, DELIVERED = "new", "consumed", "delivered"

Handler = Callable[[Any], Steps]
Factory = Callable[[Context], Handler]


def written(record: Any, *, effect: bool = False) -> tuple[Any, ...]:
    """The invoice, and the event of it: its id follows from the incoming one."""
    event_id = f"{record.key}/invoiced"
    row = {
        "id": event_id, "aggregatetype": "order", "aggregateid": record.key, "type": "invoiced",
        "payload": json.dumps({"order": record.key, "status": "invoiced"}), "created_us": 0,
        "sent": False, "failures": 0, "caused_by": record.event_id,
    }  # fmt: skip
    return (
        Upsert("changes", event_id, record.key),
        Insert(OUTBOX, Nextval("outbox_id"), row, effect=effect),
    )


def _seen(record: Any) -> tuple[str, str]:
    return INVOICING, record.event_id  # Another reader of this topic has an inbox of its own.


def atomic(context: Context, inbox: str = LEDGER) -> Handler:
    """All or nothing, in whatever moment one looks."""
    ledger = context.store(LEDGER)

    def handle(record: Any) -> Steps:
        mark = Insert(INBOX, _seen(record))
        try:
            if inbox == LEDGER:
                yield ledger.transact(mark, *written(record, effect=True))
                return
            yield context.store(inbox).transact(mark)
            yield from survives(context, "seen")
            yield ledger.transact(*written(record, effect=True))
        except UniqueViolation:
            return

    return handle


elsewhere = partial(atomic, inbox="elsewhere")


def phases(context: Context, *, resumes: bool = True, lock: str = "update") -> Handler:
    """A phase is taken in a transaction of its own, and never twice.

    Args:
        resumes: go on with an event that is in the inbox already.
        lock: of the rows that are being delivered, against a relay that delivers them too.
    """
    ledger = context.store(LEDGER)

    def handle(record: Any) -> Steps:
        seen = _seen(record)
        try:
            yield ledger.transact(Insert(INBOX, seen, NEW, effect=False))
        except UniqueViolation:
            if not resumes:
                return
        yield from survives(context, "new")
        yield from consume(record, seen)
        yield from survives(context, "consumed")
        yield from deliver(record, seen)
        yield from survives(context, "delivered")

    def consume(record: Any, seen: Any) -> Steps:
        tx = yield ledger.begin()
        (phase,) = yield tx.run(Get(INBOX, seen, lock="update"))
        if phase == NEW:
            yield tx.run(*written(record), Upsert(INBOX, seen, CONSUMED, effect=False))
        yield tx.commit()

    def deliver(record: Any, seen: Any) -> Steps:
        tx = yield ledger.begin()
        (rows,) = yield tx.run(Select(OUTBOX, lambda row: _waits(row, record), lock=lock))
        try:
            for row in rows:
                yield publish(context, row.value)
        except KafkaError:
            yield tx.rollback()
            raise
        yield from survives(context, "sent")
        gone = [Delete(OUTBOX, row.key, effect=False) for row in rows]
        yield tx.run(*gone, Upsert(INBOX, seen, DELIVERED, effect=False))
        yield tx.commit()

    return handle


def _waits(row: Any, record: Any) -> bool:
    return not row.value["sent"] and row.value["caused_by"] == record.event_id


first_come = partial(phases, resumes=False)


def error_queue(factory: Factory, attempts: int) -> Factory:
    """An event that fails so often is put aside, and the next one is taken."""

    def made(context: Context) -> Handler:
        handler, ledger = factory(context), context.store(LEDGER)

        def handle(record: Any) -> Steps:
            try:
                yield from handler(record)
            except KafkaError as error:
                if context.attempt < attempts:
                    raise
                why = type(error).__name__
                yield ledger.transact(Upsert("errors", record.event_id, why, effect=False))

        return handle

    return made
