"""Explore: many runs, each drawn in another way, until one breaks the property.

1. Run 0 is the benign one. It shows where the scenario asks chance, and later runs show more: what
   they have met is learned between rounds, whose sizes are fixed. So a search is a function of
   scenario, property and seed, however many workers take part.
2. A failure is had again from its scenario (with the faults at a time that the search has added)
   and its witness, one line of text.
3. How often a search fails says nothing of the world: it makes faults far more often than the
   scenario's laws. It says how findable the failure is, and what so many green runs are worth.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from fnmatch import fnmatchcase
from typing import NamedTuple

import attrs

from simulator.chance import Chooser, Recording
from simulator.chance.atlas import Atlas, Place
from simulator.chance.dice import Dice
from simulator.chance.likelihood import SPARSE, SWARM
from simulator.chance.portfolio import BENIGN, PRIORITIES, SHARES, Portfolio
from simulator.checks.verdict import Evidence, Status, Verdict
from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS
from simulator.scenario.faults import Fault, FaultPlan
from simulator.scenario.scenario import Scenario
from simulator.searching.found import Exploration, Failure, Tally
from simulator.searching.properties import Promised, as_judge, name_of, portable
from simulator.searching.timed import nodes_of, talking, timed_faults
from simulator.study.executors import Progress, _pool, run_all
from simulator.study.simulate import simulate
from simulator.trace.trace import Trace

BUDGET = 500
ROUNDS = (16, 32, 64, 128)  # And then as many again and again.
TIMED_IN = 4  # One run in so many, of those with faults, has faults at a time as well.
UNTIL = ("first", "budget")
EVERYWHERE = "*"  # A pattern that names nothing.
_NUMBERS = re.compile(r"\d+")


class _Seen(NamedTuple):
    """What a run leaves behind; a tuple, because it may come from another process."""

    run: int
    proposal: str
    status: Status
    verdict: Verdict | None  # Of a run that failed; as is its witness, and its faults at a time.
    witness: dict[tuple[str, int], int]
    faults: tuple[Fault, ...]
    marks: tuple[str, ...]
    news: dict[str, Place]
    ends_us: int
    nodes: tuple[str, ...]  # Of the benign run.


@attrs.frozen
class _OneRun:
    """One run by its number; sent to workers."""

    scenario: Scenario
    promised: Promised
    make: Callable[[int], Chooser] | None
    seed: int
    classes: tuple[str, ...]
    sites: tuple[str, ...]
    timed: bool
    shares: Mapping[str, int]
    atlas: Atlas
    ends_ms: int
    nodes: tuple[str, ...]

    def __call__(self, run: int) -> _Seen:
        scenario, proposal = self.scenario, "chooser"
        faults: tuple[Fault, ...] = ()
        chance: Chooser
        if self.make is not None:
            chance = self.make(run)
        else:
            shares = self.shares if run else {BENIGN: 1}
            chance = portfolio = Portfolio(
                self.seed,
                run,
                faults=self.classes,
                atlas=self.atlas,
                sites=self.sites,
                shares=shares,
            )
            proposal = portfolio.proposal
            if self.timed and proposal in (SWARM, SPARSE, PRIORITIES):
                faults = self._timed(run)
        if faults:
            scenario = attrs.evolve(scenario, faults=scenario.faults + FaultPlan(faults))
        chooser = Recording(chance)
        verdict, trace = _judged(scenario, chooser, as_judge(self.promised))
        failed = verdict.status is Status.BROKEN
        return _Seen(
            run,
            proposal,
            verdict.status,
            verdict if failed else None,
            chooser.witness if failed else {},
            faults if failed else (),
            _marks(verdict, trace),
            self.atlas.news(chance.met) if isinstance(chance, Portfolio) else {},
            trace.flat[-1][1] if len(trace) else 0,
            () if run else talking(trace),
        )

    def _timed(self, run: int) -> tuple[Fault, ...]:
        dice = Dice(self.seed, run, "timed")
        if not dice.one_in(TIMED_IN):
            return ()
        nodes = nodes_of(list(self.atlas.places)) or self._named()
        return timed_faults(dice, self.classes, nodes, self.ends_ms)

    def unmet(self) -> tuple[str, ...]:
        """The patterns of no place that is known by now: no fault was made there."""
        if self.make is not None or not self.classes:
            return ()
        names = list(self.atlas.places)
        if self.timed:
            names += [f"{kind}@{node}" for kind in self.classes for node in self.nodes]
        return tuple(
            pattern
            for pattern in self.sites
            if pattern != EVERYWHERE and not any(fnmatchcase(name, pattern) for name in names)
        )

    def _named(self) -> tuple[str, ...]:
        """The nodes that the patterns allow, as `pause@billing-*` does, where no site tells."""
        return tuple(
            node
            for node in self.nodes
            if any(
                fnmatchcase(f"{kind}@{node}", pattern)
                for kind in self.classes
                for pattern in self.sites
            )
        )


def _judged(
    scenario: Scenario, chooser: Chooser, judge: Callable[[Trace], Verdict]
) -> tuple[Verdict, Trace]:
    """The verdict; that a run raises breaks every property of it.

    Raises:
        BadInput: the scenario cannot be run, which is no finding.
    """
    try:
        trace = simulate(scenario, chooser)
    except BadInput:
        raise
    except Exception as error:  # noqa: BLE001 - a handler's, or a bug of the simulator
        said = f"the run raised {type(error).__name__}: {error}"
        return Verdict("run", Status.BROKEN, (Evidence(said),), 1, 1), Trace()
    return judge(trace), trace


def _marks(verdict: Verdict, trace: Trace) -> tuple[str, ...]:
    """What was reached: checks that had something to judge, kinds of events, labels of notes."""
    marks: dict[str, None] = {}
    for one in verdict.parts or (verdict,):
        if one.reached:
            marks[one.check] = None
    for entry in trace.flat:
        event = entry[4]
        marks[event[0] if event[0] != "noted" else f"noted/{event[1]}"] = None
    return tuple(marks)


def explore(
    scenario: Scenario,
    promised: Promised,
    *,
    budget: int = BUDGET,
    faults: Sequence[str] | None = None,
    sites: str | Sequence[str] = (EVERYWHERE,),
    timed: bool = True,
    seed: int = 0,
    until: str = "first",
    sometimes: Sequence[str] = (),
    chooser: Callable[[int], Chooser] | None = None,
    shares: Mapping[str, int] = SHARES,
    executor: Executor | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Exploration:
    """Runs of a scenario, until one breaks the property or the budget is spent.

    Args:
        scenario: the faults that it plans are in every run; the search adds others.
        promised: a check, its name, several of these, or a function from a trace to a Verdict.
        budget: how many runs at most.
        faults: classes of fault that the search may make even where the scenario has no such
            hazard; None: those under which the scenario's guarantee promises anything; (): only
            what the scenario's own laws leave open.
        sites: patterns of site names, such as `crash@billing-*`: only there are faults made. With
            a chooser, or without classes of fault, they say nothing.
        timed: whether to add faults at a time as well (pauses, partitions, clogs, clocks that
            jump, crashes in the middle of waiting), of the nodes that the sites name.
        seed: another number is another search.
        until: "first": to the first failure; "budget": all runs, for every kind of failure.
        sometimes: marks of which each must be reached in some run: a kind of event, a check that
            had something to judge, or `noted/label` for a handler's note.
        chooser: makes the chooser of a run from its number, such as `Seeded`; None: a Portfolio.
        shares: of the portfolio's proposals.
        executor: what runs the runs, as any study's; or `workers`, a number of processes.

    Raises:
        BadInput: an argument cannot be, or the scenario cannot be run.
        PartialResults: a worker died, or the user interrupted.
    """
    for name, number in (("budget", budget), ("workers", workers)):
        if type(number) is not int or number < 1:
            raise BadInput("must be a whole number from 1:", f"explore.{name}", number)
    if until not in UNTIL:
        raise BadInput("must be one of " + " or ".join(UNTIL) + ":", "explore.until", until)
    classes = scenario.guarantee.fault_classes if faults is None else tuple(faults)
    judged = portable(promised)
    one = _OneRun(
        scenario, judged, chooser, seed, classes, _patterns(sites), timed, shares, Atlas(), 0, ()
    )
    search = _Search(scenario, name_of(promised), until)
    # One pool for all rounds: to start one costs as much as a round.
    pool = _pool(workers) if executor is None and workers > 1 else nullcontext(executor)
    with pool as hands:
        last = _run(one, search, budget, executor=hands, progress=progress)
    return search.exploration(budget, tuple(sometimes), last.unmet())


def _patterns(sites: str | Sequence[str]) -> tuple[str, ...]:
    patterns = (sites,) if isinstance(sites, str) else tuple(sites)
    if not patterns:
        raise BadInput(f"names no site: {sites!r}", "explore.sites", fix='such as "crash@*"')
    return patterns


def _run(
    one: _OneRun,
    search: "_Search",
    budget: int,
    *,
    executor: Executor | None,
    progress: Progress | None,
) -> _OneRun:
    """Round after round, each with what the ones before have learned; the last has it all."""
    done, rounds = 0, iter((1, *ROUNDS))
    while done < budget and not search.over:
        size = min(next(rounds, ROUNDS[-1]), budget - done)
        runs = range(done, done + size)
        if executor is None:
            for run in runs:
                search.add(one(run))
                if search.over:
                    break
                if progress is not None:
                    progress(run + 1, budget)
        else:
            for seen in run_all(one, runs, executor=executor):
                if not search.over:  # What lies behind the first failure was run for nothing.
                    search.add(seen)
        done += size
        one = attrs.evolve(
            one,
            atlas=one.atlas.with_more(search.news()),
            ends_ms=search.ends_us // MICROS_PER_MS,
            nodes=search.nodes,
        )
    return one


class _Search:
    """What has been seen so far."""

    def __init__(self, scenario: Scenario, name: str, until: str) -> None:
        self.ends_us = 0
        self.nodes: tuple[str, ...] = ()
        self.over = False
        self._scenario = scenario
        self._name = name
        self._until = until
        self._tallies: dict[str, list[int]] = {}  # Runs, failures, undecided.
        self._reached: Counter[str] = Counter()
        self._failures: dict[str, Failure] = {}
        self._times: Counter[str] = Counter()
        self._news: dict[str, Place] = {}

    def add(self, seen: _Seen) -> None:
        """Take note of a run."""
        if seen.run == 0:
            self.ends_us = seen.ends_us
            self.nodes = seen.nodes
        tally = self._tallies.setdefault(seen.proposal, [0, 0, 0])
        tally[0] += 1
        tally[2] += seen.status is Status.CANNOT_TELL
        self._reached.update(seen.marks)
        for name, place in seen.news.items():
            known = self._news.get(name)
            if known is None or known.times < place.times:
                self._news[name] = place
        if seen.verdict is None:
            return
        tally[1] += 1
        kind = _kind(seen.verdict)
        self._times[kind] += 1
        scenario = self._scenario
        if seen.faults:
            scenario = attrs.evolve(scenario, faults=scenario.faults + FaultPlan(seen.faults))
        failure = Failure(
            seen.run, seen.proposal, scenario, seen.faults, seen.witness, seen.verdict, kind
        )
        known_failure = self._failures.get(kind)
        if known_failure is None or failure.size < known_failure.size:
            self._failures[kind] = failure
        self.over = self._until == "first"

    def news(self) -> dict[str, Place]:
        """What was met since it was asked last."""
        news, self._news = self._news, {}
        return news

    def exploration(
        self, budget: int, sometimes: tuple[str, ...], unmet: tuple[str, ...]
    ) -> Exploration:
        """What the search came to."""
        return Exploration(
            self._name,
            self._scenario.name,
            budget,
            self._until,
            tuple(
                attrs.evolve(failure, times=self._times[kind])
                for kind, failure in self._failures.items()
            ),
            tuple(Tally(name, *counts) for name, counts in self._tallies.items()),
            dict(sorted(self._reached.items())),
            sometimes,
            unmet,
        )


def _kind(verdict: Verdict) -> str:
    """What two failures have in common, whichever event it befell: checks, and what they say."""
    broken = [part for part in verdict.parts if part.status is Status.BROKEN] or [verdict]
    told = []
    for one in broken:
        said = one.evidence[0].sentence if one.evidence else ""
        told.append(f"{one.check}: {_NUMBERS.sub('#', said)}")
    return "; ".join(told)
