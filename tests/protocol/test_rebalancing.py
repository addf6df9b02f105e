"""What a member lives through in a rebalance: callbacks, positions and fetches, row by row.

Eager members give up all before they join, cooperative ones (KIP-429) only what others are to
have, and after they know it.
"""

import pytest

from simulator.errors import KafkaError
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    FetchRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupMember,
    JoinGroupRequest,
    MetadataRequest,
    OffsetCommitRequest,
    OffsetFetchRequest,
    SyncGroupRequest,
    SyncGroupResponse,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.subscriptions import Subscription, UserData
from tests.consuming import P0, P1, P2, Hand, batch

COOPERATIVE = ("cooperative-sticky",)
PARCELS = TopicPartition("parcels", 0)


def beat(hand, error=Error.REBALANCE_IN_PROGRESS):
    """A heartbeat is answered: by default, that the group rebalances."""
    while not hand.waiting(HeartbeatRequest):
        hand.wait(1_000)
    return hand.answer(HeartbeatRequest, HeartbeatResponse(error))


def member(*partitions, strategy=COOPERATIVE, **settings):
    """A member of generation 1 that stands at 0 in each partition; a poll waits for a fetch."""
    hand = Hand(partition_assignment_strategy=strategy, **settings)
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    hand.metadata()
    into(hand, 1, *partitions)
    if partitions:
        hand.committed(**{f"p{one.partition}": 0 for one in partitions})
    return hand


def into(hand, generation, *partitions):
    """Join and sync: what the member said of itself, in each of its protocols."""
    strategy = hand.settings.partition_assignment_strategy
    join = hand.joined(generation, protocol=strategy[0])
    hand.synced(*partitions)
    return [said for _, said in join.protocols]


def fetched_of(hand):
    """The partitions of the fetch that waits."""
    return [one.partition for one in hand.pending(FetchRequest).body.partitions]


def events(hand, *, since=1):
    """What the trace was told of partitions, after so many events."""
    return [
        (kind.removeprefix("partitions_"), generation, [number for _, number in partitions])
        for kind, _, generation, partitions in hand.happened[since:]
    ]


# --- Which protocol --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "cooperative"),
    [
        (("range",), False),
        (("sticky",), False),
        (("range", "cooperative-sticky"), False),
        (("cooperative-sticky", "range"), False),
        (("cooperative-sticky",), True),
    ],
)
def test_a_member_is_cooperative_if_all_its_assignors_are(strategy, cooperative):
    """The first two rows of the callbacks: revoked before the join, or not."""
    hand = member(P0, strategy=strategy)
    assert hand.settings.cooperative is cooperative
    beat(hand)

    assert hand.heard[1:] == ([] if cooperative else [("revoked", (P0,))])
    assert hand.owned == ((P0,) if cooperative else ())


# --- Before JoinGroup ------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [("range",), COOPERATIVE])
def test_the_first_join_calls_nobody_before_it(strategy):
    hand = member(strategy=strategy)

    assert hand.heard == [("assigned", ())]


def test_an_eager_member_that_owns_nothing_is_told_so_and_a_cooperative_one_is_not():
    eager, cooperative = member(strategy=("range",)), member()
    for hand in (eager, cooperative):
        beat(hand)
        into(hand, 2)

    assert eager.heard[1:] == [("revoked", ()), ("assigned", ())]
    assert cooperative.heard[1:] == [("assigned", ())]


def test_an_eager_member_hands_out_nothing_from_the_commit_before_a_rebalance_on():
    hand = member(P0, strategy=("range",), enable_auto_commit=True)
    beat(hand)
    assert hand.waiting(OffsetCommitRequest)
    hand.fetched(p0=[batch(0)])

    assert hand.polled() == "waits"


def test_a_cooperative_member_is_handed_records_all_through_a_rebalance():
    """Also while it commits automatically, which it does before every join."""
    hand = member(P0, P1, enable_auto_commit=True)
    beat(hand)
    assert hand.waiting(OffsetCommitRequest)
    hand.fetched(p0=[batch(0)])
    assert hand.polled() == [(0, 0)]
    assert hand.poll() == "waits"
    hand.commit_answered()
    assert hand.waiting(JoinGroupRequest)
    hand.fetched(p1=[batch(0, 2)])

    assert hand.polled() == [(1, 0), (1, 1)]
    assert hand.poll() == "waits"
    hand.joined(2, protocol=COOPERATIVE[0])
    assert hand.waiting(SyncGroupRequest)
    hand.fetched(p0=[batch(1)])
    assert hand.polled() == [(0, 1)]


def test_a_cooperative_member_gives_up_topics_it_does_not_subscribe_to_any_more():
    hand = Hand(partition_assignment_strategy=COOPERATIVE)
    hand.subscribe("orders", "parcels")
    hand.poll()
    hand.coordinator()
    hand.metadata(("orders", "parcels"))
    into(hand, 1, P0, PARCELS)
    hand.rest()
    hand.subscribe("orders")
    hand.poll()

    assert hand.heard[1:] == [("revoked", (PARCELS,))]
    ((said),) = into(hand, 2, P0)
    assert (said.topics, said.owned) == (("orders",), (P0,))
    assert hand.heard[2:] == [("assigned", ())]


# --- What JoinGroup says ---------------------------------------------------------------------


def test_an_eager_member_owns_nothing_as_it_joins():
    hand = member(P0, P1, strategy=("range", "roundrobin"))
    beat(hand)

    assert into(hand, 2, P0) == [Subscription(("orders",), "", (), 1)] * 2


def test_a_sticky_member_remembers_its_last_assignment_and_the_generation_of_it():
    hand = member(P0, P1, strategy=("sticky",))
    assert hand.owned == (P0, P1)
    beat(hand)

    assert into(hand, 2, P2) == [Subscription(("orders",), "", (), 1, UserData((P0, P1), 1))]
    beat(hand, Error.UNKNOWN_MEMBER_ID)
    assert into(hand, 7, P0) == [Subscription(("orders",), "", (), -1, UserData((P2,), 2))]


def test_a_cooperative_member_says_what_it_owns_and_since_when():
    hand = member(P1, P0)
    beat(hand)

    assert into(hand, 2, P0, P1) == [Subscription(("orders",), "", (P0, P1), 1, UserData((), 1))]


def test_a_first_join_remembers_nothing():
    hand = Hand(partition_assignment_strategy=("range", "sticky", "cooperative-sticky"))
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    plain = Subscription(("orders",))

    assert hand.joined().protocols == (
        ("range", plain),
        ("sticky", plain),
        ("cooperative-sticky", plain._replace(user_data=UserData())),
    )


def test_only_the_assignor_that_was_chosen_remembers():
    hand = Hand(partition_assignment_strategy=("range", "sticky")).into_group(P0)
    beat(hand)

    assert hand.joined(2, protocol="sticky").protocols[1][1].user_data is None
    hand.synced(P0)
    beat(hand)
    assert hand.joined(3).protocols[1][1].user_data == UserData((P0,), 2)


# --- After SyncGroup -------------------------------------------------------------------------


def test_a_cooperative_member_gives_up_what_others_are_to_have_and_joins_again_at_once():
    """A move takes two generations: revoked in one, given to its new owner in the next."""
    hand = member(P0, P1)
    beat(hand)
    into(hand, 2, P0)

    assert hand.heard[1:] == [("revoked", (P1,)), ("assigned", ())]
    (said,) = into(hand, 3, P0)
    assert (said.owned, said.generation) == ((P0,), 2)
    assert hand.heard[3:] == [("assigned", ())]
    assert not hand.waiting(JoinGroupRequest)
    assert events(hand) == [("revoked", 2, [1]), ("assigned", 2, []), ("assigned", 3, [])]


def test_revoked_comes_before_assigned_and_assigned_tells_what_is_new_alone():
    hand = member(P0, P1)
    beat(hand)
    into(hand, 2, P1, P2)

    assert hand.heard[1:] == [("revoked", (P0,)), ("assigned", (P2,))]
    assert hand.owned == (P1, P2)
    assert events(hand) == [("revoked", 2, [0]), ("assigned", 2, [2])]


def test_kept_partitions_keep_position_and_pause_and_new_ones_begin_at_the_commit():
    hand = member(P0, P1)
    hand.fetched(p0=[batch(0, 3)], p1=[batch(0)])
    assert len(hand.polled()) == 4
    hand.machine.positions.pause([P1])
    beat(hand)
    hand.poll()
    into(hand, 2, P0, P1, P2)

    assert hand.committed(p2=9).partitions == (P2,)
    positions = hand.machine.positions
    assert [positions.position(one) for one in (P0, P1, P2)] == [3, 1, 9]
    assert positions.paused == (P1,)


def test_a_partition_that_comes_back_has_lost_its_position_and_its_buffer():
    hand = member(P0, P1, max_poll_records=1)
    hand.fetched(p1=[batch(0, 5)])
    assert hand.polled() == [(1, 0)]
    beat(hand)
    assert hand.poll() == [(1, 1)]
    hand.joined(2, protocol=COOPERATIVE[0])
    assert hand.poll() == [(1, 2)]
    hand.synced(P0)
    assert hand.poll() == "waits"
    into(hand, 3, P0, P1)

    assert hand.committed(p1=0).partitions == (P1,)
    assert hand.machine.positions.position(P1) == 0
    assert hand.polled() == "waits", "what was buffered is gone"


def test_what_is_new_has_no_position_until_the_second_rebalance_is_over():
    """Poll takes part in the group first, and finds positions after."""
    hand = member(P0, P1)
    beat(hand)
    into(hand, 2, P1, P2)

    assert not hand.waiting(OffsetFetchRequest)
    into(hand, 3, P1, P2)
    assert hand.pending(OffsetFetchRequest).body.partitions == (P2,)


def test_every_callback_runs_though_one_throws_and_the_first_error_is_thrown():
    hand = member(P0, P1)
    hand.throwing = ValueError("no disk")
    beat(hand)
    into(hand, 2, P0, P2)

    assert hand.heard[1:] == [("revoked", (P1,)), ("assigned", (P2,))]
    with pytest.raises(KafkaError, match="ValueError: no disk"):
        hand.polled()
    assert hand.owned == (P0, P2)
    hand.throwing = None
    hand.poll()
    assert hand.pending(JoinGroupRequest).body.protocols[0][1].owned == (P0, P2)


def test_a_listener_may_commit_what_it_gives_up_as_a_member_of_the_new_generation():
    """The group is Stable again, and the next rebalance is not asked for before."""
    hand = member(P0, P1)
    hand.holding = True
    beat(hand)
    into(hand, 2, P0)
    assert hand.owned == (P0, P1)
    commit = hand.commit({P1: 5})

    assert hand.commit_answered().generation == 2
    assert commit() is None
    assert not hand.waiting(JoinGroupRequest)
    hand.listened()
    assert hand.owned == (P0,)


# --- Lost ------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [("range",), COOPERATIVE])
@pytest.mark.parametrize("error", [Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION])
def test_a_generation_that_is_lost_takes_everything_with_either_protocol(strategy, error):
    hand = member(P0, P1, strategy=strategy)
    beat(hand, error)

    assert hand.heard[1:] == [("lost", (P0, P1))]
    assert hand.owned == ()
    for said in into(hand, 4, P0):
        assert (said.owned, said.generation) == ((), -1)
    assert hand.heard[2:] == [("assigned", (P0,))]


def test_a_cooperative_member_that_missed_a_generation_loses_what_it_had():
    """Its claim would be of a generation before the one it joined (KAFKA-13419, KAFKA-13891)."""
    hand = member(P0, P1)
    beat(hand)
    hand.joined(2, protocol=COOPERATIVE[0])
    hand.answer(SyncGroupRequest, SyncGroupResponse(Error.REBALANCE_IN_PROGRESS))

    assert hand.heard[1:] == [("lost", (P0, P1))]
    join = hand.pending(JoinGroupRequest).body
    assert join.member_id == "c-1"
    assert (join.protocols[0][1].owned, join.protocols[0][1].generation) == ((), -1)


def test_a_generation_lost_while_the_listener_works_is_lost_in_the_next_round():
    """The assignment is taken all the same, and given up by the join that follows."""
    hand = member(P0, P1)
    hand.holding = True
    beat(hand)
    into(hand, 2, P0)
    beat(hand, Error.UNKNOWN_MEMBER_ID)
    hand.listened()

    assert hand.heard[1:] == [("revoked", (P1,)), ("assigned", ()), ("lost", (P0,))]
    assert hand.pending(JoinGroupRequest).body.member_id == ""


def test_closing_gives_back_all_with_the_cooperative_protocol_too():
    hand = member(P0, P1).rest()
    hand.close()

    assert hand.heard[1:] == [("revoked", (P0, P1))]


# --- The leader ------------------------------------------------------------------------------


def test_a_leaders_assignor_is_the_one_that_the_group_chose_and_sees_what_members_own():
    """Another takes one of three: it is withheld until it is given up."""
    hand = member(P0, P1, P2)
    beat(hand)
    mine = hand.pending(JoinGroupRequest).body.protocols[0][1]
    other = mine._replace(owned=(), generation=-1, user_data=UserData())
    members = (JoinGroupMember("c-1", None, mine), JoinGroupMember("d-1", None, other))
    hand.joined(2, "c-1", members, protocol=COOPERATIVE[0])

    assert dict(hand.pending(SyncGroupRequest).body.assignments) == {"c-1": (P0, P1), "d-1": ()}
    hand.synced(P0, P1)
    given_up = hand.pending(JoinGroupRequest).body.protocols[0][1]
    members = (
        JoinGroupMember("c-1", None, given_up),
        JoinGroupMember("d-1", None, other._replace(generation=2, user_data=UserData((), 2))),
    )
    hand.joined(3, "c-1", members, protocol=COOPERATIVE[0])
    assert dict(hand.pending(SyncGroupRequest).body.assignments) == {
        "c-1": (P0, P1),
        "d-1": (P2,),
    }


def test_a_claim_of_an_older_generation_is_nothing_against_a_newer_one():
    """KAFKA-14639: the leader believes whoever had the partition last."""
    hand = member(P0)
    beat(hand)
    mine = hand.pending(JoinGroupRequest).body.protocols[0][1]
    members = tuple(
        JoinGroupMember(name, None, mine._replace(owned=(P0, P1), generation=generation))
        for name, generation in (("c-1", 4), ("d-1", 5))
    )
    hand.joined(6, "c-1", members, protocol=COOPERATIVE[0])

    assert dict(hand.pending(SyncGroupRequest).body.assignments)["d-1"] == (P0, P1)


def test_a_static_leader_that_comes_back_watches_the_topics_of_all_members():
    """KIP-814: it assigns nothing, and rejoins when one of the others' topics grows."""
    hand = Hand(group_instance_id="i")
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    hand.metadata()
    others = JoinGroupMember("d-1", None, Subscription(("parcels",)))
    mine = JoinGroupMember("c-1", "i", Subscription(("orders",)))
    hand.joined(1, "c-1", (mine, others), skip_assignment=True)
    assert hand.synced(P0).assignments == ()
    hand.committed(p0=0)
    hand.wait(100)
    assert hand.pending(MetadataRequest).body.topics == ("orders", "parcels")
    hand.metadata(("orders", "parcels"))

    assert hand.waiting(JoinGroupRequest), "it knew nothing of parcels when it synced"


# --- The automatic commit before a rebalance (KAFKA-14024) -----------------------------------


PAST = {"past": {"waits_for_commit": False}, "enable_auto_commit": True}


def test_a_failed_commit_before_a_rebalance_is_tried_again_before_anything_is_given_up():
    hand = member(P0, strategy=("range",), enable_auto_commit=True)
    hand.fetched(p0=[batch(0, 3)])
    hand.polled()
    beat(hand)
    hand.poll()
    hand.commit_answered(Error.COORDINATOR_LOAD_IN_PROGRESS)
    assert hand.heard[1:] == []
    hand.wait(100)
    hand.commit_answered()

    assert hand.heard[1:] == [("revoked", (P0,))]
    assert hand.waiting(JoinGroupRequest)


def test_without_waiting_a_failed_commit_is_never_made_and_the_partitions_are_given_up():
    """Whoever gets them reads from the commit before."""
    hand = member(P0, strategy=("range",), **PAST)
    hand.fetched(p0=[batch(0, 3)])
    hand.polled()
    beat(hand)
    hand.poll()
    assert hand.heard[1:] == [("revoked", (P0,))]
    hand.commit_answered(Error.COORDINATOR_LOAD_IN_PROGRESS)

    assert hand.waiting(JoinGroupRequest)
    hand.wait(100)
    assert not hand.waiting(OffsetCommitRequest)


def test_without_waiting_a_cooperative_member_commits_for_ever_and_does_not_join():
    hand = member(P0, **PAST)
    hand.fetched(p0=[batch(0, 3)])
    hand.polled()
    beat(hand)
    hand.poll()
    for _ in range(5):
        hand.commit_answered()

    assert not hand.waiting(JoinGroupRequest)
    assert hand.waiting(OffsetCommitRequest)
