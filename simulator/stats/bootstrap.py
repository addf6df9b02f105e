"""Resampling whole runs, by a generator of its own: the same input gives the same interval.

The unit that is drawn again is the run with all its events, because events of one run depend on
each other. The percentile interval is used where no formula is known; where one is
(proportions, means), it is the better choice: a bootstrap of 20 runs is too short.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993) §13; Steele, Lea and Flood,
OOPSLA 2014 (SplitMix64); Lemire, ACM TOMACS 29 (2019) (numbers below a bound without bias).
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from simulator.errors import BadInput
from simulator.stats.estimate import Estimate
from simulator.stats.intervals import checked_confidence

T = TypeVar("T")

_MASK = (1 << 64) - 1


class SplitMix64:
    """A generator of 64-bit numbers: for resampling only, never for what a run decides."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> int:
        """The next number, from 0 to 2**64 - 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """A number from 0 to bound - 1, each as likely."""
        assert 0 < bound <= _MASK, f"bound={bound}"
        while True:
            product = self.next() * bound
            if (product & _MASK) >= (1 << 64) % bound:
                return product >> 64

    def unit(self) -> float:
        """A number in [0, 1) with 53 random bits."""
        return (self.next() >> 11) / (1 << 53)


def bootstrap(
    runs: Sequence[T],
    statistic: Callable[[Sequence[T]], float],
    *,
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
    unit: str = "",
) -> Estimate:
    """Any statistic of runs, with the percentile interval of resampling them.

    With fewer than two runs, or where every resample agrees, the interval is open.

    Raises:
        BadInput: the confidence cannot be, or the resamples are too few for it.
    """
    alpha = 1.0 - checked_confidence(confidence)
    if resamples * alpha / 2.0 < 1.0 - 1e-9:
        fix = f"at least {math.ceil(2.0 / alpha - 1e-9)}"
        raise BadInput("too few resamples for this confidence:", "bootstrap", resamples, fix)
    method = f"bootstrap of runs ({resamples})"
    count = len(runs)
    if not count:
        return Estimate(None, None, None, confidence, 0, method, unit)
    point = statistic(runs)
    if count < 2:
        return Estimate(point, None, None, confidence, count, method, unit)
    below = SplitMix64(seed).below
    drawn = sorted(statistic([runs[below(count)] for _ in range(count)]) for _ in range(resamples))
    cut = max(0, math.floor(resamples * alpha / 2.0 + 1e-9) - 1)
    low, high = drawn[cut], drawn[resamples - 1 - cut]
    if low == high:
        return Estimate(point, None, None, confidence, count, method, unit)
    return Estimate(point, low, high, confidence, count, method, unit)


def ratio_of_sums(runs: Sequence[tuple[float, float]]) -> float:
    """A statistic for `bootstrap`: counted units over all units, 0 where there are none."""
    whole = math.fsum(run[1] for run in runs)
    return math.fsum(run[0] for run in runs) / whole if whole else 0.0
