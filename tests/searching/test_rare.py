"""Rare failures have the probability that the laws give them, and an interval that is honest."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from simulator import AT_MOST_ONCE, BadInput, CrashHazard, Hazards, Status, Verdict
from simulator.searching.rare import effective_size, rare, weighed
from tests.few_orders import few_orders

EVENTS = 3


def crashing(p):
    """One record a poll, so that the consumers pass `after_commit` once for each event."""
    return few_orders(
        AT_MOST_ONCE,
        events=EVENTS,
        consumer={"max.poll.records": 1},
        hazards=Hazards(crash=(CrashHazard("billing-*", "after_commit", p),)),
    )


def any_crash(trace):
    status = Status.BROKEN if trace.of("node_crashed") else Status.KEPT
    return Verdict("any_crash", status, reached=1)


def two_crash(trace):
    """What was committed is not polled again, so whoever crashed leaves no more to crash at."""
    status = Status.BROKEN if len(trace.of("node_crashed")) > 1 else Status.KEPT
    return Verdict("two_crash", status, reached=1)


@pytest.mark.parametrize("p", [1e-4, 0.01])
def test_a_rare_failure_has_its_exact_probability(p):
    found = rare(crashing(p), any_crash, runs=400, confidence=0.999)
    exact = 1 - (1 - p) ** EVENTS

    assert found.estimate.holds(exact), str(found)
    assert found.estimate.half_width < exact
    assert found.effective_failed > 50
    assert found.mean_weight.holds(1.0)
    assert found.self_normalised == pytest.approx(exact, rel=0.5)


def test_faults_that_must_come_together_have_the_probability_of_both():
    p = 0.001
    found = rare(crashing(p), two_crash, runs=400, confidence=0.999)

    assert found.estimate.holds(3 * p**2 * (1 - p) + p**3), str(found)
    assert found.estimate.high < 1e-5


def test_it_says_what_plain_runs_would_have_cost():
    found = rare(crashing(1e-4), any_crash, runs=200)

    assert found.plain_runs > 100 * found.runs
    assert "plain runs would need" in str(found)


def test_the_sample_follows_from_its_seed_whoever_runs_it():
    with ThreadPoolExecutor(2) as executor:
        one = rare(crashing(0.01), any_crash, runs=60, seed=4, executor=executor)

    assert one == rare(crashing(0.01), any_crash, runs=60, seed=4)
    assert one != rare(crashing(0.01), any_crash, runs=60, seed=5)


def never(_trace):
    return Verdict("never", Status.KEPT, reached=1)


def test_what_was_not_seen_is_bounded_by_the_runs_of_the_law_alone():
    found = rare(crashing(0.01), never, runs=100)

    assert found.estimate.bound == "upper"
    assert found.estimate.high > 1 - 0.025 ** (1 / 100)
    assert str(found).startswith("<= ")


# --- When it cannot tell ---------------------------------------------------------------------

KEPT, BROKEN, OPEN = Status.KEPT, Status.BROKEN, Status.CANNOT_TELL


def test_a_few_runs_of_great_weight_tell_nothing():
    runs = [(1.0, KEPT)] * 200 + [(1e-9, BROKEN)] * 200 + [(2.0, BROKEN)] * 3
    found = weighed([(weight * 1.9, status) for weight, status in runs], 50)

    assert found.estimate.point is None
    assert str(found).startswith("cannot tell: ")
    assert found.effective_failed == pytest.approx(3)


def test_weights_that_are_not_weights_tell_nothing():
    found = weighed([(0.5 + 0.001 * (i % 7), BROKEN if i % 2 else KEPT) for i in range(500)], 100)

    assert not found.estimate.tells
    assert "should be 1" in found.why


def test_runs_that_nobody_could_judge_leave_it_open():
    found = weighed([(1.0, (KEPT, BROKEN, OPEN)[i % 3]) for i in range(300)], 100)

    assert "could not be judged" in found.why


def test_plain_runs_are_the_case_of_equal_weights():
    found = weighed([(1.0, BROKEN if i % 4 == 0 else KEPT) for i in range(400)], 400)

    assert found.estimate.point == 0.25
    assert found.effective == 400
    assert found.effective_failed == 100
    assert found.plain_runs == pytest.approx(400, rel=0.01)


def test_equal_weights_count_fully():
    assert effective_size([2.0] * 7) == pytest.approx(7.0)
    assert effective_size([]) == 0.0


@pytest.mark.parametrize(
    "wrong", [{"runs": 1}, {"confidence": 2}, {"shares": {"swarm": 1}}, {"shares": {"lucky": 1}}]
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput):
        rare(crashing(0.01), any_crash, **wrong)
