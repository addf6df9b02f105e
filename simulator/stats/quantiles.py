"""Quantiles of latencies, with intervals that assume nothing of how latencies are distributed.

Rule 1: a quantile is one of the samples: the smallest that at least the share q of all reach
not beyond (the inverse of the empirical distribution; no interpolation).
Rule 2: of n independent samples the interval's ends are samples too: the l-th and u-th smallest,
with l and u from the binomial distribution. It covers at least as often as it says.
Rule 3: when n is too small for an upper end (q^n above half of alpha), that end is open: nobody
knows the 99th percentile's upper bound from 100 samples.
Rule 4: latencies within one run depend on each other (one crash delays many), so over runs the
interval of the share of samples at or below the point, with the run as the unit, is carried back
through the empirical distribution (Woodruff, JASA 47 (1952) 635).

Source of rule 2: David and Nagaraja, Order Statistics (2003) §7.1.
"""

import bisect
import itertools
import math
from collections.abc import Callable, Iterable, Sequence

from simulator.errors import BadInput
from simulator.stats.estimate import MICROSECONDS, Estimate, Given
from simulator.stats.intervals import checked_confidence, clopper_pearson
from simulator.stats.proportions import effective_size
from simulator.stats.special import binomial_at_most

Tally = tuple[tuple[int, int], ...]  # (value, how often), values ascending


def checked_share(q: float) -> float:
    """The quantile's share itself.

    Raises:
        BadInput: it is not strictly between 0 and 1.
    """
    if isinstance(q, bool) or not isinstance(q, int | float) or not 0.0 < q < 1.0:
        raise BadInput("a quantile's share lies between 0 and 1:", "quantile", q, "such as 0.99")
    return float(q)


def tally(samples: Iterable[int], *, bits: int | None = 8) -> Tally:
    """How often each value occurs: what a run keeps of its samples.

    Args:
        bits: how many leading binary digits of a value are kept; the rest is set to its middle,
            an error of at most 1 part in 2**bits. None keeps values as they are.

    Raises:
        BadInput: a sample is not a whole number of 0 or more.
    """
    counts: dict[int, int] = {}
    for sample in samples:
        if isinstance(sample, bool) or not isinstance(sample, int) or sample < 0:
            raise BadInput("a latency is a whole number of 0 or more:", "tally", sample)
        kept = sample
        if bits is not None and (shift := sample.bit_length() - bits) > 0:
            kept = (sample >> shift << shift) | (1 << (shift - 1))
        counts[kept] = counts.get(kept, 0) + 1
    return tuple(sorted(counts.items()))


def merged(tallies: Iterable[Tally]) -> Tally:
    """The tallies of several runs as one."""
    counts: dict[int, int] = {}
    for one in tallies:
        for value, count in one:
            counts[value] = counts.get(value, 0) + count
    return tuple(sorted(counts.items()))


def tally_quantile(one: Tally, q: float) -> int | None:
    """The quantile of one tally; None when it is empty."""
    total = sum(count for _, count in one)
    if not total:
        return None
    wanted = _rank(q, total)
    for value, count in one:
        wanted -= count
        if wanted <= 0:
            return value
    raise AssertionError("a rank beyond the last sample")


def _rank(q: float, total: int) -> int:
    """The first rank at which the share q is reached; 0.07 * 100 is above 7 in binary."""
    return min(total, max(1, math.ceil(q * total - 1e-9)))


def order_ranks(n: int, q: float, confidence: float) -> tuple[int | None, int | None]:
    """Which of n sorted samples, counted from 1, end the interval; None where none can."""
    half = (1.0 - confidence) / 2.0
    # The l-th sample lies above the quantile when fewer than l samples lie at or below it.
    low = _last(n, lambda rank: binomial_at_most(rank - 1, n, q) <= half)
    # The u-th lies below it when at least u samples do.
    below = _last(n, lambda rank: 1.0 - binomial_at_most(rank - 1, n, q) > half)
    high = below + 1
    return low or None, high if high <= n else None


def _last(n: int, holds: Callable[[int], bool]) -> int:
    """The last of 1..n for which a test holds that holds up to some point; 0 if none."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def quantile(
    samples: Sequence[int] | Sequence[float],
    q: float,
    *,
    confidence: float = 0.95,
    unit: str = MICROSECONDS,
) -> Estimate:
    """The quantile of independent samples. For samples of several runs see `quantile_of_runs`.

    Raises:
        BadInput: q or the confidence is not between 0 and 1.
    """
    checked_share(q)
    checked_confidence(confidence)
    ordered = sorted(samples)
    n = len(ordered)
    method = "order statistics"
    given = (("q", q), ("samples", n))
    if not n:
        return Estimate(None, None, None, confidence, 0, method, unit, given=given)
    low, high = order_ranks(n, q, confidence)
    return Estimate(
        point=ordered[_rank(q, n) - 1],
        low=None if low is None else ordered[low - 1],
        high=None if high is None else ordered[high - 1],
        confidence=confidence,
        n=n,
        method=method,
        unit=unit,
        given=given,
    )


def quantile_of_runs(
    runs: Sequence[Tally], q: float, *, confidence: float = 0.95, unit: str = MICROSECONDS
) -> Estimate:
    """The quantile of the samples of all runs together, with the run as the independent unit.

    Raises:
        BadInput: q or the confidence is not between 0 and 1.
    """
    checked_share(q)
    checked_confidence(confidence)
    used = [run for run in runs if run]
    whole = merged(used)
    values = [value for value, _ in whole]
    reached = list(itertools.accumulate(count for _, count in whole))
    method = "woodruff"
    if not used:
        given: Given = (("q", q), ("samples", 0), ("runs", 0))
        return Estimate(None, None, None, confidence, 0, method, unit, given=given)
    total = reached[-1]
    point = values[bisect.bisect_left(reached, _rank(q, total))]
    pairs = [
        (
            sum(count for value, count in run if value <= point),
            sum(count for _, count in run),
        )
        for run in used
    ]
    size = _size(pairs, total, confidence)
    half = (1.0 - confidence) / 2.0
    low_share, high_share = clopper_pearson(q * size, size, confidence)
    # As in rule 3: below this size no sample is known to lie beyond the quantile.
    low = None if (1.0 - q) ** size > half else _at(values, reached, low_share, above=False)
    high = None if q**size > half else _at(values, reached, high_share, above=True)
    given = (("q", q), ("samples", total), ("runs", len(used)), ("effective", size))
    return Estimate(point, low, high, confidence, len(used), method, unit, given=given)


def _size(pairs: list[tuple[int, int]], total: int, confidence: float) -> float:
    counted = sum(pair[0] for pair in pairs)
    if counted == total:  # The point is the largest sample: no run shows how runs differ.
        return float(len(pairs))
    return effective_size(pairs, confidence)


def _at(values: list[int], reached: list[int], share: float, *, above: bool) -> int:
    """The sample at a share of all, rounded outwards."""
    rank = share * reached[-1]
    whole = math.ceil(rank) if above else math.floor(rank)
    whole = min(reached[-1], max(1, whole))
    return values[bisect.bisect_left(reached, whole)]
