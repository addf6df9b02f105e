"""Promises about order: of a log, of a key, of cause and effect, of clocks.

applied_in_log_order  a partition's events first take effect in the order of the log
keys_stay             an aggregate's events lie in one partition of a topic
causes_first          no event takes effect in a table before the event that caused it
times_rise            the moments that a table was told of never fall
no_stale_write        who no longer owns a partition writes nothing for it behind its successor

None of them asks who kept the order: a partition, a lock, or luck.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from models.patterns.idempotency.fencing import FENCE, WRITERS
from models.topics.order import AggregateOf
from simulator import Cases, Check, Verdict, Watching

CauseOf = Callable[[str], str]


def _applied_in_log_order() -> Watching:
    cases, reached = Cases(), 0
    places: dict[str, tuple[str, int, int]] = {}  # event -> where it first came into a log
    known: dict[tuple[str, str], None] = {}
    highest: dict[tuple[str, str, int], tuple[int, int, str]] = {}

    def on_appended(entry: Any) -> None:
        _, topic, partition, base, event_ids, *_ = entry[4]
        for place, event_id in enumerate(event_ids):
            places.setdefault(event_id, (topic, partition, base + place))

    def on_applied(entry: Any) -> None:
        nonlocal reached
        table, event_id = entry[4][1], entry[4][4]
        if event_id not in places or (table, event_id) in known:
            return
        known[table, event_id] = None
        reached += 1
        topic, partition, offset = places[event_id]
        before = highest.get((table, topic, partition))
        if before is None or offset > before[0]:
            highest[table, topic, partition] = (offset, entry[0], event_id)
        else:
            said = f"{event_id} ({topic}-{partition}@{offset}) took effect after {before[2]}"
            cases.add(f"{said} (@{before[0]})", (before[1], entry[0]), (event_id, before[2]))

    def finish() -> Verdict:
        return cases.verdict("applied_in_log_order", reached)

    return Watching({"batch_appended": on_appended, "effect_applied": on_applied}, finish)


applied_in_log_order = Check(
    "applied_in_log_order",
    "A partition's events first take effect in the order of the log.",
    _applied_in_log_order,
)


def keys_stay(aggregate_of: AggregateOf | None = None, name: str = "keys_stay") -> Check:
    """The check that the events of an aggregate lie in one partition of their topic.

    Args:
        aggregate_of: from an event's id to its aggregate; None: what is meant is the key.
    """

    def start() -> Watching:
        cases, reached = Cases(), 0
        keys: dict[str, Any] = {}
        homes: dict[tuple[str, Any], tuple[int, int, str]] = {}

        def on_sent(entry: Any) -> None:
            event_id = entry[4][1]
            keys[event_id] = entry[4][3] if aggregate_of is None else aggregate_of(event_id)

        def on_appended(entry: Any) -> None:
            nonlocal reached
            _, topic, partition, _, event_ids, *_ = entry[4]
            for event_id in event_ids:
                key = keys.get(event_id)
                if not key:
                    continue
                home = homes.setdefault((topic, key), (partition, entry[0], event_id))
                reached += home[2] != event_id
                if home[0] != partition:
                    said = f"{event_id} of {key} lies in {topic}-{partition}, {home[2]} in"
                    ids = (home[2], event_id)
                    cases.add(f"{said} {topic}-{home[0]}", (home[1], entry[0]), ids)

        def finish() -> Verdict:
            return cases.verdict(name, reached)

        return Watching({"record_sent": on_sent, "batch_appended": on_appended}, finish)

    return Check(name, "The events of one key lie in one partition.", start)


def causes_first(cause_of: CauseOf, name: str = "causes_first") -> Check:
    """The check that an event takes effect after the one that caused it, in each table.

    Args:
        cause_of: from an event's id to that of its cause; "" where there is none.
    """

    def start() -> Watching:
        cases, reached = Cases(), 0
        done: dict[tuple[str, str], int] = {}
        early: dict[tuple[str, str], list[tuple[int, str]]] = {}  # table, cause -> its effects

        def on_applied(entry: Any) -> None:
            nonlocal reached
            table, event_id = entry[4][1], entry[4][4]
            if (table, event_id) in done:
                return
            done[table, event_id] = entry[0]
            cause = cause_of(event_id)
            if cause:
                reached += 1
                if (table, cause) not in done:
                    early.setdefault((table, cause), []).append((entry[0], event_id))
            for seq, effect in early.pop((table, event_id), ()):
                said = f"{effect} took effect in {table} before {event_id}, which caused it"
                cases.add(said, (seq, entry[0]), (event_id, effect))

        def finish() -> Verdict:
            return cases.verdict(name, reached)

        return Watching({"effect_applied": on_applied}, finish)

    return Check(name, "An event takes effect after what caused it.", start)


def times_rise(table: str, name: str = "times_rise") -> Check:
    """The check that a table's values, moments in us, never fall in the order of its keys."""

    def start() -> Watching:
        rows: dict[Any, tuple[int, int, str]] = {}

        def on_applied(entry: Any) -> None:
            _, where, key, at_us, event_id = entry[4]
            if where == table:
                rows[key] = (at_us, entry[0], event_id)

        def finish() -> Verdict:
            cases = Cases()
            in_order = [rows[key] for key in sorted(rows)]
            for before, after in pairwise(in_order):
                if after[0] < before[0]:
                    said = f"{after[2]} says {after[0]} us, and {before[2]} {before[0]} us"
                    ids = (before[2], after[2])
                    cases.add(said, sorted((before[1], after[1])), ids)
            return cases.verdict(name, len(rows))

        return Watching({"effect_applied": on_applied}, finish)

    return Check(name, "What is later in the log says that it happened later.", start)


def _no_stale_write() -> Watching:
    cases, reached = Cases(), 0
    taken: dict[Any, tuple[int, int]] = {}  # partition -> its highest epoch so far, and the entry

    def on_applied(entry: Any) -> None:
        nonlocal reached
        _, table, place, epoch, event_id = entry[4]
        if table == FENCE:
            taken[place] = (epoch, entry[0])
        elif table == WRITERS:
            reached += 1
            known = taken.get(place, (epoch, entry[0]))
            if epoch < known[0]:
                said = f"the owner of epoch {epoch} wrote for {event_id}, and {place[0]}-{place[1]}"
                cases.add(f"{said} was epoch {known[0]}'s", (known[1], entry[0]), (event_id,))

    def finish() -> Verdict:
        return cases.verdict("no_stale_write", reached)

    return Watching({"effect_applied": on_applied}, finish)


no_stale_write = Check(
    "no_stale_write",
    "Who no longer owns a partition writes nothing for it once its successor has taken over.",
    _no_stale_write,
)
