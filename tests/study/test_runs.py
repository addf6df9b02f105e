"""One run of a study: a seed, the verdicts, and counts."""

import pytest

from simulator.chance import Seeded
from simulator.checks.catalogue import CHECKS
from simulator.checks.check import all_of
from simulator.checks.delivery import never_applied_twice, never_lost
from simulator.errors import BadInput
from simulator.scenario.faults import Crash, FaultPlan
from simulator.scenario.scenario import Consumers
from simulator.scenario.topology import Topic, Topology
from simulator.study.runs import as_checks, observed_run
from simulator.study.simulate import simulate
from tests.few_orders import few_orders

DOUBLED = few_orders(
    topology=Topology(1, (Topic("orders", 1),)),
    consumers=Consumers(instances=1),
    faults=FaultPlan((Crash("billing-0", "after_process", down_ms=100),)),
)


@pytest.mark.parametrize("seed", range(3))
def test_a_run_of_a_study_is_the_run_of_its_seed(seed):
    """What is counted online is what the kept trace shows."""
    observed = observed_run(DOUBLED, seed, ["never_lost", "never_applied_twice"])
    trace = simulate(DOUBLED, Seeded(seed))

    delivery = observed.left
    assert observed.verdicts == {
        check.name: check(trace).status.value for check in (never_lost, never_applied_twice)
    }
    assert delivery.sent == len(trace.of("record_sent")) == 5
    assert delivery.acknowledged == 5
    assert delivery.applied_twice == never_applied_twice(trace).cases == 1
    assert (delivery.lost, delivery.ended) == (0, "quiet")
    assert len(delivery.latencies_us) == 5


def test_the_witness_of_a_run_is_its_seed():
    assert observed_run(DOUBLED, 12, []).witness == "seed 12"


def test_checks_are_named_or_given_and_called_as_the_experiment_calls_them():
    both = all_of(never_lost, never_applied_twice, name="both")
    observed = observed_run(DOUBLED, 0, {"lossless": "never_lost", "all": both})

    assert observed.verdicts == {"lossless": "kept", "all": "broken"}
    assert as_checks([never_lost]) == {"never_lost": never_lost}
    assert list(as_checks(list(CHECKS))) == list(CHECKS)


def test_a_check_that_is_not_there_is_refused_by_name():
    with pytest.raises(BadInput, match="never_lots"):
        observed_run(DOUBLED, 0, ["never_lots"])


class Polls:
    """Counts what readers were given."""

    def __init__(self):
        self.count = 0

    def observers(self):
        return [("record_polled", self.polled)]

    def polled(self, _):
        self.count += 1


def test_measures_are_given_what_the_experiment_gathers():
    """By default that is a Delivery; every run has one of its own."""
    runs = [observed_run(DOUBLED, seed, ["never_lost"], gather=Polls) for seed in (1, 1)]

    assert [run.left.count for run in runs] == [6, 6]
    assert runs[0].verdicts == {"never_lost": "kept"}
