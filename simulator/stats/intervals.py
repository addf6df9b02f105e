"""Bounds for a proportion, as pairs of numbers between 0 and 1.

Rule 1: nothing seen is a bound, not a zero. With 0 of 300 the exact interval ends at 1.2 %.
Rule 2: the exact interval (Clopper-Pearson) covers at least as often as it says; Wilson's covers
about as often, and is shorter.

Sources: Clopper and Pearson, Biometrika 26 (1934) 404; Wilson, JASA 22 (1927) 209; Brown, Cai
and DasGupta, Statistical Science 16 (2001) 101, who say which to use when.
"""

import math

from simulator.errors import BadInput
from simulator.stats.special import beta_quantile, normal_quantile


def checked_confidence(confidence: float) -> float:
    """The confidence itself.

    Raises:
        BadInput: it is not strictly between 0 and 1.
    """
    number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    if not number or not 0.0 < confidence < 1.0:
        raise BadInput("a confidence lies between 0 and 1:", "", confidence, "such as 0.95")
    return float(confidence)


def checked_counts(successes: float, trials: float) -> None:
    """Nothing, if 0 <= successes <= trials.

    Raises:
        BadInput: the counts are not counts of a part and its whole.
    """
    if not (math.isfinite(successes) and math.isfinite(trials)) or successes < 0:
        raise BadInput("a count is 0 or more:", "proportion", (successes, trials))
    if successes > trials:
        raise BadInput("more successes than trials:", "proportion", (successes, trials))


def wilson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval; without a trial, all of [0, 1].

    Raises:
        BadInput: the counts or the confidence cannot be.
    """
    checked_counts(successes, trials)
    alpha = 1.0 - checked_confidence(confidence)
    if trials == 0:
        return 0.0, 1.0
    z = normal_quantile(1.0 - alpha / 2.0)
    share = successes / trials
    spread = z * z / trials
    middle = (share + spread / 2.0) / (1.0 + spread)
    root = math.sqrt(share * (1.0 - share) * spread + spread * spread / 4.0)
    half = root / (1.0 + spread)
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == trials else min(1.0, middle + half)
    return low, high


def clopper_pearson(
    successes: float, trials: float, confidence: float = 0.95
) -> tuple[float, float]:
    """The exact interval of Clopper and Pearson; without a trial, all of [0, 1].

    The counts need not be whole: an effective number of trials is not (see proportions).

    Raises:
        BadInput: the counts or the confidence cannot be.
    """
    checked_counts(successes, trials)
    half = (1.0 - checked_confidence(confidence)) / 2.0
    if trials == 0:
        return 0.0, 1.0
    low = 0.0
    if successes > 0:
        low = beta_quantile(successes, trials - successes + 1.0, half)
    high = 1.0
    if successes < trials:
        high = beta_quantile(successes + 1.0, trials - successes, 1.0 - half)
    return low, high


def nothing_seen(trials: float, confidence: float = 0.95) -> float:
    """How large a share may be that was not seen once in so many trials.

    The upper end of the exact two-sided interval, so that a zero and a one are judged alike.

    Raises:
        BadInput: the trials or the confidence cannot be.
    """
    return clopper_pearson(0, trials, confidence)[1]
