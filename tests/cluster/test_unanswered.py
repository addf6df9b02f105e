"""Laws of a producer that waits for no answer (acks=0): it writes only where somebody listens."""

import pytest

from simulator import AT_LEAST_ONCE, CHECKS, Crash, FaultPlan, Partition, Status, simulate
from tests.clustered import events, times_ms
from tests.replicated_orders import replicated_orders

UNANSWERED = {"acks": "0", "enable.idempotence": False, "linger.ms": 0}


def run(*faults):
    made = replicated_orders(AT_LEAST_ONCE, producer=UNANSWERED, faults=FaultPlan(faults))
    return simulate(made)


def test_what_comes_while_the_leader_is_away_goes_to_the_next():
    """Batches wait in the accumulator until there is a connection to send them on."""
    trace = run(Crash("broker-0", at_ms=250, down_ms=15_000))

    assert CHECKS["acknowledged_is_read"](trace)
    late = [one for one in times_ms(trace, "record_acknowledged") if one > 250]
    assert late
    assert min(late) > 1_000


@pytest.mark.parametrize("mode", ["process", "power"])
def test_what_is_on_its_way_to_a_leader_that_dies_is_lost(mode):
    trace = run(Crash("broker-0", at_ms=201, down_ms=4_000, mode=mode))

    assert CHECKS["acknowledged_is_read"](trace).status is Status.BROKEN


def test_a_leader_that_cannot_be_reached_for_a_while_gets_what_is_sent_later():
    trace = run(Partition(("orders-producer",), ("*",), 150, 2_150))

    stored = {one for entry in events(trace, "batch_appended") for one in entry[3]}
    told = {one[0] for one in events(trace, "record_acknowledged")}
    assert stored < told
    assert len(stored) > 1
