"""How handlers do harm: a small run for each finding.

Each stage is also to be had cured: the same run, with the one thing changed that the rule advises.
"""

from collections.abc import Callable
from typing import Any

from simulator.checks.delivery import never_applied_twice
from simulator.cluster.cluster import Cluster
from simulator.cluster.transforming import Transforming
from simulator.cluster.transforming_life import Output
from simulator.errors import StoreError, UniqueViolation
from simulator.linting.finding import Found, Stage
from simulator.linting.judging import acts_within, applied_or_kept, never_below_zero, told_if_done
from simulator.linting.stages_events import LIMIT_MS, acting
from simulator.linting.staging import (
    LATER_US,
    SESSION,
    STORE,
    apart,
    opened,
    plain,
    relay,
    send,
    serve,
    world,
)
from simulator.protocol.names import MICROS_PER_MS
from simulator.protocol.store_operations import Add, Get, Insert, Update

KEY = "k-1"
TRIES, TRIES_MOST = 3, 100
LATER_MS = 1_000


def once(context: Any) -> Callable[[Any], Any]:
    """Each event is one action, with its mark in the same transaction."""

    def handle(record: Any) -> Any:
        mark = Insert("handled", record.event_id, effect=False)
        try:
            yield context.store(STORE).transact(mark, Add("actions", record.key, 1))
        except UniqueViolation:
            return

    return handle


def groupless(found: Found, *, cured: bool) -> Stage:
    """One event, and all instances; cured, they are one group."""
    service, topic, event, instances = found.facts

    def deploy(cluster: Cluster) -> None:
        many = int(instances)  # type: ignore[call-overload]
        how = {} if cured else {"commit": "none", "group_ids": "none"}
        serve(cluster, str(service), str(topic), acting, many, **how)
        send(cluster, "sender", str(topic), [(KEY, f"{event}/1")])

    return Stage(world("no group", {str(topic): 1}, deploy), never_applied_twice)


def synchronous(found: Found, *, cured: bool) -> Stage:
    """An event that needs an answer, and one behind it that needs none; the first handler polls
    for it, and whoever answers may have crashed, or be the same.

    Cured, the handler only asks, and another goes on when the answer comes.
    """
    service, topic, event, replies, replier = (str(one) for one in found.facts)
    slow, quick = f"{event}/asks", f"{event}/behind it"
    alone = replier in {service, ""}
    if replies == topic:
        replies = apart("replies", topic)
    requests = apart("requests", topic, replies)

    def waiting(context: Any) -> Callable[[Any], Any]:
        settings = {**SESSION, "enable.auto.commit": False}
        consumer = context.cluster.consumer(context.node, settings)
        if not cured:
            consumer.assign([(plain(replies), 0)])

        def handle(record: Any) -> Any:
            if record.event_id == slow:
                yield context.send(requests, slow, KEY, event_id=f"ask {slow}")
            while record.event_id == slow and not cured:
                if (yield consumer.poll(1_000)):
                    break
            if record.event_id != slow or not cured:
                yield context.store(STORE).transact(Add("actions", record.event_id, 1))

        return handle

    def answering(context: Any) -> Callable[[Any], Any]:
        def handle(_: Any) -> Any:
            yield context.send(plain(replies), slow, KEY, event_id=f"answer {slow}")

        return handle

    def deploy(cluster: Cluster) -> None:
        serve(cluster, service, topic, waiting)
        if cured:
            serve(cluster, f"{service}-answers", replies, acting)
        if not alone:
            serve(cluster, replier, requests, answering)
        send(cluster, "sender", topic, [(KEY, slow), (KEY, quick)])

    topics = {topic: 1, replies: 1, requests: 1}
    scenario = world("who waits for an answer", topics, deploy, horizon_ms=10_000)
    check = acts_within([quick], LIMIT_MS)
    if alone:
        return Stage(scenario, check)
    return Stage(scenario, check, (f"crash@{plain(replier)}-*",), 1)


def hasty(found: Found, *, cured: bool) -> Stage:
    """An event that is refused if it comes late; one crash of its handler is enough.

    Cured, the handler goes by when it happened, which the record says.
    """
    service, topic, event, within_ms = found.facts
    limit_us = int(within_ms) * MICROS_PER_MS  # type: ignore[call-overload]

    def deciding(context: Any) -> Callable[[Any], Any]:
        def handle(record: Any) -> Any:
            late = context.node.now_us > LATER_US + limit_us
            if cured or not late:
                yield context.store(STORE).transact(Add("actions", record.key, 1))

        return handle

    def deploy(cluster: Cluster) -> None:
        serve(cluster, str(service), str(topic), deciding)
        send(cluster, "sender", str(topic), [(KEY, f"{event}/1")])

    sites = (f"crash@{plain(str(service))}-*", "drop@sender>broker-0/ProduceRequest")
    scenario = world("the moment of delivery", {str(topic): 1}, deploy)
    return Stage(scenario, applied_or_kept([f"{event}/1"]), sites, 3)


def _failing(tries: int, bad: str, letters: str = "") -> Any:
    """A handler that cannot handle one event; it gives up after so many tries; 0: never.

    letters: the topic that keeps what was given up; "": none does.
    """

    def factory(context: Any) -> Callable[[Any], Any]:
        def handle(record: Any) -> Any:
            if record.event_id != bad:
                yield context.store(STORE).transact(Add("actions", record.key, 1))
            elif not tries or context.attempt < tries:
                raise StoreError(f"{bad} cannot be handled")
            elif letters:
                yield context.send(letters, record.value, record.key, event_id=bad)

        return handle

    return factory


def endless(found: Found, *, cured: bool) -> Stage:
    """A bad event, and a good one behind it; cured, the bad one is given up at last."""
    service, topic, event = (str(one) for one in found.facts)
    bad, good = f"{event}/bad", f"{event}/good"
    letters = apart("dead-letters", topic)

    def deploy(cluster: Cluster) -> None:
        serve(cluster, service, topic, _failing(TRIES if cured else 0, bad, letters))
        send(cluster, "sender", topic, [(KEY, bad), (KEY, good)])

    topics = {topic: 1, letters: 1}
    scenario = world("retries without end", topics, deploy, horizon_ms=5_000)
    return Stage(scenario, acts_within([good], LIMIT_MS))


def skipping(found: Found, *, cured: bool) -> Stage:
    """A bad event, of which nothing remains; cured, a dead letter does."""
    service, topic, event, tries = found.facts
    bad, letters = f"{event}/bad", apart("dead-letters", str(topic))

    def deploy(cluster: Cluster) -> None:
        most = min(TRIES_MOST, int(tries))  # type: ignore[call-overload]
        factory = _failing(most, bad, letters if cured else "")
        serve(cluster, str(service), str(topic), factory)
        send(cluster, "sender", str(topic), [(KEY, bad)])

    scenario = world("no dead letters", {str(topic): 1, letters: 1}, deploy)
    return Stage(scenario, applied_or_kept([bad], letters))


def dual(found: Found, *, cured: bool) -> Stage:
    """Commands to a service that writes, then sends, and is started again if it dies.

    Cured, it writes both at once, and a relay sends.
    """
    service, topic, event, _ = (str(one) for one in found.facts)
    orders = [f"{event}/1", f"{event}/2"]
    commands = apart("commands", topic)

    def working(context: Any) -> Callable[[Any], Any]:
        def handle(record: Any) -> None:  # A plain function may be cut at each of its calls.
            change = Insert("changes", record.key)
            row = Insert("outbox", record.event_id, record.event_id, effect=False)
            try:
                context.store(STORE).transact(*([change, row] if cured else [change]))
            except UniqueViolation:
                return  # It was done already.
            if not cured:
                context.send(plain(topic), "", record.key, event_id=record.event_id)

        return handle

    def deploy(cluster: Cluster) -> None:
        serve(cluster, service, commands, working)
        if cured:
            name = apart("relay", service)
            relay(cluster, name, topic, writer=service, reads=commands)
        send(cluster, "sender", commands, [(told, told) for told in orders])

    scenario = world("two writes", {commands: 1, topic: 1}, deploy)
    return Stage(scenario, told_if_done(plain(topic)), (f"crash@{plain(service)}-*",), 1)


def naive(found: Found, *, cured: bool) -> Stage:
    """One event, and one crash; cured, with its mark in the transaction of its effect."""
    service, topic, event = (str(one) for one in found.facts)

    def deploy(cluster: Cluster) -> None:
        serve(cluster, service, topic, once if cured else acting)
        send(cluster, "sender", topic, [(KEY, f"{event}/1")])

    scenario = world("a second delivery", {topic: 1}, deploy)
    return Stage(scenario, never_applied_twice, (f"crash@{plain(service)}-*",), 1)


def claimed(found: Found, *, cured: bool) -> Stage:
    """A transactional transformation that writes a store beside its output; cured, with a mark."""
    service, topic, event, _ = (str(one) for one in found.facts)
    output = apart("output", topic)

    def factory(context: Any) -> Callable[[Any], Any]:
        apply = (once if cured else acting)(context)

        def transform(record: Any) -> Any:
            yield from apply(record)
            return Output(record.key, record.value)

        return transform

    def deploy(cluster: Cluster) -> None:
        transforming = Transforming((plain(topic),), output, settings=SESSION)
        cluster.transform(plain(service), 1, factory, transforming)
        send(cluster, "sender", topic, [(KEY, f"{event}/1")])

    scenario = world("exactly-once, and a store", {topic: 1, output: 1}, deploy)
    return Stage(scenario, never_applied_twice, (f"crash@{plain(service)}-*",), 1)


def stale(found: Found, *, cured: bool) -> Stage:
    """Two wishes for the last piece, decided on a read model that a projection follows with.

    Cured, the decision and the change are one statement on the aggregate.
    """
    service, topic, event, model = (str(one) for one in found.facts)
    model, granted = f"read {model}", apart("granted", topic)

    def deciding(context: Any) -> Callable[[Any], Any]:
        store = context.store(STORE)

        def handle(record: Any) -> Any:
            if cured:
                take = Update("stock", KEY, lambda left: left - 1 if left else left)
                yield store.transact(take)
                return
            (left,) = yield store.transact(Get(model, KEY))
            if left:
                yield store.transact(Add("stock", KEY, -1))
                yield context.send(granted, "", KEY, event_id=f"granted {record.event_id}")

        return handle

    def projecting(context: Any) -> Callable[[Any], Any]:
        def handle(_: Any) -> Any:
            yield context.sleep(LATER_MS * MICROS_PER_MS)
            yield context.store(STORE).transact(Add(model, KEY, -1, effect=False))

        return handle

    def deploy(cluster: Cluster) -> None:
        opened(
            cluster, Insert("stock", KEY, 1, effect=False), Insert(model, KEY, 1, effect=False)
        )
        serve(cluster, service, topic, deciding)
        serve(cluster, apart("projection", service), granted, projecting)
        send(cluster, "sender", topic, [(KEY, f"{event}/1"), (KEY, f"{event}/2")])

    scenario = world("a decision on a read model", {topic: 1, granted: 1}, deploy)
    return Stage(scenario, never_below_zero("stock"))
