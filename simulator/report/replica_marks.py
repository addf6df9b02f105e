"""The marks of replicas: a follower's log is faded, its leader's has an edge of ink; what a log
loses is struck out, and named where it goes.
"""

from collections.abc import Iterable

from simulator.report.marks import (
    FAULT,
    INK,
    QUIET,
    RECORD,
    box,
    cross,
    number,
    shortened,
    tip,
    width_of,
    words,
)
from simulator.report.rows import REPLICA, SETTLED, Row, Spacetime

FADED, EDGE, OUT = "#eaeef7", "#c9d4ea", "#dfe2e8"
HALF = 15  # Of the height of a log.
STRETCHES = frozenset(("leads", "out_of_sync", "exposed"))
STORED = frozenset(("append", "copy"))
NAMED_MOST = 2


def is_settled(row: Row) -> bool:
    """A stretch of which nothing came has no mark."""
    return row.kind == "exposed" and row.detail == SETTLED


def log(left: float, right: float, y: float) -> str:
    """A replica's log, which follows unless a stretch says otherwise."""
    return box(left, y - HALF, right - left, 2 * HALF, fill=FADED, stroke=EDGE)


def stretch(row: Row, x1: float, x2: float, y: float) -> Iterable[str]:
    """Who leads, who is out of sync, and how long a log was ahead of its high watermark."""
    width, told = max(x2 - x1, 1.5), tip(row)
    if row.kind == "exposed":
        yield (
            f'<rect x="{number(x1)}" y="{number(y + HALF + 1.5)}" width="{number(width)}" '
            f'height="3" fill="{RECORD}" opacity=".5">{told}</rect>'
        )
    elif row.kind == "leads":
        yield box(
            x1, y - HALF, width, 2 * HALF, fill="#fff", stroke=INK, more=' stroke-width="1.5"',
            told=told,
        )  # fmt: skip
    else:
        yield box(
            x1, y - HALF, width, 2 * HALF, fill=OUT, stroke=QUIET,
            more=' stroke-dasharray="5 3" stroke-width=".8"', told=told,
        )  # fmt: skip


def elections(rows: Iterable[Row]) -> list[Row]:
    """Of several in one instant the last one counts."""
    return list({(r.partition, r.at_us): r for r in rows if r.kind == "election"}.values())


def elected(row: Row) -> str:
    """What an election's pill says."""
    how = row.detail.partition(",")[0]
    if how == "none":
        return "no leader"
    return "elected" if how == "clean" else f"elected: {how}"


def strike(x: float, y: float, width: float) -> str:
    """What will be cut from a log is struck out."""
    left, right = number(x - width / 2 - 3), number(x + width / 2 + 3)
    ends = f"M{left} {number(y + 12)}L{right} {number(y - 12)}"
    return f'<path d="{ends}" stroke="{FAULT}" stroke-width="1.8"/>'


def cut(row: Row, x: float, y: float, right: float) -> str:
    """Below a log, what it lost; `right` is where the window ends."""
    shown = ", ".join(shortened(one) for one in row.event_ids[:NAMED_MOST])
    more = len(row.event_ids) - NAMED_MOST
    shown += f" +{more}" if more > 0 else ""
    text = f"{shown} cut off" if row.detail == "cut" else f"{row.detail}: {shown}"
    x = min(x, right - width_of(text, 10.5) - 9)
    return cross(x, y + 24, 3, tip(row)) + words(
        x + 7, y + 28, text, size=10.5, colour=FAULT, bold=True, halo=True
    )


def struck(run: Spacetime) -> frozenset[int]:
    """The rows of what was stored, and cut from the same log later."""
    cuts = [row for row in run.rows if row.kind == "cut"]
    if not cuts:
        return frozenset()
    replicas = {lane.name for lane in run.lanes if lane.role == REPLICA}
    return frozenset(
        row.id
        for row in run.rows
        if row.kind in STORED and row.lane in replicas
        for one in cuts
        if one.lane == row.lane and row.at_us <= one.at_us and row.offset >= one.offset
    )
