"""A cluster: what a model adds to it, what it refuses, and several brokers of which one falls."""

import pytest

from simulator.chance import Seeded, uniform
from simulator.checks.delivery import never_applied_twice, never_lost
from simulator.checks.progress import drained
from simulator.cluster.serving import Serving
from simulator.errors import BadInput, EventBudgetExceeded
from simulator.protocol.store import Add
from simulator.scenario.faults import Crash, FaultPlan
from simulator.scenario.guarantee import AT_LEAST_ONCE, EXACTLY_ONCE
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.topology import Link, Topic, Topology
from simulator.scenario.workload import WorkItem, Workload, steady
from simulator.study.simulate import simulate
from simulator.world import kernel
from tests.clustered import CLIENT, events, run, times_ms


def noop(context):
    return lambda record: None


# --- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deploy", "said"),
    [
        (lambda cluster: cluster.topic("orders"), "there are two topics called 'orders'"),
        (lambda cluster: cluster.topic("no", 0), "must be a whole number from 1.* 0"),
        (lambda cluster: cluster.store("broker-0"), "two nodes are called 'broker-0'"),
        (
            lambda cluster: (cluster.store("ledger"), cluster.store("ledger")),
            "two nodes are called 'ledger'",
        ),
        (lambda cluster: cluster.node("broker-0", print), "two nodes are called 'broker-0'"),
        (
            lambda cluster: (
                cluster.driver(CLIENT, print)
                and cluster.group(CLIENT[:-1], 1, noop, Serving(("orders",)))
                and cluster.source(CLIENT, [], {})
            ),
            "two nodes are called 'client'",
        ),
        (
            lambda cluster: [cluster.group("g", 2, noop, Serving(("orders",))) for _ in range(2)],
            "two nodes are called 'g-0'",
        ),
        (
            lambda cluster: cluster.group("g", 1, noop, Serving(("oders",))),
            "g: there is no topic called 'oders' .known: orders",
        ),
        (lambda cluster: cluster.store_node("ledger"), "no store called 'ledger' .known: none"),
        (
            lambda cluster: cluster.group("g", 1, noop, Serving(("orders",), {"gruop.id": 1})),
            "gruop.id",
        ),
        (lambda cluster: cluster.source("s", [], {"ack": 1}), "unknown setting 'ack'"),
    ],
)
def test_names_that_clash_or_are_not_there_are_refused(deploy, said):
    with pytest.raises(BadInput, match=said):
        run(None, deploy=deploy)


@pytest.mark.parametrize(
    "late",
    [
        lambda cluster: cluster.topic("late"),
        lambda cluster: cluster.store("late"),
        lambda cluster: cluster.node("late", print),
    ],
)
def test_what_is_added_in_the_middle_of_a_run_is_refused(late):
    """It would never boot."""

    def program(cluster, node):
        yield node.sleep(1_000)
        late(cluster)

    with pytest.raises(BadInput, match="comes too late, the run has begun: 'late'"):
        run(program)


# --- What is added -------------------------------------------------------------------------------


def test_an_added_topic_is_as_one_of_the_topology():
    told = []

    def program(cluster, node):
        producer = cluster.producer(node)
        told.append((yield producer.send("extra", "v", "k", partition=2)))
        told.append(cluster.partition("extra", 2).log_end_offset)

    run(program, brokers=2, deploy=lambda cluster: cluster.topic("extra", 3))

    assert told == [("extra", 2, 0), 1]


def test_a_model_needs_no_topic_of_the_scenario():
    """The workload that nobody deploys is not asked for its topic."""
    run(None, topics=["payments"])
    run(None, topics=[], deploy=lambda cluster: cluster.topic("mine"))


def test_a_driver_keeps_the_run_alive_until_it_has_ended():
    def program(cluster, node):
        yield node.sleep(90_000_000)

    trace = run(program)

    assert times_ms(trace, "workload_ended") == [90_000]
    assert times_ms(trace, "run_ended")[0] > 90_000


def test_a_driver_may_be_an_async_def():
    async def program(cluster, node):
        await node.sleep(7_000)
        await cluster.producer(node).send("orders", "v")

    trace = run(program)

    assert len(events(trace, "record_acknowledged")) == 1


def test_a_driver_that_never_lets_time_pass_is_ended_with_a_named_error(monkeypatch):
    """A poll that waits for nothing has happened already: no event comes between."""
    monkeypatch.setattr(kernel, "MOST_TURNS", 1_000)

    def program(cluster, node):
        consumer = cluster.consumer(node)
        consumer.assign([("orders", 0)])
        while True:
            yield consumer.poll(0)

    with pytest.raises(EventBudgetExceeded, match="client/driver went on 1000 times at 0 us"):
        run(program)


def test_a_driver_that_crashes_is_started_again_and_ends_the_load_once():
    lives = []

    def program(cluster, node):
        lives.append((node.incarnation, node.now_us // 1_000))
        yield node.sleep(5_000_000 if node.incarnation < 2 else 1_000)

    crashes = [Crash(CLIENT, at_ms=1_000, down_ms=500), Crash(CLIENT, at_ms=6_800, down_ms=100)]
    trace = run(program, *crashes)

    assert lives == [(0, 0), (1, 1_500), (2, 6_900)]
    assert times_ms(trace, "workload_ended") == [6_500]
    assert events(trace, "run_ended") == [("quiet",)]


def test_what_a_driver_raises_ends_the_run_as_the_same_object():
    error = KeyError("mine")

    def program(cluster, node):
        yield node.sleep(1)
        raise error

    with pytest.raises(KeyError) as raised:
        run(program)

    assert raised.value is error


def test_a_node_of_the_models_own_is_not_waited_for_but_while_it_is_down():
    boots = []

    def deploy(cluster):
        cluster.node("mine", lambda node: boots.append(node.incarnation))

    trace = run(None, Crash("mine", at_ms=100, down_ms=60_000), deploy=deploy)

    assert boots == [0, 1]
    assert times_ms(trace, "run_ended")[0] > 60_000


def test_a_group_without_instances_is_no_reason_to_wait():
    trace = run(None, deploy=lambda cluster: (
        cluster.source("writer", [WorkItem(0, "orders", None, "v", "e0")], {}),
        cluster.group("g", 0, noop, Serving(("orders",))),
    ))  # fmt: skip

    assert events(trace, "run_ended") == [("quiet",)]


# --- Several brokers -----------------------------------------------------------------------------


def spread(*faults, guarantee=EXACTLY_ONCE, records=120, **more):
    """Three brokers, nine partitions, three instances, a record every 20 ms.

    The group `billing` is coordinated by broker-0.
    """
    return Scenario(
        guarantee=guarantee,
        topology=Topology(3, (Topic("orders", 9),), (Link(latency=uniform(500, 3_000)),)),
        workload=Workload(events=records, arrivals=steady(50)),
        consumers=Consumers(instances=3),
        faults=FaultPlan(faults),
        broker={"group.initial.rebalance.delay.ms": 100},
        **more,
    )


def test_a_topic_of_many_partitions_is_written_to_and_read_from_all_of_its_brokers():
    trace = simulate(spread(), Seeded(1))

    appends = {entry[2]: set() for entry in trace.of("batch_appended")}
    for entry in trace.of("batch_appended"):
        appends[entry[2]].add(entry[4][2])
    assert sorted(appends) == ["broker-0", "broker-1", "broker-2"]
    for number in range(3):
        assert appends[f"broker-{number}"] <= {number, number + 3, number + 6}
    assert {entry[2] for entry in trace.of("offset_committed")} == {"broker-0"}
    owned = [event[2] for event in events(trace, "partitions_assigned")][-3:]
    assert sorted(len(partitions) for partitions in owned) == [3, 3, 3]


@pytest.mark.parametrize("broker", ["broker-0", "broker-1", "broker-2"])
@pytest.mark.parametrize("seed", [5, 6])
def test_the_crash_of_one_broker_delays_its_partitions_and_loses_nothing(broker, seed):
    """A process crash keeps the disk: the coordinator's, and any leader's."""
    trace = simulate(spread(Crash(broker, at_ms=900, down_ms=2_500)), Seeded(seed))

    for check in (never_lost, never_applied_twice, drained):
        assert check(trace), check(trace).explain(trace)
    applied = [entry[1] for entry in trace.of("effect_applied")]
    assert len(applied) == 120
    during = [at_us for at_us in applied if 1_000_000 < at_us < 3_400_000]
    if broker != "broker-0":  # Without their coordinator all wait for their next commit.
        assert len(during) > 20, "the other two brokers' partitions go on"


@pytest.mark.parametrize("mode", ["process", "power"])
def test_only_a_power_loss_loses_what_was_acknowledged_and_it_is_stated(mode):
    """At replication 1 acks=all is one page cache: a lost disk is outside of what is promised."""
    away = [Crash(f"billing-{number}", at_ms=1, down_ms=3_000) for number in range(3)]
    scenario = spread(
        *away, Crash("broker-1", at_ms=1_500, mode=mode), guarantee=AT_LEAST_ONCE, records=30
    )
    trace = simulate(scenario, Seeded(4))
    verdict = never_lost(trace)

    there = [entry[4][4] for entry in trace.of("batch_appended") if entry[2] == "broker-1"]
    lost = sum(map(len, there)) if mode == "power" else 0
    assert verdict.cases == lost
    assert events(trace, "run_ended") == [("quiet",)]
    stands = set(scenario.faults.fault_classes) <= set(AT_LEAST_ONCE.fault_classes)
    assert stands == (mode == "process"), "what is promised, is kept"
    if lost:
        assert "was acknowledged (orders-" in verdict.explain(trace)


@pytest.mark.parametrize("mode", ["process", "power"])
def test_only_a_power_loss_takes_what_an_idle_partition_was_given(mode):
    """Written, acknowledged, then the leader falls, then somebody reads."""
    read = []

    def program(cluster, node):
        producer = cluster.producer(node, {"linger.ms": 0})
        for number in range(9):
            yield producer.send("orders", "v", event_id=f"e{number}", partition=number)
        yield node.sleep(3_000_000)
        consumer = cluster.consumer(node, {"auto.offset.reset": "earliest"})
        consumer.assign([("orders", number) for number in range(9)])
        while node.now_us < 10_000_000:
            read.extend((yield consumer.poll(1_000)))

    run(
        program,
        Crash("broker-1", at_ms=1_000, mode=mode),
        brokers=3,
        topics=[Topic("orders", 9)],
    )

    gone = {1, 4, 7} if mode == "power" else set()
    assert sorted(record.partition for record in read) == sorted({*range(9)} - gone)


def test_clients_find_their_way_when_every_broker_falls_in_turn():
    crashes = [Crash(f"broker-{number}", at_ms=500 + 700 * number, down_ms=600)
               for number in range(3)]  # fmt: skip
    trace = simulate(spread(*crashes), Seeded(2))

    assert never_lost(trace)
    assert never_applied_twice(trace)
    assert len(events(trace, "effect_applied")) == 120


def test_a_model_chains_services_over_topics_and_brokers():
    """orders are handled into payments, and payments into the ledger, under crashes of both."""

    def pay(context):
        def handle(record):
            yield context.send(
                "payments", record.value, record.key, event_id=f"p-{record.event_id}"
            )

        return handle

    def book(context):
        def handle(record):
            yield context.store("ledger").transact(Add("ledger", record.key, 1))

        return handle

    def deploy(cluster):
        cluster.topic("payments", 3)
        cluster.store("ledger")
        stream = [
            WorkItem(number * 20_000, "orders", f"k{number % 4}", "v", f"e{number}")
            for number in range(40)
        ]
        cluster.source("shop", stream, {})
        earliest = {"auto.offset.reset": "earliest"}
        cluster.group("pay", 2, pay, Serving(("orders",), earliest, producer={"linger.ms": 1}))
        cluster.group("book", 2, book, Serving(("payments",), earliest))

    trace = run(
        None,
        Crash("pay-0", "after_process", nth=3, down_ms=500),
        Crash("book-1", at_ms=1_500, down_ms=300),
        brokers=3,
        topics=[Topic("orders", 3)],
        deploy=deploy,
    )

    assert events(trace, "run_ended") == [("quiet",)]
    booked = {event[3] for event in events(trace, "effect_applied")}
    assert booked == {f"p-e{number}" for number in range(40)}
