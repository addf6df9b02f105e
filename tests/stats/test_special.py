"""Our few functions of mathematics agree with tables, and with scipy where there is scipy."""

import math

import pytest

from simulator.stats.special import (
    beta_quantile,
    binomial_at_most,
    incomplete_beta,
    normal_at_most,
    normal_quantile,
    student_at_most,
    student_quantile,
)


@pytest.mark.parametrize(
    ("a", "b", "x", "expected"),
    [
        (1, 1, 0.3, 0.3),
        (0.5, 0.5, 0.2, 0.2951672353008665),
        (3, 300, 0.01, 0.582416786983002),
        (2000, 3000, 0.41, 0.9252621262083036),
        (5, 0.5, 0.9, 0.3166429150200122),
        (1e5, 2e5, 0.334, 0.7807618138321535),
    ],
)
def test_the_incomplete_beta_is_that_of_the_tables(a, b, x, expected):
    assert incomplete_beta(a, b, x) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "probability", "expected"),
    [
        (3, 298, 0.025, 0.0020670072350923163),
        (4, 297, 0.975, 0.028944511255692605),
        (0.5, 10, 0.9, 0.12947542734171605),
        (5000, 5000, 0.975, 0.5097991237780385),
        (1, 300, 0.975, 0.012220974694296421),
        (300, 1, 0.025, 0.9877790253057036),
    ],
)
def test_the_beta_quantile_is_that_of_the_tables(a, b, probability, expected):
    assert beta_quantile(a, b, probability) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (1e-10, -6.361340902404056),
        (0.001, -3.090232306167813),
        (0.025, -1.9599639845400545),
        (0.3, -0.5244005127080409),
        (0.5, 0.0),
        (0.9999, 3.719016485455709),
    ],
)
def test_the_normal_quantile_is_that_of_the_tables(probability, expected):
    assert normal_quantile(probability) == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [
        (0.975, 1, 12.706204736174694),
        (0.975, 4, 2.7764451051977934),
        (0.975, 299, 1.9679296690656698),
        (0.9, 2.5, 1.7302509288071766),
        (0.005, 10, -3.1692726726169504),
        (0.5, 7, 0.0),
    ],
)
def test_the_student_quantile_is_that_of_the_tables(probability, freedom, expected):
    assert student_quantile(probability, freedom) == pytest.approx(expected, rel=1e-10)
    assert student_at_most(expected, freedom) == pytest.approx(probability, rel=1e-9)


def test_a_binomial_tail_is_the_sum_of_its_terms():
    for trials in (1, 7, 20):
        for probability in (0.02, 0.5, 0.83):
            reached = 0.0
            for count in range(trials + 1):
                reached += (
                    math.comb(trials, count)
                    * probability**count
                    * (1 - probability) ** (trials - count)
                )
                assert binomial_at_most(count, trials, probability) == pytest.approx(reached)
    assert binomial_at_most(-1, 5, 0.5) == 0.0


def test_quantiles_end_where_probabilities_do():
    assert beta_quantile(2, 3, 0.0) == 0.0
    assert beta_quantile(2, 3, 1.0) == 1.0
    assert incomplete_beta(2, 3, -0.1) == 0.0
    assert incomplete_beta(2, 3, 1.1) == 1.0


def test_scipy_agrees():
    special = pytest.importorskip("scipy.special")
    stats = pytest.importorskip("scipy.stats")
    for a in (0.5, 1, 2.5, 40, 3_000, 1e6):
        for b in (0.5, 1, 7, 250, 1e5):
            for x in (0.001, 0.2, 0.5, 0.93, a / (a + b)):
                ours = incomplete_beta(a, b, x)
                assert ours == pytest.approx(float(special.betainc(a, b, x)), rel=1e-7, abs=1e-12)
            for p in (0.001, 0.025, 0.5, 0.975):
                expected = float(special.betaincinv(a, b, p))
                assert beta_quantile(a, b, p) == pytest.approx(expected, rel=1e-7, abs=1e-12)
    for p in (1e-12, 0.01, 0.4, 0.77, 1 - 1e-9):
        assert normal_quantile(p) == pytest.approx(float(stats.norm.ppf(p)), rel=1e-10)
        for freedom in (1, 2, 9.5, 400):
            expected = float(stats.t.ppf(p, freedom))
            assert student_quantile(p, freedom) == pytest.approx(expected, rel=1e-6)
    for x in (-4.0, -0.1, 0.0, 2.2):
        assert normal_at_most(x) == pytest.approx(float(stats.norm.cdf(x)))
        assert student_at_most(x, 6) == pytest.approx(float(stats.t.cdf(x, 6)))
