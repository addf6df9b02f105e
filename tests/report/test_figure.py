"""A figure is well-formed, stays inside of its canvas, names what it shows, and draws each kind
by its own mark.
"""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from simulator.report.figure import figure
from simulator.report.legend import ENTRIES
from simulator.report.marks import ARROWS, TIMES, number, shortened
from simulator.report.rows import Lane, Row, Spacetime
from simulator.report.spacetime import spacetime
from tests.report.traces import QUIET, commit, crashed, handled, produced, restarted, traced

SVG = "{http://www.w3.org/2000/svg}"
LANES = (
    Lane("shop", "producer"),
    Lane("orders-0", "partition", "broker-0"),
    Lane("billing-0", "consumer", "billing"),
    Lane("billing-1", "consumer", "billing"),
    Lane("ledger", "sink"),
)
BETWEEN = {
    "produce": ("shop", "orders-0"),
    "resend": ("shop", "orders-0"),
    "append": ("orders-0", "orders-0"),
    "ack": ("orders-0", "shop"),
    "poll": ("orders-0", "billing-0"),
    "redelivery": ("orders-0", "billing-1"),
    "process": ("billing-0", "billing-0"),
    "failed": ("billing-0", "billing-0"),
    "effect": ("billing-0", "ledger"),
    "duplicate": ("billing-1", "ledger"),
    "deduplicated": ("billing-1", "ledger"),
    "commit": ("billing-0", "orders-0"),
    "refused": ("billing-0", "orders-0"),
    "dropped": ("orders-0", "shop"),
    "given_up": ("shop", "shop"),
    "lost": ("billing-0", "ledger"),
    "crash": ("billing-0", "billing-0"),
    "pause": ("billing-1", "billing-1"),
    "rebalance": ("billing-0", "billing-1"),
}


def row(kind, at_ms=100, until_ms=200, **more):
    lane, to = BETWEEN[kind]
    until_us = None if until_ms is None else until_ms * 1_000
    given = {"event_ids": ("e1",), "key": "k", "partition": "orders-0", "offset": 3, **more}
    return Row(0, 0, kind, lane, to, at_ms * 1_000, until_us, **given)


def drawn(*rows, name="run", verdict="fine", title="A figure", **window):
    run = Spacetime(LANES, rows, 1_000_000)
    return ET.fromstring(figure([(name, verdict, run)], title=title, **window))


def texts(root):
    return [one.text for one in root.iter(f"{SVG}text")]


def tips(root):
    return [one.text for one in root.iter(f"{SVG}title")][1:]


def the_marks(root):
    """The marks with a tip: their element and its attributes."""
    return [one for one in root.iter() if one.find(f"{SVG}title") is not None and one is not root]


@pytest.fixture(scope="module")
def whole():
    """Every kind, at times of their own."""
    rows = [row(kind, 100 * at, 100 * at + 150) for at, kind in enumerate(BETWEEN, 1)]
    return drawn(*rows)


def test_every_kind_has_a_mark_with_a_tip_that_names_it_and_its_event(whole):
    told = tips(whole)

    for kind in BETWEEN:
        mine = [tip for tip in told if tip.startswith(kind.replace("_", " ") + ",")]
        assert mine, kind
        assert all("e1" in tip and "ms" in tip for tip in mine)


def test_every_lane_is_named_with_its_role(whole):
    shown = texts(whole)

    assert {lane.name for lane in LANES} <= set(shown)
    assert {"producer", "partition · broker-0", "consumer · billing", "sink"} <= set(shown)


def test_every_kind_that_is_an_arrow_or_a_sign_stands_in_the_legend():
    explained = {kind for kinds, *_ in ENTRIES for kind in kinds}

    assert set(BETWEEN) - explained == {"append", "process"}
    assert set(ARROWS) <= explained


def test_the_legend_tells_of_what_is_there_and_of_nothing_else():
    shown = texts(drawn(row("commit"), row("append")))

    assert "offset commit, ▲ committed" in shown
    assert "key k" in shown
    assert "effect on the sink" not in shown
    assert "attempt in vain" in texts(drawn(row("failed", detail="StoreTimeout")))
    assert "attempt in vain" not in texts(drawn(row("failed", detail="crash")))


def test_the_figure_says_in_words_what_it_shows():
    root = drawn(
        row("crash"), row("lost", until_ms=None), title="One <crash>", verdict="lost 1 & found 0"
    )

    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "One <crash>"
    assert root.find(f"{SVG}desc").text == (
        "run: lost 1 & found 0. 0.100 s billing-0 crashes; 0.100 s e1 is lost."
    )


def test_names_are_escaped_and_long_ones_shortened():
    event_id, key = '<&"e1\'>', "</text>"
    root = drawn(row("append", event_ids=(event_id,), key=key), name="<a & b>")

    assert event_id in texts(root)
    assert f"key {key}" in texts(root)
    assert any(event_id in tip and key in tip for tip in tips(root))
    assert shortened("o-0/PaymentAuthorized") == "o-0/Paym…rized"
    assert shortened("o-0/Payment") == "o-0/Payment"


def test_the_same_rows_give_the_same_bytes():
    lines = (
        *produced(0, 0, "e1", 0), *handled(30, 4, "e1", 0), *commit(70, 6, 1),
        crashed(90, "billing-0"), restarted(200, "billing-0"), *QUIET,
    )  # fmt: skip
    run = spacetime(traced(*lines))

    assert figure([("a", "b", run)], title="c") == figure([("a", "b", run)], title="c")


def numbers(text):
    return [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", text)]


def reach(one):
    """The corners of what an element covers; texts at about their width."""
    tag, get = one.tag.removeprefix(SVG), one.get
    if tag == "rect":
        x, y = float(get("x", 0)), float(get("y", 0))
        return [(x, y), (x + float(get("width")), y + float(get("height")))]
    if tag == "circle":
        x, y, r = float(get("cx")), float(get("cy")), float(get("r"))
        return [(x - r, y - r), (x + r, y + r)]
    if tag == "text":
        x, y = float(get("x")), float(get("y"))
        wide = 0.55 * float(get("font-size")) * len("".join(one.itertext()))
        left = x - wide / 2 if get("text-anchor") == "middle" else x
        return [(left, y), (left + wide, y)]
    if tag == "path" and re.fullmatch(r"[ML\d. -]+", get("d")):
        found = numbers(get("d"))
        return list(zip(found[::2], found[1::2], strict=True))
    return []


def outside(root):
    width, height = float(root.get("width")), float(root.get("height"))
    skipped = {id(one) for defs in root.iter(f"{SVG}defs") for one in defs.iter()}
    return [
        ET.tostring(one)
        for one in root.iter()
        if one is not root and id(one) not in skipped
        for x, y in reach(one)
        if not (-0.1 <= x <= width + 0.1 and -0.1 <= y <= height + 0.1)
    ]


@pytest.mark.parametrize(
    "window",
    [
        {},
        {"since_us": 350_000, "until_us": 1_250_000},
        {"since_us": 120_000, "until_us": 130_000},
        {"since_us": 3_000_000, "until_us": 4_000_000},
        {"width": 700},
    ],
)
def test_nothing_is_drawn_outside_of_the_canvas(window):
    rows = [row(kind, 100 * at, 100 * at + 150) for at, kind in enumerate(BETWEEN, 1)]
    endless = [row(kind, 300, None) for kind in ("crash", "pause", "process", "rebalance", "lost")]

    assert outside(drawn(*rows, *endless, **window)) == []


def test_the_empty_beginning_and_end_are_cut():
    """A rebalance before the first record does not stretch the axis; a margin is left."""
    early = row("rebalance", 0, 4_000)
    root = drawn(early, row("append", 5_000, 5_000), row("commit", 5_500, 6_000))

    ticks = [text for text in texts(root) if re.fullmatch(r"[\d.]+ s", text)]
    assert (ticks[0], ticks[-1]) == ("5 s", "6 s")
    assert not any(tip.startswith("rebalance") for tip in tips(root))


def test_what_crosses_the_edge_of_a_window_is_cut_there():
    root = drawn(row("poll", 0, 1_000), row("process", 0, 1_000), since_us=500_000,
                 until_us=750_000)  # fmt: skip
    arrow, bar = the_marks(root)
    x1, y1, x2, y2 = numbers(arrow.get("d"))

    assert (x1, x2) == (140.0, 1176.0)
    assert y1 < y2
    assert arrow.get("marker-end") is None, "the arrow ends elsewhere"
    assert (float(bar.get("x")), float(bar.get("width"))) == (140.0, 1036.0)


def test_a_lost_message_stops_on_its_way():
    root = drawn(row("dropped", 100, 200), row("ack", 100, 200))
    lines = {
        one.find(f"{SVG}title").text.split(",")[0]: numbers(one.get("d"))
        for one in the_marks(root)
        if one.get("d").count("M") == 1
    }
    (_, y1, _, y2), (_, begins, _, ends) = lines["dropped"], lines["ack"]

    assert begins == y1
    assert 0.55 < (y2 - y1) / (ends - begins) < 0.65


def test_answers_to_a_node_that_is_down_and_commits_that_move_nothing_are_not_drawn():
    unheard = row("dropped", event_ids=(), detail="TransactResponse: target_down")
    unmoved = row("commit", detail="unmoved")

    assert tips(drawn(unheard, unmoved)) == []
    assert tips(drawn(row("dropped", detail="FetchResponse: target_down"))) != []


def test_a_second_append_and_a_second_effect_look_different_from_first_ones():
    first, second = (the_marks(drawn(row("append", attempt=attempt)))[0] for attempt in (1, 2))

    assert first.get("stroke-dasharray") is None
    assert second.get("stroke-dasharray") is not None
    assert f"{TIMES}3" in texts(drawn(row("duplicate", attempt=3)))
    assert "e1 lost" in texts(drawn(row("lost", until_ms=None)))


def pills(root):
    return [text for text in texts(root) if text.startswith(f"rebalance {TIMES}")] + [
        text for text in texts(root) if text == "rebalance"
    ][:-1]  # The last one is the legend's.


def test_a_rebalance_is_one_pill_for_all_lanes_and_close_ones_are_counted_in_one():
    far = [row("rebalance", at, at + 10) for at in (100, 5_000)]
    close = [row("rebalance", at, at + 10) for at in (100, 200, 5_000)]
    rest = [row("append", 0, 0), row("append", 6_000, 6_000)]

    assert pills(drawn(*rest, *far)) == ["rebalance", "rebalance"]
    assert pills(drawn(*rest, *close)) == [f"rebalance {TIMES}2", "rebalance"]


def test_boxes_that_would_overlap_are_small_and_have_no_name():
    close = [row("append", at, at, event_ids=(f"e{at}",)) for at in (100, 101, 102, 900)]
    root = drawn(*close)
    boxes = sorted((float(one.get("x")), float(one.get("width"))) for one in the_marks(root))

    assert [text for text in texts(root) if re.fullmatch(r"e\d+", text)] == ["e900"]
    assert all(x + width <= after for (x, width), (after, _) in pairwise(boxes))
    assert "3 events" in texts(drawn(row("append", event_ids=("a", "b", "c"))))


def test_effects_at_one_place_share_their_names():
    root = drawn(row("effect"), row("effect", event_ids=("e2",)))

    assert "e1, e2" in texts(root)


def test_panels_share_one_axis_and_one_tint_a_key():
    """The same key has the same fill above and below, even if other keys came first there."""
    above = Spacetime(LANES, (row("append", key="a"), row("append", 900, 900, key="b")), 1)
    below = Spacetime(LANES, (row("append", 500, 500, key="b"),), 1)
    root = ET.fromstring(figure([("1", "", above), ("2", "", below)], title="two"))
    fills = [one.get("fill") for one in the_marks(root)]

    assert fills[0] != fills[1] == fills[2]
    assert [text for text in texts(root) if text == "0.5 s"] == ["0.5 s"] * 2


def test_no_panels_and_no_rows_are_a_figure_too():
    ET.fromstring(figure([], title="none"))
    assert tips(drawn()) == []


def test_a_number_has_a_digit_behind_the_point_only_if_it_needs_one():
    assert [number(value) for value in (1.0, 1.25, -0.04, -3.0, 10.0)] == [
        "1", "1.2", "0", "-3", "10",
    ]  # fmt: skip
