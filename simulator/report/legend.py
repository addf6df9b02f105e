"""The line below a figure that says what its marks mean: those that it has, and no others."""

from collections.abc import Callable, Iterable, Mapping

from simulator.report.marks import (
    ARROWS,
    COMMIT,
    FAULT,
    INK,
    QUIET,
    RECORD,
    VAIN,
    box,
    crashed,
    cross,
    disc,
    line,
    number,
    restarted,
    shortened,
    width_of,
    words,
)
from simulator.report.replica_marks import EDGE, FADED, OUT, strike

LEFT, ROW, SIZE, GAP = 12, 22, 11, 14
KEYS_MOST = 6

Draw = Callable[[float, float], str]


def _arrow(kind: str) -> Draw:
    return lambda x, y: line(x, y, x + 30, y, ARROWS[kind])


def _effect(kind: str) -> Draw:
    def draw(x: float, y: float) -> str:
        return line(x, y, x + 18, y, ARROWS[kind], head=False) + disc(x + 23, y, kind, 2)

    return draw


def _cut(x: float, y: float) -> str:
    return line(x, y, x + 18, y, ARROWS["dropped"], head=False) + cross(x + 22, y, 3.5)


def _down(x: float, y: float) -> str:
    hatched = box(x + 9, y - 8, 30, 16, fill="url(#down)", stroke=FAULT)
    return hatched + crashed(x + 9, y) + restarted(x + 40, y)


def _band(x: float, y: float) -> str:
    return (
        f'<rect x="{number(x)}" y="{number(y - 8)}" width="24" height="16" fill="{COMMIT}" '
        'opacity=".16"/>'
    )


def _box(fill: str, stroke: str, more: str = "") -> Draw:
    return lambda x, y: box(x, y - 7, 24, 14, fill=fill, stroke=stroke, more=more)


def _log(fill: str, stroke: str, more: str = "") -> Draw:
    return lambda x, y: box(x, y - 8, 24, 16, fill=fill, stroke=stroke, more=more)


def _exposed(x: float, y: float) -> str:
    at = f'x="{number(x)}" y="{number(y - 1)}"'
    return f'<rect {at} width="24" height="3" fill="{RECORD}" opacity=".5"/>'


def _struck(x: float, y: float) -> str:
    return box(x + 2, y - 7, 20, 14, fill="#fff", stroke=INK) + strike(x + 12, y, 18)


# The kinds that a mark stands for, its width, how it is drawn, what it means.
ENTRIES: tuple[tuple[tuple[str, ...], float, Draw, str], ...] = (
    (("produce", "poll"), 30, _arrow("produce"), "record, first time"),
    (("resend", "redelivery"), 30, _arrow("resend"), "sent or delivered again"),
    (("replicate",), 30, _arrow("replicate"), "replicated"),
    (("ack",), 30, _arrow("ack"), "ack"),
    (("commit",), 30, _arrow("commit"), "offset commit, ▲ committed"),
    (("effect",), 30, _effect("effect"), "effect on the sink"),
    (("duplicate",), 34, _effect("duplicate"), "applied again"),
    (("deduplicated",), 30, _effect("deduplicated"), "deduplicated"),
    (("dropped", "lost", "refused", "given_up"), 26, _cut, "lost or refused"),
    (("crash",), 50, _down, "crash, down, restart"),
    (("pause",), 24, _box("#e4e7ec", QUIET), "paused"),
    (("failed",), 24, _box(VAIN, FAULT), "attempt in vain"),
    (("rebalance",), 24, _band, "rebalance"),
    (("leads",), 24, _log("#fff", INK), "the leader's log"),
    (("leads",), 24, _log(FADED, EDGE), "a follower's"),
    (("out_of_sync",), 24, _log(OUT, QUIET, ' stroke-dasharray="5 3"'), "out of sync"),
    (("exposed",), 24, _exposed, "not committed yet"),
    (("cut",), 24, _struck, "cut from a log"),
)


def legend(
    kinds: Iterable[str], tints: Mapping[str, str], y: float, width: float
) -> tuple[list[str], float]:
    """The marks of these kinds and the tints of keys, in lines that fit; and where they end."""
    seen = frozenset(kinds)
    entries = [(wide, draw, text) for of, wide, draw, text in ENTRIES if seen.intersection(of)]
    if len(tints) <= KEYS_MOST:
        entries.extend(
            (24.0, _box(tint, INK), f"key {shortened(key)}") for key, tint in tints.items()
        )
    marks: list[str] = []
    x, middle = float(LEFT), y + ROW / 2
    for wide, draw, text in entries:
        whole = wide + 7 + width_of(text, SIZE)
        if x > LEFT and x + whole > width - LEFT:
            x, middle = float(LEFT), middle + ROW
        marks.append(draw(x, middle))
        marks.append(words(x + wide + 7, middle + 4, text, size=SIZE, colour="#4a5361"))
        x += whole + GAP
    return marks, middle + ROW / 2 if entries else y
