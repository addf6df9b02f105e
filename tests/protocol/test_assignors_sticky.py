"""Members keep what they have, as far as an even spread allows; nobody is given what moves."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.protocol import assignors_sticky
from simulator.protocol.assignors import Subscription, UserData
from simulator.protocol.assignors_general import _Scales
from simulator.protocol.assignors_sticky import _Shares, assign_cooperative_sticky, assign_sticky
from simulator.protocol.messages import JoinGroupMember
from simulator.protocol.names import TopicPartition
from simulator.protocol.sticky_facts import Claims


def parsed(text):
    """t0 u12 is partition 0 of topic t and 12 of u."""
    return tuple(TopicPartition(one[0], int(one[1:])) for one in text.split())


def member(member_id, topics, owned="", generation=1, *, rack="", instance=None):
    """It says the same of what it owns to both assignors: as user data, and as what it owns."""
    had = parsed(owned) if isinstance(owned, str) else tuple(owned)
    said = Subscription(tuple(topics), rack, had, generation, UserData(had, generation))
    return JoinGroupMember(member_id, instance, said)


def short(assignment):
    return {
        who: " ".join(f"{topic}{number}" for topic, number in own)
        for who, own in sorted(assignment.items())
    }


def sticky(members, racks=None, /, **sizes):
    partitions = {topic: range(size) for topic, size in sizes.items()}
    return short(assign_sticky(members, partitions, racks or {}))


def cooperative(members, racks=None, /, **sizes):
    partitions = {topic: range(size) for topic, size in sizes.items()}
    return short(assign_cooperative_sticky(members, partitions, racks or {}))


# --- Equal subscriptions ---------------------------------------------------------------------


def test_fresh_members_are_dealt_partitions_in_a_circle():
    """The first example of StickyAssignor.java."""
    members = [member(name, "abcd") for name in ("m0", "m1", "m2")]

    assert sticky(members, a=2, b=2, c=2, d=2) == {
        "m0": "a0 b1 d0",
        "m1": "a1 c0 d1",
        "m2": "b0 c1",
    }


def test_those_who_stay_keep_everything_and_share_the_rest():
    """The same example, when the second member has left: in a circle too, until one is full.

    (The example's own words are older than this algorithm, and give c0 to the first.)
    """
    left = [member("m0", "abcd", "a0 b1 d0"), member("m2", "abcd", "b0 c1")]

    assert sticky(left, a=2, b=2, c=2, d=2) == {"m0": "a0 a1 b1 d0", "m2": "b0 c0 c1 d1"}


def test_which_of_two_full_members_keeps_one_more_is_up_to_the_hashes_of_their_ids():
    """A HashMap names n1 before n40, and n40 before m9."""
    for other, kept in (("n1", "t4 t5 t6"), ("m9", "t4 t5")):
        members = [
            member("n40", "t", "t0 t1 t2 t3"), member(other, "t", "t4 t5 t6"), member("z", "t")
        ]  # fmt: skip
        assert sticky(members, t=7)[other] == kept


def test_static_members_do_not_stand_first():
    members = [member("b", "t", instance="i1"), member("a", "t")]

    assert sticky(members, t=1) == {"a": "t0", "b": ""}


def test_the_newer_generation_is_believed():
    members = [member("a", "t", "t0 t1", 1), member("b", "t", "t0 t2", 2)]

    assert sticky(members, t=4) == {"a": "t1 t3", "b": "t0 t2"}


def test_an_old_claim_that_nobody_contests_counts():
    members = [member("a", "t", "t1", 1), member("b", "t", "t0", 7)]

    assert sticky(members, t=2) == {"a": "t1", "b": "t0"}


def test_what_two_claim_in_one_generation_is_nobodys():
    """The cooperative assignor gives it to neither, for either may still be reading it."""
    members = [member("a", "t", "t0 t1", 3), member("b", "t", "t0 t2", 3)]

    assert cooperative(members, t=3) == {"a": "t1", "b": "t2"}
    assert sticky(members, t=3) == {"a": "t0 t1", "b": "t2"}


def test_among_different_subscriptions_one_of_two_claimants_keeps_it():
    """Only what goes to a member that did not claim it is withheld there, as Kafka has it."""
    members = [member("a", "tu", "t0 t1", 3), member("b", "t", "t0 t2", 3)]

    assert cooperative(members, t=3) == {"a": "t0 t1", "b": "t2"}


def test_the_others_generation_is_that_of_its_membership():
    """As Kafka has it: a's claim of generation 5 loses to one of 4, for a is not a member now."""
    fenced = JoinGroupMember(
        "a", None, Subscription(("t",), generation=-1, user_data=UserData(parsed("t0 t1"), 5))
    )
    members = [fenced, member("b", "t", "t0 t2", 4)]

    assert sticky(members, t=4) == {"a": "t1 t3", "b": "t0 t2"}


def test_an_eager_member_is_believed_by_its_user_data_alone():
    owning = Subscription(("t",), owned=parsed("t0"), generation=1)
    members = [JoinGroupMember("b", None, owning), member("a", "t")]

    assert sticky(members, t=2) == {"a": "t0", "b": "t1"}
    assert cooperative(members, t=2) == {"a": "t1", "b": "t0"}


def test_a_cooperative_members_generation_stands_in_its_user_data_if_it_has_none():
    said = Subscription(("t",), owned=parsed("t0"), user_data=UserData((), 2))
    members = [JoinGroupMember("z", None, said), member("a", "t", "t0", 1)]

    assert cooperative(members, t=2) == {"a": "t1", "z": "t0"}


def test_a_deleted_topic_and_a_lost_partition_are_forgotten():
    members = [member("a", "tu", "t0 u0"), member("b", "tu", "t1 t5")]

    assert sticky(members, t=2) == {"a": "t0", "b": "t1"}
    assert sticky(members) == {"a": "", "b": ""}


def test_what_moves_is_given_out_by_the_second_rebalance():
    first = [member("a", "t", "t0 t1 t2 t3"), member("b", "t")]
    assert cooperative(first, t=4) == {"a": "t0 t1", "b": ""}

    second = [member("a", "t", "t0 t1", 2), member("b", "t", "", 2)]
    assert cooperative(second, t=4) == {"a": "t0 t1", "b": "t2 t3"}


def test_a_partition_is_matched_to_a_rack_before_it_is_left_where_it_was():
    """KIP-881; and the cooperative assignor withholds what is taken for its rack (KAFKA-15170)."""
    racks = {one: "x" if one.partition < 2 else "y" for one in parsed("t0 t1 t2 t3")}
    members = [member("a", "t", "t0 t2", rack="x"), member("b", "t", "t1 t3", rack="y")]

    assert sticky(members, racks, t=4) == {"a": "t0 t1", "b": "t2 t3"}
    assert cooperative(members, racks, t=4) == {"a": "t0", "b": "t3"}


# --- Different subscriptions -----------------------------------------------------------------


def test_topics_with_few_subscribers_go_first():
    """The second example of StickyAssignor.java."""
    members = [member("m0", "a"), member("m1", "ab"), member("m2", "abc")]

    assert sticky(members, a=1, b=2, c=3) == {"m0": "a0", "m1": "b0 b1", "m2": "c0 c1 c2"}


def test_what_a_departed_member_had_goes_to_who_has_least():
    left = [member("m1", "ab", "b0 b1"), member("m2", "abc", "c0 c1 c2")]

    assert sticky(left, a=1, b=2, c=3) == {"m1": "a0 b0 b1", "m2": "c0 c1 c2"}


def test_what_must_move_goes_back_to_a_former_owner():
    """c had t0 before a had it; without that b, which stands before c, would be given it."""
    a, b = member("a", "tu", "t0 t1 t2 t3", 2), member("b", "t", "", 2)

    assert sticky([a, b, member("c", "t", "t0", 1)], t=4)["c"] == "t0"
    assert sticky([a, b, member("c", "t", "", 1)], t=4)["b"] == "t0"


def test_a_former_owner_that_unsubscribed_is_passed_over():
    members = [
        member("a", "t", "t0 t1 t2", 2), member("b", "u", "t0 t1 t2", 1), member("c", "t", "", 2)
    ]  # fmt: skip

    assert sticky(members, t=3, u=1) == {"a": "t1 t2", "b": "u0", "c": "t0"}


def test_racks_count_among_different_subscriptions_too():
    racks = {one: "x" if one.partition < 2 else "y" for one in parsed("t0 t1 t2 t3 u0")}
    members = [member("a", "tu", "t2 t3", rack="x"), member("b", "t", "t0 t1", rack="y")]

    assert sticky(members, racks, t=4, u=1) == {"a": "t0 t1 u0", "b": "t2 t3"}
    assert cooperative(members, racks, t=4, u=1) == {"a": "u0", "b": ""}


# --- Laws --------------------------------------------------------------------------------------


def broken(members, sizes, assign, *, withheld=False):
    """Which law the assignment breaks, or None."""
    got = assign(members, {topic: range(size) for topic, size in sizes.items()}, {})
    said = {one.member_id: one.metadata for one in members}
    wanted = {topic for one in said.values() for topic in one.topics if topic in sizes}
    everything = {TopicPartition(topic, one) for topic in wanted for one in range(sizes[topic])}
    times = Counter(one for own in got.values() for one in own)
    if max(times.values(), default=1) > 1:
        return "given twice"
    if any(one.topic not in said[who].topics for who, own in got.items() for one in own):
        return "not subscribed"
    claimed = {one: {who for who in said if one in said[who].owned} for one in everything}
    if withheld:
        for who, own in got.items():
            if any(claimed[one] - {who} and who not in claimed[one] for one in own):
                return "another has it still"
        if not all(claimed[one] for one in everything - set(times)):
            return "withheld from nobody"
        return None
    if set(times) != everything:
        return "not given"
    owner = {one: who for who, own in got.items() for one in own}
    if any(
        len(got[owner[one]]) - len(got[who]) > 1
        for one in everything
        for who in said
        if one.topic in said[who].topics
    ):
        return "uneven"
    if len({frozenset(one.topics) for one in said.values()}) == 1 and all(
        len(who) < 2 for who in claimed.values()
    ):
        least, more = divmod(len(everything), len(said))
        had = [len(everything & {*one.owned}) for one in said.values()]
        kept = sum(min(one, least) for one in had) + min(more, sum(one > least for one in had))
        if sum(len({*own} & {*said[who].owned}) for who, own in got.items()) < kept:
            return "moved without need"
    return None


SIZES = st.dictionaries(st.sampled_from("tuv"), st.integers(1, 5), min_size=1)


@st.composite
def groups(draw, *, equal=None, agreeing=True):
    """Members of a group with sizes of topics; each partition had one owner, or several."""
    sizes = draw(SIZES)
    count = draw(st.integers(1, 5))
    equal = draw(st.booleans()) if equal is None else equal
    topics = st.sets(st.sampled_from(sorted(sizes)), min_size=1).map(sorted)
    said = [draw(topics)] * count if equal else [draw(topics) for _ in range(count)]
    owned = [[] for _ in range(count)]
    for topic, size in sorted(sizes.items()):
        for one in range(size + 1):  # One more than there is.
            claiming = st.sets(st.integers(0, count - 1), max_size=1 if agreeing else 3)
            for who in sorted(draw(claiming)):
                owned[who].append(TopicPartition(topic, one))
    ids = st.lists(st.text("abcxyz09-", min_size=1, max_size=6), min_size=count, unique=True)
    generations = st.just(1) if agreeing else st.integers(-1, 3)
    members = [
        member(name, topics, had, draw(generations))
        for name, topics, had in zip(draw(ids), said, owned, strict=False)
    ]
    return members, sizes


@given(groups())
def test_everything_is_given_once_evenly_and_kept_where_it_can_be(group):
    assert broken(*group, assign_sticky) is None


@given(groups(agreeing=False))
def test_so_it_is_whatever_members_claim(group):
    assert broken(*group, assign_sticky) is None


@given(groups(agreeing=False))
def test_nobody_is_given_what_another_has_still(group):
    assert broken(*group, assign_cooperative_sticky, withheld=True) is None


@given(groups(agreeing=False), st.randoms(use_true_random=False))
def test_the_order_in_which_members_are_named_does_not_matter(group, chance):
    members, sizes = group
    shuffled = chance.sample(members, len(members))

    for assign in (assign_sticky, assign_cooperative_sticky):
        partitions = {topic: range(size) for topic, size in sizes.items()}
        assert assign(members, partitions) == assign(shuffled, dict(reversed(partitions.items())))


@given(groups())
def test_where_members_agree_the_cooperative_assignment_is_the_sticky_one_without_what_moves(group):
    members, sizes = group
    partitions = {topic: range(size) for topic, size in sizes.items()}
    whole = assign_sticky(members, partitions)
    owner = {one: who.member_id for who in members for one in who.metadata.owned}

    assert assign_cooperative_sticky(members, partitions) == {
        who: tuple(one for one in own if owner.get(one, who) == who) for who, own in whole.items()
    }


@given(groups())
def test_nothing_moves_when_nothing_has_changed(group):
    members, sizes = group
    once = assign_sticky(members, {topic: range(size) for topic, size in sizes.items()})
    again = [member(one.member_id, one.metadata.topics, once[one.member_id], 2) for one in members]

    for assign in (assign_sticky, assign_cooperative_sticky):
        assert assign(again, {topic: range(size) for topic, size in sizes.items()}) == once


@given(groups())
def test_cooperative_rebalances_come_to_an_end(group):
    """Each member gives up what it must, and all join again, until nothing is withheld."""
    members, sizes = group
    partitions = {topic: range(size) for topic, size in sizes.items()}
    for generation in range(2, 5):
        got = assign_cooperative_sticky(members, partitions)
        owned = {who.member_id: list(got[who.member_id]) for who in members}
        members = [
            member(one.member_id, one.metadata.topics, owned[one.member_id], generation)
            for one in members
        ]
        if broken(members, sizes, lambda *_, now=got: now) is None:
            return
    raise AssertionError("something is withheld still")


@given(groups(equal=True))
@example(([member("a", "t", "t0 t1 t2"), member("b", "t", "t3"), member("c", "t")], {"t": 5}))
def test_no_even_spread_keeps_more(group):
    """All even spreads of a few partitions, one by one, are the oracle."""
    members, sizes = group
    members = members[:3]
    topic = members[0].metadata.topics[0]
    sizes = {topic: min(sizes.get(topic, 0), 5)}
    members = [member(one.member_id, topic, one.metadata.owned) for one in members]
    everything = [TopicPartition(topic, one) for one in range(sizes[topic])]
    least, more = divmod(len(everything), len(members))

    def kept(owners):
        pairs = zip(everything, owners, strict=True)
        return sum(one in members[who].metadata.owned for one, who in pairs)

    best = max(
        kept(owners)
        for owners in product(range(len(members)), repeat=len(everything))
        if all(least <= owners.count(who) <= least + (more > 0) for who in range(len(members)))
    )
    got = assign_sticky(members, {topic: range(sizes[topic])})
    assert best == sum(len({*got[who.member_id]} & {*who.metadata.owned}) for who in members)


# --- Planted bugs ------------------------------------------------------------------------------


def forgets_what_was_owned(patch):
    patch.setattr(assignors_sticky, "UserData", lambda *_: UserData())
    patch.setattr(
        Claims,
        "of",
        classmethod(lambda cls, said, *_: cls({who: [] for who in said}, frozenset(), {})),
    )


def keeps_more_than_its_share(patch):
    keep = _Shares.keep

    def greedy(self, who, owned):
        self.smallest += 1
        self.largest += 1
        keep(self, who, owned)
        self.smallest -= 1
        self.largest -= 1

    patch.setattr(_Shares, "keep", greedy)


def believes_both(patch):
    of = Claims.of

    def trusting(cls, subscriptions, said, there):
        claims = of(subscriptions, said, there)
        for who, one in subscriptions.items():
            claims.owned[who][:] = [tp for tp in said(one).owned if tp in there]
        return cls(claims.owned, frozenset(), claims.previous)

    patch.setattr(Claims, "of", classmethod(trusting))


def never_evens_out(patch):
    patch.setattr(_Scales, "even_out", lambda *_: False)


def hands_out_to_anybody(patch):
    hand_out = _Scales.hand_out

    def careless(self, free, near):
        for partition in free:
            self.put(partition, self.order[0][1])
        return hand_out(self, [], near)

    patch.setattr(_Scales, "hand_out", careless)


def gives_what_moves_at_once(patch):
    patch.setattr(_Shares, "give", lambda self, one, who: self.given[who].append(one))
    patch.setattr(assignors_sticky, "_moving", lambda *_: {})


GROUPS = [
    ([member("a", "t", "t0 t1 t2 t3"), member("b", "t")], {"t": 4}),
    ([member("a", "t", "t3 t2"), member("b", "t", "t0 t1")], {"t": 4}),
    ([member("a", "t", "t0 t1", 2), member("b", "t", "t0 t1", 1)], {"t": 2}),
    ([member("a", "tu", "t0 t1 t2 t3"), member("b", "t")], {"t": 4, "u": 1}),
    ([member("a", "t"), member("b", "u"), member("c", "u")], {"t": 3, "u": 1}),
]  # fmt: skip
BUGS = [
    (forgets_what_was_owned, "moved without need"),
    (keeps_more_than_its_share, "an assertion"),
    (believes_both, "an assertion"),
    (never_evens_out, "uneven"),
    (hands_out_to_anybody, "not subscribed"),
    (gives_what_moves_at_once, "another has it still"),
]


def judged():
    for group in GROUPS:
        yield broken(*group, assign_sticky)
        yield broken(*group, assign_cooperative_sticky, withheld=True)


def test_these_groups_are_assigned_by_the_laws():
    assert not any(judged())


@pytest.mark.parametrize(("plant", "law"), BUGS, ids=lambda one: getattr(one, "__name__", None))
def test_a_planted_bug_breaks_a_law(monkeypatch, plant, law):
    plant(monkeypatch)
    found = []
    for group in GROUPS:
        for assign, withheld in ((assign_sticky, False), (assign_cooperative_sticky, True)):
            try:
                found.append(broken(*group, assign, withheld=withheld))
            except AssertionError:
                found.append("an assertion")

    assert law in found
