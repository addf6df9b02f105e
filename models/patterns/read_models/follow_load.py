"""What comes of the events of a log whose reader follows by a policy, counted as the run goes."""

from collections.abc import Iterable
from typing import Any

import attrs

from models.patterns.read_models.following import APPLIED, FEED


@attrs.define
class FollowLoad:
    """Events committed, events applied, and how long each took.

    Attributes:
        committed: position -> when its transaction committed, in us.
        applied: position -> when the reader's transaction did.
        writes_us: how long each transaction of a writer took.
    """

    committed: dict[int, int] = attrs.field(factory=dict)
    applied: dict[int, int] = attrs.field(factory=dict)
    writes_us: list[int] = attrs.field(factory=list)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return ("effect_applied", self._on_applied), ("noted", self._on_noted)

    def _on_applied(self, entry: Any) -> None:
        _, table, key, _, _ = entry[4]
        if table == FEED:
            self.committed[key] = entry[1]
        elif table == APPLIED:
            self.applied.setdefault(key, entry[1])

    def _on_noted(self, entry: Any) -> None:
        if entry[4][1] == "committed":
            self.writes_us.append(int(entry[4][2].split(" ")[1]))

    @property
    def skipped(self) -> tuple[int, int]:
        """Events that the reader has passed without applying them, of all."""
        last = max(self.applied, default=0)
        missing = [key for key in self.committed if key not in self.applied]
        return sum(key < last for key in missing), len(self.committed)

    @property
    def stuck(self) -> tuple[int, int]:
        """Events that the reader never came to, of all."""
        last = max(self.applied, default=0)
        missing = [key for key in self.committed if key not in self.applied]
        return sum(key > last for key in missing), len(self.committed)

    @property
    def latencies_us(self) -> list[int]:
        """From the commit of each event to its being applied."""
        return [at - self.committed[key] for key, at in self.applied.items()]
