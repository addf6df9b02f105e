"""A consumer and its records: positions, fetches, pages, pauses, seeks, resets, isolation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import BadInput, KafkaError, NoOffsetForPartition
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    FetchRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    MetadataRequest,
    OffsetFetchRequest,
    OffsetFetchResponse,
    OffsetListed,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Batch
from tests.consuming import P0, P1, P2, Hand, batch


def asked(hand):
    return [
        (one.partition.partition, one.offset) for one in hand.pending(FetchRequest).body.partitions
    ]


def position(hand, partition=P0):
    return hand.machine.positions.position(partition)


# --- Where to begin --------------------------------------------------------------------------


def test_a_partition_begins_where_the_group_has_committed():
    hand = Hand().consuming(P0, p0=42)

    assert asked(hand) == [(0, 42)]
    assert hand.happened == [("partitions_assigned", "g", 1, (("orders", 0),))]


@pytest.mark.parametrize(
    ("policy", "timestamp"), [("earliest", EARLIEST_TIMESTAMP), ("latest", LATEST_TIMESTAMP)]
)
def test_without_a_commit_auto_offset_reset_decides(policy, timestamp):
    hand = Hand(auto_offset_reset=policy).into_group(P0, P1)
    hand.committed()
    assert hand.listed(9).partitions == ((P0, timestamp, 0), (P1, timestamp, 0))

    assert asked(hand) == [(0, 9), (1, 9)]
    assert hand.happened[-1] == ("position_reset", "g", "orders", 1, 9, policy)


def test_without_a_commit_and_a_policy_poll_throws_again_and_again():
    hand = Hand(auto_offset_reset="none").into_group(P0)
    hand.committed()
    with pytest.raises(NoOffsetForPartition, match=r"orders-0.*auto\.offset\.reset"):
        hand.polled()

    hand.poll()
    hand.committed()
    with pytest.raises(NoOffsetForPartition):
        hand.polled()
    hand.machine.positions.seek(P0, 5)
    hand.poll()
    assert asked(hand) == [(0, 5)]


def test_nothing_is_fetched_before_the_committed_offsets_are_known():
    hand = Hand().into_group(P0)

    assert not hand.waiting(FetchRequest)
    assert hand.polled() == "waits"


UNSTABLE = OffsetFetchResponse(Error.NONE, (), ((P0, Error.UNSTABLE_OFFSET_COMMIT),))


@pytest.mark.parametrize(
    "answer", [None, OffsetFetchResponse(Error.COORDINATOR_LOAD_IN_PROGRESS), UNSTABLE]
)
def test_committed_offsets_that_were_not_told_are_asked_for_again(answer):
    hand = Hand().into_group(P0)
    hand.answer(OffsetFetchRequest, answer)
    hand.wait(80)
    if answer is None:
        hand.coordinator("broker-0")
    hand.committed(p0=3)

    assert asked(hand) == [(0, 3)]


def test_committed_offsets_refused_for_good_are_thrown():
    hand = Hand().into_group(P0)
    hand.answer(OffsetFetchRequest, OffsetFetchResponse(Error.INVALID_GROUP_ID))

    with pytest.raises(KafkaError, match="INVALID_GROUP_ID"):
        hand.polled()


@pytest.mark.parametrize("error", [None, Error.NOT_LEADER_OR_FOLLOWER, Error.LEADER_NOT_AVAILABLE])
def test_an_offset_that_was_not_listed_is_asked_for_again_with_new_metadata(error):
    hand = Hand(leaders=("broker-0",)).into_group(P0)
    hand.committed()
    if error is None:
        hand.answer(ListOffsetsRequest, None)
    else:
        hand.listed(error=error)
    hand.leaders = ("broker-1",)
    hand.wait(79)
    assert not hand.waiting(ListOffsetsRequest)
    hand.wait(1)
    if hand.waiting(MetadataRequest):
        hand.metadata()
    hand.wait(200)

    assert hand.waiting(ListOffsetsRequest)
    hand.listed(4)
    assert position(hand) == 4


def test_an_answer_about_a_position_that_was_sought_meanwhile_is_ignored():
    hand = Hand().into_group(P0).rest()
    hand.machine.positions.seek(P0, 5)
    hand.committed(p0=1)
    assert position(hand) == 5

    hand = Hand().into_group(P0)
    hand.committed()
    hand.rest()
    hand.machine.positions.seek(P0, 5)
    hand.listed(1)
    assert position(hand) == 5


def test_a_listener_may_seek_before_anything_is_fetched():
    hand = Hand()
    hand.holding = True
    hand.into_group(P0)
    hand.machine.positions.seek(P0, 7)
    hand.listened()

    assert "OffsetFetch" not in hand.sent
    assert asked(hand) == [(0, 7)]


# --- Handing out -----------------------------------------------------------------------------


def test_a_position_advances_when_records_are_handed_out():
    """Not when they are fetched, nor when they are processed."""
    hand = Hand(max_poll_records=2).consuming(P0)
    hand.rest()
    hand.fetched(p0=[batch(0, 5)])
    assert position(hand) == 0

    assert hand.poll() == [(0, 0), (0, 1)]
    assert position(hand) == 2


def test_max_poll_records_pages_what_one_fetch_brought():
    """Partitions follow each other, each in offset order; the limit does not limit the fetch."""
    hand = Hand(max_poll_records=3).consuming(P0, P1)
    hand.fetched(p0=[batch(0, 2), batch(2, 3)], p1=[batch(7, 2)], p2=[])

    pages = [hand.polled()]
    while pages[-1] != "waits":
        pages.append(hand.poll())
    assert pages == [
        [(0, 0), (0, 1), (0, 2)],
        [(0, 3), (0, 4), (1, 7)],
        [(1, 8)],
        "waits",
    ]


def test_a_record_is_handed_out_as_it_lies_in_the_log():
    hand = Hand().consuming(P0)
    hand.rest()
    hand.fetched(p0=[batch(3, 1)])
    hand.machine.positions.seek(P0, 0)
    hand.poll()
    hand.fetched(p0=[batch(3, 1)])

    record = hand.machine.poll("poll", hand.now_us, 0)
    assert record == []
    hand = Hand().consuming(P0)
    hand.rest()
    hand.fetched(p0=[batch(0, 1)])
    (record,) = hand.machine.poll("poll", hand.now_us, 0)
    assert record == ("orders", 0, 0, "k", "v0", "e0", 0, ())
    assert (record.topic, record.key, record.event_id) == ("orders", "k", "e0")


def test_records_before_the_position_are_dropped_from_a_batch():
    """A fetch brings whole batches; the one that contains the position may begin before it."""
    hand = Hand().consuming(P0, p0=3)
    hand.fetched(p0=[batch(1, 4), batch(5, 1)])

    assert hand.polled() == [(0, 3), (0, 4), (0, 5)]


@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(1, 9), st.data())
def test_every_record_is_handed_out_once_however_it_is_batched_and_paged(sizes, page, data):
    hand = Hand(max_poll_records=page)
    end = sum(sizes)
    start = data.draw(st.integers(0, end - 1))
    hand.consuming(P0, p0=start).rest()
    batches, base = [], 0
    for size in sizes:
        batches.append(batch(base, size))
        base += size
    hand.fetched(p0=[one for one in batches if one.next_offset > start])

    got = []
    while isinstance(records := hand.poll(0), list) and records:
        assert len(records) <= page
        got += [offset for _, offset in records]
    assert got == list(range(start, end))
    assert position(hand) == end


def test_an_empty_poll_costs_one_fetch_that_waits_at_the_broker():
    hand = Hand().consuming(P0)
    hand.fetched()
    hand.fetched()

    assert hand.polled() == "waits"
    assert hand.sent.count("Fetch") == 3
    first = hand.pending(FetchRequest).body
    assert (first.max_wait_ms, first.min_bytes, first.max_bytes) == (500, 1, 52_428_800)


def test_a_poll_of_no_time_takes_what_is_there():
    hand = Hand().consuming(P0).rest()

    assert hand.poll(0) == []
    hand.fetched(p0=[batch(0)])
    assert hand.poll(0) == [(0, 0)]


# --- Fetching --------------------------------------------------------------------------------


def test_the_next_fetch_is_sent_before_records_are_handed_out():
    hand = Hand().consuming(P0)
    hand.fetched(p0=[batch(0, 2)])

    assert hand.polled() == [(0, 0), (0, 1)]
    assert asked(hand) == [(0, 2)]


def test_a_partition_with_something_buffered_is_not_fetched():
    hand = Hand(max_poll_records=1).consuming(P0, P1)
    hand.fetched(p0=[batch(0, 2)])

    assert hand.polled() == [(0, 0)]
    assert asked(hand) == [(1, 0)]


def test_one_fetch_at_a_time_is_in_flight_to_each_broker():
    hand = Hand(leaders=("broker-0", "broker-1")).consuming(P0, P1, P2)

    fetches = [ask for ask in hand.asked if isinstance(ask.body, FetchRequest)]
    assert [(ask.to, len(ask.body.partitions)) for ask in fetches] == [
        ("broker-0", 2),
        ("broker-1", 1),
    ]
    hand.fetched(p0=[batch(0)])
    assert hand.polled() == [(0, 0)]
    hand.poll()
    assert [ask.to for ask in hand.asked if isinstance(ask.body, FetchRequest)] == [
        "broker-1",
        "broker-0",
    ]


def test_who_was_served_is_fetched_last():
    """So that fetch.max.bytes starves nobody."""
    hand = Hand().consuming(P0, P1, P2)
    hand.fetched(p0=[batch(0)])
    hand.polled()
    assert asked(hand) == [(1, 0), (2, 0), (0, 1)]


def test_nothing_is_fetched_while_the_application_is_elsewhere():
    hand = Hand().consuming(P0).rest()
    hand.fetched()
    hand.wait(60_000)

    assert hand.sent.count("Fetch") == 1


def test_a_fetch_without_an_answer_is_sent_again_after_a_backoff_with_new_metadata():
    hand = Hand().consuming(P0)
    hand.answer(FetchRequest, None)
    hand.wait(79)
    assert not hand.waiting(FetchRequest)
    hand.wait(1)

    assert hand.waiting(FetchRequest)
    assert hand.sent.count("Metadata") == 2


@pytest.mark.parametrize(
    "error",
    [Error.NOT_LEADER_OR_FOLLOWER, Error.UNKNOWN_TOPIC_OR_PARTITION, Error.FENCED_LEADER_EPOCH],
)
def test_a_leader_that_has_moved_is_asked_after_and_the_position_stays(error):
    hand = Hand().consuming(P0, p0=4)
    hand.leaders = ("broker-1",)
    hand.fetched(errors={P0: error})
    hand.wait(100)
    assert not hand.waiting(FetchRequest)
    hand.metadata()

    assert hand.pending(FetchRequest).to == "broker-1"
    assert asked(hand) == [(0, 4)]


def test_a_partition_that_cannot_be_read_is_thrown_after_the_records_before_it():
    hand = Hand().consuming(P0, P1)
    hand.fetched(p0=[batch(0)], errors={P1: Error.CORRUPT_MESSAGE})

    assert hand.polled() == [(0, 0)]
    with pytest.raises(KafkaError, match="CORRUPT_MESSAGE: orders-1 at 0"):
        hand.poll()
    assert position(hand, P1) == 0


# --- Out of range ----------------------------------------------------------------------------


def test_a_position_out_of_range_is_reset():
    hand = Hand().consuming(P0, p0=100)
    hand.fetched(errors={P0: Error.OFFSET_OUT_OF_RANGE})
    hand.listed(6)

    assert asked(hand) == [(0, 6)]
    assert hand.happened[-1] == ("position_reset", "g", "orders", 0, 6, "earliest")


def test_a_position_out_of_range_without_a_policy_is_thrown():
    hand = Hand(auto_offset_reset="none").consuming(P0, p0=100)
    hand.fetched(errors={P0: Error.OFFSET_OUT_OF_RANGE})

    with pytest.raises(NoOffsetForPartition, match="OFFSET_OUT_OF_RANGE: orders-0 at 100"):
        hand.polled()
    assert position(hand) == 100


def test_an_old_positions_error_is_ignored():
    hand = Hand().consuming(P0, p0=100).rest()
    hand.machine.positions.seek(P0, 5)
    hand.fetched(errors={P0: Error.OFFSET_OUT_OF_RANGE})
    hand.poll()

    assert asked(hand) == [(0, 5)]


# --- Seek and pause --------------------------------------------------------------------------


def test_a_seek_throws_away_what_is_buffered_and_what_is_on_its_way():
    hand = Hand(max_poll_records=1).consuming(P0)
    hand.fetched(p0=[batch(0, 3)])
    hand.polled()
    hand.machine.positions.seek(P0, 9)
    assert hand.poll() == "waits"
    assert asked(hand) == [(0, 9)]

    hand.rest()
    hand.machine.positions.seek(P0, 1)
    hand.fetched(p0=[batch(9)])
    assert hand.poll() == "waits"
    hand.fetched(p0=[batch(1)])
    assert hand.polled() == [(0, 1)]


def test_a_seek_is_heeded_by_the_fetch_after_one_that_waited_in_vain():
    hand = Hand().consuming(P0).rest()
    hand.machine.positions.seek(P0, 9)
    assert hand.poll() == "waits"
    hand.fetched()

    assert asked(hand) == [(0, 9)]


def test_a_partition_that_ran_dry_is_in_the_fetch_after_one_that_waited_in_vain():
    hand = Hand(max_poll_records=1).consuming(P0, P1)
    hand.fetched(p0=[batch(0, 2)])
    assert [hand.polled(), hand.poll(), hand.poll()] == [[(0, 0)], [(0, 1)], "waits"]
    assert asked(hand) == [(1, 0)]
    hand.fetched()

    assert asked(hand) == [(1, 0), (0, 2)]


@pytest.mark.parametrize(("policy", "timestamp"), [("earliest", -2), ("latest", -1)])
def test_a_seek_to_an_end_is_asked_of_the_leader_by_the_next_poll(policy, timestamp):
    hand = Hand().consuming(P0).rest()
    hand.machine.positions.seek_to(policy)
    assert (position(hand), hand.waiting(ListOffsetsRequest)) == (None, False)
    hand.poll()

    assert hand.listed(30).partitions == ((P0, timestamp, 0),)
    assert position(hand) == 30


def test_a_pause_keeps_what_is_buffered_and_fetches_no_more():
    hand = Hand().consuming(P0, P1).rest()
    hand.fetched(p0=[batch(0)], p1=[batch(0)])
    hand.machine.positions.pause([P0])

    assert hand.poll() == [(1, 0)]
    assert asked(hand) == [(1, 1)]
    assert hand.machine.positions.paused == (P0,)
    hand.machine.positions.pause([P0], paused=False)
    assert hand.poll() == [(0, 0)]


def test_a_paused_consumer_still_heartbeats_and_waits():
    hand = Hand().consuming(P0)
    hand.rest()
    hand.machine.positions.pause([P0])
    hand.fetched()
    hand.poll()
    hand.wait(9_000)

    assert not hand.waiting(FetchRequest)
    assert hand.sent.count("Heartbeat") == 6


@pytest.mark.parametrize("method", ["seek", "seek_to", "pause", "position"])
def test_what_is_not_assigned_cannot_be_sought_or_paused(method):
    arguments = {
        "seek": (P1, 0),
        "seek_to": ("earliest", [P1]),
        "pause": ([P1],),
        "position": (P1,),
    }
    hand = Hand().consuming(P0)

    with pytest.raises(BadInput, match=r"not assigned: \('orders', 1\)"):
        getattr(hand.machine.positions, method)(*arguments[method])


def test_an_offset_to_seek_is_a_whole_number():
    with pytest.raises(BadInput, match="-1"):
        Hand().consuming(P0).machine.positions.seek(P0, -1)


# --- Rebalances and records ------------------------------------------------------------------


def test_nothing_is_handed_out_or_fetched_while_the_commit_before_a_rebalance_is_on_its_way():
    """Or the position would get ahead of the commit: a duplicate for the next owner."""
    often = {"enable_auto_commit": True, "auto_commit_interval_ms": 60_000}
    hand = Hand(max_poll_records=1, **often).consuming(P0).rest()
    hand.fetched(p0=[batch(0, 3)])
    assert hand.poll() == [(0, 0)]
    hand.answer(HeartbeatRequest, HeartbeatResponse(Error.REBALANCE_IN_PROGRESS))

    assert hand.poll() == "waits"
    hand.commit_answered()
    assert hand.heard[1:] == [("revoked", (P0,))]
    hand.joined(2)
    hand.synced(P0)
    hand.committed(p0=1)
    hand.fetched(p0=[batch(1, 2)])
    assert hand.polled() == [(0, 1)]


def test_a_fetch_of_another_assignment_is_thrown_away():
    hand = Hand().consuming(P0).rest()
    hand.answer(HeartbeatRequest, HeartbeatResponse(Error.REBALANCE_IN_PROGRESS))
    hand.poll()
    hand.fetched(p0=[batch(0)])
    hand.joined(2)
    hand.synced(P1)
    hand.committed(p1=0)

    assert hand.polled() == "waits"
    assert asked(hand) == [(1, 0)]


# --- By hand ---------------------------------------------------------------------------------


def test_partitions_assigned_by_hand_need_no_group():
    hand = Hand(group_id=None)
    hand.machine.assign(0, [P1])
    hand.poll()
    hand.metadata()
    hand.listed(2)
    hand.fetched(p1=[batch(2)])

    assert hand.polled() == [(1, 2)]
    assert hand.sent == ["Metadata", "ListOffsets", "Fetch", "Fetch"]


def test_partitions_assigned_by_hand_begin_at_the_groups_commit_without_joining_it():
    hand = Hand()
    hand.machine.assign(0, [P1])
    hand.poll()
    hand.coordinator()
    hand.metadata()
    hand.committed(p1=8)

    assert asked(hand) == [(1, 8)]
    assert "JoinGroup" not in hand.sent
    hand.rest()
    hand.machine.assign(hand.now_us, [P1, P2])
    assert position(hand, P1) == 8


# --- Transactions ----------------------------------------------------------------------------


def _marker(offset, producer_id, outcome):
    return Batch((), offset, producer_id, 0, transactional=True, control=outcome)


def _transactional(offset, producer_id, count=1):
    return batch(offset, count, producer_id=producer_id, producer_epoch=0, transactional=True)


LOG = [
    _transactional(0, 7),
    _transactional(1, 8),
    _marker(2, 7, "abort"),
    _transactional(3, 7),
    _marker(4, 8, "commit"),
    _marker(5, 7, "commit"),
    batch(6),
]


def test_read_committed_passes_over_aborted_records_and_all_markers():
    hand = Hand(isolation_level="read_committed").consuming(P0)
    assert hand.pending(FetchRequest).body.isolation_level == "read_committed"
    hand.fetched(p0=LOG, aborted=((7, 0),))

    assert hand.polled() == [(0, 1), (0, 3), (0, 6)]


def test_read_uncommitted_passes_over_markers_alone():
    hand = Hand().consuming(P0)
    hand.fetched(p0=LOG)

    assert hand.polled() == [(0, 0), (0, 1), (0, 3), (0, 6)]


def test_a_poll_may_bring_nothing_but_a_position():
    hand = Hand().consuming(P0)
    hand.fetched(p0=[_marker(0, 7, "commit")])

    assert hand.polled() == []
    assert position(hand) == 1


def test_a_listing_of_another_partition_is_no_answer():
    hand = Hand().into_group(P0)
    hand.committed()
    other = OffsetListed(TopicPartition("orders", 9), Error.NONE, 5)
    hand.answer(ListOffsetsRequest, ListOffsetsResponse((other,)))

    assert position(hand) is None
