"""An atlas says where runs of a scenario have met chance: a site, its class of fault, how often.

It is learned: the first run shows most places, and runs with faults show those that only a fault
brings about (a rebalance, a second election). Deviations are then placed among what is known.
"""

from collections.abc import Mapping
from typing import NamedTuple

import attrs

from simulator.chance.sites import TIE

BEYOND = 2  # A fault makes more of a kind of message than there were without it.


class Place(NamedTuple):
    """A site's class of fault, and how often the run that asked most asked there."""

    fault_class: str
    times: int


@attrs.frozen
class Atlas:
    """Places by the names of their sites, in the order in which they became known."""

    places: Mapping[str, Place] = attrs.field(factory=dict, hash=False)

    def __len__(self) -> int:
        """How many sites are known."""
        return len(self.places)

    @property
    def choices(self) -> int:
        """About how many choices a run has."""
        return sum(place.times for place in self.places.values())

    @property
    def ties(self) -> int:
        """About how many times a run has several things due at one instant."""
        return sum(place.times for place in self.places.values() if place.fault_class == TIE)

    def with_more(self, met: Mapping[str, Place]) -> "Atlas":
        """The atlas with what another run has met."""
        places = dict(self.places)
        for name, place in met.items():
            known = places.get(name)
            if known is None or known.times < place.times:
                places[name] = place
        return Atlas(places)

    def news(self, met: Mapping[str, Place]) -> dict[str, Place]:
        """What of all that a run has met is not in the atlas yet."""
        known = self.places
        return {
            name: place
            for name, place in met.items()
            if name not in known or known[name].times < place.times
        }
