"""A comparison says more, less or cannot tell; of many comparisons, few may be wrong.

Rule 1: "cannot tell" is not "the same": the interval says how large a difference may be.
Rule 2: a family of comparisons is corrected by Holm, so that with the stated confidence *none*
of its "more" and "less" is wrong. Comparing thirty pairs at 95 % each would otherwise find a
difference or two where there are none.
Rule 3: the interval shown is that of the one comparison, uncorrected; so it may leave zero out
where the family's verdict is still "cannot tell".

Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65.
"""

from collections.abc import Sequence

import attrs

from simulator.stats.estimate import Estimate
from simulator.stats.intervals import checked_confidence
from simulator.stats.paired import Difference

MORE = "more"
LESS = "less"
CANNOT_TELL = "cannot tell"


@attrs.frozen
class Comparison:
    """Whether `other` has more of a measure than `base`, under the same seeds.

    Args:
        measure: what is compared.
        base: the one that the difference is taken from.
        other: the one that has more, less, or cannot be told from it.
        verdict: `more`, `less` or `cannot tell`.
        difference: other - base.
        p_value: of this comparison alone.
        adjusted: the p-value after Holm's correction over its family.
        variance_reduction: how many times fewer runs common seeds took.
        better: whether the difference is to the good; None where nobody said, or cannot tell.
    """

    measure: str
    base: str
    other: str
    verdict: str
    difference: Estimate
    p_value: float
    adjusted: float
    variance_reduction: float | None = None
    better: bool | None = None

    def __str__(self) -> str:
        told = {MORE: "has more", LESS: "has less"}.get(self.verdict, "cannot be told from")
        than = "than " if self.verdict in (MORE, LESS) else ""
        return f"{self.measure}: {self.other} {told} {than}{self.base} ({self.difference})"


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values corrected for their number, in their own order; each at most 1."""
    order = sorted(range(len(p_values)), key=lambda index: (p_values[index], index))
    adjusted = [1.0] * len(p_values)
    reached = 0.0
    for place, index in enumerate(order):
        reached = max(reached, min(1.0, p_values[index] * (len(order) - place)))
        adjusted[index] = reached
    return tuple(adjusted)


@attrs.frozen
class Asked:
    """One comparison before the family's correction."""

    measure: str
    base: str
    other: str
    difference: Difference
    more_is_better: bool | None = None


def compared(asked: Sequence[Asked], *, confidence: float = 0.95) -> tuple[Comparison, ...]:
    """The verdicts of a family of comparisons, in their order.

    Raises:
        BadInput: the confidence cannot be.
    """
    alpha = 1.0 - checked_confidence(confidence)
    adjusted = holm([one.difference.p_value for one in asked])
    return tuple(
        _decided(one, corrected, alpha) for one, corrected in zip(asked, adjusted, strict=True)
    )


def _decided(one: Asked, adjusted: float, alpha: float) -> Comparison:
    point = one.difference.estimate.point
    verdict = CANNOT_TELL
    if point and adjusted <= alpha:
        verdict = MORE if point > 0 else LESS
    better = None
    if verdict != CANNOT_TELL and one.more_is_better is not None:
        better = (verdict == MORE) == one.more_is_better
    return Comparison(
        measure=one.measure,
        base=one.base,
        other=one.other,
        verdict=verdict,
        difference=one.difference.estimate,
        p_value=one.difference.p_value,
        adjusted=adjusted,
        variance_reduction=one.difference.variance_reduction,
        better=better,
    )
