"""How probable each answer at a site is, as frozen values.

1. An answer is a whole number from 0, and 0 is the benign one: no fault, the first of several,
   the fastest. The answer of a delay law is the time above its `floor_us`.
2. `draws` turns words of 64 random bits into answers by the inverse of the distribution: monotone,
   and 0 for the word 0.
3. A law with only one outcome is `certain`: nothing is drawn for it. Its one answer need not be 0
   (a loss of probability 1).
4. `grid` holds the few answers that a search over small scopes tries.
"""

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import NoReturn

import attrs

from simulator.chance import tables
from simulator.errors import BadInput

WORDS = tables.WORDS


def _refuse(where: str, rule: str, value: object, fix: str = "") -> NoReturn:
    raise BadInput(f"{rule}: None" if value is None else f"{rule}:", where, value, fix)


def _whole_us(instance: object, field: "attrs.Attribute[int]", value: object) -> None:
    if type(value) is not int or value < 0:
        where = f"{type(instance).__name__.lower()}.{field.name}"
        _refuse(where, "must be whole microseconds from 0", value, "a millisecond is 1_000")


@attrs.frozen
class _Law(ABC):
    """What all laws share; not for use by itself."""

    @property
    def benign(self) -> int:
        """The answer when chance is left out: 0, or the one outcome of a certain law."""
        return next(self.draws(iter((0,))))

    @property
    @abstractmethod
    def certain(self) -> bool:
        """Whether there is only one outcome."""

    @abstractmethod
    def draws(self, words: Iterator[int]) -> Iterator[int]:
        """An answer for each word of 64 bits."""

    def from_bits(self, word: int) -> int:
        """The answer for one word: monotone in it, and 0 for 0 unless the law is certain."""
        assert 0 <= word < WORDS, f"no word of 64 bits: {word!r}"
        return next(self.draws(iter((word,))))

    def from_byte(self, byte: int) -> int:
        """The answer for one byte, taken as a word's highest eight bits; 0 for 0."""
        return self.from_bits(byte << 56)


# --- Faults and choices ----------------------------------------------------------------------


@attrs.frozen
class Bernoulli(_Law):
    """1 with probability `p`, else 0.

    Raises:
        BadInput: p is no number from 0 to 1.
    """

    p: float = attrs.field()

    @p.validator
    def _check(self, _: "attrs.Attribute[float]", p: object) -> None:
        if type(p) not in (int, float) or not 0 <= p <= 1:  # type: ignore[operator]
            fix = "five percent is 0.05"
            _refuse("bernoulli.p", "must be a probability from 0 to 1", p, fix)

    @property
    def certain(self) -> bool:
        """Whether p is 0 or 1."""
        return self.p in (0, 1)

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
class Pick(_Law):
    """One of 0 .. n-1, each as probable as any other.

    Raises:
        BadInput: n is no whole number from 1.
    """

    n: int = attrs.field()

    @n.validator
    def _check(self, _: "attrs.Attribute[int]", n: object) -> None:
        if type(n) is not int or n < 1:
            _refuse("pick.n", "must be a whole number from 1", n)

    @property
    def certain(self) -> bool:
        """Whether there is but one."""
        return self.n == 1

    def draws(self, words: Iterator[int]) -> Iterator[int]:
        """The words in n equal parts."""
        n = self.n
        for word in repeat(0) if self.certain else words:
            yield word * n >> 64

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


# --- Delays ----------------------------------------------------------------------------------


@attrs.frozen
class _Delay(_Law):
    """What all delay laws share; not for use by itself."""

    def allows(self, value: int) -> bool:
        """Whether it can be an answer: any time, for a plan may ask for a longer one."""
        return value >= 0

    @property
    def grid(self) -> Sequence[int]:
        """The fastest answer, the median and the 99 % quantile; each once."""
        if self.certain:
            return (self.benign,)
        answers = (0, self.from_bits(WORDS // 2), self.from_bits(WORDS // 100 * 99))
        return tuple(dict.fromkeys(answers))

    def probability(self, value: int) -> float | None:
        """Of this answer; None where the law is not finite, and only a grid can be enumerated."""
        if self.certain:
            return float(value == self.benign)
        return None


@attrs.frozen
class Constant(_Delay):
    """Always `us` microseconds."""

    us: int = attrs.field(validator=_whole_us)

    @property
    def floor_us(self) -> int:
        """All of it."""
        return self.us

    @property
    def certain(self) -> bool:
        """It is."""
        return True

    def draws(self, _: Iterator[int]) -> Iterator[int]:
        """0 above the floor."""
        return repeat(0)

    @property
    def mean(self) -> float:
        """0 above the floor."""
        return 0.0


@attrs.frozen
class Uniform(_Delay):
    """Any whole number of microseconds from `low_us` to `high_us`, both included."""

    low_us: int = attrs.field(validator=_whole_us)
    high_us: int = attrs.field(validator=_whole_us)

    def __attrs_post_init__(self) -> None:
        if self.high_us < self.low_us:
            rule = f"must not be below low_us = {self.low_us}"
            _refuse("uniform.high_us", rule, self.high_us)

    @property
    def floor_us(self) -> int:
        """The lowest."""
        return self.low_us

    @property
    def certain(self) -> bool:
        """Whether low and high are one."""
        return self.low_us == self.high_us

    def draws(self, words: Iterator[int]) -> Iterator[int]:
        """The words in equal parts."""
        count = self.high_us - self.low_us + 1
        for word in repeat(0) if self.certain else words:
            yield word * count >> 64

    def probability(self, value: int) -> float:
        """Of this answer above the floor."""
        count = self.high_us - self.low_us + 1
        return 1 / count if 0 <= value < count else 0.0

    @property
    def mean(self) -> float:
        """Above the floor."""
        return (self.high_us - self.low_us) / 2


@attrs.frozen
class Exponential(_Delay):
    """`floor_us`, and above it a time without memory whose mean is `mean_us`."""

    mean_us: int = attrs.field(validator=_whole_us)
    floor_us: int = attrs.field(default=0, validator=_whole_us)

    @property
    def certain(self) -> bool:
        """Whether the mean is 0."""
        return self.mean_us == 0

    def draws(self, words: Iterator[int]) -> Iterator[int]:
        """Through a table; in its tail, the wait begins anew with the bits that are left."""
        if self.certain:
            yield from repeat(0)
        bases, steps, tail = tables.exponential_table(self.mean_us)
        tail_cell, mask, shift = tables.TAIL_CELL, tables.WITHIN_MASK, tables.RESULT_SHIFT
        for word in words:
            cell = word >> 54
            if cell < tail_cell:
                yield (bases[cell] + steps[cell] * ((word >> 32) & mask)) >> shift
                continue
            waited, rest = 0, word
            while cell >= tail_cell:
                waited += tail
                rest = (rest << tables.TAIL_BITS) & (WORDS - 1)
                cell = rest >> 54
            yield (waited + bases[cell] + steps[cell] * ((rest >> 32) & mask)) >> shift

    @property
    def mean(self) -> float:
        """Above the floor."""
        return float(self.mean_us)


SIGMA_MAX = 5.0  # Its mean is already 268 000 times its median.


@attrs.frozen
class Lognormal(_Delay):
    """`floor_us`, and above it a time whose logarithm is normal, with the deviation `sigma`.

    Half of the times lie below `median_us`; 0.5 is the sigma of an orderly network, 1 that of a
    long tail.
    """

    median_us: int = attrs.field(validator=_whole_us)
    sigma: float = attrs.field()
    floor_us: int = attrs.field(default=0, validator=_whole_us)

    @sigma.validator
    def _check(self, _: "attrs.Attribute[float]", sigma: object) -> None:
        if type(sigma) not in (int, float) or not 0 <= sigma <= SIGMA_MAX:  # type: ignore[operator]
            _refuse("lognormal.sigma", f"must be a number from 0 to {SIGMA_MAX:g}", sigma)

    @property
    def certain(self) -> bool:
        """Whether there is no spread: then the median is all."""
        return self.median_us == 0 or self.sigma == 0

    def draws(self, words: Iterator[int]) -> Iterator[int]:
        """Through a table; its tails are cut more and more finely."""
        if self.certain:
            yield from repeat(self.median_us)
        bases, steps, edges, heights, rises, widths = tables.lognormal_table(
            self.median_us, self.sigma
        )
        first, last = tables.FIRST_CELL, tables.LAST_CELL
        mask, shift = tables.WITHIN_MASK, tables.RESULT_SHIFT
        for word in words:
            cell = word >> 54
            if first <= cell < last:
                yield (bases[cell] + steps[cell] * ((word >> 32) & mask)) >> shift
                continue
            j = bisect_right(edges, word) - 1
            yield (heights[j] + rises[j] * (word - edges[j]) // widths[j]) >> tables.FRACTION_BITS

    @property
    def mean(self) -> float:
        """Above the floor."""
        return tables.lognormal_mean(self.median_us, self.sigma)


def _sorted_us(values_us: object) -> tuple[int, ...]:
    if not isinstance(values_us, tuple | list | range):
        _refuse("empirical.values_us", "must be a list of microseconds", values_us)
    if not values_us:
        _refuse("empirical.values_us", "must hold at least one delay", values_us)
    for value in values_us:
        if type(value) is not int or value < 0:
            fix = "a millisecond is 1_000"
            _refuse("empirical.values_us", "must be whole microseconds from 0", value, fix)
    return tuple(sorted(values_us))


@attrs.frozen
class Empirical(_Delay):
    """One of the delays that were measured, each as probable as any other."""

    values_us: tuple[int, ...] = attrs.field(converter=_sorted_us)

    @property
    def floor_us(self) -> int:
        """The shortest."""
        return self.values_us[0]

    @property
    def certain(self) -> bool:
        """Whether all are alike."""
        return self.values_us[0] == self.values_us[-1]

    def draws(self, words: Iterator[int]) -> Iterator[int]:
        """The words in as many parts as there are values, the shortest first."""
        above = tuple(value - self.floor_us for value in self.values_us)
        count = len(above)
        for word in repeat(0) if self.certain else words:
            yield above[word * count >> 64]

    def probability(self, value: int) -> float:
        """Of this answer above the floor."""
        return self.values_us.count(value + self.floor_us) / len(self.values_us)

    @property
    def mean(self) -> float:
        """Above the floor."""
        return math.fsum(self.values_us) / len(self.values_us) - self.floor_us


Delay = Constant | Uniform | Exponential | Lognormal | Empirical
Law = Bernoulli | Pick | Delay


# As they are written in a scenario: `latency=uniform(500, 2_000)`.
constant = Constant
uniform = Uniform
exponential = Exponential
lognormal = Lognormal
empirical = Empirical
