"""Change data capture: a service keeps a copy of a database's tables, made of their topics.

Each handler folds the changes of a table into a copy: it upserts what a row is, and deletes what is
gone. A connector is at-least-once, so each is done with whatever comes twice. None keeps off a
write of its own that comes late, when the next ones are done: that takes a version in the row.

copying             unknown columns (the placeholder of a large one) keep the value they had
copying_blindly     writes whatever stands in the event
copying_keys        a row whose message key changes is moved in one step: the headers tell of it
copying_whole       a transaction's changes are kept aside until all of them are there, and shown
                    together; it needs provide.transaction.metadata
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator import UNAVAILABLE, Cluster, Delete, Get, Select, Serving, Upsert, read_change_event

COPY = "copy"


def _without_key(row: Mapping[str, Any]) -> Any:
    """A row as its table held it: a single value, or its columns but for the key."""
    if "value" in row:
        return row["value"]
    return {name: value for name, value in row.items() if name != "id"}


def _known(row: Mapping[str, Any], old: Any) -> Any:
    """The row, with the old values of what the event does not know."""
    new = _without_key(row)
    if not isinstance(new, Mapping) or UNAVAILABLE not in new.values():
        return new
    had = old if isinstance(old, Mapping) else {}
    return {
        name: had.get(name) if value == UNAVAILABLE else value for name, value in new.items()
    }


def _blindly(row: Mapping[str, Any], _: Any) -> Any:
    return _without_key(row)


def _copying(write: Callable[[Mapping[str, Any], Any], Any]) -> Any:
    def factory(context: Any) -> Any:
        copy = context.store(COPY)

        def handle(record: Any) -> Any:
            event = read_change_event(record.value)
            if event is None or event.op == "m":
                return  # A tombstone is for the log's cleaner.
            table, (key,) = event.source["table"], json.loads(record.key).values()
            if event.after is None:
                yield copy.transact(Delete(table, key))
                return
            (old,) = yield copy.transact(Get(table, key))
            yield copy.transact(Upsert(table, key, write(event.after, old)))

        return handle

    return factory


copying = _copying(_known)
copying_blindly = _copying(_blindly)


def copying_keys(context: Any) -> Any:
    """A row whose message key changes is moved in one transaction: the create does it."""
    copy = context.store(COPY)

    def handle(record: Any) -> Any:
        event, headers = read_change_event(record.value), dict(record.headers)
        if event is None or "__debezium.newkey" in headers:
            return  # Of a moved row the create takes care.
        table, (key,) = event.source["table"], json.loads(record.key).values()
        if event.after is None:
            yield copy.transact(Delete(table, key))
            return
        written = Upsert(table, key, _without_key(event.after))
        if "__debezium.oldkey" in headers:
            (old,) = json.loads(headers["__debezium.oldkey"]).values()
            yield copy.transact(Delete(table, old), written)
        else:
            yield copy.transact(written)

    return handle


def copying_whole(context: Any) -> Any:
    """Changes wait in a table until their transaction's END, and event_count, have come."""
    copy = context.store(COPY)

    def handle(record: Any) -> Any:
        if record.topic.endswith(".transaction"):
            boundary = json.loads(record.value)
            if boundary["status"] == "END":
                number = _lsn(boundary["id"])
                yield copy.transact(Upsert("ends", number, boundary["event_count"], effect=False))
        else:
            event = read_change_event(record.value)
            if event is None:
                return
            (key,) = json.loads(record.key).values()
            if event.transaction is None:  # A snapshot read it: it was of no transaction.
                yield copy.transact(_change(event.source["table"], key, event.after))
                return
            place = (_lsn(event.transaction["id"]), event.transaction["total_order"])
            row = (event.source["table"], key, event.after)
            yield copy.transact(Upsert("waiting", place, row, effect=False))
        yield from _show(copy)

    return handle


def _change(table: str, key: Any, after: Any) -> Any:
    return Delete(table, key) if after is None else Upsert(table, key, _without_key(after))


def _lsn(transaction: str) -> int:
    return int(transaction.partition(":")[2])


def _show(copy: Any) -> Any:
    """Show all transactions that are complete, in their order, up to the first that is not."""
    (ends,) = yield copy.transact(Select("ends"))
    for end in ends:
        (waiting,) = yield copy.transact(
            Select("waiting", at_least=(end.key,), below=(end.key + 1,))
        )
        if len(waiting) < end.value:
            return
        changes: list[Any] = [Delete("ends", end.key, effect=False)]
        for row in waiting:
            table, key, after = row.value
            changes += [_change(table, key, after), Delete("waiting", row.key, effect=False)]
        yield copy.transact(*changes)


def copy_service(
    cluster: Cluster,
    topics: Sequence[str],
    handler: Any = copying,
    instances: int = 1,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """The group that keeps the copy, and its database."""
    cluster.store(COPY)
    reads = {"auto.offset.reset": "earliest", "fetch.max.wait.ms": 100, **(settings or {})}
    cluster.group("copying", instances, handler, Serving(tuple(topics), reads))
