"""A producer in a world: what its application is told, what is traced, and what faults do."""

import attrs
import pytest

from simulator.chance import Seeded
from simulator.errors import BadInput, ProducerFailed
from simulator.protocol.producer_settings import ProducerSettings
from simulator.protocol.settings import kafka_name
from simulator.scenario.faults import Crash, Drop, FaultPlan
from simulator.scenario.scenario import Scenario
from simulator.scenario.topology import Topic, Topology
from simulator.scenario.workload import WorkItem
from simulator.study.simulate import simulate

CLIENT = "app"


def records(count, *, every_us=1_000, key="k", value="v", topic="orders"):
    return [
        WorkItem(number * every_us, topic, key, value, f"e{number}") for number in range(count)
    ]


def run(items, given=None, *faults, partitions=1, chooser=None, program=None):
    """The trace of one producer that hands `items` over, or runs `program(cluster, node)`."""

    def application(cluster):
        cluster.source(CLIENT, items, given or {})
        if program is not None:
            cluster.node("program", lambda node: node.start(program(cluster, node)))

    scenario = Scenario(
        topology=Topology(topics=(Topic("orders", partitions),)),
        application=application,
        faults=FaultPlan(faults),
        horizon_ms=300_000,
    )
    return simulate(scenario, chooser)


def events(trace, *kinds):
    return [entry[4] for entry in trace.of(*kinds)]


def times(trace, kind):
    return [entry[1] for entry in trace.of(kind)]


def sent(trace, api):
    """When messages of one kind were sent by the client."""
    return [
        entry[1] for entry in trace.of("message_sent") if entry[4][4] == api and entry[2] == CLIENT
    ]


def appended(trace):
    return [one for event in events(trace, "batch_appended") for one in event[4]]


# --- What an application is told -----------------------------------------------------------------


def test_a_send_succeeds_with_where_the_record_lies():
    told = []

    def program(cluster, node):
        producer = cluster.producer(node)
        first = yield producer.send("orders", "v", "k", event_id="one")
        second = yield producer.send("orders", b"v", b"k", partition=1)
        told.extend([first, second, producer.pending])

    trace = run([], partitions=2, program=program)

    assert told == [("orders", told[0].partition, 0), ("orders", 1, told[1].offset), 0]
    ids = [event[1] for event in events(trace, "record_acknowledged")]
    assert ids == ["one", "program-0"]


def test_it_can_be_awaited():
    told = []

    async def program(cluster, node):
        told.append(await cluster.producer(node).send("orders", "v", "k"))

    run([], program=program)

    assert told == [("orders", 0, 0)]


def test_a_send_that_is_given_up_fails_and_says_whether_it_may_have_been_written():
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, {"max.block.ms": 100})
        try:
            yield producer.send("nowhere", "v")
        except ProducerFailed as failed:
            told.append((node.now_us, str(failed), failed.definite))

    trace = run([], program=program)

    at_us, text, definite = told[0]
    assert at_us == 100_000
    assert text == "REQUEST_TIMED_OUT: topic nowhere is not in the metadata after 100 ms"
    assert definite
    assert events(trace, "record_failed") == [
        ("record_failed", "program-0", "nowhere", "REQUEST_TIMED_OUT", True)
    ]


def test_a_failure_that_nobody_waits_for_does_not_end_the_run():
    trace = run(records(2, topic="nowhere"), {"max.block.ms": 100})

    assert len(events(trace, "record_failed")) == 2
    assert events(trace, "run_ended") == [("run_ended", "quiet")]


def test_flush_waits_and_hastens_and_close_takes_no_more():
    told = []

    def program(cluster, node):
        producer = cluster.producer(node, {"linger.ms": 10_000})
        send = producer.send("orders", "v", "k")
        yield producer.flush()
        told.append((node.now_us, send.value.offset))
        send = producer.send("orders", "v", "k")
        yield producer.close()
        told.append((node.now_us, send.value.offset))
        with pytest.raises(BadInput, match="the producer is closed"):
            producer.send("orders", "v", "k")

    run([], program=program)

    assert told == [(4_000, 0), (6_000, 1)]


def test_a_close_with_a_timeout_gives_up_what_has_not_ended():
    told = []

    def program(cluster, node):
        producer = cluster.producer(node)
        sending = producer.send("nowhere", "v")
        yield producer.close(timeout_ms=50)
        told.append((node.now_us, sending.ok))

    trace = run([], program=program)

    assert told == [(50_000, False)]
    assert events(trace, "record_failed")[0][3] == "PRODUCER_CLOSED"


def test_ids_go_on_over_a_crash():
    crash = Crash("program", at_ms=20, down_ms=10)

    def program(cluster, node):
        yield cluster.producer(node, {"linger.ms": 0}).send("orders", "v", "k")
        yield node.sleep(50_000)

    trace = run(records(1, every_us=1), None, crash, program=program)

    ids = [event[1] for event in events(trace, "record_sent") if event[1].startswith("program")]
    assert ids == ["program-0", "program-1"]


def test_a_crash_forgets_what_was_not_acknowledged_and_nobody_is_told():
    def program(cluster, node):
        producer = cluster.producer(node, {"linger.ms": 100})
        if node.incarnation == 0:
            try:
                yield producer.send("orders", "v", "k", event_id="lost")
            finally:
                node.record(("noted", "never", ""))
        yield producer.send("orders", "v", "k", event_id="kept")

    trace = run(records(1), None, Crash("program", at_ms=50, down_ms=10), program=program)

    told = [event[1] for event in events(trace, "record_acknowledged", "record_failed")]
    assert "kept" in told
    assert "lost" not in told
    assert events(trace, "noted") == []


@pytest.mark.parametrize("wrong", [-1, -7])
def test_a_negative_partition_is_refused_with_its_value(wrong):
    def program(cluster, node):
        cluster.producer(node).send("orders", "v", partition=wrong)
        yield node.sleep(1)

    with pytest.raises(BadInput, match=str(wrong)):
        run([], program=program)


def test_silent_changes_of_settings_are_told():
    trace = run(records(1), {"acks": 1})

    assert any("idempotence is switched off" in event[1] for event in events(trace, "warned"))


# --- A request is lost, an answer is lost ------------------------------------------------------


def test_a_lost_produce_request_is_sent_again_after_its_timeout_and_written_once():
    trace = run(records(1), None, Drop(CLIENT, "broker-0", "ProduceRequest"))

    first, second = sent(trace, "ProduceRequest")
    assert second - first >= 30_000_000 + 80_000  # request.timeout.ms and a backoff
    assert appended(trace) == ["e0"]
    assert [event[1:5] for event in events(trace, "batch_retried")] == [
        ("orders", 0, ("e0",), 1)
    ]
    assert len(events(trace, "record_acknowledged")) == 1


def test_a_lost_produce_answer_makes_a_retry_that_the_broker_recognizes():
    trace = run(records(1), None, Drop("broker-0", CLIENT, "ProduceResponse"))

    assert appended(trace) == ["e0"]
    assert len(events(trace, "batch_deduplicated")) == 1
    assert events(trace, "record_acknowledged") == [("record_acknowledged", "e0", "orders", 0, 0)]


def test_without_idempotence_a_lost_produce_answer_makes_a_duplicate():
    settings = {"enable.idempotence": False}
    trace = run(records(1), settings, Drop("broker-0", CLIENT, "ProduceResponse"))

    assert appended(trace) == ["e0", "e0"]
    assert len(events(trace, "record_acknowledged")) == 1


@pytest.mark.parametrize(
    "fault",
    [Drop(CLIENT, "broker-0", "MetadataRequest"), Drop("broker-0", CLIENT, "MetadataResponse")],
    ids=["request", "answer"],
)
def test_lost_metadata_are_asked_for_again_while_the_records_wait(fault):
    trace = run(records(2), None, fault)

    first, second = sent(trace, "MetadataRequest")
    assert second - first >= 30_000_000
    assert appended(trace) == ["e0", "e1"]
    assert len(events(trace, "record_acknowledged")) == 2


@pytest.mark.parametrize(
    ("fault", "ids"),
    [
        (Drop(CLIENT, "broker-0", "InitProducerIdRequest"), {0}),
        (Drop("broker-0", CLIENT, "InitProducerIdResponse"), {1}),
    ],
    ids=["request", "answer"],
)
def test_a_lost_producer_id_is_asked_for_again_and_nothing_is_sent_before(fault, ids):
    """The id of a lost answer is never used: ids are plenty."""
    trace = run(records(2), None, fault)

    asked = sent(trace, "InitProducerIdRequest")
    assert len(asked) == 2
    assert min(sent(trace, "ProduceRequest")) > asked[1]
    assert {event[5] for event in events(trace, "batch_appended")} == ids
    assert appended(trace) == ["e0", "e1"]


def test_a_broker_that_is_down_is_waited_for():
    """Its process is gone, so the connection is refused at once: no timeout is needed."""
    trace = run(records(30), None, Crash("broker-0", at_ms=5, down_ms=2_000))

    assert sorted(appended(trace)) == sorted(f"e{number}" for number in range(30))
    assert len(events(trace, "record_acknowledged")) == 30
    assert max(times(trace, "record_acknowledged")) < 5_000_000


# --- Partitioners ------------------------------------------------------------------------------


def partitions_of(trace):
    """Where each event was appended."""
    return {
        event_id: event[2] for event in events(trace, "batch_appended") for event_id in event[4]
    }


def test_round_robin_takes_turns():
    trace = run(records(4), {"partitioner.class": "RoundRobinPartitioner"}, partitions=3)

    assert partitions_of(trace) == {"e0": 0, "e1": 1, "e2": 2, "e3": 0}


def test_random_takes_any_partition_whatever_the_key():
    trace = run(
        records(30), {"partitioner.class": "random"}, partitions=3, chooser=Seeded(1)
    )

    assert set(partitions_of(trace).values()) == {0, 1, 2}


def test_a_function_of_ones_own_is_a_partitioner():
    def by_value(topic, key, value, partitions):
        return len(value) % partitions

    trace = run(records(2, value="vvv"), {"partitioner.class": by_value}, partitions=2)

    assert partitions_of(trace) == {"e0": 1, "e1": 1}


def test_a_partitioner_that_names_no_partition_ends_the_run_and_says_why():
    with pytest.raises(BadInput, match="gave for the key 'k' no partition of orders: 7"):
        run(records(1), {"partitioner.class": lambda *_: 7}, partitions=2)


def test_a_warning_is_told_once_in_each_incarnation():
    trace = run(records(3), {"retries": 0}, Crash(CLIENT, at_ms=2, down_ms=10))

    told = [entry for entry in trace.of("warned") if "idempotence" in entry[4][1]]
    assert len(told) == 2
    assert {entry[2] for entry in told} == {CLIENT}


# --- Every setting changes the trace -----------------------------------------------------------

LOST = Drop("broker-0", CLIENT, "ProduceResponse")
LOST_TWICE = (LOST, Drop("broker-0", CLIENT, "ProduceResponse", nth=1))
DOWN = Crash("broker-0", at_ms=5, down_ms=3_000)

# For each setting: another value, and a run in which it matters.
MATTERS = {
    "acks": ("1", {"items": records(1)}),
    "enable.idempotence": (False, {"items": records(1), "faults": (LOST,)}),
    "retries": (1, {"items": records(1), "faults": LOST_TWICE}),
    "max.in.flight.requests.per.connection": (
        1, {"items": records(20, every_us=300), "base": {"linger.ms": 0}}
    ),
    "linger.ms": (50, {"items": records(10)}),
    "batch.size": (100, {"items": records(10)}),
    "buffer.memory": (40_000, {"items": records(10, value="v" * 9_000, every_us=100)}),
    "max.request.size": (100, {"items": records(2, value="v" * 200)}),
    "delivery.timeout.ms": (20_000, {
        "items": records(1), "faults": LOST_TWICE, "base": {"request.timeout.ms": 15_000},
    }),
    "request.timeout.ms": (1_000, {"items": records(1), "faults": (LOST,)}),
    "retry.backoff.ms": (500, {"items": records(1), "faults": (LOST,)}),
    "retry.backoff.max.ms": (120, {"items": records(30, every_us=100_000, topic="nowhere")}),
    "max.block.ms": (500, {"items": records(1, topic="nowhere")}),
    "metadata.max.age.ms": (1_000, {"items": records(5, every_us=1_000_000)}),
    "reconnect.backoff.ms": (900, {"items": records(20), "faults": (DOWN,)}),
    "reconnect.backoff.max.ms": (60, {"items": records(20), "faults": (DOWN,)}),
    "partitioner.ignore.keys": (True, {"items": records(5, key="billing"), "partitions": 4}),
    "partitioner.adaptive.partitioning.enable": (
        False,
        {
            "items": records(40, key=None, value="v" * 90, every_us=10),
            "partitions": 4,
            "base": {"batch.size": 400, "linger.ms": 200},
            "chooser": 3,
        },
    ),
    "partitioner.availability.timeout.ms": (
        50,
        {
            "items": records(200, key=None, value="v" * 300, every_us=5_000),
            "faults": (Drop("broker-0", CLIENT, "ProduceResponse", nth=100),),
            "partitions": 4,
            "base": {
                "batch.size": 400, "linger.ms": 0, "max.in.flight.requests.per.connection": 2,
            },
            "chooser": 3,
        },
    ),
    "partitioner.class": (
        "RoundRobinPartitioner", {"items": records(5, key="billing"), "partitions": 4}
    ),
}


# With these records are sent inside transactions only: see test_transactional_producer.
TRANSACTIONAL = {"transactional.id", "transaction.timeout.ms"}


def test_every_setting_is_in_the_table():
    every = {kafka_name(field) for field in attrs.fields(ProducerSettings)}
    assert set(MATTERS) == every - TRANSACTIONAL


@pytest.mark.parametrize("name", list(MATTERS))
def test_an_accepted_setting_changes_the_trace(name):
    value, how = MATTERS[name]
    how = dict(how)
    items, faults = how.pop("items"), how.pop("faults", ())
    base, chooser = how.pop("base", {}), how.pop("chooser", None)
    digests = []
    for given in (base, {**base, name: value}):
        seeded = None if chooser is None else Seeded(chooser)
        trace = run(items, given, *faults, chooser=seeded, **how)
        digests.append([entry for entry in trace.flat if entry[4][0] != "warned"])

    assert digests[0] != digests[1]
