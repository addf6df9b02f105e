"""An application that sends again is not helped by its producer's idempotence."""

from functools import partial

import pytest

from models.systems.orders import SINKS, TOPIC, work
from models.topics.load import Load
from models.topics.resending import resending
from simulator import (
    Drop,
    FaultPlan,
    Scenario,
    Serving,
    Status,
    Topic,
    Topology,
    never_applied_twice,
    never_lost,
    simulate,
)

SETTINGS = {"linger.ms": 0, "request.timeout.ms": 1_000, "delivery.timeout.ms": 5_000}
LOST_ANSWER = Drop("broker-0", "order-service", "ProduceResponse")
LOST_REQUESTS = tuple(Drop("order-service", "broker-0", "ProduceRequest", n) for n in range(40))


def deploy(cluster, patience_ms, attempts=5):
    cluster.store("ledger")
    resending(
        cluster, "order-service", work(1, 10_000, 8_000_000), SETTINGS,
        patience_ms=patience_ms, attempts=attempts,
    )  # fmt: skip
    serving = Serving(topics=(TOPIC,), settings={"auto.offset.reset": "earliest"})
    cluster.group("billing", 1, SINKS["naive"], serving)


def run(*faults, **how):
    load = Load()
    trace = simulate(
        Scenario(
            topology=Topology(topics=(Topic(TOPIC),)),
            faults=FaultPlan(faults),
            application=partial(deploy, **how),
        ),
        observers=load.observers(),
    )
    return trace, load


@pytest.mark.parametrize(("patience_ms", "twice"), [(None, 0), (5_000, 0), (500, 1)])
def test_an_idempotent_producer_stores_twice_what_is_handed_to_it_twice(patience_ms, twice):
    """The producer itself waits a second for the lost answer, and then finds its duplicate."""
    trace, load = run(LOST_ANSWER, patience_ms=patience_ms)

    assert (load.stored_twice[0] >= 1) == bool(twice)
    assert load.delivery.applied_twice == load.stored_twice[0]
    assert (never_applied_twice(trace).status is Status.BROKEN) == bool(twice)
    assert never_lost(trace)


@pytest.mark.parametrize("patience_ms", [None, 500, 20_000])
def test_it_gives_up_in_the_end(patience_ms):
    """Its producer's delivery.timeout.ms ends each attempt, whoever waits for it."""
    _, load = run(*LOST_REQUESTS, patience_ms=patience_ms, attempts=2)

    assert load.failed >= 3
    assert load.stored == {}


def test_nothing_is_sent_again_when_nothing_is_lost():
    trace, load = run(patience_ms=500)

    assert load.delivery.acknowledged == len(trace.of("record_sent")) == 3
