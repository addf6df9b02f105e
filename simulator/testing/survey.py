"""What can go wrong in a scenario: every place where its runs ask chance, and how often.

Faults are drawn from these places, so that each names a message or a moment that the scenario
really has, and not one in a thousand that never comes. A benign run shows most of them; what only
a crash brings about (a rebalance, a heartbeat in a run grown longer) is shown by one run more for
each node that can crash.
"""

from collections.abc import Callable, Mapping

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
        nodes.setdefault(name.removeprefix("crash@").partition("/")[0])
    return Survey(sites, benign.choices, trace.flat[-1][1] // MICROS_PER_MS, tuple(nodes))


def _run(scenario: Scenario, faults: FaultPlan, chooser: Chooser) -> Trace:
    return simulate(attrs.evolve(scenario, faults=faults), chooser)


def _probes(sites: Mapping[str, int]) -> list[Crash]:
    """A crash of each node, at the first point that it comes to."""
    found: dict[str, Crash] = {}
    for name, asked in sites.items():
        node, _, point = name.removeprefix("crash@").partition("/")
        if asked and node not in found:
            found[node] = Crash(node, point)
    return list(found.values())[:PROBES_MOST]
