"""How a service that handles an order learns from another whether its customer is good for it.

call      it calls the other and waits: a plain request and its response, no topic in between
wait      it sends a request to a topic, and waits, in the same handler, for the reply in another
go on     it sends the request, notes the order as pending, and is done; another handler goes on
          when the reply comes

The first is synchronous and says so. The second is as synchronous as the first, and hides it: it
holds its partition while two groups poll. Only the third lets the next order be handled meanwhile,
and remembers what was asked when anybody restarts. Every other order is prepaid, and needs no word
from anybody: what becomes of those shows who stands in whose way.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from simulator import (
    Add,
    Cluster,
    Delete,
    Insert,
    KafkaError,
    Serving,
    UniqueViolation,
    WorkItem,
    uniform,
)

ORDERS, REQUESTS, REPLIES = "orders", "credit-requests", "credit-replies"
SHOP, BILLING, CREDIT, LEDGER = "shop", "billing", "credit", "ledger"
CHECKING = uniform(2_000, 6_000)  # How long the other needs for an answer.
PATIENCE_MS = 2_000
WAYS = ("call", "wait", "go on")
KINDS = ("prepaid", "on credit")

Handler = Callable[[Any], Any]


def deploy(cluster: Cluster, orders: int, way: str, *, every_us: int, from_us: int) -> None:
    """A shop that sends orders, billing that handles them in one of the WAYS, and credit."""
    cluster.store(LEDGER)
    work = [
        WorkItem(
            from_us + number * every_us, ORDERS, f"o-{number}", KINDS[number % 2], f"o-{number}"
        )
        for number in range(orders)
    ]  # fmt: skip
    cluster.source(SHOP, work, {"linger.ms": 0})
    session = {"session.timeout.ms": 6_000, "heartbeat.interval.ms": 2_000}
    quick = {"linger.ms": 0}
    handlers = {"call": calling, "wait": waiting, "go on": asking}
    handler = prepaid(handlers[way])
    serving = Serving((ORDERS,), session, commit_each=True, producer=quick)
    cluster.group(BILLING, 1, handler, serving)
    if way == "call":
        cluster.server(CREDIT, answering)
        return
    answers = Serving((REQUESTS,), session, processing=CHECKING, producer=quick)
    cluster.group(CREDIT, 1, replying, answers)
    if way == "go on":
        cluster.group(f"{BILLING}-replies", 1, going_on, Serving((REPLIES,), session))


# --- Billing ------------------------------------------------------------------------------------


def prepaid(factory: Callable[[Any], Handler]) -> Callable[[Any], Handler]:
    """Bills at once what is prepaid; the rest is the other handler's matter."""

    def with_context(context: Any) -> Handler:
        on_credit = factory(context)

        def handle(record: Any) -> Any:
            if record.value == KINDS[0]:
                yield context.store(LEDGER).transact(Add("billed", record.key, 1))
            else:
                yield from on_credit(record)

        return handle

    return with_context


def calling(context: Any) -> Handler:
    """Call, and wait; a call that is not answered is made again when the order is retried."""

    def handle(record: Any) -> Any:
        yield context.call(CREDIT, record.key, timeout_ms=PATIENCE_MS)
        yield context.store(LEDGER).transact(Add("billed", record.key, 1))

    return handle


def waiting(context: Any) -> Handler:
    """Send a request, and poll for its reply; whatever else is in the topic is thrown away."""
    settings = {"enable.auto.commit": False, "auto.offset.reset": "latest"}
    replies = context.cluster.consumer(context.node, settings)
    replies.assign([(REPLIES, 0)])
    asked = 0

    def handle(record: Any) -> Any:
        nonlocal asked
        if not asked:
            yield replies.poll(1)  # So that it knows where the topic ends.
        asked += 1
        question = f"{record.key}?{context.node.incarnation}.{asked}"
        yield context.send(REQUESTS, record.key, record.key, event_id=question)
        until_us = context.node.now_us + PATIENCE_MS * 1_000
        while True:
            found = yield replies.poll(100)
            if any(reply.value == record.key for reply in found):
                break
            if context.node.now_us > until_us:
                raise KafkaError(f"no reply for {record.key}")
        yield context.store(LEDGER).transact(Add("billed", record.key, 1))

    return handle


def asking(context: Any) -> Handler:
    """Note that it is pending, and ask; the reply is another handler's matter."""

    def handle(record: Any) -> Any:
        with suppress(UniqueViolation):  # It was noted before a crash: ask again, to be sure.
            yield context.store(LEDGER).transact(Insert("pending", record.key, effect=False))
        yield context.send(REQUESTS, record.key, record.key, event_id=f"{record.key}?")

    return handle


def going_on(context: Any) -> Handler:
    """The reply: what is still pending is billed, once."""

    def handle(record: Any) -> Any:
        ledger = context.store(LEDGER)
        billed = Insert("billed", record.key, 1)
        try:
            yield ledger.transact(billed, Delete("pending", record.key, effect=False))
        except UniqueViolation:
            return  # An answer that came twice.

    return handle


# --- Credit -------------------------------------------------------------------------------------


def answering(context: Any) -> Handler:
    """Answers calls, one after the other."""
    need = context.node.source("answer@credit", "delay", CHECKING)

    def answer(customer: Any) -> Any:
        yield context.sleep(CHECKING.floor_us + need())
        return f"{customer} is good"

    return answer


def replying(context: Any) -> Handler:
    """Answers requests of a topic in another."""

    def handle(record: Any) -> Any:
        yield context.send(REPLIES, record.key, record.key, event_id=f"{record.event_id}!")

    return handle
