"""Space-time figures as SVG, in pure Python: runs one below the other, on one time axis.

Rule 1: the figure begins with the first record and ends with the last mark, unless it is told a
window; what crosses the window's edge is cut there, and nothing is drawn outside.
Rule 2: a mark that would cover another is drawn smaller, or without its name: each mark's title
tells all there is to know of it.
Rule 3: the same rows give the same bytes.

Not drawn: commits that moved nothing, answers to a node that was down, how late followers hear of
the high watermark if nothing came of it, and elections that another followed in the same instant.
"""

from collections.abc import Iterable, Iterator, Sequence
from xml.sax.saxutils import escape

from simulator.report import replica_marks
from simulator.report.legend import legend
from simulator.report.marks import DEFINITIONS, FAULT, INK, QUIET, RECORD, TINTS, words
from simulator.report.panel import Panel
from simulator.report.rows import Row, Spacetime
from simulator.report.view import LEFT_LEAST, View, is_drawn

__all__ = ["INK", "QUIET", "RECORD", "figure"]

HEAD, BETWEEN, MARGIN = 36, 20, 12
BROKEN = ("lost", "duplicate")
NEWS = {
    "crash": "{lane} crashes",
    "lost": "{events} is lost",
    "redelivery": "{events} is given to {to} again",
    "duplicate": "{events} is applied again",
    "deduplicated": "{events} is not applied again",
    "refused": "{lane} is refused",
    "dropped": "a message from {lane} to {to} is dropped",
    "given_up": "{lane} gives {events} up",
    "election": "{lane} is elected to lead {partition} ({detail})",
    "out_of_sync": "{lane} is out of sync on {partition}",
    "cut": "{lane} has {events} in its log no more ({detail})",
}
NEWS_MOST = 12
BEHIND = replica_marks.STRETCHES | {"rebalance"}  # What does not say where a figure begins.


def figure(
    panels: Iterable[tuple[str, str, Spacetime]],
    *,
    title: str,
    width: int = 1_200,
    since_us: int | None = None,
    until_us: int | None = None,
) -> str:
    """An SVG document.

    Args:
        panels: (name, verdict in a few words, rows) of each run, from top to bottom.
        title: for the head of the figure and for readers that do not see it.
        width: in pixels.
        since_us: where the time axis begins; None is just before the first record.
        until_us: where it ends; None is just after the last mark.
    """
    chosen = list(panels)
    view = _view([run for _, _, run in chosen], width, since_us, until_us)
    body: list[str] = []
    y = float(HEAD)
    for name, verdict, run in chosen:
        worst = FAULT if any(row.kind in BROKEN for row in run.rows) else INK
        body.append(
            f'<text x="{MARGIN}" y="{y + 13:.0f}" font-size="14" font-weight="700">{escape(name)}'
            f'<tspan dx="12" font-size="12.5" fill="{worst}">{escape(verdict)}</tspan></text>'
        )
        panel = Panel(run, y + 16, view)
        body.extend(panel.draw())
        y = panel.bottom + BETWEEN
    kinds = {_kind(row) for _, _, run in chosen for row in run.rows if view.shows(row)}
    marks, y = legend(kinds, view.tints, y + 2, width)
    body.extend(marks)
    height = round(y + MARGIN)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="system-ui,DejaVu Sans,sans-serif" font-size="12" '
        f'fill="{INK}" role="img"><title>{escape(title)}</title>'
        f"<desc>{escape(' '.join(_told(*panel) for panel in chosen))}</desc>\n{DEFINITIONS}\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n'
        + words(MARGIN, 24, title, size=17, bold=True)
        + "\n"
        + "\n".join(body)
        + "\n</svg>\n"
    )


def _view(
    runs: Sequence[Spacetime], width: int, since_us: int | None, until_us: int | None
) -> View:
    """The window that all panels share, and a tint for each key, in order of appearance."""
    rows = [row for run in runs for row in run.rows if is_drawn(row)]
    told = [row for row in rows if row.kind not in BEHIND] or rows
    begins_us = min((row.at_us for row in told), default=0)
    ends_us = max((_end_us(row) for row in told), default=1)
    margin_us = (ends_us - begins_us) // 50 + 1
    first_us = max(0, begins_us - margin_us) if since_us is None else since_us
    last_us = ends_us + 2 * margin_us if until_us is None else until_us
    tints: dict[str, str] = {}
    for row in rows:
        if row.kind in {"append", "copy", "process"} and row.key:
            tints.setdefault(row.key, TINTS[len(tints) % len(TINTS)])
    names = [lane.shown for run in runs for lane in run.lanes]
    left = max(LEFT_LEAST, 8 * max((len(name) for name in names), default=0) + 24)
    return View(first_us, max(last_us, first_us + 1), left, width, tints)


def _kind(row: Row) -> str:
    """What the legend calls it: work that a crash cut is no attempt in vain."""
    return "process" if row.kind == "failed" and row.detail == "crash" else row.kind


def _end_us(row: Row) -> int:
    return row.at_us if row.until_us is None else row.until_us


def _told(name: str, verdict: str, run: Spacetime) -> str:
    """A panel for readers that do not see it: what is out of the ordinary, in order."""
    news = list(_news(run))
    more = f"; and {len(news) - NEWS_MOST} more" if len(news) > NEWS_MOST else ""
    return f"{name}: {verdict}. " + "; ".join(news[:NEWS_MOST]) + more + "."


def _news(run: Spacetime) -> Iterator[str]:
    spoken = {lane.name: lane.shown for lane in run.lanes}
    before = ""
    for row in run.rows:
        said = NEWS.get(row.kind)
        if said is None or not is_drawn(row):
            continue
        if row.kind == "election" and row.detail.startswith("none"):
            said = "nobody can lead {partition}"
        events = ", ".join(row.event_ids[:3])
        now = f"{row.at_us / 1e6:.3f} s " + said.format(
            lane=spoken.get(row.lane, row.lane), to=spoken.get(row.to, row.to),
            events=events or "something", partition=row.partition,
            detail=row.detail.partition(",")[0],
        )  # fmt: skip
        if now != before:  # A broker's crash is one of each of its replicas.
            yield now
        before = now
