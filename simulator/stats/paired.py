"""Differences under common random numbers: the same seeds with one thing changed.

Rule 1: run i of one side and run i of the other share their seed, so that what both suffer
cancels. `variance_reduction` says how many times more runs independent seeds would have needed.
Rule 2: a difference is `other - base`: above zero, the other has more.
Rule 3: where no pair differs there is still an interval: pairs that differ may be as frequent as
the bound for nothing seen allows.
Rule 4: no p-value is smaller than the runs that differ allow: with k of them, 2 to the power
1 - k, whatever a formula says. Of n shares that all differ by the same d it is 2 (1 + d)**-n: the
interval of rule 3 then leaves zero out exactly where the p-value says that there is a difference.

Sources: Tango, Statistics in Medicine 17 (1998) 891 (score interval of a paired difference, of
good coverage with few or no discordant pairs: Fagerland, Lydersen and Laake, ibid. 33 (2014)
2850); McNemar, Psychometrika 12 (1947) 153, in its exact form; Law, Simulation Modeling and
Analysis (2015) §11.2 (common random numbers).
"""

import math
from collections.abc import Sequence

import attrs

from simulator.errors import BadInput
from simulator.stats.estimate import SHARE, Estimate
from simulator.stats.intervals import checked_confidence, checked_counts, nothing_seen
from simulator.stats.means import agree, variance
from simulator.stats.proportions import Pair
from simulator.stats.special import (
    binomial_at_most,
    normal_quantile,
    student_at_most,
    student_quantile,
)


@attrs.frozen
class Difference:
    """A paired difference: its estimate, its p-value, and what pairing was worth.

    Args:
        estimate: other - base.
        p_value: of the hypothesis that there is none; 1 when nothing can be said.
        differing: how many runs differ between the sides.
        variance_reduction: variance with independent seeds over variance with common ones; None
            where either is zero.
    """

    estimate: Estimate
    p_value: float
    differing: int
    variance_reduction: float | None = None


def _same_length(base: Sequence[object], other: Sequence[object]) -> int:
    if len(base) != len(other):
        fix = "the same seeds on both sides"
        raise BadInput("pairs want as many runs of each:", "", (len(base), len(other)), fix)
    return len(base)


def mcnemar_exact(only_base: int, only_other: int) -> float:
    """The two-sided p-value of McNemar's exact test, from the two kinds of pairs that differ."""
    total = only_base + only_other
    if not total:
        return 1.0
    return min(1.0, 2.0 * binomial_at_most(min(only_base, only_other), total, 0.5))


def tango(
    only_other: int, only_base: int, pairs: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Tango's score interval of a paired difference of proportions (other - base).

    Raises:
        BadInput: the counts or the confidence cannot be.
    """
    checked_counts(only_other + only_base, pairs)
    z = normal_quantile(0.5 + checked_confidence(confidence) / 2.0)
    if not pairs:
        return -1.0, 1.0
    low = _tango_low(only_other, only_base, pairs, z)
    return low, -_tango_low(only_base, only_other, pairs, z)


def _tango_low(more: int, less: int, pairs: int, z: float) -> float:
    """The difference below the observed one at which the score statistic reaches z."""
    low, high = -1.0, (more - less) / pairs
    if low == high:
        return low
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if _tango_score(more, less, pairs, middle) > z:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _tango_score(more: int, less: int, pairs: int, delta: float) -> float:
    """The score statistic of the hypothesis that the difference is `delta`."""
    # The likeliest share of pairs that differ downwards, if the difference were delta.
    a = 2.0 * pairs
    b = -more - less + (2.0 * pairs - more + less) * delta
    c = -less * delta * (1.0 - delta)
    down = (math.sqrt(max(0.0, b * b - 4.0 * a * c)) - b) / (2.0 * a)
    spread = pairs * (2.0 * down + delta * (1.0 - delta))
    distance = more - less - pairs * delta
    if spread <= 0.0:
        return math.inf if distance > 0 else 0.0
    return distance / math.sqrt(spread)


def paired_proportions(
    base: Sequence[bool], other: Sequence[bool], *, confidence: float = 0.95
) -> Difference:
    """The difference of two shares of runs, such as of runs that lost anything.

    Raises:
        BadInput: the sides differ in length, or the confidence cannot be.
    """
    count = _same_length(base, other)
    checked_confidence(confidence)
    only_base = sum(1 for b, o in zip(base, other, strict=True) if b and not o)
    only_other = sum(1 for b, o in zip(base, other, strict=True) if o and not b)
    given = (("only other", only_other), ("only base", only_base), ("pairs", count))
    if not count:
        empty = Estimate(None, None, None, confidence, 0, "tango", SHARE, given=given)
        return Difference(empty, 1.0, 0)
    low, high = tango(only_other, only_base, count, confidence)
    point = (only_other - only_base) / count
    estimate = Estimate(point, low, high, confidence, count, "tango", SHARE, given=given)
    differences = [float(o) - float(b) for b, o in zip(base, other, strict=True)]
    reduction = _reduction(
        variance([float(b) for b in base]),
        variance([float(o) for o in other]),
        variance(differences),
    )
    differing = only_base + only_other
    return Difference(estimate, mcnemar_exact(only_base, only_other), differing, reduction)


def paired_means(
    base: Sequence[float], other: Sequence[float], *, unit: str = "", confidence: float = 0.95
) -> Difference:
    """The difference of two means of one number a run, by Student's t over the pairs.

    Raises:
        BadInput: the sides differ in length, or the confidence cannot be.
    """
    _same_length(base, other)
    checked_confidence(confidence)
    differences = [o - b for b, o in zip(base, other, strict=True)]
    return _student(
        differences,
        _reduction(variance(base), variance(other), variance(differences)),
        unit=unit,
        confidence=confidence,
        method="paired student",
        edge=None,
    )


def paired_shares(
    base: Sequence[Pair],
    other: Sequence[Pair],
    *,
    unit: str = SHARE,
    confidence: float = 0.95,
) -> Difference:
    """The difference of two ratios of sums over runs, such as of shares of events lost.

    Each ratio is linearised, so that a run has one number on each side and the pairs are judged
    as means are. Runs that have no units on either side are left out.

    Raises:
        BadInput: the sides differ in length, or the confidence cannot be.
    """
    _same_length(base, other)
    checked_confidence(confidence)
    kept = [(b, o) for b, o in zip(base, other, strict=True) if b[1] > 0 and o[1] > 0]
    count = len(kept)
    method = "paired linearised ratios"
    if not count:
        empty = Estimate(None, None, None, confidence, 0, method, unit)
        return Difference(empty, 1.0, 0)
    base_point, base_parts = _linearised([pair[0] for pair in kept])
    other_point, other_parts = _linearised([pair[1] for pair in kept])
    differences = [o - b for b, o in zip(base_parts, other_parts, strict=True)]
    edge = nothing_seen(count, confidence) if unit == SHARE else None
    differing = sum(1 for b, o in kept if b[0] * o[1] != o[0] * b[1])
    result = _student(
        differences,
        _reduction(variance(base_parts), variance(other_parts), variance(differences)),
        unit=unit,
        confidence=confidence,
        method=method,
        edge=edge,
        shift=other_point - base_point,
        differing=differing,
    )
    if unit != SHARE or result.estimate.low is None or result.estimate.high is None:
        return result
    low, high = max(-1.0, result.estimate.low), min(1.0, result.estimate.high)
    return attrs.evolve(result, estimate=attrs.evolve(result.estimate, low=low, high=high))


def _linearised(runs: Sequence[Pair]) -> tuple[float, list[float]]:
    """The ratio, and each run's part in its error: their mean is 0, their spread the ratio's."""
    whole = math.fsum(run[1] for run in runs)
    point = math.fsum(run[0] for run in runs) / whole
    mean_size = whole / len(runs)
    return point, [(run[0] - point * run[1]) / mean_size for run in runs]


def _reduction(base: float, other: float, differences: float) -> float | None:
    if differences <= 0.0 or base + other <= 0.0:
        return None
    return (base + other) / differences


def _alike(point: float, edge: float | None) -> tuple[float | None, float | None]:
    """The interval where all pairs agree: up to `edge` of all pairs may do anything else."""
    if edge is None:
        return None, None
    return point - edge * (1.0 + point), point + edge * (1.0 - point)


def _student(
    differences: Sequence[float],
    reduction: float | None,
    *,
    unit: str,
    confidence: float,
    method: str,
    edge: float | None,
    shift: float = 0.0,
    differing: int | None = None,
) -> Difference:
    """The mean of paired differences.

    Args:
        edge: how frequent unseen runs may be, where a difference lies within -1 and 1.
        shift: what is added to the mean: linearised parts have none of their own.
        differing: how many runs differ, where the differences themselves do not show it.
    """
    count = len(differences)
    if differing is None:
        differing = sum(1 for value in differences if value != 0)
    given = (("pairs", count), ("differing", differing))
    if not count:
        empty = Estimate(None, None, None, confidence, 0, method, unit, given=given)
        return Difference(empty, 1.0, 0)
    point = math.fsum(differences) / count + shift
    spread = variance(differences)
    least = min(1.0, 2.0 ** (1 - differing))
    if count < 2 or agree(spread, point):
        low, high = _alike(point, edge)
        alike = Estimate(point, low, high, confidence, count, method, unit, given=given)
        reached = 0.0 if edge is None else min(1.0, 2.0 * (1.0 + abs(point)) ** -count)
        return Difference(alike, max(reached, least), differing, reduction)
    error = math.sqrt(spread / count)
    half = student_quantile(0.5 + confidence / 2.0, count - 1) * error
    p_value = 2.0 * student_at_most(-abs(point) / error, count - 1)
    estimate = Estimate(
        point, point - half, point + half, confidence, count, method, unit, given=given
    )
    return Difference(estimate, max(p_value, least), differing, reduction)
