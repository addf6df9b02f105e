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
from simulator.trace.trace import Trace

PROBES_MOST = 8  # Crashes that are tried out; many instances of one group are much alike.
NO_NODES = ("world", "network")


@attrs.frozen
class Survey:
    """What a scenario's runs met.

    Attributes:
        sites: for each class of fault, the names of its sites in the order of first asking, and
            how often the run that asked most asked there.
        choices: how many open choices the benign run had: places of chance.
        ends_ms: how long the benign run took.
        nodes: every node that recorded anything or was named by a crash site.
    """

    sites: Mapping[str, Mapping[str, int]]
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
        self.sites: dict[str, dict[str, int]] = {}
        self.choices = 0

    def source(self, site: Site, law: Law) -> Callable[[], int]:
        of_class = self.sites.setdefault(site.fault_class, {})
        of_class.setdefault(site.name, 0)
        benign, name, is_open = law.benign, site.name, not law.certain

        def draw() -> int:
            of_class[name] += 1
            self.choices += is_open
            return benign

        return draw

    def describe(self) -> str:
        return "survey"


def survey(scenario: Scenario) -> Survey:
    """Run the scenario without faults, and with a crash of each node, and look."""
    benign = _Counting()
    trace = _run(scenario, FaultPlan(), benign)
    sites = {kind: dict(asked) for kind, asked in benign.sites.items()}
    for crash in _probes(benign.sites.get("crash", {})):
        probe = _Counting()
        _run(scenario, FaultPlan((crash,)), probe)
        for kind, asked in probe.sites.items():
            known = sites.setdefault(kind, {})
            for name, times in asked.items():
                known[name] = max(times, known.get(name, 0))
    nodes = dict.fromkeys(entry[2] for entry in trace.flat if entry[2] not in NO_NODES)
    for name in sites.get("crash", ()):
        nodes.setdefault(ends_of(name)[0][0])
    return Survey(sites, benign.choices, trace.flat[-1][1] // MICROS_PER_MS, tuple(nodes))


def _run(scenario: Scenario, faults: FaultPlan, chooser: Chooser) -> Trace:
    return simulate(attrs.evolve(scenario, faults=faults), chooser)


def _probes(sites: Mapping[str, int]) -> list[Crash]:
    """A crash of each node, at the first point that it comes to."""
    found: dict[str, Crash] = {}
    for name, asked in sites.items():
        (node,), point = ends_of(name)
        if asked and node not in found:
            found[node] = Crash(node, point)
    return list(found.values())[:PROBES_MOST]
