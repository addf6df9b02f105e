"""What became of records that failed, counted as it happens: a thing for measures to look at.

`Experiment(gather=Handled, ...)` gives each run one. Attempts are those that the service saw.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from models.patterns.retrying.letter_promises import as_without_trouble
from models.patterns.retrying.retry_promises import conserved
from models.patterns.retrying.troubles import TOPIC
from simulator import Delivery, Watching

ENDED = ("dead_lettered", "skipped", "letter_failed", "left", "parked")


@attrs.define
class Handled:
    """Counts of one run.

    Attributes:
        delivery: what became of the events.
        attempts: how often each event was tried.
        given_up: when (us) each event was first given up, whatever was done with it then.
        crashes: how often a process died.
        rebalances: generations that began while there was something to do.
        written: how often each event was written to each topic.
    """

    delivery: Delivery = attrs.field(factory=Delivery)
    attempts: dict[str, int] = attrs.field(factory=dict)
    given_up: dict[str, int] = attrs.field(factory=dict)
    crashes: int = 0
    rebalances: int = 0
    written: dict[tuple[str, str], int] = attrs.field(factory=dict)
    _first_us: dict[str, int] = attrs.field(factory=dict)
    _sent: dict[str, int] = attrs.field(factory=dict)
    _applied: dict[str, int] = attrs.field(factory=dict)
    _rows: Watching = attrs.field(factory=as_without_trouble.start)
    _passed: Watching = attrs.field(factory=conserved(always=False).start)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            *self.delivery.observers(),
            *self._rows.observers.items(),
            *self._passed.observers.items(),
            ("noted", self._on_noted),
            ("record_sent", self._on_sent),
            ("effect_applied", self._on_applied),
            ("node_crashed", self._on_crashed),
            ("generation_started", self._on_generation),
            ("batch_appended", self._on_appended),
        )

    def _on_noted(self, entry: Any) -> None:
        _, label, event_id = entry[4]
        if label == "attempted":
            self.attempts[event_id] = self.attempts.get(event_id, 0) + 1
            self._first_us.setdefault(event_id, entry[1])
        elif label in ENDED:
            self.given_up.setdefault(event_id, entry[1])

    def _on_sent(self, entry: Any) -> None:
        if entry[4][2] == TOPIC:
            self._sent.setdefault(entry[4][1], entry[1])

    def _on_applied(self, entry: Any) -> None:
        self._applied.setdefault(entry[4][4], entry[1])

    def _on_crashed(self, _: Any) -> None:
        self.crashes += 1

    def _on_generation(self, _: Any) -> None:
        self.rebalances += bool(self._sent)

    def _on_appended(self, entry: Any) -> None:
        for event_id in entry[4][4]:
            where = (entry[4][1], event_id)
            self.written[where] = self.written.get(where, 0) + 1

    # --- What measures ask -------------------------------------------------------------------

    @property
    def most_attempts(self) -> int:
        """How often the event was tried that was tried most."""
        return max(self.attempts.values(), default=0)

    @property
    def lost(self) -> tuple[int, int]:
        """(events that were passed, had no effect and lie nowhere else, events)."""
        return self._passed.finish().cases, len(self._sent)

    @property
    def not_applied(self) -> tuple[int, int]:
        """(events without an effect, events)."""
        return sum(event not in self._applied for event in self._sent), len(self._sent)

    @property
    def dead(self) -> tuple[int, int]:
        """(events that were given up, events)."""
        return sum(event in self.given_up for event in self._sent), len(self._sent)

    @property
    def gave_up_after_us(self) -> int | None:
        """From its first attempt until the first event was given up; None: none was."""
        for event_id, at_us in self.given_up.items():
            if event_id in self._first_us:
                return at_us - self._first_us[event_id]
        return None

    @property
    def waited_us(self) -> list[int]:
        """For each event that had an effect and was tried once, from its sending to its effect."""
        return [
            at_us - self._sent[event_id]
            for event_id, at_us in self._applied.items()
            if self.attempts.get(event_id) == 1 and event_id in self._sent
        ]

    @property
    def out_of_order(self) -> tuple[int, int]:
        """(events that took effect after a later one of their key, events with an effect)."""
        return self.delivery.out_of_order, self.delivery.applied

    @property
    def wrong(self) -> tuple[int, int]:
        """(keys whose row is not what it would be without trouble, keys)."""
        verdict = self._rows.finish()
        return verdict.cases, verdict.reached

    def rounds(self, topic: str) -> int:
        """How often the event was written to a topic that was written most."""
        counts = (count for (where, _), count in self.written.items() if where == topic)
        return max(counts, default=0)
