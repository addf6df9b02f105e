"""What can go wrong in a scenario: every place where its runs ask chance, and how often.

Faults are drawn from these places, so that each names a message or a moment that the scenario
really has, and not one in a thousand that never comes. A benign run shows most of them; what only
a crash brings about (a rebalance, a heartbeat in a run grown longer) is shown by one run more for
each node that can crash.
"""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

import attrs

from simulator.chance import Chooser, Law, Site
from simulator.protocol.names import MICROS_PER_MS
from simulator.scenario.faults import Crash, FaultPlan
from simulator.scenario.scenario import Scenario
from simulator.study.simulate import simulate
from simulator.trace.trace import FlatEntry

PROBES_MOST = 8  # Crashes that are tried out; many instances of one group are much alike.


@attrs.frozen
class Survey:
    """What a scenario's runs met.

    Attributes:
        sites: for each class of fault, the names of its sites in the order of first asking, and
            how often the run that asked most asked there.
        sure: how often the benign run asked at a site: it comes to these, whatever a crash changes.
        busy_ms: for each node the milliseconds right before and after which something happened
            there in the benign run.
        choices: how many open choices the benign run had: places of chance.
        ends_ms: how long the benign run took.
        nodes: every node that sent or was sent anything, or can crash at a point.
    """

    sites: Mapping[str, Mapping[str, int]]
    sure: Mapping[str, int]
    busy_ms: Mapping[str, tuple[int, ...]]
    choices: int
    ends_ms: int
    nodes: tuple[str, ...]

    def of(self, patterns: Sequence[str], messages: str = "*") -> "Survey":
        """What concerns the nodes and the messages of these names alone."""
        nodes = tuple(node for node in self.nodes if _matches(node, patterns))

        def wanted(name: str) -> bool:
            ends, last = ends_of(name)
            is_point = len(ends) == 1
            return any(end in nodes for end in ends) and (is_point or fnmatchcase(last, messages))

        sites = {
            kind: {name: asked for name, asked in of_kind.items() if wanted(name)}
            for kind, of_kind in self.sites.items()
        }
        return attrs.evolve(self, sites=sites, nodes=nodes)


def ends_of(site: str) -> tuple[tuple[str, ...], str]:
    """`drop@a>b/ProduceRequest`: a and b, and ProduceRequest; `crash@a/after_poll`: a, and it."""
    _, _, place = site.partition("@")
    ends, _, last = place.rpartition("/")
    return tuple(ends.split(">")), last


def _matches(node: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(node, pattern) for pattern in patterns)


class _Counting(Chooser):
    """Answers benignly, and counts who asks."""

    def __init__(self) -> None:
        self.choices = 0
        self._asked: dict[str, dict[str, int]] = {}
        self._known: dict[str, dict[str, None]] = {}

    @property
    def sites(self) -> dict[str, dict[str, int]]:
        """By class of fault: first those that were asked, in that order, then the others."""
        found = {}
        for kind, known in self._known.items():
            asked = self._asked[kind]
            found[kind] = {**asked, **{name: 0 for name in known if name not in asked}}
        return found

    def source(self, site: Site, law: Law) -> Callable[[], int]:
        self._known.setdefault(site.fault_class, {})[site.name] = None
        asked = self._asked.setdefault(site.fault_class, {})
        benign, name, is_open = law.benign, site.name, not law.certain

        def draw() -> int:
            asked[name] = asked.get(name, 0) + 1
            self.choices += is_open
            return benign

        return draw

    def describe(self) -> str:
        return "survey"


def survey(scenario: Scenario) -> Survey:
    """Run the scenario with what it has planned alone, then with a crash of each node, and look.

    A run that ends by an error was looked at so far: the property that draws it will tell of it.
    """
    benign = _Counting()
    entries = _run(scenario, scenario.faults, benign)
    sites = benign.sites
    sure = {name: asked for of_kind in sites.values() for name, asked in of_kind.items()}
    for crash in _probes(sites.get("crash", {}), scenario.faults):
        probe = _Counting()
        _run(scenario, scenario.faults + crash, probe)
        for kind, asked in probe.sites.items():
            known = sites.setdefault(kind, {})
            for name, times in asked.items():
                known[name] = max(times, known.get(name, 0))
    nodes: dict[str, None] = {}
    for name in (*sites.get("crash", ()), *sites.get("drop", ())):
        nodes.update(dict.fromkeys(ends_of(name)[0]))
    ends_ms = entries[-1][1] // MICROS_PER_MS if entries else 0
    return Survey(sites, sure, _busy_ms(entries), benign.choices, ends_ms, tuple(nodes))


def _run(scenario: Scenario, faults: FaultPlan, chooser: Chooser) -> list[FlatEntry]:
    """What happened; nothing if it ended by an error."""
    try:
        return simulate(attrs.evolve(scenario, faults=faults), chooser).flat
    except Exception:  # noqa: BLE001 - see above
        return []


def _busy_ms(entries: list[FlatEntry]) -> dict[str, tuple[int, ...]]:
    found: dict[str, dict[int, None]] = {}
    for entry in entries:
        at_ms = entry[1] // MICROS_PER_MS
        found.setdefault(entry[2], {}).update({at_ms: None, at_ms + 1: None})
    return {node: tuple(sorted(times)) for node, times in found.items()}


def _probes(sites: Mapping[str, int], planned: FaultPlan) -> list[Crash]:
    """A crash of each node, at the first point that it comes to and that is not planned."""
    found: dict[str, Crash] = {}
    taken = planned.deviations()
    for name, asked in sites.items():
        (node,), point = ends_of(name)
        if asked and node not in found and (name, 0) not in taken:
            found[node] = Crash(node, point)
    return list(found.values())[:PROBES_MOST]
