"""What several experiments on sagas have in common: how sagas end, and what they leave behind."""

from collections.abc import Iterable
from typing import Any

import attrs

from models.patterns.sagas.saga import COMPENSATED, COMPLETED, ENDS
from simulator import Link, Topology, exponential, samples, share

SLOW_WIRE = Topology(links=(Link(latency=exponential(2_000, floor_us=500)),))


@attrs.define
class Ends:
    """Counts of one run.

    Attributes:
        placed_us: when each order was placed.
        ended: its end, and when that was.
        counts: how often each step's effect is there.
    """

    placed_us: dict[str, int] = attrs.field(factory=dict)
    ended: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    counts: dict[tuple[str, str], int] = attrs.field(factory=dict)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return ("record_sent", self._on_sent), ("effect_applied", self._on_applied)

    def _on_sent(self, entry: Any) -> None:
        name, _, what = entry[4][1].partition("/")
        if what in ("placed", "OrderPlaced"):
            self.placed_us.setdefault(name, entry[1])

    def _on_applied(self, entry: Any) -> None:
        _, table, name, value, _ = entry[4]
        if table == "sagas" and value in ENDS:
            self.ended.setdefault(name, (value, entry[1]))
        elif value.__class__ is int:
            self.counts[name, table] = value

    def share_of(self, phase: str) -> tuple[int, int]:
        """How many orders came to this end."""
        return sum(end == phase for end, _ in self.ended.values()), len(self.placed_us)

    @property
    def left(self) -> tuple[int, int]:
        """Effects that compensated sagas have left, of all that there are."""
        gone = [name for name, (end, _) in self.ended.items() if end == COMPENSATED]
        there = {key: count for key, count in self.counts.items() if count > 0}
        return sum(name in gone for name, _ in there), len(there)

    @property
    def lasted_us(self) -> list[int]:
        """How long each saga took that has ended."""
        return [at_us - self.placed_us[name] for name, (_, at_us) in self.ended.items()]


COMPLETES = share(lambda run: run.share_of(COMPLETED), more_is_better=True)
COMPENSATES = share(lambda run: run.share_of(COMPENSATED), more_is_better=None)
NEVER_ENDS = share(lambda run: (len(run.placed_us) - len(run.ended), len(run.placed_us)))
LEFT = share(lambda run: run.left)
LASTS = samples(lambda run: run.lasted_us, quantiles=(0.5,))
