"""An estimate prints what is known, and no digit more."""

import json
import math

import pytest

from simulator.stats.estimate import Estimate, decimals, from_plain, shown, to_plain
from simulator.stats.proportions import proportion


def estimate(point, low, high, unit="share", bound="none"):
    return Estimate(point, low, high, 0.95, 100, "by hand", unit, bound)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (estimate(0.034, 0.026, 0.043), "3.4 % [2.6, 4.3]"),
        (estimate(0.34, 0.26, 0.43), "34 % [26, 43]"),
        (estimate(0.03412, 0.0336, 0.0347), "3.41 % [3.36, 3.47]"),
        (estimate(0.0, 0.0, 0.01222, bound="upper"), "<= 1.2 %"),
        (estimate(1.0, 0.98778, 1.0, bound="lower"), ">= 98.8 %"),
        (estimate(None, None, None), "cannot tell"),
        (estimate(12_345, 11_900, None, "us"), "12.35 ms [11.90, ?]"),
        (estimate(812, 790, 840, "us"), "812 us [790, 840]"),
        (estimate(2_400_000, 2_100_000, 2_800_000, "us"), "2.40 s [2.10, 2.80]"),
        (estimate(2.5, 1.9, 3.1, "retries"), "2.5 retries [1.9, 3.1]"),
        (estimate(7.0, None, None, ""), "7.00 [?, ?]"),
        (estimate(-0.0001, -0.02, 0.02), "0.0 % [-2.0, 2.0]"),
        (estimate(0.0, None, None, "us"), "0.0 us [?, ?]"),
    ],
)
def test_an_estimate_reads_as_a_number_with_its_interval(made, text):
    assert str(made) == shown(made) == text


def test_nothing_seen_is_never_printed_as_zero():
    assert str(proportion(0, 300)) == "<= 1.2 %"
    assert str(proportion(300, 300)) == ">= 98.8 %"


def test_an_open_side_holds_everything_and_has_no_width():
    made = estimate(5.0, 3.0, None)

    assert made.half_width == math.inf
    assert made.holds(1e9)
    assert not made.holds(2.9)
    assert not made.tells
    assert estimate(5.0, 3.0, 9.0).half_width == 3.0


def test_two_digits_of_the_width_are_shown():
    assert [decimals(width) for width in (170, 17, 1.7, 0.17, 1.0, 0.1, 0.0)] == [
        0, 0, 1, 2, 1, 2, 0,
    ]  # fmt: skip


def test_an_estimate_echoes_its_input():
    made = proportion(3, 300)

    assert made.given == (("successes", 3), ("trials", 300))
    assert (made.n, made.method, made.confidence) == (300, "wilson", 0.95)


@pytest.mark.parametrize(
    "made", [proportion(3, 300), proportion(0, 7), proportion(0, 0), estimate(5, None, 7, "us")]
)
def test_an_estimate_survives_its_file(made):
    text = json.dumps(to_plain(made))

    read = from_plain(json.loads(text))

    assert json.dumps(to_plain(read)) == text
    assert str(read) == str(made)
    assert read.given == made.given
