"""An estimate is a number that knows its error, and says so when it knows nothing.

Rule 1: a side of the interval that the data cannot bound is None, and is printed as `?`.
Rule 2: where nothing was seen, the bound is printed (`<= 1.2 %`), never a bare 0; where all was
seen, `>= 98.8 %`.
Rule 3: it echoes what it was made of, so that it can be checked by hand.
"""

import math
from typing import Any

import attrs

SHARE = "share"
MICROSECONDS = "us"

Given = tuple[tuple[str, float], ...]

_SCALES_US = ((1_000_000.0, "s"), (1_000.0, "ms"))


@attrs.frozen
class Estimate:
    """A point with its interval.

    Args:
        point: the best single number; None when there were no data.
        low: the interval's lower end; None when the data cannot bound it.
        high: the interval's upper end; None when the data cannot bound it.
        confidence: how often such an interval holds the truth.
        n: how many independent units it rests on: runs, or samples if those are independent.
        method: how the interval was made.
        unit: `share` (printed as %), `us` (printed as ms or s where that reads better), or a word.
        bound: `none`; `upper`, when nothing was seen; `lower`, when all were.
        given: what it was made of, as (name, number).
    """

    point: float | None
    low: float | None
    high: float | None
    confidence: float
    n: int
    method: str
    unit: str = SHARE
    bound: str = "none"
    given: Given = ()

    @property
    def tells(self) -> bool:
        """Whether there is a point, and an interval bounded on both sides."""
        return None not in (self.point, self.low, self.high)

    @property
    def half_width(self) -> float:
        """Half the interval's length; infinite when a side is open."""
        if self.low is None or self.high is None:
            return math.inf
        return (self.high - self.low) / 2.0

    def holds(self, value: float) -> bool:
        """Whether the value lies within the interval."""
        above = self.low is None or value >= self.low
        return above and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        return shown(self)


def decimals(width: float) -> int:
    """How many decimals show two digits of a width: 1.7 has one, 17 none, 0.17 two."""
    if not math.isfinite(width) or width <= 0.0:
        return 0
    return max(0, min(9, 1 - math.floor(math.log10(width) + 1e-9)))


def shown(estimate: Estimate) -> str:
    """`3.4 % [2.6, 4.3]`, `<= 1.2 %`, `12.35 ms [11.90, ?]`, `cannot tell`."""
    if estimate.point is None:
        return "cannot tell"
    scale, unit = _scale(estimate)
    suffix = f" {unit}" if unit else ""
    point = estimate.point * scale
    low = None if estimate.low is None else estimate.low * scale
    high = None if estimate.high is None else estimate.high * scale
    if estimate.bound == "upper" and high is not None:
        return f"<= {high:.{decimals(high)}f}{suffix}"
    if estimate.bound == "lower" and low is not None:
        rest = (100.0 if estimate.unit == SHARE else scale) - low
        return f">= {low:.{decimals(rest)}f}{suffix}"
    places = decimals(_width(point, low, high))
    ends = ", ".join("?" if end is None else _number(end, places) for end in (low, high))
    return f"{_number(point, places)}{suffix} [{ends}]"


def _number(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0.0 else text


def _width(point: float, low: float | None, high: float | None) -> float:
    """What the number of digits goes by: the interval, or what is known of it."""
    below = point if low is None else low
    above = point if high is None else high
    if above > below:
        return above - below
    return abs(point) / 10.0 if point else 1.0


def _scale(estimate: Estimate) -> tuple[float, str]:
    if estimate.unit == SHARE:
        return 100.0, "%"
    if estimate.unit == MICROSECONDS:
        known = (estimate.point, estimate.low, estimate.high)
        largest = max(abs(value) for value in known if value is not None)
        for size, name in _SCALES_US:
            if largest >= size:
                return 1.0 / size, name
    return 1.0, estimate.unit


def to_plain(estimate: Estimate) -> dict[str, Any]:
    """The estimate as plain data; numbers keep nine digits, on which all platforms agree."""
    plain = attrs.asdict(estimate)
    for name in ("point", "low", "high", "confidence"):
        plain[name] = rounded(plain[name])
    plain["given"] = [[name, rounded(value)] for name, value in estimate.given]
    plain["shown"] = shown(estimate)
    return plain


def from_plain(plain: dict[str, Any]) -> Estimate:
    """The estimate of plain data.

    Raises:
        KeyError: a field is missing.
    """
    names = [field.name for field in attrs.fields(Estimate)]
    values = {name: plain[name] for name in names if name != "given"}
    return Estimate(**values, given=tuple((name, value) for name, value in plain["given"]))


def rounded(value: float | None) -> float | None:
    """Nine digits of a number: libraries of mathematics differ in the last of seventeen."""
    if value is None or isinstance(value, int):
        return value
    return float(f"{value:.9g}")
