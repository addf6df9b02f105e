"""Coordinators whose log is replicated: another broker takes over what was committed."""

import pytest

from simulator.cluster.internal_topics import OFFSETS
from simulator.errors import BadInput
from simulator.protocol import messages as m
from simulator.protocol.errors import Error
from simulator.scenario.faults import Crash, Partition
from simulator.scenario.topology import Topic
from tests.cluster.test_coordinator import QUICK as AT_ONCE
from tests.cluster.test_coordinator import commit, join
from tests.clustered import ORDERS, ask, events
from tests.replicated_orders import QUICK

GROUP = "g"  # Partition 3 of __consumer_offsets: broker-0 leads it first, of three.


def moving(program, *faults, brokers=3, broker=None, **more):
    """A program against three brokers that keep everything three times."""
    settings = {**QUICK, **AT_ONCE, **(broker or {})}
    topics = (Topic("orders", 1, brokers),)
    return ask(program, *faults, brokers=brokers, topics=topics, broker=settings, **more)


def coordinated(asking, node, body):
    """Ask whoever coordinates the group, as often as it takes."""
    while True:
        for name in ("broker-0", "broker-1", "broker-2"):
            found = yield asking(m.FindCoordinatorRequest(GROUP), name, timeout_ms=300)
            if found is None or found.error is not Error.NONE:
                continue
            answer = yield asking(body, found.node, timeout_ms=2_000)
            if answer is not None and not moved(answer):
                return found.node, answer
        yield node.sleep(100_000)


def moved(answer):
    away = (Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE)
    if isinstance(answer, m.OffsetCommitResponse):
        return answer.results[0][1] in away
    return answer.error in away


def entered(asking, node, instance=None):
    """A stable group of one; its member's id and generation."""
    joined = join(session_ms=30_000)
    _, first = yield from coordinated(asking, node, joined)
    again = joined._replace(member_id=first.member_id)
    _, answer = yield from coordinated(asking, node, again)
    sync = m.SyncGroupRequest("g", answer.generation, answer.member_id, ((answer.member_id, "x"),))
    yield from coordinated(asking, node, sync)
    return answer.member_id, answer.generation


def test_a_group_moves_with_its_members_generation_and_offsets():
    """Nobody has to join again: sessions start afresh at the new coordinator."""
    seen = []

    def program(asking, node):
        member_id, generation = yield from entered(asking, node)
        before, _ = yield from coordinated(asking, node, commit(7, member_id, generation))
        yield node.sleep(3_000_000 - node.now_us)
        beat = m.HeartbeatRequest("g", generation, member_id)
        after, told = yield from coordinated(asking, node, beat)
        _, kept = yield from coordinated(asking, node, m.OffsetFetchRequest("g", None))
        _, own = yield from coordinated(
            asking, node, m.SyncGroupRequest("g", generation, member_id)
        )
        seen.append((before, after, told.error, kept.offsets, own.assignment))
        _, later = yield from coordinated(asking, node, commit(8, member_id, generation))
        seen.append(later.results)

    trace = moving(program, Crash("broker-0", at_ms=1_500, down_ms=60_000))

    (before, after, error, offsets, assignment), results = seen
    assert before == "broker-0" != after
    assert (error, assignment) == (Error.NONE, "x")
    assert [(one.partition, one.offset) for one in offsets] == [(ORDERS, 7)]
    assert results == ((ORDERS, Error.NONE),)
    assert [one[3] for one in events(trace, "offset_committed")] == [7, 8]


def test_a_commit_is_answered_when_replicas_have_it():
    """Nobody fetches from the leader, so nothing that it appends is ever committed; it is told so
    when another broker leads."""
    answers = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        yield node.sleep(2_000_000 - node.now_us)
        late = yield asking(commit(2), "broker-0", timeout_ms=20_000)
        answers.append(late)
        yield node.sleep(12_000_000 - node.now_us)
        _, kept = yield from coordinated(asking, node, m.OffsetFetchRequest("g", None))
        answers.append([one.offset for one in kept.offsets])

    rest = ("broker-1", "broker-2", "controller")
    trace = moving(program, Partition(("broker-0",), rest, 1_500, 6_000))

    assert answers[0].results == ((ORDERS, Error.NOT_COORDINATOR),)
    assert answers[1] == [1]
    assert [one[3] for one in events(trace, "offset_committed")] == [1]


def test_without_enough_replicas_a_coordinator_takes_nothing():
    said = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(1))
        yield node.sleep(6_000_000 - node.now_us)
        answer = yield asking(commit(2), "broker-0")
        said.append(answer.results[0][1])
        kept = yield asking(m.OffsetFetchRequest("g", None), "broker-0")
        said.append([one.offset for one in kept.offsets])

    moving(
        program,
        Crash("broker-1", at_ms=2_000, down_ms=30_000),
        Crash("broker-2", at_ms=2_000, down_ms=30_000),
    )

    assert said == [Error.COORDINATOR_NOT_AVAILABLE, [1]]


def test_a_commit_survives_the_power_loss_of_its_coordinator():
    kept = []

    def program(asking, node):
        yield from coordinated(asking, node, commit(7))
        yield node.sleep(8_000_000 - node.now_us)
        _, answer = yield from coordinated(asking, node, m.OffsetFetchRequest("g", None))
        kept.append([one.offset for one in answer.offsets])

    moving(program, Crash("broker-0", at_ms=1_500, down_ms=1_000, mode="power"))

    assert kept == [[7]]


def test_a_partition_of_coordinators_is_made_when_it_is_asked_for():
    def program(asking, node):
        first = yield asking(m.FindCoordinatorRequest(GROUP))
        assert first.error is Error.COORDINATOR_NOT_AVAILABLE
        yield node.sleep(1_000_000)
        then = yield asking(m.FindCoordinatorRequest(GROUP))
        assert (then.error, then.node) == (Error.NONE, "broker-0")

    trace = moving(program)

    made = [event for event in events(trace, "leader_elected") if event[0] == OFFSETS]
    assert [(where, leader) for _, where, leader, *_ in made] == [(3, "broker-0")]


def test_as_many_replicas_as_brokers_are_asked_for_at_most():
    with pytest.raises(BadInput, match="more replicas than there are brokers"):
        moving(lambda asking, node: iter(()), broker={"offsets.topic.replication.factor": 4})
