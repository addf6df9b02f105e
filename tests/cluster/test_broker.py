"""A broker: batches, long polls, one request of a connection at a time, and what a crash takes."""

import pytest

from simulator.cluster.broker_settings import NOT_MODELLED, BrokerSettings
from simulator.errors import BadInput
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.group_config import GroupConfig
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import batch_bytes
from simulator.protocol.settings import kafka_name
from simulator.scenario.faults import Crash, DiskLoss, Duplicate
from simulator.scenario.topology import Topic
from tests.clustered import (
    BROKER,
    CLIENT,
    ORDERS,
    Asking,
    ask,
    batch,
    events,
    fetch,
    ids_of,
    produce,
    run,
    sent_ms,
    times_ms,
)

ONE_RECORD = batch_bytes(batch("a"))


def now_ms(node):
    return node.now_us // 1_000


# --- Batches -------------------------------------------------------------------------------------


def test_a_batch_is_appended_then_its_fetches_are_woken_then_it_is_answered():
    def program(asking, node):
        other = Asking(node)
        waits = other(fetch(0))
        answer = yield asking(produce("a", "b"))
        assert answer.results == (m.PartitionProduced(ORDERS, Error.NONE, 0, 0),)
        assert ids_of((yield waits)) == [["a", "b"]]

    trace = ask(program)

    kinds = [
        event[0] if event[0] == "batch_appended" else event[4]
        for *_, event in trace.flat
        if event[0] == "batch_appended" or (event[0] == "message_sent" and event[2] == BROKER)
    ]
    assert kinds == ["batch_appended", "FetchResponse", "ProduceResponse"]


def test_the_partitions_of_one_request_succeed_or_fail_each_for_itself():
    """One is led here, one by another broker, one is of no topic."""

    def program(asking, node):
        wheres = (ORDERS, TopicPartition("orders", 1), TopicPartition("nothing", 0))
        body = m.ProduceRequest(-1, 30_000, tuple((where, batch("a")) for where in wheres))
        answer = yield asking(body)
        assert [(one.error.name, one.base_offset) for one in answer.results] == [
            ("NONE", 0),
            ("NOT_LEADER_OR_FOLLOWER", -1),
            ("UNKNOWN_TOPIC_OR_PARTITION", -1),
        ]

    ask(program, brokers=2, topics=[Topic("orders", 2)])


def test_a_refused_batch_is_an_event():
    def program(asking, node):
        yield asking(produce("a", sequence=0, producer_id=7, epoch=0))
        answer = yield asking(produce("c", sequence=2, producer_id=7, epoch=0))
        assert answer.results[0].error is Error.OUT_OF_ORDER_SEQUENCE_NUMBER

    trace = ask(program)

    refused = ("orders", 0, ("c",), "OUT_OF_ORDER_SEQUENCE_NUMBER")
    assert events(trace, "append_refused") == [refused]


def test_a_crash_after_the_append_leaves_the_batch_without_an_answer():
    """And its retry, if it is idempotent, is answered with the first offset; else it is doubled."""
    told = []

    def program(asking, node):
        given = {"sequence": 0, "producer_id": 7, "epoch": 0}
        for again in (given, {}):
            answer = None
            while answer is None:
                answer = yield asking(produce("a", **again))
                told.append(answer and answer.results[0].base_offset)

    crashes = [Crash(BROKER, "after_append", nth=nth, down_ms=10) for nth in (0, 2)]
    trace = ask(program, *crashes)

    assert told == [None, 0, None, 2]
    assert len(sent_ms(trace, "ProduceResponse", BROKER)) == 2, "the dead say nothing"
    assert [event[2] for event in events(trace, "batch_appended")] == [0, 1, 2]
    assert events(trace, "batch_deduplicated") == [("orders", 0, 0, ("a",))]


def test_a_process_crash_keeps_the_log_and_a_power_loss_only_what_was_flushed():
    ends = {}

    def program(mode):
        def steps(cluster, node, asking):
            yield asking(produce("a"))
            yield node.sleep(3_000_000)
            ends[mode] = cluster.partition("orders", 0).log_end_offset
            ends[mode, "disk"] = cluster.world.nodes[BROKER].disk.names()

        return steps

    for mode in ("process", "power", "disk"):
        run(program(mode), Crash(BROKER, at_ms=100, mode=mode), given={})

    assert (ends["process"], ends["power"], ends["disk"]) == (1, 0, 0)


def test_producer_ids_are_never_given_twice_over_restarts_lost_disks_and_brokers():
    given = []

    def program(asking, node):
        while node.now_us < 3_000_000:
            for number in range(3):
                answer = yield asking(m.InitProducerIdRequest(), f"broker-{number}")
                if answer is not None:
                    given.append(answer.producer_id)
            yield node.sleep(100_000)

    ask(
        program,
        Crash(BROKER, at_ms=500, down_ms=100),
        Crash("broker-1", at_ms=900, down_ms=100, mode="power"),
        DiskLoss("broker-2", at_ms=1_300, down_ms=100),
        brokers=3,
        given={"request_timeout_ms": 200},
    )

    assert len(given) > 60
    assert len(set(given)) == len(given)


def test_a_transactional_id_finds_its_coordinator():
    def program(asking, node):
        answer = yield asking(m.FindCoordinatorRequest("tx", "transaction"))
        assert answer == m.FindCoordinatorResponse(Error.NONE, BROKER)
        answer = yield asking(m.InitProducerIdRequest("tx"))
        assert answer == m.InitProducerIdResponse(Error.NONE, 0, 0)

    ask(program)


# --- One request of a connection at a time -------------------------------------------------------


def test_a_parked_fetch_holds_what_is_behind_it_on_its_connection_and_nothing_else():
    def program(asking, node):
        parked = asking(fetch(0, wait_ms=300))
        behind = asking(produce("behind"))
        elsewhere = Asking(node)
        yield elsewhere(m.MetadataRequest(None))
        assert now_ms(node) == 2
        assert ids_of((yield parked)) == [[]], "the batch behind it did not wake it"
        yield behind
        assert now_ms(node) == 302

    trace = ask(program)

    assert times_ms(trace, "batch_appended") == [301]


def test_a_parked_join_holds_what_is_behind_it_on_its_connection():
    def program(asking, node):
        first = yield asking(join())
        joined = asking(join(first.member_id))
        behind = asking(m.HeartbeatRequest("g", 1, first.member_id))
        answer = yield joined
        assert (answer.error, answer.generation) == (Error.NONE, 1)
        assert now_ms(node) == 504
        assert (yield behind).error is Error.NONE, "the generation had begun when it was handled"

    ask(program, broker={"group.initial.rebalance.delay.ms": 500})


def test_what_is_queued_behind_a_parked_request_is_handled_though_its_connection_was_closed():
    """After a disconnect the old requests may still be executed (SocketServer.scala)."""
    told = []

    def program(asking, node):
        asking.connections.request(BROKER, fetch(0, wait_ms=300), told.append)
        asking.connections.request(BROKER, produce("old"), told.append)
        yield node.sleep(10_000)
        asking.connections.disconnect(BROKER)
        yield asking(produce("new"))
        yield node.sleep(500_000)

    trace = ask(program)

    assert told == [None, None]
    assert [event[3] for event in events(trace, "batch_appended")] == [("new",), ("old",)]


# --- Long polls ----------------------------------------------------------------------------------


def polled(body, *later, **more):
    """When a fetch was answered (ms) and with what; `later`: (ms, request) by another client."""
    notes = []

    def program(asking, node):
        answer = asking(body)
        other = Asking(node)
        for at_ms, request in later:
            node.after(at_ms * 1_000, lambda _, request=request: other(request))
        found = yield answer
        notes.append((now_ms(node), found))

    more.setdefault("topics", [Topic("orders", max(1, len(body.partitions)))])
    ask(program, **more)
    ((when_ms, found),) = notes
    return when_ms, found


def test_a_fetch_without_records_is_answered_empty_when_its_time_is_up():
    when_ms, answer = polled(fetch(0, wait_ms=500))

    assert when_ms == 502
    assert answer.results == (m.PartitionFetched(ORDERS, Error.NONE, 0, 0, 0),)


def test_a_fetch_that_waits_for_nothing_is_answered_at_once():
    assert polled(fetch(0, wait_ms=0))[0] == 2
    assert polled(fetch(0, least=0))[0] == 2
    assert polled(fetch())[0] == 2


def test_an_append_wakes_a_fetch():
    when_ms, answer = polled(fetch(0), (100, produce("a")))

    assert when_ms == 102
    assert ids_of(answer) == [["a"]]


def test_a_fetch_waits_for_its_least_bytes_over_all_of_its_partitions():
    second = TopicPartition("orders", 1)
    when_ms, answer = polled(
        fetch(0, 0, least=2 * ONE_RECORD), (100, produce("a")), (200, produce("b", where=second))
    )

    assert when_ms == 202
    assert ids_of(answer) == [["a"], ["b"]]

    when_ms, answer = polled(
        fetch(0, 0, least=2 * ONE_RECORD + 1), (100, produce("a")), (200, produce("b"))
    )
    assert when_ms == 502
    assert ids_of(answer) == [["a", "b"], []], "in time, though it is too little"


def test_one_append_wakes_every_fetch_that_waits_for_it_and_each_once():
    answers = []

    def program(asking, node):
        clients = [Asking(node) for _ in range(3)]
        waiting = [client(fetch(0)) for client in clients]
        yield node.sleep(50_000)
        yield asking(produce("a"))
        for one in waiting:
            found = yield one
            answers.append((ids_of(found), now_ms(node)))
        yield node.sleep(1_000_000)

    trace = ask(program)

    assert answers == [([["a"]], 52)] * 3
    sent = [event[3] for event in events(trace, "message_sent") if event[1] == BROKER]
    assert sent.count("FetchResponse") == 3


@pytest.mark.parametrize("offset", [-1, 2])
def test_an_offset_out_of_range_is_said_at_once_and_leaves_other_partitions_alone(offset):
    def program(asking, node):
        yield asking(produce("a"))
        answer = yield asking(fetch(offset, 0))
        assert now_ms(node) == 4
        first, second = answer.results
        assert first.error is Error.OFFSET_OUT_OF_RANGE
        assert (second.error, second.batches) == (Error.NONE, ())

    ask(program, topics=[Topic("orders", 2)])


def test_the_end_of_the_log_is_in_range():
    def program(asking, node):
        yield asking(produce("a"))
        answer = yield asking(fetch(1, wait_ms=10))
        assert answer.results[0].error is Error.NONE
        assert now_ms(node) == 14

    ask(program)


def test_a_fetch_of_a_partition_that_is_led_elsewhere_or_nowhere_is_told_so_at_once():
    when_ms, answer = polled(fetch(0, 0, 0), brokers=2, topics=[Topic("orders", 2)])

    assert when_ms == 2
    assert [one.error.name for one in answer.results] == [
        "NONE",
        "NOT_LEADER_OR_FOLLOWER",
        "UNKNOWN_TOPIC_OR_PARTITION",
    ]
    _, answer = polled(fetch(0, topic="nothing"))
    assert answer.results[0].error is Error.UNKNOWN_TOPIC_OR_PARTITION


def test_one_fetch_reads_several_partitions_up_to_its_most_bytes():
    """At least one batch comes however small the limit is; partitions behind it wait their turn."""

    def program(asking, node):
        for number in range(3):
            where = TopicPartition("orders", number)
            for name in ("x", "y"):
                yield asking(produce(f"{name}{number}", where=where))
        everything = [["x0", "y0"], ["x1", "y1"], ["x2", "y2"]]
        assert ids_of((yield asking(fetch(0, 0, 0)))) == everything
        assert ids_of((yield asking(fetch(0, 1, 0)))) == [["x0", "y0"], ["y1"], ["x2", "y2"]]
        four = fetch(0, 0, 0, most=4 * ONE_RECORD)
        assert ids_of((yield asking(four))) == [["x0", "y0"], ["x1", "y1"], []]
        assert ids_of((yield asking(fetch(0, 0, 0, most=1)))) == [["x0"], [], []]
        assert ids_of((yield asking(fetch(0, 0, 0, each=1)))) == [["x0"], ["x1"], ["x2"]]

    ask(program, topics=[Topic("orders", 3)])


def test_the_most_bytes_of_a_fetch_hold_however_many_they_are():
    """Three megabytes are asked for, of four partitions with a megabyte each."""
    mega = "v" * 1_000_000

    def program(asking, node):
        for number in range(4):
            yield asking(produce(f"e{number}", where=TopicPartition("orders", number), value=mega))
        answer = yield asking(fetch(0, 0, 0, 0, most=2_500_000))
        assert ids_of(answer) == [["e0"], ["e1"], ["e2"], []]

    ask(program, topics=[Topic("orders", 4)])


def test_a_fetch_that_waits_dies_with_its_broker():
    notes = []

    def program(asking, node):
        notes.append((yield asking(fetch(0, wait_ms=2_000))))
        notes.append(now_ms(node))

    trace = ask(program, Crash(BROKER, at_ms=100, down_ms=100))

    assert notes == [None, 101]
    assert not [event for event in events(trace, "message_sent") if event[3] == "FetchResponse"]


# --- Where things are ----------------------------------------------------------------------------


def test_metadata_names_every_leader_and_what_is_unknown():
    def program(asking, node):
        answer = yield asking(m.MetadataRequest(("orders", "nothing")))
        assert answer.brokers == ("broker-0", "broker-1")
        orders, nothing = answer.topics
        assert [one.leader for one in orders.partitions] == ["broker-0", "broker-1", "broker-0"]
        assert orders.partitions[1].isr == ("broker-1",)
        assert (nothing.error, nothing.partitions) == (Error.UNKNOWN_TOPIC_OR_PARTITION, ())
        everything = yield asking(m.MetadataRequest(None), "broker-1")
        assert [one.topic for one in everything.topics] == ["orders", "payments"]

    ask(program, brokers=2, topics=[Topic("orders", 3), Topic("payments", 1)])


def test_offsets_are_listed_by_time_or_at_either_end():
    def program(asking, node):
        yield node.sleep(8_000)
        yield asking(produce("a"))
        yield node.sleep(8_000)
        yield asking(produce("b", "c"))
        wanted = [m.OffsetAsked(ORDERS, time) for time in (-2, -1, 10, 99)]
        elsewhere = m.OffsetAsked(TopicPartition("orders", 9), -1)
        answer = yield asking(m.ListOffsetsRequest((*wanted, elsewhere)))
        assert [(one.error.name, one.offset) for one in answer.results] == [
            ("NONE", 0),
            ("NONE", 3),
            ("NONE", 1),
            ("NONE", -1),
            ("UNKNOWN_TOPIC_OR_PARTITION", -1),
        ]

    ask(program)


# --- Settings ------------------------------------------------------------------------------------


def join(member_id="", group="g", session_ms=10_000):
    return m.JoinGroupRequest(group, session_ms, 60_000, member_id, (("range", None),))


def two_batches(asking, node):
    yield asking(produce("a", sequence=0, producer_id=7, epoch=0))
    yield asking(produce("b", sequence=1, producer_id=7, epoch=0))


def late_duplicate(asking, node):
    """The first batch arrives again, fifteen minutes later."""
    yield asking(produce("a", sequence=0, producer_id=7, epoch=0))
    yield node.sleep(1_000_000_000)


def two_members(asking, node):
    clients = [asking, Asking(node)]
    names = []
    for client in clients:
        answer = yield client(join())
        names.append(answer.member_id)
    waiting = [client(join(name)) for client, name in zip(clients, names, strict=True) if name]
    for one in waiting:  # noqa: UP028 - each is an event, and a list is no generator
        yield one


def long_session(asking, node):
    yield asking(join(session_ms=20_000))


def idle_group(asking, node):
    """Somebody commits from outside, and asks again two days later."""
    commit = m.OffsetCommitRequest("g", -1, "", (m.CommittedOffset(ORDERS, 5),))
    yield asking(commit)
    for _ in range(96):
        yield node.sleep(1_800_000_000)
        yield asking(m.OffsetFetchRequest("g", None))


SETTINGS = [
    ("message.max.bytes", 80, two_batches),
    ("producer.id.expiration.ms", 1_000, late_duplicate),
    ("group.initial.rebalance.delay.ms", 100, two_members),
    ("group.min.session.timeout.ms", 30_000, long_session),
    ("group.max.session.timeout.ms", 10_000, long_session),
    ("group.max.size", 1, two_members),
    ("offsets.retention.minutes", 60, idle_group),
    ("offsets.retention.check.interval.ms", 172_000_000, idle_group),
]
BESIDE = {"offsets.retention.check.interval.ms": {"offsets.retention.minutes": 60}}


def test_every_setting_of_groups_has_its_line_in_the_table():
    known = {name for name, *_ in SETTINGS} | {"group.coordinator.append.linger.ms"}
    assert {kafka_name(field) for field in GroupConfig.__attrs_attrs__} <= known


@pytest.mark.parametrize(("name", "value", "program"), SETTINGS, ids=[one[0] for one in SETTINGS])
def test_a_setting_changes_the_trace(name, value, program):
    duplicate = [Duplicate(CLIENT, BROKER, "ProduceRequest", later_ms=900_000)]
    faults = duplicate if program is late_duplicate else []

    beside = BESIDE.get(name, {})
    changed = ask(program, *faults, broker={**beside, name: value})
    assert changed.digest() != ask(program, *faults, broker=beside).digest()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("message.max.bytes", ONE_RECORD - 1, "MESSAGE_TOO_LARGE"),
        ("message.max.bytes", ONE_RECORD, "NONE"),
    ],
)
def test_a_batch_that_is_too_large_is_refused_with_kafkas_error(name, value, error):
    def program(asking, node):
        answer = yield asking(produce("a"))
        assert answer.results[0].error.name == error

    ask(program, broker={name: value})


def test_a_producer_that_was_idle_too_long_is_forgotten_and_its_doubled_batch_taken():
    duplicate = Duplicate(CLIENT, BROKER, "ProduceRequest", later_ms=900_000)
    known = ask(late_duplicate, duplicate)
    forgotten = ask(late_duplicate, duplicate, broker={"producer.id.expiration.ms": 60_000})

    assert (len(known.of("batch_appended")), len(known.of("batch_deduplicated"))) == (1, 1)
    assert (len(forgotten.of("batch_appended")), len(forgotten.of("batch_deduplicated"))) == (2, 0)


@pytest.mark.parametrize("name", NOT_MODELLED)
def test_every_other_setting_is_refused_by_name_with_the_reason(name):
    with pytest.raises(BadInput, match=f"{name} is not modelled: 1 .{NOT_MODELLED[name]}"):
        BrokerSettings.parse({name: 1})


def test_an_unknown_setting_is_refused_and_the_known_are_named():
    with pytest.raises(BadInput, match=r"unknown setting 'no.such.setting' .known: .*group.max.si"):
        BrokerSettings.parse({"no.such.setting": 1})
    with pytest.raises(BadInput, match="-1"):
        BrokerSettings.parse({"message.max.bytes": -1})
    with pytest.raises(BadInput, match=r"group.max.size must be a whole number from 1: 0"):
        ask(two_batches, broker={"group.max.size": 0})


def test_settings_that_are_not_given_are_kafkas():
    settings = BrokerSettings.parse({})

    assert settings.log.max_message_bytes == 1_048_588
    assert settings.log.producer_id_expiration_ms == 86_400_000
    assert settings.group.group_initial_rebalance_delay_ms == 3_000
