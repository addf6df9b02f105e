"""What a cluster does because a broker fell silent follows from what silenced it."""

from itertools import pairwise

import attrs
import pytest

from docs import pictures
from simulator import FaultPlan, Zero, simulate
from simulator.scenario.faults import Pause
from simulator.trace.causality import Causality


def first(trace, kind, **fields):
    return next(
        entry.seq
        for entry in trace
        if entry.event.kind == kind
        and all(getattr(entry.event, name) == value for name, value in fields.items())
    )


def test_a_cut_log_leads_back_over_the_election_to_the_crash_and_the_append():
    trace = simulate(pictures.lost_leader_scenario(), Zero())
    past = Causality(trace)
    crash, election = first(trace, "node_crashed"), first(trace, "leader_elected", topic="orders")
    append = first(trace, "batch_appended", event_ids=("e2",))
    chain = [append, crash, election, first(trace, "became_leader", topic="orders", leader_epoch=1),
             first(trace, "log_truncated")]  # fmt: skip

    for before, after in pairwise(chain):
        assert past.happens_before(before, after)
    assert set(chain) <= {entry[0] for entry in past.cone(chain[-1:])}
    assert past.happens_before(crash, first(trace, "broker_fenced"))


def test_what_a_silent_leader_goes_on_to_do_follows_from_no_election():
    """It was paused: until it hears of the election, it and its successor know nothing of each
    other."""
    made = pictures.lost_leader_scenario()
    trace = simulate(
        attrs.evolve(made, faults=FaultPlan((Pause("broker-0", 2_050, 3_000),))), Zero()
    )
    past = Causality(trace)
    paused, election = first(trace, "node_paused"), first(trace, "leader_elected", topic="orders")

    assert past.happens_before(paused, election)
    assert past.concurrent(first(trace, "node_resumed"), election)


@pytest.mark.parametrize("kind", ["leader_elected", "broker_fenced"])
def test_an_entry_names_only_the_crash_that_lasts(kind):
    trace = simulate(pictures.lost_leader_scenario(), Zero())
    told = [one for one in trace if one.event.kind == kind]
    (entry,) = [one for one in told if getattr(one.event, "topic", "orders") == "orders"]

    assert entry.causes == (first(trace, "node_crashed"),)
