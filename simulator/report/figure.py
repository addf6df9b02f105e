"""Space-time figures as SVG, in pure Python: runs one below the other, on one time axis.

Colour carries status, shape carries kind, tint and text carry the key; nothing is told by colour
alone. The same rows give the same bytes.
"""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from simulator.report.spacetime import Lane, Row, Spacetime

INK, RECORD, QUIET = "#1b242d", "#1247d8", "#737c8e"
FAULT, EFFECT, COMMIT, REDELIVER = "#8e2a1e", "#1fa276", "#6d3572", "#cd7616"
TINTS = ("#dbe7ff", "#d8f3e6", "#ffe9c7", "#f3def5", "#e4e7ec", "#ffdcd6")
BANDS = {"producer": "#ffffff", "partition": "#f5f8ff", "consumer": "#ffffff", "sink": "#f3fbf7"}
HEIGHTS = {"producer": 44, "partition": 62, "consumer": 54, "sink": 46}

LEFT, RIGHT, TOP, AXIS = 140, 24, 30, 26
BOX_WIDTH, BOX_HEIGHT = 26, 28
LOST_AT = 0.6  # A message that is lost stops so far on its way.
MICROS_PER_S = 1_000_000
TICKS_MOST = 12

_HEAD = (
    '<defs><pattern id="down" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="7" height="7" fill="#f6e3e0"/>'
    f'<path d="M0 0V7" stroke="{FAULT}" stroke-width="1.6" opacity=".55"/></pattern>'
    + "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for name, colour in (
            ("record", RECORD),
            ("redeliver", REDELIVER),
            ("commit", COMMIT),
            ("effect", EFFECT),
            ("fault", FAULT),
            ("quiet", QUIET),
        )
    )
    + "</defs>"
)


def figure(panels: Iterable[tuple[str, str, Spacetime]], *, width: int = 1_200, title: str) -> str:
    """An SVG document.

    Args:
        panels: (name, verdict in a few words, rows) of each run, from top to bottom.
        width: in pixels.
        title: for the head of the figure and for readers that do not see it.
    """
    chosen = list(panels)
    ends_us = max((one.ends_us for _, _, one in chosen), default=0) or 1
    body: list[str] = []
    y = TOP + 8.0
    for name, verdict, run in chosen:
        panel = _Panel(run, y, width, ends_us)
        body.append(
            f'<text x="12" y="{y + 12:.0f}" font-size="14" font-weight="700">{escape(name)}'
            f'<tspan dx="10" font-size="12" fill="{FAULT}">{escape(verdict)}</tspan></text>'
        )
        body.extend(panel.draw())
        y = panel.bottom + 18
    height = round(y)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="system-ui,DejaVu Sans,sans-serif" font-size="12" '
        f'fill="{INK}" role="img"><title>{escape(title)}</title>'
        f'<desc>{escape(_told(chosen))}</desc>{_HEAD}<rect width="{width}" height="{height}" '
        f'fill="#fff"/><text x="12" y="22" font-size="16" font-weight="700">{escape(title)}</text>'
        + "\n".join(body)
        + "</svg>\n"
    )


def _told(panels: Sequence[tuple[str, str, Spacetime]]) -> str:
    return "; ".join(f"{name}: {verdict}" for name, verdict, _ in panels)


class _Panel:
    """One run."""

    def __init__(self, run: Spacetime, top: float, width: int, ends_us: int) -> None:
        self.run = run
        self.width = width
        self.scale = (width - LEFT - RIGHT) / ends_us
        self.ends_us = ends_us
        self.lanes_top = top + 14 + AXIS
        self.middle: dict[str, float] = {}
        self.roles = {lane.name: lane.role for lane in run.lanes}
        y = self.lanes_top
        for lane in run.lanes:
            self.middle[lane.name] = y + HEIGHTS[lane.role] / 2
            y += HEIGHTS[lane.role]
        self.bottom = y
        self.tints: dict[str, str] = {}

    def x(self, at_us: int) -> float:
        return LEFT + at_us * self.scale

    def tint(self, key: str) -> str:
        return self.tints.setdefault(key, TINTS[len(self.tints) % len(TINTS)])

    def draw(self) -> Iterable[str]:
        for row in self.run.rows:
            if row.kind in ("produce", "process"):
                self.tint(row.key)
        for lane in self.run.lanes:
            yield from self._lane(lane)
        yield from self._axis()
        below, boxes = [], []
        for row in self.run.rows:
            if row.lane in self.middle and row.to in self.middle:
                (boxes if row.kind in ("process", "failed") else below).extend(self._row(row))
        yield from self._downs()
        yield from below
        yield from boxes
        yield from self._stored()

    def _lane(self, lane: Lane) -> Iterable[str]:
        height = HEIGHTS[lane.role]
        middle = self.middle[lane.name]
        yield (
            f'<rect x="0" y="{middle - height / 2:.1f}" width="{self.width}" height="{height}" '
            f'fill="{BANDS[lane.role]}"/>'
        )
        if lane.role == "partition":
            yield (
                f'<rect x="{LEFT}" y="{middle - 15:.1f}" width="{self.width - LEFT}" height="30" '
                'fill="#fff" stroke="#c9d4ea" rx="4"/>'
            )
        else:
            yield f'<path d="M{LEFT} {middle:.1f}H{self.width}" stroke="#c9d1da"/>'
        yield (
            f'<text x="12" y="{middle:.1f}" font-size="13" font-weight="600">{escape(lane.name)}'
            f'</text><text x="12" y="{middle + 14:.1f}" font-size="10.5" fill="{QUIET}">'
            f"{lane.role}</text>"
        )

    def _axis(self) -> Iterable[str]:
        step_us = _step_us(self.ends_us)
        for at_us in range(0, self.ends_us + 1, step_us):
            x = self.x(at_us)
            shown = f"{at_us / MICROS_PER_S:g} s"
            yield (
                f'<path d="M{x:.1f} {self.lanes_top:.1f}V{self.bottom:.1f}" stroke="#e9edf2"/>'
                f'<text x="{x + 2:.1f}" y="{self.lanes_top - 6:.1f}" font-size="11" '
                f'fill="{QUIET}">{shown}</text>'
            )

    def _row(self, row: Row) -> Iterable[str]:
        until_us = self.ends_us if row.until_us is None else row.until_us
        match row.kind:
            case "produce":
                dash = row.attempt > 1
                yield self._arrow(row, until_us, REDELIVER if dash else RECORD, dash=dash)
            case "poll":
                yield self._arrow(row, until_us, RECORD)
            case "redelivery":
                yield self._arrow(row, until_us, REDELIVER, dash=True, wide=2.2)
            case "ack":
                yield self._arrow(row, until_us, QUIET, dots=True, wide=0.8)
            case "commit":
                yield self._arrow(row, until_us, COMMIT, dots=True)
                yield self._label(row, until_us, f"▲{row.offset}", COMMIT)
            case "refused":
                yield from self._broken(row, until_us, "✗")
            case "lost":
                yield from self._broken(row, until_us, "✗")
            case "effect" | "duplicate" | "deduplicated":
                yield from self._effect(row, until_us)
            case "process" | "failed":
                yield from self._bar(row, until_us)
            case "rebalance":
                yield from self._rebalance(row)

    def _ends(self, row: Row, until_us: int) -> tuple[float, float, float, float]:
        return self.x(row.at_us), self.middle[row.lane], self.x(until_us), self.middle[row.to]

    def _arrow(
        self, row: Row, until_us: int, colour: str, *, dash: bool = False, dots: bool = False,
        wide: float = 1.4,
    ) -> str:
        x1, y1, x2, y2 = self._ends(row, until_us)
        if y1 == y2:
            return ""
        y2 += -15 if y2 > y1 else 15
        style = ' stroke-dasharray="6 3"' if dash else ' stroke-dasharray="2 3"' if dots else ""
        head = {RECORD: "record", REDELIVER: "redeliver", COMMIT: "commit", EFFECT: "effect",
                FAULT: "fault"}.get(colour, "quiet")
        return (
            f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}" fill="none" '
            f'stroke-width="{wide}"{style} marker-end="url(#{head})">{_tip(row)}</path>'
        )

    def _broken(self, row: Row, until_us: int, sign: str) -> Iterable[str]:
        x1, y1, x2, y2 = self._ends(row, max(until_us, row.at_us + round(6 / self.scale)))
        x, y = x1 + (x2 - x1) * LOST_AT, y1 + (y2 - y1) * LOST_AT
        yield (
            f'<path d="M{x1:.1f} {y1:.1f}L{x:.1f} {y:.1f}" stroke="{FAULT}" stroke-width="1.4" '
            f'stroke-dasharray="4 2">{_tip(row)}</path>'
            f'<text x="{x:.1f}" y="{y + 4:.1f}" font-size="13" font-weight="700" fill="{FAULT}" '
            f'text-anchor="middle">{sign}</text>'
        )

    def _label(self, row: Row, until_us: int, text: str, colour: str) -> str:
        x, y = self.x(until_us), self.middle[row.to]
        return (
            f'<text x="{x + 3:.1f}" y="{y + 27:.1f}" font-size="10.5" fill="{colour}">{text}</text>'
        )

    def _effect(self, row: Row, until_us: int) -> Iterable[str]:
        x1, y1, x2, y2 = self._ends(row, until_us)
        colour = FAULT if row.kind == "duplicate" else EFFECT
        dash = ' stroke-dasharray="2 3"' if row.kind == "deduplicated" else ""
        wide = 2.6 if row.kind == "duplicate" else 1.4
        yield (
            f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2 - 8:.1f}" stroke="{colour}" '
            f'stroke-width="{wide}"{dash}/>'
        )
        fill = "#fff" if row.kind != "effect" else colour
        radius = 9 if row.kind == "duplicate" else 5
        hollow = ' stroke-dasharray="2 2"' if row.kind == "deduplicated" else ""
        yield (
            f'<circle cx="{x2:.1f}" cy="{y2:.1f}" r="{radius}" fill="{fill}" stroke="{colour}" '
            f'stroke-width="2"{hollow}>{_tip(row)}</circle>'
        )
        if row.kind == "duplicate":
            yield (
                f'<text x="{x2:.1f}" y="{y2 + 3.5:.1f}" font-size="9" font-weight="700" '
                f'fill="{FAULT}" text-anchor="middle">×{row.attempt}</text>'
            )

    def _bar(self, row: Row, until_us: int) -> Iterable[str]:
        x1, y, x2, _ = self._ends(row, until_us)
        width = max(x2 - x1, 3)
        colour = FAULT if row.kind == "failed" else INK
        name = row.event_ids[0]
        yield (
            f'<rect x="{x1:.1f}" y="{y - 9:.1f}" width="{width:.1f}" height="18" rx="4" '
            f'fill="{self.tint(row.key)}" stroke="{colour}" stroke-width="1.3">{_tip(row)}</rect>'
        )
        if width > 7 * len(name):
            yield (
                f'<text x="{x1 + width / 2:.1f}" y="{y + 4:.1f}" font-size="11" '
                f'text-anchor="middle">{escape(name)}</text>'
            )

    def _rebalance(self, row: Row) -> Iterable[str]:
        x, y = self.x(row.at_us), self.middle[row.lane]
        yield (
            f'<rect x="{x - 3:.1f}" y="{y - 27:.1f}" width="6" height="54" fill="{COMMIT}" '
            f'opacity=".15"/><rect x="{x - 28:.1f}" y="{y - 27:.1f}" width="56" height="14" rx="7" '
            f'fill="{COMMIT}">{_tip(row)}</rect><text x="{x:.1f}" y="{y - 17:.1f}" font-size="9.5" '
            'fill="#fff" text-anchor="middle">rebalance</text>'
        )

    def _downs(self) -> Iterable[str]:
        """Hatched where a node is down, on its own lane or on those of its partitions."""
        for row in self.run.rows:
            if row.kind not in ("crash", "pause") or row.lane not in self.middle:
                continue
            until_us = self.ends_us if row.until_us is None else row.until_us
            x1, y, x2, _ = self._ends(row, until_us)
            fill = "url(#down)" if row.kind == "crash" else "#e4e7ec"
            yield (
                f'<rect x="{x1:.1f}" y="{y - 19:.1f}" width="{max(x2 - x1, 1):.1f}" height="38" '
                f'rx="4" fill="{fill}" stroke="{FAULT}" stroke-width=".8">{_tip(row)}</rect>'
            )
            if row.kind == "crash":
                yield _sign(x1, y, "✗", FAULT)
                if row.until_us is not None:
                    yield _sign(x2, y, "▶", EFFECT)

    def _stored(self) -> Iterable[str]:
        """The log as a strip: a box a record, at the moment of its append."""
        for row in self.run.rows:
            if row.kind != "produce" or row.to not in self.middle or row.until_us is None:
                continue
            x, y = self.x(row.until_us), self.middle[row.to]
            dash = ' stroke-dasharray="4 2"' if row.attempt > 1 else ""
            shown = row.event_ids[0] if len(row.event_ids) == 1 else f"{len(row.event_ids)} ev."
            wide = max(BOX_WIDTH, 7 * len(shown) + 6)
            yield (
                f'<rect x="{x - wide / 2:.1f}" y="{y - BOX_HEIGHT / 2:.1f}" width="{wide}" '
                f'height="{BOX_HEIGHT}" rx="4" fill="{self.tint(row.key)}" stroke="{INK}" '
                f'stroke-width="1.2"{dash}>{_tip(row)}</rect><text x="{x:.1f}" y="{y - 1:.1f}" '
                f'font-size="11" font-weight="600" text-anchor="middle">{escape(shown)}</text>'
                f'<text x="{x:.1f}" y="{y + 10:.1f}" font-size="9" fill="{QUIET}" '
                f'text-anchor="middle">@{row.offset}</text>'
            )


def _sign(x: float, y: float, sign: str, colour: str) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="#fff" stroke="{colour}" stroke-width="2"/>'
        f'<text x="{x:.1f}" y="{y + 4:.1f}" font-size="10.5" fill="{colour}" '
        f'text-anchor="middle">{sign}</text>'
    )


def _tip(row: Row) -> str:
    """What a reader's pointer, or a reader's reader, is told of a mark."""
    told = [row.kind, ", ".join(row.event_ids[:5])]
    if row.offset >= 0:
        told.append(f"@{row.offset}")
    told.append(f"{row.at_us / 1_000:g} ms")
    told.append(row.detail)
    return f"<title>{escape(' '.join(word for word in told if word))}</title>"


def _step_us(ends_us: int) -> int:
    """The distance of the axis's ticks: 1, 2 or 5 of some unit, and at most a dozen of them."""
    unit_us = 1_000
    while True:
        for factor in (1, 2, 5):
            if ends_us <= unit_us * factor * TICKS_MOST:
                return unit_us * factor
        unit_us *= 10
