"""A member of a KIP-848 group: joining, heartbeats, reconciling, being fenced, stale, leaving."""

import pytest

from simulator.errors import CommitFailed, FencedInstance, KafkaError
from simulator.protocol.consumer_group_messages import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from simulator.protocol.consumer_member_states import MembershipState
from simulator.protocol.errors import Error
from simulator.protocol.messages import OffsetCommitRequest, OffsetCommitResponse
from simulator.protocol.names import NO_GENERATION, TopicPartition
from tests.membering import Member

P0, P1, P2 = (TopicPartition("t", number) for number in range(3))
POLL_MS = 300_000


def told(epoch, *partitions, error=Error.NONE):
    """An answer to a heartbeat that says what is assigned."""
    return ConsumerGroupHeartbeatResponse(error, "a", epoch, 5_000, partitions)


def no_news(epoch):
    return ConsumerGroupHeartbeatResponse(Error.NONE, "a", epoch, 5_000, None)


def refusal(error):
    return ConsumerGroupHeartbeatResponse(error, "a")


def joined(*partitions, **settings):
    """A member that owns these, in epoch 1, and has said so."""
    member = Member(**settings)
    member.poll()
    member.answer(told(1, *partitions))
    member.poll()
    member.answer(no_news(1))
    assert member.membership.state is MembershipState.STABLE
    member.heard.clear()
    return member


def fresh(member, ms):
    """Let time pass while the application polls."""
    for _ in range(ms // 500):
        member.wait(500)
        member.poll()


# --- Joining and heartbeats ------------------------------------------------------------------


def test_subscribing_alone_joins_nothing():
    """Everything begins in a poll."""
    member = Member()
    member.wait(100_000)

    assert member.asked == []


def test_a_member_joins_with_epoch_0_under_its_own_name_and_says_everything():
    member = Member(group_instance_id="i")
    member.poll()

    assert member.pending() == ConsumerGroupHeartbeatRequest(
        "g", "a", 0, "i", None, POLL_MS, ("t",), None, ()
    )


def test_what_is_assigned_is_taken_in_the_next_poll_and_acknowledged_at_once():
    member = Member()
    member.poll()
    member.answer(told(1, P0, P1))
    assert (member.owned, member.heard) == (set(), [])

    member.poll()
    assert member.heard == [("assigned", (P0, P1))]
    assert member.pending() == ConsumerGroupHeartbeatRequest("g", "a", 1, owned=(P0, P1))
    assert member.membership.state is MembershipState.STABLE


def test_the_listener_hears_of_an_assignment_of_nothing():
    member = Member()
    member.poll()
    member.answer(told(1))
    member.poll()

    assert member.heard == [("assigned", ())]
    assert member.pending().owned == ()


def test_a_heartbeat_without_news_says_no_more_than_who_it_is_and_comes_each_interval():
    """The interval is the coordinator's."""
    member = joined(P0)
    fresh(member, 4_500)
    assert member.asked == []

    fresh(member, 500)
    assert member.pending() == ConsumerGroupHeartbeatRequest("g", "a", 1)


def test_one_heartbeat_is_on_its_way_at_a_time():
    member = joined(P0)
    fresh(member, 25_000)

    assert len(member.asked) == 1


def test_a_new_subscription_goes_with_the_next_heartbeat():
    member = joined(P0)
    member.positions.topics = ("t", "u")
    fresh(member, 5_000)

    assert member.pending() == ConsumerGroupHeartbeatRequest("g", "a", 1, topics=("t", "u"))


@pytest.mark.parametrize("error", [None, Error.COORDINATOR_LOAD_IN_PROGRESS, Error.NOT_COORDINATOR])
def test_after_an_error_or_a_lost_answer_everything_is_said(error):
    member = joined(P0)
    fresh(member, 5_000)
    member.answer(None if error is None else refusal(error))
    fresh(member, 500)

    assert member.pending() == ConsumerGroupHeartbeatRequest(
        "g", "a", 1, None, None, POLL_MS, ("t",), None, (P0,)
    )
    assert member.owned == {P0}


def test_retries_pause_ever_longer():
    member = Member(retry_backoff_ms=1_000, retry_backoff_max_ms=60_000)
    member.poll()
    pauses = []
    for _ in range(3):
        member.answer(refusal(Error.COORDINATOR_LOAD_IN_PROGRESS))
        before_us = member.now_us
        while not member.asked:
            member.wait(100)
        pauses.append((member.now_us - before_us) // 1_000)

    assert pauses == [800, 1_600, 3_200]  # Jitter, at its least, takes a fifth.


# --- Reconciling -----------------------------------------------------------------------------


def test_what_goes_is_revoked_before_what_comes_is_assigned_and_the_rest_stays_as_it_is():
    member = joined(P0, P1)
    member.positions.assigned[P0].move(17)
    fresh(member, 5_000)
    kept = member.positions.assigned[P0]
    member.answer(told(1, P0))
    member.poll()
    assert member.heard == [("revoked", (P1,)), ("assigned", ())]
    assert member.pending().owned == (P0,)

    member.answer(told(2, P0, P2))
    member.poll()
    assert member.heard[2:] == [("assigned", (P2,))]
    assert member.positions.assigned[P0] is kept


def test_a_commit_comes_first_with_what_earlier_polls_handed_out():
    """And what is about to go is handed out no more; what stays is."""
    member = joined(P0, P1, enable_auto_commit=True, auto_commit_interval_ms=60_000)
    fresh(member, 5_000)
    before = {one: position.offset for one, position in member.positions.assigned.items()}
    member.answer(told(1, P0))
    member.poll()

    commit = member.pending(OffsetCommitRequest)
    assert (commit.member_id, commit.generation) == ("a", 1)
    assert {one.partition: one.offset for one in commit.offsets} == before
    member.poll()
    assert member.heard == []
    after = {one: position.offset for one, position in member.positions.assigned.items()}
    assert (after[P1], after[P0]) == (before[P1], before[P0] + 2)

    member.answer(OffsetCommitResponse(((P0, Error.NONE), (P1, Error.NONE))), OffsetCommitRequest)
    member.poll()
    assert [what for what, _ in member.heard] == ["revoked", "assigned"]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (Error.STALE_MEMBER_EPOCH, True),
        (Error.COORDINATOR_LOAD_IN_PROGRESS, True),
        (Error.UNKNOWN_MEMBER_ID, False),
    ],
)
def test_the_commit_before_is_tried_again_while_that_may_help(error, again):
    member = joined(P0, enable_auto_commit=True, auto_commit_interval_ms=60_000)
    fresh(member, 5_000)
    member.answer(told(2))
    member.poll()
    member.answer(OffsetCommitResponse(((P0, error),)), OffsetCommitRequest)
    member.wait(1_000)
    member.poll()

    commit = member.pending(OffsetCommitRequest)
    assert (commit is not None) == again
    assert (member.heard == []) == again
    if commit is not None:
        assert commit.generation == 2


def test_a_target_that_comes_meanwhile_waits_for_its_turn():
    member = joined(P0, P1)
    fresh(member, 5_000)
    member.answer(told(1, P0))
    member.holding = True
    member.poll()
    member.wait(5_000)
    member.answer(told(2, P0, P2))
    assert member.heard == [("revoked", (P1,))]

    member.listened()
    assert member.heard[1:] == [("assigned", ()), ("assigned", (P2,))]
    assert member.pending().owned == (P0,)
    member.answer(no_news(2))
    assert member.pending().owned == (P0, P2)


def test_what_was_taken_away_and_given_back_between_two_polls_is_acknowledged_alone():
    member = joined(P0, P1)
    fresh(member, 5_000)
    member.answer(told(1, P0))
    member.wait(5_000)
    member.answer(told(2, P0, P1))
    member.poll()

    assert member.heard == []
    assert member.pending().owned == (P0, P1)


def test_a_listener_that_fails_is_called_again_in_the_next_poll():
    """Poll throws, and nothing is acknowledged before it has succeeded."""
    member = joined(P0, P1)
    fresh(member, 5_000)
    member.answer(told(1, P0))
    member.throwing = ValueError("no")
    member.poll()
    member.poll()
    assert [str(one) for one in member.thrown] == [
        "the rebalance listener failed: ValueError: no"
    ] * 2
    assert (member.owned, member.asked) == ({P0, P1}, [])

    member.throwing = None
    member.poll()
    assert member.heard == [("revoked", (P1,))] * 3 + [("assigned", ())]
    assert member.pending().owned == (P0,)


# --- Outside ---------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Error.FENCED_MEMBER_EPOCH, Error.UNKNOWN_MEMBER_ID])
def test_a_fenced_member_loses_everything_in_its_next_poll_and_joins_anew(error):
    member = joined(P0, P1)
    fresh(member, 5_000)
    member.answer(refusal(error))
    member.wait(20_000)
    assert (member.owned, member.asked) == ({P0, P1}, [])
    assert member.membership.now.number == NO_GENERATION

    member.poll()
    assert member.heard == [("lost", (P0, P1))]
    assert (member.pending().member_id, member.pending().member_epoch) == ("a", 0)
    assert member.pending().owned == ()


def test_a_member_fenced_while_its_listener_works_does_nothing_of_the_rest():
    member = joined(P0, P1)
    fresh(member, 5_000)
    member.answer(told(1, P0))
    member.holding = True
    member.poll()
    member.wait(5_000)
    member.answer(refusal(Error.UNKNOWN_MEMBER_ID))
    member.listened()

    assert member.heard == [("revoked", (P1,)), ("lost", (P0,))]
    assert member.pending().member_epoch == 0


@pytest.mark.parametrize(
    ("error", "thrown"),
    [
        (Error.UNRELEASED_INSTANCE_ID, KafkaError),
        (Error.FENCED_INSTANCE_ID, FencedInstance),
        (Error.GROUP_MAX_SIZE_REACHED, KafkaError),
    ],
)
def test_what_cannot_be_helped_is_thrown_once_and_for_good(error, thrown):
    member = joined(P0, group_instance_id="i")
    fresh(member, 5_000)
    member.answer(refusal(error))
    fresh(member, 60_000)

    assert [type(one) for one in member.thrown] == [thrown]
    assert (member.heard, member.asked) == ([("lost", (P0,))], [])


@pytest.mark.parametrize(("instance", "epoch"), [(None, -1), ("i", -2)])
def test_a_member_that_nobody_polls_leaves_and_loses_everything_in_its_next_poll(instance, epoch):
    """KIP-848: a static member says so, too."""
    member = joined(P0, group_instance_id=instance, max_poll_interval_ms=12_000)
    for _ in range(2):
        member.wait(5_000)
        member.answer(no_news(1))
    member.wait(2_000)
    assert member.pending().member_epoch == epoch
    assert member.membership.state is MembershipState.STALE
    assert member.owned == {P0}

    member.answer(no_news(epoch))
    member.wait(60_000)
    assert (member.heard, member.asked) == ([], [])
    member.poll()
    assert member.heard == [("lost", (P0,))]
    assert member.pending().member_epoch == 0


def test_a_listener_at_work_is_no_sign_of_life():
    member = joined(P0, P1, max_poll_interval_ms=12_000)
    fresh(member, 5_000)
    member.answer(told(1, P0))
    member.holding = True
    member.poll()
    member.wait(13_000)
    assert member.membership.state is MembershipState.STALE

    member.listened()
    assert member.heard == [("revoked", (P1,)), ("lost", (P0,))]


def test_silence_of_the_coordinator_takes_nothing_away():
    member = joined(P0)
    fresh(member, 200_000)

    assert member.owned == {P0}
    assert member.membership.epoch == 1


@pytest.mark.parametrize(("instance", "epoch"), [(None, -1), ("i", -2)])
def test_a_member_that_leaves_gives_everything_back_first(instance, epoch):
    member = joined(P0, group_instance_id=instance)
    member.leave()

    assert member.heard == [("revoked", (P0,))]
    assert (member.pending().member_epoch, member.pending().owned) == (epoch, ())
    member.poll()
    assert [ask.body.member_epoch for ask, _ in member.asked] == [epoch, 0]


def test_an_answer_from_before_it_left_concerns_it_no_more():
    member = joined(P0)
    fresh(member, 5_000)
    member.leave()
    member.poll()
    member.answer(told(1, P0, P1))

    assert member.membership.epoch == 0
    assert member.membership.state is MembershipState.JOINING


# --- Commits ---------------------------------------------------------------------------------


def test_a_commit_carries_the_member_s_epoch_whatever_it_is_about():
    member = joined(P0)
    fresh(member, 5_000)
    member.answer(told(7, P0, P1))
    assert member.membership.state is MembershipState.RECONCILING
    member.commit({P0: 3})

    commit = member.pending(OffsetCommitRequest)
    assert (commit.member_id, commit.generation) == ("a", 7)


@pytest.mark.parametrize("error", [Error.STALE_MEMBER_EPOCH, Error.UNKNOWN_MEMBER_ID])
def test_a_commit_of_another_epoch_fails_and_changes_nothing(error):
    """Heartbeats alone tell a member what has become of it."""
    member = joined(P0)
    result = member.commit({P0: 3})
    member.answer(OffsetCommitResponse(((P0, error),)), OffsetCommitRequest)

    assert isinstance(result[0], CommitFailed)
    assert str(result[0]).startswith(error.name)
    assert member.membership.state is MembershipState.STABLE


def test_a_zombie_commits_without_an_epoch():
    """It asks all the same; the coordinator refuses, unless nobody is left in the group."""
    member = joined(P0)
    fresh(member, 5_000)
    member.answer(refusal(Error.UNKNOWN_MEMBER_ID))
    member.commit({P0: 3})

    commit = member.pending(OffsetCommitRequest)
    assert (commit.member_id, commit.generation) == ("a", NO_GENERATION)
