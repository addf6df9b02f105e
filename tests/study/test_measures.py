"""A run leaves small plain data, and a wrong answer is refused by the measure's name."""

import pytest

from simulator.errors import BadInput
from simulator.study.measures import (
    columns,
    difference,
    estimated,
    flag,
    number,
    observe,
    ratio,
    samples,
    share,
)


def same(left):
    return left


@pytest.mark.parametrize(
    ("measure", "left", "row"),
    [
        (share(same), (3, 10), (3, 10)),
        (share(same), [3, 10], (3, 10)),
        (ratio(same), (12, 10), (12, 10)),
        (flag(same), True, True),
        (number(same), 3.5, 3.5),
        (samples(same), [5, 5, 2], ((2, 1), (5, 2))),
        (share(same), None, None),
    ],
)
def test_what_a_run_tells_is_small_and_plain(measure, left, row):
    assert observe("it", measure, left) == row


@pytest.mark.parametrize(
    ("measure", "left"),
    [
        (share(same), (11, 10)),
        (share(same), (-1, 10)),
        (share(same), 3),
        (ratio(same), (1, -1)),
        (ratio(same), (float("nan"), 1)),
        (flag(same), 1),
        (number(same), True),
        (number(same), float("inf")),
        (number(same), 10**400),
    ],
)
def test_what_is_not_of_its_kind_is_refused_by_name(measure, left):
    with pytest.raises(BadInput, match=f"measure it: a {measure.kind} cannot be made of"):
        observe("it", measure, left)


def test_samples_have_a_column_for_each_quantile():
    assert columns("latency", samples(same, quantiles=(0.5, 0.99, 0.999))) == (
        ("latency p50", 0.5),
        ("latency p99", 0.99),
        ("latency p99.9", 0.999),
    )
    assert columns("lost", share(same)) == (("lost", None),)
    with pytest.raises(BadInput, match="99"):
        samples(same, quantiles=(99,))
    with pytest.raises(BadInput, match="at least one"):
        samples(same, quantiles=())


def test_each_kind_has_its_estimate_and_its_difference():
    cases = [
        (share(same), None, [(0, 10), (1, 10), None], [(1, 10), (3, 10), (1, 10)]),
        (ratio(same), None, [(10, 10), (11, 10), None], [(14, 10), (17, 10), (1, 10)]),
        (flag(same), None, [False, False, None], [True, False, True]),
        (number(same), None, [1, 2, None], [3, 5, 1]),
        (samples(same), 0.5, [((1, 5),), ((2, 5),), ()], [((4, 5),), ((7, 5),), ((9, 1),)]),
    ]
    for measure, quantile, base, other in cases:
        made = estimated(measure, quantile, base, 0.95)
        paired = difference(measure, quantile, base, other, 0.95)

        assert made.n == 2
        assert paired.estimate.n == 2
        assert paired.estimate.point > 0
