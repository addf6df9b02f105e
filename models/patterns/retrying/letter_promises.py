"""What may be promised of dead letters: order behind them, and what a redrive of them leads to."""

from collections.abc import Callable, Iterable
from typing import Any

from models.patterns.retrying.troubles import DEAD, TOPIC
from models.patterns.retrying.waiting_promises import still_open
from simulator import Cases, Check, Verdict, Watching

# What a table has of a key whose events made these versions: the last, or all of them together.
TABLES: dict[str, Callable[[Iterable[int]], int]] = {"state": max, "total": sum}


def _parked_order() -> Watching:
    """Events of a key are counted as they are sent; ids tell which is which."""
    cases = Cases()
    places: dict[str, tuple[str, int]] = {}  # event -> its key, and its place there
    counts: dict[str, int] = {}
    parked: dict[str, dict[str, int]] = {}  # key -> event -> the entry of its parking
    reached = 0

    def on_sent(entry: Any) -> None:
        _, event_id, topic, key = entry[4]
        if topic == TOPIC and event_id not in places:
            counts[key] = counts.get(key, 0) + 1
            places[event_id] = (key, counts[key])

    def on_noted(entry: Any) -> None:
        nonlocal reached
        _, label, event_id = entry[4]
        if label in {"parked", "dead_lettered", "retry"} and event_id in places:
            reached += 1
            parked.setdefault(places[event_id][0], {}).setdefault(event_id, entry[0])

    def on_applied(entry: Any) -> None:
        event_id = entry[4][4]
        if event_id not in places:
            return
        key, place = places[event_id]
        waiting = parked.get(key, {})
        waiting.pop(event_id, None)
        for other, seq in waiting.items():
            if places[other][1] < place:
                said = f"{event_id} took effect before {other}, which lies before it, put aside"
                cases.add(said, (seq, entry[0]), (event_id, other))

    def finish() -> Verdict:
        return cases.verdict("behind_what_is_parked", reached)

    observers = {"record_sent": on_sent, "noted": on_noted, "effect_applied": on_applied}
    return Watching(observers, finish)


def _as_without_trouble() -> Watching:
    cases = Cases()
    versions: dict[str, dict[int, None]] = {}
    rows: dict[tuple[str, str], tuple[Any, int]] = {}
    reason = ""

    def on_ended(entry: Any) -> None:
        nonlocal reason
        reason = entry[4][1]

    def on_acknowledged(entry: Any) -> None:
        key, slash, version = entry[4][1].partition("/")
        if slash and version.isdigit():
            versions.setdefault(key, {})[int(version)] = None

    def on_applied(entry: Any) -> None:
        if entry[4][1] in TABLES:
            rows[entry[4][1], entry[4][2]] = (entry[4][3], entry[0])

    def finish() -> Verdict:
        for key, made in versions.items():
            about = (f"{key}/{max(made)}",)
            told = [(table, *rows[table, key]) for table in TABLES if (table, key) in rows]
            if not told:
                cases.add(f"{key} has no row in the end", (), about)
            for table, value, seq in told:
                want = TABLES[table](made)
                if value != want:
                    cases.add(f"{key} is {value} in the end, not {want}", (seq,), about)
        open_because = still_open(reason)
        return cases.verdict("as_without_trouble", len(versions), open_because=open_because)

    observers = {
        "record_acknowledged": on_acknowledged,
        "effect_applied": on_applied,
        "run_ended": on_ended,
    }
    return Watching(observers, finish)


def _in_one_place() -> Watching:
    cases = Cases()
    dead: dict[str, int] = {}
    applied: dict[str, int] = {}

    def on_appended(entry: Any) -> None:
        if entry[4][1] == DEAD:
            for event_id in entry[4][4]:
                dead.setdefault(event_id, entry[0])

    def on_applied(entry: Any) -> None:
        applied.setdefault(entry[4][4], entry[0])

    def finish() -> Verdict:
        for event_id, seq in dead.items():
            if event_id in applied:
                said = f"{event_id} took effect, and lies among the dead letters"
                cases.add(said, sorted((seq, applied[event_id])), (event_id,))
        return cases.verdict("in_one_place", len(dead))

    return Watching({"batch_appended": on_appended, "effect_applied": on_applied}, finish)


def loops_at_most(limit: int, topic: str, name: str = "loops_at_most") -> Check:
    """The check that no event is written to a topic more than `limit` times."""

    def start() -> Watching:
        cases = Cases()
        written: dict[str, int] = {}

        def on_appended(entry: Any) -> None:
            if entry[4][1] != topic:
                return
            for event_id in entry[4][4]:
                written[event_id] = written.get(event_id, 0) + 1
                if written[event_id] == limit + 1:
                    said = f"{event_id} went to {topic} {limit + 1} times"
                    cases.add(said, (entry[0],), (event_id,))

        return Watching({"batch_appended": on_appended}, lambda: cases.verdict(name, len(written)))

    return Check(name, f"No event goes to {topic} more than {limit} times.", start)


in_one_place = Check(
    "in_one_place", "What lies among the dead letters has taken no effect.", _in_one_place
)
behind_what_is_parked = Check(
    "behind_what_is_parked",
    "As long as an event is put aside, no later one of its key takes effect.",
    _parked_order,
)
as_without_trouble = Check(
    "as_without_trouble",
    "In the end each row is what it would be if nothing had failed.",
    _as_without_trouble,
)
