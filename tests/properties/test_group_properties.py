"""What consumer groups promise holds under random faults, and each part of it is needed.

The promises, and the ways in which committed offsets go back, stand in tests/promised_groups.py.
Planted bugs (tests/test_mutants.py) show that faults are not too mild for these promises.
"""

import attrs
import pytest

from simulator import CHECKS, FaultPlan, Status, committed_never_regresses, simulate
from tests.promised import hold_up
from tests.promised_groups import GROUP_PROMISES, OWNED_AND_FENCED, WAYS, backs

EXAMPLES = 60  # Of those that move half of that: they take three times as long.
MANY = 5_000
THRICE = "kept 3 times"

by_name = pytest.mark.parametrize("promised", GROUP_PROMISES, ids=lambda one: one.name)


@by_name
def test_a_promise_of_groups_holds_under_random_faults(promised):
    """The same examples each time."""
    hold_up(promised, EXAMPLES // 2 if promised.name.endswith(THRICE) else EXAMPLES)


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
@by_name
def test_a_promise_of_groups_holds_under_many_more(promised):
    hold_up(promised, MANY, other=1)


@by_name
def test_a_promise_of_groups_holds_when_nothing_goes_wrong(promised):
    trace = simulate(promised.scenario)

    for check in promised.checks:
        verdict = check(trace)
        assert verdict.status is Status.KEPT
        assert verdict.reached, check.name


# --- Back ------------------------------------------------------------------------------------


def ran(way, protocol, faults):
    return simulate(attrs.evolve(way.scenario(protocol), faults=FaultPlan(faults)))


by_way = pytest.mark.parametrize(
    ("way", "protocol"),
    [(way, protocol) for way in WAYS for protocol in way.protocols],
    ids=lambda one: getattr(one, "what", one),
)


@by_way
def test_each_way_back_is_shown_by_a_small_plan(way, protocol):
    """At most three faults, each of which is needed; ownership and fencing are as promised."""
    trace = ran(way, protocol, way.faults)
    found = backs(trace)

    assert len(way.faults) <= 3
    assert way.way in {one.way for one in found}
    assert "unexplained" not in {one.way for one in found}
    assert all(check(trace) for check in OWNED_AND_FENCED)
    for left_out in way.faults:
        fewer = tuple(fault for fault in way.faults if fault is not left_out)
        assert backs(ran(way, protocol, fewer)) == []


@by_way
def test_of_the_ways_back_the_check_excuses_a_seek_alone(way, protocol):
    """committed_never_regresses says what happened; whether Kafka lets it is told here."""
    verdict = committed_never_regresses(ran(way, protocol, way.faults))

    assert verdict.status is (Status.KEPT if way.excused else Status.BROKEN)


def test_the_checks_stand_in_the_catalogue():
    assert all(CHECKS[check.name] is check for check in OWNED_AND_FENCED)
