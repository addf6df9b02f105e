"""How many runs: a number fixed beforehand, or until an interval is narrow enough.

Rule 1: who looks at 95 % intervals again and again, and stops at one that pleases, has less than
95 %. So each look spends a part of alpha, and all parts together are alpha: look j spends
alpha / (j (j + 1)), of which the sum over all j is alpha.
Rule 2: looks are few because the number of runs doubles; the first spends half of alpha, so
that stopping at once costs little width, and looking on costs more.
Rule 3: the estimate printed is the one of the last look, with the confidence of the whole.

Source: Lan and DeMets, Biometrika 70 (1983) 659 (spending alpha); the parts are combined by
Bonferroni's inequality alone, so nothing is assumed of how looks depend on each other.
"""

from collections.abc import Iterator

import attrs

from simulator.errors import BadInput
from simulator.stats.estimate import Estimate
from simulator.stats.intervals import checked_confidence


def _runs(_: object, field: "attrs.Attribute[int]", value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadInput(f"{field.name} is a whole number from 1:", "stopping", value)


@attrs.frozen
class Look:
    """After how many runs to look, and with which confidence for the intervals seen then."""

    runs: int
    confidence: float


@attrs.frozen
class FixedRuns:
    """As many runs as were asked for, looked at once.

    Raises:
        BadInput: runs is not a whole number from 1.
    """

    runs: int = attrs.field(validator=_runs)


@attrs.frozen
class UntilNarrow:
    """Until the interval of every cell is at most `half_width` to each side, or `most` is reached.

    Args:
        measure: whose intervals are looked at.
        half_width: in the measure's own unit: 0.01 for one percentage point of a share.
        first: how many runs before the first look; it doubles from there.
        most: where to stop in any case.

    Raises:
        BadInput: a value cannot be.
    """

    measure: str
    half_width: float = attrs.field()
    first: int = attrs.field(default=50, validator=_runs)
    most: int = attrs.field(default=6_400, validator=_runs)

    @half_width.validator
    def _check(self, _: object, value: object) -> None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0.0 < value < float("inf"):  # type: ignore[operator]
            raise BadInput("half_width is a number above 0:", "stopping", value)

    @most.validator
    def _check_most(self, _: object, value: int) -> None:
        _runs(None, attrs.fields(UntilNarrow).most, value)
        if value < self.first:
            raise BadInput(f"most is at least first ({self.first}):", "stopping", value)


Stopping = FixedRuns | UntilNarrow


def looks(rule: Stopping, confidence: float = 0.95) -> Iterator[Look]:
    """The looks of a rule, one after the other; their errors together are 1 - confidence.

    Raises:
        BadInput: the confidence cannot be.
    """
    alpha = 1.0 - checked_confidence(confidence)
    if isinstance(rule, FixedRuns):
        yield Look(rule.runs, confidence)
        return
    runs, number = rule.first, 1
    while True:
        spent = alpha / (number * (number + 1))
        yield Look(min(runs, rule.most), 1.0 - spent)
        if runs >= rule.most:
            return
        runs, number = 2 * runs, number + 1


def narrow_enough(rule: Stopping, estimate: Estimate) -> bool:
    """Whether this estimate asks for no more runs."""
    return isinstance(rule, FixedRuns) or estimate.half_width <= rule.half_width
