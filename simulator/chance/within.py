"""Chance within a scope: what an exhaustive search weighs there, this samples there."""

from simulator.chance.choosers import Chooser, Source, benign_source
from simulator.chance.laws import Law
from simulator.chance.scope import Observing, Scope, Window
from simulator.chance.sites import Site


class Within(Chooser):
    """Another chooser's chance at the sites of a scope, and the benign answer at all others.

    What `Exhaustive` weighs, this samples. Budgets and grids are not looked at.
    """

    def __init__(self, scope: Scope, inner: Chooser) -> None:
        self.scope = scope
        self.inner = inner
        self._window = Window(scope)

    def start(self) -> None:
        """Nothing has been asked; the sites are closed if they open late."""
        self.inner.start()
        self._window.start()

    def finish(self) -> None:
        """As the inner chooser."""
        self.inner.finish()

    def observers(self) -> list[Observing]:
        """For the run: they open the sites of a scope that opens late."""
        return self._window.observers()

    def source(self, site: Site, law: Law) -> Source:
        """The inner chooser's answers, while the sites are open."""
        if law.certain or not self.scope.holds(site.name):
            return benign_source(law)
        answer, benign, window = self.inner.source(site, law), law.benign, self._window

        def draw() -> int:
            value = answer()
            return value if window.open else benign

        return draw

    def heal(self) -> None:
        """From here on everything is benign."""
        self._window.close()
        self.inner.heal()

    def breaks_ties(self) -> bool:
        """Whether ties are in the scope, and the inner chooser breaks them."""
        return self.scope.ties() and self.inner.breaks_ties()

    def describe(self) -> str:
        """Seed 7 within crash@*."""
        return f"{self.inner.describe()} within {', '.join(self.scope.sites)}"


__all__ = ["Within"]
