"""The coordinator's assignors: one target for each partition, even, and near the target before."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol import assignors_server, assignors_server_uneven
from simulator.protocol.assignors_server import (
    SERVER_ASSIGNORS,
    CannotAssign,
    MemberSpec,
    assign_heterogeneous,
    assign_homogeneous,
    assign_range,
    assign_uniform,
)
from simulator.protocol.assignors_server_uneven import _Levels
from simulator.protocol.names import TopicPartition


def parsed(text):
    return tuple(TopicPartition(one[0], int(one[1:])) for one in text.split())


def member(member_id, topics, owned="", instance=None):
    had = parsed(owned) if isinstance(owned, str) else tuple(owned)
    return MemberSpec(member_id, tuple(topics), instance, had)


def short(assignment):
    return {
        who: " ".join(f"{topic}{number}" for topic, number in own)
        for who, own in sorted(assignment.items())
    }


def uniform(*members, **sizes):
    return short(assign_uniform(members, sizes))


def ranges(*members, **sizes):
    return short(assign_range(members, sizes))


# --- Uniform, equal subscriptions --------------------------------------------------------------


def test_members_are_filled_up_one_after_the_other():
    """Not in a circle, as the clients' assignors do."""
    got = uniform(member("a", "tu"), member("b", "tu"), t=4, u=3)

    assert got == {"a": "t0 t1 t2 t3", "b": "u0 u1 u2"}


def test_a_newcomer_is_given_what_is_beyond_the_shares_of_the_others():
    got = uniform(member("a", "t", "t0 t1 t2"), member("b", "t", "t3 t4 t5"), member("c", "t"), t=6)

    assert got == {"a": "t0 t1", "b": "t3 t4", "c": "t2 t5"}


def test_the_first_members_have_the_larger_shares_whatever_they_had():
    """So b loses a partition that it could have kept."""
    got = uniform(member("a", "t", "t0"), member("b", "t", "t1 t2"), t=3)

    assert got == {"a": "t0 t2", "b": "t1"}


def test_more_members_than_partitions_leave_the_last_ones_idle():
    got = uniform(member("a", "t"), member("b", "t"), member("c", "t", "t0"), t=1)

    assert got == {"a": "t0", "b": "", "c": ""}


def test_what_nobody_subscribes_to_any_more_is_given_up():
    got = uniform(member("a", "t", "t0 u0"), member("b", "t", "t1 u1"), t=2, u=2)

    assert got == {"a": "t0", "b": "t1"}


# --- Uniform, different subscriptions ----------------------------------------------------------


def test_topics_with_many_partitions_a_subscriber_go_first():
    got = uniform(member("a", "tu"), member("b", "u"), t=3, u=6)

    assert got == {"a": "t0 t1 t2 u4", "b": "u0 u1 u2 u3 u5"}


def test_the_last_partitions_of_who_has_most_go_to_who_has_least():
    got = uniform(member("a", "t", "t0 t1 t2 t3"), member("b", "tu", ""), t=4, u=1)

    assert got == {"a": "t0 t1 t2", "b": "t3 u0"}


def test_who_has_most_but_nothing_of_the_topic_gives_nothing():
    members = [member("a", "tv", "v0 v1 v2 v3"), member("b", "t", "t0 t1 t2"), member("c", "t")]

    assert uniform(*members, t=3, v=4) == {"a": "v0 v1 v2 v3", "b": "t0 t1", "c": "t2"}


def test_every_topic_may_be_even_though_a_chain_of_exchanges_could_gain_something():
    """The example in Kafka's own words: 9, 10 and 11."""
    t, u = (
        " ".join(f"{topic}{one}" for one in range(size)) for topic, size in (("t", 10), ("u", 20))
    )
    members = [
        member("a", "t", parsed(t)[:9]),
        member("b", "tu", parsed(t)[9:] + parsed(u)[:9]),
        member("c", "u", parsed(u)[9:]),
    ]

    got = assign_uniform(members, {"t": 10, "u": 20})

    assert {who: len(own) for who, own in got.items()} == {"a": 9, "b": 10, "c": 11}


# --- Range -------------------------------------------------------------------------------------


def test_ranges_of_topics_line_up_and_forget_what_was():
    got = ranges(member("a", "tu", "t2 u2"), member("b", "tu"), t=3, u=3)

    assert got == {"a": "t0 t1 u0 u1", "b": "t2 u2"}


def test_static_members_stand_first_by_instance_id():
    got = ranges(member("a", "t"), member("z", "t", instance="i1"), t=3)

    assert got == {"a": "t2", "z": "t0 t1"}


# --- Both --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SERVER_ASSIGNORS))
def test_a_topic_that_is_not_there_is_refused(name):
    for members in ([member("a", "tu")], [member("a", "t"), member("b", "u")]):
        got = SERVER_ASSIGNORS[name](members, {"t": 1})
        assert isinstance(got, CannotAssign)
        assert "exist" in got.reason


@pytest.mark.parametrize("name", sorted(SERVER_ASSIGNORS))
def test_a_group_that_wants_nothing_is_given_nothing(name):
    assert SERVER_ASSIGNORS[name]([], {"t": 1}) == {}
    assert SERVER_ASSIGNORS[name]([member("a", ""), member("b", "")], {"t": 1}) == {
        "a": (), "b": ()
    }  # fmt: skip


def test_who_subscribes_to_nothing_is_given_nothing():
    assert uniform(member("a", "t"), member("b", "", "t1"), t=2) == {"a": "t0 t1", "b": ""}


# --- Laws --------------------------------------------------------------------------------------


@st.composite
def groups(draw, *, equal=None):
    """Members and sizes of topics, with a target of some earlier group; no partition twice."""
    sizes = draw(st.dictionaries(st.sampled_from("tuv"), st.integers(1, 7), min_size=1))
    count = draw(st.integers(1, 6))
    equal = draw(st.booleans()) if equal is None else equal
    topics = st.sets(st.sampled_from(sorted(sizes)), min_size=1).map(sorted)
    said = [draw(topics)] * count if equal else [draw(topics) for _ in range(count)]
    owned = [[] for _ in range(count + 1)]
    for topic, size in sorted(sizes.items()):
        for one in range(size):
            owned[draw(st.integers(0, count))].append(TopicPartition(topic, one))
    ids = draw(st.lists(st.text("abcxyz09-", min_size=1), min_size=count, unique=True))
    members = zip(ids, said, owned, strict=False)
    return [member(name, topics, had) for name, topics, had in members][:count], sizes


def kept(members, got):
    return sum(len({*who.owned} & {*got[who.member_id]}) for who in members)


def broken(members, sizes, assign, *, even=True):
    """Which law the assignment breaks, or None."""
    got = assign(members, sizes)
    topics = {who.member_id: who.topics for who in members}
    wanted = {topic for one in topics.values() for topic in one}
    times = Counter(one for own in got.values() for one in own)
    if max(times.values(), default=1) > 1:
        return "given twice"
    if any(one.topic not in topics[who] for who, own in got.items() for one in own):
        return "not subscribed"
    if set(times) != {
        TopicPartition(topic, one) for topic in wanted for one in range(sizes[topic])
    }:
        return "not given"
    if not even:
        return None
    if any(
        len(own) - len(got[who]) > 1
        for own in got.values()
        for one in own
        for who in topics
        if one.topic in topics[who]
    ):
        return "uneven"
    if len({frozenset(one) for one in topics.values()}) == 1:
        least, more = divmod(len(times), len(members))
        could = sum(
            min(least + (place < more), sum(one.topic in wanted for one in who.owned))
            for place, who in enumerate(sorted(members))
        )
        if kept(members, got) < could:
            return "moved without need"
    return None


@given(groups())
def test_uniform_gives_everything_once_and_evenly_and_keeps_what_it_can(group):
    assert broken(*group, assign_uniform) is None


@given(groups(equal=True))
def test_either_algorithm_will_do_for_equal_subscriptions(group):
    """Kafka's tests hold the one for unequal subscriptions to it too; it keeps no less."""
    members, sizes = group

    assert broken(*group, assign_heterogeneous) is None
    assert kept(members, assign_heterogeneous(members, sizes)) >= kept(
        members, assign_homogeneous(members, sizes)
    )


@given(groups())
def test_range_gives_everything_once_and_cuts_every_topic_evenly(group):
    members, sizes = group
    got = assign_range(members, sizes)

    assert broken(*group, assign_range, even=False) is None
    for topic in sizes:
        parts = [
            [one.partition for one in got[who.member_id] if one.topic == topic]
            for who in members
            if topic in who.topics
        ]
        lengths = [len(part) for part in parts] or [0]
        assert max(lengths) - min(lengths) <= 1
        assert all(part == list(range(part[0], part[-1] + 1)) for part in parts if part)


@pytest.mark.parametrize("name", sorted(SERVER_ASSIGNORS))
@given(group=groups())
def test_a_target_stays_when_nothing_has_changed(name, group):
    members, sizes = group
    once = SERVER_ASSIGNORS[name](members, sizes)
    again = [who._replace(owned=once[who.member_id]) for who in members]

    assert SERVER_ASSIGNORS[name](again, sizes) == once


@pytest.mark.parametrize("name", sorted(SERVER_ASSIGNORS))
@given(group=groups())
def test_the_order_in_which_members_are_named_does_not_matter(name, group):
    members, sizes = group
    turned = [who._replace(topics=who.topics[::-1], owned=who.owned[::-1]) for who in members[::-1]]

    assert SERVER_ASSIGNORS[name](turned, dict(reversed(sizes.items()))) == SERVER_ASSIGNORS[name](
        members, sizes
    )


# --- Planted bugs ------------------------------------------------------------------------------


def never_evens_out(patch):
    patch.setattr(assignors_server_uneven, "_even_out", lambda *_: None)


def fills_who_has_most(patch):
    patch.setattr(_Levels, "next_least", lambda self: self.members[-1])


def gives_to_strangers(patch):
    patch.setattr(_Levels, "next_least", lambda _: 0)


def forgets_the_target(patch):
    real = assignors_server.assign_homogeneous
    patch.setattr(
        assignors_server,
        "assign_homogeneous",
        lambda members, sizes: real([who._replace(owned=()) for who in members], sizes),
    )


def takes_the_target_as_it_is(patch):
    def lazy(members, _sizes):
        return {who.member_id: tuple(sorted(who.owned)) for who in members}

    patch.setattr(assignors_server, "assign_homogeneous", lazy)


GROUPS = [
    ([member("a", "t", "t0 t1 t2 t3"), member("b", "t")], {"t": 4}),
    ([member("a", "t", "t3 t2"), member("b", "t", "t0 t1")], {"t": 4}),
    ([member("a", "tu", "t0 t1 t2 t3"), member("b", "t")], {"t": 4, "u": 1}),
    ([member("a", "t"), member("b", "u"), member("c", "u")], {"t": 3, "u": 3}),
    ([member("a", "t"), member("b", "t")], {"t": 3}),
]
BUGS = [
    (never_evens_out, "uneven"),
    (fills_who_has_most, "uneven"),
    (gives_to_strangers, "not subscribed"),
    (forgets_the_target, "moved without need"),
    (takes_the_target_as_it_is, "not given"),
]


def judged():
    return [broken(*group, assignors_server.assign_uniform) for group in GROUPS]


def test_these_groups_are_assigned_by_the_laws():
    assert judged() == [None] * len(GROUPS)


@pytest.mark.parametrize(("plant", "law"), BUGS, ids=lambda one: getattr(one, "__name__", None))
def test_a_planted_bug_breaks_a_law(monkeypatch, plant, law):
    plant(monkeypatch)

    assert law in judged()
