"""Owners of partitions that keep what they must know beside what they change, in the store.

Who is given a partition raises its fence first, and goes on where the store says that the former
owner was. What an owner looks at when it writes is chosen among those of `fencing`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from models.patterns.idempotency.fencing import FENCE, OFFSETS, Applying, Owner, Place, place_of
from simulator import Cluster, ConsumerRecord, Get, RebalanceListener, StoreError, Upsert

PAUSE_US = 100_000


def taking_over(owner: Owner, partitions: Sequence[Place]) -> Any:
    """Raise the fence, and go on where the store says that the former owner was."""
    epoch = owner.epoch
    for place in partitions:
        raised = Upsert(FENCE, tuple(place), epoch, when=lambda old: old < epoch)
        offset = yield from persisting(owner, raised, Get(OFFSETS, tuple(place)))
        if offset is not None:
            owner.consumer.seek(place, offset)


def persisting(owner: Owner, *operations: Any) -> Any:
    """Ask the store until it answers; the last operation's result."""
    while True:
        try:
            results = yield owner.store.transact(*operations)
        except StoreError:
            yield owner.context.sleep(PAUSE_US)
        else:
            return results[-1]


def owners(
    cluster: Cluster,
    group: str,
    instances: int,
    topics: Sequence[str],
    applying: Applying,
    *,
    settings: Mapping[str, Any],
    works_us: int = 50_000,
) -> None:
    """A group of them on nodes `group-0`, `group-1`, ...

    Args:
        applying: what is done with a record.
        settings: their consumers', by Kafka's names.
        works_us: how long it takes them to make up their mind.
    """

    def boot(node: Any) -> None:
        given = {"auto.offset.reset": "earliest", "enable.auto.commit": False, **settings}
        consumer = cluster.consumer(node, {"group.id": group, **given})
        owner = Owner(cluster.context(node), consumer, works_us)
        node.start(live(owner), "owner")

    def live(owner: Owner) -> Any:
        def assigned(partitions: Sequence[Place]) -> Any:
            yield from taking_over(owner, partitions)

        listener = RebalanceListener(on_assigned=assigned, on_lost=lambda _: None)
        owner.consumer.subscribe(topics, listener)
        while True:
            for record in (yield owner.consumer.poll(1_000)):
                if place_of(record) in owner.consumer.assignment():
                    yield from handle(owner, record)

    def handle(owner: Owner, record: ConsumerRecord) -> Any:
        node, owner.context.record = owner.context.node, record
        done = False
        while not done:
            try:
                yield from applying(owner, record)
            except StoreError:
                yield owner.context.sleep(PAUSE_US)
            else:
                done = True
        owner.context.record = None
        if not node.point("after_process"):
            yield node.event()

    for number in range(instances):
        cluster.node(f"{group}-{number}", boot)
