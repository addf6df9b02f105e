"""A healed world makes no more faults on purpose: liveness is judged from there on.

A world heals once: its hazards and its lossy links end (`FaultsEnded`), and it tells its chooser
(`Chooser.heal`). Whoever follows laws alone needs nothing more, for then all laws of faults are
certain. Who makes faults that no law asks for is put under this mask, or heeds `heal` itself.
"""

from simulator.chance.choosers import Chooser, Source, benign_source, never
from simulator.chance.laws import Law
from simulator.chance.sites import CHOICE, Site


class Healing(Chooser):
    """The inner chooser until the world is healed; then every class of fault answers benignly.

    What harms nobody (the class `choice`: keys, arrivals) stays the inner chooser's.
    """

    def __init__(self, inner: Chooser) -> None:
        self.inner = inner
        self._healed = False

    def source(self, site: Site, law: Law) -> Source:
        """The inner chooser's answers, which once healed are asked for all the same, and unheard.

        So the later answers of other sites stay where they were.
        """
        answer = self.inner.source(site, law)
        if site.fault_class == CHOICE or answer is never:
            return answer
        benign = benign_source(law)

        def draw() -> int:
            value = answer()
            return benign() if self._healed else value

        return draw

    def heal(self) -> None:
        """From here on no fault."""
        self._healed = True
        self.inner.heal()

    def start(self) -> None:
        """Nothing is healed yet."""
        self._healed = False
        self.inner.start()

    def finish(self) -> None:
        """As the inner chooser."""
        self.inner.finish()

    def describe(self) -> str:
        """As the inner chooser: a run under it is the same up to where it was healed."""
        return self.inner.describe()

    def mentions(self, name: str) -> bool:
        """As the inner chooser."""
        return self.inner.mentions(name)

    def breaks_ties(self) -> bool:
        """As the inner chooser."""
        return self.inner.breaks_ties()
