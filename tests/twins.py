"""Wrong twins: each differs from what keeps a promise in one thing, and breaks it.

A twin says how many faults it needs at least: none, if it is wrong in every run.
"""

from typing import Any

import attrs

from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    IN_MEMORY_SET,
    Crash,
    Drop,
    Duplicate,
    committed_never_regresses,
    never_applied_twice,
    never_committed_past_processed,
    never_lost,
)
from tests.few_orders import few_orders
from tests.log_checks import appended_once, members_commit, stored_in_order
from tests.promised import Promised, rapid


@attrs.frozen
class Twin:
    """A promise that is not kept, and the smallest plan of faults that shows it."""

    promised: Promised
    faults: tuple[Any, ...]


def outsiders(cluster: Any) -> None:
    """Two workers that assign themselves the same partition, and commit to one group."""
    workload = cluster.world.scenario.workload
    cluster.source(workload.producer, workload)

    def boot(node: Any) -> None:
        settings = {
            "group.id": "billing", "auto.offset.reset": "earliest", "enable.auto.commit": False
        }  # fmt: skip
        consumer = cluster.consumer(node, settings)
        consumer.assign([("orders", 0), ("orders", 1)])
        node.start(working(node, consumer))

    def working(node: Any, consumer: Any) -> Any:
        slow = 250_000 if node.name == "worker-1" else 1_000
        while True:
            for record in (yield consumer.poll(1_000)):
                yield node.sleep(slow)
                yield consumer.commit_sync({record[:2]: record.offset + 1})

    for number in range(2):
        cluster.node(f"worker-{number}", boot)


def few(guarantee: Any, **more: Any) -> Any:
    """As few as show it."""
    return few_orders(guarantee, events=2, **more)


def no_idempotence(**more: Any) -> Any:
    return rapid(**{"enable.idempotence": False}, **more)


APPLIES_TWICE = Crash("billing-1", "after_process")

TWINS = {
    twin.promised.name: twin
    for twin in (
        Twin(
            Promised(
                "a naive sink behind at least once applies twice",
                few(AT_LEAST_ONCE),
                (never_applied_twice,),
                kinds=("crash",),
                nodes="billing-*",
            ),
            (APPLIES_TWICE,),
        ),
        Twin(
            Promised(
                "a set in memory applies twice after a restart",
                few(IN_MEMORY_SET),
                (never_applied_twice,),
                kinds=("crash",),
                nodes="billing-*",
            ),
            (APPLIES_TWICE,),
        ),
        Twin(
            Promised(
                "to commit before processing loses",
                few(AT_MOST_ONCE),
                (never_lost,),
                kinds=("crash",),
                nodes="billing-*",
            ),
            (Crash("billing-1", "after_commit"),),
        ),
        Twin(
            Promised(
                "to commit before processing is to commit what was not processed",
                few(AT_MOST_ONCE),
                (never_committed_past_processed,),
                kinds=(),
            ),
            (),
        ),
        Twin(
            Promised(
                "an acknowledgement that nobody waits for loses",
                few(AT_LEAST_ONCE, producer={"acks": 0, "enable.idempotence": False}),
                (never_lost,),
                kinds=("drop",),
                nodes="orders-producer",
            ),
            (Drop("orders-producer", "broker-1", "ProduceRequest"),),
        ),
        Twin(
            Promised(
                "without idempotence a lost answer stores twice",
                no_idempotence(),
                (appended_once,),
                kinds=("drop",),
            ),
            (Drop("broker-1", "orders-producer", "ProduceResponse"),),
        ),
        Twin(
            Promised(
                "without idempotence several requests in flight are reordered",
                no_idempotence(),
                (stored_in_order,),
                kinds=("drop",),
            ),
            (Drop("orders-producer", "broker-1", "ProduceRequest"),),
        ),
        Twin(
            Promised(
                "a commit that arrives a second time takes the group back",
                few_orders(AT_LEAST_ONCE, per_s=50, consumer={"max.poll.records": 1}),
                (committed_never_regresses,),
                kinds=("duplicate",),
                messages="OffsetCommitRequest",
            ),
            (Duplicate("billing-1", "broker-1", "OffsetCommitRequest", later_ms=40),),
        ),
        Twin(
            Promised(
                "workers outside of the group take each other back",
                few_orders(AT_LEAST_ONCE, application=outsiders),
                (committed_never_regresses,),
                kinds=(),
            ),
            (),
        ),
        Twin(
            Promised(
                "workers outside of the group commit all the same",
                few(AT_LEAST_ONCE, application=outsiders),
                (members_commit,),
                kinds=(),
            ),
            (),
        ),
    )
}
