"""One run of a figure: its lanes, its time axis and its marks, from the back to the front."""

from collections.abc import Iterable, Iterator

from simulator.report import replica_marks
from simulator.report.marks import (
    ARROWS,
    COMMIT,
    FAULT,
    INK,
    QUIET,
    TIMES,
    VAIN,
    Stroke,
    box,
    crashed,
    cross,
    disc,
    line,
    number,
    pill,
    pill_width,
    restarted,
    shortened,
    tip,
    width_of,
    words,
)
from simulator.report.rows import REPLICA, Lane, Row, Spacetime
from simulator.report.view import View

LOG, PLAIN = "#f5f8ff", "#ffffff"
BANDS = {"producer": PLAIN, "partition": LOG, REPLICA: LOG, "consumer": PLAIN, "sink": "#f3fbf7"}
HEIGHTS = {"producer": 44, "partition": 60, REPLICA: 60, "consumer": 60, "sink": 44}
# Where arrows meet a lane.
EDGES = {"producer": 5, "partition": 15, REPLICA: 15, "consumer": 10, "sink": 6}
AXIS = 24
LOST_AT = 0.6  # A message that is lost stops so far on its way.
LOST_SLANT = 16
TICKS_MOST = 12
MICROS_PER_S = 1_000_000
EFFECTS = frozenset(("effect", "duplicate", "deduplicated"))


class Panel:
    """Draws one run.

    Args:
        run: the rows.
        top: where the panel begins, in pixels; `bottom` is where it ends.
        view: what it shares with other panels.
    """

    def __init__(self, run: Spacetime, top: float, view: View) -> None:
        self.run = run
        self.view = view
        self.lanes_top = top + AXIS
        self.roles = {lane.name: lane.role for lane in run.lanes}
        self.middle: dict[str, float] = {}
        y = self.lanes_top
        for lane in run.lanes:
            self.middle[lane.name] = y + HEIGHTS[lane.role] / 2
            y += HEIGHTS[lane.role]
        self.bottom = y
        self.rows = [row for row in run.rows if self._shows(row)]
        self.struck = replica_marks.struck(run)
        self.together: dict[tuple[str, str, int | None], dict[str, None]] = {}
        for row in self.rows:
            same = self.together.setdefault((row.kind, row.to, row.until_us), {})
            same.update(dict.fromkeys(row.event_ids))

    def draw(self) -> Iterator[str]:
        """All marks, those at the back first."""
        for lane in self.run.lanes:
            yield from self._lane(lane)
        yield from self._axis()
        for kinds, draw in (
            (("rebalance",), self._band),
            (("leads", "out_of_sync"), self._stretch),
            (("exposed",), self._stretch),
            (("crash", "pause"), self._down),
            (tuple(ARROWS), self._arrow),
            (("process", "failed"), self._bar),
        ):
            for row in self.rows:
                if row.kind in kinds:
                    yield from draw(row)
        yield from self._appends()
        yield from self._signs()
        yield from self._names()
        yield from self._pills()

    def _shows(self, row: Row) -> bool:
        """A node that is down, or a group that rebalances, is so until the end if not before."""
        if row.lane not in self.middle or row.to not in self.middle:
            return False
        if row.until_us is None and row.kind in {"crash", "pause", "rebalance"}:
            return row.at_us <= self.view.until_us
        return self.view.shows(row)

    # --- Lanes and time --------------------------------------------------------------------------

    def _lane(self, lane: Lane) -> Iterable[str]:
        height, middle = HEIGHTS[lane.role], self.middle[lane.name]
        view = self.view
        yield (
            f'<rect y="{number(middle - height / 2)}" width="{number(view.width)}" '
            f'height="{height}" fill="{BANDS[lane.role]}"/>'
        )
        if lane.role == "partition":
            yield box(
                view.left, middle - 15, view.right - view.left, 30, fill="#fff", stroke="#c9d4ea"
            )
        elif lane.role == REPLICA:
            yield replica_marks.log(view.left, view.right, middle)
        else:
            ends = f"M{number(view.left)} {number(middle)}H{number(view.right)}"
            yield f'<path d="{ends}" stroke="#c9d1da"/>'
        of = lane.partition if lane.role == REPLICA else lane.of
        role = f"{lane.role} · {of}" if of else lane.role
        yield words(12, middle, lane.shown, size=13, bold=True)
        yield words(12, middle + 14, role, size=10.5, colour=QUIET)

    def _axis(self) -> Iterable[str]:
        step_us = _step_us(self.view.until_us - self.view.since_us)
        first = -(-self.view.since_us // step_us)
        for at_us in range(first * step_us, self.view.until_us + 1, step_us):
            x = self.view.x(at_us)
            yield (
                f'<path d="M{number(x)} {number(self.lanes_top - 4)}V{number(self.bottom)}" '
                'stroke="#e3e8ee"/>'
            )
            shown = f"{at_us / MICROS_PER_S:g} s"
            if x + 3 + width_of(shown, 11) < self.view.width:
                yield words(x + 3, self.lanes_top - 7, shown, size=11, colour=QUIET)

    # --- Behind ----------------------------------------------------------------------------------

    def _span(self, row: Row) -> tuple[float, float]:
        """Where a row begins and ends, cut to the window; to its end if the row has none."""
        until_us = self.view.until_us if row.until_us is None else row.until_us
        return (
            max(self.view.x(row.at_us), self.view.left),
            min(self.view.x(until_us), self.view.right),
        )

    def _band(self, row: Row) -> Iterable[str]:
        x1, x2 = self._span(row)
        top = self.middle[row.lane] - HEIGHTS["consumer"] / 2
        height = self.middle[row.to] + HEIGHTS["consumer"] / 2 - top
        width = max(x2 - x1, 3)
        yield (
            f'<rect x="{number(min(x1, self.view.right - width))}" y="{number(top)}" '
            f'width="{number(width)}" height="{number(height)}" fill="{COMMIT}" '
            f'opacity=".12">{tip(row)}</rect>'
        )

    def _stretch(self, row: Row) -> Iterable[str]:
        x1, x2 = self._span(row)
        yield from replica_marks.stretch(row, x1, x2, self.middle[row.lane])

    def _down(self, row: Row) -> Iterable[str]:
        x1, x2 = self._span(row)
        y = self.middle[row.lane]
        fill, edge = ("url(#down)", FAULT) if row.kind == "crash" else ("#e4e7ec", QUIET)
        yield box(
            x1, y - 14, max(x2 - x1, 1), 28, fill=fill, stroke=edge, more=' stroke-width=".8"',
            told=tip(row),
        )  # fmt: skip
        if row.kind == "pause" and x2 - x1 > 50:
            yield words((x1 + x2) / 2, y + 4, "paused", size=10, colour=QUIET, anchor="middle")

    # --- Between lanes ---------------------------------------------------------------------------

    def _arrow(self, row: Row) -> Iterable[str]:
        stroke = ARROWS[row.kind]
        lowest, highest = self.middle[row.lane], self.middle[row.to]
        if row.lane == row.to:
            return
        down = 1 if highest > lowest else -1
        x1, y1 = self.view.x(row.at_us), lowest + down * EDGES[self.roles[row.lane]]
        x2 = self.view.x(row.at_us if row.until_us is None else row.until_us)
        y2 = highest - down * EDGES[self.roles[row.to]]
        if row.kind == "duplicate":
            y2 -= down * 5
        if row.kind == "lost":
            x2 += LOST_SLANT
        elif row.kind in {"dropped", "refused"}:
            x2 = max(x2, x1 + LOST_SLANT)
            x2, y2 = x1 + (x2 - x1) * LOST_AT, y1 + (y2 - y1) * LOST_AT
            if self.view.left <= x2 <= self.view.right:
                yield cross(x2, y2, 3.5, tip(row))
        broken = row.kind in {"lost", "dropped", "refused"}
        yield from self._line((x1, y1, x2, y2), stroke, row, head=not broken)

    def _line(
        self, ends: tuple[float, float, float, float], stroke: Stroke, row: Row, *, head: bool
    ) -> Iterable[str]:
        """A line, cut at the window's edges."""
        x1, y1, x2, y2 = ends
        left, right = self.view.left, self.view.right
        if x2 < left or x1 > right:
            return
        rise = (y2 - y1) / (x2 - x1) if x2 > x1 else 0.0
        if x1 < left:
            x1, y1 = left, y1 + rise * (left - x1)
        if x2 > right:
            x2, y2, head = right, y2 - rise * (x2 - right), False
        yield line(x1, y1, x2, y2, stroke, head=head, told=tip(row))

    # --- On lanes --------------------------------------------------------------------------------

    def _bar(self, row: Row) -> Iterable[str]:
        x1, x2 = self._span(row)
        width = max(x2 - x1, 3)
        x1 = min(x1, self.view.right - width)
        y = self.middle[row.lane]
        vain = row.kind == "failed" and row.detail != "crash"
        edge, fill = (FAULT, VAIN) if vain else (INK, self.view.tint(row.key))
        yield box(
            x1, y - 9, width, 18, fill=fill, stroke=edge, more=' stroke-width="1.3"', told=tip(row)
        )
        if vain and width > 8:
            yield box(x1 + 2, y - 7, width - 4, 14, fill="none", stroke=edge)
        shown = ("✗ " if vain else "") + shortened(row.event_ids[0])
        if row.kind == "failed" and not vain:
            width -= 9  # The sign of the crash covers its end.
        if width_of(shown, 11) < width - 1:
            yield words(x1 + width / 2, y + 4, shown, anchor="middle")

    def _appends(self) -> Iterable[str]:
        """The log as a strip: a box a batch, at the moment of its append."""
        for lane in self.run.lanes:
            rows = [
                row
                for row in self.rows
                if row.kind in replica_marks.STORED and row.lane == lane.name
            ]
            places = [self.view.x(row.at_us) for row in rows]
            for index, (x, row) in enumerate(zip(places, rows, strict=True)):
                yield from self._append(row, x, _room(places, index))

    def _append(self, row: Row, x: float, room: float) -> Iterable[str]:
        y = self.middle[row.lane]
        shown = shortened(row.event_ids[0]) if row.event_ids else ""
        if len(row.event_ids) > 1:
            shown = f"{len(row.event_ids)} events"
        width = max(26, width_of(shown, 11) + 8)
        fits = width <= room
        width = width if fits else max(1, min(10, room - 1))
        x = min(max(x, self.view.left + width / 2), self.view.right - width / 2)
        again, ink = row.attempt > 1, QUIET if row.kind == "copy" else INK
        yield box(
            x - width / 2, y - 14, width, 28, fill=self.view.tint(row.key),
            stroke=ARROWS["resend"].colour if again else ink,
            more=' stroke-width="1.4"' + (' stroke-dasharray="4 2"' if again else ""),
            told=tip(row),
        )  # fmt: skip
        if fits:
            yield words(x, y - 1, shown, colour=ink, bold=True, anchor="middle")
            yield words(x, y + 10, f"@{row.offset}", size=9, colour=QUIET, anchor="middle")
        if row.id in self.struck:
            yield replica_marks.strike(x, y, width)

    # --- In front --------------------------------------------------------------------------------

    def _signs(self) -> Iterable[str]:
        for row in self.rows:
            ends_us = row.at_us if row.until_us is None else row.until_us
            begun = self._inside(row.at_us)
            ended = self._inside(ends_us)
            x1, x2, y = self.view.x(row.at_us), self.view.x(ends_us), self.middle[row.to]
            if row.kind in EFFECTS and ended:
                yield disc(x2, y, row.kind, row.attempt, tip(row))
            elif row.kind == "crash":
                if row.until_us is not None and ended:
                    yield restarted(x2, y)
                if begun:
                    yield crashed(x1, y, tip(row))
            elif row.kind == "cut" and begun:
                yield replica_marks.cut(row, x1, y, self.view.right)
            elif row.kind == "lost" and begun:
                yield cross(x1 + LOST_SLANT, y, 4.5, tip(row))
            elif (row.kind in {"given_up", "refused"} and row.lane == row.to) and begun:
                yield cross(x1, y, 3.5, tip(row))

    def _inside(self, at_us: int) -> bool:
        return self.view.since_us <= at_us <= self.view.until_us

    def _names(self) -> Iterable[str]:
        """▲ committed, the names of effects where there is room, and of what was lost."""
        taken: dict[str, float] = {}
        for row in self.rows:
            ends_us = row.at_us if row.until_us is None else row.until_us
            x, y = self.view.x(ends_us), self.middle[row.to]
            if not self._inside(ends_us):
                continue
            if row.kind in EFFECTS and row.event_ids and self.roles[row.to] == "sink":
                begins = x + (13 if row.kind == "duplicate" else 8)
                colour = FAULT if row.kind == "duplicate" else QUIET
                yield from self._name(taken, row.to, begins, y + 4, self._applied(row), colour)
            elif row.kind == "commit":
                below = y + (27 if row.lane != row.to else 0)
                yield from self._name(taken, row.to, x + 4, below, f"▲{row.offset}", COMMIT)
            elif row.kind == "lost":
                shown = f"{shortened(row.event_ids[0])} lost"
                begins = x + LOST_SLANT - width_of(shown, 10.5) / 2
                yield from self._name({}, row.to, begins, y + 17, shown, FAULT)

    def _applied(self, row: Row) -> str:
        """The events of the effects that share a disc's place."""
        return ", ".join(shortened(one) for one in self.together[row.kind, row.to, row.until_us])

    def _name(  # noqa: PLR0917 - private, and all of it is needed
        self, taken: dict[str, float], lane: str, x: float, y: float, text: str, colour: str
    ) -> Iterable[str]:
        """A name, unless the one before it reaches so far, or the window ends."""
        width = width_of(text, 10.5)
        if x < taken.get(lane, 0) or x + width > self.view.width:
            return
        taken[lane] = x + width
        bold = colour != QUIET
        yield words(x, y, text, size=10.5, colour=colour, bold=bold, halo=True)

    def _pills(self) -> Iterable[str]:
        """One for each rebalance of a group; those that would overlap are counted in one."""
        clusters: dict[str, list[list[float]]] = {}
        for row in replica_marks.elections(self.rows):
            yield self._pill(self.view.x(row.at_us), row.lane, replica_marks.elected(row))
        alone = pill_width("rebalance 10x")
        for row in self.rows:
            if row.kind == "rebalance":
                x = sum(self._span(row)) / 2
                known = clusters.setdefault(row.lane, [])
                if known and x - known[-1][-1] < alone:
                    known[-1].append(x)
                else:
                    known.append([x])
        for lane, known in clusters.items():
            for places in known:
                text = "rebalance" + (f" {TIMES}{len(places)}" if len(places) > 1 else "")
                yield self._pill((places[0] + places[-1]) / 2, lane, text)

    def _pill(self, x: float, lane: str, text: str) -> str:
        """A pill on the upper edge of a lane, inside of the window."""
        half = pill_width(text) / 2
        x = min(max(x, self.view.left + half), self.view.right - half)
        return pill(x, self.middle[lane] - HEIGHTS[self.roles[lane]] / 2 - 1, text)


def _room(places: list[float], index: int) -> float:
    """How wide a mark may be that is centred on one of these places."""
    x = places[index]
    beside = places[max(0, index - 1) : index] + places[index + 1 : index + 2]
    return min((abs(other - x) for other in beside), default=1e9)


def _step_us(span_us: int) -> int:
    """The distance of the axis's ticks: 1, 2 or 5 of some unit, and at most a dozen of them."""
    unit_us = 1_000
    while True:
        for factor in (1, 2, 5):
            if span_us <= unit_us * factor * TICKS_MOST:
                return unit_us * factor
        unit_us *= 10
