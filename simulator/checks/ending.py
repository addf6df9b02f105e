"""How a run ended decides whether liveness may be judged at all.

A record that has not arrived is lost only if nothing is left to do: the faults are over, and the
run became quiet. A run that was cut by its horizon, or by hand, leaves it open.
"""

from typing import Any

from simulator.trace.trace import FlatEntry, Observer

NOBODY_READS = "no group was ever given a partition"


class Ending:
    """Watches for the last fault and the end of the run."""

    __slots__ = ("healed", "reason")

    def __init__(self) -> None:
        self.healed = False
        self.reason = ""

    def observers(self) -> dict[str, Observer]:
        """For a check's own observers to be joined with."""
        return {"faults_ended": self._faults_ended, "run_ended": self._run_ended}

    def _faults_ended(self, _: FlatEntry) -> None:
        self.healed = True

    def _run_ended(self, entry: FlatEntry) -> None:
        event: tuple[Any, ...] = entry[4]
        self.reason = event[1]

    @property
    def open_because(self) -> str:
        """Why what has not happened yet may still happen; empty if it can not."""
        if not self.reason:
            return "the trace does not show the end of the run"
        if self.reason != "quiet":
            return f"the run was cut ({self.reason}) before it became quiet"
        if not self.healed:
            return "the faults never ended"
        return ""
