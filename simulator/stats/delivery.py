"""What one run did to its events, counted as it happens: no trace need be kept.

Counts are per distinct event id, and believe clients and effects only: an event counts as
acknowledged when its producer was told so, and as applied when a store changed a row for it.
"""

from collections.abc import Iterable

import attrs

from simulator.trace.trace import FlatEntry, Observer

QUIET = "quiet"


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
    _applied: dict[tuple[str, str], int] = attrs.field(factory=dict)
    _first: dict[str, int] = attrs.field(factory=dict)
    _key_of: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    _sent_of_key: dict[str, int] = attrs.field(factory=dict)
    _furthest: dict[str, int] = attrs.field(factory=dict)
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
        _, event_id, _, key = entry[4]
        if event_id in self._sent_us:
            return
        self._sent_us[event_id] = entry[1]
        if key is not None:
            place = self._sent_of_key.get(key, 0)
            self._sent_of_key[key] = place + 1
            self._key_of[event_id] = (key, place)

    def _on_acknowledged(self, entry: FlatEntry) -> None:
        self._acknowledged[entry[4][1]] = None

    def _on_applied(self, entry: FlatEntry) -> None:
        _, table, _, _, event_id = entry[4]
        times = self._applied.get((event_id, table), 0)
        self._applied[event_id, table] = times + 1
        if event_id in self._first:
            return
        self._first[event_id] = entry[1]
        if event_id in self._sent_us:
            self.latencies_us.append(entry[1] - self._sent_us[event_id])
        keyed = self._key_of.get(event_id)
        if keyed is not None:
            key, place = keyed
            if place < self._furthest.get(key, -1):
                self._late[event_id] = None
            else:
                self._furthest[key] = place

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
        """Distinct events of which one effect was applied more than once."""
        return len({event_id for (event_id, _), times in self._applied.items() if times > 1})

    @property
    def out_of_order(self) -> int:
        """Events first applied after an event of the same key that was sent later."""
        return len(self._late)
