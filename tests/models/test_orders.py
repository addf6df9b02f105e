"""Orders: their events, their keys, their effects; and what each sink promises under one fault."""

import json

import pytest

from models.patterns.envelope import read_envelope
from models.systems.orders import (
    LEDGER,
    LIFE,
    SINKS,
    TOPIC,
    effect,
    idempotent,
    in_memory_set,
    life,
    orders_scenario,
    work,
)
from simulator import (
    AT_LEAST_ONCE,
    AT_MOST_ONCE,
    CHECKS,
    EXACTLY_ONCE,
    EXACTLY_ONCE_TRANSACTIONS,
    IN_MEMORY_SET,
    Add,
    BadInput,
    Consumers,
    Crash,
    Drop,
    FaultPlan,
    Scenario,
    Seeded,
    Serving,
    Status,
    Topic,
    Topology,
    WorkItem,
    simulate,
)

GUARANTEES = (AT_MOST_ONCE, AT_LEAST_ONCE, EXACTLY_ONCE, IN_MEMORY_SET)
POINTS = ("after_poll", "before_process", "after_process", "before_commit", "after_commit")
KEPT, BROKEN = Status.KEPT, Status.BROKEN

# --- The events ------------------------------------------------------------------------------


def test_an_order_is_created_then_paid_then_shipped():
    events = life(7)

    assert tuple(event.event_type for event in events) == LIFE
    assert [event.ts for event in events] == sorted(event.ts for event in events)
    assert {event.payload["order_id"] for event in events} == {"o-7"}


def test_events_have_ids_of_their_own():
    ids = [item.event_id for item in work(20)]

    assert len(set(ids)) == len(ids) == 60


def test_the_key_is_the_orders_id_and_the_value_its_envelope():
    for item in work(20):
        envelope = read_envelope(item.value)

        assert item.topic == TOPIC
        assert item.key == envelope.payload["order_id"]
        assert item.event_id == envelope.event_id


def test_lives_overlap_and_each_is_sent_in_its_order():
    items = work(20)
    orders = [item.key for item in items]

    assert [item.at_us for item in items] == sorted(item.at_us for item in items)
    assert orders != sorted(orders, key=lambda key: int(key[2:]))
    for key in dict.fromkeys(orders):
        types = [read_envelope(item.value).event_type for item in items if item.key == key]
        assert tuple(types) == LIFE


def test_work_can_begin_later():
    assert work(2, from_us=5_000_000)[0].at_us == work(2)[0].at_us + 5_000_000


# --- Their effects ---------------------------------------------------------------------------


def test_each_event_adds_to_a_table_of_its_own():
    created, paid, shipped = (effect(event.to_json()) for event in life(3))

    assert created == Add("orders", "o-3", 1)
    assert paid == Add("paid_cents", "o-3", 1_003)
    assert shipped == Add("parcels", "o-3", 1)


def test_an_event_of_another_domain_is_counted_by_its_type():
    envelope = json.loads(life(0)[0].to_json())
    other = json.dumps({**envelope, "event_type": "PermitGranted", "payload": {}})

    assert effect(other) == Add("events", "PermitGranted", 1)


@pytest.mark.parametrize(("step", "field"), [(0, "order_id"), (1, "order_id"), (1, "total_cents")])
def test_a_payload_without_what_its_effect_needs_is_refused_by_name(step, field):
    envelope = json.loads(life(0)[step].to_json())
    del envelope["payload"][field]

    with pytest.raises(BadInput, match=rf"{LIFE[step]}: payload\.{field} is missing"):
        effect(json.dumps(envelope))


def test_an_added_field_changes_no_effect():
    """A promo code in the payload: the consumer of before reads on."""
    envelope = json.loads(life(3)[1].to_json())
    envelope["payload"]["promo_code"] = "SPRING"

    assert effect(json.dumps(envelope)) == Add("paid_cents", "o-3", 1_003)


# --- The scenario ----------------------------------------------------------------------------


def test_a_sink_that_orders_have_not_is_refused():
    with pytest.raises(BadInput, match=r"no sink called 'transaction' .*naive"):
        orders_scenario(EXACTLY_ONCE_TRANSACTIONS)


def test_the_guarantee_chooses_the_sink():
    for guarantee in GUARANTEES:
        assert orders_scenario(guarantee).consumers.handler is SINKS[guarantee.sink]


def test_the_scenario_takes_what_a_scenario_takes():
    plan = FaultPlan((Crash("billing-0", "after_process"),))

    assert orders_scenario(faults=plan, instances=1).faults == plan
    assert orders_scenario(topology=Topology(topics=(Topic(TOPIC, 7),))).topology.topics[0] == (
        Topic(TOPIC, 7)
    )


# --- Promises --------------------------------------------------------------------------------


def judged(trace, *names):
    """How the checks came out; each must have had something to judge."""
    verdicts = [CHECKS[name](trace) for name in names]
    assert all(verdict.reached for verdict in verdicts)
    return [verdict.status for verdict in verdicts]


def struck(guarantee, *faults):
    """A run with one instance under planned faults, each of which did strike.

    Events come one by one, after the group has formed, so that a poll brings one of them.
    """
    items = work(4, every_us=100_000, from_us=8_000_000)
    scenario = orders_scenario(guarantee, items=items, instances=1, faults=FaultPlan(faults))
    trace = simulate(scenario)
    crashes = [fault for fault in faults if isinstance(fault, Crash)]
    assert len(trace.of("node_crashed")) == len(crashes)
    assert len(trace.of("message_dropped")) >= len(faults) - len(crashes)
    return trace


LOST, TWICE = "never_lost", "never_applied_twice"


@pytest.mark.parametrize("guarantee", GUARANTEES, ids=lambda one: one.name)
def test_without_faults_every_guarantee_keeps_everything(guarantee):
    """Even those that promise it of nothing but luck: a wrong twin needs a fault to show.

    There is one replica, nothing fails, and who commits first commits what is not processed.
    """
    trace = simulate(orders_scenario(guarantee, items=work(10)))

    left_out = {
        "never_committed_past_processed", "failed_is_never_read", "replicas_agree",
        "replicas_converge", "committed_is_kept", "one_leader_an_epoch",
        "high_watermark_never_falls", "share_records_in_one_state",
        "share_acknowledged_never_redelivered", "share_delivered_at_most_limit",
        "owners_write_in_turn", "aborted_is_never_read", "transactions_atomic",
        "transactions_end", "exactly_once_output", "end_offset_never_falls",
        "stable_offset_moves", "transactions_read_whole",
    }  # fmt: skip
    names = [name for name in CHECKS if name not in left_out]
    assert judged(trace, *names) == [KEPT] * len(names)


@pytest.mark.parametrize("guarantee", GUARANTEES, ids=lambda one: one.name)
def test_random_delays_alone_break_nothing(guarantee):
    trace = simulate(orders_scenario(guarantee, items=work(10)), Seeded(3))

    assert judged(trace, LOST, TWICE, "key_order") == [KEPT] * 3


def test_committing_first_loses_what_a_crash_finds_unprocessed():
    trace = struck(AT_MOST_ONCE, Crash("billing-0", "before_process", nth=1))

    assert judged(trace, LOST, TWICE) == [BROKEN, KEPT]


def test_the_naive_sink_applies_twice_what_a_crash_finds_uncommitted():
    trace = struck(AT_LEAST_ONCE, Crash("billing-0", "after_process"))

    assert judged(trace, LOST, TWICE) == [KEPT, BROKEN]


def test_the_set_in_memory_applies_twice_after_a_restart():
    """It died with the process, and the record comes again."""
    trace = struck(IN_MEMORY_SET, Crash("billing-0", "after_process"))

    assert judged(trace, LOST, TWICE) == [KEPT, BROKEN]
    assert len(trace.of("node_restarted")) == 1


@pytest.mark.parametrize("point", POINTS)
def test_the_mark_beside_the_effect_stands_a_crash_anywhere(point):
    trace = struck(EXACTLY_ONCE, Crash("billing-0", point))

    assert judged(trace, LOST, TWICE) == [KEPT, KEPT]


@pytest.mark.parametrize("point", POINTS)
def test_committing_after_processing_loses_nothing_by_a_crash_anywhere(point):
    trace = struck(AT_LEAST_ONCE, Crash("billing-0", point))

    assert judged(trace, LOST) == [KEPT]


@pytest.mark.parametrize("point", POINTS)
def test_committing_first_applies_nothing_twice_by_a_crash_anywhere(point):
    trace = struck(AT_MOST_ONCE, Crash("billing-0", point))

    assert judged(trace, TWICE) == [KEPT]


@pytest.mark.parametrize(
    ("guarantee", "twice"),
    [(AT_LEAST_ONCE, BROKEN), (IN_MEMORY_SET, BROKEN), (EXACTLY_ONCE, KEPT)],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_lost_answer_of_the_store_is_as_bad_as_a_crash(guarantee, twice):
    """The handler cannot know that it was applied, and tries again; only the mark knows."""
    trace = struck(guarantee, Drop(LEDGER, "billing-0", "TransactResponse"))

    assert judged(trace, LOST, TWICE) == [KEPT, twice]


@pytest.mark.parametrize("guarantee", [AT_LEAST_ONCE, EXACTLY_ONCE], ids=lambda one: one.name)
def test_a_lost_answer_of_the_broker_puts_no_event_twice_into_the_log(guarantee):
    """The producer sends again, and the broker knows the batch by its sequence."""
    trace = struck(guarantee, Drop("broker-0", "order-service", "ProduceResponse"))

    assert trace.of("batch_retried")
    assert judged(trace, LOST, TWICE, "never_delivered_twice") == [KEPT] * 3


# --- What the lecture asks for ---------------------------------------------------------------


def polled(trace):
    """(instance, partition, event id) of each record that a consumer was given."""
    return [(node, event[3], event[5]) for _, _, node, _, event in trace.of("record_polled")]


def test_a_consumer_gets_the_event_of_a_producer_once():
    """Run a producer, run a consumer: the event is there, and once."""
    trace = simulate(orders_scenario(EXACTLY_ONCE, items=work(1)[:1], instances=1))

    assert [event_id for _, _, event_id in polled(trace)] == ["o-0/OrderCreated"]
    assert [entry[4][1:4] for entry in trace.of("effect_applied")] == [("orders", "o-0", 1)]


def test_the_events_of_one_order_are_seen_in_their_order():
    """They have one key, so they lie in one partition; the other orders lie all over the topic."""
    trace = simulate(orders_scenario(items=work(30)), Seeded(7))

    seen: dict[str, list[str]] = {}
    places: dict[str, list[int]] = {}
    for _, partition, event_id in polled(trace):
        order, event_type = event_id.split("/")
        seen.setdefault(order, []).append(event_type)
        places.setdefault(order, []).append(partition)
    assert len(seen) == 30
    assert all(tuple(types) == LIFE for types in seen.values())
    assert all(len(set(where)) == 1 for where in places.values())
    assert {where[0] for where in places.values()} == {0, 1, 2}


def five_times(factory):
    """The same event, sent five times in a row by one producer, to a group of two."""
    created = life(42)[0]
    items = [
        WorkItem(number * 100_000, TOPIC, "o-42", created.to_json(), created.event_id)
        for number in range(5)
    ]

    def application(cluster):
        cluster.store(LEDGER)
        cluster.source("order-service", items, EXACTLY_ONCE.producer)
        serving = Serving(topics=(TOPIC,), settings={"auto.offset.reset": "earliest"})
        cluster.group("orders-group", 2, factory, serving)

    return Scenario(
        topology=Topology(topics=(Topic(TOPIC, 3),)),
        consumers=Consumers(instances=0),
        application=application,
    )


def test_an_event_sent_five_times_is_in_one_partition_and_applied_once():
    """By its key it goes to one partition, so to one instance; by its id it is applied once."""
    trace = simulate(five_times(idempotent))

    given = polled(trace)
    assert len(given) == 5
    assert len(set(given)) == 1
    assert [entry[4][1:4] for entry in trace.of("effect_applied")] == [("orders", "o-42", 1)]
    assert judged(trace, TWICE) == [KEPT]


def test_a_set_in_memory_excludes_duplicates_as_long_as_nothing_restarts():
    trace = simulate(five_times(in_memory_set))

    assert len(trace.of("effect_applied")) == 1


def test_the_naive_sink_applies_an_event_as_often_as_it_is_sent():
    trace = simulate(five_times(SINKS["naive"]))

    assert [entry[4][3] for entry in trace.of("effect_applied")] == [1, 2, 3, 4, 5]
    assert judged(trace, TWICE) == [BROKEN]
