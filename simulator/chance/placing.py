"""Where a few deviations stand: anywhere in a run, and the rare places as well as the frequent.

Each is placed by itself, in one of three ways, which are equally frequent:

1. any place (site, k) is as probable as any other: what happens often is struck often;
2. any site is, and then any of its times: one JoinGroup counts as much as a hundred heartbeats;
3. any class of fault is, then any of its sites, then any of its times.

So the probability of every set of places can be said, which importance sampling needs.
"""

from collections.abc import Iterable, Mapping
from itertools import combinations

from simulator.chance.atlas import BEYOND, Atlas
from simulator.chance.dice import Dice
from simulator.chance.witness import Choice

_WAYS = 3


class Placing:
    """How deviations are placed among the places of an atlas."""

    def __init__(self, atlas: Atlas) -> None:
        self._sites = [(name, place.times + BEYOND) for name, place in atlas.places.items()]
        self._times = dict(self._sites)
        self._all = sum(times for _, times in self._sites)
        self._classes: dict[str, list[tuple[str, int]]] = {}
        self._class_of: dict[str, str] = {}
        for name, place in atlas.places.items():
            of_class = self._classes.setdefault(place.fault_class, [])
            of_class.append((name, self._times[name]))
            self._class_of[name] = place.fault_class

    def place(self, dice: Dice, count: int) -> list[Choice]:
        """So many places; one may come twice, and none if the atlas is empty."""
        return [self._one(dice) for _ in range(count)] if self._sites else []

    def _one(self, dice: Dice) -> Choice:
        way = dice.below(_WAYS)
        if way == 0:
            nth = dice.below(self._all)
            for name, times in self._sites:
                if nth < times:
                    return name, nth
                nth -= times
        sites = self._sites if way == 1 else self._classes[dice.of(list(self._classes))]
        name, times = dice.of(sites)
        return name, dice.below(times)

    def probability(self, choice: Choice) -> float:
        """That one deviation is placed there."""
        name, k = choice
        times = self._times.get(name, 0)
        if k >= times:
            return 0.0
        of_class = self._classes[self._class_of[name]]
        by_site = 1 / (times * len(self._sites))
        by_class = 1 / (times * len(of_class) * len(self._classes))
        return (1 / self._all + by_site + by_class) / _WAYS

    def probability_of_all(
        self, seen: Iterable[Choice], asked: Mapping[str, int], count: int
    ) -> float:
        """That of `count` deviations those which a run met are exactly the ones seen.

        Args:
            asked: how often the run asked at each site: a deviation beyond that is not met.
        """
        chosen = list(seen)
        if len(chosen) > count:
            return 0.0
        each = [self.probability(choice) for choice in chosen]
        met = sum(
            min(asked.get(name, 0), times) * self.probability((name, 0))
            for name, times in self._sites
        )
        unmet = max(0.0, 1.0 - met)
        # Each falls on one that was seen or on one that was not met, and none seen is left out:
        # by inclusion and exclusion over those that are left out.
        total = 0.0
        for size in range(len(each) + 1):
            sign = -1.0 if (len(each) - size) % 2 else 1.0
            for some in combinations(each, size):
                total += sign * (unmet + sum(some)) ** count
        return max(0.0, total)
