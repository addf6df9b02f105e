"""What a run did to an outbox, counted as it happens: a thing for measures to look at.

`Experiment(gather=Telling, ...)` gives each run one. A change is a committed row of `changes`; it
is told when a broker appends its event.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from models.patterns.outboxes.outbox import LEDGER, TOPIC
from models.patterns.outboxes.outbox_checks import CHANGES, commit_order
from models.patterns.outboxes.outbox_promises import SHIPMENTS
from simulator import Watching

Share = tuple[int, int]


@attrs.define
class Telling:
    """Counts of one run.

    Attributes:
        committed_us: when each change was committed.
        told_us: when each event was first on the topic.
        repeated: events that are on the topic more than once.
        shipped: how often each event took effect at the reader.
        asked: how many requests relays have sent to the database.
        old_rows, old_unsent: what an auditor has found; None: there was none.
    """

    committed_us: dict[str, int] = attrs.field(factory=dict)
    told_us: dict[str, int] = attrs.field(factory=dict)
    repeated: dict[str, None] = attrs.field(factory=dict)
    shipped: dict[str, int] = attrs.field(factory=dict)
    asked: int = 0
    old_rows: int | None = None
    old_unsent: int | None = None
    _ended: str = ""
    _order: Watching = attrs.field(factory=commit_order.start)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            *self._order.observers.items(),
            ("effect_applied", self._on_applied),
            ("batch_appended", self._on_appended),
            ("message_sent", self._on_message),
            ("noted", self._on_noted),
            ("run_ended", self._on_ended),
        )

    def _on_applied(self, entry: Any) -> None:
        _, table, key, _, event_id = entry[4]
        if table == CHANGES:
            self.committed_us.setdefault(key, entry[1])
        elif table == SHIPMENTS:
            self.shipped[event_id] = self.shipped.get(event_id, 0) + 1

    def _on_appended(self, entry: Any) -> None:
        if entry[4][1] == TOPIC:
            for event_id in entry[4][4]:
                if event_id in self.told_us:
                    self.repeated[event_id] = None
                self.told_us.setdefault(event_id, entry[1])

    def _on_message(self, entry: Any) -> None:
        self.asked += entry[4][3] == LEDGER and entry[4][2].startswith("relay-")

    def _on_noted(self, entry: Any) -> None:
        if entry[4][1] == "old rows":
            self.old_rows, self.old_unsent = map(int, entry[4][2].split())

    def _on_ended(self, entry: Any) -> None:
        self._ended = entry[4][1]

    @property
    def lost(self) -> Share | None:
        """(changes that nobody was told of, changes); None if the run was cut off."""
        if self._ended != "quiet":
            return None
        missing = sum(event_id not in self.told_us for event_id in self.committed_us)
        return missing, len(self.committed_us)

    @property
    def ghosts(self) -> Share:
        """(events of what was never committed, events)."""
        false = sum(event_id not in self.committed_us for event_id in self.told_us)
        return false, len(self.told_us)

    @property
    def out_of_order(self) -> Share:
        """(events after a later one of their order, events that have one before them)."""
        verdict = self._order.finish()
        return verdict.cases, verdict.reached

    @property
    def told_again(self) -> Share:
        """(events that are on the topic more than once, events)."""
        return len(self.repeated), len(self.told_us)

    @property
    def shipped_twice(self) -> Share:
        """(events that took effect more than once at the reader, events that took effect)."""
        return sum(times > 1 for times in self.shipped.values()), len(self.shipped)

    @property
    def latencies_us(self) -> list[int]:
        """From the commit to the topic, of each change that was told after it."""
        return [
            told_us - self.committed_us[event_id]
            for event_id, told_us in self.told_us.items()
            if told_us >= self.committed_us.get(event_id, told_us + 1)
        ]

    @property
    def asked_per_event(self) -> tuple[int, int]:
        """(requests of relays to the database, events on the topic)."""
        return self.asked, len(self.told_us)

    @property
    def took_s(self) -> float | None:
        """From the first commit to the last event; None if nothing was told."""
        if not self.told_us or not self.committed_us:
            return None
        return (max(self.told_us.values()) - min(self.committed_us.values())) / 1_000_000
