"""Intervals cover as often as they say: counted exactly, by enumerating every outcome."""

import math

import pytest

from simulator.errors import BadInput
from simulator.stats.intervals import clopper_pearson, nothing_seen, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "by_wilson", "exact"),
    [
        (0, 300, (0.0, 0.012642971224546036), (0.0, 0.012220974694296421)),
        (
            3,
            300,
            (0.003406618437715286, 0.02898349336233983),
            (0.0020670072350923137, 0.028944511255692713),
        ),
        (
            34,
            1000,
            (0.024431348663226313, 0.04713519024531107),
            (0.023658648108088112, 0.047189438615709),
        ),
        (5, 10, (0.236593090512564, 0.7634069094874361), (0.1870860284474045, 0.8129139715525955)),
        (300, 300, (0.9873570287754541, 1.0), (0.9877790253057036, 1.0)),
        (0, 0, (0.0, 1.0), (0.0, 1.0)),
    ],
)
def test_intervals_are_those_of_the_tables(successes, trials, by_wilson, exact):
    assert wilson(successes, trials) == pytest.approx(by_wilson, rel=1e-10)
    assert clopper_pearson(successes, trials) == pytest.approx(exact, rel=1e-10)


def coverage(interval, trials, probability, confidence):
    """The chance that the interval of a binomial outcome holds its probability, exactly."""
    covered = 0.0
    for count in range(trials + 1):
        low, high = interval(count, trials, confidence)
        if low <= probability <= high:
            covered += (
                math.comb(trials, count)
                * probability**count
                * (1 - probability) ** (trials - count)
            )
    return covered


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("trials", [1, 5, 30])
def test_the_exact_interval_covers_at_least_as_often_as_it_says(trials, confidence):
    for step in range(1, 60):
        assert coverage(clopper_pearson, trials, step / 60, confidence) >= confidence - 1e-9


def test_wilsons_interval_covers_about_as_often_as_it_says():
    rates = [coverage(wilson, 50, step / 60, 0.95) for step in range(1, 60)]

    assert sum(rates) / len(rates) == pytest.approx(0.95, abs=0.01)
    assert min(rates) > 0.90


def test_nothing_seen_in_300_runs_is_at_most_one_in_eighty():
    assert nothing_seen(300) == pytest.approx(0.01222, abs=1e-5)
    assert nothing_seen(300) == clopper_pearson(0, 300)[1]


def test_more_runs_and_less_confidence_make_an_interval_shorter():
    def width(interval):
        return interval[1] - interval[0]

    for interval in (wilson, clopper_pearson):
        assert width(interval(30, 1_000)) < width(interval(3, 100))
        assert width(interval(3, 100, 0.9)) < width(interval(3, 100, 0.99))


@pytest.mark.parametrize("interval", [wilson, clopper_pearson])
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ((3, 2), r"\(3, 2\)"),
        ((-1, 2), r"\(-1, 2\)"),
        ((math.nan, 2), "nan"),
        ((1, 2, 1.0), "1.0"),
        ((1, 2, 95), "95"),
        ((1, 2, True), "True"),
    ],
)
def test_impossible_counts_and_confidences_are_refused_with_their_value(interval, arguments, shown):
    with pytest.raises(BadInput, match=shown):
        interval(*arguments)


def test_statsmodels_agrees():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    for trials in (1, 8, 77, 3_000):
        for count in sorted({0, 1, trials // 3, trials - 1, trials}):
            for confidence in (0.8, 0.95, 0.999):
                for name, ours in (("wilson", wilson), ("beta", clopper_pearson)):
                    theirs = proportion.proportion_confint(
                        count, trials, alpha=1 - confidence, method=name
                    )
                    expected = tuple(0.0 if math.isnan(x) else float(x) for x in theirs)
                    if name == "beta":
                        low = 0.0 if count == 0 else expected[0]
                        high = 1.0 if count == trials else expected[1]
                        expected = (low, high)
                    got = ours(count, trials, confidence)
                    assert got == pytest.approx(expected, rel=1e-7, abs=1e-9)
