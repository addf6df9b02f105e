"""What all laws share: they turn words of 64 random bits into answers.

1. An answer is a whole number from 0, and 0 is the benign one: no fault, the first of several,
   the fastest.
2. `draws` takes the inverse of the distribution: monotone in the word, and 0 for the word 0.
3. A law with only one outcome is `certain`: nothing is drawn for it. Its one answer need not be 0
   (a loss of probability 1).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from typing import NoReturn

import attrs

from simulator.chance.tables import WORDS
from simulator.errors import BadInput


def refuse(where: str, rule: str, value: object, fix: str = "") -> NoReturn:
    """Raise the BadInput of one parameter of a law."""
    raise BadInput(f"{rule}: None" if value is None else f"{rule}:", where, value, fix)


def whole_us(instance: object, field: "attrs.Attribute[int]", value: object) -> None:
    """A validator: whole microseconds from 0."""
    if type(value) is not int or value < 0:
        where = f"{type(instance).__name__.lower()}.{field.name}"
        refuse(where, "must be whole microseconds from 0", value, "a millisecond is 1_000")


@attrs.frozen
class Drawn(ABC):
    """What all laws share; not for use by itself."""

    @property
    def benign(self) -> int:
        """The answer when chance is left out: 0, or the one outcome of a certain law."""
        return _benign(self)

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


@lru_cache(maxsize=1_024)
def _benign(law: Drawn) -> int:
    # A run has hundreds of sites and few laws, and each site asks for its law's.
    return next(law.draws(iter((0,))))
