"""A rolling upgrade: which order goes well follows from the level, and the registry holds that."""

from itertools import pairwise

import pytest
from attrs import evolve

from models.patterns.contracts.rollouts import (
    BACKWARD,
    CHANGES,
    CONSUMERS_FIRST,
    FORWARD,
    FULL,
    PRODUCERS_FIRST,
    PRODUCERS_FIRST_DRAINED,
    ROLLOUTS,
    TOGETHER,
    Rollout,
)
from models.patterns.contracts.upgrade import DOWN_MS, everything_is_read, upgrading
from simulator import Crash, FaultPlan, Status, reasons, simulate
from tests.few_orders import BROKER, SESSION

SLOW = Rollout(PRODUCERS_FIRST_DRAINED, pause_ms=5_000)


def run(change, rollout, **more):
    small = {"every_ms": 700, "settings": SESSION, "broker": BROKER}
    return simulate(upgrading(change, rollout, **small, **more))


def verdict_of(change, rollout):
    return everything_is_read(run(change, rollout))


def test_each_change_is_allowed_by_its_level_and_by_no_stricter_one():
    for change in CHANGES:
        backward, forward = reasons(change.old, change.new), reasons(change.new, change.old)

        assert (not backward) == (change is not FORWARD)
        assert (not forward) == (change is not BACKWARD)


@pytest.mark.parametrize(
    ("change", "rollout"),
    [
        (BACKWARD, Rollout(CONSUMERS_FIRST)),
        (FORWARD, SLOW),
        (FULL, Rollout(CONSUMERS_FIRST)),
        (FULL, Rollout(PRODUCERS_FIRST)),
        (FULL, Rollout(TOGETHER)),
    ],
    ids=lambda one: one.name,
)
def test_in_its_own_order_everything_is_read(change, rollout):
    found = verdict_of(change, rollout)

    assert found.status is Status.KEPT
    assert found.reached > 5


@pytest.mark.parametrize(
    ("change", "rollout"),
    [(BACKWARD, Rollout(PRODUCERS_FIRST)), (FORWARD, Rollout(CONSUMERS_FIRST))],
    ids=lambda one: one.name,
)
def test_in_the_other_order_an_instance_meets_what_it_cannot_read(change, rollout):
    found = verdict_of(change, rollout)

    assert found.status is Status.BROKEN
    assert "promo_code was not written, and has no default" in found.evidence[0].sentence


def test_under_forward_what_is_not_read_before_the_consumers_upgrade_is_unreadable_after_it():
    """The new reader does not read the old: producers first is not enough."""
    late = Crash("billing-0", "before_commit")
    scenario = upgrading(FORWARD, Rollout(PRODUCERS_FIRST), every_ms=700, settings=SESSION,
                         broker=BROKER)  # fmt: skip
    faults = FaultPlan((*scenario.faults, late))

    found = everything_is_read(simulate(evolve(scenario, faults=faults)))

    assert found.status is Status.BROKEN


@pytest.mark.parametrize(("waits", "status"), [(False, Status.BROKEN), (True, Status.KEPT)])
def test_a_pause_may_be_too_short_and_who_waits_looks(waits, status):
    """Both readers are down for longer than the pause."""
    rollout = evolve(SLOW, waits=waits)
    scenario = upgrading(FORWARD, rollout, every_ms=700, settings=SESSION, broker=BROKER)
    down = tuple(Crash(name, at_ms=500, down_ms=12_000) for name in ("billing-0", "billing-1"))
    rest = (one for one in scenario.faults if not one.node.startswith("billing"))

    found = everything_is_read(simulate(evolve(scenario, faults=FaultPlan((*rest, *down)))))

    assert found.status is status


@pytest.mark.parametrize(("change", "level"), [(FORWARD, "BACKWARD"), (BACKWARD, "FORWARD")])
def test_a_registry_of_the_other_level_refuses_the_change(change, level):
    """So no reader meets it; the shop cannot write."""
    trace = run(change, Rollout(TOGETHER), level=level)
    found = everything_is_read(trace)

    assert found.status is Status.BROKEN
    assert all("not written" in one.sentence for one in found.evidence)
    assert any(e[4][:2] == ("noted", "schema refused") for e in trace.flat)


def test_before_anything_was_read_nobody_can_tell():
    without = everything_is_read.start().finish()

    assert without.status is Status.CANNOT_TELL
    assert without.why == "nothing was read"


def test_a_rollout_is_one_instance_after_the_other():
    for rollout in ROLLOUTS:
        times = list(rollout.times.values())

        assert len(times) == 4
        assert times == sorted(times)
        assert all(later - sooner > DOWN_MS for sooner, later in pairwise(times))
