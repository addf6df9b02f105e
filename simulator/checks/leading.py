"""Who leads a partition, by what brokers have learnt: each of them may be the last to learn.

Rule 1: a broker leads from when it learnt so until it learns that another leads, or crashes.
Rule 2: of several who believe that they lead, the one of the highest epoch does.
"""

from typing import NamedTuple

from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry, Observer

Place = tuple[str, int]


class Leadership(NamedTuple):
    """A broker leads a partition in an epoch, as an entry says."""

    epoch: int
    seq: int
    node: str


class Leaders:
    """Watches who leads."""

    def __init__(self) -> None:
        self.met = 0
        self._of: dict[Place, dict[str, Leadership]] = {}
        self._led: dict[str, dict[Place, None]] = {}

    def observers(self) -> dict[str, Observer]:
        """For a check's own observers to be joined with."""
        return {
            "became_leader": self._became_leader,
            "became_follower": self._became_follower,
            "node_crashed": self._crashed,
        }

    def leadership(self, where: Place, node: str) -> Leadership | None:
        """What a broker leads a partition by; None if it does not lead."""
        return self._of.get(where, {}).get(node)

    def last(self, where: Place) -> Leadership | None:
        """Who leads now; None if nobody is up who believes so."""
        return max(self._of.get(where, {}).values(), default=None)

    def _became_leader(self, entry: FlatEntry) -> None:
        seq, _, node, _, (_, topic, partition, epoch, _) = entry
        where = (topic, partition)
        self.met += 1
        self._of.setdefault(where, {})[node] = Leadership(epoch, seq, node)
        self._led.setdefault(node, {})[where] = None

    def _became_follower(self, entry: FlatEntry) -> None:
        self._of.get(entry[4][1:3], {}).pop(entry[2], None)

    def _crashed(self, entry: FlatEntry) -> None:
        for where in self._led.pop(entry[2], ()):
            self._of[where].pop(entry[2], None)


def joined(*tables: dict[str, Observer]) -> dict[str, Observer]:
    """Observers of several watchers, who are told in the order in which they are given."""
    together: dict[str, list[Observer]] = {}
    for table in tables:
        for kind, observer in table.items():
            together.setdefault(kind, []).append(observer)
    return {kind: told[0] if len(told) == 1 else _each(told) for kind, told in together.items()}


def _each(told: list[Observer]) -> Observer:
    def observe(entry: FlatEntry) -> None:
        for one in told:
            one(entry)

    return observe


def either(name: str, certain: Cases, doubtful: Cases, reached: int, why: str) -> Verdict:
    """Broken if a case is certain; if only doubtful ones are, it cannot be told."""
    if certain.count or not doubtful.count:
        return certain.verdict(name, reached)
    return doubtful.verdict(name, reached, open_because=why)
