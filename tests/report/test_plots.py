"""The plot is well-formed, the same each time, and shows bounds as bounds."""

from xml.etree import ElementTree as ET

import attrs
import pytest

from simulator.report.plots import _step, results_plot
from simulator.stats.estimate import Estimate
from simulator.study.replicate import replicate
from simulator.study.results import CellResult, Results
from tests.study.fake import EXPERIMENT, run

SVG = "{http://www.w3.org/2000/svg}"


def one(estimate):
    """Results of a single cell with a single number."""
    cell = CellResult((("sink", "a<b"),), 10, (("lost", estimate),), ())
    return Results("one", "Is it?", (("sink", ("a<b",)),), 0.95, 1, ("lost",), (cell,))


def drawn(results):
    return ET.fromstring(results_plot(results))


def estimate(point, low, high, bound="none", unit="share"):
    return Estimate(point, low, high, 0.95, 10, "by hand", unit, bound)


@pytest.fixture(scope="module")
def results():
    return replicate(EXPERIMENT, run, workers=1)


def test_the_same_results_give_the_same_bytes(results):
    assert results_plot(results) == results_plot(replicate(EXPERIMENT, run, workers=1))


def test_the_plot_has_a_title_and_says_in_words_what_it_shows(results):
    root = drawn(results)

    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text == "fake: Does a careful sink lose less?"
    assert "lost, sink=careful crash=0.2: <= 8.8 %" in root.find(f"{SVG}desc").text


def test_each_cell_has_a_row_in_each_panel(results):
    groups = drawn(results).findall(f"{SVG}g")

    assert len(groups) == len(results.columns) * len(results.cells)
    few = ET.fromstring(results_plot(results, columns=["lost"]))
    assert len(few.findall(f"{SVG}g")) == len(results.cells)


def marks(made):
    (group,) = drawn(one(made)).findall(f"{SVG}g")
    return group


def test_an_interval_has_a_dot_and_two_ends():
    group = marks(estimate(0.2, 0.1, 0.3))

    assert len(group.findall(f"{SVG}circle")) == 1
    assert len(group.findall(f"{SVG}path")) == 3


def test_nothing_seen_is_a_dashed_bound_without_a_dot():
    group = marks(estimate(0.0, 0.0, 0.012, "upper"))

    assert not group.findall(f"{SVG}circle")
    assert group.find(f"{SVG}path").get("stroke-dasharray") == "4 3"
    assert group.find(f"{SVG}text").text == "<= 1.2 %"


def test_all_seen_points_the_other_way():
    up = marks(estimate(0.0, 0.0, 0.5, "upper")).findall(f"{SVG}path")[1].get("d")
    down = marks(estimate(1.0, 0.5, 1.0, "lower")).findall(f"{SVG}path")[1].get("d")

    assert "l-7 -5z" in up
    assert "l7 -5z" in down


def test_an_open_side_ends_in_an_arrow_at_the_edge():
    closed = marks(estimate(12_000, 11_000, 14_000, unit="us")).findall(f"{SVG}path")
    open_ = marks(estimate(12_000, 11_000, None, unit="us")).findall(f"{SVG}path")

    assert closed[2].get("d").endswith("v8")
    assert open_[2].get("d").count("L") == 2


def test_what_cannot_tell_has_words_and_no_mark():
    group = marks(estimate(None, None, None))

    assert [child.tag for child in group] == [f"{SVG}title", f"{SVG}text"]
    assert group.find(f"{SVG}text").text == "cannot tell"


def test_names_are_escaped_and_a_partial_study_says_so():
    made = attrs.evolve(one(estimate(0.2, 0.1, 0.3)), partial="interrupted")

    text = results_plot(made)
    assert "a&lt;b" in text
    assert "PARTIAL: interrupted" in text


@pytest.mark.parametrize(
    ("span", "step"), [(1.0, 0.2), (5.0, 1.0), (7.0, 2.0), (24.0, 5.0), (0.03, 0.01), (99.0, 20.0)]
)
def test_ticks_are_round(span, step):
    assert _step(span) == pytest.approx(step)
