"""The mean over runs of one number a run, by Student's t.

With one run, or where all runs agree, the interval is open: nothing was seen of how runs differ.
"""

import math
from collections.abc import Sequence

from simulator.errors import BadInput
from simulator.stats.estimate import Estimate
from simulator.stats.intervals import checked_confidence
from simulator.stats.special import student_quantile


def mean(values: Sequence[float], *, unit: str = "", confidence: float = 0.95) -> Estimate:
    """The mean of one number a run.

    Raises:
        BadInput: a number is not finite, or the confidence cannot be.
    """
    checked_confidence(confidence)
    for value in values:
        if not math.isfinite(value):
            raise BadInput("a mean takes finite numbers:", "mean", value)
    count = len(values)
    method = "student"
    if count == 0:
        return Estimate(None, None, None, confidence, 0, method, unit)
    point = math.fsum(values) / count
    spread = variance(values)
    given = (("sum", math.fsum(values)), ("runs", count))
    if agree(spread, point):
        return Estimate(point, None, None, confidence, count, method, unit, given=given)
    half = student_quantile(0.5 + confidence / 2.0, count - 1) * math.sqrt(spread / count)
    return Estimate(point, point - half, point + half, confidence, count, method, unit, given=given)


def variance(values: Sequence[float]) -> float:
    """The sample variance; 0 for fewer than two values."""
    count = len(values)
    if count < 2:
        return 0.0
    middle = math.fsum(values) / count
    return math.fsum((value - middle) ** 2 for value in values) / (count - 1)


def agree(spread: float, point: float) -> bool:
    """Whether a variance is none at all: a spread this far below its point is rounding alone."""
    return math.sqrt(spread) <= 1e-12 * abs(point)
