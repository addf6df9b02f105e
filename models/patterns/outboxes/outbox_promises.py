"""What an outbox promises those who read its topic, and those who look into its tables.

equal_repeats   what comes twice comes under the same id, with the same key and payload
carried_over    each committed change takes effect at the reader, once (nothing lost or doubled)
all_or_none     what one event writes to several tables is there at once
told_within     a change is on the topic soon after its commit
bounded         no row of the outbox outlives its age: neither sent nor unsent
"""

import json
from typing import Any

from models.patterns.outboxes.outbox import TOPIC
from models.patterns.outboxes.outbox_checks import CHANGES
from simulator import Cases, Check, Verdict, Watching, all_of

SHIPMENTS = "shipments"


def _equal_repeats() -> Watching:
    cases, repeated = Cases(), 0
    by_fact: dict[str, tuple[str, int]] = {}
    by_id: dict[str, tuple[list[str], int]] = {}

    def on_noted(entry: Any) -> None:
        nonlocal repeated
        if entry[4][1] != "received":
            return
        event_id, *rest = json.loads(entry[4][2])
        repeated += rest[-1] in by_fact or event_id in by_id
        first, seq = by_fact.setdefault(rest[-1], (event_id, entry[0]))
        if first != event_id:
            said = f"{rest[-1]} came as {first}, and again as {event_id}"
            cases.add(said, (seq, entry[0]), (first, event_id))
        known, seq = by_id.setdefault(event_id, (rest, entry[0]))
        if known != rest:
            said = f"{event_id} came with {known}, and again with {rest}"
            cases.add(said, (seq, entry[0]), (event_id,))

    return Watching({"noted": on_noted}, lambda: cases.verdict("equal_repeats", repeated))


def _carried() -> Watching:
    changes: dict[str, int] = {}
    shipped: dict[str, int] = {}
    cut = "the trace does not show the end of the run"

    def on_applied(entry: Any) -> None:
        _, table, key, _, event_id = entry[4]
        if table == CHANGES:
            changes.setdefault(key, entry[0])
        elif table == SHIPMENTS:
            shipped.setdefault(event_id, entry[0])

    def on_ended(entry: Any) -> None:
        nonlocal cut
        cut = "" if entry[4][1] == "quiet" else f"the run was cut ({entry[4][1]})"

    def finish() -> Verdict:
        cases = Cases()
        for event_id, seq in changes.items():
            if event_id not in shipped:
                said = f"{event_id} was committed, and never took effect at the reader"
                cases.add(said, (seq,), (event_id,))
        return cases.verdict("nothing_lost", len(changes), open_because=cut)

    return Watching({"effect_applied": on_applied, "run_ended": on_ended}, finish)


def _doubled() -> Watching:
    cases = Cases()
    shipped: dict[str, int] = {}

    def on_applied(entry: Any) -> None:
        _, table, _, _, event_id = entry[4]
        if table == SHIPMENTS:
            first = shipped.setdefault(event_id, entry[0])
            if first != entry[0]:
                cases.add(f"{event_id} took effect twice", (first, entry[0]), (event_id,))

    finish = lambda: cases.verdict("nothing_doubled", len(shipped))  # noqa: E731
    return Watching({"effect_applied": on_applied}, finish)


def all_or_none(tables: tuple[str, ...], name: str = "all_or_none") -> Check:
    """The check that an event's first rows in these tables are committed together."""

    def start() -> Watching:
        cases = Cases()
        found: dict[str, dict[str, tuple[int, int]]] = {}  # event -> table -> entry, time

        def on_applied(entry: Any) -> None:
            _, table, _, _, event_id = entry[4]
            if table in tables:
                found.setdefault(event_id, {}).setdefault(table, (entry[0], entry[1]))

        def finish() -> Verdict:
            for event_id, rows in found.items():
                seqs = sorted(seq for seq, _ in rows.values())
                missing = [table for table in tables if table not in rows]
                apart = len({at_us for _, at_us in rows.values()}) > 1
                if missing or apart or seqs[-1] - seqs[0] >= len(tables):
                    what = f"never in {', '.join(missing)}" if missing else "not at once"
                    said = f"{event_id} is in {', '.join(rows)}, and {what}"
                    cases.add(said, seqs, (event_id,))
            return cases.verdict(name, len(found))

        return Watching({"effect_applied": on_applied}, finish)

    return Check(name, f"An event is in all of {', '.join(tables)}, or in none.", start)


def told_within(limit_us: int, name: str = "told_in_time") -> Check:
    """The check that a change is on the topic so soon after its commit; what is lost is not."""

    def start() -> Watching:
        cases, told = Cases(), 0
        committed: dict[str, tuple[int, int]] = {}

        def on_applied(entry: Any) -> None:
            _, table, key, _, _ = entry[4]
            if table == CHANGES:
                committed.setdefault(key, entry[:2])

        def on_appended(entry: Any) -> None:
            nonlocal told
            for event_id in entry[4][4] if entry[4][1] == TOPIC else ():
                found = committed.pop(event_id, None)
                if found is None:
                    continue
                told += 1
                late_us = entry[1] - found[1]
                if late_us > limit_us:
                    said = f"{event_id} was told {late_us // 1_000} ms after its commit"
                    cases.add(said, (found[0], entry[0]), (event_id,))

        observers = {"effect_applied": on_applied, "batch_appended": on_appended}
        return Watching(observers, lambda: cases.verdict(name, told))

    return Check(name, f"A change is told within {limit_us // 1_000} ms.", start)


def _bounded() -> Watching:
    cases, looked = Cases(), 0

    def on_noted(entry: Any) -> None:
        nonlocal looked
        if entry[4][1] == "old rows":
            looked += 1
            rows, unsent = map(int, entry[4][2].split())
            if rows:
                said = f"{rows} rows of the outbox are past their age, {unsent} of them unsent"
                cases.add(said, (entry[0],))

    return Watching({"noted": on_noted}, lambda: cases.verdict("bounded", looked))


equal_repeats = Check("equal_repeats", "What comes twice comes as the same.", _equal_repeats)
nothing_lost = Check("nothing_lost", "Each change takes effect at the reader.", _carried)
nothing_doubled = Check("nothing_doubled", "No event takes effect there twice.", _doubled)
carried_over = all_of(nothing_lost, nothing_doubled, name="carried_over")
bounded = Check("bounded", "No row outlives its age.", _bounded)
