"""A rolling upgrade: the instances of two services go to a new schema one by one, in some order.

The shop's instances write orders, and billing's read them, each with the schema that it was
deployed with; a registry says which change may be at all. An instance is upgraded by a restart.

1. BACKWARD: the new reads the old. Upgrade the consumers first; then nobody old meets what is new.
2. FORWARD: the old reads the new. Upgrade the producers first, and the consumers when what was
   written before has been read: the new does not read it. A pause is a guess of when that is;
   `waits` has an operator look.
3. FULL: both, and so any order.

The twins are the same deployments in the other order, and FORWARD without the wait.
"""

from collections.abc import Callable
from typing import Any

from models.patterns.contracts.evolution_running import UNREADABLE
from models.patterns.contracts.rollouts import MILLISECOND_US, SHOP, Change, Rollout
from simulator import (
    Add,
    Cases,
    Check,
    Cluster,
    CodecError,
    Context,
    Crash,
    Deserializer,
    FaultPlan,
    KafkaError,
    Scenario,
    SchemaClient,
    Serializer,
    Serving,
    Status,
    Topic,
    Topology,
    Verdict,
    Watching,
    Workload,
    schema_registry,
)

TOPIC, LEDGER, REGISTRY = "orders", "ledger", "schemas"
UNWRITTEN, ACROSS = "not written", "across versions"  # What is noted of an order.
DOWN_MS = 100  # How long a restart takes.
LOOKS_MS = 200


def shop(
    cluster: Cluster, change: Change, rollout: Rollout, every_ms: int
) -> Callable[[Any], Any]:
    """What an instance of the shop does, from its start: an order now and then."""

    def live(node: Any) -> Any:
        context, is_new = Context(cluster, node, {"linger.ms": 0}), rollout.reached(node)
        schema = change.new if is_new else change.old
        datum = change.new_datum if is_new else change.old_datum
        serializer = Serializer(SchemaClient(context, REGISTRY), plain=True)
        while node.now_us < rollout.ends_ms * MILLISECOND_US:
            try:
                value = yield serializer.serialize(TOPIC, datum, schema)
                context.send(TOPIC, value, "o-1")
            except CodecError as refused:
                context.note(UNWRITTEN, str(refused))
            yield context.sleep(every_ms * MILLISECOND_US)

    return live


def billing(
    change: Change, rollout: Rollout, may_begin: Callable[[], bool]
) -> Callable[[Context], Any]:
    """A factory of handlers that count the orders they can read, and tell of those they cannot."""

    def factory(context: Context) -> Callable[..., Any]:
        is_new = rollout.reached(context.node) and may_begin()
        reader = change.new if is_new else change.old
        schemas = SchemaClient(context, REGISTRY)
        deserializer, ledger = Deserializer(schemas, reader, plain=True), context.store(LEDGER)

        def handle(record: Any) -> Any:
            try:
                order = yield deserializer.deserialize(record.value)
            except CodecError as wrong:
                context.note(UNREADABLE, f"{record.event_id}: {wrong}")
                return
            # A frame: a zero byte, four of the schema's id, and the body.
            writer = yield schemas.schema(int.from_bytes(record.value[1:5], "big"))
            if writer != reader:
                context.note(ACROSS, record.event_id)
            yield ledger.transact(Add("orders", order["order_id"], 1))

        return handle

    return factory


def rest_read(cluster: Cluster, rollout: Rollout) -> Callable[[], bool]:
    """Whether billing has read what old shops wrote: an operator looks after its commits."""
    done: list[bool] = []

    def live(node: Any) -> Any:
        last_ms = max(rollout.times[name] for name in SHOP) + DOWN_MS
        yield node.sleep(last_ms * MILLISECOND_US)
        consumer = cluster.consumer(node, {"group.id": "billing", "enable.auto.commit": False})
        places, ends = cluster.partitions(TOPIC), None
        while not done and node.now_us < rollout.ends_ms * MILLISECOND_US:
            try:
                ends = ends or (yield consumer.end_offsets(places))
                passed = yield consumer.committed(places)
                if all((passed[where] or 0) >= end for where, end in ends.items()):
                    done.append(True)
            except KafkaError:
                pass  # It looks again.
            yield node.sleep(LOOKS_MS * MILLISECOND_US)

    cluster.driver("operator", live)
    return lambda: bool(done)


def upgrading(
    change: Change,
    rollout: Rollout,
    *,
    level: str = "",
    every_ms: int = 200,
    settings: dict[str, Any] | None = None,
    **more: Any,
) -> Scenario:
    """Both services, while they are upgraded.

    Args:
        level: the subject's; by default the one that the change was made for.
        every_ms: how often each shop writes an order.
        settings: the consumers'.
        more: other fields of the Scenario.
    """

    def deploy(cluster: Cluster) -> None:
        cluster.store(LEDGER)
        schema_registry(cluster, REGISTRY, level or change.name)
        for name in SHOP:
            cluster.driver(name, shop(cluster, change, rollout, every_ms))
        consumers = {"auto.offset.reset": "earliest", **(settings or {})}
        serving = Serving(topics=(TOPIC,), settings=consumers)
        may_begin = rest_read(cluster, rollout) if rollout.waits else lambda: True
        cluster.group("billing", 2, billing(change, rollout, may_begin), serving)

    restarts = tuple(Crash(name, at_ms=at, down_ms=DOWN_MS) for name, at in rollout.times.items())
    more.setdefault("topology", Topology(topics=(Topic(TOPIC, 2),)))
    return Scenario(
        application=deploy, workload=Workload(events=0), faults=FaultPlan(restarts), **more
    )


def _everything_is_read() -> Watching:
    cases, reached = Cases(), 0

    def on_noted(entry: Any) -> None:
        if entry[4][1] in (UNREADABLE, UNWRITTEN):
            said = f"{entry[2]}: {entry[4][1]}: {entry[4][2]}"
            cases.add(said, (entry[0],), (entry[4][2].partition(":")[0],))

    def on_applied(_: Any) -> None:
        nonlocal reached
        reached += 1

    def finish() -> Verdict:
        if not reached and not cases.count:
            why = "nothing was read"
            return Verdict("everything_is_read", Status.CANNOT_TELL, why=why)
        return cases.verdict("everything_is_read", reached + cases.count)

    return Watching({"noted": on_noted, "effect_applied": on_applied}, finish)


everything_is_read = Check(
    "everything_is_read",
    "What producers write, the registry allows and consumers can read.",
    _everything_is_read,
)
