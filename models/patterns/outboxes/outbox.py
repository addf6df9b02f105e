"""The transactional outbox: a change and the event that tells it are one commit.

A service takes requests. Each changes an order, and must be told on a topic. Database and broker
share no transaction, so no order of two writes is safe; the outbox makes one write of them: the
event is a row, in the transaction of the change, and a relay (see `relays`, `wal_relay`) brings
it to the topic as often as it takes.

with_outbox          the event's row is inserted in the transaction of the change
with_passing_row     and deleted in it, too: who reads the log sees it, who reads the table does not
commit_then_publish  twin: a crash in between leaves a change that nobody is told of
publish_then_commit  twin: a crash in between leaves an event of what never happened
publish_inside       twin: published while the transaction is open, which may yet be rolled back
publish_in_process   twin: there is a row, but only this process publishes it, after the commit

A request whose process dies, or which fails, is not tried again: its user has an error to look at.
"""

import json
from collections.abc import Callable, Generator, Mapping
from typing import Any

import attrs

from simulator import Context, Delete, Insert, LockTable, Nextval, ProducerFailed, Update, Upsert

LEDGER = "ledger"
OUTBOX = "outbox"
TOPIC = "outbox.event.order"  # As Debezium's router names it.
PRODUCER: Mapping[str, Any] = {
    "linger.ms": 0, "request.timeout.ms": 500, "delivery.timeout.ms": 2_000,
    "max.block.ms": 2_000,
}  # fmt: skip

Steps = Generator[Any, Any, Any]


@attrs.frozen
class Request:
    """What a user asks for: that an order take on a status.

    Args:
        at_us: when.
        thinks_us: how long its transaction stays open after its last statement.
        gives_up: whether that transaction is rolled back in the end.
    """

    at_us: int
    order: str
    status: str
    thinks_us: int = 0
    gives_up: bool = False

    @property
    def event_id(self) -> str:
        """The identity of the fact."""
        return f"{self.order}/{self.status}"


Publishing = Callable[[Context, Request], Steps]
Statements = Callable[[Request], tuple[Any, ...]]


def change(request: Request) -> tuple[Any, ...]:
    """The order's row is locked to the end: who changes one order waits for its turn."""
    return (
        Upsert("orders", request.order, request.status, effect=False),
        Insert("changes", request.event_id, request.order),
    )


def insert_only(request: Request) -> tuple[Any, ...]:
    """Twin: there is no row that two changes of one order have to share."""
    return (Insert("changes", request.event_id, request.order),)


def one_at_a_time(request: Request) -> tuple[Any, ...]:
    """Whoever inserts a row keeps all others from it until the commit: numbers are in order."""
    return (LockTable(OUTBOX), *change(request))


def event_row(request: Request, created_us: int) -> dict[str, Any]:
    """All that a relay needs: later the order has moved on, and must not be asked again."""
    return {
        "id": request.event_id,
        "aggregatetype": "order",
        "aggregateid": request.order,
        "type": request.status,
        "payload": json.dumps({"order": request.order, "status": request.status}),
        "created_us": created_us,
        "sent": False,
        "failures": 0,
    }


def with_outbox(
    context: Context, request: Request, statements: Statements = change
) -> Steps:
    """The right one. The answer is the row's number."""
    tx = yield context.store(LEDGER).begin()
    *_, number = yield tx.run(*statements(request), _inserted(context, request))
    context.note("numbered", f"{request.event_id} {number}")
    yield from survives(context, "written")
    yield from finish(context, tx, request)
    return number


def with_passing_row(context: Context, request: Request) -> Steps:
    """For relays that read the write-ahead log: the table stays empty."""
    tx = yield context.store(LEDGER).begin()
    *_, number = yield tx.run(*change(request), _inserted(context, request))
    yield tx.run(Delete(OUTBOX, number, effect=False))
    yield from finish(context, tx, request)


def commit_then_publish(context: Context, request: Request) -> Steps:
    """Twin: two commits, and a gap between them."""
    tx = yield context.store(LEDGER).begin()
    yield tx.run(*change(request))
    yield from finish(context, tx, request)
    yield from survives(context, "committed")
    if not request.gives_up:
        yield publish(context, event_row(request, 0))


def publish_then_commit(context: Context, request: Request) -> Steps:
    """Twin: the other order, the other harm."""
    yield publish(context, event_row(request, 0))
    yield from survives(context, "published")
    tx = yield context.store(LEDGER).begin()
    yield tx.run(*change(request))
    yield from finish(context, tx, request)


def publish_inside(context: Context, request: Request) -> Steps:
    """Twin: it looks as if it were in the transaction."""
    tx = yield context.store(LEDGER).begin()
    yield tx.run(*change(request))
    try:
        yield publish(context, event_row(request, 0))
    except ProducerFailed:
        yield tx.rollback()
        raise
    yield from survives(context, "published")
    yield from finish(context, tx, request)


def publish_in_process(context: Context, request: Request) -> Steps:
    """Twin: an outbox without a relay. What this process could not send, nobody sends."""
    number = yield from with_outbox(context, request)
    yield from survives(context, "committed")
    if not request.gives_up:
        yield publish(context, event_row(request, 0))
        yield context.store(LEDGER).transact(Update(OUTBOX, number, as_sent, effect=False))


def as_sent(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row, marked."""
    return {**row, "sent": True}


def publish(context: Context, row: Mapping[str, Any], event_id: str = "") -> Any:
    """Send a row's event under its key; the event that is answered is its acknowledgement."""
    own = event_id or row["id"]
    return context.send(TOPIC, row["payload"], row["aggregateid"], event_id=own)


def finish(context: Context, tx: Any, request: Request) -> Steps:
    """Think, and commit; or give up."""
    if request.thinks_us:
        yield context.sleep(request.thinks_us)
    yield tx.rollback() if request.gives_up else tx.commit()


def survives(context: Context, point: str) -> Steps:
    """A point between two steps at which the process may die."""
    if not context.node.point(point):
        yield context.node.event()  # Which never happens.


def _inserted(context: Context, request: Request) -> Insert:
    row = event_row(request, context.node.now_us)
    return Insert(OUTBOX, Nextval("outbox_id"), row, effect=False)
