"""What a lecture on event-driven architecture asks to be shown, by the numbers of its list.

C1  a promo_code that old consumers ignore: test_promo_code.py
C2  events with one order id are seen in order: created, paid, shipped
C3  producer and consumer run: the consumer gets the event once
C4  an event that cannot be handled is a dead letter after the limit: test_retries.py
C5  a domain's events, and a read model of them that a rebuild equals: test_cqrs.py
C6  the same event is sent five times: a partition by its key, handled once in a group, duplicates
    excluded by idempotency
C7  an outbox and a consumer that lose nothing and double nothing: test_outbox.py
"""

from functools import partial

import pytest

from models.patterns.idempotency.inbox import (
    by_event_id,
    counted,
    in_memory,
    no_memory,
    one_transaction,
)
from models.systems.orders import TOPIC, life, naive, orders_scenario, work
from models.topics.order import aggregate_order
from simulator import (
    AT_LEAST_ONCE,
    Cluster,
    Consumers,
    Crash,
    FaultPlan,
    Scenario,
    Serving,
    Topic,
    Topology,
    WorkItem,
    constant,
    never_applied_twice,
    never_delivered_twice,
    never_lost,
    simulate,
)

FROM_US, APART_US = 8_000_000, 10_000
GROUP = "orders-group"


# --- C2 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instances", [1, 3])
def test_c2_the_events_of_one_order_are_seen_in_order(instances):
    """Three partitions, one order: its id is the key, so its events lie in one of them."""
    items = work(1, APART_US, FROM_US)
    trace = simulate(orders_scenario(items=items, instances=instances))
    seen = [entry[4][5] for entry in trace.of("processing_started")]
    places = {entry[4][2] for entry in trace.of("batch_appended")}

    assert seen == ["o-0/OrderCreated", "o-0/PaymentAuthorized", "o-0/OrderShipped"]
    assert len(places) == 1
    assert aggregate_order(trace)


def test_c2_many_orders_overlap_and_each_keeps_its_order():
    trace = simulate(orders_scenario(items=work(20, 1_000, FROM_US), instances=3))

    assert aggregate_order(trace)
    assert aggregate_order(trace).reached == 60


# --- C3 ------------------------------------------------------------------------------------------


def test_c3_the_consumer_gets_the_event_once():
    trace = simulate(orders_scenario(items=work(1, APART_US, FROM_US)[:1], instances=1))

    assert [entry[4][5] for entry in trace.of("record_polled")] == ["o-0/OrderCreated"]
    for check in (never_delivered_twice, never_applied_twice, never_lost):
        assert check(trace), check.name


def test_c3_a_consumer_without_a_commit_gets_it_again():
    """Once is what happens when nothing goes wrong; what is promised is at least once."""
    died = FaultPlan((Crash("billing-0", "after_process"),))
    items = work(1, APART_US, FROM_US)[:1]
    alone = Consumers(instances=1, handler=naive)
    trace = simulate(orders_scenario(AT_LEAST_ONCE, items=items, consumers=alone, faults=died))

    assert len(trace.of("record_polled")) == 2
    assert not never_applied_twice(trace)
    assert never_lost(trace)


# --- C6 ------------------------------------------------------------------------------------------

CREATED = life(42)[0]


def five_times(cluster: Cluster, handler, instances=3):
    """The producer is run five times in a row, and each time it sends the one event."""
    cluster.store("ledger")
    for run in range(5):
        at_us = FROM_US + run * 200_000
        item = WorkItem(at_us, TOPIC, "o-42", CREATED.to_json(), CREATED.event_id)
        cluster.source(f"run-{run}", [item], {"linger.ms": 0})
    serving = Serving(
        topics=(TOPIC,), settings={"auto.offset.reset": "earliest"}, processing=constant(5_000)
    )
    cluster.group(GROUP, instances, handler, serving)


def lecture(handler, *faults, instances=3):
    application = partial(five_times, handler=handler, instances=instances)
    topology = Topology(topics=(Topic(TOPIC, 3),))
    return simulate(
        Scenario(topology=topology, application=application, faults=FaultPlan(faults))
    )


def effects(trace):
    return [entry[4][2] for entry in trace.of("effect_applied")]


def test_c6_the_partition_follows_from_the_key():
    trace = lecture(no_memory(counted))

    assert len(trace.of("batch_appended")) == 5
    assert len({entry[4][2] for entry in trace.of("batch_appended")}) == 1


def test_c6_each_record_is_handled_by_one_instance_of_the_group():
    trace = lecture(no_memory(counted))
    workers = {entry[2] for entry in trace.of("processing_started")}

    assert len(trace.of("record_polled")) == 5
    assert len(workers) == 1


def test_c6_the_broker_knows_nothing_of_duplicates_and_each_has_its_effect():
    """Idempotence of a producer ends with its process: each run is another producer."""
    trace = lecture(no_memory(counted))

    assert effects(trace) == ["o-42"] * 5
    assert not never_applied_twice(trace)


def test_c6_duplicates_are_excluded_by_the_events_id():
    trace = lecture(one_transaction(counted, scope=GROUP, identity=by_event_id))

    assert effects(trace) == ["o-42"]
    assert never_applied_twice(trace)
    assert never_lost(trace)


def test_c6_a_set_in_memory_excludes_them_until_the_restart():
    """The lecture's own sink: right as long as the process lives."""
    assert effects(lecture(in_memory(counted))) == ["o-42"]

    died = Crash(f"{GROUP}-0", at_ms=8_500, down_ms=100)
    restarted = lecture(in_memory(counted), died, instances=1)
    assert effects(restarted) == ["o-42", "o-42"]
    assert effects(lecture(one_transaction(counted), died, instances=1)) == ["o-42"]


def test_c6_without_a_group_every_instance_handles_everything():
    def each_for_itself(cluster):
        cluster.store("ledger")
        item = WorkItem(FROM_US, TOPIC, "o-42", CREATED.to_json(), CREATED.event_id)
        cluster.source("run-0", [item], {"linger.ms": 0})
        serving = Serving(
            topics=(TOPIC,), settings={"auto.offset.reset": "earliest"}, group_ids="none",
            commit="none",
        )
        cluster.group(GROUP, 3, no_memory(counted), serving)

    topology = Topology(topics=(Topic(TOPIC, 3),))
    trace = simulate(Scenario(topology=topology, application=each_for_itself))

    assert effects(trace) == ["o-42"] * 3
