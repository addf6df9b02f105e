"""Promises about what is there in the end: the right rows, the newest versions, everybody's share.

ends_as                a table has exactly these rows
ends_with_the_newest   each row is that of the newest version that was sent
applied_by_each        every event that was acknowledged has changed each of these tables

All three are liveness: of a run that was cut off they cannot tell.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from simulator import Cases, Check, Verdict, Watching

VersionOf = Callable[[str], tuple[str, int]]


@attrs.define
class _End:
    """Why what has not happened yet may still happen; empty if it can not."""

    open_because: str = "the trace does not show the end of the run"

    def on_ended(self, entry: Any) -> None:
        reason = entry[4][1]
        self.open_because = "" if reason == "quiet" else f"the run was cut ({reason})"


def ends_as(
    table: str,
    rows: Mapping[Any, Any],
    name: str = "ends_as",
    of: Callable[[Any], Any] = lambda value: value,
) -> Check:
    """The check that a table has these rows when all is done; others are not looked at.

    Of a run in which an event was sent that nobody acknowledged it cannot tell.

    Args:
        of: from a row to what of it is compared.
    """

    def start() -> Watching:
        end, changes = _End(), 0
        found: dict[Any, tuple[Any, int, str]] = {}
        unsure: dict[str, bool] = {}

        def on_sent(entry: Any) -> None:
            unsure.setdefault(entry[4][1], True)

        def on_acknowledged(entry: Any) -> None:
            unsure[entry[4][1]] = False

        def on_applied(entry: Any) -> None:
            nonlocal changes
            _, where, key, value, event_id = entry[4]
            if where == table:
                changes += 1
                found[key] = (of(value), entry[0], event_id)

        def finish() -> Verdict:
            cases = Cases()
            for key, value in rows.items():
                is_, seq, event_id = found.get(key, (None, -1, ""))
                if is_ != value:
                    seqs, ids = ((seq,), (event_id,)) if event_id else ((), ())
                    cases.add(f"{table} {key!r} is {is_!r} in the end, not {value!r}", seqs, ids)
            given_up = next((event_id for event_id, still in unsure.items() if still), None)
            why = "" if given_up is None else f"{given_up} was sent, and never acknowledged"
            return cases.verdict(name, changes, open_because=end.open_because or why)

        observers = {
            "record_sent": on_sent, "record_acknowledged": on_acknowledged,
            "effect_applied": on_applied, "run_ended": end.on_ended,
        }  # fmt: skip
        return Watching(observers, finish)

    return Check(name, f"In the end {table} is as it should be.", start)


def numbered(event_id: str) -> tuple[str, int]:
    """`k0/3` is version 3 of k0; what has no number is a version of nothing."""
    aggregate, _, version = event_id.rpartition("/")
    return (aggregate, int(version)) if aggregate and version.isdigit() else ("", 0)


def newest_wins(version_of: VersionOf = numbered, name: str = "ends_with_the_newest") -> Check:
    """The check that each row, a pair of version and state, ends with the newest version sent."""

    def start() -> Watching:
        end = _End()
        newest: dict[Any, tuple[int, int, str]] = {}
        last: dict[Any, tuple[int, int, str]] = {}

        def on_acknowledged(entry: Any) -> None:
            event_id = entry[4][1]
            aggregate, version = version_of(event_id)
            if aggregate and version > newest.get(aggregate, (-1, 0, ""))[0]:
                newest[aggregate] = (version, entry[0], event_id)

        def on_applied(entry: Any) -> None:
            _, _, key, value, event_id = entry[4]
            if key in newest or version_of(event_id)[0]:
                last[key] = (value[0], entry[0], event_id)

        def finish() -> Verdict:
            cases = Cases()
            for aggregate, (version, seq, event_id) in newest.items():
                is_, changed, by = last.get(aggregate, (0, seq, event_id))
                if is_ < version:
                    said = f"{aggregate} is version {is_} in the end, though {event_id} was sent"
                    cases.add(said, sorted({seq, changed}), tuple(dict.fromkeys((event_id, by))))
            return cases.verdict(name, len(newest), open_because=end.open_because)

        observers = {
            "record_acknowledged": on_acknowledged, "effect_applied": on_applied,
            "run_ended": end.on_ended,
        }  # fmt: skip
        return Watching(observers, finish)

    return Check(name, "In the end each row is that of the newest version.", start)


ends_with_the_newest = newest_wins()


def applied_by_each(*tables: str, name: str = "applied_by_each") -> Check:
    """The check that what was acknowledged has changed each of these tables, each a consumer's."""

    def start() -> Watching:
        end = _End()
        waiting: dict[str, int] = {}
        applied: dict[tuple[str, str], None] = {}

        def on_acknowledged(entry: Any) -> None:
            waiting.setdefault(entry[4][1], entry[0])

        def on_applied(entry: Any) -> None:
            applied[entry[4][1], entry[4][4]] = None

        def finish() -> Verdict:
            cases = Cases()
            for event_id, seq in waiting.items():
                for table in tables:
                    if (table, event_id) not in applied:
                        said = f"{event_id} was acknowledged, and never changed {table}"
                        cases.add(said, (seq,), (event_id,))
            reached = len(waiting) * len(tables)
            return cases.verdict(name, reached, open_because=end.open_because)

        observers = {
            "record_acknowledged": on_acknowledged, "effect_applied": on_applied,
            "run_ended": end.on_ended,
        }  # fmt: skip
        return Watching(observers, finish)

    return Check(name, "Every event takes effect at every consumer.", start)
