"""What the experiments about change data capture have in common: a judge, and its measures.

A run is judged by the models' own checks, and each says how many cases it found among how many.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from models.patterns.capture.cdc import COPY
from models.patterns.capture.cdc_shop import CONNECTOR, SHOP
from simulator import (
    Check,
    Verdict,
    changes_captured,
    copy_converges,
    copy_never_goes_back,
    number,
    repeats_are_rewinds,
    share,
)

ORDERS, COPIED = (SHOP, "orders"), (COPY, "orders")
never_lost = changes_captured(SHOP, CONNECTOR, "orders")
rewinds = repeats_are_rewinds(CONNECTOR)
converges = copy_converges(ORDERS, COPIED)
never_back = copy_never_goes_back(ORDERS, COPIED)


class Judged:
    """Watches one run with checks, and counts what the connector told.

    Attributes:
        told: changes and rows that the connector handed over, each once.
        again: how often it told one of them again.
        stored: how many offsets it stored.
        stopped: whether it said that it stops.
        retained: the most of the log that was seen to be kept.
    """

    def __init__(self, checks: Sequence[Check]) -> None:
        self._watching = {check.name: check.start() for check in checks}
        self._verdicts: dict[str, Verdict] = {}
        self._known: dict[str, None] = {}
        self.again = self.stored = self.retained = 0
        self.stopped = False

    @property
    def told(self) -> int:
        return len(self._known)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        for watching in self._watching.values():
            yield from watching.observers.items()
        yield "change_captured", self._on_captured
        yield "source_offset_stored", self._on_stored
        yield "warned", self._on_warned
        yield "noted", self._on_noted

    def cases(self, check: str) -> tuple[int, int]:
        """How many cases broke a promise, of how many that could."""
        if check not in self._verdicts:
            self._verdicts[check] = self._watching[check].finish()
        verdict = self._verdicts[check]
        return min(verdict.cases, verdict.reached), verdict.reached

    def _on_captured(self, entry: Any) -> None:
        name = f"{entry[4][1]} {entry[4][5]}"
        if name in self._known:
            self.again += 1
        self._known[name] = None

    def _on_stored(self, _: Any) -> None:
        self.stored += 1

    def _on_warned(self, entry: Any) -> None:
        self.stopped = self.stopped or entry[2] == CONNECTOR

    def _on_noted(self, entry: Any) -> None:
        if entry[4][1] == "log retained":
            self.retained = max(self.retained, int(entry[4][2]))


def judged_by(*checks: Check) -> Any:
    """What to gather of each run."""
    return lambda: Judged(checks)


LOST = share(lambda run: run.cases("changes_captured"))
AGAIN = number(lambda run: run.again)
STORED = number(lambda run: run.stored)
WRONG = share(lambda run: run.cases("copy_converges"))
BACK = share(lambda run: run.cases("copy_never_goes_back"))
