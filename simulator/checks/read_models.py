"""Does a read model hold, in the end, what the log says?

read_model(table, apply)  each row of the table is what the events in the log make of it, applied
                          in their order, once each

The log is what clients saw of it: what was acknowledged, and what was polled by anybody. Of a
record that lies in it more than once the first copy counts. A table is what its store's committed
changes (effect_applied) left in it.

Events of several partitions may meet in a row: they are applied partition by partition, so their
order must not matter for what `apply` makes of them.

Not modelled: aborted transactions, whose records nobody should read; records that retention or the
cleaner took before anybody read them; tables that other things than events change.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.sentences import short
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry

SHOWN_MOST = 4  # Entries of one row.

Place = tuple[str, int]


class Logged(NamedTuple):
    """An event in the log: key is the record's, None if nobody was seen to send it."""

    event_id: str
    key: Any
    topic: str
    partition: int
    offset: int


def row_of_key(event: Logged) -> Any:
    """Each key has a row of its own."""
    return event.key


def read_model(
    table: str,
    apply: Callable[[Any, Logged], Any],
    *,
    row: Callable[[Logged], Any] = row_of_key,
    topic: str = "",
) -> Check:
    """In the end each row of a table is the fold of its events in the order of the log.

    Args:
        table: as effects name it.
        apply: from a row's value (None: there is no such row) and an event to the next value.
        row: the key of the row that an event changes; None if it changes none.
        topic: of which it is a read model; "": all topics.
    """

    def start() -> Watching:
        return _read_model(table, apply, row, topic)

    promise = f"In the end {table} holds what the events in the log make of it."
    return Check("read_model", promise, start)


class _Log:
    """What clients saw of the log, and of whose sending."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._keys: dict[tuple[str, str], Any] = {}
        self._places: dict[Place, dict[int, tuple[str, int]]] = {}

    def on_sent(self, entry: FlatEntry) -> None:
        _, event_id, topic, key = entry[4]
        self._keys[topic, event_id] = key

    def on_acknowledged(self, entry: FlatEntry) -> None:
        _, event_id, topic, partition, offset = entry[4]
        self._see(entry[0], topic, partition, offset, event_id)

    def on_polled(self, entry: FlatEntry) -> None:
        _, _, topic, partition, offset, event_id = entry[4]
        self._see(entry[0], topic, partition, offset, event_id)

    def _see(self, seq: int, topic: str, partition: int, offset: int, event_id: str) -> None:
        if self._topic in ("", topic) and offset >= 0:
            place = self._places.setdefault((topic, partition), {})
            place.setdefault(offset, (event_id, seq))

    def events(self) -> list[tuple[Logged, int]]:
        """Each event once, partition by partition, in the order of offsets; and its entry."""
        found, met = [], set()
        for topic, partition in sorted(self._places):
            for offset, (event_id, seq) in sorted(self._places[topic, partition].items()):
                if (topic, event_id) not in met:
                    met.add((topic, event_id))
                    key = self._keys.get((topic, event_id))
                    found.append((Logged(event_id, key, topic, partition, offset), seq))
        return found


def _read_model(
    table: str,
    apply: Callable[[Any, Logged], Any],
    row: Callable[[Logged], Any],
    topic: str,
) -> Watching:
    ending, log = Ending(), _Log(topic)
    rows: dict[Any, tuple[Any, int, str]] = {}  # Its value, its last change, on whose behalf.

    def on_applied(entry: FlatEntry) -> None:
        _, name, key, value, event_id = entry[4]
        if name == table:
            rows[key] = (value, entry[0], event_id)

    def finish() -> Verdict:
        cases = Cases()
        folded: dict[Any, tuple[Any, list[int], list[str]]] = {}
        for event, seq in log.events():
            key = row(event)
            if key is not None:
                value, seqs, event_ids = folded.get(key, (None, [], []))
                seqs.append(seq)
                event_ids.append(event.event_id)
                folded[key] = (apply(value, event), seqs, event_ids)
        for key in [*folded, *(key for key in rows if key not in folded)]:
            expected, seqs, event_ids = folded.get(key, (None, [], []))
            value, changed, event_id = rows.get(key, (None, -1, ""))
            if value != expected:
                is_there = "is not there" if value is None else f"is {short(value)}"
                fold = "no row" if expected is None else short(expected)
                said = f"{table} {key!r} {is_there} at last, and its events make {fold} of it"
                shown = sorted({*seqs[-SHOWN_MOST:], changed} - {-1})
                whose = dict.fromkeys((*event_ids[-SHOWN_MOST:], event_id))
                cases.add(said, shown, [one for one in whose if one])
        reached = len(folded.keys() | rows.keys())
        return cases.verdict("read_model", reached, open_because=ending.open_because)

    observers = {
        "record_sent": log.on_sent,
        "record_acknowledged": log.on_acknowledged,
        "record_polled": log.on_polled,
        "effect_applied": on_applied,
        **ending.observers(),
    }
    return Watching(observers, finish)
