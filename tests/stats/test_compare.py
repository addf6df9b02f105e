"""Of many comparisons few are wrong: the family's verdicts are Holm's."""

import pytest

from simulator.stats.bootstrap import SplitMix64
from simulator.stats.compare import Asked, compared, holm
from simulator.stats.paired import paired_means, paired_proportions


def asked(more, less, pairs=100, **given):
    base = [k < less for k in range(pairs)]
    other = [less <= k < less + more for k in range(pairs)]
    return Asked("lost", "a", "b", paired_proportions(base, other), **given)


def test_holm_is_that_of_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005, 0.5]) == pytest.approx((0.04, 0.09, 0.09, 0.025, 0.5))
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([]) == ()


def test_more_less_and_cannot_tell():
    more, less, neither = compared([asked(30, 2), asked(2, 30), asked(3, 2)])

    assert (more.verdict, less.verdict, neither.verdict) == ("more", "less", "cannot tell")
    assert str(more).startswith("lost: b has more than a (28 % [")
    assert "cannot be told from" in str(neither)


def test_a_verdict_alone_may_be_lost_among_many():
    alone = asked(8, 0)
    assert compared([alone])[0].verdict == "more"

    among = compared([alone] + [asked(1, 1)] * 9)[0]

    assert among.verdict == "cannot tell"
    assert among.adjusted == pytest.approx(10 * among.p_value)
    assert among.difference.low is not None
    assert among.difference.low > 0, "the interval of the one comparison still leaves zero out"


def test_a_difference_is_good_or_bad_only_where_somebody_said_so():
    fewer = compared([asked(0, 30, more_is_better=False)])[0]

    assert fewer.verdict == "less"
    assert fewer.better is True
    assert compared([asked(0, 30, more_is_better=True)])[0].better is False
    assert compared([asked(0, 30)])[0].better is None
    assert compared([asked(0, 1, more_is_better=True)])[0].better is None


def test_where_nothing_differs_a_family_rarely_says_so():
    """Twenty comparisons of equals, 150 times: some family errs in about 5 % of them."""
    generator = SplitMix64(6)
    wrong = 0
    for _ in range(150):
        family = []
        for _ in range(20):
            base = [generator.unit() for _ in range(12)]
            other = [generator.unit() for _ in range(12)]
            family.append(Asked("x", "a", "b", paired_means(base, other)))
        wrong += any(one.verdict != "cannot tell" for one in compared(family))

    assert wrong / 150 < 0.10


def test_statsmodels_agrees():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    generator = SplitMix64(8)
    for count in (1, 2, 9, 40):
        values = [generator.unit() ** 3 for _ in range(count)]
        expected = multitest.multipletests(values, method="holm")[1]
        assert holm(values) == pytest.approx([float(x) for x in expected])
