"""Ties by priorities: one actor is held back again and again, and not now this one, now that one.

What goes wrong only if A stays behind B for long is not found by a coin at each tie. Here each
actor has a priority for the whole run, and the highest of those who are due goes first; at a few
ties, chosen beforehand, the one who would have gone falls behind all others. A fault of order that
`depth` events must meet in is found with a probability of at least 1 / (actors * ties ** (depth -
1)), however the ties lie (Burckhardt, Kothari, Musuvathi, Nagarakatti: A Randomized Scheduler with
Probabilistic Guarantees of Finding Bugs, ASPLOS 2010).
"""

from simulator.chance.choosers import Chooser, Source
from simulator.chance.dice import Dice
from simulator.chance.laws import Law
from simulator.chance.sites import TIE, Site

DEPTH = 3


class Priorities(Chooser):
    """Ties by priorities, and for all else the inner chooser.

    Args:
        seed: whatever tells one run from another.
        ties: about how many ties a run has: among so many stand the changes of priority.
        depth: one more than there are changes of priority.
    """

    def __init__(self, seed: object, inner: Chooser, *, ties: int, depth: int = DEPTH) -> None:
        self.inner = inner
        self._seed = seed
        self._ties = max(1, ties)
        self._depth = depth
        self._changes: tuple[int, ...] = ()
        self._ranks: dict[str, int] = {}
        self._asked = 0
        self._healed = False
        self.start()

    def source(self, site: Site, law: Law) -> Source:
        """At a tie, the actor of the highest priority."""
        if site.fault_class != TIE:
            return self.inner.source(site, law)
        actors = site.name.partition("@")[2].split("|")

        def draw() -> int:
            if self._healed:
                return 0
            ranks = self._ranks
            for actor in actors:
                if actor not in ranks:
                    ranks[actor] = Dice(self._seed, "priority", actor).word()
            asked = self._asked
            self._asked = asked + 1
            first = max(actors, key=ranks.__getitem__)
            if asked in self._changes:
                ranks[first] = -1 - asked
                first = max(actors, key=ranks.__getitem__)
            return actors.index(first)

        return draw

    def describe(self) -> str:
        """Seed 7, ties by priorities."""
        return f"{self.inner.describe()}, ties by priorities {self._seed}"

    def mentions(self, name: str) -> bool:
        """As the inner chooser."""
        return self.inner.mentions(name)

    def breaks_ties(self) -> bool:
        """It does."""
        return True

    def start(self) -> None:
        """All have their first priorities."""
        dice = Dice(self._seed, "changes")
        self._changes = tuple(dice.below(self._ties) for _ in range(self._depth - 1))
        self._ranks = {}
        self._asked = 0
        self._healed = False
        self.inner.start()

    def heal(self) -> None:
        """From here on the first come goes first."""
        self._healed = True
        self.inner.heal()

    def finish(self) -> None:
        """As the inner chooser."""
        self.inner.finish()
