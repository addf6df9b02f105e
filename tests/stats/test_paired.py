"""Under common seeds differences are seen sooner, and what was not seen is not zero."""

import pytest

from simulator.errors import BadInput
from simulator.stats.bootstrap import SplitMix64
from simulator.stats.means import mean, variance
from simulator.stats.paired import (
    mcnemar_exact,
    paired_means,
    paired_proportions,
    paired_shares,
    tango,
)


def test_tangos_interval_is_that_of_the_literature():
    """Airway hyper-responsiveness before and after transplantation: 1, 1, 7 and 12 of 21 children
    (Fagerland, Lydersen and Laake 2014, table of intervals: -0.517 to -0.026).
    """
    low, high = tango(1, 7, 21)

    assert (round(low, 3), round(high, 3)) == (-0.517, -0.026)
    assert mcnemar_exact(7, 1) == pytest.approx(0.0703125)


def test_the_interval_mirrors_when_sides_are_exchanged():
    low, high = tango(9, 2, 40)

    assert tango(2, 9, 40) == (-high, -low)


def test_pairs_that_never_differ_still_have_an_interval():
    """z**2 / (n + z**2), as Wilson's bound for nothing seen."""
    result = paired_proportions([True] * 100, [True] * 100)

    assert result.estimate.point == 0.0
    assert result.estimate.high == pytest.approx(3.841458821 / 103.841458821, rel=1e-8)
    assert result.p_value == 1.0
    assert str(result.estimate) == "0.0 % [-3.7, 3.7]"


def test_ends_stay_within_minus_one_and_one():
    assert tango(20, 0, 20)[1] == pytest.approx(1.0)
    assert tango(0, 20, 20)[0] == pytest.approx(-1.0)
    assert tango(0, 0, 0) == (-1.0, 1.0)


@pytest.mark.parametrize("value", [0.1, 0.7, 5.3, -0.8])
def test_a_mean_is_open_where_runs_agree_whatever_their_sum_is_rounded_to(value):
    """Three times 0.1 is not 0.3 in binary: a third of it is not what each run said."""
    for count in range(1, 60):
        assert (mean([value] * count).low, mean([value] * count).high) == (None, None)


def test_tangos_interval_covers_about_as_often_as_it_says():
    """Pairs (no, yes) with 0.15 and (yes, no) with 0.05: the difference is 0.10."""
    generator = SplitMix64(2)
    covered = 0
    for _ in range(600):
        more = less = 0
        for _ in range(60):
            u = generator.unit()
            more += u < 0.15
            less += 0.15 <= u < 0.20
        low, high = tango(more, less, 60)
        covered += low <= 0.10 <= high

    assert covered / 600 == pytest.approx(0.95, abs=0.025)


def test_common_seeds_reduce_the_variance_and_say_by_how_much():
    base = [float(10 * (k % 10)) for k in range(50)]
    other = [value + 1.0 + (k % 2) / 10 for k, value in enumerate(base)]
    result = paired_means(base, other)

    assert result.estimate.point == pytest.approx(1.05)
    assert result.p_value == 2.0**-49, "all of fifty runs differ one way"
    assert result.differing == 50
    expected = (variance(base) + variance(other)) / variance(
        [o - b for b, o in zip(base, other, strict=True)]
    )
    assert result.variance_reduction == pytest.approx(expected)
    assert expected > 1_000


def test_few_runs_that_differ_cannot_give_a_small_p_value():
    """Five runs of 10 000 lose all: a t test would say 0.025, a sign test cannot say so little."""
    base = [(0, 100)] * 10_000
    other = [(100, 100)] * 5 + [(0, 100)] * 9_995

    assert paired_shares(base, other).p_value == 0.0625


def test_shares_that_never_differ_are_bounded_by_runs():
    result = paired_shares([(0, 100)] * 300, [(0, 100)] * 300)

    assert str(result.estimate) == "0.0 % [-1.2, 1.2]"
    assert result.p_value == 1.0


def test_shares_that_always_differ_alike_are_bounded_by_runs():
    result = paired_shares([(0, 10)] * 300, [(10, 10)] * 300)

    assert result.estimate.point == 1.0
    assert result.estimate.low == pytest.approx(1 - 2 * 0.012220974694)
    assert result.estimate.high == 1.0
    assert result.p_value < 1e-80


@pytest.mark.parametrize(("lost", "runs"), [(1, 20), (1, 38), (1, 39), (5, 9), (5, 10), (10, 6)])
def test_shares_that_always_differ_alike_differ_by_as_much_as_their_interval_says(lost, runs):
    """Were a run in ten unlike those seen, twenty might not show it: 10 % less is no finding."""
    result = paired_shares([(lost, 10)] * runs, [(0, 10)] * runs)

    assert result.p_value == pytest.approx(min(1.0, 2 * (1 + lost / 10) ** -runs))
    assert result.estimate.high is not None
    assert (result.estimate.high < 0) == (result.p_value < 0.05)


def test_of_shares_of_equal_wholes_the_difference_is_the_paired_means():
    base = [(k % 3, 10) for k in range(40)]
    other = [((k * k) % 5, 10) for k in range(40)]
    by_shares = paired_shares(base, other).estimate
    by_means = paired_means([b[0] / 10 for b in base], [o[0] / 10 for o in other]).estimate

    assert by_shares.point == pytest.approx(by_means.point)
    assert by_shares.low == pytest.approx(by_means.low)
    assert by_shares.high == pytest.approx(by_means.high)


def test_one_pair_or_none_cannot_tell():
    assert paired_means([1.0], [2.0]).estimate.low is None
    assert paired_means([1.0], [2.0]).p_value == 1.0
    assert str(paired_means([], []).estimate) == "cannot tell"
    assert str(paired_shares([(0, 0)], [(0, 3)]).estimate) == "cannot tell"
    assert str(paired_proportions([], []).estimate) == "cannot tell"


def test_sides_of_different_length_are_refused():
    with pytest.raises(BadInput, match=r"\(1, 2\)"):
        paired_means([1.0], [1.0, 2.0])


def test_a_mean_is_open_where_all_runs_agree():
    assert mean([3.0] * 9).low is None
    assert str(mean([])) == "cannot tell"
    assert mean([1.0, 2.0, 3.0]).low == pytest.approx(2 - 4.302652729 / 3**0.5)
    with pytest.raises(BadInput, match="nan"):
        mean([float("nan")])


def test_scipy_and_statsmodels_agree():
    stats = pytest.importorskip("scipy.stats")
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    generator = SplitMix64(4)
    base = [generator.unit() for _ in range(25)]
    other = [value + 0.2 * generator.unit() - 0.05 for value in base]
    ours = paired_means(base, other)
    theirs = stats.ttest_rel(other, base)
    ends = theirs.confidence_interval(0.95)

    assert ours.p_value == pytest.approx(float(theirs.pvalue), rel=1e-8)
    assert (ours.estimate.low, ours.estimate.high) == pytest.approx((ends.low, ends.high))
    for only_base in range(12):
        for only_other in range(12):
            table = [[5, only_base], [only_other, 9]]
            expected = float(tables.mcnemar(table, exact=True).pvalue)
            assert mcnemar_exact(only_base, only_other) == pytest.approx(expected)
