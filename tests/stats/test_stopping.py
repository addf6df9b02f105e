"""Who looks often pays for it: all looks together keep the confidence."""

import itertools

import pytest

from simulator.errors import BadInput
from simulator.stats.bootstrap import SplitMix64
from simulator.stats.proportions import proportion
from simulator.stats.stopping import FixedRuns, UntilNarrow, looks, narrow_enough


def test_a_fixed_number_is_looked_at_once_with_full_confidence():
    assert [(look.runs, look.confidence) for look in looks(FixedRuns(300))] == [(300, 0.95)]


def test_looks_double_until_the_most():
    rule = UntilNarrow("lost", 0.01, first=50, most=300)

    assert [look.runs for look in looks(rule)] == [50, 100, 200, 300]


def test_what_all_looks_spend_is_at_most_alpha():
    rule = UntilNarrow("lost", 0.01, first=1, most=2**40)
    spent = [1 - look.confidence for look in looks(rule, 0.95)]

    assert spent[0] == pytest.approx(0.025)
    assert sum(spent) < 0.05
    assert sum(spent) == pytest.approx(0.05, rel=0.03)
    assert all(later < earlier for earlier, later in itertools.pairwise(spent))


def study(generator, rule, truth):
    """Whether the interval at which the rule stops holds the truth."""
    done = hits = 0
    for look in looks(rule, 0.9):
        hits += sum(generator.unit() < truth for _ in range(look.runs - done))
        done = look.runs
        made = proportion(hits, done, confidence=look.confidence, method="clopper-pearson")
        if narrow_enough(rule, made):
            break
    return made.holds(truth)


def test_an_interval_that_was_stopped_at_still_covers():
    generator = SplitMix64(10)
    rule = UntilNarrow("lost", 0.08, first=20, most=640)
    covered = sum(study(generator, rule, 0.2) for _ in range(300))

    assert covered / 300 >= 0.9


def test_a_narrow_interval_is_enough_and_an_open_one_never():
    rule = UntilNarrow("lost", 0.01)

    assert narrow_enough(rule, proportion(0, 1_000))
    assert not narrow_enough(rule, proportion(50, 100))
    assert not narrow_enough(rule, proportion(0, 0))
    assert narrow_enough(FixedRuns(3), proportion(1, 3))


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: FixedRuns(0), "0"),
        (lambda: FixedRuns(True), "True"),
        (lambda: UntilNarrow("lost", 0), "0"),
        (lambda: UntilNarrow("lost", float("nan")), "nan"),
        (lambda: UntilNarrow("lost", 0.1, first=100, most=50), "50"),
        (lambda: UntilNarrow("lost", 0.1, first=-1), "-1"),
    ],
)
def test_impossible_rules_are_refused_with_their_value(call, shown):
    with pytest.raises(BadInput, match=shown):
        call()
