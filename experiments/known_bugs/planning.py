"""Plans of faults that must come together to matter: who fails, about when, and for how long.

Times are multiples of a step, so that a smallest plan has round numbers.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from simulator import Crash, DiskLoss, FaultPlan, Partition, Pause, Scenario

STEP_MS = 100

Drawn = st.SearchStrategy[Any]


def between(least_ms: int, most_ms: int, step_ms: int = STEP_MS) -> st.SearchStrategy[int]:
    """A time in steps, both ends among them."""
    steps = st.integers(0, (most_ms - least_ms) // step_ms)
    return steps.map(lambda number: least_ms + number * step_ms)


def together(*faults: Drawn) -> Callable[[Scenario], st.SearchStrategy[FaultPlan]]:
    """Plans of all these faults; the scenario has no say in them."""
    plans = st.tuples(*faults).map(FaultPlan)
    return lambda _: plans


def crash(node: str, at_ms: Drawn, down_ms: Drawn, mode: str = "process") -> Drawn:
    """A node dies at a time."""
    return st.builds(lambda at, down: Crash(node, at_ms=at, down_ms=down, mode=mode),
                     at_ms, down_ms)


def lost_disk(node: str, at_ms: Drawn, down_ms: Drawn) -> Drawn:
    """A node loses its disk."""
    return st.builds(lambda at, down: DiskLoss(node, at, down), at_ms, down_ms)


def pause(node: str, at_ms: Drawn, for_ms: Drawn) -> Drawn:
    """A node stands still."""
    return st.builds(lambda at, lasts: Pause(node, at, lasts), at_ms, for_ms)


def cut(side_a: tuple[str, ...], side_b: tuple[str, ...], from_ms: Drawn, for_ms: Drawn) -> Drawn:
    """Nothing passes between two sides for a while."""
    return st.builds(
        lambda begin, lasts: Partition(side_a, side_b, begin, begin + lasts), from_ms, for_ms
    )
