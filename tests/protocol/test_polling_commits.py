"""A consumer's commits: synchronous, asynchronous, automatic, and what their answers mean."""

import pytest

from simulator.errors import (
    BadInput,
    CommitFailed,
    FencedInstance,
    KafkaError,
    RebalanceInProgress,
    RequestTimedOut,
    RetriableError,
)
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    CommittedOffset,
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    LeaveGroupRequest,
    LeaveGroupResponse,
    OffsetCommitRequest,
    OffsetFetchRequest,
    OffsetFetchResponse,
)
from tests.consuming import P0, P1, Hand, batch

AUTO = {"enable_auto_commit": True, "auto_commit_interval_ms": 20_000}


def read_some(count=3, **settings):
    """A consumer that was handed `count` records of partition 0 and is elsewhere now."""
    hand = Hand(**settings).consuming(P0, P1).rest()
    hand.fetched(p0=[batch(0, count)])
    assert hand.poll() == [(0, offset) for offset in range(count)]
    return hand


def committed(hand):
    return {one.partition: one.offset for one in hand.pending(OffsetCommitRequest).body.offsets}


def rebalance_is_on(hand):
    hand.answer(HeartbeatRequest, HeartbeatResponse(Error.REBALANCE_IN_PROGRESS))


# --- Synchronous -----------------------------------------------------------------------------


def test_a_commit_without_offsets_commits_all_positions():
    """Of all partitions, read from or not, as the member of its generation."""
    hand = read_some()
    commit = hand.commit()

    assert commit() == "waits"
    assert hand.commit_answered() == OffsetCommitRequest(
        "g", 1, "c-1", (CommittedOffset(P0, 3), CommittedOffset(P1, 0))
    )
    assert commit() is None
    assert hand.happened[-2:] == [
        ("commit_answered", "g", "orders", 0, 3, "NONE"),
        ("commit_answered", "g", "orders", 1, 0, "NONE"),
    ]


def test_a_commit_of_given_offsets_commits_just_these_backwards_too():
    hand = read_some()
    hand.commit({("orders", 0): 1})

    assert committed(hand) == {P0: 1}


def test_a_commit_of_nothing_is_done_at_once():
    hand = Hand().into_group().rest()

    assert hand.commit()() is None
    assert "OffsetCommit" not in hand.sent


@pytest.mark.parametrize("offset", [-1, True, "3", 1.5])
def test_an_offset_to_commit_is_a_whole_number(offset):
    with pytest.raises(BadInput, match="whole number from 0"):
        read_some().commit({P0: offset})


@pytest.mark.parametrize("partition", ["orders-0", ("orders",), (0, "orders")])
def test_a_partition_to_commit_is_a_pair(partition):
    with pytest.raises(BadInput, match="pair of topic and number"):
        read_some().commit({partition: 1})


@pytest.mark.parametrize(
    "error", [Error.COORDINATOR_LOAD_IN_PROGRESS, Error.UNKNOWN_TOPIC_OR_PARTITION]
)
def test_a_synchronous_commit_is_sent_again_after_a_backoff(error):
    hand = read_some()
    commit = hand.commit()
    hand.commit_answered(error)
    hand.wait(79)
    assert not hand.waiting(OffsetCommitRequest)
    hand.wait(1)
    hand.commit_answered()

    assert commit() is None


@pytest.mark.parametrize(
    "error",
    [Error.NOT_COORDINATOR, Error.COORDINATOR_NOT_AVAILABLE, Error.REQUEST_TIMED_OUT, None],
)
def test_a_synchronous_commit_follows_its_coordinator(error):
    """None: the answer was lost; the commit may be done, and is done again."""
    hand = read_some()
    commit = hand.commit()
    if error is None:
        hand.answer(OffsetCommitRequest, None)
        assert hand.happened[-1] == ("commit_answered", "g", "orders", 1, 0, "NETWORK_EXCEPTION")
    else:
        hand.commit_answered(error)
    hand.wait(80)
    hand.coordinator("broker-1")

    assert hand.pending(OffsetCommitRequest).to == "broker-1"
    hand.commit_answered()
    assert commit() is None


def test_a_synchronous_commit_gives_up_after_default_api_timeout():
    hand = read_some()
    commit = hand.commit(timeout_ms=1_000)
    for wait_ms in (80, 160, 320):
        hand.commit_answered(Error.COORDINATOR_LOAD_IN_PROGRESS)
        hand.wait(wait_ms)
    hand.commit_answered(Error.COORDINATOR_LOAD_IN_PROGRESS)
    hand.wait(439)
    assert commit() == "waits"
    hand.wait(1)
    assert isinstance(commit(), RequestTimedOut)


def test_an_answer_after_the_commit_was_given_up_is_only_noted():
    hand = read_some()
    commit = hand.commit(timeout_ms=1_000)
    hand.wait(1_000)
    assert isinstance(commit(), RequestTimedOut)
    hand.commit_answered()

    assert hand.happened[-1][-1] == "NONE"
    assert hand.commit()() == "waits"


# --- What an answer means --------------------------------------------------------------------


@pytest.mark.parametrize("error", [Error.UNKNOWN_MEMBER_ID, Error.ILLEGAL_GENERATION])
def test_a_commit_of_a_member_that_was_moved_on_fails_and_it_rejoins(error):
    hand = read_some()
    commit = hand.commit()
    hand.commit_answered(error)

    assert isinstance(commit(), CommitFailed)
    hand.poll()
    assert hand.heard[1:] == [("lost", (P0, P1))]
    join = hand.pending(JoinGroupRequest).body
    assert join.member_id == ("" if error is Error.UNKNOWN_MEMBER_ID else "c-1")


def test_a_commit_in_the_middle_of_a_rebalance_is_refused_and_nothing_is_lost():
    hand = read_some()
    commit = hand.commit()
    hand.commit_answered(Error.REBALANCE_IN_PROGRESS)

    assert isinstance(commit(), RebalanceInProgress)
    hand.poll()
    assert hand.heard[1:] == [("revoked", (P0, P1))]


def test_a_member_that_knows_it_is_rejoining_does_not_even_ask():
    hand = read_some()
    rebalance_is_on(hand)
    hand.poll(100)
    hand.wait(100)
    commit = hand.commit({P0: 3})

    assert isinstance(commit(), RebalanceInProgress)
    assert "OffsetCommit" not in hand.sent
    assert hand.happened[-1] == ("commit_answered", "g", "orders", 0, 3, "REBALANCE_IN_PROGRESS")


def test_an_old_generations_refusal_is_a_rebalance_in_progress_once_it_joins_anew():
    """Its commit is under way while it joins, is in a new generation, and joins once more."""
    hand = read_some()
    hand.machine.commit_async(hand.now_us, None, "callback")
    hand.follow()
    rebalance_is_on(hand)
    hand.poll()
    hand.joined(2)
    hand.synced(P0, P1)
    hand.wait(3_000)
    while hand.waiting(HeartbeatRequest):
        rebalance_is_on(hand)
    assert hand.waiting(JoinGroupRequest)
    hand.commit_answered(Error.ILLEGAL_GENERATION)

    ((_, _, error),) = hand.called_back
    assert isinstance(error, RebalanceInProgress)


def test_a_fenced_static_member_is_told():
    hand = read_some(group_instance_id="i")
    commit = hand.commit()
    assert hand.commit_answered(Error.FENCED_INSTANCE_ID).group_instance_id == "i"

    assert isinstance(commit(), FencedInstance)


def test_an_answer_that_is_no_ordinary_one_is_thrown():
    hand = read_some()
    commit = hand.commit()
    hand.commit_answered(Error.INVALID_COMMIT_OFFSET_SIZE)

    assert isinstance(commit(), KafkaError)
    assert "INVALID_COMMIT_OFFSET_SIZE" in str(commit())


# --- Asynchronous ----------------------------------------------------------------------------


def test_an_asynchronous_commit_does_not_wait_and_calls_back_in_a_later_call():
    hand = read_some()
    hand.machine.commit_async(hand.now_us, None, "callback")
    hand.follow()
    hand.commit_answered()

    assert hand.called_back == []
    hand.poll(0)
    assert hand.called_back == [("callback", {P0: 3, P1: 0}, None)]


@pytest.mark.parametrize("error", [Error.NOT_COORDINATOR, Error.COORDINATOR_LOAD_IN_PROGRESS, None])
def test_an_asynchronous_commit_is_never_sent_again(error):
    """Or an older one could overtake a newer."""
    hand = read_some()
    hand.machine.commit_async(hand.now_us, None, "callback")
    hand.follow()
    if error is None:
        hand.answer(OffsetCommitRequest, None)
    else:
        hand.commit_answered(error)
    hand.wait(60_000)
    hand.poll(0)

    ((_, _, told),) = hand.called_back
    assert isinstance(told, RetriableError)
    assert hand.sent.count("OffsetCommit") == 1


def test_earlier_callbacks_run_before_a_synchronous_commit_returns():
    hand = read_some()
    for name in ("first", "second"):
        hand.machine.commit_async(hand.now_us, {P0: 1}, name)
    hand.follow()
    commit = hand.commit()
    for _ in range(2):
        hand.commit_answered()
    assert commit() == "waits"
    hand.commit_answered()

    assert commit() is None
    assert [callback for callback, _, _ in hand.called_back] == ["first", "second"]


def test_an_asynchronous_commit_without_a_coordinator_asks_for_one_once():
    for found in (True, False):
        hand = read_some()
        hand.answer(HeartbeatRequest, HeartbeatResponse(Error.NOT_COORDINATOR))
        hand.machine.commit_async(hand.now_us, {P0: 2}, "callback")
        hand.follow()
        assert not hand.waiting(OffsetCommitRequest)
        if found:
            hand.coordinator()
            assert committed(hand) == {P0: 2}
        else:
            hand.answer(type(hand.asked[-1].body), None)
            hand.poll(0)
            assert isinstance(hand.called_back[0][2], RetriableError)


def test_a_fenced_asynchronous_commit_is_thrown_by_the_next_call():
    hand = read_some(group_instance_id="i")
    hand.machine.commit_async(hand.now_us, None, None)
    hand.follow()
    hand.commit_answered(Error.FENCED_INSTANCE_ID)

    with pytest.raises(FencedInstance):
        hand.poll()


# --- Automatic -------------------------------------------------------------------------------


def test_automatic_commits_happen_in_poll_and_cover_earlier_polls():
    """The records that this poll hands out are not in it."""
    hand = Hand(**AUTO).consuming(P0)
    hand.fetched(p0=[batch(0, 2)])
    assert hand.polled() == [(0, 0), (0, 1)]
    hand.fetched(p0=[batch(2, 2)])
    hand.live(60_000)
    assert "OffsetCommit" not in hand.sent

    assert hand.poll() == [(0, 2), (0, 3)]
    assert committed(hand) == {P0: 2}


def test_automatic_commits_are_an_interval_apart_and_the_first_is_too():
    hand = Hand(**AUTO).consuming(P0).rest()
    hand.poll(100_000)
    times = []
    while len(times) < 3:
        hand.live(1_000)
        if hand.waiting(OffsetCommitRequest):
            times.append(hand.now_us // 1_000_000)
            hand.commit_answered()

    assert times == [20, 40, 60]


@pytest.mark.parametrize(
    ("error", "again_ms"),
    [(Error.COORDINATOR_LOAD_IN_PROGRESS, 80), (Error.INVALID_GROUP_ID, 20_000)],
)
def test_an_automatic_commit_that_fails_is_tried_again_soon_or_at_the_next_interval(
    error, again_ms
):
    hand = Hand(**AUTO).consuming(P0)
    hand.fetched(p0=[batch(0, 2)])
    hand.polled()
    hand.poll(100_000)
    hand.wait(20_000)
    hand.commit_answered(error)
    hand.wait(again_ms - 1)
    assert not hand.waiting(OffsetCommitRequest)
    hand.wait(1)

    assert committed(hand) == {P0: 2}


def test_an_automatic_commit_comes_before_a_rebalance():
    hand = read_some(**AUTO)
    rebalance_is_on(hand)
    hand.poll()

    assert committed(hand) == {P0: 3, P1: 0}
    assert hand.heard[1:] == []
    hand.commit_answered()
    assert hand.heard[1:] == [("revoked", (P0, P1))]


def test_an_automatic_commit_before_a_rebalance_is_tried_again():
    hand = read_some(**AUTO)
    rebalance_is_on(hand)
    hand.poll()
    hand.commit_answered(Error.COORDINATOR_LOAD_IN_PROGRESS)
    hand.wait(80)

    assert hand.heard[1:] == []
    hand.commit_answered()
    assert hand.heard[1:] == [("revoked", (P0, P1))]


def test_an_automatic_commit_before_a_rebalance_that_is_refused_holds_nothing_up():
    hand = read_some(**AUTO)
    rebalance_is_on(hand)
    hand.poll()
    hand.commit_answered(Error.UNKNOWN_MEMBER_ID)

    assert hand.heard[1:] == [("lost", (P0, P1))]
    assert hand.waiting(JoinGroupRequest)


def test_an_automatic_commit_before_a_rebalance_holds_it_up_for_max_poll_interval_at_most():
    hand = read_some(**AUTO, max_poll_interval_ms=50_000)
    rebalance_is_on(hand)
    hand.poll(100_000)
    hand.live(49_999)
    assert hand.heard[1:] == []
    hand.live(1)

    assert hand.heard[1:] == [("revoked", (P0, P1))]


def test_closing_commits_automatically_before_it_leaves():
    hand = read_some(**AUTO)
    closed = hand.close()
    assert not hand.waiting(LeaveGroupRequest)

    assert committed(hand) == {P0: 3, P1: 0}
    hand.commit_answered()
    hand.answer(LeaveGroupRequest, LeaveGroupResponse(Error.NONE))
    assert closed() is None


def test_closing_without_automatic_commits_commits_nothing():
    hand = read_some()
    hand.close()

    assert "OffsetCommit" not in hand.sent
    assert hand.waiting(LeaveGroupRequest)


def test_closing_waits_for_asynchronous_commits():
    hand = read_some()
    hand.machine.commit_async(hand.now_us, None, None)
    hand.follow()
    hand.close()
    assert not hand.waiting(LeaveGroupRequest)
    hand.commit_answered()

    assert hand.waiting(LeaveGroupRequest)


def test_assigning_by_hand_commits_what_is_due():
    hand = Hand(**AUTO)
    hand.machine.assign(0, [P0])
    hand.poll(1_000)
    hand.coordinator()
    hand.metadata()
    hand.committed(p0=5)
    hand.wait(25_000)
    hand.machine.assign(hand.now_us, [P1])
    hand.follow()

    commit = hand.pending(OffsetCommitRequest).body
    assert (commit.generation, commit.member_id) == (-1, "")
    assert committed(hand) == {P0: 5}


# --- What is committed -----------------------------------------------------------------------


def test_what_is_committed_is_asked_of_the_coordinator_and_may_be_nothing():
    hand = Hand().into_group(P0)
    hand.committed(p0=1)
    hand.rest()
    call = hand.call(hand.machine.committed, [("orders", 0), ("orders", 1)], 60_000_000)
    hand.committed(p0=4)

    assert hand.results[call] == {P0: 4, P1: None}


def test_what_is_committed_is_asked_again_until_default_api_timeout():
    hand = Hand()
    call = hand.call(hand.machine.committed, [P0], 1_000_000)
    hand.coordinator()
    hand.answer(OffsetFetchRequest, OffsetFetchResponse(Error.COORDINATOR_LOAD_IN_PROGRESS))
    hand.wait(80)
    hand.answer(OffsetFetchRequest, None)
    hand.wait(160)
    hand.coordinator()
    hand.wait(760)

    assert isinstance(hand.results[call], RequestTimedOut)
