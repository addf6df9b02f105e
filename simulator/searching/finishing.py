"""The last mile: a run that breaks a promise, however it was found, becomes the smallest one.

1. What the failure does not need is left out: faults and choices, half of them at once, then fewer.
2. What remains names classes of sites: a lost ProduceResponse of the producer, a crash of a
   consumer at one of its points. Within these, every run with fewer faults is tried, and every one
   with as many on a smaller workload: what is found then is the smallest, and says so.

Faults at a time (a pause, a partition) are no choices: they are kept as they are, or left out.

Of several promises, those which the given run breaks are meant: a smaller run that breaks another
one would be another story.

What the scenario plans is neither kept nor left out: it is part of the question, as it is for
`explore`, `smallest` and `prove`. Every run that is tried has it, and it is not counted. Only the
faults that a search has added are the failure's, and to be made fewer.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import attrs

from simulator.chance import Replay
from simulator.chance.scope import NOWHERE, Scope
from simulator.chance.sites import DELAY, DUPLICATE
from simulator.checks.verdict import Status, Verdict
from simulator.errors import BadInput
from simulator.scenario.faults import Crash, Fault, FaultPlan, deviation
from simulator.scenario.scenario import Scenario
from simulator.searching.properties import Promised
from simulator.searching.schedules import Counterexample, as_check, counted
from simulator.searching.smallest import Smallest, as_sizes, search
from simulator.study.simulate import simulate

SCHEDULES_MOST = 4_000
TIMED_MOST = 4  # Of so many faults at a time all combinations are tried.

_Choices = dict[tuple[str, int], int]
_NUMBER = re.compile(r"-[0-9]+(?=[>/]|$)")


@attrs.frozen
class Finished:
    """What became of a run that breaks a promise.

    Attributes:
        smallest: the smallest run, and what was tried to say so.
        reduced: the given run without what its failure does not need.
        reducing: how many runs that took.
    """

    smallest: Smallest
    reduced: Counterexample
    reducing: int

    @property
    def best(self) -> Counterexample:
        """The smallest run; if it was not found among those tried, the reduced one."""
        return self.smallest.found or self.reduced

    def __str__(self) -> str:
        """The smallest run, and what may be said of it."""
        return f"{self.smallest}\n  before: {counted(self.reducing, 'run')} to {self.reduced}"


def finish(
    scenario: Scenario,
    promised: Promised,
    witness: Mapping[tuple[str, int], int],
    *,
    added: Iterable[Fault] = (),
    most: int = SCHEDULES_MOST,
) -> Finished:
    """Make a failing run as small as can be, and say how small that is.

    A failure of `explore` is finished by
    `finish(failure.scenario, promised, failure.witness, added=failure.faults)`.

    Args:
        scenario: with all faults that it was run under.
        promised: what the run breaks: a check, its name, a function of the trace, or several of
            these, of which those count that this run breaks.
        witness: the run's choices that were not benign.
        added: those of the scenario's faults which a search has added. They are left out where
            the failure does not need them; all others are planned, and stay.
        most: so many runs at most for the second step.

    Raises:
        BadInput: the run does not break the promise, or what was added is not in its scenario.
    """
    found_with = tuple(added)
    question = attrs.evolve(scenario, faults=scenario.faults.without(found_with))
    reducing = _Reducing(question, promised)
    faults, choices = reducing.begin(found_with, witness)
    faults, choices = reducing.reduce(faults, choices)
    reduced = reducing.last(faults, choices)
    varied, always = faults[:TIMED_MOST], tuple(faults[TIMED_MOST:])
    sized = []
    for many in range(len(varied) + 1):
        for some in combinations(varied, many):
            kept = (*some, *always)
            sizes = as_sizes(_with(question, kept), None, None)
            sized += [attrs.evolve(one, added=kept) for one in sizes]
    found = search(reducing.check, sized, scope_of(choices, faults), most)
    return Finished(found, reduced, reducing.runs)


def scope_of(choices: Mapping[tuple[str, int], int], faults: Sequence[Fault] = ()) -> Scope:
    """The classes of sites of some choices: any node of the same kind, any time.

    Of delays and late copies the same answers are tried, of all others all. A crash at a time is
    also looked for at the points of such a node.
    """
    points = [fault.node for fault in faults if isinstance(fault, Crash) and not fault.point]
    sites = list(dict.fromkeys(f"crash@{_NUMBER.sub('-*', node)}/*" for node in points))
    grids: dict[str, tuple[int, ...]] = {}
    for (name, _), value in choices.items():
        pattern = _NUMBER.sub("-*", name)
        if pattern not in sites:
            sites.append(pattern)
        if name.partition("@")[0] in (DELAY, DUPLICATE):
            grids[pattern] = tuple(sorted({*grids.get(pattern, ()), value}))
    return Scope(sites or NOWHERE, {}, len(choices) + len(points), grids)


def _with(question: Scenario, faults: Sequence[Fault]) -> Scenario:
    """The scenario that was asked about, with the faults of a run."""
    return attrs.evolve(question, faults=question.faults + FaultPlan(tuple(faults)))


class _Reducing:
    """A failing run, made smaller one step after the other.

    Args:
        question: the scenario without the faults that may be left out.

    Attributes:
        check: what is to stay broken.
    """

    def __init__(self, question: Scenario, promised: Promised) -> None:
        self.question = question
        self.check = as_check(promised)
        self._promised = promised
        self.runs = 0

    def verdict(self, faults: Sequence[Fault], choices: _Choices) -> Verdict:
        """What the check says of the run with these."""
        self.runs += 1
        watching = self.check.start()
        simulate(
            _with(self.question, faults),
            Replay(choices, strict=False),
            observers=watching.observers.items(),
            keep=False,
        )
        return watching.finish()

    def fails(self, faults: Sequence[Fault], choices: _Choices) -> bool:
        """Whether the promise is still broken."""
        return self.verdict(faults, choices).status is Status.BROKEN

    def begin(
        self, added: Sequence[Fault], witness: Mapping[tuple[str, int], int]
    ) -> tuple[list[Fault], _Choices]:
        """The run as given; faults as choices, where they are the same as those.

        Raises:
            BadInput: it does not break the promise.
        """
        faults, choices = list(added), dict(witness)
        verdict = self.verdict(faults, choices)
        if verdict.status is not Status.BROKEN:
            fix = "give a run that does"
            raise BadInput("the run does not break", "finish", self.check.name, fix)
        self.check = as_check(_those_broken(self._promised, verdict))
        plain = [fault for fault in faults if _is_choice(fault)]
        others = [fault for fault in faults if not _is_choice(fault)]
        as_choices = {**choices, **FaultPlan(tuple(plain)).deviations()}
        if plain and self.fails(others, as_choices):
            return others, as_choices
        return faults, choices

    def reduce(
        self, faults: list[Fault], choices: _Choices
    ) -> tuple[list[Fault], _Choices]:
        """Leave out what the failure does not need (Zeller's ddmin, by complements)."""
        kept: list[Fault | tuple[tuple[str, int], int]] = [*faults, *choices.items()]
        size = max(1, len(kept) // 2)
        while kept:
            position, smaller = 0, False
            while position < len(kept):
                fewer = kept[:position] + kept[position + size :]
                if self.fails(*_parted(fewer)):
                    kept, smaller = fewer, True
                else:
                    position += size
            if size == 1 and not smaller:
                break
            size = max(1, size // 2)
        return _parted(kept)

    def last(self, faults: list[Fault], choices: _Choices) -> Counterexample:
        """The reduced run."""
        verdict = self.verdict(faults, choices)
        return Counterexample(_with(self.question, faults), choices, verdict, tuple(faults))


def _those_broken(promised: Promised, verdict: Verdict) -> Promised:
    """What the run breaks, of several promises."""
    if isinstance(promised, str) or callable(promised) or len(promised) == 1:
        return promised
    parts = zip(promised, verdict.parts, strict=True)
    return tuple(one for one, part in parts if part.status is Status.BROKEN)


def _is_choice(fault: Fault) -> bool:
    """Whether a choice that is not benign does the same as the planned fault."""
    if isinstance(fault, Crash):
        return bool(fault.point) and fault.mode == "process"
    return deviation(fault) is not None


def _parted(
    kept: Sequence[Fault | tuple[tuple[str, int], int]],
) -> tuple[list[Fault], _Choices]:
    faults: list[Fault] = []
    choices: _Choices = {}
    for one in kept:
        if isinstance(one, tuple):
            choices[one[0]] = one[1]
        else:
            faults.append(one)
    return faults, choices


__all__ = ["Finished", "finish", "scope_of"]
