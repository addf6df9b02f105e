"""Shares of runs, and shares of events when the runs, not the events, are independent.

Rule 1: the independent unit is the run. A crash loses a batch: ten events lost in one run are one
accident, not ten. An interval that counts 30 000 events of 300 runs as 30 000 trials is several
times too short, and the comparisons built on it find differences that are not there.
Rule 2: so a share of events is a ratio of two sums over runs, its error comes from how the runs
differ, and its interval is the exact one at the *effective* number of events.
Rule 3: where no run lost anything, the bound is the one for the share of runs that lose
something: an accident not seen in 300 runs happens in at most 1.2 % of them, however many events
each has. So where all runs lost the same share: at most 1.2 % of runs may lose all, or nothing.

Sources: Cochran, Sampling Techniques (1977) §2.11 and §9A (ratio estimator, clusters); Korn and
Graubard, Survey Methodology 24 (1998) 193 (effective sample size with the exact interval), which
is also how the United States' health statistics are published (NCHS, Series 2, no. 175).

Not modelled: dependence between runs, which have seeds of their own and share nothing.
"""

import math
from collections.abc import Sequence

from simulator.errors import BadInput
from simulator.stats.estimate import SHARE, Estimate, Given
from simulator.stats.intervals import (
    checked_confidence,
    checked_counts,
    clopper_pearson,
    nothing_seen,
    wilson,
)
from simulator.stats.means import agree
from simulator.stats.special import normal_quantile, student_quantile

Pair = tuple[float, float]

_METHODS = {"wilson": wilson, "clopper-pearson": clopper_pearson}


def proportion(
    successes: int, trials: int, *, confidence: float = 0.95, method: str = "wilson"
) -> Estimate:
    """The share of independent trials that succeed, such as of runs that broke a promise.

    Where none or all did, the interval is the exact one whatever the method, and the estimate is
    printed as a bound. Without a trial it cannot tell.

    Raises:
        BadInput: the counts, the confidence or the method cannot be.
    """
    checked_counts(successes, trials)
    checked_confidence(confidence)
    if method not in _METHODS:
        raise BadInput("unknown method", "proportion", method, "known: " + ", ".join(_METHODS))
    given = (("successes", successes), ("trials", trials))
    if trials == 0:
        return Estimate(None, None, None, confidence, 0, method, SHARE, given=given)
    bound = "upper" if successes == 0 else "lower" if successes == trials else "none"
    used = method if bound == "none" else "clopper-pearson"
    low, high = _METHODS[used](successes, trials, confidence)
    return Estimate(successes / trials, low, high, confidence, trials, used, SHARE, bound, given)


def share(runs: Sequence[Pair], *, confidence: float = 0.95) -> Estimate:
    """The share of units, pooled over runs, that are counted: events lost of events acknowledged.

    Args:
        runs: for each run (how many are counted, of how many); a run of (0, 0) says nothing.

    Raises:
        BadInput: a run counts more than it has, or the confidence cannot be.
    """
    checked_confidence(confidence)
    for counted, whole in runs:
        checked_counts(counted, whole)
    used = [run for run in runs if run[1] > 0]
    counted = sum(run[0] for run in used)
    whole = sum(run[1] for run in used)
    given: Given = (("counted", counted), ("of", whole), ("runs", len(used)))
    method = "korn-graubard"
    if not used:
        return Estimate(None, None, None, confidence, 0, method, SHARE, given=given)
    point = counted / whole
    if len(used) < 2 or agree(ratio_variance(used, point), point):
        # The runs that a bound allows to differ may be the largest ones: hence the factor.
        largest = max(run[1] for run in used) * len(used) / whole
        edge = min(1.0, nothing_seen(len(used), confidence) * largest)
        low, high = point * (1.0 - edge), point + (1.0 - point) * edge
        bound = "upper" if counted == 0 else "lower" if counted == whole else "none"
        return Estimate(
            point, low, high, confidence, len(used), "clopper-pearson of runs", SHARE, bound, given
        )
    size = effective_size(used, confidence)
    low, high = clopper_pearson(point * size, size, confidence)
    given = (*given, ("effective", size))
    return Estimate(point, low, high, confidence, len(used), method, SHARE, given=given)


def effective_size(runs: Sequence[Pair], confidence: float = 0.95) -> float:
    """How many independent units would give the ratio the error which the runs give it.

    At most the number of units. With a single run, or where all runs agree, the number of runs:
    nothing was seen of how runs differ.
    Runs without units are left out by the caller; the ratio must be neither 0 nor 1.
    """
    count = len(runs)
    whole = math.fsum(run[1] for run in runs)
    if count < 2:
        return float(count)
    point = math.fsum(run[0] for run in runs) / whole
    assert 0.0 < point < 1.0, f"a share of {point}"
    variance = ratio_variance(runs, point)
    if agree(variance, point):
        return float(count)
    half = (1.0 - confidence) / 2.0
    # Few runs tell little of their own variance: t instead of z, as Korn and Graubard do.
    factor = (normal_quantile(1.0 - half) / student_quantile(1.0 - half, count - 1)) ** 2
    return min(float(whole), max(1.0, factor * point * (1.0 - point) / variance))


def ratio_variance(runs: Sequence[Pair], point: float) -> float:
    """The variance of a ratio of two sums over independent runs, by linearisation."""
    count = len(runs)
    whole = math.fsum(run[1] for run in runs)
    squares = math.fsum((run[0] - point * run[1]) ** 2 for run in runs)
    return squares * count / (count - 1) / (whole * whole)


def ratio(runs: Sequence[Pair], *, unit: str = "", confidence: float = 0.95) -> Estimate:
    """A ratio of two sums over runs that need not lie below 1: requests for each event.

    The interval is Student's, of the linearised ratio. With one run, or where all runs agree, it
    is open: nothing was seen of how runs differ.

    Raises:
        BadInput: a denominator is below 0, a number is not finite, or the confidence cannot be.
    """
    checked_confidence(confidence)
    for run in runs:
        if not all(math.isfinite(value) for value in run) or run[1] < 0:
            raise BadInput("a ratio takes finite numbers over 0 or more:", "ratio", run)
    used = [run for run in runs if run[1] > 0]
    counted, whole = sum(run[0] for run in used), sum(run[1] for run in used)
    given = (("counted", counted), ("of", whole), ("runs", len(used)))
    method = "linearised ratio"
    if not used:
        return Estimate(None, None, None, confidence, 0, method, unit, given=given)
    point = counted / whole
    variance = ratio_variance(used, point) if len(used) > 1 else 0.0
    if agree(variance, point):
        return Estimate(point, None, None, confidence, len(used), method, unit, given=given)
    t = student_quantile(0.5 + confidence / 2.0, len(used) - 1)
    half = t * math.sqrt(variance)
    return Estimate(
        point, point - half, point + half, confidence, len(used), method, unit, given=given
    )
