"""A broker's housekeeping: what it deletes, cleans, flushes and forgets, and what readers see."""

from itertools import pairwise

import pytest

from simulator.chance import Replay, Seeded
from simulator.cluster.housekeeping import Housekeeping
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch, Record, batch_bytes
from simulator.scenario.faults import Crash, Skew
from simulator.scenario.topology import Topic
from tests.clustered import BROKER, ORDERS, events, fetch, ids_of, run, times_ms

DAY_MS = 86_400_000
ALONE = {"segment.bytes": 100}  # Each batch of one record gets a segment of its own.
SIZE = batch_bytes(Batch((Record(None, "v", ""),)))
OFTEN = {"log.initial.task.delay.ms": 0, "log.retention.check.interval.ms": 10_000}


def orders(**settings):
    """The topic orders, with settings by their fields' names."""
    return [Topic("orders", 1, settings={**ALONE, **settings})]


def named(event_id, key=None, value="v", at_ms=-1):
    at_us = at_ms * 1_000 if at_ms >= 0 else -1
    return Batch((Record(key, value, event_id, at_us),))


def produce(asking, *batches, acks=-1):
    """Each batch in a request of its own."""
    for one in batches:
        yield asking(m.ProduceRequest(acks, 30_000, ((ORDERS, one),)))


def log_of(cluster):
    return cluster.partition("orders", 0).log


def kept_ids(cluster):
    """The ids of all records that still lie in the log, with their offsets."""
    return [
        (offset, record.event_id)
        for batch in log_of(cluster).journal.facts
        for offset, record in enumerate(batch.records, batch.base_offset)
        if record is not None
    ]


def seconds(node, count):
    return node.sleep(int(count * 1_000_000))


# --- Deleting ------------------------------------------------------------------------------------


def test_old_segments_are_deleted_and_a_reader_that_slept_begins_where_the_log_does():
    def program(cluster, node, asking):
        consumer = cluster.consumer(node, {"auto.offset.reset": "earliest"})
        consumer.assign([("orders", 0)])
        yield from produce(asking, named("a"), named("b"), named("c"))
        first = yield consumer.poll(1_000)
        yield seconds(node, 100)
        yield from produce(asking, named("d"))
        told = yield asking(fetch(1))
        assert told.results[0].error is Error.OFFSET_OUT_OF_RANGE
        assert told.results[0].log_start_offset == 3
        consumer.seek(("orders", 0), first[0].offset + 1)
        again = yield consumer.poll(10_000)
        assert [one.event_id for one in again] == ["d"]

    trace = run(program, topics=orders(**{"retention.ms": 60_000}), broker=OFTEN, given={})

    assert events(trace, "log_start_moved") == [("orders", 0, 3, "retention.ms")]
    assert times_ms(trace, "log_start_moved") == [70_000]
    assert events(trace, "position_reset")[-1] == ("", "orders", 0, 3, "earliest")


def test_a_log_that_is_too_large_loses_its_oldest_segments():
    def program(cluster, node, asking):
        yield from produce(asking, *(named(one) for one in "abcde"))
        yield seconds(node, 10)
        assert kept_ids(cluster) == [(3, "d"), (4, "e")]

    trace = run(program, topics=orders(**{"retention.bytes": 160}), broker=OFTEN, given={})

    assert events(trace, "log_start_moved") == [("orders", 0, 3, "retention.bytes")]


def test_two_rules_may_delete_at_once_and_each_is_told():
    """Size goes first: it takes a, so that 3 * 83 bytes are left; age takes b and c."""

    def program(cluster, node, asking):
        yield from produce(asking, *(named(one) for one in "abc"))
        yield seconds(node, 50)
        yield from produce(asking, named("d"))
        yield seconds(node, 20)

    settings = {"retention.ms": 60_000, "retention.bytes": 3 * SIZE}
    broker = {**OFTEN, "log.retention.check.interval.ms": 65_000}
    trace = run(program, topics=orders(**settings), broker=broker, given={})

    assert events(trace, "log_start_moved") == [
        ("orders", 0, 1, "retention.bytes"),
        ("orders", 0, 3, "retention.ms"),
    ]


def test_a_fetch_that_waits_in_what_is_deleted_is_told_at_once():
    def program(cluster, node, asking):
        yield from produce(asking, named("a"))
        waits = asking(fetch(0, least=10_000, wait_ms=20_000))
        told = yield waits
        assert told.results[0].error is Error.OFFSET_OUT_OF_RANGE
        assert node.now_us // 1_000 == 10_001

    run(
        program,
        topics=orders(**{"retention.ms": 1_000}),
        broker=OFTEN,
        given={"request_timeout_ms": 60_000},
    )


def test_records_are_deleted_on_request_up_to_the_high_watermark_and_no_further():
    def program(cluster, node, asking):
        yield from produce(asking, *(named(one) for one in "abcd"))

        def delete(offset, where=ORDERS):
            return asking(m.DeleteRecordsRequest(((where, offset),)))

        told = []
        for offset in (2, 1, 5, -2, -1):
            answer = yield delete(offset)
            told.append(answer.results[0][1:])
        assert told == [
            (Error.NONE, 2),
            (Error.NONE, 2),
            (Error.OFFSET_OUT_OF_RANGE, -1),
            (Error.OFFSET_OUT_OF_RANGE, -1),
            (Error.NONE, 4),
        ]
        answer = yield delete(0, TopicPartition("nothing", 0))
        assert answer.results[0].error is Error.UNKNOWN_TOPIC_OR_PARTITION
        answer = yield asking(fetch(3))
        assert answer.results[0].error is Error.OFFSET_OUT_OF_RANGE

    trace = run(program, topics=orders(), given={})

    moved = [("orders", 0, offset, "delete_records") for offset in (2, 4)]
    assert events(trace, "log_start_moved") == moved


def test_records_of_a_topic_that_is_only_compacted_are_not_deleted_on_request():
    def program(cluster, node, asking):
        answer = yield asking(m.DeleteRecordsRequest(((ORDERS, -1),)))
        assert answer.results[0].error is Error.POLICY_VIOLATION

    run(program, topics=orders(**{"cleanup.policy": "compact"}), given={})


# --- Cleaning ------------------------------------------------------------------------------------

COMPACT = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": 0.01}


def test_a_compacted_topic_keeps_the_newest_record_of_each_key_where_it_is():
    def program(cluster, node, asking):
        pairs = [("a", "k"), ("b", "k"), ("c", "l"), ("d", "k"), ("e", "m")]
        yield from produce(asking, *(named(one, key) for one, key in pairs))
        yield seconds(node, 20)
        assert kept_ids(cluster) == [(2, "c"), (3, "d"), (4, "e")]
        assert ids_of((yield asking(fetch(0)))) == [["c", "d", "e"]]

    trace = run(program, topics=orders(**COMPACT), given={})

    assert events(trace, "log_cleaned") == [("orders", 0, 0, 4, ("a", "b"))]
    assert times_ms(trace, "log_cleaned") == [15_000]


def test_what_is_compacted_and_deleted_is_deleted_in_the_cleaners_rounds():
    def program(cluster, node, asking):
        yield from produce(asking, named("a", "k"), named("b", "l"))
        yield seconds(node, 62)

    policy = {"cleanup.policy": "compact,delete", "retention.ms": 50_000}
    trace = run(program, topics=orders(**policy), given={})

    assert events(trace, "log_start_moved") == [("orders", 0, 2, "retention.ms")]
    assert times_ms(trace, "log_start_moved") == [60_000]


def tombstones(node, asking, more_at_s):
    """A key is written and deleted; other keys are written later, so that there is work."""
    yield from produce(asking, named("born", "k"), named("dead", "k", None), named("x0", "x"))
    for number, at_s in enumerate(more_at_s, 1):
        yield node.sleep(at_s * 1_000_000 - node.now_us)
        yield from produce(asking, named(f"x{number}", "x"))


def test_a_tombstone_stays_for_delete_retention_after_it_was_seen_and_then_goes():
    """Only a log with something dirty is cleaned: the last cleaning is of the next record's."""
    kept = {}

    def program(cluster, node, asking):
        yield from tombstones(node, asking, (40, 80, 200))
        for at_s in (205, 215):
            yield node.sleep(at_s * 1_000_000 - node.now_us)
            kept[at_s] = [one for _, one in kept_ids(cluster)]

    settings = {**COMPACT, "delete.retention.ms": 100_000}
    trace = run(program, topics=orders(**settings), given={})

    assert [event[-1] for event in events(trace, "log_cleaned")] == [
        ("born",),
        (),
        ("x0",),
        ("dead", "x1"),
    ]
    assert times_ms(trace, "log_cleaned") == [15_000, 45_000, 90_000, 210_000]
    assert kept == {205: ["dead", "x1", "x2", "x3"], 215: ["x2", "x3"]}


@pytest.mark.parametrize(("pause_s", "sees"), [(0, {"k": None}), (250, {"k": "v"})])
def test_a_reader_that_takes_longer_than_delete_retention_misses_a_tombstone(pause_s, sees):
    """It has read the value, sleeps, and reads on: its table keeps a key that was deleted."""
    table = {}

    def program(cluster, node, asking):
        yield from produce(asking, named("born", "k"))
        first = yield asking(fetch(0))
        table.update((one.key, one.value) for one in first.results[0].batches[0].records)
        yield from produce(asking, named("dead", "k", None), named("x0", "x"))
        if pause_s:
            for number in range(pause_s // 25):
                yield seconds(node, 25)
                yield from produce(asking, named(f"y{number}", "x"))
        rest = yield asking(fetch(1))
        for one in rest.results[0].batches:
            table.update((record.key, record.value) for record in one.records if record)

    settings = {**COMPACT, "delete.retention.ms": 100_000}
    run(program, topics=orders(**settings), given={})

    assert table["k"] == sees["k"]


# --- Flushing ------------------------------------------------------------------------------------


def after_power_loss(settings, *, broker=None, crash_ms=5_000, count=3, **more):
    """The log's end after a power loss, and what lies in it."""
    found = {}

    def program(cluster, node, asking):
        yield from produce(asking, *(named(str(one)) for one in range(count)))
        yield seconds(node, crash_ms / 1_000 + 5)
        found["ids"] = [one for _, one in kept_ids(cluster)]

    topics = [Topic("orders", 1, settings=settings)]
    crash = Crash(BROKER, at_ms=crash_ms, mode="power")
    run(program, crash, topics=topics, broker=broker or {}, given={}, **more)
    return found["ids"]


def test_a_power_loss_takes_what_was_not_flushed():
    assert after_power_loss({}) == []


def test_flushing_each_message_loses_none():
    assert after_power_loss({"flush.messages": 1}) == ["0", "1", "2"]
    assert after_power_loss({}, broker={"log.flush.interval.messages": 1}) == ["0", "1", "2"]


def test_flushing_every_second_message_can_lose_one():
    assert after_power_loss({"flush.messages": 2}) == ["0", "1"]


def test_a_closed_segment_is_flushed_and_the_active_one_is_not():
    assert after_power_loss(ALONE) == ["0", "1"]


def test_flushing_by_time_saves_what_was_there_at_the_last_look():
    looks = {"log.flush.scheduler.interval.ms": 2_000, "log.initial.task.delay.ms": 1_000}

    assert after_power_loss({"flush.ms": 500}, broker=looks) == ["0", "1", "2"]
    assert after_power_loss({"flush.ms": 60_000}, broker=looks) == []


def test_flush_ms_alone_is_looked_at_once_half_a_minute_after_the_start():
    """Kafka never schedules a second look without log.flush.scheduler.interval.ms."""
    assert after_power_loss({"flush.ms": 500}, crash_ms=29_000) == []

    def program(cluster, node, asking):
        yield from produce(asking, named("a"))
        yield seconds(node, 31)
        yield from produce(asking, named("b"))
        yield seconds(node, 100)
        journal = log_of(cluster).journal
        assert (journal.flushed, len(journal)) == (1, 2)

    run(program, topics=[Topic("orders", 1, settings={"flush.ms": 500})], given={})


def test_the_operating_system_has_written_back_what_is_older_than_half_a_minute():
    assert after_power_loss({}, crash_ms=29_000) == []
    assert after_power_loss({}, crash_ms=31_000) == ["0", "1", "2"]


def test_everything_may_have_been_written_back_just_before():
    choice = Replay({(f"writeback@{BROKER}", 0): 1})

    assert after_power_loss({}, chooser=choice) == ["0", "1", "2"]


# --- Segments ------------------------------------------------------------------------------------


def test_each_segments_jitter_is_drawn_anew():
    def program(cluster, node, asking):
        for number in range(40):
            yield from produce(asking, named(f"e{number}"))
            yield seconds(node, 1)
        found.append([base for base, _ in log_of(cluster).index.segments])

    found = []
    for jitter in (0, 8_000):
        settings = {"segment.ms": 9_500, "segment.jitter.ms": jitter}
        topics = [Topic("orders", 1, settings=settings)]
        run(program, topics=topics, chooser=Seeded(3), given={})

    even, jittered = found
    assert even == [0, 10, 20, 30]
    lengths = {after - before for before, after in pairwise(jittered)}
    assert len(lengths) > 2
    assert max(lengths) <= 10


# --- Forgetting, and when ------------------------------------------------------------------------


def test_a_producer_is_forgotten_when_it_was_idle_for_a_day_and_not_before():
    def program(cluster, node, asking):
        batch = named("a")._replace(producer_id=7, producer_epoch=0, base_sequence=0)
        yield from produce(asking, batch)
        for _ in range(2):
            yield node.sleep(DAY_MS * 1_000 - 2_000_000)
            known.append(list(log_of(cluster).producers))
            yield seconds(node, 700)

    known = []
    run(program, given={}, horizon_ms=DAY_MS)

    assert known == [[7], []]


class Idle:
    """A node on which nothing happens: it notes when it would be woken."""

    name = "broker-0"

    def __init__(self, world):
        self.world = world
        self.now_us = 0
        self.timers = []

    def after(self, delay_us, function, argument=None):
        self.timers.append(self.now_us + delay_us)
        return self

    def cancel(self):
        self.timers.pop()


def timers_of(settings=None, broker=None, faults=()):
    """When a broker's tasks are first looked at, in ms, if one topic has these settings."""
    found = []

    def deploy(cluster):
        node = Idle(cluster.world)
        topic = cluster.layout.settings.of_topic(settings or {})
        partition = type("Partition", (), {"log": None})
        Housekeeping(
            node,
            cluster.layout.settings,
            {ORDERS: partition},
            lambda _: topic,
            refusal=lambda _: None,
            apply=lambda _, __: None,
            changed=lambda _: None,
        )
        found.extend(at // 1_000 for at in node.timers)

    run(None, *faults, deploy=deploy, broker=broker or {})
    return found


def test_by_default_nothing_wakes_a_broker_before_a_day_and_then_a_week():
    assert timers_of() == [DAY_MS, 7 * DAY_MS + 30_000]


@pytest.mark.parametrize(
    ("settings", "first_ms"),
    [
        ({"retention.ms": 1_000}, 30_000),
        ({"retention.ms": 31_000}, 330_000),
        ({"retention.bytes": 10}, 30_000),
        ({"cleanup.policy": "compact"}, 0),
        ({"flush.ms": 10}, 30_000),
    ],
)
def test_a_task_keeps_its_times_and_begins_with_the_first_that_could_find_anything(
    settings, first_ms
):
    assert timers_of({"retention.ms": -1, **settings}) == [DAY_MS, first_ms]


def test_where_the_clock_is_moved_every_time_is_kept():
    skew = Skew(BROKER, at_ms=1, jump_ms=8 * DAY_MS)

    assert timers_of(faults=[skew]) == [600_000, 30_000]


def test_a_clock_that_jumps_ahead_lets_records_expire():
    def program(cluster, node, asking):
        yield from produce(asking, named("a"), named("b"))
        yield seconds(node, 40)

    skew = Skew(BROKER, at_ms=10_000, jump_ms=8 * DAY_MS)
    trace = run(program, skew, topics=orders(), given={})

    assert events(trace, "log_start_moved") == [("orders", 0, 2, "retention.ms")]
    assert times_ms(trace, "log_start_moved") == [30_000]


@pytest.mark.parametrize(
    ("settings", "watches"),
    [
        ({}, False),
        ({"flush.ms": 10, "retention.ms": 10, "segment.jitter.ms": 1}, False),
        ({"flush.messages": 10}, True),
        ({"segment.jitter.ms": 10}, True),
    ],
)
def test_appends_are_watched_only_where_a_topic_asks_for_it(settings, watches):
    def program(cluster, node, asking):
        yield from produce(asking, named("a"))
        found.append(cluster._brokers[BROKER].housekeeping.watches_appends)

    found = []
    run(program, topics=[Topic("orders", 1, settings=settings)], given={})

    assert found == [watches]


# --- Replicas ------------------------------------------------------------------------------------


def replicated(**settings):
    """The topic orders on three brokers."""
    return [Topic("orders", 1, 3, {**ALONE, **settings})]


def persistently(asking, *batches):
    """Produce each batch, again until it is taken."""
    for one in batches:
        error = None
        while error is not Error.NONE:
            answer = yield asking(m.ProduceRequest(-1, 30_000, ((ORDERS, one),)))
            error = answer.results[0].error if answer is not None else None
            if error is not Error.NONE:
                yield asking.node.sleep(100_000)


def ends_of(cluster):
    """Where each broker's log of orders begins and ends."""
    brokers = [f"broker-{number}" for number in range(3)]
    logs = [cluster.replica(name, "orders", 0).log for name in brokers]
    return [(log.log_start_offset, log.log_end_offset) for log in logs]


def test_every_replica_deletes_what_is_old():
    def program(cluster, node, asking):
        yield from persistently(asking, *(named(one) for one in "abc"))
        yield seconds(node, 100)
        yield from persistently(asking, named("d"))
        yield seconds(node, 2)
        assert ends_of(cluster) == [(3, 4)] * 3

    trace = run(
        program, brokers=3, topics=replicated(**{"retention.ms": 60_000}), broker=OFTEN, given={}
    )

    moved = {entry[2]: entry[4][3:] for entry in trace.of("log_start_moved")}
    assert moved == dict.fromkeys(["broker-0", "broker-1", "broker-2"], (3, "retention.ms"))


def test_followers_let_go_what_their_leader_was_told_to_delete():
    def program(cluster, node, asking):
        yield from persistently(asking, *(named(one) for one in "abc"))
        yield seconds(node, 2)
        answer = yield asking(m.DeleteRecordsRequest(((ORDERS, 2),)))
        assert answer.results == (m.RecordsDeleted(ORDERS, Error.NONE, 2),)
        answer = yield asking(m.DeleteRecordsRequest(((ORDERS, 3),)), "broker-1")
        assert answer.results[0].error is Error.NOT_LEADER_OR_FOLLOWER
        yield seconds(node, 2)
        assert ends_of(cluster) == [(2, 3)] * 3

    run(program, brokers=3, topics=replicated(), given={})


def test_every_replica_cleans_its_own_log():
    def program(cluster, node, asking):
        yield from persistently(asking, *(named(one, "k") for one in "abc"))
        yield seconds(node, 40)

    trace = run(program, brokers=3, topics=replicated(**COMPACT), given={})

    cleaned = {entry[2]: entry[4][5] for entry in trace.of("log_cleaned")}
    assert cleaned == dict.fromkeys(["broker-0", "broker-1", "broker-2"], ("a",))


@pytest.mark.parametrize(("settings", "kept"), [({}, []), ({"flush.messages": 1}, ["a"])])
def test_an_acknowledged_record_stands_no_power_loss_of_all_replicas_unless_flushed(settings, kept):
    found = []

    def program(cluster, node, asking):
        yield from persistently(asking, named("a"))
        yield seconds(node, 60)
        found.extend(one for _, one in kept_ids(cluster))

    crashes = [
        Crash(f"broker-{number}", at_ms=20_000, down_ms=1_000, mode="power") for number in range(3)
    ]
    topics = [Topic("orders", 1, 3, settings)]
    run(program, *crashes, brokers=3, topics=topics, given={})

    assert found == kept
