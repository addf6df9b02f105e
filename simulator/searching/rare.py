"""Rare events: how probable a failure is that hardly ever happens, from runs that make it often.

1. Runs are drawn by a portfolio that makes the faults frequent which the scenario's own laws leave
   open (loss, duplication, crashes, pauses), and each counts with its likelihood ratio: so the
   estimate is of the law, and unbiased. Without such a law there is nothing to make frequent.
2. Where faults may strike is learned from a few runs beforehand, which do not count.
3. The weights of all runs have the mean 1. If theirs has not, or if the runs that failed hang on a
   few of great weight, the interval would be a pretence: then the estimate cannot tell.
"""

import math
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import NamedTuple

import attrs

from simulator.chance.atlas import Atlas, Place
from simulator.chance.likelihood import LAW, SPARSE, SWARM
from simulator.chance.portfolio import BENIGN, Portfolio
from simulator.checks.verdict import Status
from simulator.errors import BadInput
from simulator.scenario.scenario import Scenario
from simulator.searching.properties import Promised, as_judge, portable
from simulator.stats.estimate import SHARE, Estimate
from simulator.stats.intervals import checked_confidence, nothing_seen
from simulator.stats.means import mean, variance
from simulator.study.executors import Progress, run_all
from simulator.study.simulate import simulate

RUNS = 1_000
PILOTS = 24
WEIGHED_SHARES: Mapping[str, int] = {LAW: 1, SWARM: 1, SPARSE: 2}
EFFECTIVE_LEAST = 10.0  # Failed runs of equal weight that would tell as much as those there are.
SURE = 0.999  # With this confidence is the mean of the weights looked at.


class _Weighed(NamedTuple):
    """Of a run: its weight, and how it came out."""

    weight: float
    status: Status
    drawn_by_law: bool
    news: dict[str, Place]


@attrs.frozen
class _OneRun:
    """One run by its number; sent to workers."""

    scenario: Scenario
    promised: Promised
    seed: int
    atlas: Atlas
    shares: Mapping[str, int]

    def __call__(self, run: int) -> _Weighed:
        chooser = Portfolio(self.seed, run, atlas=self.atlas, shares=self.shares)
        trace = simulate(self.scenario, chooser)
        log_ratio = chooser.log_ratio
        return _Weighed(
            math.exp(log_ratio) if log_ratio is not None else 1.0,
            as_judge(self.promised)(trace).status,
            chooser.proposal == LAW,
            self.atlas.news(chooser.met),
        )


@attrs.frozen
class Rare:
    """How probable a failure is, and how much the number is worth.

    Attributes:
        estimate: the probability under the scenario's laws; without a point where it cannot tell.
        runs, failed, undecided: how many there were.
        effective: so many runs of equal weight would tell as much of the weights' mean.
        effective_failed: so many failed runs of equal weight would tell as much.
        mean_weight: of all runs; 1 in truth.
        self_normalised: the failed runs' share of all weights: close to the estimate, if it is
            worth anything.
        plain_runs: about how many runs drawn by the law would be needed for such an interval.
        why: why it cannot tell.
    """

    estimate: Estimate
    runs: int
    failed: int
    undecided: int
    effective: float
    effective_failed: float
    mean_weight: Estimate
    self_normalised: float
    plain_runs: float
    why: str = ""

    def __str__(self) -> str:
        """The estimate, and what it rests on."""
        rests = (
            f"{self.failed} of {self.runs} weighted runs failed, worth {self.effective_failed:.0f}"
        )
        if self.why:
            return f"cannot tell: {self.why} ({rests})"
        if not self.failed:
            return f"{self.estimate} ({rests})"
        return f"{self.estimate} ({rests}; plain runs would need {self.plain_runs:.0f})"


def rare(
    scenario: Scenario,
    promised: Promised,
    *,
    runs: int = RUNS,
    seed: int = 0,
    confidence: float = 0.95,
    shares: Mapping[str, int] = WEIGHED_SHARES,
    executor: Executor | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Rare:
    """The probability that a run of the scenario breaks the property, by importance sampling.

    Args:
        promised: a check, its name, several of these, or a function from a trace to a Verdict.
        runs: how many are drawn and weighted.
        seed: another number is another sample.
        shares: of the proposals; the law must be among them.
        executor: what runs the runs, as any study's; or `workers`, a number of processes.

    Raises:
        BadInput: an argument cannot be, or the scenario cannot be run.
        PartialResults: a run failed by an exception, or the user interrupted.
    """
    checked_confidence(confidence)
    if type(runs) is not int or runs < 2:
        raise BadInput("must be a whole number from 2:", "rare.runs", runs)
    unknown = [name for name in shares if name not in WEIGHED_SHARES]
    if unknown or shares.get(LAW, 0) < 1:
        fix = "the law must have a share, and others may: " + ", ".join(WEIGHED_SHARES)
        raise BadInput("cannot be weighted:", "rare.shares", dict(shares), fix)
    one = _OneRun(scenario, portable(promised), seed, Atlas(), {BENIGN: 1})
    for pilot in range(PILOTS):
        news = one(runs + pilot).news
        one = attrs.evolve(one, atlas=one.atlas.with_more(news), shares=shares)
    hands = None if executor is not None else workers
    seen = run_all(one, range(runs), executor=executor, workers=hands, progress=progress)
    return weighed(
        [(run.weight, run.status) for run in seen],
        sum(run.drawn_by_law for run in seen),
        confidence,
    )


def weighed(
    runs: "list[tuple[float, Status]]", drawn_by_law: int, confidence: float = 0.95
) -> Rare:
    """What weighted runs say.

    Args:
        runs: of each its weight, and how it came out.
        drawn_by_law: how many of them the law itself drew, however they came out: these alone
            bound what was not seen.
    """
    weights = [weight for weight, _ in runs]
    hits = [weight if status is Status.BROKEN else 0.0 for weight, status in runs]
    failed = sum(status is Status.BROKEN for _, status in runs)
    open_weight = math.fsum(weight for weight, status in runs if status is Status.CANNOT_TELL)
    undecided = sum(status is Status.CANNOT_TELL for _, status in runs)
    mean_weight = mean(weights, confidence=SURE)
    effective, effective_failed = effective_size(weights), effective_size(hits)
    estimate = _estimate(hits, failed, drawn_by_law, confidence)
    why = ""
    if mean_weight.tells and not mean_weight.holds(1.0):
        why = f"the mean of the weights is {mean_weight}, and should be 1"
    elif open_weight > 0.1 * math.fsum(hits) and undecided:
        why = f"{undecided} runs could not be judged"
    elif failed and effective_failed < EFFECTIVE_LEAST:
        why = "the runs that failed hang on a few of great weight"
    spread = variance(hits) / len(hits)
    point = math.fsum(hits) / len(hits)
    if why:
        estimate = attrs.evolve(estimate, point=None, low=None, high=None, bound="none")
    return Rare(
        estimate,
        len(runs),
        failed,
        undecided,
        effective,
        effective_failed,
        mean_weight,
        math.fsum(hits) / math.fsum(weights),
        point * (1.0 - point) / spread if spread > 0.0 else math.inf,
        why,
    )


def _estimate(hits: list[float], failed: int, drawn_by_law: int, confidence: float) -> Estimate:
    method = "importance sampling"
    given = (("weights", math.fsum(hits)), ("runs", len(hits)), ("failed", failed))
    if not failed:
        high = nothing_seen(drawn_by_law, confidence) if drawn_by_law else None
        return Estimate(0.0, 0.0, high, confidence, len(hits), method, SHARE, "upper", given)
    found = mean(hits, unit=SHARE, confidence=confidence)
    low = None if found.low is None else max(0.0, found.low)
    high = None if found.high is None else min(1.0, found.high)
    return Estimate(found.point, low, high, confidence, len(hits), method, SHARE, given=given)


def effective_size(weights: list[float]) -> float:
    """How many equal weights would tell as much (Kong 1992); 0 of none."""
    squares = math.fsum(weight * weight for weight in weights)
    return math.fsum(weights) ** 2 / squares if squares > 0.0 else 0.0


__all__ = ["Rare", "effective_size", "rare", "weighed"]
