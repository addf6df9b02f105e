"""What is promised of stored events, each as a check of the rows that a run has committed.

A row is (stream, version, event id, type, data), in the table `events`. Writers note
`appended`: stream, the version that they had looked at, the event's id.
"""

from collections.abc import Callable, Iterable
from typing import Any

from models.patterns.event_sourcing.event_sourcing import fold
from models.patterns.event_sourcing.stock import STOCK
from models.patterns.event_sourcing.stored_events import EVENTS, event_of
from simulator import Cases, Check, Verdict, Watching

Judge = Callable[[list[Any], Cases], int]


def check_of(
    name: str, promise: str, kinds: Iterable[str], judge: Judge, *, at_last: bool = False
) -> Check:
    """A check that looks at all entries of some kinds once the run is over.

    Args:
        kinds: of events; their entries are given to `judge`, in order.
        judge: notes the cases that break the promise; the answer is how many things it examined.
        at_last: whether the promise is about the end: then a run that was cut leaves it open.
    """
    wanted = tuple(kinds)

    def start() -> Watching:
        entries: list[Any] = []
        ended = ""

        def on_ended(entry: Any) -> None:
            nonlocal ended
            ended = entry[4][1]

        def finish() -> Verdict:
            cases = Cases()
            reached = judge(entries, cases)
            cut = at_last and ended != "quiet"
            why = f"the run was cut ({ended or 'no end'})" if cut else ""
            return cases.verdict(name, reached, open_because=why)

        observers: dict[str, Callable[[Any], None]] = dict.fromkeys(wanted, entries.append)
        return Watching({**observers, "run_ended": on_ended}, finish)

    return Check(name, promise, start)


def _rows(entries: list[Any]) -> list[tuple[int, Any, Any]]:
    """(entry, key, row) of each event that was committed, or written over."""
    return [(one[0], one[4][2], one[4][3]) for one in entries if one[4][1] == EVENTS]


def _contiguous(entries: list[Any], cases: Cases) -> int:
    last: dict[str, int] = {}
    rows = _rows(entries)
    for seq, _, (stream, version, event_id, *_) in rows:
        expected = last.get(stream, -1) + 1
        if version != expected:
            said = f"{event_id} has version {version} of {stream}, and {expected} is next"
            cases.add(said, (seq,))
        last[stream] = max(version, last.get(stream, -1))
    return len(rows)


def _once(entries: list[Any], cases: Cases) -> int:
    places: dict[str, tuple[int, Any]] = {}
    for seq, _, (_, version, event_id, *_) in _rows(entries):
        if event_id in places:
            first, where = places[event_id]
            cases.add(f"{event_id} is at version {where} and at {version}", (first, seq))
        places[event_id] = (seq, version)
    return len(places)


def _told(entries: list[Any], cases: Cases) -> int:
    """Of a writer that crashed nobody expects a word: so nothing is asked where one did."""
    known = [one[4][2].split(" ")[-1] for one in entries if one[4][1] == "appended"]
    if any(one[4][0] == "node_crashed" for one in entries):
        return 0
    rows = _rows(entries)
    for seq, _, (_, _, event_id, *_) in rows:
        if event_id not in known:
            cases.add(f"{event_id} is stored, and its writer was not told so", (seq,))
    return len(rows)


def _unchanged(entries: list[Any], cases: Cases) -> int:
    stored: dict[Any, tuple[int, Any]] = {}
    for seq, key, row in _rows(entries):
        if key in stored and stored[key][1] != row:
            cases.add(f"{key} was {stored[key][1]}, and became {row}", (stored[key][0], seq))
        stored[key] = (seq, row)
    return len(stored)


def _one_winner(entries: list[Any], cases: Cases) -> int:
    winners: dict[tuple[str, str], tuple[int, str]] = {}
    notes = [one for one in entries if one[4][1] == "appended"]
    for one in notes:
        stream, version, event_id = one[4][2].split(" ")
        first = winners.setdefault((stream, version), (one[0], event_id))
        if first[1] != event_id:
            said = f"{first[1]} and {event_id} were both decided at version {version} of {stream}"
            cases.add(said, (first[0], one[0]))
    return len(winners)


def _never_oversold(entries: list[Any], cases: Cases) -> int:
    streams: dict[str, Any] = {}
    rows = _rows(entries)
    for seq, _, row in rows:
        stream = row[0]
        state = streams[stream] = fold(STOCK, [event_of(row)], streams.get(stream))
        if state.available < 0:
            cases.add(f"after {row[2]} {stream} has {state.available} left", (seq,))
    return len(rows)


EFFECTS = ("effect_applied",)

versions_contiguous = check_of(
    "versions_contiguous", "A stream's versions are 0, 1, 2, ...", EFFECTS, _contiguous
)
stored_once_by_id = check_of(
    "stored_once_by_id", "No event is stored twice, however often it is sent.", EFFECTS, _once
)
success_is_told = check_of(
    "success_is_told", "Whose event is stored learns of it.",
    (*EFFECTS, "noted", "node_crashed"), _told, at_last=True,
)  # fmt: skip
never_changed = check_of(
    "never_changed", "What is stored is never changed.", EFFECTS, _unchanged
)
one_winner = check_of(
    "one_winner", "Of two appends at one version, one wins.", ("noted",), _one_winner
)
never_oversold = check_of(
    "never_oversold", "No more is reserved than there is.", EFFECTS, _never_oversold
)
