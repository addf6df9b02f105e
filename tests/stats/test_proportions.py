"""A share of events rests on runs: its interval covers where the binomial one fails."""

import math

import pytest

from simulator.errors import BadInput
from simulator.stats.bootstrap import SplitMix64
from simulator.stats.intervals import clopper_pearson
from simulator.stats.proportions import effective_size, proportion, ratio, share


def test_the_share_of_runs_is_wilsons_unless_none_or_all_did():
    assert proportion(3, 300).method == "wilson"
    assert proportion(3, 300, method="clopper-pearson").low == clopper_pearson(3, 300)[0]
    assert proportion(0, 300).method == "clopper-pearson"
    assert proportion(0, 300).bound == "upper"
    assert proportion(300, 300).bound == "lower"


def test_without_runs_nobody_can_tell():
    assert str(proportion(0, 0)) == "cannot tell"
    assert str(share([])) == "cannot tell"
    assert str(share([(0, 0), (0, 0)])) == "cannot tell"
    assert str(ratio([])) == "cannot tell"


def test_nothing_lost_in_300_runs_is_a_bound_by_runs_not_by_events():
    """30 000 events are one chance in 300 for the accident that loses a batch."""
    lost = share([(0, 100)] * 300)

    assert str(lost) == "<= 1.2 %"
    assert lost.n == 300
    assert str(share([(100, 100)] * 300)) == ">= 98.8 %"


def test_runs_of_unequal_size_widen_the_bound():
    """The unseen accident may strike the largest run: its events weigh more than a run's share."""
    even = share([(0, 100)] * 10).high
    uneven = share([(0, 10)] * 9 + [(0, 910)]).high

    assert even is not None
    assert uneven is not None
    assert even < uneven == 1.0


def test_losses_in_batches_count_as_few_independent_ones():
    batches = share([(10, 100)] * 3 + [(0, 100)] * 297)
    singles = share([(1, 100)] * 30 + [(0, 100)] * 270)

    assert batches.point == singles.point == 0.001
    assert batches.half_width > 2 * singles.half_width
    assert effective_size([(10, 100)] * 3 + [(0, 100)] * 297) < 3_100


def test_the_effective_size_is_korn_and_graubards():
    """By hand: shares 0, 0.1, 0.2 of runs of 10; variance of their mean 0.01 / 3, t = 4.3027."""
    runs = [(0, 10), (1, 10), (2, 10)]
    by_hand = 0.1 * 0.9 / (0.01 / 3) * (1.959963985 / 4.302652730) ** 2

    assert effective_size(runs) == pytest.approx(by_hand, rel=1e-8)
    assert effective_size([(5, 10)]) == 1.0
    assert effective_size([(5, 10)] * 4) == 4.0


def lost_in_batches(generator, runs, events, batch, crash):
    """Each run may crash once, and then loses a batch of its events."""
    return [(batch if generator.unit() < crash else 0, events) for _ in range(runs)]


def test_the_interval_by_runs_covers_and_the_binomial_over_events_does_not():
    """A crash loses ten of a hundred events in a tenth of the runs: the truth is 1 %."""
    generator = SplitMix64(7)
    by_runs = by_events = 0
    for _ in range(400):
        runs = lost_in_batches(generator, runs=100, events=100, batch=10, crash=0.1)
        by_runs += share(runs).holds(0.01)
        low, high = clopper_pearson(sum(run[0] for run in runs), 10_000)
        by_events += low <= 0.01 <= high

    assert by_runs / 400 >= 0.93
    assert by_events / 400 < 0.60


def test_where_all_runs_lose_one_share_what_was_not_seen_is_bounded_by_runs_too():
    """300 runs that lose half: at most 1.2 % of runs do otherwise, however many events each has."""
    few = share([(5, 10)] * 300)
    many = share([(5_000, 10_000)] * 300)

    assert str(few) == str(many) == "50.0 % [49.4, 50.6]"
    assert (few.low, few.high) == (many.low, many.high)
    assert few.bound == "none"
    assert str(share([(1, 49)] * 2)) == "2 % [0, 85]"


def test_the_interval_covers_where_a_rare_run_is_unlike_all_others():
    """One run in twenty loses nothing, all others half of their events: the truth is 47.5 %."""
    generator = SplitMix64(13)
    covered = 0
    for _ in range(400):
        runs = [(0 if generator.unit() < 0.05 else 500, 1_000) for _ in range(20)]
        covered += share(runs).holds(0.475)

    assert covered / 400 >= 0.95


@pytest.mark.parametrize("run", [(1, 49), (0.1, 11), (7, 3)])
def test_a_ratio_is_open_where_runs_agree_but_for_rounding(run):
    for count in range(2, 40):
        assert ratio([run] * count).low is None


def test_a_ratio_may_exceed_one_and_is_open_where_runs_agree():
    retries = ratio([(12, 10), (15, 10), (9, 10), (14, 10)], unit="requests")

    assert retries.point == 1.25
    assert retries.low is not None
    assert retries.low < 1.25 < (retries.high or 0)
    assert str(ratio([(12, 10)])) == "1.20 [?, ?]"
    assert str(ratio([(12, 10)] * 5)) == "1.20 [?, ?]"


def test_the_ratios_interval_covers_about_as_often_as_it_says():
    generator = SplitMix64(11)
    covered = 0
    for _ in range(400):
        runs = []
        for _ in range(40):
            size = 5 + generator.below(20)
            runs.append((sum(generator.unit() < 0.3 for _ in range(size)), size))
        covered += ratio(runs).holds(0.3)

    assert covered / 400 == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: share([(3, 2)]), r"\(3, 2\)"),
        (lambda: ratio([(1, -2)]), r"\(1, -2\)"),
        (lambda: ratio([(math.inf, 2)]), "inf"),
        (lambda: proportion(1, 2, method="wald"), "wald"),
        (lambda: share([(1, 2)], confidence=0), "0"),
    ],
)
def test_impossible_input_is_refused_with_its_value(call, shown):
    with pytest.raises(BadInput, match=shown):
        call()
