"""Producers with acks=all wait until the last of their partitions is committed, or time is up."""

import pytest

from simulator.protocol.errors import Error
from simulator.protocol.machine import CancelTimer, Reply, SetTimer, Timer
from simulator.protocol.messages import PartitionProduced, ProduceResponse
from simulator.protocol.names import TopicPartition
from simulator.protocol.replication_acks import AcksWaiting

P, Q = TopicPartition("t", 0), TopicPartition("t", 1)


class Broker:
    """Marks by partition; None: it leads that partition no more."""

    def __init__(self):
        self.acks, self.marks, self.answers, self.timers = AcksWaiting(), {P: 0, Q: 0}, {}, {}

    def acked(self, where, offset):
        mark = self.marks[where]
        if mark is None:
            return Error.NOT_LEADER_OR_FOLLOWER
        return Error.NONE if mark >= offset else None

    def carry_out(self, step):
        for fact in step.facts:
            self.acks.apply(fact)
        for effect in step.effects:
            match effect:
                case Reply(to, body):
                    assert to not in self.answers
                    self.answers[to] = [one.error for one in body.results]
                case SetTimer(name, us, _):
                    self.timers[name] = us
                case CancelTimer(name):
                    del self.timers[name]

    def wait(self, to, *ends):
        results = tuple(PartitionProduced(where, Error.NONE, end - 1) for where, end in ends)
        self.carry_out(self.acks.decide_wait(to, results, dict(ends), 30_000, self.acked))

    def move(self, where, mark):
        self.marks[where] = mark
        self.carry_out(self.acks.decide_moved(where, self.acked))


def test_what_is_committed_already_is_answered_at_once():
    broker = Broker()
    broker.marks[P] = 5
    broker.wait("r", (P, 5))

    assert broker.answers == {"r": [Error.NONE]}
    assert not broker.timers


def test_a_request_is_answered_when_its_last_partition_is_committed():
    broker = Broker()
    broker.wait("r", (P, 2), (Q, 1))
    assert broker.timers == {("acks", "r"): 30_000_000}
    broker.move(P, 2)
    assert not broker.answers
    broker.move(Q, 1)

    assert broker.answers == {"r": [Error.NONE, Error.NONE]}
    assert not broker.timers
    assert not broker.acks.waiting


def test_whoever_is_committed_is_answered_and_others_go_on_waiting():
    broker = Broker()
    for to, end in (("r", 2), ("s", 4), ("t", 3)):
        broker.wait(to, (P, end))
    broker.move(P, 3)

    assert list(broker.answers) == ["r", "t"]


def test_a_lost_leadership_is_told_and_the_other_partition_counts_still():
    broker = Broker()
    broker.wait("r", (P, 2), (Q, 1))
    broker.move(P, None)
    broker.move(Q, 1)

    assert broker.answers == {"r": [Error.NOT_LEADER_OR_FOLLOWER, Error.NONE]}


def test_when_time_is_up_only_what_is_still_waited_for_is_late():
    broker = Broker()
    broker.wait("r", (P, 2), (Q, 1))
    broker.move(P, 2)
    broker.carry_out(broker.acks.decide_timeout("r"))

    assert broker.answers == {"r": [Error.NONE, Error.REQUEST_TIMED_OUT]}
    assert not broker.acks.decide_timeout("r").effects
    assert not broker.acks.decide_moved(Q, broker.acked).effects


def test_what_was_refused_at_the_append_is_not_waited_for():
    broker = Broker()
    refused = PartitionProduced(Q, Error.NOT_ENOUGH_REPLICAS)
    good = PartitionProduced(P, Error.NONE, 0)
    step = broker.acks.decide_wait("r", (refused, good), {P: 1}, 10, broker.acked)
    broker.carry_out(step)
    broker.move(P, 1)

    assert broker.answers == {"r": [Error.NOT_ENOUGH_REPLICAS, Error.NONE]}


@pytest.mark.parametrize("marks", [(1, 2, 3), (3,), (2, 3)])
def test_deciding_changes_nothing(marks):
    broker = Broker()
    broker.wait("r", (P, 3))
    for mark in marks:
        broker.marks[P] = mark
        step = broker.acks.decide_moved(P, broker.acked)
        assert step == broker.acks.decide_moved(P, broker.acked)
        broker.carry_out(step)

    assert broker.answers == {"r": [Error.NONE]}
    assert Timer(("acks", "r")).name not in broker.timers
    assert ProduceResponse(()).results == ()
