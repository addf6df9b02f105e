"""Resampling is deterministic, draws whole runs, and agrees with formulas where there are some."""

import pytest

from simulator.errors import BadInput
from simulator.stats.bootstrap import SplitMix64, bootstrap, ratio_of_sums
from simulator.stats.proportions import ratio


def test_the_generator_is_splitmix64():
    """The first outputs of the authors' C program, for seed 1234567."""
    generator = SplitMix64(1234567)

    assert [generator.next() for _ in range(3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_numbers_below_a_bound_are_all_as_likely():
    generator = SplitMix64(1)
    counts = [0] * 7
    for _ in range(7_000):
        counts[generator.below(7)] += 1

    assert min(counts) > 900
    assert max(counts) < 1_100
    assert all(0.0 <= generator.unit() < 1.0 for _ in range(100))


def test_the_same_runs_give_the_same_interval():
    runs = [(k % 4, 10) for k in range(30)]

    assert bootstrap(runs, ratio_of_sums) == bootstrap(runs, ratio_of_sums)
    assert bootstrap(runs, ratio_of_sums) != bootstrap(runs, ratio_of_sums, seed=1)


def test_for_a_ratio_it_agrees_with_the_formula():
    runs = [((7 * k) % 5, 10 + k % 3) for k in range(200)]
    formula, drawn = ratio(runs), bootstrap(runs, ratio_of_sums)

    assert drawn.point == formula.point
    assert drawn.half_width == pytest.approx(formula.half_width, rel=0.1)


def test_what_cannot_be_resampled_is_left_open():
    assert str(bootstrap([], ratio_of_sums)) == "cannot tell"
    assert bootstrap([(1, 2)], ratio_of_sums).low is None
    assert bootstrap([(1, 2)] * 9, ratio_of_sums).high is None
    assert ratio_of_sums([(0, 0)]) == 0.0


def test_too_few_resamples_for_the_confidence_are_refused():
    with pytest.raises(BadInput, match="at least 2000"):
        bootstrap([(1, 2), (0, 2)], ratio_of_sums, confidence=0.999, resamples=1_999)
