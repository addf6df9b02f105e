"""Every partition goes to exactly one subscriber, in Kafka's order."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol.assignors import (
    ASSIGNORS,
    Subscription,
    assign_range,
    assign_round_robin,
    in_order,
)
from simulator.protocol.messages import JoinGroupMember
from simulator.protocol.names import TopicPartition


def member(member_id, *topics, instance=None, rack=""):
    return JoinGroupMember(member_id, instance, Subscription(topics, rack))


def short(assignment):
    """t0 for partition 0 of topic t."""
    return {
        who: " ".join(f"{topic}{number}" for topic, number in own)
        for who, own in assignment.items()
    }


def test_static_members_stand_before_dynamic_ones():
    members = [member("a"), member("z", instance="i2"), member("y", instance="i9"), member("b")]

    assert [one.member_id for one in in_order(members)] == ["z", "y", "a", "b"]


def test_range_gives_the_odd_partitions_to_the_first_members_of_every_topic():
    members = [member("a", "t", "u"), member("b", "t", "u")]

    got = assign_range(members, {"t": range(3), "u": range(3)})

    assert short(got) == {"a": "t0 t1 u0 u1", "b": "t2 u2"}


def test_range_leaves_members_idle_when_there_are_too_many():
    got = assign_range([member("a", "t"), member("b", "t"), member("c", "t")], {"t": range(2)})

    assert short(got) == {"a": "t0", "b": "t1", "c": ""}


def test_round_robin_deals_all_topics_in_one_circle():
    members = [member("a", "t", "u"), member("b", "t", "u")]

    got = assign_round_robin(members, {"t": range(3), "u": range(3)})

    assert short(got) == {"a": "t0 t2 u1", "b": "t1 u0 u2"}


def test_round_robin_passes_over_who_does_not_subscribe():
    members = [member("a", "t"), member("b", "t", "u"), member("c", "t")]

    got = assign_round_robin(members, {"t": range(3), "u": range(2)})

    assert short(got) == {"a": "t0", "b": "t1 u0 u1", "c": "t2"}


def test_range_prefers_a_replica_in_the_members_rack():
    """Racks are matched first, then the ranges are filled up (KIP-881)."""
    members = [member("a", "t", rack="x"), member("b", "t", rack="y")]
    racks = {TopicPartition("t", number): ("y",) if number < 2 else ("x",) for number in range(4)}

    assert short(assign_range(members, {"t": range(4)})) == {"a": "t0 t1", "b": "t2 t3"}
    assert short(assign_range(members, {"t": range(4)}, racks)) == {"a": "t2 t3", "b": "t0 t1"}


def test_range_matches_racks_of_copartitioned_topics_together():
    members = [member("a", "t", "u", rack="x"), member("b", "t", "u", rack="y")]
    racks = {
        TopicPartition(topic, number): ("y",) if number == 0 else ("x",)
        for topic in ("t", "u")
        for number in range(2)
    }

    got = assign_range(members, {"t": range(2), "u": range(2)}, racks)

    assert short(got) == {"a": "t1 u1", "b": "t0 u0"}


def test_racks_that_hold_every_partition_change_nothing():
    members = [member("a", "t", rack="x"), member("b", "t", rack="y")]
    racks = {TopicPartition("t", number): ("x", "y") for number in range(4)}

    assert assign_range(members, {"t": range(4)}, racks) == assign_range(members, {"t": range(4)})


groups = st.lists(
    st.tuples(st.sets(st.sampled_from("tuv")), st.sampled_from(["", "x", "y"]), st.booleans()),
    min_size=1,
    max_size=6,
).map(
    lambda said: [
        member(f"m{n}", *sorted(topics), rack=rack, instance=f"i{n}" if static else None)
        for n, (topics, rack, static) in enumerate(said)
    ]
)
topics = st.dictionaries(st.sampled_from("tuv"), st.integers(0, 7).map(range))


@pytest.mark.parametrize("name", sorted(ASSIGNORS))
@given(members=groups, partitions=topics)
def test_every_partition_goes_to_exactly_one_subscriber(name, members, partitions):
    racks = {
        TopicPartition(topic, number): ("x",) if number % 2 else ("y",)
        for topic, numbers in partitions.items()
        for number in numbers
    }

    got = ASSIGNORS[name](members, partitions, racks)

    wanted = {topic for one in members for topic in one.metadata.topics}
    given_out = Counter(partition for own in got.values() for partition in own)
    assert given_out == Counter(tp for tp in racks if tp.topic in wanted)
    for one in members:
        assert {tp.topic for tp in got[one.member_id]} <= {*one.metadata.topics}


@pytest.mark.parametrize("name", sorted(ASSIGNORS))
@given(members=groups, partitions=topics)
def test_the_order_in_which_members_are_named_does_not_matter(name, members, partitions):
    once = ASSIGNORS[name](members, partitions, {})

    assert ASSIGNORS[name](members[::-1], partitions, {}) == once
