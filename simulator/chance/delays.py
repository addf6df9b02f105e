"""How long things take: laws whose answers are microseconds above the law's `floor_us`.

`grid` holds the few answers that a search over small scopes tries.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import repeat

import attrs

from simulator.chance import tables
from simulator.chance.drawn import Drawn, refuse, whole_us


@attrs.frozen
class _Delay(Drawn):
    """What all delay laws share; not for use by itself."""

    def allows(self, value: int) -> bool:
        """Whether it can be an answer: any time, for a plan may ask for a longer one."""
        return value >= 0

    @property
    def grid(self) -> Sequence[int]:
        """The fastest answer, the median and the 99 % quantile; each once."""
        if self.certain:
            return (self.benign,)
        answers = (0, self.from_bits(tables.WORDS // 2), self.from_bits(tables.WORDS // 100 * 99))
        return tuple(dict.fromkeys(answers))

    def probability(self, value: int) -> float | None:
        """Of this answer; None where the law is not finite, and only a grid can be enumerated."""
        if self.certain:
            return float(value == self.benign)
        return None


@attrs.frozen
class Constant(_Delay):
    """Always `us` microseconds."""

    us: int = attrs.field(validator=whole_us)

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

    low_us: int = attrs.field(validator=whole_us)
    high_us: int = attrs.field(validator=whole_us)

    def __attrs_post_init__(self) -> None:
        if self.high_us < self.low_us:
            rule = f"must not be below low_us = {self.low_us}"
            refuse("uniform.high_us", rule, self.high_us)

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
        return tables.parts(repeat(0) if self.certain else words, count)

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

    mean_us: int = attrs.field(validator=whole_us)
    floor_us: int = attrs.field(default=0, validator=whole_us)

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
                rest = (rest << tables.TAIL_BITS) & (tables.WORDS - 1)
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

    median_us: int = attrs.field(validator=whole_us)
    sigma: float = attrs.field()
    floor_us: int = attrs.field(default=0, validator=whole_us)

    @sigma.validator
    def _check(self, _: "attrs.Attribute[float]", sigma: object) -> None:
        if type(sigma) not in (int, float) or not 0 <= sigma <= SIGMA_MAX:  # type: ignore[operator]
            refuse("lognormal.sigma", f"must be a number from 0 to {SIGMA_MAX:g}", sigma)

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
        refuse("empirical.values_us", "must be a list of microseconds", values_us)
    if not values_us:
        refuse("empirical.values_us", "must hold at least one delay", values_us)
    for value in values_us:
        if type(value) is not int or value < 0:
            fix = "a millisecond is 1_000"
            refuse("empirical.values_us", "must be whole microseconds from 0", value, fix)
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
