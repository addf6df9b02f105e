"""What one run did to its events, counted as it happens: no trace need be kept.

Counts are per distinct event id, and believe clients and effects only: an event counts as
acknowledged when its producer was told so, and as applied when a store changed a row for it.
Effects of one transaction are recorded one right after the other, on different rows.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from simulator.trace.trace import FlatEntry, Observer

QUIET = "quiet"
Lane = tuple[str, str, Any]  # What one client sends to one topic with one key keeps its order.


@attrs.define(repr=False)
class Delivery:
    """Counts of one run.

    Attributes:
        sent: events that applications handed to producers.
        acknowledged: of those, the ones whose producer was told that they are in the log.
        applied: events of which an effect was applied.
        latencies_us: for each applied event, from its first sending to its first effect.
        ended: why the run ended; only a `quiet` end tells what is lost.
    """

    _sent_us: dict[str, int] = attrs.field(factory=dict)
    _acknowledged: dict[str, None] = attrs.field(factory=dict)
    _first_in: dict[tuple[str, str], int] = attrs.field(factory=dict)
    _twice: dict[str, None] = attrs.field(factory=dict)
    _rows: list[tuple[str, Any]] = attrs.field(factory=list)  # Of the transaction at hand.
    _owner: str = ""
    _began: int = -1
    _previous: int = -1
    _first: dict[str, int] = attrs.field(factory=dict)
    _key_of: dict[str, tuple[Lane, int]] = attrs.field(factory=dict)
    _sent_of_key: dict[Lane, int] = attrs.field(factory=dict)
    _furthest: dict[Lane, int] = attrs.field(factory=dict)
    _late: dict[str, None] = attrs.field(factory=dict)
    latencies_us: list[int] = attrs.field(factory=list)
    ended: str = ""

    def observers(self) -> Iterable[tuple[str, Observer]]:
        """What to attach to the run's trace."""
        return (
            ("record_sent", self._on_sent),
            ("record_acknowledged", self._on_acknowledged),
            ("effect_applied", self._on_applied),
            ("run_ended", self._on_ended),
        )

    def _on_sent(self, entry: FlatEntry) -> None:
        _, event_id, topic, key = entry[4]
        if event_id in self._sent_us:
            return
        self._sent_us[event_id] = entry[1]
        if key is not None:
            lane = (entry[2], topic, key)
            place = self._sent_of_key.get(lane, 0)
            self._sent_of_key[lane] = place + 1
            self._key_of[event_id] = (lane, place)

    def _on_acknowledged(self, entry: FlatEntry) -> None:
        self._acknowledged[entry[4][1]] = None

    def _on_applied(self, entry: FlatEntry) -> None:
        seq = entry[0]
        _, table, key, _, event_id = entry[4]
        if not event_id:
            return
        row = (table, key)
        if seq == self._previous + 1 and event_id == self._owner and row not in self._rows:
            self._rows.append(row)
        else:
            self._began, self._owner, self._rows = seq, event_id, [row]
        self._previous = seq
        if self._first_in.setdefault((event_id, table), self._began) != self._began:
            self._twice[event_id] = None
        if event_id in self._first:
            return
        self._first[event_id] = entry[1]
        if event_id in self._sent_us:
            self.latencies_us.append(entry[1] - self._sent_us[event_id])
        keyed = self._key_of.get(event_id)
        if keyed is not None:
            lane, place = keyed
            if place < self._furthest.get(lane, -1):
                self._late[event_id] = None
            else:
                self._furthest[lane] = place

    def _on_ended(self, entry: FlatEntry) -> None:
        self.ended = entry[4][1]

    @property
    def sent(self) -> int:
        """Distinct events handed to producers."""
        return len(self._sent_us)

    @property
    def acknowledged(self) -> int:
        """Distinct events that were acknowledged."""
        return len(self._acknowledged)

    @property
    def applied(self) -> int:
        """Distinct events that had an effect."""
        return len(self._first)

    @property
    def lost(self) -> int | None:
        """Acknowledged and never applied; None if the run was cut off before it came to rest."""
        if self.ended != QUIET:
            return None
        return sum(event_id not in self._first for event_id in self._acknowledged)

    @property
    def applied_twice(self) -> int:
        """Distinct events for which one table was changed by more than one transaction."""
        return len(self._twice)

    @property
    def out_of_order(self) -> int:
        """Events first applied after one of the same key that their client sent later."""
        return len(self._late)
