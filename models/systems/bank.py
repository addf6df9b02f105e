"""A bank: transfers between accounts, over events; money is neither made nor lost.

    transfers > debit service: takes it from one account > debits > credit service: adds it

Between the two the money is in flight. Each service has a store of its own, so there is no
transaction that could hold both accounts; what is promised is that at every moment the balances
and what is in flight add up to what there was, and that in the end nothing is in flight.

1. The debit and the note of it are one transaction. Whoever comes upon the note again, after a
   crash, sends the event again; it has the same id.
2. The credit and the note of it are one transaction: an event that comes again adds nothing.

Three twins: the credit without its note, the debit that takes its note for sent, and the event
that is sent before the debit is known to be possible.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from models.patterns.sagas.order_saga import BROKER, PRODUCER, serving
from simulator import (
    Add,
    Cluster,
    Consumers,
    Get,
    Insert,
    Scenario,
    UniqueViolation,
    WorkItem,
)  # fmt: skip

TRANSFERS, DEBITS = "transfers", "debits"
DEBTORS, CREDITORS = "debit-store", "credit-store"
OPENING = {"ann": 100, "bob": 100, "eve": 0}

Service = Callable[[Any], Any]
"""A factory of handlers."""


def transfer(number: int, giver: str, taker: str, cents: int, at_ms: int = 0) -> WorkItem:
    """One transfer, `t-1`, in the lane of who gives."""
    value = json.dumps({"from": giver, "to": taker, "cents": cents}, sort_keys=True)
    return WorkItem(at_ms * 1_000, TRANSFERS, giver, value, f"t-{number}")


def _note(event_id: str) -> Insert:
    return Insert("done", event_id, effect=False)


# --- Taking it from one account ----------------------------------------------------------------


def _can(balance: int | None, asked: Mapping[str, Any]) -> bool:
    return bool(OPENING[asked["from"]] + (balance or 0) >= asked["cents"])


def _event(context: Any, record: Any) -> Any:
    taker = json.loads(record.value)["to"]
    return context.send(DEBITS, record.value, taker, event_id=f"{record.event_id}/debited")


def debits(context: Any) -> Any:
    """Take it and note it; then say so, as often as it is asked for."""
    store = context.store(DEBTORS)

    def handle(record: Any) -> Any:
        asked = json.loads(record.value)
        noted, balance = yield store.transact(
            Get("done", record.event_id), Get("balance", asked["from"])
        )
        if noted is None:
            if not _can(balance, asked):
                return  # Refused, as it will be again.
            taken = Add("balance", asked["from"], -asked["cents"])
            yield store.transact(Insert("done", record.event_id, "taken", effect=False), taken)
        yield from may_crash(context, "before_send")
        yield _event(context, record)

    return handle


def debits_and_trusts(context: Any) -> Any:
    """Twin: what is noted counts as said; a crash in between, and the money is gone."""
    store = context.store(DEBTORS)

    def handle(record: Any) -> Any:
        asked = json.loads(record.value)
        noted, balance = yield store.transact(
            Get("done", record.event_id), Get("balance", asked["from"])
        )
        if noted is not None or not _can(balance, asked):
            return
        taken = Add("balance", asked["from"], -asked["cents"])
        yield store.transact(Insert("done", record.event_id, "taken", effect=False), taken)
        yield from may_crash(context, "before_send")
        yield _event(context, record)

    return handle


def says_and_debits(context: Any) -> Any:
    """Twin: it says so first; what cannot be taken then is money out of nothing."""
    store = context.store(DEBTORS)

    def handle(record: Any) -> Any:
        asked = json.loads(record.value)
        yield _event(context, record)
        (balance,) = yield store.transact(Get("balance", asked["from"]))
        if _can(balance, asked):
            taken = Add("balance", asked["from"], -asked["cents"])
            try:
                yield store.transact(_note(record.event_id), taken)
            except UniqueViolation:
                return

    return handle


# --- Adding it to the other ----------------------------------------------------------------------


def credits_once(context: Any) -> Any:
    """Add it and note it; what is noted is not added again."""
    store = context.store(CREDITORS)

    def handle(record: Any) -> Any:
        told = json.loads(record.value)
        try:
            yield store.transact(
                _note(record.event_id), Add("balance", told["to"], told["cents"])
            )
        except UniqueViolation:
            return

    return handle


def credits_again(context: Any) -> Any:
    """Twin: each time that it comes."""
    store = context.store(CREDITORS)

    def handle(record: Any) -> Any:
        told = json.loads(record.value)
        yield store.transact(Add("balance", told["to"], told["cents"]))

    return handle


def may_crash(context: Any, point: str) -> Any:
    """A place at which a crash may strike."""
    if not context.node.point(point):
        yield context.node.event()


def bank_scenario(
    transfers: Sequence[WorkItem],
    debit: Service = debits,
    credit: Service = credits_once,
    **more: Any,
) -> Scenario:
    """The bank: who transfers, and the two services."""

    def deploy(cluster: Cluster) -> None:
        for topic in (TRANSFERS, DEBITS):
            cluster.topic(topic, 2)
        for store in (DEBTORS, CREDITORS):
            cluster.store(store)
        cluster.source("customers", transfers, PRODUCER)
        cluster.group("debit", 1, debit, serving((TRANSFERS,)))
        cluster.group("credit", 1, credit, serving((DEBITS,)))

    return Scenario(
        name="a bank", broker=BROKER, consumers=Consumers(instances=0), application=deploy, **more
    )
