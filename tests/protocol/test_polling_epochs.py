"""A consumer among leaders that come and go: epochs, validation, followers, durations.

Names for the story in most tests: the consumer stands at offset 10, and the record before it was
written by the leader of epoch 1.
"""

import pytest

from simulator.errors import LogTruncated, NoOffsetForPartition, OffsetOutOfRange
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    FetchRequest,
    JoinGroupRequest,
    ListOffsetsRequest,
    ListOffsetsResponse,
    MetadataRequest,
    OffsetAsked,
    OffsetCommitRequest,
    OffsetListed,
)
from simulator.protocol.replica_messages import EpochAsked, OffsetForLeaderEpochRequest
from tests.consuming import P0, P1, P2, Hand, batch

OLD = {"validates": False}  # A consumer before 2.3.
NEAR = {"from_followers": True}
REFUSALS = [
    Error.FENCED_LEADER_EPOCH,
    Error.UNKNOWN_LEADER_EPOCH,
    Error.NOT_LEADER_OR_FOLLOWER,
    Error.OFFSET_NOT_AVAILABLE,
    Error.LEADER_NOT_AVAILABLE,
    Error.REPLICA_NOT_AVAILABLE,
    Error.KAFKA_STORAGE_ERROR,
]


def position(hand, partition=P0):
    return hand.machine.positions.position(partition)


def asked(hand):
    """What the fetch that waits asks for: partition, offset, leader epoch."""
    return [
        (one.partition.partition, one.offset, one.leader_epoch)
        for one in hand.pending(FetchRequest).body.partitions
    ]


def at_ten(**settings):
    """A consumer that has read up to offset 10 from the leader of epoch 1, and polls."""
    hand = Hand(**settings)
    hand.leader_epoch = 1
    hand.consuming(P0)
    hand.fetched(p0=[batch(0, 10, leader_epoch=1)])
    hand.polled()
    hand.poll()
    return hand


def truncations(hand):
    return [event[1:] for event in hand.happened if event[0] == "truncation_found"]


# --- Epochs are told -------------------------------------------------------------------------


def test_a_fetch_and_a_listing_name_the_leader_epoch_of_the_metadata():
    hand = Hand()
    hand.leader_epoch = 4
    hand.into_group(P0)
    hand.committed()

    assert hand.listed(3).partitions == (OffsetAsked(P0, -2, 4),)
    assert asked(hand) == [(0, 3, 4)]


def test_metadata_older_than_what_was_told_are_left_aside():
    hand = at_ten()
    hand.new_leader("broker-1", 2)
    hand.epoch_ended(1, 10)
    hand.new_leader("broker-0", 1)

    assert hand.pending(FetchRequest).to == "broker-1"
    assert asked(hand) == [(0, 10, 2)]


def test_a_commit_of_positions_carries_the_epoch_of_the_last_record():
    hand = at_ten().rest()
    hand.commit()

    (committed,) = hand.pending(OffsetCommitRequest).body.offsets
    assert (committed.offset, committed.leader_epoch) == (10, 1)


def test_a_commit_of_given_offsets_carries_none():
    hand = at_ten().rest()
    hand.commit({P0: 10})

    (committed,) = hand.pending(OffsetCommitRequest).body.offsets
    assert (committed.offset, committed.leader_epoch) == (10, -1)


def test_the_epoch_is_that_of_the_last_record_handed_out_not_of_the_last_fetched():
    hand = Hand(max_poll_records=3)
    hand.leader_epoch = 2
    hand.consuming(P0).rest()
    hand.fetched(p0=[batch(0, 2, leader_epoch=1), batch(2, 2, leader_epoch=2)])
    epochs = []
    for _ in range(2):
        hand.poll()
        epochs.append(hand.machine.positions.assigned[P0].epoch)

    assert epochs == [2, 2]
    hand = Hand(max_poll_records=2)
    hand.leader_epoch = 2
    hand.consuming(P0).rest()
    hand.fetched(p0=[batch(0, 2, leader_epoch=1), batch(2, 2, leader_epoch=2)])
    hand.poll()
    assert hand.machine.positions.assigned[P0].epoch == 1


def test_a_committed_epoch_newer_than_the_metadata_makes_them_stale():
    """Whoever committed had another leader: nothing is fetched from the one before it."""
    hand = Hand()
    hand.leader_epoch = 1
    hand.into_group(P0)
    hand.committed(p0=10, epoch=2)
    hand.wait(100)
    assert not hand.waiting(FetchRequest)
    hand.leaders, hand.leader_epoch = ("broker-1",), 2
    hand.metadata()

    assert hand.pending(FetchRequest).to == "broker-1"
    assert asked(hand) == [(0, 10, 2)]


def test_a_listing_by_a_newer_leader_makes_metadata_stale():
    hand = Hand()
    hand.into_group(P0)
    hand.committed()
    told = (OffsetListed(P0, Error.NONE, 6, leader_epoch=3),)
    hand.answer(ListOffsetsRequest, ListOffsetsResponse(told))
    hand.wait(100)

    assert position(hand) == 6
    assert not hand.waiting(FetchRequest)
    assert hand.waiting(MetadataRequest)


def test_a_stale_leaders_listing_is_believed():
    """It does not know that it is stale: the end that it tells may lie before the true one."""
    hand = Hand(auto_offset_reset="latest").into_group(P0)
    hand.committed()
    hand.listed(4)

    assert asked(hand) == [(0, 4, 0)]


# --- Validation ------------------------------------------------------------------------------


def test_a_new_leader_is_asked_where_the_epoch_ends_before_it_is_fetched_from():
    hand = at_ten()
    hand.new_leader("broker-1", 2)

    ask = hand.pending(OffsetForLeaderEpochRequest)
    assert (ask.to, ask.body.partitions) == ("broker-1", (EpochAsked(P0, 2, 1),))
    assert not hand.waiting(FetchRequest)
    hand.epoch_ended(1, 10)
    assert hand.pending(FetchRequest).to == "broker-1"
    assert asked(hand) == [(0, 10, 2)]
    assert truncations(hand) == []


@pytest.mark.parametrize("policy", ["earliest", "latest", "by_duration:PT1H"])
def test_a_consumer_with_a_policy_goes_back_to_where_the_logs_part(policy):
    """Not to where the policy points: it has all that is common to the logs."""
    hand = at_ten(auto_offset_reset="earliest")
    if policy != "earliest":
        hand = Hand(auto_offset_reset=policy)
        hand.leader_epoch = 1
        hand.consuming(P0, p0=0)
        hand.fetched(p0=[batch(0, 10, leader_epoch=1)])
        hand.polled()
        hand.poll()
    hand.new_leader("broker-1", 2)
    hand.epoch_ended(1, 6)

    assert asked(hand) == [(0, 6, 2)]
    assert truncations(hand) == [("g", "orders", 0, 10, 6)]
    assert not hand.waiting(ListOffsetsRequest)


def test_an_epoch_that_the_leader_does_not_know_ends_in_a_reset():
    hand = at_ten()
    hand.new_leader("broker-1", 2)
    hand.epoch_ended(-1, -1)
    hand.listed(3)

    assert asked(hand) == [(0, 3, 2)]
    assert truncations(hand) == [("g", "orders", 0, 10, -1)]


@pytest.mark.parametrize(("told", "diverging"), [((1, 6), 6), ((-1, -1), None)])
def test_a_consumer_without_a_policy_throws_until_the_application_seeks(told, diverging):
    hand = at_ten(auto_offset_reset="none")
    hand.new_leader("broker-1", 2)
    hand.epoch_ended(*told)
    with pytest.raises(LogTruncated, match="orders-0 cut below") as thrown:
        hand.polled()
    assert thrown.value.diverging == {("orders", 0): diverging}

    assert hand.poll(60_000) == "waits"
    hand.live(29_000)
    assert not hand.waiting(FetchRequest)
    hand.live(1_000)
    hand.epoch_ended(*told)
    with pytest.raises(LogTruncated):
        hand.polled()
    hand.machine.positions.seek(P0, 6)
    hand.poll()
    assert asked(hand) == [(0, 6, 2)]


def test_a_position_under_validation_is_not_committed_and_what_is_buffered_is_thrown_away():
    hand = Hand(max_poll_records=1, metadata_max_age_ms=5_000)
    hand.leader_epoch = 1
    hand.consuming(P0, P1)
    hand.fetched(p0=[batch(0, 5, leader_epoch=1)])
    assert hand.polled() == [(0, 0)]
    hand.live(5_000)
    hand.leaders, hand.leader_epoch = ("broker-1",), 2
    assert hand.poll() == [(0, 1)]
    hand.metadata()

    assert hand.poll(10) == "waits"
    assert hand.pending(OffsetForLeaderEpochRequest).body.partitions == (EpochAsked(P0, 2, 1),)
    hand.wait(10)
    hand.commit()
    (committed,) = hand.pending(OffsetCommitRequest).body.offsets
    assert committed.partition == P1
    hand.epoch_ended(1, 2)
    assert hand.poll() == "waits"
    assert position(hand) == 2


@pytest.mark.parametrize("error", [None, *REFUSALS])
def test_a_leader_that_cannot_say_is_asked_again_with_new_metadata(error):
    hand = at_ten()
    hand.new_leader("broker-1", 2)
    if error is None:
        hand.answer(OffsetForLeaderEpochRequest, None)
    else:
        hand.epoch_ended(error=error)
    hand.wait(79)
    assert not hand.waiting(OffsetForLeaderEpochRequest)
    hand.wait(121)

    assert hand.waiting(MetadataRequest)
    assert hand.pending(OffsetForLeaderEpochRequest).to == "broker-1"
    hand.epoch_ended(1, 12)
    assert position(hand) == 10


def test_an_answer_counts_only_while_neither_position_nor_leader_has_changed():
    hand = at_ten()
    hand.new_leader("broker-1", 2)
    hand.machine._leaders.stale()  # As any refusal does.
    hand.wait(200)
    hand.leaders, hand.leader_epoch = ("broker-2",), 3
    hand.metadata()
    hand.epoch_ended(1, 6)
    assert (position(hand), truncations(hand)) == (10, [])
    assert hand.epoch_ended(1, 10) == (EpochAsked(P0, 3, 1),)
    assert asked(hand) == [(0, 10, 3)]

    hand = at_ten()
    hand.new_leader("broker-1", 2)
    hand.rest()
    hand.machine.positions.seek(P0, 9)
    hand.epoch_ended(1, 6)
    assert (position(hand), truncations(hand)) == (9, [])


def test_all_positions_of_one_leader_are_asked_about_at_once():
    hand = Hand()
    hand.leader_epoch = 1
    hand.consuming(P0, P1, P2)
    hand.fetched(p0=[batch(0, 4, leader_epoch=1)], p1=[batch(0, 2, leader_epoch=0)])
    hand.polled()
    hand.poll()
    hand.new_leader("broker-1", 2)

    assert asked(hand) == [(2, 0, 2)]
    assert hand.epoch_ended(1, 9) == (EpochAsked(P0, 2, 1), EpochAsked(P1, 2, 0))
    hand.fetched()
    assert asked(hand) == [(2, 0, 2), (0, 4, 2), (1, 2, 2)]


def test_a_position_without_an_epoch_is_not_validated():
    """Sought, or reset, or committed without one."""
    hand = at_ten().rest()
    hand.machine.positions.seek(P0, 7)
    hand.poll()
    hand.fetched()
    hand.new_leader("broker-1", 2)

    assert asked(hand) == [(0, 7, 2)]


@pytest.mark.parametrize(("epoch", "validated"), [(1, True), (2, False), (-1, False)])
def test_a_committed_offset_is_validated_if_its_epoch_is_older_than_the_leaders(epoch, validated):
    hand = Hand()
    hand.leader_epoch = 2
    hand.into_group(P0)
    hand.committed(p0=10, epoch=epoch)

    assert hand.waiting(OffsetForLeaderEpochRequest) == validated
    assert hand.waiting(FetchRequest) != validated


def test_a_leader_without_a_new_epoch_validates_nothing():
    """At replication factor 1 no consumer ever asks."""
    hand = Hand()
    hand.consuming(P0)
    hand.fetched(p0=[batch(0, 3, leader_epoch=0)])
    hand.polled()
    hand.poll()
    hand.new_leader("broker-0", 0)

    assert "OffsetForLeaderEpoch" not in hand.sent
    assert asked(hand) == [(0, 3, 0)]


@pytest.mark.parametrize("error", REFUSALS)
def test_a_refused_fetch_means_new_metadata_and_the_position_stays(error):
    hand = at_ten()
    hand.fetched(errors={P0: error})
    hand.wait(100)
    assert not hand.waiting(FetchRequest)
    hand.metadata()

    assert asked(hand) == [(0, 10, 1)]


# --- As it was before ------------------------------------------------------------------------


def test_a_consumer_before_2_3_tells_no_epoch_and_skips_what_a_new_leader_wrote():
    """KAFKA-7747: it goes on at offset 10 of another history, and never sees 6 to 9 of it."""
    hand = at_ten(past=OLD)
    assert asked(hand) == [(0, 10, -1)]
    hand.new_leader("broker-1", 2)
    assert "OffsetForLeaderEpoch" not in hand.sent
    assert asked(hand) == [(0, 10, -1)]
    hand.fetched(p0=[batch(10, 3, leader_epoch=2)])

    assert hand.polled() == [(0, 10), (0, 11), (0, 12)]
    hand.commit()
    assert hand.pending(OffsetCommitRequest).body.offsets[0].leader_epoch == -1


def test_a_consumer_before_2_3_believes_old_metadata():
    hand = at_ten(past=OLD)
    hand.new_leader("broker-1", 2)
    hand.new_leader("broker-0", 1)

    assert hand.pending(FetchRequest).to == "broker-0"


# --- Followers -------------------------------------------------------------------------------


def near(**settings):
    hand = Hand(past=NEAR, **settings)
    hand.replicas = ("broker-0", "broker-1", "broker-2")
    hand.leader_epoch = 1
    return hand


def test_a_consumer_may_read_from_the_last_replica():
    hand = near().into_group(P0)
    hand.committed()
    assert hand.pending(ListOffsetsRequest).to == "broker-0"
    hand.listed(3)

    assert hand.pending(FetchRequest).to == "broker-2"
    assert asked(hand) == [(0, 3, 1)]


def test_a_last_replica_that_leads_is_read_as_the_leader():
    hand = near(leaders=("broker-2",)).consuming(P0)

    assert hand.pending(FetchRequest).to == "broker-2"


def test_what_a_follower_does_not_have_is_asked_of_the_leader_before_a_reset():
    hand = near().consuming(P0, p0=9)
    hand.fetched(errors={P0: Error.OFFSET_OUT_OF_RANGE})
    assert hand.pending(FetchRequest).to == "broker-0"
    assert position(hand) == 9
    hand.fetched(errors={P0: Error.OFFSET_OUT_OF_RANGE})

    assert hand.listed(2).partitions == (OffsetAsked(P0, -2, 1),)
    assert hand.pending(FetchRequest).to == "broker-0"


def test_what_a_follower_may_not_show_yet_is_asked_of_it_again():
    hand = near().consuming(P0, p0=9)
    hand.fetched(errors={P0: Error.OFFSET_NOT_AVAILABLE})
    hand.wait(100)
    hand.metadata()

    assert hand.pending(FetchRequest).to == "broker-2"
    assert asked(hand) == [(0, 9, 1)]


def test_a_follower_that_does_not_answer_is_left_for_the_leader_until_there_is_another():
    hand = near().consuming(P0)
    hand.answer(FetchRequest, None)
    hand.wait(100)
    assert hand.pending(FetchRequest).to == "broker-0"
    hand.metadata()
    hand.new_leader("broker-1", 2)

    assert hand.pending(FetchRequest).to == "broker-2"


# --- auto.offset.reset -----------------------------------------------------------------------


def test_a_duration_counts_back_from_now_and_not_beyond_the_beginning():
    hand = Hand(auto_offset_reset="by_duration:PT10S")
    hand.now_us = 60_000_000
    hand.into_group(P0)
    hand.committed()
    assert hand.listed(8).partitions == (OffsetAsked(P0, 50_000, 0),)
    assert hand.happened[-1] == ("position_reset", "g", "orders", 0, 8, "by_duration:PT10S")

    hand = Hand(auto_offset_reset="by_duration:P1D").into_group(P0)
    hand.committed()
    assert hand.listed(0).partitions == (OffsetAsked(P0, 0, 0),)


def test_while_nothing_is_young_enough_a_duration_is_asked_for_every_request_timeout():
    hand = Hand(auto_offset_reset="by_duration:PT10S").into_group(P0)
    hand.committed()
    hand.listed(-1)
    hand.rest()
    hand.poll(60_000)
    hand.live(19_000)
    assert not hand.waiting(ListOffsetsRequest)
    hand.live(1_000)

    assert hand.listed(5).partitions == (OffsetAsked(P0, 20_000, 0),)  # It is 0:30 now.
    assert position(hand) == 5


@pytest.mark.parametrize(("policy", "lands"), [("earliest", 40), ("latest", 90)])
def test_a_consumer_that_slept_past_retention_is_reset(policy, lands):
    """From 10 on everything up to 40 is gone: earliest loses 10 to 39, latest also 40 to 89."""
    hand = at_ten(auto_offset_reset="earliest") if policy == "earliest" else None
    if hand is None:
        hand = Hand(auto_offset_reset=policy).consuming(P0, p0=10)
    hand.fetched(errors={P0: Error.OFFSET_OUT_OF_RANGE})
    hand.listed(lands)

    assert hand.happened[-1] == ("position_reset", "g", "orders", 0, lands, policy)
    assert position(hand) == lands


def test_a_consumer_that_slept_past_retention_without_a_policy_fails_and_stays():
    hand = Hand(auto_offset_reset="none").consuming(P0, p0=10)
    for _ in range(2):
        hand.fetched(errors={P0: Error.OFFSET_OUT_OF_RANGE})
        with pytest.raises(OffsetOutOfRange, match="orders-0 at 10"):
            hand.polled()
        hand.poll()

    assert issubclass(LogTruncated, OffsetOutOfRange)
    assert issubclass(OffsetOutOfRange, NoOffsetForPartition)
    assert position(hand) == 10


# --- New partitions --------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "first"), [("earliest", 0), ("latest", 7)])
def test_a_new_partition_begins_where_the_policy_says(policy, first):
    """What was written before the group noticed it is skipped with latest, and read else."""
    hand = Hand(partitions=1, auto_offset_reset=policy, metadata_max_age_ms=20_000)
    hand.subscribe()
    hand.poll(60_000)
    hand.coordinator()
    hand.metadata()
    hand.joined_as_leader()
    hand.synced(P0)
    hand.committed(p0=3)
    hand.partitions = 2
    hand.wait(20_000)
    hand.metadata()
    assert hand.waiting(JoinGroupRequest)
    hand.joined_as_leader(2)
    hand.synced(P0, P1)
    hand.committed(p0=3)

    timestamp = {"earliest": -2, "latest": -1}[policy]
    assert hand.listed(first).partitions == (OffsetAsked(P1, timestamp, 0),)
    assert hand.happened[-1] == ("position_reset", "g", "orders", 1, first, policy)
