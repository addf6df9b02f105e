"""Others who read what a connector publishes, and what they may rely on.

zombies         who comes late to a compacted topic, and takes what is left of each key for its row
outbox_reader   who applies each event of an outbox once, as long as it remembers the event's id
one_row_each    a person whose key changes has one row in the copy, at any time
zombies_buried  nobody who comes late is told of rows that were deleted
"""

import json
from typing import Any

from models.patterns.capture.cdc import COPY
from models.patterns.capture.cdc_shop import SHOP
from simulator import (
    Add,
    Cases,
    Check,
    Cluster,
    Delete,
    Insert,
    Select,
    Serving,
    UniqueViolation,
    Verdict,
    Watching,
)


def zombies(cluster: Cluster, topic: str, at_us: int) -> None:
    """Somebody who reads the topic from its beginning at a time, and notes the keys it has.

    Not while a connector tells again what it told before: then an old value stands behind the
    tombstone, and the tombstone comes again.
    """

    def drive(node: Any) -> Any:
        yield node.sleep(at_us)
        while not cluster.at_rest():
            yield node.sleep(1_000_000)
        consumer = cluster.consumer(
            node, {"auto.offset.reset": "earliest", "enable.auto.commit": False}
        )
        where = (topic, 0)
        consumer.assign([where])
        ends = yield consumer.end_offsets([where])
        left: dict[Any, Any] = {}
        while (consumer.position(where) or 0) < ends[where]:
            for record in (yield consumer.poll(100)):
                left[record.key] = record.value
        for key, value in left.items():
            if value is not None:
                node.record(("noted", "left", str(json.loads(key)["id"])))

    cluster.driver("late", drive)


def outbox_reader(cluster: Cluster, topic: str, remembers_ms: int) -> None:
    """A service that counts events, each once: it keeps their ids for so long."""
    cluster.topic(topic)
    cluster.store(COPY)

    def factory(context: Any) -> Any:
        copy = context.store(COPY)

        def handle(record: Any) -> Any:
            now_us = context.node.now_us
            (seen,) = yield copy.transact(Select("seen"))
            old = [row.key for row in seen if row.value < now_us - remembers_ms * 1_000]
            forgotten = [Delete("seen", key, effect=False) for key in old]
            mark = Insert("seen", record.event_id, now_us, effect=False)
            if forgotten:
                yield copy.transact(*forgotten)
            try:
                yield copy.transact(mark, Add("counted", record.key, 1))
            except UniqueViolation:
                return

        return handle

    reads = {"auto.offset.reset": "earliest", "fetch.max.wait.ms": 100}
    cluster.group("reader", 1, factory, Serving((topic,), reads))


def _zombies() -> Watching:
    ending: list[str] = []
    deleted: dict[str, int] = {}
    left: list[tuple[str, int]] = []

    def on_applied(entry: Any) -> None:
        _, _, key, value, _ = entry[4]
        if entry[2] == SHOP:
            deleted.pop(str(key), None)
            if value is None:
                deleted[str(key)] = entry[0]

    def on_noted(entry: Any) -> None:
        if entry[4][1] == "left":
            left.append((entry[4][2], entry[0]))

    def finish() -> Verdict:
        cases = Cases()
        for key, seq in left:
            if key in deleted:
                cases.add(f"{key} was deleted, and its topic has a value", (deleted[key], seq))
        open_because = "" if ending == ["quiet"] else "the run did not become quiet"
        return cases.verdict("zombies_buried", len(deleted) * bool(left), open_because=open_because)

    observers = {
        "effect_applied": on_applied,
        "noted": on_noted,
        "run_ended": lambda entry: ending.append(entry[4][1]),
    }
    return Watching(observers, finish)


zombies_buried = Check(
    "zombies_buried", "Who comes late is told of no row that was deleted.", _zombies
)


def _one_row_each() -> Watching:
    cases = Cases()
    rows: dict[Any, Any] = {}  # The copy: message key -> the person.
    known: dict[Any, None] = {}
    at_us, at_seq, reached = -1, -1, 0

    def look() -> None:
        nonlocal reached
        people = [row["name"] for row in rows.values()]
        for name in known:
            reached += 1
            if people.count(name) != 1:
                cases.add(f"{name} has {people.count(name)} rows in the copy", (at_seq,))

    def on_applied(entry: Any) -> None:
        nonlocal at_us, at_seq
        _, _, key, value, _ = entry[4]
        if entry[2] != COPY:
            return
        if entry[1] != at_us:
            look()
        at_us, at_seq = entry[1], entry[0]
        rows.pop(key, None)
        if value is not None:
            rows[key] = value
            known[value["name"]] = None

    def finish() -> Verdict:
        look()
        return cases.verdict("one_row_each", reached)

    return Watching({"effect_applied": on_applied}, finish)


one_row_each = Check(
    "one_row_each", "A person has one row in the copy, at any time.", _one_row_each
)
