"""What a search has found: failures, each to be had again, and what its green runs are worth."""

import math
from collections.abc import Mapping

import attrs

from simulator.chance import Replay, format_witness
from simulator.checks.verdict import Verdict
from simulator.scenario.faults import Fault
from simulator.scenario.scenario import Scenario
from simulator.stats.estimate import SHARE, Estimate
from simulator.stats.intervals import nothing_seen
from simulator.stats.proportions import proportion
from simulator.study.simulate import simulate
from simulator.trace.trace import Trace


@attrs.frozen
class Failure:
    """A run that breaks the property.

    Attributes:
        run, proposal: which run of the search it was, and how it was drawn.
        scenario: what was run, with the faults at a time.
        faults: those of them which the search has added.
        witness: the choices of chance that were not benign.
        kind: what failures of the same kind have in common.
        times: how many runs of the search failed so; this is one with the fewest choices.
    """

    run: int
    proposal: str
    scenario: Scenario = attrs.field(repr=False)
    faults: tuple[Fault, ...]
    witness: Mapping[tuple[str, int], int]
    verdict: Verdict = attrs.field(repr=False)
    kind: str
    times: int = 1

    @property
    def size(self) -> int:
        """How many faults and choices it consists of."""
        return len(self.faults) + len(self.witness)

    @property
    def text(self) -> str:
        """The witness as one line."""
        return format_witness(self.witness)

    def trace(self) -> Trace:
        """The run once more.

        Raises:
            Exception: what the run raised, if that is the failure.
        """
        return simulate(self.scenario, Replay(self.witness))

    def __str__(self) -> str:
        """The verdict, its first case, and how to have the run again."""
        said = self.verdict.evidence[0].sentence if self.verdict.evidence else ""
        added = [f"  fault: {fault}" for fault in self.faults]
        line = f"run {self.run} ({self.proposal}), {self.times} alike: {self.verdict}"
        return "\n".join((line, f"  {said}", *added, f"  witness: {self.text or '(empty)'}"))


@attrs.frozen
class Tally:
    """Of the runs that were drawn in one way: how many, how many failed, how many were open."""

    proposal: str
    runs: int
    failures: int
    undecided: int


@attrs.frozen
class Exploration:
    """What many runs of a scenario have shown of a property.

    Attributes:
        property_name: what was asked of each run.
        budget: how many runs were allowed.
        until: `first`, if the first failure ended the search, or `budget`.
        failures: one of each kind, in the order in which the kinds appeared.
        tallies: by the ways in which runs were drawn.
        reached: in how many runs each mark was reached: checks that had something to judge, kinds
            of events, and `noted/label`.
        sometimes: the marks that were asked for.
        unmet: the patterns of sites that no run came to: no fault was made there.
    """

    property_name: str
    scenario: str
    budget: int
    until: str
    failures: tuple[Failure, ...]
    tallies: tuple[Tally, ...]
    reached: Mapping[str, int]
    sometimes: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return sum(tally.runs for tally in self.tallies)

    @property
    def failed(self) -> int:
        """How many of them broke the property."""
        return sum(tally.failures for tally in self.tallies)

    @property
    def undecided(self) -> int:
        """How many could not be judged."""
        return sum(tally.undecided for tally in self.tallies)

    @property
    def first(self) -> Failure | None:
        """The first kind of failure; None if there was none."""
        return self.failures[0] if self.failures else None

    @property
    def never_reached(self) -> tuple[str, ...]:
        """The marks that were asked for and not reached: the search says little without them."""
        return tuple(mark for mark in self.sometimes if not self.reached.get(mark))

    def findability(self, confidence: float = 0.95) -> Estimate:
        """The share of such a search's runs that fail; not how probable a failure is in the world.

        Where the first failure ended the search, the number of runs is the observation, and the
        interval is the geometric law's.
        """
        runs = self.runs
        if self.until == "first" and self.failures:
            half = (1.0 - confidence) / 2.0
            low = -math.expm1(math.log1p(-half) / runs)
            high = 1.0 if runs == 1 else -math.expm1(math.log(half) / (runs - 1))
            given = (("runs", runs),)
            return Estimate(1 / runs, low, high, confidence, runs, "geometric", SHARE, given=given)
        return proportion(self.failed, runs, confidence=confidence)

    def more_green_runs(self, share: float, confidence: float = 0.95) -> int:
        """How many more runs without a failure are needed to say: at most this share fails.

        0 if there are enough; only for a search without failures.
        """
        assert not self.failures, "there are failures"
        needed = math.ceil(math.log((1.0 - confidence) / 2.0) / math.log1p(-share))
        return max(0, needed - self.runs)

    def __str__(self) -> str:
        """The failures; else what the green runs are worth; and by which means."""
        lines = [f"{self.property_name}: {self._outcome()}"]
        lines += [str(failure) for failure in self.failures]
        if self.undecided:
            lines.append(f"{self.undecided} runs could not be judged")
        lines += [f"never reached: {mark}" for mark in self.never_reached]
        if not self.failures:
            lines += [f"never met: {pattern}" for pattern in self.unmet]
        lines += [
            f"  {tally.proposal}: {tally.runs} runs, {tally.failures} failed"
            for tally in self.tallies
        ]
        return "\n".join(lines)

    def _outcome(self) -> str:
        if self.failures:
            return f"{self.failed} of {self.runs} runs failed; findable {self.findability()}"
        bound = nothing_seen(self.runs)
        next_share = 10.0 ** math.floor(math.log10(bound) - 1e-9)
        more = self.more_green_runs(next_share)
        return (
            f"none of {self.runs} runs failed: {self.findability()} of such runs do; "
            f"{more} more green runs would be needed to say <= {100 * next_share:g} %"
        )


__all__ = ["Exploration", "Failure", "Tally"]
