"""Continuous laws as tables of integers: the same draw on every machine, Python and browser.

A libm's log, exp and cos differ in their last bit between platforms, so none is called. The tables
are made from decimal arithmetic, whose ln and exp are rounded correctly by definition, when a law
is first drawn from; a draw then only adds, multiplies and shifts integers.

1. A draw is the inverse of the distribution at u / 2**64, for a word u of 64 bits: monotone in u.
2. Between the points of a table the inverse is taken as a straight line; the points lie so densely
   that means and quantiles are right to less than 0.1 % (tests compare them with scipy).
"""

from collections.abc import Iterable, Iterator
from decimal import (
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from functools import cache, lru_cache
from itertools import pairwise, repeat
from operator import mul, rshift
from typing import Final, NamedTuple

WORD_BITS: Final = 64
WORDS: Final = 1 << WORD_BITS

CELLS: Final = 1024  # The body of a table: cells of equal width, found by a word's top ten bits.
CELL_SHIFT: Final = 54
WITHIN_SHIFT: Final = 32  # Of the 54 bits below, the top 22 say where in its cell a word lies.
WITHIN_BITS: Final = CELL_SHIFT - WITHIN_SHIFT
WITHIN_MASK: Final = (1 << WITHIN_BITS) - 1
FRACTION_BITS: Final = 16  # What a point keeps of a microsecond.
RESULT_SHIFT: Final = FRACTION_BITS + WITHIN_BITS


def parts(words: Iterable[int], count: int) -> Iterator[int]:
    """For each word in which of `count` equal parts of all words it lies, from 0.

    That is `word * count >> 64`, by iterators that run no Python code: most draws are these.
    """
    return map(rshift, map(mul, words, repeat(count)), repeat(WORD_BITS))


# Nothing is left to the process's own default context.
_CONTEXT: Final = Context(
    prec=34,
    rounding=ROUND_HALF_EVEN,
    Emin=-999_999,
    Emax=999_999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[DivisionByZero, InvalidOperation, Overflow],
)

# --- The exponential -------------------------------------------------------------------------

TAIL_BITS: Final = 6  # The last 1/64 is the tail: whoever is there waits as if anew.
TAIL_CELL: Final = CELLS - (CELLS >> TAIL_BITS)


class ExponentialTable(NamedTuple):
    """`(bases[i] + steps[i] * within) >> RESULT_SHIFT`; each visit to the tail adds `tail`."""

    bases: tuple[int, ...]
    steps: tuple[int, ...]
    tail: int


@lru_cache(maxsize=256)
def exponential_table(mean_us: int) -> ExponentialTable:
    """The waiting time without memory whose mean is `mean_us`, in whole microseconds.

    Without memory among whole numbers is the geometric law: the whole part of an exponential time
    of scale 1 / ln(1 + 1/mean) is exactly that, so that even a mean of 1 us comes out as 1.
    """
    with localcontext(_CONTEXT):
        scale = (1 << FRACTION_BITS) / (1 + 1 / Decimal(mean_us)).ln()
        points = [int(unit * scale) for unit in _unit_exponential()]
    bases = tuple(point << WITHIN_BITS for point in points[:-1])
    return ExponentialTable(bases, _steps(points), points[-1] << WITHIN_BITS)


@cache
def _unit_exponential() -> tuple[Decimal, ...]:
    """-ln(1 - i/1024), up to where the tail begins."""
    with localcontext(_CONTEXT):
        return tuple(_ln(CELLS) - _ln(CELLS - i) for i in range(TAIL_CELL + 1))


# --- The lognormal ---------------------------------------------------------------------------

EDGE_BITS: Final = 5  # The first and the last 1/32 are its tails ...
FIRST_CELL: Final = CELLS >> EDGE_BITS
LAST_CELL: Final = CELLS - FIRST_CELL
_PER_OCTAVE: Final = 16  # ... cut into sixteen pieces each time that they halve,
_DEPTH: Final = 62  # until one word in 2**62 is left.


class LognormalTable(NamedTuple):
    """The body as in ExponentialTable; in the tails, piece j begins at the word `edges[j]`.

    There the answer is `(heights[j] + rises[j] * (u - edges[j]) // widths[j]) >> FRACTION_BITS`.
    """

    bases: tuple[int, ...]
    steps: tuple[int, ...]
    edges: tuple[int, ...]
    heights: tuple[int, ...]
    rises: tuple[int, ...]
    widths: tuple[int, ...]


@lru_cache(maxsize=256)
def lognormal_table(median_us: int, sigma: float) -> LognormalTable:
    """`median_us` * exp(sigma * z) for a standard normal z, to the nearest microsecond."""
    low, body, high = _unit_lognormal(sigma)
    half = 1 << (FRACTION_BITS - 1)

    def scaled(units: tuple[int, ...]) -> list[int]:
        return [(unit * median_us >> (_UNIT_BITS - FRACTION_BITS)) + half for unit in units]

    # The word 0 is the fastest: 0. The last piece is flat.
    below = [half, *scaled(low)]
    points = scaled(body)
    above = scaled(high)
    above.append(above[-1])
    edges_below = [0, *_tail_edges()]
    edges_above = [WORDS - edge for edge in reversed(edges_below)]
    pieces = [*_pieces(edges_below, below), *_pieces(edges_above, above)]
    unused = (0,) * FIRST_CELL  # The cells of the low tail, so that a cell's number is its index.
    edges, heights, rises, widths = zip(*pieces, strict=True)
    return LognormalTable(
        (*unused, *(point << WITHIN_BITS for point in points[:-1])),
        (*unused, *_steps(points)),
        edges,
        heights,
        rises,
        widths,
    )


def lognormal_mean(median_us: int, sigma: float) -> float:
    """`median_us` * exp(sigma**2 / 2)."""
    with localcontext(_CONTEXT):
        return float(median_us * (Decimal(sigma) ** 2 / 2).exp())


_UNIT_BITS: Final = 80


@lru_cache(maxsize=64)
def _unit_lognormal(sigma: float) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """exp(sigma * z) in units of 2**-80: along the low tail, the body and the high tail."""
    low, body = _normal_quantiles()
    high = tuple(-z for z in reversed(low))
    with localcontext(_CONTEXT):
        spread, one = Decimal(sigma), Decimal(1 << _UNIT_BITS)
        return (
            tuple(int((spread * z).exp() * one) for z in low),
            tuple(int((spread * z).exp() * one) for z in body),
            tuple(int((spread * z).exp() * one) for z in high),
        )


@cache
def _normal_quantiles() -> tuple[tuple[Decimal, ...], tuple[Decimal, ...]]:
    """The normal quantile at the low tail's edges, and at the edges of the body's cells."""
    with localcontext(_CONTEXT):
        low = tuple(_normal_quantile(n, halvings) for n, halvings in _tail_fractions())
        left = [_normal_quantile(i, 10) for i in range(FIRST_CELL, CELLS // 2)]
    return low, (*left, Decimal(0), *(-z for z in reversed(left)))


@cache
def _tail_fractions() -> tuple[tuple[int, int], ...]:
    """The edges of the low tail's pieces, ascending, each n / 2**halvings."""
    octaves = range(_DEPTH, EDGE_BITS, -1)
    return (
        *((_PER_OCTAVE + i, octave + 4) for octave in octaves for i in range(_PER_OCTAVE)),
        (1, EDGE_BITS),
    )


def _tail_edges() -> list[int]:
    return [(n << WORD_BITS) >> halvings for n, halvings in _tail_fractions()]


def _pieces(edges: list[int], heights: list[int]) -> list[tuple[int, int, int, int]]:
    """Edge, height, rise and width of each piece between one edge and the next."""
    return [
        (edge, height, heights[j + 1] - height, edges[j + 1] - edge)
        for j, (edge, height) in enumerate(zip(edges[:-1], heights[:-1], strict=True))
    ]


def _steps(points: list[int]) -> tuple[int, ...]:
    return tuple(after - before for before, after in pairwise(points))


# --- Functions -------------------------------------------------------------------------------


@cache
def _ln(n: int) -> Decimal:
    """The natural logarithm of a whole number."""
    return Decimal(n).ln(_CONTEXT)


# Wichura, Algorithm AS 241: The Percentage Points of the Normal Distribution, Applied Statistics
# 37 (1988), routine PPND16: right to about one part in 10**16. Highest power first.
_CENTRE_ABOVE = """
    2509.0809287301226727 33430.575583588128105 67265.770927008700853 45921.953931549871457
    13731.693765509461125 1971.5909503065514427 133.14166789178437745 3.3871328727963666080
"""
_CENTRE_BELOW = """
    5226.4952788528545610 28729.085735721942674 39307.895800092710610 21213.794301586595867
    5394.1960214247511077 687.18700749205790830 42.313330701600911252 1
"""
_NEAR_TAIL_ABOVE = """
    7.74545014278341407640e-4 2.27238449892691845833e-2 2.41780725177450611770e-1
    1.27045825245236838258 3.64784832476320460504 5.76949722146069140550
    4.63033784615654529590 1.42343711074968357734
"""
_NEAR_TAIL_BELOW = """
    1.05075007164441684324e-9 5.47593808499534494600e-4 1.51986665636164571966e-2
    1.48103976427480074590e-1 6.89767334985100004550e-1 1.67638483018380384940
    2.05319162663775882187 1
"""
_FAR_TAIL_ABOVE = """
    2.01033439929228813265e-7 2.71155556874348757815e-5 1.24266094738807843860e-3
    2.65321895265761230930e-2 2.96560571828504891230e-1 1.78482653991729133580
    5.46378491116411436990 6.65790464350110377720
"""
_FAR_TAIL_BELOW = """
    2.04426310338993978564e-15 1.42151175831644588870e-7 1.84631831751005468180e-5
    7.86869131145613259100e-4 1.48753612908506148525e-2 1.36929880922735805310e-1
    5.99832206555887937690e-1 1
"""


def _normal_quantile(n: int, halvings: int) -> Decimal:
    """The standard normal's quantile at n / 2**halvings, which is at most a half."""
    q = Decimal(n) / (1 << halvings) - Decimal("0.5")
    if abs(q) <= Decimal("0.425"):
        return q * _ratio(_CENTRE_ABOVE, _CENTRE_BELOW, Decimal("0.180625") - q * q)
    r = (halvings * _ln(2) - _ln(n)).sqrt()
    if r <= 5:
        return -_ratio(_NEAR_TAIL_ABOVE, _NEAR_TAIL_BELOW, r - Decimal("1.6"))
    return -_ratio(_FAR_TAIL_ABOVE, _FAR_TAIL_BELOW, r - 5)


def _ratio(above: str, below: str, x: Decimal) -> Decimal:
    return _polynomial(above, x) / _polynomial(below, x)


@cache
def _coefficients(text: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(number) for number in text.split())


def _polynomial(text: str, x: Decimal) -> Decimal:
    total = Decimal(0)
    for coefficient in _coefficients(text):
        total = total * x + coefficient
    return total
