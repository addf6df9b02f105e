"""A sink that takes a batch of changes at a time, and writes one change a key.

Who loads a table of files cannot write row by row: a batch is collapsed first, to the last change
of each key. Which one that is can be told by the log, and by nothing else:

by_offset     the one that stands last in the topic
by_time       the newest by source.ts_ms; of two of the same time, the delete (an order of
              operations: c, r, u, d), as if nothing came after a delete
first_deletes all deletes of the batch, then all that is written
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from models.patterns.capture.cdc import COPY
from simulator import ChangeEvent, Cluster, Delete, Upsert, read_change_event

Collapse = Callable[[Sequence[tuple[Any, ChangeEvent]]], list[tuple[Any, ChangeEvent]]]
RANKS = {"c": 1, "r": 2, "u": 3, "d": 4}


def by_offset(batch: Sequence[tuple[Any, ChangeEvent]]) -> list[tuple[Any, ChangeEvent]]:
    """The last of each key, in the order of the topic."""
    return list(dict(batch).items())


def by_time(batch: Sequence[tuple[Any, ChangeEvent]]) -> list[tuple[Any, ChangeEvent]]:
    """The newest of each key by the time of its commit."""
    newest: dict[Any, ChangeEvent] = {}
    for key, event in batch:
        known = newest.get(key)
        if known is None or _age(event) >= _age(known):
            newest[key] = event
    return list(newest.items())


def _age(event: ChangeEvent) -> tuple[int, int]:
    return event.source["ts_ms"], RANKS[event.op]


def first_deletes(batch: Sequence[tuple[Any, ChangeEvent]]) -> list[tuple[Any, ChangeEvent]]:
    """Deletes before everything else."""
    return sorted(batch, key=lambda change: change[1].after is not None)


COLLAPSES: dict[str, Collapse] = {
    "by offset": by_offset, "by time": by_time, "deletes first": first_deletes
}  # fmt: skip


def batching(
    cluster: Cluster, topic: str, collapse: Collapse, every_ms: int, until_us: int
) -> None:
    """A sink that reads a topic of one partition, and writes a batch every so often."""
    cluster.store(COPY)

    def load(node: Any) -> Any:
        copy = cluster.context(node).store(COPY)
        consumer = cluster.consumer(
            node, {"enable.auto.commit": False, "auto.offset.reset": "earliest"}
        )
        consumer.assign([(topic, 0)])
        while node.now_us < until_us:
            yield node.sleep(every_ms * 1_000)
            batch = []
            for record in (yield consumer.poll(1)):
                event = read_change_event(record.value)
                if event is not None:
                    batch.append((json.loads(record.key)["id"], event))
            changes: list[Any] = []
            for key, event in collapse(batch):
                table, row = event.source["table"], event.after
                if row is None:
                    changes.append(Delete(table, key))
                else:
                    changes.append(Upsert(table, key, row["value"]))
            if changes:
                yield copy.transact(*changes)

    cluster.driver("loader", load)
