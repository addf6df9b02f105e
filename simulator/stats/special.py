"""A few functions of mathematics that the standard library lacks, to about twelve digits.

They are here because the libraries that have them take a second to import and cannot be had in
a browser. The tests compare each with scipy.

Sources: the incomplete beta by its continued fraction with the modified Lentz method (Press et
al., Numerical Recipes, §6.4); the first guess of the normal quantile is Abramowitz and Stegun
26.2.23.
"""

import math
from collections.abc import Callable

_TINY = 1e-300
_EPSILON = 1e-15
_MOST_TERMS = 100_000


def _beta_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta; it needs about sqrt(max(a, b)) terms."""
    c = 1.0
    d = 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    result = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > _TINY else _TINY)
            c = 1.0 + term / c
            c = c if abs(c) > _TINY else _TINY
            result *= c * d
        if abs(c * d - 1.0) < _EPSILON:
            return result
    raise AssertionError(f"the incomplete beta does not settle at a={a}, b={b}, x={x}")


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta I_x(a, b): the chance that a Beta(a, b) is at most x."""
    assert a > 0, f"a={a}"
    assert b > 0, f"b={b}"
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    front = math.exp(log_front)
    # The fraction converges fast on one side of the mean only; the other is its mirror.
    if x < (a + 1.0) / (a + b + 2.0):
        return min(1.0, front * _beta_fraction(a, b, x) / a)
    return max(0.0, 1.0 - front * _beta_fraction(b, a, 1.0 - x) / b)


def _solve(function: Callable[[float], float], target: float) -> float:
    """The x of [0, 1] where a function that grows reaches the target, by halving."""
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if function(middle) < target:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def beta_quantile(a: float, b: float, probability: float) -> float:
    """The x at which I_x(a, b) is the probability."""
    assert 0.0 <= probability <= 1.0, f"probability={probability}"
    if probability == 0.0:
        return 0.0
    if probability == 1.0:
        return 1.0
    if a == 1.0:  # Closed forms: what nothing seen, and all seen, need.
        return -math.expm1(math.log1p(-probability) / b)
    if b == 1.0:
        return math.exp(math.log(probability) / a)
    return _solve(lambda x: incomplete_beta(a, b, x), probability)


def binomial_at_most(count: int, trials: int, probability: float) -> float:
    """The chance that at most `count` of `trials` independent trials succeed."""
    if count < 0:
        return 0.0
    if count >= trials:
        return 1.0
    return incomplete_beta(trials - count, count + 1, 1.0 - probability)


def normal_at_most(x: float) -> float:
    """The chance that a standard normal is at most x."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def normal_quantile(probability: float) -> float:
    """The x that a standard normal stays below with this probability."""
    assert 0.0 < probability < 1.0, f"probability={probability}"
    if probability > 0.5:
        return -normal_quantile(1.0 - probability)
    t = math.sqrt(-2.0 * math.log(probability))
    above = 2.515517 + t * (0.802853 + t * 0.010328)
    below = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    x = above / below - t
    for _ in range(3):  # Halley's steps: each triples the good digits, of which the guess has 3.
        density = math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
        step = (normal_at_most(x) - probability) / density
        x -= step / (1.0 + 0.5 * x * step)
    return x


def student_at_most(x: float, freedom: float) -> float:
    """The chance that Student's t with `freedom` degrees of freedom is at most x."""
    tail = 0.5 * incomplete_beta(0.5 * freedom, 0.5, freedom / (freedom + x * x))
    return tail if x < 0.0 else 1.0 - tail


def student_quantile(probability: float, freedom: float) -> float:
    """The x that Student's t with `freedom` degrees of freedom stays below."""
    assert 0.0 < probability < 1.0, f"probability={probability}"
    assert freedom > 0, f"freedom={freedom}"
    tail = min(probability, 1.0 - probability)
    # Whichever of x and 1 - x is small is solved for: the other has lost its digits.
    if tail < 0.25:
        x = beta_quantile(0.5 * freedom, 0.5, 2.0 * tail)
        size = math.sqrt(freedom * (1.0 - x) / x)
    else:
        rest = beta_quantile(0.5, 0.5 * freedom, 1.0 - 2.0 * tail)
        size = math.sqrt(freedom * rest / (1.0 - rest))
    return size if probability > 0.5 else -size
