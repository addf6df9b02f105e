"""A law gives whole numbers from 0, by the inverse of its distribution."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.chance import (
    Bernoulli,
    Copies,
    Pick,
    constant,
    empirical,
    exponential,
    lognormal,
    uniform,
)
from simulator.errors import BadInput

WORDS = 2**64
OPEN = [
    Bernoulli(0.5),
    Bernoulli(1e-9),
    Bernoulli(1 - 2**-53),
    Bernoulli(5e-324),
    Copies(0.01),
    Pick(2),
    Pick(1_000),
    uniform(500, 2_000),
    uniform(0, 1),
    exponential(1),
    exponential(5_000),
    exponential(3_600_000_000),
    lognormal(1, 0.5),
    lognormal(5_000, 0.3),
    lognormal(80_000, 2.5),
    lognormal(5_000, 5),
    empirical([700, 300, 300, 9_000]),
]
CERTAIN = [
    (Bernoulli(0), 0),
    (Bernoulli(1.0), 1),
    (Pick(1), 0),
    (constant(250), 0),
    (uniform(7, 7), 0),
    (exponential(0, floor_us=9), 0),
    (lognormal(0, 1.0), 0),
    (lognormal(40, 0), 40),
    (empirical([5, 5]), 0),
]
FINITE = [
    Bernoulli(0.25),
    Bernoulli(0),
    Bernoulli(1),
    Pick(5),
    uniform(10, 13),
    empirical([700, 300, 300, 9_000]),
    constant(5),
]
words = st.integers(0, WORDS - 1)


@pytest.mark.parametrize("law", OPEN, ids=str)
def test_the_word_0_and_the_byte_0_are_benign(law):
    assert law.from_bits(0) == 0
    assert law.from_byte(0) == 0
    assert law.benign == 0
    assert not law.certain


@pytest.mark.parametrize("law", OPEN, ids=str)
@given(one=words, other=words)
def test_a_law_is_monotone(law, one, other):
    low, high = sorted((one, other))

    assert law.from_bits(low) <= law.from_bits(high)


@pytest.mark.parametrize("law", OPEN, ids=str)
def test_a_law_is_monotone_where_its_pieces_meet(law):
    """At the edges of cells, of tails and of the pieces in the tails."""
    edges = {i << 54 for i in range(1024)}
    edges |= {WORDS - (n << k) for n in range(16, 33) for k in range(59)}
    edges |= {(n << k) for n in range(16, 33) for k in range(59)}
    around = sorted({e + d for e in edges for d in (-1, 0, 1) if 0 <= e + d < WORDS})

    answers = list(law.draws(iter(around)))

    assert answers == sorted(answers)
    assert all(type(answer) is int and law.allows(answer) for answer in answers)


@pytest.mark.parametrize("law", OPEN, ids=str)
def test_a_byte_is_the_highest_eight_bits_of_a_word(law):
    """Save that a rare fault has a byte of its own, see below."""
    answers = [law.from_byte(byte) for byte in range(256)]

    assert answers == sorted(answers)
    if not isinstance(law, Bernoulli):
        assert answers == [law.from_bits(byte << 56) for byte in range(256)]


@pytest.mark.parametrize("p", [5e-324, 1e-6, 0.3, 0.999999])
def test_some_byte_says_that_it_happens_and_some_that_it_does_not(p):
    law = Bernoulli(p)

    assert law.from_byte(0) == 0
    assert law.from_byte(255) == 1
    assert sum(map(law.from_byte, range(256))) == pytest.approx(256 * p, abs=1)


@pytest.mark.parametrize("p", [5e-324, 2**-64, 0.1, 0.5, 1 - 2**-53])
def test_as_many_words_say_that_it_happens_as_p_asks_for(p):
    """To the last word: the first that says so is found by halving."""
    law = Bernoulli(p)
    low, high = 0, WORDS - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if law.from_bits(middle) else (middle + 1, high)

    assert WORDS - low == max(1, int(p * WORDS))


@pytest.mark.parametrize(("law", "answer"), CERTAIN, ids=str)
def test_a_certain_law_has_one_answer(law, answer):
    assert law.certain
    assert law.benign == answer
    assert {law.from_bits(0), law.from_bits(WORDS - 1), law.from_byte(255)} == {answer}
    assert tuple(law.grid) == (answer,)
    assert law.probability(answer) == 1
    assert law.mean == answer


@pytest.mark.parametrize("law", OPEN, ids=str)
def test_a_grid_begins_with_the_benign_answer_and_rises(law):
    grid = list(law.grid)

    assert grid[0] == 0
    assert grid == sorted(set(grid))
    assert len(grid) >= 2


@pytest.mark.parametrize("law", FINITE, ids=str)
def test_probabilities_add_up_to_1_and_give_the_mean(law):
    answers = range(10_000)

    assert math.fsum(law.probability(a) for a in answers) == pytest.approx(1, abs=1e-12)
    assert math.fsum(a * law.probability(a) for a in answers) == pytest.approx(law.mean)
    assert law.probability(-1) == 0


@pytest.mark.parametrize("law", FINITE, ids=str)
def test_the_share_of_the_words_is_the_probability(law):
    """Words in equal steps: the shares are right to a step an answer."""
    steps = 1 << 12
    drawn = [law.from_bits(i * (WORDS // steps)) for i in range(steps)]

    for answer in dict.fromkeys(drawn):
        share = drawn.count(answer) / steps
        assert share == pytest.approx(law.probability(answer), abs=1 / steps)


def test_a_continuous_law_has_no_probability_of_one_answer():
    assert exponential(5).probability(3) is None
    assert lognormal(5, 1.0).probability(3) is None


def test_an_answer_stands_above_the_floor():
    assert (uniform(500, 900).floor_us, uniform(500, 900).from_bits(WORDS - 1)) == (500, 400)
    assert (empirical([9, 4]).floor_us, empirical([9, 4]).from_bits(WORDS - 1)) == (4, 5)
    assert (constant(70).floor_us, constant(70).from_bits(WORDS - 1)) == (70, 0)
    assert exponential(5, floor_us=3).floor_us == 3
    assert lognormal(5, 1.0, floor_us=3).floor_us == 3


def test_only_what_a_fault_plan_may_ask_for_is_allowed():
    """A planned loss on a lossless link, a delay longer than the law's; never a third of two."""
    assert Bernoulli(0).allows(1)
    assert constant(5).allows(90_000)
    assert uniform(1, 2).allows(90_000)
    assert Copies(0).allows(1 + 90_000)
    assert not Copies(0.5).allows(-1)
    assert not Bernoulli(0.5).allows(2)
    assert not Pick(3).allows(3)
    assert not Pick(3).allows(-1)
    assert not exponential(5).allows(-1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Bernoulli(1.5), "bernoulli.p: must be a probability from 0 to 1: 1.5 (five"),
        (lambda: Bernoulli(-0.1), "-0.1"),
        (lambda: Bernoulli(math.nan), "nan"),
        (lambda: Bernoulli(math.inf), "inf"),
        (lambda: Bernoulli(True), "True"),
        (lambda: Bernoulli("0.5"), "'0.5'"),
        (lambda: Bernoulli(None), "bernoulli.p: must be a probability from 0 to 1: None"),
        (lambda: Pick(0), "pick.n: must be a whole number from 1: 0"),
        (lambda: Pick(2.0), "2.0"),
        (lambda: constant(-1), "constant.us: must be whole microseconds from 0: -1"),
        (lambda: constant(1.5), "1.5"),
        (lambda: constant(math.nan), "nan"),
        (lambda: uniform(5, 4), "uniform.high_us: must not be below low_us = 5: 4"),
        (lambda: uniform(-5, 4), "uniform.low_us"),
        (lambda: exponential(math.inf), "exponential.mean_us: must be whole microseconds"),
        (lambda: exponential(5, -1), "exponential.floor_us"),
        (lambda: lognormal(5, -0.5), "lognormal.sigma: must be a number from 0 to 5: -0.5"),
        (lambda: lognormal(5, math.nan), "nan"),
        (lambda: lognormal(5, 5.5), "5.5"),
        (lambda: lognormal(True, 0.5), "True"),
        (lambda: empirical([]), "empirical.values_us: must hold at least one delay: []"),
        (lambda: empirical([4, -4]), "empirical.values_us: must be whole microseconds from 0: -4"),
        (lambda: empirical("45"), "must be a list of microseconds: '45'"),
        (lambda: empirical([4, math.nan]), "nan"),
    ],
)
def test_what_is_no_law_is_refused_with_its_value(make, text):
    with pytest.raises(BadInput) as caught:
        make()

    assert text in str(caught.value)


def test_laws_are_values():
    assert exponential(5) == exponential(5, 0)
    assert len({lognormal(5, 0.5), lognormal(5, 0.5), uniform(5, 6)}) == 2
    assert empirical([9, 4]) == empirical((4, 9))
