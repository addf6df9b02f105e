"""Does a connector tell every change of its tables, in order, and not more often than it may?

changes_captured(...)     every committed change of a captured table lies on its topic at last
repeats_are_rewinds(...)  what is told again is a suffix of what was told, in the same order
repeats_bounded(...)      a crash makes no more than so many events be told again
deletes_are_buried(...)   behind each delete stands a tombstone
offset_never_ahead(...)   no stored offset covers an event that is not acknowledged
log_retained_within(...)  the database never keeps more of its log than so many transactions

A source is a store, whose committed changes are effects (`effect_applied`); what is captured is
what a connector handed to its producer (`change_captured`) and lies in the log, as its sender, a
reader or a broker says.

What was committed before a snapshot was read need not be told change by change: the last value of
a row is enough, and of a deleted row nothing, unless a value of it was told before. A row's values
are told apart by what they are: if a row had the same value twice, the check is generous.

Not modelled: changes that are marks (`effect=False`), which no trace tells; keys of messages that
are not the primary key; truncated tables.
"""

from typing import Any

import attrs

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.sentences import short
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry

Row = tuple[str, Any]  # A table and a key.


@attrs.define
class _Told:
    """What a connector told of one row, and what of it was acknowledged."""

    values: list[tuple[Any, str]] = attrs.field(factory=list)  # With the event's id, each once.


class _Capture:
    """Watches the source, and the connector."""

    def __init__(self, source: str, connector: str, tables: tuple[str, ...]) -> None:
        self._source, self._connector, self._tables = source, connector, tables
        self.versions: dict[Row, list[tuple[Any, int]]] = {}  # Values, with the entry's seq.
        self.told: dict[Row, _Told] = {}
        self._reads = False  # Whether there was a snapshot.
        self.begun = -1  # The entry since which each change must be told.
        self._handed: dict[str, tuple[Row, Any, str]] = {}
        self._seen: dict[str, None] = {}

    def observers(self) -> dict[str, Any]:
        return {
            "effect_applied": self._on_applied,
            "change_captured": self._on_captured,
            "record_acknowledged": self._on_seen,
            "record_polled": lambda entry: self._see(entry[4][5]),
            "batch_appended": self._on_appended,
            "noted": self._on_noted,
        }

    def _on_applied(self, entry: FlatEntry) -> None:
        _, table, key, value, _ = entry[4]
        if entry[2] == self._source and table in self._tables:
            self.versions.setdefault((table, key), []).append((value, entry[0]))

    def _on_captured(self, entry: FlatEntry) -> None:
        _, event_id, table, key, value, op, _, _ = entry[4]
        if entry[2] == self._connector and op != "tombstone":
            self._handed.setdefault(event_id, ((table, key), value, op))

    def _on_seen(self, entry: FlatEntry) -> None:
        self._see(entry[4][1])

    def _on_appended(self, entry: FlatEntry) -> None:
        for event_id in entry[4][4]:
            self._see(event_id)

    def _see(self, event_id: str) -> None:
        """An event lies in the log: its sender, a reader or a broker says so."""
        found = self._handed.get(event_id)
        if found is not None and event_id not in self._seen:
            self._seen[event_id] = None
            row, value, _ = found
            self.told.setdefault(row, _Told()).values.append((value, event_id))

    def _on_noted(self, entry: FlatEntry) -> None:
        if entry[2] != self._connector:
            return
        said = entry[4][1]
        if said == "snapshot read":
            self.begun, self._reads = entry[0], True
        elif said == "stream begins" and self.begun < 0:
            self.begun = entry[0]

    def missing(self, row: Row) -> list[tuple[Any, int]]:
        """The versions of a row that should have been told and were not."""
        told = list(self.told[row].values) if row in self.told else []
        found = []
        versions = self.versions[row]
        before = [one for one in versions if one[1] < self.begun]
        if before and self._reads:
            value, seq = before[-1]
            later = [one for one, _ in versions[len(before):]]
            if value is None:
                lost = bool(told) and all(one is not None for one, _ in told)
            else:
                lost = all(one != value for one, _ in told) and not later
            if lost:
                found.append((value, seq))
        for value, seq in versions[len(before):]:
            for position, (other, _) in enumerate(told):
                if other == value:
                    del told[position]
                    break
            else:
                found.append((value, seq))
        return found


def changes_captured(source: str, connector: str, *tables: str) -> Check:
    """Every committed change of the tables lies on a topic in the end.

    Args:
        source: the store's name.
        connector: the connector's.
        tables: those it captures.
    """
    name = "changes_captured"

    def start() -> Watching:
        ending, capture = Ending(), _Capture(source, connector, tables)

        def finish() -> Verdict:
            cases = Cases()
            reached = 0
            for row in capture.versions:
                reached += len(capture.versions[row])
                for value, seq in capture.missing(row):
                    table, key = row
                    became = "was deleted" if value is None else f"became {short(value)}"
                    cases.add(f"{table} {key!r} {became}, and no topic ever told it", (seq,))
            return cases.verdict(name, reached, open_because=ending.open_because)

        return Watching({**capture.observers(), **ending.observers()}, finish)

    return Check(name, "Every committed change of a captured table is told in the end.", start)


def repeats_are_rewinds(connector: str) -> Check:
    """What a connector tells again is a suffix of what it told, in the same order, to its end.

    A row that a snapshot reads in a state which was told already is told again.
    """
    name = "repeats_are_rewinds"

    def start() -> Watching:
        cases = Cases()
        first: list[str] = []
        places: dict[Any, int] = {}
        values: dict[tuple[str, Any], tuple[Any, int]] = {}
        at, repeats = -1, 0  # Where in `first` it stands.

        def on_captured(entry: FlatEntry) -> None:
            nonlocal at, repeats
            _, event_id, table, key, value, op, _, _ = entry[4]
            if entry[2] != connector:
                return
            name_of = (event_id, op == "tombstone")
            place = places.get(name_of)
            if place is None and op == "r":
                known = values.get((table, key))
                if known is not None and known[0] == value:
                    place = known[1]
            if place is None:
                if at != len(first) - 1:
                    skipped = first[at + 1]
                    said = f"{event_id} is new, and comes in a repetition, before {skipped}"
                    cases.add(said, (entry[0],), (event_id,))
                places[name_of] = at = len(first)
                first.append(event_id)
                values[table, key] = (value, at)
                return
            repeats += 1
            if place not in {at + 1, at} and place > at:
                said = f"{event_id} is told again, and {first[at + 1]} before it is not"
                cases.add(said, (entry[0],), (event_id,))
            at = place

        def finish() -> Verdict:
            return cases.verdict(name, repeats)

        return Watching({"change_captured": on_captured}, finish)

    return Check(name, "What is told again is a suffix of what was told, in its order.", start)


def repeats_bounded(connector: str, most: int) -> Check:
    """Each crash of a connector makes at most `most` events be told again."""
    name = "repeats_bounded"

    def start() -> Watching:
        cases = Cases()
        told: dict[tuple[str, bool], None] = {}
        lives: list[int] = [0]  # How many were told again in each.

        def on_captured(entry: FlatEntry) -> None:
            event_id, op = entry[4][1], entry[4][5]
            if entry[2] != connector:
                return
            if (event_id, op == "tombstone") in told:
                lives[-1] += 1
                if lives[-1] == most + 1:
                    said = f"{event_id} is the {most + 1}. event that is told again"
                    cases.add(said, (entry[0],), (event_id,))
            told[event_id, op == "tombstone"] = None

        def on_restarted(entry: FlatEntry) -> None:
            if entry[2] == connector:
                lives.append(0)

        def finish() -> Verdict:
            return cases.verdict(name, len(lives) - 1)

        return Watching(
            {"change_captured": on_captured, "node_restarted": on_restarted}, finish
        )

    promise = f"After a crash at most {most} events are told again."
    return Check(name, promise, start)


def deletes_are_buried(connector: str) -> Check:
    """Behind each delete that a connector tells stands a tombstone for its key."""
    name = "deletes_are_buried"

    def start() -> Watching:
        ending = Ending()
        deletes: dict[str, int] = {}
        told = 0

        def on_captured(entry: FlatEntry) -> None:
            nonlocal told
            _, event_id, _, _, _, op, _, _ = entry[4]
            if entry[2] != connector:
                return
            if op == "d":
                told += event_id not in deletes
                deletes[event_id] = entry[0]
            elif op == "tombstone":
                deletes.pop(event_id.removesuffix("/tombstone"), None)

        def finish() -> Verdict:
            cases = Cases()
            for event_id, seq in deletes.items():
                cases.add(f"{event_id} is a delete without a tombstone", (seq,), (event_id,))
            return cases.verdict(name, told, open_because=ending.open_because)

        return Watching({"change_captured": on_captured, **ending.observers()}, finish)

    return Check(name, "Behind each delete stands a tombstone.", start)


def offset_never_ahead(connector: str) -> Check:
    """No offset that a connector stores covers a change that is not acknowledged.

    Rows that snapshots read are left out: their offsets do not order them. What was told before a
    new initial snapshot need not be acknowledged any more: the snapshot has it.
    """
    name = "offset_never_ahead"

    def start() -> Watching:
        cases = Cases()
        unacknowledged: dict[str, tuple[int, int, int]] = {}
        stored = 0

        def on_captured(entry: FlatEntry) -> None:
            _, event_id, _, _, _, op, lsn, number = entry[4]
            if entry[2] == connector and op != "r":
                unacknowledged[event_id] = (lsn, number, entry[0])

        def on_acknowledged(entry: FlatEntry) -> None:
            unacknowledged.pop(entry[4][1], None)

        def on_noted(entry: FlatEntry) -> None:
            if entry[2] == connector and entry[4][1] == "snapshot read":
                unacknowledged.clear()

        def on_stored(entry: FlatEntry) -> None:
            nonlocal stored
            if entry[2] != connector:
                return
            stored += 1
            _, done, at, events = entry[4]
            for event_id, (lsn, number, seq) in list(unacknowledged.items()):
                if lsn <= done or (lsn == at and number < events):
                    said = f"the stored offset covers {event_id}, which nobody has acknowledged"
                    cases.add(said, (seq, entry[0]), (event_id,))
                    del unacknowledged[event_id]

        def finish() -> Verdict:
            return cases.verdict(name, stored)

        observers = {
            "change_captured": on_captured,
            "record_acknowledged": on_acknowledged,
            "source_offset_stored": on_stored,
            "noted": on_noted,
        }
        return Watching(observers, finish)

    return Check(name, "A stored offset covers acknowledged events only.", start)


def log_retained_within(most: int, per_crash: int = 0) -> Check:
    """A slot never makes its store keep more than `most` entries of the log.

    Whoever looks says so, as a note "log retained" with a number.

    Args:
        per_crash: how many more a crash, of whichever node, may cost: nothing is confirmed till
            all is up again. Crashes add up until somebody sees that the log became shorter.
    """
    name = "log_retained_within"

    def start() -> Watching:
        cases = Cases()
        looked = before = 0
        crashes, lately = 0, 0  # Since the log grows, and since somebody looked.

        def on_crashed(_: FlatEntry) -> None:
            nonlocal crashes, lately
            crashes, lately = crashes + 1, lately + 1

        def on_noted(entry: FlatEntry) -> None:
            nonlocal looked, before, crashes, lately
            _, said, detail = entry[4]
            if said == "log retained":
                looked += 1
                kept = int(detail)
                if kept < before:
                    crashes = lately
                before, lately = kept, 0
                if kept > most + per_crash * crashes:
                    cases.add(f"{kept} entries of the log are kept for a slot", (entry[0],))

        def finish() -> Verdict:
            return cases.verdict(name, looked)

        return Watching({"noted": on_noted, "node_crashed": on_crashed}, finish)

    more = f", and {per_crash} more for a crash" if per_crash else ""
    return Check(name, f"A slot retains at most {most} entries of the log{more}.", start)
