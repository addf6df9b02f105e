"""The coordinators of a broker: groups live in a journal, and survive what the disk survives."""

import pytest

from simulator.cluster import coordinated
from simulator.cluster.coordinated import COMPACT_ABOVE
from simulator.cluster.coordinator_log import LocalLog
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition
from simulator.scenario.faults import Crash
from simulator.scenario.topology import Topic
from tests.clustered import BROKER, ORDERS, Asking, ask, events, run

QUICK = {"group.initial.rebalance.delay.ms": 0}


def join(member_id="", group="g", session_ms=10_000):
    return m.JoinGroupRequest(group, session_ms, 60_000, member_id, (("range", None),))


def enter(asking, group="g", assignments=(), session_ms=10_000):
    """Join alone, and bring the assignment; the member's id."""
    first = yield asking(join(group=group, session_ms=session_ms))
    answer = yield asking(join(first.member_id, group, session_ms))
    own = ((answer.member_id, "mine"), *assignments)
    yield asking(m.SyncGroupRequest(group, answer.generation, answer.member_id, own))
    return answer.member_id, answer.generation


def commit(offset, member_id="", generation=-1, group="g", where=ORDERS):
    return m.OffsetCommitRequest(group, generation, member_id, (m.CommittedOffset(where, offset),))


def committed(asking, group="g", where=None):
    answer = yield asking(m.OffsetFetchRequest(group, where and (where,)))
    return {one.partition: one.offset for one in answer.offsets}


def again(asking, body):
    """Ask until it is answered."""
    answer = None
    while answer is None:
        answer = yield asking(body)
    return answer


def test_a_group_its_members_and_its_offsets_survive_a_restart_of_their_broker():
    """The generation goes on: nobody has to join again."""

    def program(asking, node):
        member_id, generation = yield from enter(asking)
        yield asking(commit(7, member_id, generation))
        yield node.sleep(500_000)
        answer = yield from again(asking, m.HeartbeatRequest("g", generation, member_id))
        assert answer.error is Error.NONE
        own = yield asking(m.SyncGroupRequest("g", generation, member_id))
        assert own.assignment == "mine"
        assert (yield from committed(asking)) == {ORDERS: 7}
        answer = yield asking(commit(8, member_id, generation))
        assert answer.results == ((ORDERS, Error.NONE),)

    trace = ask(program, Crash(BROKER, at_ms=100, down_ms=100), broker=QUICK)

    assert [event[1:] for event in events(trace, "group_state_changed")][-1] == ("Absent", "Stable")


def test_a_rebalance_that_was_under_way_is_forgotten_by_a_restart():
    def program(asking, node):
        member_id, generation = yield from enter(asking)
        other = Asking(node)
        newcomer = yield other(join())
        other(join(newcomer.member_id))
        yield node.sleep(10_000)
        told = yield asking(m.HeartbeatRequest("g", generation, member_id))
        assert told.error is Error.REBALANCE_IN_PROGRESS
        yield node.sleep(300_000 - node.now_us)
        told = yield from again(asking, m.HeartbeatRequest("g", generation, member_id))
        assert told.error is Error.NONE
        answer = yield from again(other, join(newcomer.member_id))
        assert answer.error is Error.UNKNOWN_MEMBER_ID

    ask(program, Crash(BROKER, at_ms=100, down_ms=100), broker=QUICK)


def test_sessions_start_afresh_at_a_restart():
    """Three seconds of silence, a restart, and five more: only the last five count."""

    def program(asking, node):
        member_id, generation = yield from enter(asking, session_ms=6_000)
        yield node.sleep(8_000_000 - node.now_us)
        told = yield from again(asking, m.HeartbeatRequest("g", generation, member_id))
        assert told.error is Error.NONE
        yield node.sleep(6_100_000)
        told = yield asking(m.HeartbeatRequest("g", generation, member_id))
        assert told.error is Error.UNKNOWN_MEMBER_ID

    trace = ask(program, Crash(BROKER, at_ms=3_000, down_ms=100), broker=QUICK)

    assert [event[2] for event in events(trace, "member_removed")] == ["session_timeout"]


@pytest.mark.parametrize(("mode", "left"), [("process", {ORDERS: 7}), ("power", {}), ("disk", {})])
def test_what_a_crash_leaves_of_offsets_is_what_it_leaves_of_the_disk(mode, left):
    """At one replica an acknowledged commit is not flushed, as Kafka's is not."""

    def program(asking, node):
        answer = yield asking(commit(7))
        assert answer.results == ((ORDERS, Error.NONE),)
        yield node.sleep(2_000_000)
        answer = yield from again(asking, m.OffsetFetchRequest("g", None))
        assert {one.partition: one.offset for one in answer.offsets} == left

    ask(program, Crash(BROKER, at_ms=100, mode=mode), given={"request_timeout_ms": 100})


def test_member_ids_are_not_given_twice_over_a_restart():
    seen = []

    def program(asking, node):
        for _ in range(3):
            answer = yield from again(asking, join(group=f"g{len(seen)}"))
            seen.append(answer.member_id)
            answer = yield from again(asking, join())
            seen.append(answer.member_id)
            yield node.sleep(600_000)

    ask(program, Crash(BROKER, at_ms=500, down_ms=1), Crash(BROKER, at_ms=1_100, down_ms=1))

    ours = [name for number, name in enumerate(seen) if number % 2]
    assert len(set(ours)) == 3


def test_the_journal_is_compacted_and_nothing_that_counts_is_lost():
    """A thousand commits leave a journal of a few facts, and a restart the newest offset of each
    partition, though it was committed once and long ago, the members and the generation.
    """
    sizes = []
    often = [TopicPartition("orders", number) for number in (1, 2)]
    once = [TopicPartition("orders", number) for number in (0, 3)]

    def program(cluster, node, asking):
        member_id, generation = yield from enter(asking)
        for number in range(COMPACT_ABOVE + 98):
            yield asking(commit(number, member_id, generation, where=often[number % 2]))
            if number < 2:
                yield asking(commit(77, member_id, generation, where=once[number]))
        sizes.append(len(cluster.world.nodes[BROKER].disk.journal("__consumer_offsets-3")))
        before = yield from committed(asking)
        assert len(before) == 4
        yield node.sleep(6_000_000 - node.now_us)
        assert (yield from committed_again(asking)) == before
        told = yield asking(m.HeartbeatRequest("g", generation, member_id))
        assert told.error is Error.NONE

    def committed_again(asking):
        answer = yield from again(asking, m.OffsetFetchRequest("g", None))
        return {one.partition: one.offset for one in answer.offsets}

    trace = run(
        program,
        Crash(BROKER, at_ms=4_000, down_ms=100),
        topics=[Topic("orders", 4)],
        broker=QUICK,
        given={},
    )

    assert len(events(trace, "offset_committed")) == COMPACT_ABOVE + 100
    assert 0 < sizes[0] < 110


def test_a_group_of_many_partitions_is_not_compacted_over_and_over(monkeypatch):
    """What compaction cannot shrink makes the next one wait."""
    monkeypatch.setattr(coordinated, "COMPACT_ABOVE", 4)
    compacted = []
    compact = LocalLog.compact

    def counting(log, entries):
        compacted.append(len(log.journal))
        compact(log, entries)

    monkeypatch.setattr(LocalLog, "compact", counting)

    def program(asking, node):
        for number in range(60):
            yield asking(commit(number, where=TopicPartition("orders", number % 20)))

    ask(program, topics=[Topic("orders", 20)])

    assert compacted[0] == 5
    assert len(compacted) <= 4, compacted


@pytest.mark.parametrize(
    "body",
    [
        join(group="hello"),
        m.SyncGroupRequest("hello", 1, "x"),
        m.HeartbeatRequest("hello", 1, "x"),
        m.LeaveGroupRequest("hello", (("x", None),)),
        m.OffsetFetchRequest("hello", None),
        commit(1, group="hello"),
    ],
    ids=lambda body: type(body).__name__,
)
def test_a_broker_that_does_not_coordinate_a_group_says_so(body):
    """`hello` is coordinated by broker-1 of three."""

    def program(asking, node):
        for broker in ("broker-0", "broker-2"):
            answer = yield asking(body, broker)
            error = answer.results[0][1] if hasattr(answer, "results") else answer.error
            assert error is Error.NOT_COORDINATOR
        answer = yield asking(body, "broker-1")
        error = answer.results[0][1] if hasattr(answer, "results") else answer.error
        assert error is not Error.NOT_COORDINATOR

    ask(program, brokers=3)


def test_a_refused_commit_is_an_event_and_changes_nothing():
    def program(asking, node):
        member_id, generation = yield from enter(asking)
        yield asking(commit(7, member_id, generation))
        answer = yield asking(commit(9, member_id, generation - 1))
        assert answer.results == ((ORDERS, Error.ILLEGAL_GENERATION),)
        answer = yield asking(commit(9, "somebody", generation))
        assert answer.results == ((ORDERS, Error.UNKNOWN_MEMBER_ID),)
        assert (yield from committed(asking)) == {ORDERS: 7}

    trace = ask(program, broker=QUICK)

    assert [event[-1] for event in events(trace, "commit_refused")] == [
        "ILLEGAL_GENERATION",
        "UNKNOWN_MEMBER_ID",
    ]
    assert [event[3] for event in events(trace, "offset_committed")] == [7]


def test_a_session_that_ends_removes_its_member():
    def program(asking, node):
        yield from enter(asking, session_ms=6_000)
        yield node.sleep(10_000_000)

    trace = ask(program, broker=QUICK)

    ((at_ms, event),) = [(entry[1] / 1_000, entry[4]) for entry in trace.of("member_removed")]
    assert event[-1] == "session_timeout"
    assert 6_000 <= at_ms <= 6_010


def test_offsets_of_an_empty_group_are_forgotten_after_their_retention():
    """They are looked at every ten minutes; the group without offsets is gone, and may be again."""
    found = []

    def program(asking, node):
        yield asking(commit(7))
        for minute in (59, 80):
            yield node.sleep(minute * 60_000_000 - node.now_us)
            found.append((yield from committed(asking)))
        yield asking(commit(3))
        found.append((yield from committed(asking)))

    trace = ask(program, broker={"offsets.retention.minutes": 60})

    assert found == [{ORDERS: 7}, {}, {ORDERS: 3}]
    assert [event[1:] for event in events(trace, "group_state_changed")] == [
        ("Absent", "Empty"),
        ("Empty", "Absent"),
        ("Absent", "Empty"),
    ]


def test_retention_goes_on_after_a_restart():
    def program(asking, node):
        yield asking(commit(7))
        yield node.sleep(80 * 60_000_000)
        assert (yield from committed(asking)) == {}

    broker = {"offsets.retention.minutes": 60}
    ask(program, Crash(BROKER, at_ms=100_000, down_ms=100), broker=broker)


def test_no_topic_is_taken_for_a_group():
    """A topic called `group` has logs, and a group may be called as a topic's partition is."""

    def program(cluster, node, asking):
        yield asking(commit(7, group="group-0", where=TopicPartition("group", 0)))
        yield node.sleep(1_000_000)
        answer = yield from again(asking, m.OffsetFetchRequest("group-0", None))
        assert [one.offset for one in answer.offsets] == [7]
        assert list(cluster._brokers[BROKER].coordinators._groups) == ["group-0"]

    trace = run(
        program,
        Crash(BROKER, at_ms=100, down_ms=100),
        topics=["group"],
        given={},
        deploy=lambda cluster: cluster.source("writer", [], {}),
    )

    assert events(trace, "run_ended") == [("quiet",)]


def test_an_answer_lets_the_next_request_in_only_when_all_is_done():
    """Two members' joins are answered at once; one's leave was queued behind its join, and finds
    the sync phase begun: its timer is not set again after the group has moved on.
    """
    found = []

    def program(asking, node):
        clients = [asking, Asking(node)]
        names = []
        for client in clients:
            answer = yield client(join())
            names.append(answer.member_id)
        joins = [client(join(name)) for client, name in zip(clients, names, strict=True)]
        leave = clients[0](m.LeaveGroupRequest("g", ((names[0], None),)))
        for one in joins:
            answer = yield one
            found.append(answer.generation)
        yield leave
        answer = yield clients[1](join(names[1]))
        found.append(answer.generation)
        yield clients[1](m.SyncGroupRequest("g", 2, names[1], ((names[1], "all"),)))
        for _ in range(30):
            yield node.sleep(3_000_000)
            told = yield clients[1](m.HeartbeatRequest("g", 2, names[1]))
            assert told.error is Error.NONE

    trace = ask(program, broker={"group.initial.rebalance.delay.ms": 100})

    assert found == [1, 1, 2]
    assert [event[2] for event in events(trace, "member_removed")] == ["left"]
