"""What one run tells, as small plain data, and how the data of many runs become estimates.

A measure's function sees what a run left behind and answers with a few numbers; they are all that
is kept, so that a study of a million runs keeps a million small tuples and no trace.

    share    (lost, acknowledged): a part of a whole, pooled over runs; the run is the unit
    ratio    (requests, events): two sums, which need not be part and whole
    flag     True or False: whether this run did it
    number   one number a run; its mean is estimated
    samples  many whole numbers a run, such as latencies in us: quantiles are estimated

None says that this run tells nothing of it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

from simulator.errors import BadInput
from simulator.stats.estimate import MICROSECONDS, SHARE, Estimate
from simulator.stats.means import mean
from simulator.stats.paired import Difference, paired_means, paired_proportions, paired_shares
from simulator.stats.proportions import proportion
from simulator.stats.proportions import ratio as ratio_of_runs
from simulator.stats.proportions import share as share_of_runs
from simulator.stats.quantiles import (
    checked_share,
    quantile_of_runs,
    tally,
    tally_quantile,
)


@attrs.frozen
class Measure:
    """One thing to measure; made by `share`, `ratio`, `flag`, `number` or `samples`.

    Args:
        kind: which of these.
        function: from what a run left behind to its numbers, or None.
        unit: `share`, `us`, or a word that is printed behind the number.
        more_is_better: for the reader of a comparison; None: neither is.
        quantiles: of samples: which are estimated.
        bits: of samples: how many leading binary digits are kept; None keeps all.
    """

    kind: str
    function: Callable[[Any], Any]
    unit: str
    more_is_better: bool | None = None
    quantiles: tuple[float, ...] = ()
    bits: int | None = None


def share(
    function: Callable[[Any], tuple[int, int] | None], *, more_is_better: bool | None = False
) -> Measure:
    """A part of a whole: the function answers (how many, of how many)."""
    return Measure("share", function, SHARE, more_is_better)


def ratio(
    function: Callable[[Any], tuple[float, float] | None],
    *,
    unit: str = "",
    more_is_better: bool | None = None,
) -> Measure:
    """Two sums: the function answers (numerator, denominator)."""
    return Measure("ratio", function, unit, more_is_better)


def flag(function: Callable[[Any], bool | None], *, more_is_better: bool | None = False) -> Measure:
    """The share of runs of which something is true."""
    return Measure("flag", function, SHARE, more_is_better)


def number(
    function: Callable[[Any], float | None], *, unit: str = "", more_is_better: bool | None = None
) -> Measure:
    """One number a run, of which the mean over runs is estimated."""
    return Measure("number", function, unit, more_is_better)


def samples(
    function: Callable[[Any], Iterable[int] | None],
    *,
    quantiles: Sequence[float] = (0.5, 0.99),
    unit: str = MICROSECONDS,
    more_is_better: bool | None = False,
    bits: int | None = 8,
) -> Measure:
    """Whole numbers of 0 or more, of which quantiles are estimated.

    Args:
        bits: values keep so many leading binary digits: 8 is an error of at most 0.4 %.

    Raises:
        BadInput: a quantile is not between 0 and 1, or none is asked for.
    """
    if not quantiles:
        raise BadInput("name at least one quantile:", "samples", tuple(quantiles), "(0.5, 0.99)")
    for q in quantiles:
        checked_share(q)
    return Measure("samples", function, unit, more_is_better, tuple(quantiles), bits)


def columns(name: str, measure: Measure) -> tuple[tuple[str, float | None], ...]:
    """What a measure's estimates are called, each with its quantile or None."""
    if measure.kind != "samples":
        return ((name, None),)
    return tuple((f"{name} p{100 * q:.10g}", q) for q in measure.quantiles)


def observe(name: str, measure: Measure, left: Any) -> Any:
    """The small plain data that one run leaves of a measure; None if it tells nothing.

    Raises:
        BadInput: the function answered with something else than its kind asks for.
    """
    given = measure.function(left)
    if given is None:
        return None
    if measure.kind == "samples":
        return tally(given, bits=measure.bits)
    if measure.kind == "flag" and isinstance(given, bool):
        return given
    if measure.kind == "number" and _is_number(given):
        return given
    if measure.kind in ("share", "ratio"):
        pair = tuple(given) if isinstance(given, tuple | list) else ()
        if len(pair) == 2 and all(_is_number(value) for value in pair):
            part, whole = pair
            if whole >= 0 and (measure.kind == "ratio" or 0 <= part <= whole):
                return pair
    raise BadInput(f"a {measure.kind} cannot be made of", f"measure {name}", given)


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        return number and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # A whole number that no float can hold.
        return False


def estimated(
    measure: Measure, quantile: float | None, rows: Sequence[Any], confidence: float
) -> Estimate:
    """The estimate of a column from what each run left; None stands for a run that told nothing."""
    told = [row for row in rows if row is not None]
    match measure.kind:
        case "share":
            return share_of_runs(told, confidence=confidence)
        case "ratio":
            return ratio_of_runs(told, unit=measure.unit, confidence=confidence)
        case "flag":
            return proportion(sum(told), len(told), confidence=confidence)
        case "number":
            return mean(told, unit=measure.unit, confidence=confidence)
        case _:
            assert quantile is not None, measure.kind
            return quantile_of_runs(told, quantile, confidence=confidence, unit=measure.unit)


def difference(
    measure: Measure,
    quantile: float | None,
    base: Sequence[Any],
    other: Sequence[Any],
    confidence: float,
) -> Difference:
    """How much more of a column the other side has, run by run under the same seeds.

    Of samples, each run's own quantile is compared, and the mean of their differences estimated.
    Pairs of which a side told nothing are left out.
    """
    pairs = [(b, o) for b, o in zip(base, other, strict=True) if b is not None and o is not None]
    bases, others = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    match measure.kind:
        case "share" | "ratio":
            return paired_shares(bases, others, unit=measure.unit, confidence=confidence)
        case "flag":
            return paired_proportions(bases, others, confidence=confidence)
        case "number":
            return paired_means(bases, others, unit=measure.unit, confidence=confidence)
        case _:
            assert quantile is not None, measure.kind
            return _quantile_difference(bases, others, quantile, measure.unit, confidence)


def _quantile_difference(
    bases: list[Any], others: list[Any], quantile: float, unit: str, confidence: float
) -> Difference:
    both = [
        (b, o)
        for base, other in zip(bases, others, strict=True)
        if (b := tally_quantile(base, quantile)) is not None
        and (o := tally_quantile(other, quantile)) is not None
    ]
    return paired_means(
        [pair[0] for pair in both], [pair[1] for pair in both], unit=unit, confidence=confidence
    )
