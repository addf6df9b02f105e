"""A consumer in its group: finding, joining, heartbeats, callbacks, leaving (KIP-62, KIP-345)."""

import pytest

from simulator.errors import BadInput, CommitFailed, FencedInstance, KafkaError
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    FetchRequest,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    MetadataRequest,
    OffsetCommitRequest,
    OffsetFetchRequest,
    SyncGroupRequest,
    SyncGroupResponse,
)
from tests.consuming import P0, P1, P2, Hand, batch


def beat(hand, error=Error.NONE):
    return hand.answer(HeartbeatRequest, HeartbeatResponse(error))


# --- Joining ---------------------------------------------------------------------------------


def test_subscribing_asks_nobody_anything():
    """Everything happens inside poll."""
    hand = Hand()
    hand.subscribe()
    hand.wait(100_000)

    assert hand.sent == []


def test_a_first_poll_finds_joins_syncs_finds_positions_and_fetches_in_this_order():
    hand = Hand()
    hand.subscribe()

    assert hand.poll() == "waits"
    assert hand.sent == ["FindCoordinator", "Metadata"]
    hand.metadata()
    assert hand.coordinator("broker-0") == FindCoordinatorRequest("g")
    join = hand.joined()
    assert (join.member_id, join.session_timeout_ms, join.rebalance_timeout_ms) == (
        "",
        45_000,
        300_000,
    )
    assert hand.synced(P0, P1) == SyncGroupRequest("g", 1, "c-1", (), None, "range", "consumer")
    assert hand.committed(p0=7).partitions == (P0, P1)
    assert hand.listed(3).partitions == ((P1, -2, 0),)
    assert hand.sent[2:] == ["JoinGroup", "SyncGroup", "OffsetFetch", "ListOffsets", "Fetch"]
    assert [(one.partition, one.offset) for one in hand.pending(FetchRequest).body.partitions] == [
        (P0, 7)
    ]


def test_a_member_without_an_id_is_given_one_and_joins_again_with_it():
    """KIP-394."""
    hand = Hand()
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    hand.answer(JoinGroupRequest, JoinGroupResponse(Error.MEMBER_ID_REQUIRED, member_id="c-9"))

    assert hand.pending(JoinGroupRequest).body.member_id == "c-9"


def test_an_answer_to_a_join_waits_until_the_application_polls_again():
    """No poll, no part in a rebalance: the others wait for this member's SyncGroup."""
    hand = Hand()
    hand.subscribe()
    assert hand.poll(100) == "waits"
    hand.coordinator()
    hand.metadata()
    hand.wait(100)
    assert hand.polled() == []

    hand.joined()
    assert not hand.waiting(SyncGroupRequest)
    hand.wait(1_000)
    assert not hand.waiting(SyncGroupRequest)
    hand.poll()
    assert hand.waiting(SyncGroupRequest)


def test_an_assignment_that_comes_between_polls_is_taken_by_the_next_poll():
    hand = Hand()
    hand.subscribe()
    hand.poll(100)
    hand.coordinator()
    hand.joined()
    hand.wait(100)
    hand.synced(P0)

    assert (hand.owned, hand.heard) == ((), [])
    hand.poll()
    assert (hand.owned, hand.heard) == ((P0,), [("assigned", (P0,))])


@pytest.mark.parametrize(
    "error", [Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION, Error.REBALANCE_IN_PROGRESS]
)
def test_a_sync_that_came_too_late_is_followed_by_a_join_at_once(error):
    hand = Hand()
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    hand.joined()
    hand.answer(SyncGroupRequest, SyncGroupResponse(error))

    join = hand.pending(JoinGroupRequest).body
    assert join.member_id == ("" if error is Error.UNKNOWN_MEMBER_ID else "c-1")


@pytest.mark.parametrize("kind", [JoinGroupRequest, SyncGroupRequest])
@pytest.mark.parametrize("error", [Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE, None])
def test_a_coordinator_that_is_gone_is_looked_up_before_joining_again(kind, error):
    """None: there was no answer at all."""
    hand = Hand()
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    if kind is SyncGroupRequest:
        hand.joined()
    answers = {JoinGroupRequest: JoinGroupResponse, SyncGroupRequest: SyncGroupResponse}
    hand.answer(kind, None if error is None else answers[kind](error))

    assert not hand.waiting(JoinGroupRequest)
    hand.coordinator("broker-1")
    hand.wait(100)
    assert hand.pending(JoinGroupRequest).to == "broker-1"


def test_a_coordinator_that_is_loading_is_asked_again_after_a_backoff():
    hand = Hand()
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    hand.answer(JoinGroupRequest, JoinGroupResponse(Error.COORDINATOR_LOAD_IN_PROGRESS))

    hand.wait(79)
    assert not hand.waiting(JoinGroupRequest)
    hand.wait(1)
    assert hand.waiting(JoinGroupRequest)


def test_a_lookup_that_fails_is_tried_again_ever_later_and_at_another_broker():
    hand = Hand(leaders=("broker-0", "broker-1"))
    hand.subscribe()
    hand.poll(60_000)
    hand.metadata()
    asked = []
    for wait_ms in (80, 160, 320, 640, 800):
        ask = hand.pending(FindCoordinatorRequest)
        asked.append(ask.to)
        hand.answer(FindCoordinatorRequest, None)
        hand.wait(wait_ms - 1)
        assert not hand.waiting(FindCoordinatorRequest)
        hand.wait(1)

    assert asked == ["broker-0", "broker-1", "broker-0", "broker-1", "broker-0"]


@pytest.mark.parametrize(
    "error",
    [
        Error.INCONSISTENT_GROUP_PROTOCOL,
        Error.INVALID_SESSION_TIMEOUT,
        Error.GROUP_MAX_SIZE_REACHED,
    ],
)
def test_a_group_that_does_not_take_the_member_is_the_applications_business(error):
    hand = Hand()
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    hand.answer(JoinGroupRequest, JoinGroupResponse(error))

    with pytest.raises(KafkaError, match=error.name):
        hand.polled()


def test_no_coordinator_means_no_records_until_the_poll_is_over():
    """What is buffered is handed out when the time of the poll is up."""
    hand = Hand(max_poll_records=1).consuming(P0)
    hand.fetched(p0=[batch(0, 2)])
    assert hand.polled() == [(0, 0)]
    hand.wait(3_000)
    beat(hand, Error.NOT_COORDINATOR)

    assert hand.poll(50) == "waits"
    hand.wait(50)
    assert hand.polled() == [(0, 1)]


# --- The leader ------------------------------------------------------------------------------


def test_the_leader_assigns_and_the_others_send_nothing():
    hand = Hand()
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    hand.metadata()
    hand.joined_as_leader(others=("a-1",))

    assert hand.pending(SyncGroupRequest).body.assignments == (("c-1", (P2,)), ("a-1", (P0, P1)))


def test_the_leader_waits_for_metadata_of_topics_that_only_others_want():
    hand = Hand(partitions=1)
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    hand.metadata()
    hand.joined_as_leader(others=("d-1",), topics=("parcels",))

    assert not hand.waiting(SyncGroupRequest)
    hand.wait(100)
    assert hand.metadata(("orders", "parcels")).topics == ("orders", "parcels")
    (_, mine), (_, others) = hand.pending(SyncGroupRequest).body.assignments
    assert (mine, others) == ((P0,), (("parcels", 0),))


def test_the_leader_rejoins_when_a_topic_has_grown_and_a_follower_does_not():
    for leads in (True, False):
        hand = Hand(metadata_max_age_ms=20_000)
        hand.subscribe()
        hand.poll(60_000)
        hand.coordinator()
        hand.metadata()
        if leads:
            hand.joined_as_leader()
        else:
            hand.joined()
        hand.synced(P0, P1, P2)
        hand.committed(p0=0, p1=0, p2=0)
        hand.partitions = 4
        hand.wait(20_000)
        hand.metadata()

        assert hand.waiting(JoinGroupRequest) == leads


def test_a_static_leader_that_comes_back_assigns_nothing_and_still_watches():
    """KIP-814: the answer says skip_assignment."""
    hand = Hand(group_instance_id="i", metadata_max_age_ms=20_000)
    hand.subscribe()
    hand.poll(60_000)
    hand.coordinator()
    hand.metadata()
    hand.joined(1, "c-1", skip_assignment=True)
    assert hand.synced(P0).assignments == ()
    hand.committed(p0=0)
    hand.partitions = 4
    hand.wait(20_000)
    hand.metadata()

    assert hand.waiting(JoinGroupRequest)


# --- Callbacks -------------------------------------------------------------------------------


def test_the_first_join_revokes_nothing_and_an_empty_assignment_is_told():
    hand = Hand().into_group()

    assert hand.heard == [("assigned", ())]
    assert hand.happened == [("partitions_assigned", "g", 1, ())]


def test_everything_is_revoked_before_the_member_joins_again():
    hand = Hand().consuming(P0, P1)
    hand.wait(3_000)
    hand.holding = True
    beat(hand, Error.REBALANCE_IN_PROGRESS)

    assert hand.heard[1:] == [("revoked", (P0, P1))]
    assert hand.owned == (P0, P1)
    assert not hand.waiting(JoinGroupRequest)
    hand.listened()
    assert hand.owned == ()
    assert hand.pending(JoinGroupRequest).body.member_id == "c-1"
    assert hand.happened[-1] == ("partitions_revoked", "g", 1, (("orders", 0), ("orders", 1)))


def test_an_empty_set_is_revoked_too():
    hand = Hand().into_group()
    hand.wait(3_000)
    beat(hand, Error.REBALANCE_IN_PROGRESS)

    assert hand.heard == [("assigned", ()), ("revoked", ())]


def test_a_listener_may_commit_what_it_is_about_to_lose():
    """The group is preparing: the commit of the old generation is taken."""
    hand = Hand().consuming(P0)
    hand.wait(3_000)
    hand.holding = True
    beat(hand, Error.REBALANCE_IN_PROGRESS)
    commit = hand.commit({P0: 5})

    assert hand.commit_answered().generation == 1
    assert commit() is None
    assert hand.polled() == "waits"
    hand.listened()
    assert hand.waiting(JoinGroupRequest)


@pytest.mark.parametrize("error", [Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION])
def test_a_lost_generation_means_lost_partitions(error):
    """The member id is kept for ILLEGAL_GENERATION."""
    hand = Hand().consuming(P0)
    hand.wait(3_000)
    beat(hand, error)

    assert hand.heard[1:] == [("lost", (P0,))]
    assert hand.happened[-1] == ("partitions_lost", "g", 1, (("orders", 0),))
    join = hand.pending(JoinGroupRequest).body
    assert join.member_id == ("" if error is Error.UNKNOWN_MEMBER_ID else "c-1")


def test_nothing_is_lost_by_a_member_that_owns_nothing():
    hand = Hand().into_group()
    hand.wait(3_000)
    beat(hand, Error.UNKNOWN_MEMBER_ID)

    assert hand.heard == [("assigned", ())]


def test_a_listener_that_fails_makes_poll_throw_and_the_rebalance_goes_on():
    hand = Hand()
    hand.throwing = ValueError("no disk")
    hand.into_group(P0)

    with pytest.raises(KafkaError, match="ValueError: no disk"):
        hand.polled()
    assert hand.owned == (P0,)
    hand.throwing = None
    assert hand.poll() == "waits"
    assert hand.waiting(OffsetFetchRequest)


def test_positions_and_pauses_do_not_outlive_an_assignment():
    """Even if the partition comes back at once: what is committed counts."""
    hand = Hand().consuming(P0)
    hand.fetched(p0=[batch(0, 3)])
    assert hand.polled() == [(0, 0), (0, 1), (0, 2)]
    hand.machine.positions.pause([P0])
    hand.wait(3_000)
    beat(hand, Error.REBALANCE_IN_PROGRESS)
    hand.poll()
    hand.joined(2)
    hand.synced(P0)
    hand.committed(p0=1)

    assert hand.machine.positions.paused == ()
    assert hand.machine.positions.position(P0) == 1


def test_another_subscription_is_another_join():
    hand = Hand().consuming(P0).rest()
    hand.subscribe("orders", "parcels")
    assert not hand.waiting(JoinGroupRequest)
    hand.poll()

    assert hand.heard[1:] == [("revoked", (P0,))]
    assert hand.pending(JoinGroupRequest).body.protocols[0][1].topics == ("orders", "parcels")


def test_an_assignment_of_a_topic_that_is_not_wanted_any_more_is_not_taken():
    hand = Hand()
    hand.subscribe()
    hand.poll(100)
    hand.coordinator()
    hand.wait(100)
    hand.subscribe("parcels")
    hand.poll()
    hand.joined()
    hand.synced(P0)

    assert hand.owned == ()
    assert hand.pending(JoinGroupRequest).body.protocols[0][1].topics == ("parcels",)


# --- Heartbeats ------------------------------------------------------------------------------


def test_heartbeats_go_on_between_polls_every_interval_answered_or_not():
    hand = Hand().consuming(P0).rest()
    assert hand.sent.count("Heartbeat") == 3
    hand.wait(9_000)

    assert hand.sent.count("Heartbeat") == 6
    assert hand.pending(HeartbeatRequest).body == HeartbeatRequest("g", 1, "c-1")


def test_no_heartbeat_is_sent_while_joining():
    hand = Hand()
    hand.subscribe()
    hand.poll(100_000)
    hand.coordinator()
    hand.wait(60_000)

    assert "Heartbeat" not in hand.sent


def test_a_rebalance_is_noticed_by_a_heartbeat_and_joined_by_the_next_poll():
    """Until then the application goes on with what it has, and fetches come in."""
    hand = Hand().consuming(P0)
    hand.fetched(p0=[batch(0)])
    assert hand.polled() == [(0, 0)]
    hand.wait(3_000)
    beat(hand, Error.REBALANCE_IN_PROGRESS)
    hand.wait(6_000)

    assert (hand.owned, hand.heard[1:]) == ((P0,), [])
    hand.poll()
    assert hand.heard[1:] == [("revoked", (P0,))]


def test_silence_for_the_session_means_a_new_lookup_and_no_loss():
    hand = Hand(session_timeout_ms=10_000).consuming(P0).rest()
    hand.wait(0)
    assert hand.disconnected == [("broker-0", "coordinator")]
    hand.coordinator("broker-1")
    hand.wait(80)

    assert hand.pending(HeartbeatRequest).to == "broker-1"
    assert hand.owned == (P0,)
    assert hand.heard[1:] == []


@pytest.mark.parametrize("answer", [None, HeartbeatResponse(Error.NOT_COORDINATOR)])
def test_a_heartbeat_without_its_coordinator_looks_it_up_in_the_background(answer):
    hand = Hand().consuming(P0).rest()
    hand.answer(HeartbeatRequest, answer)
    hand.cut("coordinator")
    hand.wait(0)
    hand.coordinator("broker-1")
    hand.wait(100)

    assert hand.pending(HeartbeatRequest).to == "broker-1"


def test_a_fenced_static_member_is_told_by_the_next_poll():
    hand = Hand(group_instance_id="i").consuming(P0).rest()
    beat(hand, Error.FENCED_INSTANCE_ID)

    with pytest.raises(FencedInstance, match="FENCED_INSTANCE_ID: i"):
        hand.poll()


def test_an_error_of_an_old_generation_is_ignored():
    """The heartbeat was sent before the member joined anew."""
    hand = Hand().consuming(P0)
    hand.wait(3_000)
    old = hand.pending(HeartbeatRequest)
    hand.wait(3_000)
    hand.asked.remove(old)
    beat(hand, Error.REBALANCE_IN_PROGRESS)
    hand.joined(2)
    hand.synced(P0)
    hand.machine.answered(old.token, HeartbeatResponse(Error.ILLEGAL_GENERATION), hand.now_us)
    hand.follow()

    assert hand.owned == (P0,)
    assert not hand.waiting(JoinGroupRequest)


# --- Too slow --------------------------------------------------------------------------------


def test_a_member_that_does_not_poll_leaves_and_learns_it_when_it_does():
    """Until then it is a zombie: it goes on with its records, but cannot commit them."""
    hand = Hand(max_poll_interval_ms=20_000).consuming(P0)
    hand.fetched(p0=[batch(0)])
    assert hand.polled() == [(0, 0)]
    hand.wait(20_000)

    assert hand.pending(LeaveGroupRequest).body == LeaveGroupRequest("g", (("c-1", None),))
    hand.wait(20_000)
    assert hand.sent.count("Heartbeat") == 6
    commit = hand.commit()
    assert isinstance(commit(), CommitFailed)
    assert not hand.waiting(OffsetCommitRequest)
    assert hand.heard[1:] == []
    hand.poll()
    assert hand.heard[1:] == [("lost", (P0,))]
    assert hand.pending(JoinGroupRequest).body.member_id == ""


def test_a_static_member_that_does_not_poll_just_falls_silent():
    hand = Hand(max_poll_interval_ms=20_000, group_instance_id="i").consuming(P0).rest()
    hand.wait(60_000)

    assert "LeaveGroup" not in hand.sent
    assert hand.sent.count("Heartbeat") == 9


def test_a_poll_that_waits_for_records_is_no_stalled_application():
    hand = Hand(max_poll_interval_ms=20_000).consuming(P0)
    hand.fetched()
    hand.poll(0) if hand.polled() != "waits" else None
    for _ in range(3):
        hand.rest()
        hand.poll()

    assert "LeaveGroup" not in hand.sent


# --- The end ---------------------------------------------------------------------------------


def test_closing_gives_back_and_leaves():
    hand = Hand().consuming(P0).rest()
    closed = hand.close()

    assert hand.heard[1:] == [("revoked", (P0,))]
    assert hand.owned == ()
    assert closed() == "waits"
    hand.answer(LeaveGroupRequest, LeaveGroupResponse(Error.NONE))
    assert closed() is None
    hand.wait(100_000)
    assert hand.sent[-1] == "LeaveGroup"
    with pytest.raises(BadInput, match="closed"):
        hand.poll()


def test_closing_waits_for_the_leave_no_longer_than_it_is_told():
    hand = Hand().consuming(P0).rest()
    closed = hand.close(500)
    hand.wait(499)

    assert closed() == "waits"
    hand.wait(1)
    assert closed() is None


@pytest.mark.parametrize(
    ("settings", "heard"),
    [
        ({"group_instance_id": "i"}, [("revoked", (P0,))]),
        ({"internal_leave_group_on_close": False}, []),
    ],
)
def test_a_static_member_or_one_that_is_told_so_does_not_leave_on_closing(settings, heard):
    hand = Hand(**settings).consuming(P0).rest()
    closed = hand.close()

    assert closed() is None
    assert "LeaveGroup" not in hand.sent
    assert hand.heard[1:] == heard


def test_closing_in_the_middle_of_a_rebalance_loses_instead_of_giving_back():
    hand = Hand().consuming(P0).rest()
    beat(hand, Error.UNKNOWN_MEMBER_ID)
    closed = hand.close()

    assert hand.heard[1:] == [("lost", (P0,))]
    assert closed() is None


def test_closing_throws_what_the_listener_threw_after_leaving():
    hand = Hand().consuming(P0).rest()
    hand.throwing = ValueError("no disk")
    closed = hand.close()
    hand.answer(LeaveGroupRequest, None)

    assert isinstance(closed(), ValueError)


def test_unsubscribing_leaves_the_group_and_the_consumer_can_go_on():
    hand = Hand().consuming(P0).rest()
    call = hand.call(hand.machine.unsubscribe)

    assert hand.results[call] is None
    assert hand.heard[1:] == [("revoked", (P0,))]
    assert hand.waiting(LeaveGroupRequest)
    with pytest.raises(BadInput, match="subscribe or assign"):
        hand.poll()
    hand.subscribe("parcels")
    hand.poll()
    assert hand.pending(JoinGroupRequest).body.member_id == ""


# --- Rules of the face -----------------------------------------------------------------------


def test_a_consumer_serves_one_call_at_a_time():
    hand = Hand().consuming(P0)

    for call in (hand.poll, hand.commit, hand.close):
        with pytest.raises(BadInput, match="one call at a time"):
            call()


def test_a_listener_may_commit_and_seek_but_not_poll_or_close():
    hand = Hand()
    hand.holding = True
    hand.into_group(P0)

    for call in (hand.poll, hand.close, hand.subscribe):
        with pytest.raises(BadInput, match="listener"):
            call()
    hand.machine.positions.seek(P0, 3)
    assert hand.commit({P0: 3})() == "waits"


def test_without_a_group_id_nothing_is_subscribed_or_committed():
    hand = Hand(group_id=None)

    for call in (hand.subscribe, hand.commit):
        with pytest.raises(BadInput, match=r"group\.id"):
            call()


def test_topics_and_partitions_are_not_mixed():
    hand = Hand()
    hand.machine.assign(0, [P0])
    with pytest.raises(BadInput, match="by hand"):
        hand.subscribe()

    hand = Hand()
    hand.subscribe()
    with pytest.raises(BadInput, match="subscribed"):
        hand.machine.assign(0, [P0])


def test_metadata_are_asked_of_another_broker_after_silence():
    hand = Hand(leaders=("broker-0", "broker-1"))
    hand.subscribe()
    hand.poll()
    hand.answer(MetadataRequest, None)
    hand.wait(80)

    assert hand.pending(MetadataRequest).to == "broker-1"


def test_a_lookup_refused_for_good_is_thrown():
    hand = Hand()
    hand.subscribe()
    hand.poll()
    hand.answer(FindCoordinatorRequest, FindCoordinatorResponse(Error.INVALID_GROUP_ID))

    with pytest.raises(KafkaError, match="INVALID_GROUP_ID"):
        hand.polled()
