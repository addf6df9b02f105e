"""The causality curve: how probable the failure was after each choice that led to it.

The beginning of the failing run is replayed up to a choice, and the rest of it drawn anew, many
times. Where the probability jumps, something was decided; where it is near 1, all that came later
mattered little.

1. The rests are drawn by the scenario's own laws, so the curve is about the world; or by any
   other chooser, and then it is about that.
2. The same seeds continue every beginning, so that neighbours differ by their choices, not by luck.
3. A beginning that leaves nothing open has one end: its probability is exactly 0 or 1.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

import attrs

from simulator.chance import Chooser, Seeded, Zero, parse_witness
from simulator.chance.prefix import Asked, Prefix
from simulator.chance.witness import Witness
from simulator.checks.verdict import Status
from simulator.errors import BadInput
from simulator.scenario.scenario import Scenario
from simulator.searching.properties import Promised, as_judge, portable
from simulator.stats.estimate import SHARE, Estimate
from simulator.stats.proportions import proportion
from simulator.study.executors import run_all
from simulator.study.simulate import simulate

TAILS = 100
POINTS_MOST = 60

Estimating = Callable[[Scenario, Promised, Witness, int], Estimate]
"""The probability of the failure after the first `count` choices of a witness, by other means:
given the scenario, the property, the witness and the count."""


@attrs.frozen
class Point:
    """The probability of the failure when so many choices have been made.

    Attributes:
        made: how many choices.
        last: the last of them; None at the beginning.
        benign: whether that was the benign answer.
        estimate: of the probability, over all rests.
        undecided: how many rests could not be judged; they are left out.
    """

    made: int
    last: Asked | None
    benign: bool
    estimate: Estimate
    undecided: int = 0

    def __str__(self) -> str:
        said = "at the beginning" if self.last is None else str(self.last)
        return f"{self.made:5d}  {said}: {self.estimate}"


@attrs.frozen
class Curve:
    """The points of a run, in the order of its choices.

    Attributes:
        choices: how many choices the run made in all.
    """

    points: tuple[Point, ...]
    choices: int

    @property
    def decisive(self) -> Point | None:
        """The point with the greatest rise above the one before; None if it never rises."""
        best, rise = None, 0.0
        for before, after in zip(self.points, self.points[1:], strict=False):
            one, other = before.estimate.point, after.estimate.point
            if one is not None and other is not None and other - one > rise:
                best, rise = after, other - one
        return best

    def __str__(self) -> str:
        """A line for each point; the decisive one is marked."""
        decisive = self.decisive
        return "\n".join(
            f"{point}  <-- decides most" if point is decisive else str(point)
            for point in self.points
        )


@attrs.frozen
class _OneTail:
    """One rest: (how many choices are replayed, number of the rest); sent to workers."""

    scenario: Scenario
    promised: Promised
    witness: Mapping[tuple[str, int], int]
    make: Callable[[int], Chooser]
    seed: int

    def __call__(self, item: tuple[int, int]) -> tuple[Status, int]:
        made, number = item
        chooser = Prefix(self.witness, made, self.make(self.seed + number))
        trace = simulate(self.scenario, chooser)
        return as_judge(self.promised)(trace).status, chooser.tail


def order_of(scenario: Scenario, witness: Witness) -> list[Asked]:
    """Every choice of the run that a witness tells, in the order of asking.

    Raises:
        BadInput: the witness cannot be one, or the scenario cannot be run.
    """
    chooser = Prefix(witness, None, Zero())
    simulate(scenario, chooser)
    return chooser.order


def causality(
    scenario: Scenario,
    promised: Promised,
    witness: Witness | str,
    *,
    tails: int = TAILS,
    seed: int = 0,
    at: Sequence[int] | None = None,
    chooser: Callable[[int], Chooser] = Seeded,
    estimating: Estimating | None = None,
    executor: Executor | None = None,
    workers: int = 1,
) -> Curve:
    """The curve of a run.

    Args:
        scenario: with the faults at a time that the run had.
        witness: as values or as a line of text.
        tails: how many rests continue each beginning.
        at: after how many choices to look; None: at the beginning, right before and right after
            each choice that was not benign, and at the end.
        chooser: makes the chooser of a rest from its number.
        estimating: gives a point's estimate by other means, exactly for instance.
        executor: what runs the rests, as any study's; or `workers`, a number of processes.

    Raises:
        BadInput: an argument cannot be, or the scenario cannot be run.
        PartialResults: a run failed by an exception, or the user interrupted.
    """
    if type(tails) is not int or tails < 1:
        raise BadInput("must be a whole number from 1:", "causality.tails", tails)
    told = parse_witness(witness) if isinstance(witness, str) else dict(witness)
    order = order_of(scenario, told)
    looks = _looks(order, told) if at is None else sorted(dict.fromkeys(at))
    if looks and not (looks[0] >= 0 and looks[-1] <= len(order)):
        raise BadInput(f"the run has {len(order)} choices:", "causality.at", list(looks))
    if estimating is None:
        one = _OneTail(scenario, portable(promised), told, chooser, seed)
        hands = None if executor is not None else workers
        run = partial(run_all, one, executor=executor, workers=hands)
        found = _sampled(run, looks, tails)
    else:
        found = [(estimating(scenario, promised, told, made), 0) for made in looks]
    return Curve(
        tuple(
            Point(
                made,
                order[made - 1] if made else None,
                made == 0 or tuple(order[made - 1][:2]) not in told,
                estimate,
                undecided,
            )
            for made, (estimate, undecided) in zip(looks, found, strict=True)
        ),
        len(order),
    )


def _looks(order: list[Asked], told: Witness) -> list[int]:
    """Before and after each deviation; of very many, the last ones."""
    looks = [0, len(order)]
    for made, asked in enumerate(order):
        if (asked.site, asked.k) in told:
            looks += [made, made + 1]
    chosen = sorted(dict.fromkeys(looks))
    return chosen if len(chosen) <= POINTS_MOST else [0, *chosen[1 - POINTS_MOST :]]


def _sampled(
    run: Callable[[list[tuple[int, int]]], list[tuple[Status, int]]],
    looks: Sequence[int],
    tails: int,
) -> list[tuple[Estimate, int]]:
    """For each beginning the estimate, and how many rests could not be judged."""
    firsts = run([(made, 0) for made in looks])
    items = [
        (made, number)
        for made, (_, tail) in zip(looks, firsts, strict=True)
        if tail
        for number in range(1, tails)
    ]
    rests = dict(zip(items, run(items), strict=True))
    found = []
    for made, (status, tail) in zip(looks, firsts, strict=True):
        if not tail and status is not Status.CANNOT_TELL:
            sure = float(status is Status.BROKEN)
            found.append((Estimate(sure, sure, sure, 1.0, 1, "exact", SHARE), 0))
            continue
        statuses = [status, *(rests[made, i][0] for i in range(1, tails) if tail)]
        judged = [known for known in statuses if known is not Status.CANNOT_TELL]
        broken = sum(known is Status.BROKEN for known in judged)
        found.append((proportion(broken, len(judged)), len(statuses) - len(judged)))
    return found


__all__ = ["Curve", "Point", "causality", "order_of"]
