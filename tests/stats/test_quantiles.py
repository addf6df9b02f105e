"""A quantile's interval is made of samples, covers as it says, and is open when n is too small."""

import math

import pytest

from simulator.errors import BadInput
from simulator.stats.bootstrap import SplitMix64
from simulator.stats.quantiles import (
    merged,
    order_ranks,
    quantile,
    quantile_of_runs,
    tally,
    tally_quantile,
)


def test_the_median_of_ten_lies_between_the_second_and_the_ninth():
    """The textbook case: ranks 2 and 9 cover 97.9 %, ranks 3 and 8 only 89.1 %."""
    assert order_ranks(10, 0.5, 0.95) == (2, 9)


@pytest.mark.parametrize(("n", "q"), [(1, 0.5), (9, 0.5), (40, 0.9), (150, 0.99), (500, 0.99)])
def test_ranks_cover_at_least_as_often_as_they_say_and_no_closer_ranks_do(n, q):
    """The chance that at most k of n lie at or below the quantile is summed term by term."""

    def at_most(k):
        return sum(math.comb(n, i) * q**i * (1 - q) ** (n - i) for i in range(k + 1))

    low, high = order_ranks(n, q, 0.95)
    first = 0 if low is None else low
    last = n + 1 if high is None else high

    assert first == 0 or at_most(first - 1) <= 0.025
    assert last == n + 1 or 1 - at_most(last - 1) <= 0.025
    assert at_most(first) > 0.025
    assert last == 1 or 1 - at_most(last - 2) > 0.025


def test_the_upper_end_is_open_until_there_are_enough_samples():
    """0.99 to the power n falls below 0.025 at n = 368."""
    assert quantile(range(367), 0.99).high is None
    assert quantile(range(368), 0.99).high == 367
    assert str(quantile(list(range(1_000, 101_000, 1_000)), 0.99)) == "99.0 ms [97.0, ?]"
    assert quantile([5], 0.5).low is None
    assert str(quantile([], 0.5)) == "cannot tell"


def test_a_quantile_is_a_sample():
    samples = [30, 10, 20, 40]

    points = [quantile(samples, q).point for q in (0.25, 0.26, 0.5, 0.75, 0.99)]
    assert points == [10, 20, 20, 30, 40]
    assert quantile(list(range(1, 101)), 0.07).point == 7


def test_a_tally_keeps_eight_binary_digits():
    kept = tally([0, 1, 255, 256, 257, 1_000_000], bits=8)

    assert [value for value, _ in kept] == [0, 1, 255, 257, 1_001_472]
    assert sum(count for _, count in kept) == 6
    for value in (10**k + 7 for k in range(1, 12)):
        ((rounded, _),) = tally([value])
        assert abs(rounded - value) <= value / 256
    assert tally([1_000_001], bits=None) == ((1_000_001, 1),)


def test_tallies_add_up():
    assert merged([tally([1, 2, 2]), (), tally([2, 5])]) == ((1, 1), (2, 3), (5, 1))
    assert tally_quantile(((1, 1), (2, 3), (5, 1)), 0.5) == 2
    assert tally_quantile((), 0.5) is None


def test_over_independent_samples_both_intervals_nearly_agree():
    """Were each run one sample, the run as the unit would change little."""
    generator = SplitMix64(3)
    samples = [generator.below(100_000) for _ in range(400)]
    alone = quantile(samples, 0.9)
    by_runs = quantile_of_runs([tally([sample], bits=None) for sample in samples], 0.9)

    assert by_runs.point == alone.point
    assert by_runs.half_width == pytest.approx(alone.half_width, rel=0.25)


def test_the_interval_by_runs_covers_where_samples_of_a_run_are_alike():
    """Each run is slow or fast as a whole; the median over all is 500 in truth."""
    generator = SplitMix64(5)
    by_runs = by_samples = 0
    for _ in range(300):
        runs = []
        for _ in range(40):
            base = generator.below(1_000)
            runs.append([max(0, base + generator.below(21) - 10) for _ in range(25)])
        by_runs += quantile_of_runs([tally(run, bits=None) for run in runs], 0.5).holds(500)
        by_samples += quantile([sample for run in runs for sample in run], 0.5).holds(500)

    assert by_runs / 300 >= 0.93
    assert by_samples / 300 < 0.5


def test_runs_that_are_all_alike_are_as_many_as_they_are_not_as_their_samples():
    """Nine of ten samples are fast in each run: of five runs none shows what a slow run does."""
    alike = quantile_of_runs([((10, 900), (1_000, 100))] * 5, 0.9)

    assert dict(alike.given)["effective"] == 5.0
    assert (alike.point, alike.low, alike.high) == (10, 10, None)
    assert quantile_of_runs([((10, 900), (1_000, 100))] * 100, 0.9).high == 1_000


def test_few_runs_leave_a_high_quantile_open():
    made = quantile_of_runs([tally(range(1_000)) for _ in range(1)], 0.99)

    assert made.high is None
    assert str(quantile_of_runs([], 0.5)) == "cannot tell"
    assert quantile_of_runs([tally([7])], 0.5).point == 7


def test_order_statistics_cover_about_as_often_as_they_say():
    generator = SplitMix64(9)
    covered = sum(
        quantile([generator.below(10**6) for _ in range(100)], 0.9).holds(900_000)
        for _ in range(400)
    )

    assert covered / 400 >= 0.94


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: quantile([1], 99), "99"),
        (lambda: quantile_of_runs([], 0.0), "0.0"),
        (lambda: tally([-1]), "-1"),
        (lambda: tally([1.5]), "1.5"),
    ],
)
def test_impossible_input_is_refused_with_its_value(call, shown):
    with pytest.raises(BadInput, match=shown):
        call()


def test_scipy_agrees():
    stats = pytest.importorskip("scipy.stats")
    samples = [17 * k % 1009 for k in range(700)]
    for q in (0.1, 0.5, 0.9):
        interval = stats.quantile_test(samples, q=0, p=q).confidence_interval
        ours = quantile(samples, q)
        for end, side in ((ours.low, "greater"), (ours.high, "less")):
            result = stats.quantile_test(samples, q=0, p=q, alternative=side)
            ci = result.confidence_interval(0.975)
            assert end == (ci.low if side == "greater" else ci.high)
        assert callable(interval)
