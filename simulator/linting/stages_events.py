"""How commands, versions, topics, circles and keys do harm: a small run for each finding.

Each stage is also to be had cured: the same run, with the one thing changed that the rule advises.
"""

from collections.abc import Callable
from typing import Any

from simulator.cluster.cluster import Cluster
from simulator.errors import StoreError
from simulator.linting.finding import Found, Stage
from simulator.linting.judging import acted_once, acts_within, ends, in_their_order, means_the_same
from simulator.linting.staging import (
    LATER_US,
    RAPID,
    STORE,
    apart,
    plain,
    send,
    serve,
    world,
)
from simulator.protocol.partitioning import partition_of_key
from simulator.protocol.store_operations import Add, Upsert
from simulator.scenario.workload import WorkItem

BUSY_MS = 200
LIMIT_MS = 2_000
ROUNDS = 3
LIFE = ("created", "changed")


def acting(context: Any) -> Callable[[Any], Any]:
    """Each record is one action."""

    def handle(record: Any) -> Any:
        yield context.store(STORE).transact(Add("actions", record.key, 1))

    return handle


def command(found: Found, *, cured: bool) -> Stage:
    """The command once, to everybody who handles it; cured, to one."""
    services: list[str] = list(found.facts[0])  # type: ignore[call-overload]
    if cured:
        services = services[:1] or ["actor"]
    event = f"{found.subject}/1"

    def deploy(cluster: Cluster) -> None:
        for service in services:
            serve(cluster, service, "commands", acting)
        send(cluster, "sender", "commands", [("c-1", event)])

    return Stage(world("a command that is sent as an event", {"commands": 1}, deploy),
                 acted_once([event]))


def unversioned(found: Found, *, cured: bool) -> Stage:
    """A newer sender counts cents, an older reader dollars; and nothing says which it is.

    Cured, the value begins with its schema's version, and the reader knows both.
    """
    old, new = f"{found.subject}/old sender", f"{found.subject}/new sender"
    amounts, meant = {old: (1, 10), new: (2, 1_000)}, {old: 1_000, new: 1_000}

    def reading(context: Any) -> Callable[[Any], Any]:
        def handle(record: Any) -> Any:
            version, _, amount = record.value.rpartition(":")
            cents = int(amount) * (1 if version == "2" else 100)
            yield context.store(STORE).transact(Upsert("paid_cents", record.event_id, cents))

        return handle

    def deploy(cluster: Cluster) -> None:
        serve(cluster, "reader", "events", reading)
        items = [
            WorkItem(
                LATER_US + number, "events", "k-1",
                f"{version}:{amount}" if cured else str(amount), event,
            )
            for number, (event, (version, amount)) in enumerate(amounts.items())
        ]  # fmt: skip
        cluster.source("sender", items, RAPID)

    return Stage(world("an event without a version", {"events": 1}, deploy),
                 means_the_same(meant))


def overloaded(found: Found, *, cured: bool) -> Stage:
    """A bad record of a type that the service does not want stands before one that it does.

    Cured, it stands in a topic of its own.
    """
    service, wanted, other = (str(one) for one in found.facts)
    bad, good = f"{other}/1", f"{wanted}/1"
    others = apart("others", found.subject)

    def picky(context: Any) -> Callable[[Any], Any]:
        def handle(record: Any) -> Any:
            if record.value == other:
                raise StoreError(f"{other} cannot be read")
            yield context.store(STORE).transact(Add("actions", record.key, 1))

        return handle

    def deploy(cluster: Cluster) -> None:
        serve(cluster, service, found.subject, picky)
        elsewhere = others if cured else found.subject
        send(cluster, "another", elsewhere, [("k-1", bad)])
        send(cluster, "sender", found.subject, [("k-1", "filler/0"), ("k-1", good)])

    topics = {found.subject: 1, others: 1}
    scenario = world("a topic for everything", topics, deploy, horizon_ms=5_000)
    return Stage(scenario, acts_within([good], LIMIT_MS))


def cycle(found: Found, *, cured: bool) -> Stage:
    """The first event of the circle, once; each service reacts as it does.

    Cured, whoever has reacted to it before does not do so again.
    """
    events, services = found.facts
    names: list[str] = list(events)  # type: ignore[call-overload]
    workers: list[str] = list(services)  # type: ignore[call-overload]
    origin = f"{names[0]}/"

    def reacting(after: str) -> Any:
        def factory(context: Any) -> Callable[[Any], Any]:
            def handle(record: Any) -> Any:
                number = int(record.event_id.rpartition("/")[2]) + 1
                if cured and number > len(names):
                    return
                yield context.send(plain(after), "", record.key, event_id=f"{origin}{number}")

            return handle

        return factory

    def deploy(cluster: Cluster) -> None:
        for number, (name, worker) in enumerate(zip(names, workers, strict=True)):
            after = names[(number + 1) % len(names)]
            serve(cluster, f"{worker}-for-{name}", name, reacting(after))
        send(cluster, "sender", names[0], [("k-1", f"{origin}0")])

    scenario = world("a circle", dict.fromkeys(names, 1), deploy, horizon_ms=1_000)
    return Stage(scenario, ends(origin, ROUNDS * len(names)))


def random_key(found: Found, *, cured: bool) -> Stage:
    """Two events of one aggregate; the partition of the first one has more to do before it.

    Cured, both have the aggregate's key.
    """
    service, topic, partitions, key, events = found.facts
    many = int(partitions)  # type: ignore[call-overload]
    types: tuple[str, ...] = tuple(events) or LIFE  # type: ignore[arg-type]
    ids = [f"{types[0]}/1", f"{types[-1]}/2"]
    nameless = key == "none"

    def busy(context: Any) -> Callable[[Any], Any]:
        def handle(record: Any) -> Any:
            if record.event_id == "filler/0":
                yield context.sleep(BUSY_MS * 1_000)
            yield context.store(STORE).transact(Add("actions", record.event_id, 1))

        return handle

    def deploy(cluster: Cluster) -> None:
        # A reader for each partition, so that one is not slowed down by the other.
        serve(cluster, apart("reader", str(service)), str(topic), busy, instances=min(many, 8))
        keys = [None, None] if nameless else _apart(many)
        own = ["k-1", "k-1"] if cured else keys
        send(cluster, f"{service}-0", str(topic), [(own[0], "filler/0"), (own[0], ids[0])])
        send(cluster, f"{service}-1", str(topic), [(own[1], "filler/1"), (own[1], ids[1])], 1)

    scenario = world("keys that say nothing", {str(topic): many}, deploy)
    if nameless:  # Each producer sticks to a partition that chance picks.
        return Stage(scenario, in_their_order(ids), ("partition@*",), 1)
    return Stage(scenario, in_their_order(ids))


def _apart(partitions: int) -> list[str | None]:
    """Two keys, as chance may make them, of different partitions."""
    keys = [f"{number:08x}" for number in range(64)]
    first = keys[0]
    home = partition_of_key(first.encode(), partitions)
    other = next(key for key in keys if partition_of_key(key.encode(), partitions) != home)
    return [first, other]
