"""The marks of space-time pictures: colour carries status, shape carries kind, and tint with text
carries the key. Nothing is told by colour alone.

Signs (✗, ▶) are drawn, not written, so that they look the same whatever fonts there are.
"""

from collections.abc import Iterable
from xml.sax.saxutils import escape

import attrs

from simulator.report.rows import Row

INK, RECORD, QUIET = "#1b242d", "#1247d8", "#737c8e"
FAULT, EFFECT, COMMIT, REDELIVER = "#8e2a1e", "#1fa276", "#6d3572", "#cd7616"
TINTS = ("#dbe7ff", "#d8f3e6", "#ffe9c7", "#f3def5", "#e4e7ec", "#ffdcd6")
VAIN = "#fbe9e7"  # The fill of an attempt in vain.
HEADS = {
    RECORD: "record",
    REDELIVER: "redeliver",
    COMMIT: "commit",
    EFFECT: "effect",
    FAULT: "fault",
    QUIET: "quiet",
}
TIMES = "\N{MULTIPLICATION SIGN}"
LETTER = 0.62  # About the width of a letter, in units of its size.

DEFINITIONS = (
    '<defs><pattern id="down" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="7" height="7" fill="#f6e3e0"/>'
    f'<path d="M0 0V7" stroke="{FAULT}" stroke-width="1.6" opacity=".55"/></pattern>'
    + "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 .8L8 4L0 7.2z" fill="{colour}"/></marker>'
        for colour, name in HEADS.items()
    )
    + "</defs>"
)


@attrs.frozen
class Stroke:
    """How an arrow is drawn."""

    colour: str
    width: float = 1.5
    dash: str = ""
    opacity: str = ""

    @property
    def attributes(self) -> str:
        """As attributes of a path."""
        more = f' stroke-dasharray="{self.dash}"' if self.dash else ""
        more += f' opacity="{self.opacity}"' if self.opacity else ""
        return f'fill="none" stroke="{self.colour}" stroke-width="{number(self.width)}"{more}'


ARROWS = {
    "produce": Stroke(RECORD),
    "resend": Stroke(REDELIVER, 2.2, "7 4"),
    "replicate": Stroke(RECORD, opacity=".5"),
    "ack": Stroke(QUIET, 1, "1.5 3"),
    "poll": Stroke(RECORD),
    "redelivery": Stroke(REDELIVER, 2.2, "7 4"),
    "commit": Stroke(COMMIT, 1.5, "2 3"),
    "effect": Stroke(EFFECT),
    "duplicate": Stroke(FAULT, 3),
    "deduplicated": Stroke(EFFECT, 1.5, "3 3"),
    "refused": Stroke(FAULT, 1.5, "2 3"),
    "dropped": Stroke(FAULT, 1.5, "4 3"),
    "lost": Stroke(FAULT, 1.5, "4 3"),
}


def number(value: float) -> str:
    """With one digit behind the point, if it needs one."""
    return f"{value:.1f}".removesuffix(".0").replace("-0", "0" if abs(value) < 0.05 else "-0", 1)


def tip(row: Row) -> str:
    """What a reader's pointer, or a reader's reader, is told of a mark."""
    told = [row.kind.replace("_", " "), *_names(row.event_ids)]
    if row.offset >= 0:
        told.append(f"{row.partition}@{row.offset}")
    if row.key:
        told.append(f"key {row.key}")
    if row.attempt > 1:
        told.append(f"time {row.attempt}")
    told.append(row.lane if row.lane == row.to else f"{row.lane} to {row.to}")
    until = "" if row.until_us in (None, row.at_us) else f" to {row.until_us / 1_000:g}"
    told.append(f"{row.at_us / 1_000:g}{until} ms")
    told.append(row.detail)
    return f"<title>{escape(', '.join(word for word in told if word))}</title>"


def _names(event_ids: tuple[str, ...]) -> Iterable[str]:
    yield from event_ids[:5]
    if len(event_ids) > 5:
        yield f"{len(event_ids) - 5} more"


def width_of(text: str, size: float) -> float:
    """About how wide a text is."""
    return LETTER * size * len(text)


def words(
    x: float,
    y: float,
    text: str,
    *,
    size: float = 11,
    colour: str = INK,
    bold: bool = False,
    anchor: str = "",
    halo: bool = False,
) -> str:
    """A text; with a halo it can be read across lines."""
    more = ' font-weight="700"' if bold else ""
    more += f' text-anchor="{anchor}"' if anchor else ""
    more += ' paint-order="stroke" stroke="#fff" stroke-width="3"' if halo else ""
    return (
        f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}" '
        f'fill="{colour}"{more}>{escape(text)}</text>'
    )


def line(
    x1: float, y1: float, x2: float, y2: float, stroke: Stroke, *, head: bool = True, told: str = ""
) -> str:
    """A straight line, with an arrow's head at its end."""
    marker = f' marker-end="url(#{HEADS[stroke.colour]})"' if head else ""
    path = f'd="M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}"'
    return f"<path {path} {stroke.attributes}{marker}>{told}</path>"


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    *,
    fill: str,
    stroke: str = "",
    more: str = "",
    told: str = "",
) -> str:
    """A rectangle with rounded corners."""
    edge = f' stroke="{stroke}"' if stroke else ""
    return (
        f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" '
        f'height="{number(height)}" rx="4" fill="{fill}"{edge}{more}>{told}</rect>'
    )


def disc(x: float, y: float, kind: str, attempt: int = 1, told: str = "") -> str:
    """Where an effect arrives: filled; again, a ring with its number; not made, hollow."""
    at = f'cx="{number(x)}" cy="{number(y)}"'
    if kind == "effect":
        return f'<circle {at} r="5.5" fill="{EFFECT}">{told}</circle>'
    if kind == "deduplicated":
        return (
            f'<circle {at} r="6" fill="#fff" stroke="{EFFECT}" stroke-width="1.8" '
            f'stroke-dasharray="3 2">{told}</circle>'
        )
    return (
        f'<circle {at} r="10" fill="#fff" stroke="{FAULT}" stroke-width="2.6">{told}</circle>'
        + words(x, y + 3.5, f"{TIMES}{attempt}", size=10, colour=FAULT, bold=True, anchor="middle")
    )


def cross(x: float, y: float, size: float = 4, told: str = "") -> str:
    """✗"""
    a, b, c, d = number(x - size), number(y - size), number(x + size), number(y + size)
    return (
        f'<path d="M{a} {b}L{c} {d}M{c} {b}L{a} {d}" stroke="{FAULT}" stroke-width="2.4" '
        f'stroke-linecap="round">{told}</path>'
    )


def crashed(x: float, y: float, told: str = "") -> str:
    """A circled ✗."""
    ring = f'<circle cx="{number(x)}" cy="{number(y)}" r="9.5" fill="#fff" stroke="{FAULT}" '
    return f'{ring}stroke-width="2">{told}</circle>{cross(x, y)}'


def restarted(x: float, y: float) -> str:
    """A circled ▶."""
    return (
        f'<circle cx="{number(x)}" cy="{number(y)}" r="9.5" fill="#fff" stroke="{EFFECT}" '
        f'stroke-width="2"/><path d="M{number(x - 3)} {number(y - 4.5)}L{number(x + 5)} '
        f'{number(y)}L{number(x - 3)} {number(y + 4.5)}z" fill="{EFFECT}"/>'
    )


def pill(x: float, y: float, text: str) -> str:
    """White words on a rounded band; x is their middle."""
    width = pill_width(text)
    return (
        f'<rect x="{number(x - width / 2)}" y="{number(y)}" width="{number(width)}" height="15" '
        f'rx="7.5" fill="{COMMIT}"/>'
        + words(x, y + 11, text, size=10, colour="#fff", anchor="middle")
    )


def pill_width(text: str) -> float:
    """How wide a pill is."""
    return width_of(text, 10) + 14


def shortened(text: str, most: int = 14) -> str:
    """A name that fits: its beginning and its end."""
    return text if len(text) <= most else f"{text[: most - 6]}…{text[-5:]}"
