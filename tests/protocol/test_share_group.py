"""A share group on its coordinator: who is in it, who may acquire where, and its journal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocol.errors import Error
from simulator.protocol.machine import CancelTimer, Reply, Request, SetTimer, Timer
from simulator.protocol.names import TopicPartition
from simulator.protocol.share_group import ShareGroup, assign_simple
from simulator.protocol.share_messages import JOINS, LEAVES, ShareGroupHeartbeatRequest
from simulator.protocol.share_settings import ShareConfig


class Group:
    """A group driven by hand; heartbeats are answered at once."""

    def __init__(self, sizes=None, **config):
        self.machine = ShareGroup("work", ShareConfig(**config))
        self.sizes = sizes or {"orders": 2}
        self.journal = []
        self.timers = {}

    def carry_out(self, step):
        for fact in step.facts:
            self.machine.apply(fact)
            self.journal.append(fact)
        for effect in step.effects:
            if isinstance(effect, SetTimer):
                self.timers[effect.name] = effect.least_us
            elif isinstance(effect, CancelTimer):
                self.timers.pop(effect.name, None)
        return next((one.body for one in step.effects if isinstance(one, Reply)), None)

    def beat(self, member, epoch=JOINS, topics=None):
        if epoch == JOINS and topics is None:
            topics = ("orders",)
        body = ShareGroupHeartbeatRequest("work", member, epoch, topics)
        return self.carry_out(self.machine.decide(Request(1, body), self.sizes))

    def expire(self, member):
        self.carry_out(self.machine.decide(Timer(("session", member)), self.sizes))


def numbers(assignment):
    return {member: [one.partition for one in mine] for member, mine in assignment.items()}


def assigned(members, partitions):
    names = {f"m{number}": ("orders",) for number in range(members)}
    return numbers(assign_simple(names, {"orders": partitions}))


# --- The assignor --------------------------------------------------------------------------------


def test_partitions_are_spread_over_members():
    assert assigned(2, 4) == {"m0": [0, 2], "m1": [1, 3]}


def test_with_more_members_than_partitions_a_partition_has_several():
    assert assigned(5, 2) == {"m0": [0], "m1": [1], "m2": [0], "m3": [1], "m4": [0]}


def test_a_member_is_assigned_what_it_subscribes_to():
    members = {"a": ("x",), "b": ("x", "y"), "c": ("nothing",)}

    assert assign_simple(members, {"x": 1, "y": 2}) == {
        "a": (TopicPartition("x", 0),),
        "b": (TopicPartition("y", 0), TopicPartition("y", 1)),
        "c": (),
    }


@given(st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=60)
def test_every_partition_and_every_member_has_some_and_as_evenly_as_can_be(members, partitions):
    found = assigned(members, partitions)
    counts = [len(mine) for mine in found.values()]
    shared = [sum(number in mine for mine in found.values()) for number in range(partitions)]

    assert not counts or max(counts) - min(counts) <= 1
    assert not shared or not members or (min(shared) >= 1 and max(shared) - min(shared) <= 1)
    assert not (members and partitions) or min(counts) >= 1


# --- Heartbeats ----------------------------------------------------------------------------------


def test_who_joins_is_told_its_partitions_and_the_others_with_their_next_heartbeat():
    group = Group()
    first = group.beat("a")
    assert (first.member_epoch, len(first.assignment)) == (1, 2)

    second = group.beat("b")
    assert second.assignment == (TopicPartition("orders", 1),)
    told = group.beat("a", epoch=1)
    assert (told.member_epoch, told.assignment) == (2, (TopicPartition("orders", 0),))
    assert group.beat("a", epoch=2).assignment is None, "no news"


def test_a_heartbeat_whose_answer_was_lost_is_answered_again():
    group = Group()
    group.beat("a")
    group.beat("b")
    group.beat("a", epoch=1)

    again = group.beat("a", epoch=1)
    assert again.error is Error.NONE
    assert again.assignment is not None


@pytest.mark.parametrize(
    ("member", "epoch", "error"),
    [
        ("b", 1, Error.UNKNOWN_MEMBER_ID),
        ("b", LEAVES, Error.UNKNOWN_MEMBER_ID),
        ("a", 7, Error.FENCED_MEMBER_EPOCH),
        ("", JOINS, Error.INVALID_REQUEST),
        ("a", -3, Error.INVALID_REQUEST),
    ],
)
def test_a_heartbeat_that_cannot_be_is_refused_and_changes_nothing(member, epoch, error):
    group = Group()
    group.beat("a")
    written = len(group.journal)

    assert group.beat(member, epoch).error is error
    assert len(group.journal) == written


def test_a_group_that_is_full_takes_nobody_in():
    group = Group(max_size=1)
    group.beat("a")

    assert group.beat("b").error is Error.GROUP_MAX_SIZE_REACHED
    assert group.beat("a").error is Error.NONE, "it is in already"


@pytest.mark.parametrize("way", ["left", "session_timeout"])
def test_what_a_member_had_goes_to_the_others(way):
    group = Group()
    group.beat("a")
    group.beat("b")
    if way == "left":
        group.beat("b", LEAVES)
    else:
        group.expire("b")

    assert len(group.beat("a", epoch=1).assignment) == 2
    assert [fact.reason for fact in group.journal if hasattr(fact, "reason")] == [way]


def test_every_heartbeat_gives_a_whole_session_and_leaving_ends_it():
    group = Group(session_timeout_us=7)
    group.beat("a")
    assert group.timers == {("session", "a"): 7}
    group.beat("a", LEAVES)
    assert group.timers == {}
    group.expire("a")
    assert group.machine.members == {}


def test_new_partitions_are_assigned_with_the_next_heartbeat():
    group = Group()
    group.beat("a")
    group.sizes = {"orders": 3}

    assert len(group.beat("a", epoch=1).assignment) == 3


def test_another_subscription_is_another_assignment():
    group = Group({"orders": 1, "bills": 1})
    group.beat("a")

    told = group.beat("a", epoch=1, topics=("bills",))
    assert told.assignment == (TopicPartition("bills", 0),)


# --- The journal ---------------------------------------------------------------------------------

MEMBERS = ("a", "b", "c")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), st.sampled_from(MEMBERS), st.sampled_from(("orders", "bills"))),
        st.tuples(st.just("beat"), st.sampled_from(MEMBERS), st.integers(0, 2)),
        st.tuples(st.just("leave"), st.sampled_from(MEMBERS)),
        st.tuples(st.just("expire"), st.sampled_from(MEMBERS)),
        st.tuples(st.just("grow")),
    ),
    max_size=25,
)


def known(machine):
    return machine.epoch, machine.members, machine.assignment, machine._sizes


@given(STEPS)
@settings(max_examples=150)
def test_a_replayed_journal_knows_what_the_live_group_knows(steps):
    group = Group({"orders": 2, "bills": 1})
    for step in steps:
        match step:
            case ("join", member, topic):
                group.beat(member, topics=(topic,))
            case ("beat", member, back):
                own = group.machine.members.get(member)
                group.beat(member, max((own.epoch if own else 1) - back, 1))
            case ("leave", member):
                group.beat(member, LEAVES)
            case ("expire", member):
                group.expire(member)
            case ("grow",):
                group.sizes = {**group.sizes, "orders": group.sizes["orders"] + 1}
        machine = group.machine
        assert set(machine.assignment) == set(machine.members)
        assert all(one.epoch <= machine.epoch for one in machine.members.values())
        for facts in (group.journal, machine.hard_facts()):
            replayed = ShareGroup("work")
            for fact in facts:
                replayed.apply(fact)
            assert known(replayed) == known(machine)


def test_a_restarted_coordinator_waits_a_session_for_each_member():
    group = Group()
    group.beat("a")
    group.beat("b")

    names = [effect.name for effect in group.machine.recover().effects]
    assert names == [("session", "a"), ("session", "b")]
