"""A choreographed saga: no one leads; each service reacts to the events of others with its own.

Who reacts to what is a table (see `reactions`), and the table is the whole saga.

1. A service does its work, notes the event in its inbox and keeps its answer, in one transaction;
   the next event follows, and follows again if the event comes again.
2. An event bears its past, by which a reaction may be told not to happen once more.
3. Nobody owns the time: what nobody answers is waited for, for ever.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from models.patterns.sagas.carrying_out import DONE, RIGHTLY, Desk, carry_out
from models.patterns.sagas.order_saga import BROKER, OPENING, PRODUCER, needs, serving, until_ended
from models.patterns.sagas.reactions import PLACED, TABLE, Reaction, Table
from models.patterns.sagas.saga import Command
from simulator import Cluster, Consumers, Context, Insert, Scenario, UniqueViolation, Upsert

ORDERS = "order-events"


def service(store: str, mine: Table, opening: Mapping[str, int]) -> Any:
    """A factory of handlers that react to events.

    Args:
        store: of the service.
        mine: its rows of the table.
        opening: what there is of each resource at first.
    """
    frees = {one.step: "" for one in mine}

    def factory(context: Any) -> Any:
        desk = Desk(context, context.store(store), frees, needs, opening, RIGHTLY)

        def handle(record: Any) -> Any:
            event = json.loads(record.value)
            past = tuple(event["past"])
            for reaction in mine:
                if reaction.on == event["type"] and reaction.guard(past):
                    said = yield from _react(desk, reaction, event, record.event_id)
                    if said:
                        yield from tell(context, f"{reaction.service}-events", said, event)

        return handle

    return factory


def _react(desk: Desk, reaction: Reaction, event: Mapping[str, Any], event_id: str) -> Any:
    """Do it, once however often it is asked for; the event that follows."""
    saga = event["saga"]
    while reaction.step:
        command = Command(saga, reaction.step, reaction.verb)
        tries = event["past"].count(reaction.on)
        request = f"{command.id}#{tries}" if tries else command.id
        try:
            answer = yield from carry_out(desk, command, event["order"], "", request)
        except UniqueViolation:
            continue  # Others were at it at the same time: again.
        return reaction.then if answer == DONE else reaction.otherwise
    if reaction.phase:
        mark = Insert("inbox", event_id, effect=False)
        with suppress(UniqueViolation):
            yield desk.db.transact(mark, Upsert("sagas", saga, reaction.phase))
    return reaction.then


def tell(context: Any, topic: str, what: str, event: Mapping[str, Any]) -> Any:
    """Say that something has happened, with what led to it."""
    past = [*event["past"], event["type"]] if event["type"] else []
    said = {**event, "type": what, "past": past}
    number = past.count(what)
    event_id = f"{event['saga']}/{what}" + (f"#{number}" if number else "")
    value = json.dumps(said, sort_keys=True)
    yield context.send(topic, value, event["saga"], event_id=event_id)


def deploy(
    cluster: Cluster,
    orders: Sequence[Mapping[str, Any]],
    table: Table = TABLE,
    opening: Mapping[str, int] = OPENING,
    patience_ms: int = 24_000,
) -> None:
    """A store and a group for each service, which reads the events that it reacts to."""
    cluster.topic(ORDERS)
    services = dict.fromkeys(one.service for one in table)
    for name in services:
        cluster.topic(f"{name}-events")
        cluster.store(f"{name}-store")
    for name in services:
        mine = tuple(one for one in table if one.service == name)
        heard = {one.on for one in mine}
        tellers = [f"{one.service}-events" for one in table if heard & {one.then, one.otherwise}]
        topics = (*dict.fromkeys(tellers), *([ORDERS] if PLACED in heard else []))
        cluster.group(name, 1, service(f"{name}-store", mine, opening), serving(topics))

    def drive(node: Any) -> Any:
        context = Context(cluster, node, PRODUCER)
        for order in orders:
            blank = {"saga": order["id"], "type": "", "past": [], "order": dict(order)}
            yield from tell(context, ORDERS, PLACED, blank)
        yield from until_ended(context, [one["id"] for one in orders], patience_ms)

    cluster.driver("shop", drive)


def choreographed(
    *orders: Mapping[str, Any],
    table: Table = TABLE,
    opening: Mapping[str, int] = OPENING,
    **more: Any,
) -> Scenario:
    """The scenario; faults end after two seconds."""
    more.setdefault("heal_after_ms", 2_000)
    more.setdefault("horizon_ms", 60_000)
    return Scenario(
        name="a choreographed saga", broker=BROKER, consumers=Consumers(instances=0),
        application=lambda cluster: deploy(cluster, orders, table, opening), **more,
    )  # fmt: skip
