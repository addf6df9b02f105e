"""Dice for those who choose how a run is to be searched: numbers that follow from a text alone.

A run's own chance is drawn at its sites. What is decided before the run begins, such as where its
deviations stand, is thrown here: the same on every machine, and for each text anew.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, TypeVar

Item = TypeVar("Item")
_BITS: Final = 64


class Dice:
    """Throws that follow from the parts of a name, such as a seed and the number of a run."""

    def __init__(self, *parts: object) -> None:
        self._name = "\n".join(str(part) for part in parts).encode()
        self._thrown = 0

    def word(self) -> int:
        """64 bits."""
        text = self._name + b"\n" + str(self._thrown).encode()
        self._thrown += 1
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")

    def below(self, n: int) -> int:
        """One of 0 .. n-1."""
        return self.word() * n >> _BITS

    def of(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[Item, int]]) -> Item:
        """One of the items, each as often as its whole weight says."""
        place = self.below(sum(weight for _, weight in items))
        for item, weight in items:
            place -= weight
            if place < 0:
                return item
        raise AssertionError("a throw beyond all weights")

    def one_in(self, n: int) -> bool:
        """Whether it happens, which it does once in n throws."""
        return self.below(n) == 0
