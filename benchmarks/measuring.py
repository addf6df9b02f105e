"""A case is two costs measured in turn; its value is the median of the rounds' own ratios.

1. A cost is CPU seconds for one unit of work: an event, a message, a poll, an import.
2. In every round the base is measured right before and right after the case, and their mean
   counts: a machine that becomes slower in between is slower for both.
3. The garbage is collected before each measurement, and the collector stays on during it.
"""

import gc
import statistics
import time
from collections.abc import Callable

import attrs

SLACK = 0.3  # A value this share beyond its target is noise of the machine, or looks like it.

FEW = 3  # A case that is measured no more often than this warms up in its own first seconds.

Cost = Callable[[], float]


@attrs.frozen
class Costs:
    """What is measured in a round: `own`, against `base` where the case is a ratio."""

    own: Cost
    base: Cost | None = None


@attrs.frozen
class Case:
    """One number, and what it should be.

    Args:
        name: for --only and --profile.
        what: what is measured, in a few words.
        target: the value wanted.
        at_most: whether the target is an upper bound, of own / base (or of own alone, in
            seconds or bytes); otherwise it is a lower bound of base / own, a ratio of rates.
        prepare: makes the costs, at a size: 1.0 is the real one, less is for a test.
        rounds_most: a case that takes seconds is measured no more often.
    """

    name: str
    what: str
    target: float
    prepare: Callable[[float], Costs]
    at_most: bool = False
    rounds_most: int = 1_000

    def value(self, costs: Costs) -> float:
        """One round's value."""
        if costs.base is None:
            return costs.own()
        before = costs.base()
        own = costs.own()
        base = (before + costs.base()) / 2
        return own / base if self.at_most else base / own


@attrs.frozen
class Result:
    """What the rounds of a case gave."""

    case: Case
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    def is_met(self, slack: float = 0.0) -> bool:
        """Whether the target is reached, or missed by no more than this share of it."""
        if self.case.at_most:
            return self.value <= self.case.target * (1 + slack)
        return self.value >= self.case.target * (1 - slack)


def measure(case: Case, rounds: int, size: float = 1.0) -> Result:
    """Run a case: once to warm up, unless it takes long, then its rounds."""
    costs = case.prepare(size)
    if case.rounds_most > FEW:
        case.value(costs)
    return Result(case, tuple(case.value(costs) for _ in range(min(rounds, case.rounds_most))))


def seconds(work: Callable[[], object]) -> float:
    """The CPU time of one call."""
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def cost(work: Callable[[], object], units: float) -> Cost:
    """The cost of a unit of work that does so many of them, or such a share of one."""
    return lambda: seconds(work) / units


def sized(size: float, full: int, least: int = 1) -> int:
    """How many of `full` at a size, and at least so many."""
    return max(least, int(full * size))
