"""How probable each answer at a site is, as frozen values.

What all laws share stands in drawn.py, the laws of delays in delays.py. `grid` holds the few
answers that a search over small scopes tries.
"""

from collections.abc import Iterator, Sequence
from itertools import repeat

import attrs

from simulator.chance.delays import Constant, Empirical, Exponential, Lognormal, Uniform
from simulator.chance.drawn import Drawn, refuse
from simulator.chance.tables import WORDS, parts

__all__ = [
    "Bernoulli",
    "Constant",
    "Copies",
    "Delay",
    "Empirical",
    "Exponential",
    "Law",
    "Lognormal",
    "Pick",
    "Uniform",
    "constant",
    "empirical",
    "exponential",
    "lognormal",
    "uniform",
]


@attrs.frozen
class Bernoulli(Drawn):
    """1 with probability `p`, else 0.

    Raises:
        BadInput: p is no number from 0 to 1.
    """

    p: float = attrs.field()

    @p.validator
    def _check(self, _: "attrs.Attribute[float]", p: object) -> None:
        if type(p) not in (int, float) or not 0 <= p <= 1:  # type: ignore[operator]
            fix = "five percent is 0.05"
            refuse("bernoulli.p", "must be a probability from 0 to 1", p, fix)

    @property
    def certain(self) -> bool:
        """Whether p is 0 or 1."""
        return self.p in (0, 1)

    @property
    def benign(self) -> int:
        """0, unless it is certain to happen; a run asks it of hundreds of sites."""
        return int(self.p == 1)

    def draws(self, words: Iterator[int]) -> Iterator[int]:
        """1 for the highest words: as many as p asks for, and at least one."""
        if self.certain:
            yield from repeat(int(self.p))
        # Exact: a float times a power of two loses nothing.
        first = WORDS - max(1, int(self.p * WORDS))
        for word in words:
            yield 1 if word >= first else 0

    def from_byte(self, byte: int) -> int:
        """1 for the highest bytes: the share nearest to p, but at least one byte of the 256.

        However small p is, a byte must be able to say that it happens.
        """
        if self.certain:
            return int(self.p)
        return int(byte >= 256 - min(255, max(1, round(256 * self.p))))

    def allows(self, value: int) -> bool:
        """Whether it can be an answer; a plan may ask for a fault where p is 0."""
        return value in (0, 1)

    @property
    def grid(self) -> Sequence[int]:
        """Both answers, or the certain one."""
        return (self.benign,) if self.certain else (0, 1)

    def probability(self, value: int) -> float:
        """Of this answer."""
        return {0: 1 - self.p, 1: self.p}.get(value, 0.0)

    @property
    def mean(self) -> float:
        """P itself."""
        return float(self.p)


@attrs.frozen
class Copies(Bernoulli):
    """A second copy with probability `p`: 0 is none, 1 is one at once; a plan may ask for 1 + late
    microseconds.
    """

    def allows(self, value: int) -> bool:
        """Whether it can be an answer; a plan may ask for a copy that comes late."""
        return value >= 0


@attrs.frozen
class Pick(Drawn):
    """One of 0 .. n-1, each as probable as any other.

    Raises:
        BadInput: n is no whole number from 1.
    """

    n: int = attrs.field()

    @n.validator
    def _check(self, _: "attrs.Attribute[int]", n: object) -> None:
        if type(n) is not int or n < 1:
            refuse("pick.n", "must be a whole number from 1", n)

    @property
    def certain(self) -> bool:
        """Whether there is but one."""
        return self.n == 1

    def draws(self, words: Iterator[int]) -> Iterator[int]:
        """The words in n equal parts."""
        return parts(repeat(0) if self.certain else words, self.n)

    def allows(self, value: int) -> bool:
        """Whether it can be an answer."""
        return 0 <= value < self.n

    @property
    def grid(self) -> Sequence[int]:
        """All of them."""
        return range(self.n)

    def probability(self, value: int) -> float:
        """Of this answer."""
        return 1 / self.n if self.allows(value) else 0.0

    @property
    def mean(self) -> float:
        """Of the answers."""
        return (self.n - 1) / 2


Delay = Constant | Uniform | Exponential | Lognormal | Empirical
Law = Bernoulli | Pick | Delay


# As they are written in a scenario: `latency=uniform(500, 2_000)`.
constant = Constant
uniform = Uniform
exponential = Exponential
lognormal = Lognormal
empirical = Empirical
