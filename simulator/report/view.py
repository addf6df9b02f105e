"""What the runs of a figure share: a window of time, and what has a mark in it."""

import attrs

from simulator.report.replica_marks import STRETCHES, is_settled
from simulator.report.rows import UNMOVED, Row

LEFT_LEAST, RIGHT = 140, 24
UNHEARD = frozenset(("target_down", "stale_connection"))


@attrs.frozen
class View:
    """What all panels share: the window of time, the width, and the tint of each key."""

    since_us: int
    until_us: int
    left: float
    width: float
    tints: dict[str, str]

    @property
    def right(self) -> float:
        """Where the window ends."""
        return self.width - RIGHT

    def x(self, at_us: float) -> float:
        """Where a time lies; not cut."""
        share = (at_us - self.since_us) / (self.until_us - self.since_us)
        return self.left + share * (self.right - self.left)

    def shows(self, row: Row) -> bool:
        """Whether a row has a part inside of the window."""
        until_us = row.at_us if row.until_us is None else row.until_us
        if row.until_us is None and row.kind in STRETCHES:
            until_us = self.until_us
        return is_drawn(row) and row.at_us <= self.until_us and until_us >= self.since_us

    def tint(self, key: str) -> str:
        """The fill of a box."""
        return self.tints.get(key, "#fff")


def is_drawn(row: Row) -> bool:
    """Whether a row has a mark at all."""
    if row.kind == "commit":
        return row.detail != UNMOVED
    if row.kind == "dropped" and not row.event_ids:
        return row.detail.rpartition(" ")[2] not in UNHEARD
    return not is_settled(row)
