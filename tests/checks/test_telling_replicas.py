"""Stories of replicated runs say whose log counted, and where a record went."""

import attrs
import pytest

from docs import pictures
from simulator import Crash, FaultPlan, Zero, simulate
from simulator.checks.catalogue import CHECKS
from tests.replicated_orders import replicated_orders

NAMES = tuple(f"broker-{number}" for number in range(3))


def story(trace, check):
    """The lines of the story of the first case, without their times."""
    lines = CHECKS[check](trace).explain(trace).splitlines()
    begins = next(at for at, one in enumerate(lines) if one.startswith("What happened"))
    return [line.strip().partition(" s  ")[2] or line.strip() for line in lines[begins + 1 :]]


def run(*faults, **given):
    made = replicated_orders(producer={"delivery.timeout.ms": 60_000}, **given)
    return simulate(attrs.evolve(made, faults=FaultPlan(faults)), Zero())


@pytest.mark.parametrize("check", ["never_lost", "acknowledged_is_read"])
def test_a_record_that_died_with_its_leader_is_told_in_six_lines(check):
    trace = simulate(pictures.lost_leader_scenario(), Zero())
    if check == "acknowledged_is_read":  # It is unseen, for nothing came behind it.
        assert "unseen" in CHECKS[check](trace).explain()

    assert story(trace, check) == [
        "order-service sends it",
        "broker-0 appends it at orders-0@1; acknowledged",
        "broker-0 crashes, down until 4.050 s",
        "broker-1 is elected to lead orders-0 (clean), without it",
        "broker-0 cuts its log at orders-0@1: it is gone",
        "nobody was ever given it",
    ]


def test_a_power_loss_everywhere_is_told_with_what_each_disk_had_not():
    trace = run(*(Crash(name, at_ms=450, down_ms=4_000, mode="power") for name in NAMES))
    told = story(trace, "committed_is_kept")

    for name in NAMES:
        assert f"{name} is back, and its log ends at orders-0@0: without it" in told
    assert "broker-2 is elected to lead orders-0 (clean), without it" in told


def test_a_high_watermark_that_fell_is_told_with_the_crashes_and_elections_between():
    """A case that names no event."""
    trace = run(*(Crash(name, at_ms=450, down_ms=4_000, mode="power") for name in NAMES))

    assert story(trace, "high_watermark_never_falls") == [
        "broker-0 takes what lies before orders-0@5 for committed",
        "broker-0 crashes (power), down until 4.450 s",
        "broker-2 crashes (power), down until 4.450 s",
        "broker-1 is elected to lead orders-0 (clean)",
        "broker-2 is elected to lead orders-0 (clean)",
        "nobody can lead orders-0",
        "broker-2 has loaded orders-0 again, which ends at @0",
    ]
