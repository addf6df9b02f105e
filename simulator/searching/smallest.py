"""The smallest run that breaks a promise, and how much was tried to say that it is the smallest.

First the fewest faults, then the smallest workload: all runs without a fault at every size come
first, then all with one fault, and so on. So the first run that breaks the promise is the smallest,
and what has been run before it is the certificate: nothing with fewer faults, at any of the sizes,
and nothing with as many at a smaller size.

A fault that the scenario plans is part of the question: every run has it, at every size, and it is
not counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import attrs

from simulator.chance.exhaustive import FEWEST, Exhaustive
from simulator.chance.scope import Scope
from simulator.checks.check import Check
from simulator.checks.verdict import Status
from simulator.errors import BadInput
from simulator.scenario.faults import Fault
from simulator.scenario.scenario import Scenario
from simulator.searching.properties import Promised
from simulator.searching.schedules import (
    Counterexample,
    as_check,
    broken,
    counted,
    counterexample,
    indented,
    judged,
    left_benign,
    must_be_told,
    unmet,
)
from simulator.searching.staging import Stage, keeps_to_itself

FAULTS_MOST = 3
SCHEDULES_MOST = 20_000
SIZES_MOST = 12  # Of a bigger workload only so many sizes, the small ones, and itself.


@attrs.frozen
class Sized:
    """A scenario at one size, and what that size is called.

    Attributes:
        added: the faults of its plan that a search has put there; these are counted.
    """

    label: str
    scenario: Scenario = attrs.field(repr=False)
    added: tuple[Fault, ...] = ()


@attrs.frozen
class Smallest:
    """The smallest run that breaks a promise, with its certificate.

    Attributes:
        promise: the check's name.
        scope: what was tried.
        sizes: the sizes that were tried, the smallest first.
        found: the run; None if nothing in the scope breaks the promise.
        size: its size.
        smaller: how many smaller schedules were run, none of which breaks the promise.
        by_faults: how many of them had no fault, one, two ...
        certified: whether these are all smaller schedules of the scope; if nothing was found,
            whether all of the scope was run.
        left: the classes of sites outside of the scope.
        undecided: how many of the smaller schedules could not be judged: of these it is not said
            that they keep the promise.
        unmet: what of the scope no run came to: patterns of sites, or what opens it.
    """

    promise: str
    scope: Scope
    sizes: tuple[str, ...]
    found: Counterexample | None
    size: str
    smaller: int
    by_faults: tuple[int, ...]
    certified: bool
    left: tuple[str, ...]
    undecided: int = 0
    unmet: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether a run was found."""
        return self.found is not None

    def __str__(self) -> str:
        """The run, and what may be said of it."""
        lines = []
        if self.found is None:
            title = f"{self.promise}: no run found that breaks it"
        else:
            faults = self.found.faults
            title = f"{self.promise}: broken with {counted(faults, 'fault')}, {self.size}"
            lines.append(str(self.found))
        each = " + ".join(f"{runs} with {faults}" for faults, runs in enumerate(self.by_faults))
        what = "smaller schedules" if self.found is not None else "schedules"
        said = f"all {what} were run" if self.certified else f"not all {what} were run"
        lines.append(f"{said}: {self.smaller} ({each or 'none'} faults), at {self._sizes()}")
        if self.undecided:
            lines.append(f"{counted(self.undecided, 'schedule')} of these could not be judged")
        lines += str(self.scope).split("\n")
        if self.left:
            lines.append(f"left benign: {'; '.join(self.left)}")
        if self.unmet and self.found is None:
            lines.append(f"never met: {', '.join(self.unmet)}")
        return f"{title}\n{indented(lines)}"

    def _sizes(self) -> str:
        if len(self.sizes) <= 2:
            return " and ".join(self.sizes)
        return f"{len(self.sizes)} sizes from {self.sizes[0]} to {self.sizes[-1]}"


def smallest(
    scenario: Scenario,
    promised: Promised,
    sites: str | Iterable[str] = ("crash@*", "drop@*"),
    *,
    faults: int = FAULTS_MOST,
    budgets: Mapping[str, int] | None = None,
    grids: Mapping[str, Iterable[int]] | None = None,
    opens: str | tuple[str, int] | None = None,
    sizes: Iterable[int] | None = None,
    sized: Callable[[int], Scenario] | None = None,
    most: int = SCHEDULES_MOST,
) -> Smallest:
    """Find the run that breaks the promise with the fewest faults, then with the least work.

    Args:
        scenario: its planned faults are in every run, and are not counted.
        promised: a check, its name, several, or a function of the trace.
        faults: so many faults (choices that are not benign) at most.
        sites, budgets, grids, opens: the scope; see `Scope`.
        sizes: how many events; by default all from one to the scenario's, with each number of
            consumers (of a scenario with a model of its own: as it is).
        sized: the scenario of a size; by default its workload is cut short.
        most: so many runs at most.

    Raises:
        BadInput: the scope cannot be.
        Exception: what a run raised, with a note that names its schedule.
    """
    scope = must_be_told(Scope(sites, budgets, faults, grids, opens))
    chosen = as_sizes(scenario, sizes, sized)
    return search(as_check(promised), chosen, scope, most)


def as_sizes(
    scenario: Scenario, sizes: Iterable[int] | None, sized: Callable[[int], Scenario] | None
) -> list[Sized]:
    """The scenario at each size, the smallest first."""
    if sized is not None:
        if sizes is None:
            sizes = range(1, SIZES_MOST + 1)
        return [Sized(f"size {size}", sized(size)) for size in sizes]
    if scenario.application is not None:
        return [Sized("as it is", scenario)]
    most = scenario.workload.size
    if sizes is None:
        small = range(1, min(most, SIZES_MOST) + 1)
        sizes = (*small, most) if most > SIZES_MOST else small
    instances = scenario.consumers.instances
    consumers = range(1, min(instances, 3) + 1) if instances else (0,)
    pairs = sorted(((size, many) for size in sizes for many in consumers), key=_small)
    if instances > 3:
        pairs.append((most, instances))
    made = []
    for size, many in pairs:
        with suppress(BadInput):  # A planned fault is of a consumer that there is not.
            made.append(Sized(_label(size, many), cut(scenario, size, many)))
    return made


def _small(pair: tuple[int, int]) -> tuple[int, int]:
    return sum(pair), pair[1]


def _label(events: int, consumers: int) -> str:
    return f"{counted(events, 'event')} and {counted(consumers, 'consumer')}"


def cut(scenario: Scenario, events: int, consumers: int) -> Scenario:
    """The scenario with its first events only, and with so many consumers."""
    workload = scenario.workload
    if workload.items:
        workload = attrs.evolve(workload, items=workload.items[:events])
    else:
        workload = attrs.evolve(workload, events=events)
    group = attrs.evolve(scenario.consumers, instances=consumers)
    return attrs.evolve(scenario, workload=workload, consumers=group)


class _Level:
    """The schedules of one size, in the order of their faults."""

    def __init__(self, one: Sized, scope: Scope, check: Check) -> None:
        self.one = one
        self.check = check
        self.undecided = 0
        self.chooser = Exhaustive(scope, order=FEWEST)
        alike = keeps_to_itself(one.scenario)
        self._stage = Stage(check.start().observers, self.chooser, alike=alike)

    def has(self, faults: int) -> bool:
        """Whether a schedule with so many faults in all waits."""
        chooser = self.chooser
        return chooser.more() and len(self.one.added) + chooser.next_deviations <= faults

    def breaks(self) -> Counterexample | None:
        """Run the next schedule."""
        verdict = judged(self.one.scenario, self.chooser, self.check, self._stage)
        if verdict is None or not broken(verdict):
            self.undecided += verdict is not None and verdict.status is Status.CANNOT_TELL
            return None
        return counterexample(self.one.scenario, self.chooser, verdict, self.one.added)


def search(check: Check, sized: Sequence[Sized], scope: Scope, most: int) -> Smallest:
    """As `smallest`, of scenarios to which faults may have been added already."""
    levels = [_Level(one, scope, check) for one in sized]
    bound = max((len(one.added) for one in sized), default=0) + (scope.deviations or 0)
    by_faults: list[int] = []
    found: tuple[Counterexample, Sized] | None = None
    spent = 0
    for faults in range(bound + 1):
        by_faults.append(0)
        for level in levels:
            while found is None and spent < most and level.has(faults):
                spent += 1
                broke = level.breaks()
                if broke is None:
                    by_faults[faults] += 1
                else:
                    found = broke, level.one
        if found is not None or spent >= most:
            break
    waiting = found is None and any(level.has(bound) for level in levels)
    left: dict[str, str] = {}
    met: dict[str, str] = {}
    for level in levels:
        left.update(level.chooser.left)
        met.update(level.chooser.met)
    return Smallest(
        promise=check.name,
        scope=scope,
        sizes=tuple(dict.fromkeys(one.label for one in sized)),
        found=None if found is None else found[0],
        size="" if found is None else found[1].label,
        smaller=sum(by_faults),
        by_faults=tuple(by_faults),
        certified=not waiting,
        left=left_benign(left, met),
        undecided=sum(level.undecided for level in levels),
        unmet=unmet(scope, [level.chooser for level in levels]),
    )


__all__ = ["Sized", "Smallest", "as_sizes", "cut", "search", "smallest"]
