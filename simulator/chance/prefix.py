"""The beginning of a run as a witness tells it, and from there on anything else.

Choices are counted in the order of asking: those that a law leaves open, and those at a site that
the witness names. The first `count` of them are answered by the witness; what it does not name is
benign. All later ones are another chooser's, so that one beginning has many ends: what if, how
probable from here, what else.
"""

from typing import NamedTuple

from simulator.chance.choosers import Chooser, Source, never
from simulator.chance.laws import Law
from simulator.chance.sites import Site
from simulator.chance.witness import Witness, check_witness, format_witness
from simulator.errors import BadInput


class Asked(NamedTuple):
    """One choice as it was made: the k-th at its site, and its answer."""

    site: str
    k: int
    value: int

    def __str__(self) -> str:
        return f"{self.site}#{self.k}={self.value}"


class Prefix(Chooser):
    """The first `count` choices of a witness, then the inner chooser's.

    Args:
        count: how many; None: all, and so the inner chooser is never heard.

    Attributes:
        order: every counted choice of the run, in the order of asking.

    Raises:
        BadInput: the witness cannot be one, or the count is no whole number from 0.
    """

    def __init__(self, witness: Witness, count: int | None, inner: Chooser) -> None:
        if count is not None and (type(count) is not int or count < 0):
            raise BadInput("must be a whole number from 0, or None:", "prefix.count", count)
        self.witness = check_witness(witness)
        self.count = count
        self.inner = inner
        self.order: list[Asked] = []
        self._beyond = 0  # How often the inner chooser was asked what no law leaves open.
        self._planned: dict[str, dict[int, int]] = {}
        for (name, k), value in self.witness.items():
            self._planned.setdefault(name, {})[k] = value
        self._asked: dict[str, list[int]] = {}

    @property
    def tail(self) -> int:
        """How many choices came after the beginning, with those that only the inner chooser has.

        It may be one that makes faults where the laws have none.
        """
        if self.count is None:
            return 0
        return max(0, len(self.order) - self.count) + self._beyond

    def _over(self) -> bool:
        return self.count is not None and len(self.order) >= self.count

    def source(self, site: Site, law: Law) -> Source:
        """The witness's answers as long as the beginning lasts; then the inner chooser's.

        The inner chooser is asked from the start, so that its later answers stay where they were.
        """
        answer = self.inner.source(site, law)
        planned = self._planned.get(site.name)
        benign = law.benign
        if planned is None and law.certain:
            if answer is never:
                return answer
            return lambda: self._later(answer, benign)
        asked = self._asked.setdefault(site.name, [0])
        name, allows, order = site.name, law.allows, self.order
        told: dict[int, int] = planned or {}

        def draw() -> int:
            k = asked[0]
            asked[0] = k + 1
            value = answer()
            if not self._over():
                value = told.get(k, benign)
                if not allows(value):
                    value = benign
            order.append(Asked(name, k, value))
            return value

        return draw

    def _later(self, answer: Source, benign: int) -> int:
        """Of a law with one outcome: that; after the beginning what the inner chooser makes of it.

        An inner chooser that makes nothing of it says so by `never`, where the outcome is 0.
        """
        value = answer()
        if not self._over():
            return benign
        self._beyond += not benign
        return value

    def describe(self) -> str:
        """First 3 of drop@a>b/ProduceRequest#3=1, then seed 7."""
        how_many = "all" if self.count is None else f"first {self.count}"
        return f"{how_many} of {format_witness(self.witness)}, then {self.inner.describe()}"

    def mentions(self, name: str) -> bool:
        """Whether the witness, or the inner chooser, names the site."""
        return name in self._planned or self.inner.mentions(name)

    def breaks_ties(self) -> bool:
        """Whether the witness names a tie, or the inner chooser breaks them."""
        return any(name.startswith("tie@") for name in self._planned) or self.inner.breaks_ties()

    def heal(self) -> None:
        """As the inner chooser; the witness is followed on."""
        self.inner.heal()

    def start(self) -> None:
        """Nothing has been asked."""
        self.order = []
        self._beyond = 0
        self._asked = {}
        self.inner.start()

    def finish(self) -> None:
        """As the inner chooser."""
        self.inner.finish()
