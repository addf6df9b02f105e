"""Does a copy of a table, made of what its topic tells, become and stay what the table was?

copy_converges(...)        in the end the copy holds what the table holds
copy_never_goes_back(...)  a row of the copy never returns to an older version
copy_never_invents(...)    a row of the copy is never what its source's row never was
copies_are_whole(...)      what one transaction changed, the copy shows together or not at all

Both are judged by their stores' committed changes (`effect_applied`): the versions of a row are
the values that its source committed, in that order. If a row had the same value twice, the later
one is taken, so a check is generous.

Not modelled: changes that are marks (`effect=False`), which no trace tells.
"""

from collections.abc import Callable
from typing import Any

import attrs

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.sentences import short
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry

Table = tuple[str, str]  # A store and a table in it.
Row = tuple[Any, Any]  # Which table, and the key.


@attrs.define
class _Copy:
    """The versions that a row had, and which of them its copy shows."""

    versions: list[Any] = attrs.field(factory=lambda: [None])
    shown: int = 0

    def show(self, value: Any) -> int | None:
        """Show a value: the version that it is; None: the row never was that."""
        versions = self.versions
        for number in range(self.shown, len(versions)):
            if versions[number] == value:
                self.shown = number
                return number
        for number in range(self.shown - 1, -1, -1):
            if versions[number] == value:
                return number
        return None


def copy_converges(source: Table, copy: Table, connector: str = "") -> Check:
    """In the end a copied table holds what its source holds.

    Args:
        source, copy: a store's name, and a table's.
        connector: whose second snapshot excuses the rows that were deleted before it: it tells of
            none of them, and the log need not be read from where they were; "": nothing does.
    """
    name = "copy_converges"

    def start() -> Watching:
        ending = Ending()
        rows: dict[Table, dict[Any, tuple[Any, int]]] = {source: {}, copy: {}}
        snapshots: list[int] = []

        def on_noted(entry: FlatEntry) -> None:
            if entry[2] == connector and entry[4][1] == "snapshot read":
                snapshots.append(entry[0])

        def on_applied(entry: FlatEntry) -> None:
            _, table, key, value, _ = entry[4]
            found = rows.get((entry[2], table))
            if found is not None:
                found[key] = (value, entry[0])

        def finish() -> Verdict:
            cases = Cases()
            right, copied = rows[source], rows[copy]
            known = [*right, *(key for key in copied if key not in right)]
            again = snapshots[-1] if len(snapshots) > 1 else -1
            excused = {key for key in right if right[key][0] is None and right[key][1] < again}
            keys = [key for key in known if key not in excused]
            for key in keys:
                value, seq = right.get(key, (None, -1))
                shown, changed = copied.get(key, (None, -1))
                if value != shown:
                    said = f"{copy[1]} {key!r} is {_said(shown)} at last, and should be"
                    entries = [one for one in (seq, changed) if one >= 0]
                    cases.add(f"{said} {_said(value)}", sorted(entries))
            return cases.verdict(name, len(keys), open_because=ending.open_because)

        observers = {"effect_applied": on_applied, "noted": on_noted, **ending.observers()}
        return Watching(observers, finish)

    return Check(name, f"In the end {copy[1]} holds what {source[1]} holds.", start)


def _said(value: Any) -> str:
    return "not there" if value is None else short(value)


def copy_never_goes_back(source: Table, copy: Table) -> Check:
    """A row of a copied table never returns to an older version.

    After a crash a connector tells a suffix again, and a copy that follows it blindly goes back
    with it, and forth again.
    """

    def look(cases: Cases, row: _Copy, entry: FlatEntry) -> None:
        _, table, key, value, _ = entry[4]
        before = row.shown
        number = row.show(value)
        if number is not None and number < before:
            row.shown = number
            was = _said(row.versions[before])
            said = f"{table} {key!r} goes back from {was} to {_said(value)}"
            cases.add(said, (entry[0],), _whose(entry))

    promise = f"No row of {copy[1]} returns to an older version."
    return _of_each_change("copy_never_goes_back", promise, source, copy, look)


def copy_never_invents(source: Table, copy: Table) -> Check:
    """A row of a copied table is never what its source's row never was."""

    def look(cases: Cases, row: _Copy, entry: FlatEntry) -> None:
        _, table, key, value, _ = entry[4]
        if row.show(value) is None:
            said = f"{table} {key!r} becomes {_said(value)}, which it never was"
            cases.add(said, (entry[0],), _whose(entry))

    promise = f"Every row of {copy[1]} is what it was in {source[1]} some time."
    return _of_each_change("copy_never_invents", promise, source, copy, look)


def _of_each_change(
    name: str,
    promise: str,
    source: Table,
    copy: Table,
    look: Callable[[Cases, _Copy, FlatEntry], None],
) -> Check:
    """A check that looks at each change of the copy, knowing all versions of the source's row."""

    def start() -> Watching:
        cases = Cases()
        rows: dict[Any, _Copy] = {}
        reached = 0

        def on_applied(entry: FlatEntry) -> None:
            nonlocal reached
            _, table, key, value, _ = entry[4]
            if (entry[2], table) == source:
                rows.setdefault(key, _Copy()).versions.append(value)
            elif (entry[2], table) == copy:
                reached += 1
                look(cases, rows.setdefault(key, _Copy()), entry)

        def finish() -> Verdict:
            return cases.verdict(name, reached)

        return Watching({"effect_applied": on_applied}, finish)

    return Check(name, promise, start)


def _whose(entry: FlatEntry) -> tuple[str, ...]:
    event_id = entry[4][4]
    return (event_id,) if event_id else ()


def copies_are_whole(source: str, copy: str, *tables: str) -> Check:
    """What one transaction changed, its copy shows together, or not at all.

    Changes that a store commits at the same time are one transaction's.

    Args:
        source, copy: stores' names; the tables are called the same in both.
    """
    name = "copies_are_whole"

    def start() -> Watching:
        cases = Cases()
        rows: dict[Row, _Copy] = {}
        whole: dict[Row, dict[int, list[tuple[Row, int]]]] = {}  # A row's version: what with it.
        committing: tuple[int, list[tuple[Row, int]]] = (-1, [])
        showing: tuple[int, int, list[tuple[Row, int]]] = (-1, -1, [])
        reached = 0

        def on_applied(entry: FlatEntry) -> None:
            nonlocal committing, showing
            _, at_us, node, _, (_, table, key, value, _) = entry
            if table not in tables or node not in {source, copy}:
                return
            row = (table, key)
            one = rows.setdefault(row, _Copy())
            if node == source:
                one.versions.append(value)
                version = (row, len(one.versions) - 1)
                if committing[0] != at_us:
                    committing = (at_us, [])
                committing[1].append(version)
                whole.setdefault(row, {})[version[1]] = committing[1]
                return
            if showing[0] != at_us:
                look()
                showing = (at_us, entry[0], [])
            number = one.show(value)
            if number is not None:
                showing[2].append((row, number))

        def look() -> None:
            """The copy's transaction is over: is what it shows whole?"""
            nonlocal reached
            for row, number in showing[2]:
                together = whole.get(row, {}).get(number, [])
                reached += len(together) > 1
                for other, least in together:
                    if rows[other].shown < least:
                        said = f"{other[0]} {other[1]!r} is old while {row[0]} {row[1]!r} is new"
                        cases.add(f"{said}, of one transaction", (showing[1],))
                        return

        def finish() -> Verdict:
            look()
            return cases.verdict(name, reached)

        return Watching({"effect_applied": on_applied}, finish)

    return Check(name, "What a transaction changed is shown together or not at all.", start)
