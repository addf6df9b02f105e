"""What a run's notes and rows tell, as numbers: words, copies, and how stale a model was."""

from collections.abc import Iterable
from typing import Any

import attrs

from models.patterns.event_sourcing.stored_events import EVENTS
from models.patterns.read_models.projections import CHECKPOINTS, LOG


@attrs.define
class NoteLoad:
    """Notes by their name, and stored events by their id.

    Attributes:
        notes: name -> the words of each note, in order.
        copies: event id -> in how many rows it is.
        refused: how many rows were refused, because somebody was faster.
        logged_us: position -> when its event was committed.
        staleness_us: for each event, how long the read model was without it.
    """

    notes: dict[str, list[list[str]]] = attrs.field(factory=dict)
    copies: dict[str, int] = attrs.field(factory=dict)
    refused: int = 0
    logged_us: dict[int, int] = attrs.field(factory=dict)
    staleness_us: list[int] = attrs.field(factory=list)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (
            ("noted", self._on_noted),
            ("effect_applied", self._on_applied),
            ("effect_refused", self._on_refused),
        )

    def _on_noted(self, entry: Any) -> None:
        self.notes.setdefault(entry[4][1], []).append(entry[4][2].split(" "))

    def _on_applied(self, entry: Any) -> None:
        _, table, key, value, _ = entry[4]
        if table == EVENTS:
            self.copies[value[2]] = self.copies.get(value[2], 0) + 1
        elif table == LOG:
            self.logged_us[key] = entry[1]
        elif table == CHECKPOINTS:
            self.staleness_us.append(entry[1] - self.logged_us[value])

    def _on_refused(self, _: Any) -> None:
        self.refused += 1

    def column(self, name: str, place: int) -> list[int]:
        """The numbers at a place of a note's words; words that are none are left out."""
        words = [note[place] for note in self.notes.get(name, ())]
        return [int(word) for word in words if word.isdigit()]

    @property
    def doubled(self) -> tuple[int, int]:
        """Events that are stored more than once, of all."""
        return sum(copies > 1 for copies in self.copies.values()), len(self.copies)
