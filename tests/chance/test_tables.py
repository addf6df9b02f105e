"""Tables of integers are as good as the functions they stand for; scipy is the witness."""

import decimal

import pytest

from simulator.chance import exponential, lognormal, tables

WORDS = 2**64
QUANTILES = [0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.9999999]


def word(quantile):
    return int(quantile * WORDS)


def mean_of(law, tail_bits=30, steps=4_096):
    """The mean by the midpoint rule, each halving towards the last word on its own."""
    total, left = 0.0, WORDS
    for _ in range(tail_bits):
        left //= 2
        width = left // steps
        middles = range(WORDS - 2 * left + width // 2, WORDS - left, width)
        total += sum(law.draws(iter(middles))) * width
    return (total + law.from_bits(WORDS - left // 2) * left) / WORDS


@pytest.mark.parametrize("mean_us", [100, 5_000, 250_000, 3_600_000_000])
def test_the_exponential_has_its_mean_and_quantiles(mean_us):
    scipy_stats = pytest.importorskip("scipy.stats")
    law = exponential(mean_us)

    assert mean_of(law) == pytest.approx(mean_us, rel=0.000_5)
    for quantile in QUANTILES:
        # Half a microsecond: the answers are whole.
        right = scipy_stats.expon.ppf(quantile, scale=mean_us + 0.5)
        assert law.from_bits(word(quantile)) == pytest.approx(right, rel=0.000_2, abs=1)


@pytest.mark.parametrize("mean_us", [1, 2, 10])
def test_a_short_exponential_is_the_geometric_law(mean_us):
    """Which is what has no memory among whole numbers; so even the mean of 1 us is kept."""
    scipy_stats = pytest.importorskip("scipy.stats")
    law = exponential(mean_us)
    steps = 1 << 16
    drawn = list(law.draws(iter(range(WORDS // steps // 2, WORDS, WORDS // steps))))

    assert sum(drawn) / steps == pytest.approx(mean_us, rel=0.001)
    for value in range(3 * mean_us):
        right = scipy_stats.geom.pmf(value + 1, 1 / (1 + mean_us))
        assert drawn.count(value) / steps == pytest.approx(right, abs=2 / steps)


def test_the_exponential_has_no_memory():
    """Whoever has waited through 63 of 64 waits as if anew; and so on, six times over."""
    law = exponential(1_000_000)
    waited = 0
    for times in range(6):
        rest = WORDS >> (6 * times)
        middle = law.from_bits(WORDS - rest // 2)
        assert middle - waited == pytest.approx(law.from_bits(WORDS // 2), abs=2)
        waited = law.from_bits(WORDS - (rest >> 6))


def test_the_longest_wait_is_finite():
    """44.4 means: the probability of a longer one is less than one word of 64 bits."""
    assert exponential(1_000).from_bits(WORDS - 1) == pytest.approx(44_380, rel=0.03)
    assert lognormal(1_000, 1.0).from_bits(WORDS - 1) < 1_000 * 2.718282**9.2


@pytest.mark.parametrize(
    ("median_us", "sigma"),
    [(5_000, 0.1), (5_000, 0.5), (5_000, 1.0), (80_000, 1.7), (1_000, 2.5)],
)
def test_the_lognormal_has_its_mean_and_quantiles(median_us, sigma):
    scipy_stats = pytest.importorskip("scipy.stats")
    law = lognormal(median_us, sigma)
    right = scipy_stats.lognorm(sigma, scale=median_us)

    assert law.mean == pytest.approx(right.mean(), rel=1e-12)
    assert mean_of(law, tail_bits=50, steps=1_024) == pytest.approx(right.mean(), rel=0.001)
    for quantile in QUANTILES:
        expected = float(right.ppf(quantile))
        assert law.from_bits(word(quantile)) == pytest.approx(expected, rel=0.001, abs=1)


@pytest.mark.parametrize("halvings", [2, 5, 7, 10, 20, 40, 62])
def test_the_normal_quantile_is_the_published_one(halvings):
    norm = pytest.importorskip("scipy.stats").norm
    for n in (1, 3) if halvings > 2 else (1,):
        with decimal.localcontext(tables._CONTEXT):
            ours = float(tables._normal_quantile(n, halvings))

        assert ours == pytest.approx(norm.ppf(n / 2**halvings), rel=1e-14)


def test_a_table_does_not_depend_on_the_decimal_context_of_the_process():
    tables._unit_exponential.cache_clear()
    tables._ln.cache_clear()
    tables.exponential_table.cache_clear()
    with decimal.localcontext() as context:
        context.prec = 3
        context.rounding = decimal.ROUND_UP
        rough = tables.exponential_table(777)
    for cached in (tables._unit_exponential, tables._ln, tables.exponential_table):
        cached.cache_clear()

    assert rough == tables.exponential_table(777)
