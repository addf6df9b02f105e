"""How a row is found and its fix held up: the same search, twice.

1. The broken scenario is searched until the row's check is broken, and the run is made small.
2. Each fix is searched for as many runs as the budget has, and may not break the check once.
3. The smallest run's faults and chance are replayed on each fix: the check is kept, and had
   something to judge.
"""

import attrs

from experiments.known_bugs.known_bug import KnownBug
from simulator import Status
from simulator.testing.faults import surveyed
from simulator.testing.search import Found, replay, search

SHRINKING = 150


@attrs.frozen
class Mended:
    """What became of one fix.

    Attributes:
        label: what mends.
        found: a run that breaks the check all the same, or None.
        replayed: how the check came out where the smallest run was replayed.
        reached: how many situations it had to judge there.
    """

    label: str
    found: Found | None
    replayed: Status
    reached: int

    @property
    def holds(self) -> bool:
        """Whether it mends."""
        return self.found is None and self.replayed is Status.KEPT and self.reached > 0


@attrs.frozen
class Outcome:
    """What the search for one row came to; `found` is None if the budget was not enough."""

    bug: KnownBug
    found: Found | None
    mended: tuple[Mended, ...] = ()

    @property
    def stands(self) -> bool:
        """Found, and gone with each of its fixes."""
        return self.found is not None and all(one.holds for one in self.mended)


def searched(bug: KnownBug) -> Outcome:
    """Search a row and its fixes; the same outcome each time."""
    check, promised = bug.sought, bug.promised
    plans = bug.faults.plans(bug.broken)
    surveyed(bug.broken)  # Without the slip, so that the same moments are known with and without.
    with bug.slipped():
        found = search(bug.broken, check, plans, budget=bug.budget, shrinking=SHRINKING)
    if found is None:
        return Outcome(bug, None)
    mended = []
    for label, scenario in bug.mended.items():
        plans = bug.faults.plans(scenario)
        again = search(scenario, promised, plans, budget=bug.budget, shrinking=0)
        verdict = promised(replay(scenario, found.run).trace)
        mended.append(Mended(label, again, verdict.status, verdict.reached))
    return Outcome(bug, found, tuple(mended))
