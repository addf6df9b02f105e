"""Results as a picture: dots with their intervals, one panel a measure, one row a cell.

Rule 1: an interval is a line with ends; a side that the data cannot bound runs to the panel's
edge and ends in an arrow.
Rule 2: nothing seen has no dot: a dashed line from zero to the bound, and a hollow triangle that
points back at zero; all seen is its mirror.
Rule 3: the number stands beside its mark, so that nothing is told by place or colour alone.
Rule 4: the same results give the same bytes.
"""

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

import attrs

from simulator.report.figure import INK, QUIET, RECORD
from simulator.stats.estimate import MICROSECONDS, SHARE, Estimate, shown
from simulator.study.results import CellResult, Results

ROW, GAP, HEAD, AXIS = 20, 8, 26, 24
PLOT, BETWEEN, MARGIN = 210, 26, 12
LETTER, SMALL = 6.6, 6.1  # About the width of a letter of 12 px, and of 11.
GRID, BAND = "#d8dde4", "#f5f8ff"


def results_plot(results: Results, *, columns: Sequence[str] | None = None, across: int = 3) -> str:
    """An SVG document of all estimates.

    Args:
        columns: which estimates; None is all of them.
        across: how many panels stand beside each other.
    """
    chosen = list(results.columns if columns is None else columns)
    names = [_row_name(cell) for cell in results.cells]
    label = MARGIN + LETTER * max((len(name) for name in names), default=0) + 12
    tops, height = _rows(results.cells)
    longest = max((len(shown(c.estimate(of))) for c in results.cells for of in chosen), default=0)
    panel_width = PLOT + 10 + SMALL * longest + BETWEEN
    width = label + min(across, max(1, len(chosen))) * panel_width + MARGIN
    body: list[str] = []
    y = 52.0
    for first in range(0, len(chosen), across):
        body.extend(_labels(names, tops, y, width))
        for place, column in enumerate(chosen[first : first + across]):
            x = label + place * panel_width
            panel = _Panel(column, results.cells, tops, x, y, height)
            body.extend(panel.draw())
        y += HEAD + height + AXIS + 16
    title = f"{results.experiment}: {results.question}"
    note = f"{100 * results.confidence:g} % intervals"
    if results.partial:
        note += f"; PARTIAL: {results.partial}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {y:.0f}" '
        f'width="{width:.0f}" height="{y:.0f}" font-family="system-ui,DejaVu Sans,sans-serif" '
        f'font-size="12" fill="{INK}" role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(_told(results, chosen))}</desc>"
        f'<rect width="{width:.0f}" height="{y:.0f}" fill="#fff"/>'
        f'<text x="{MARGIN}" y="22" font-size="15" font-weight="700">{escape(title)}</text>'
        f'<text x="{MARGIN}" y="39" fill="{QUIET}">{escape(note)}</text>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _row_name(cell: CellResult) -> str:
    return (
        " \u00b7 ".join(
            level if index == 0 else f"{factor} {level}"
            for index, (factor, level) in enumerate(cell.labels)
        )
        or "all"
    )


def _told(results: Results, columns: Sequence[str]) -> str:
    """The picture in words, for those who do not see it."""
    return "; ".join(
        f"{column}, {cell}: {shown(cell.estimate(column))}"
        for column in columns
        for cell in results.cells
    )


def _rows(cells: Sequence[CellResult]) -> tuple[list[float], float]:
    """Where each row begins, below the panel's head: cells of one first level stand together."""
    tops, y = [], 0.0
    for place, cell in enumerate(cells):
        if place and cell.labels[:1] != cells[place - 1].labels[:1]:
            y += GAP
        tops.append(y)
        y += ROW
    return tops, y


def _labels(names: Sequence[str], tops: Sequence[float], y: float, width: float) -> Iterator[str]:
    """The rows' names, and a pale band behind every other row to lead the eye."""
    for place, (name, top) in enumerate(zip(names, tops, strict=True)):
        at = y + HEAD + top
        if place % 2 == 0:
            yield (
                f'<rect x="{MARGIN - 6}" y="{at:.0f}" width="{width - 2 * MARGIN + 12:.0f}" '
                f'height="{ROW}" fill="{BAND}"/>'
            )
        yield f'<text x="{MARGIN}" y="{at + 14:.0f}">{escape(name)}</text>'


@attrs.frozen
class _Scale:
    """From a measure's values to pixels."""

    low: float
    high: float
    left: float

    def __call__(self, value: float) -> float:
        inside = min(self.high, max(self.low, value))
        return self.left + PLOT * (inside - self.low) / (self.high - self.low)


@attrs.frozen
class _Panel:
    """One measure."""

    column: str
    cells: Sequence[CellResult]
    tops: Sequence[float]
    x: float
    y: float
    height: float

    def draw(self) -> Iterator[str]:
        estimates = [cell.estimate(self.column) for cell in self.cells]
        ticks, texts, unit = _ticks(estimates)
        scale = _Scale(ticks[0], ticks[-1], self.x)
        bottom = self.y + HEAD + self.height
        yield (
            f'<text x="{self.x:.0f}" y="{self.y + 16:.0f}" font-weight="700">'
            f'{escape(self.column)}<tspan dx="6" font-weight="400" fill="{QUIET}">'
            f"{escape(unit)}</tspan></text>"
        )
        for tick, text in zip(ticks, texts, strict=True):
            at = scale(tick)
            yield (
                f'<path d="M{at:.1f} {self.y + HEAD:.0f}V{bottom:.0f}" stroke="{GRID}"/>'
                f'<text x="{at:.1f}" y="{bottom + 15:.0f}" font-size="11" text-anchor="middle" '
                f'fill="{QUIET}">{escape(text)}</text>'
            )
        for cell, top, estimate in zip(self.cells, self.tops, estimates, strict=True):
            at = self.y + HEAD + top + ROW / 2
            text = shown(estimate)
            yield f"<g><title>{escape(f'{self.column}, {cell}: {text}')}</title>"
            yield from _mark(estimate, scale, at)
            yield (
                f'<text x="{self.x + PLOT + 10:.0f}" y="{at + 4:.1f}" font-size="11">'
                f"{escape(text)}</text></g>"
            )


def _mark(estimate: Estimate, scale: _Scale, y: float) -> Iterator[str]:
    """Dot and interval of one estimate; nothing if it cannot tell."""
    if estimate.point is None:
        return
    low = scale.left if estimate.low is None else scale(estimate.low)
    high = scale.left + PLOT if estimate.high is None else scale(estimate.high)
    if estimate.bound in ("upper", "lower"):
        at, sign = (high, -1) if estimate.bound == "upper" else (low, 1)
        yield (
            f'<path d="M{low:.1f} {y:.1f}H{high:.1f}" stroke="{RECORD}" stroke-width="1.6" '
            f'stroke-dasharray="4 3" fill="none"/>'
            f'<path d="M{at:.1f} {y - 5:.1f}v10l{7 * sign} -5z" fill="#fff" stroke="{RECORD}" '
            f'stroke-width="1.6"/>'
        )
        return
    yield (
        f'<path d="M{low:.1f} {y:.1f}H{high:.1f}" stroke="{RECORD}" stroke-width="1.6"/>'
        + _end(low, y, -1, open_=estimate.low is None)
        + _end(high, y, 1, open_=estimate.high is None)
        + f'<circle cx="{scale(estimate.point):.1f}" cy="{y:.1f}" r="4" fill="{RECORD}"/>'
    )


def _end(x: float, y: float, sign: int, *, open_: bool) -> str:
    """The end of an interval: a bar, or an arrow where it goes on."""
    if open_:
        back = x - 6 * sign
        path = f"M{back:.1f} {y - 4:.1f}L{x:.1f} {y:.1f}L{back:.1f} {y + 4:.1f}"
    else:
        path = f"M{x:.1f} {y - 4:.1f}v8"
    return f'<path d="{path}" fill="none" stroke="{RECORD}" stroke-width="1.6"/>'


def _ticks(estimates: Sequence[Estimate]) -> tuple[list[float], list[str], str]:
    """Round values that span all estimates, from zero where that is near; their texts and unit."""
    known = [
        value
        for estimate in estimates
        for value in (estimate.point, estimate.low, estimate.high)
        if value is not None
    ]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if 0.0 < low <= 0.5 * high:
        low = 0.0
    if high <= low:
        high = low + (abs(low) or 1.0)
    size, unit = _unit(estimates[0].unit if estimates else "", max(abs(low), abs(high)))
    step = _step((high - low) / size)
    first, last = math.floor(low / size / step + 1e-9), math.ceil(high / size / step - 1e-9)
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    ticks = [count * step * size for count in range(first, last + 1)]
    texts = [f"{count * step:.{places}f}" for count in range(first, last + 1)]
    return ticks, texts, unit


def _step(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts the span into at most five."""
    power = 10.0 ** math.floor(math.log10(span / 5.0))
    for factor in (1.0, 2.0, 5.0):
        if span / (factor * power) <= 5.0 + 1e-9:
            return factor * power
    return 10.0 * power


def _unit(unit: str, largest: float) -> tuple[float, str]:
    if unit == SHARE:
        return 0.01, "%"
    if unit == MICROSECONDS:
        for size, name in ((1_000_000.0, "s"), (1_000.0, "ms")):
            if largest >= size:
                return size, name
    return 1.0, unit
