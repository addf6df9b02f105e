"""What the application asks leaders: beginnings, ends and times (OffsetFetcher.java)."""

import pytest

from simulator.errors import BadInput, KafkaError, RequestTimedOut
from simulator.protocol.errors import Error
from simulator.protocol.listing import OffsetAndTimestamp
from simulator.protocol.messages import (
    ListOffsetsRequest,
    ListOffsetsResponse,
    MetadataRequest,
    OffsetListed,
)
from tests.consuming import P0, P1, P2, Hand


def ask(hand, times, timeout_ms=60_000):
    """What became of the question: "waits", a dict, or an error."""
    call = hand.call(hand.machine.list_offsets, times, timeout_ms * 1_000)
    return lambda: hand.results.get(call, "waits")


def tell(hand, *results):
    """The answer of the leader that was asked first; the request."""
    told = tuple(OffsetListed(*one) for one in results)
    return hand.answer(ListOffsetsRequest, ListOffsetsResponse(told))


def test_a_consumer_without_a_group_or_an_assignment_may_ask():
    hand = Hand(group_id=None, isolation_level="read_committed")
    asked = ask(hand, {P0: "beginning", P1: "end"})
    hand.metadata()
    request = tell(hand, (P1, Error.NONE, 7), (P0, Error.NONE, 3))

    assert request.isolation_level == "read_committed"
    assert [one[:2] for one in request.partitions] == [(P0, -2), (P1, -1)]
    assert asked() == {P0: 3, P1: 7}
    assert list(asked()) == [P0, P1]
    assert hand.owned == ()


def test_a_time_is_answered_with_the_first_record_that_is_not_older_or_none():
    hand = Hand()
    asked = ask(hand, {P0: 500, P1: 900})
    hand.metadata()
    tell(hand, (P0, Error.NONE, 4, 512), (P1, Error.NONE, -1, -1))

    assert asked() == {P0: OffsetAndTimestamp(4, 512), P1: None}


def test_each_leader_is_asked_once_and_what_was_answered_is_not_asked_again():
    hand = Hand(leaders=("broker-0", "broker-1"))
    asked = ask(hand, {P0: "end", P1: "end", P2: "end"})
    hand.metadata()
    tell(hand, (P0, Error.NONE, 1), (P2, Error.NOT_LEADER_OR_FOLLOWER))
    tell(hand, (P1, Error.NONE, 2))
    assert asked() == "waits"
    hand.wait(100)
    while hand.waiting(MetadataRequest):
        hand.metadata()

    assert [one.partition for one in tell(hand, (P2, Error.NONE, 3)).partitions] == [P2]
    assert asked() == {P0: 1, P1: 2, P2: 3}


def test_silence_ends_with_the_default_api_timeout():
    hand = Hand()
    asked = ask(hand, {P0: "end"}, 5_000)
    hand.wait(4_999)
    assert asked() == "waits"
    hand.wait(1)

    assert isinstance(asked(), RequestTimedOut)


def test_a_refusal_for_good_is_told():
    hand = Hand()
    asked = ask(hand, {P0: "end"})
    hand.metadata()
    tell(hand, (P0, Error.INVALID_REQUEST))

    assert isinstance(asked(), KafkaError)
    assert "INVALID_REQUEST" in str(asked())


def test_a_question_moves_no_position_and_leaves_the_topics_of_interest_as_they_were():
    hand = Hand().consuming(P0).rest()
    asked = ask(hand, {("parcels", 0): "end"})
    hand.wait(100)
    assert hand.pending(MetadataRequest).body.topics == ("orders", "parcels")
    hand.metadata(("orders", "parcels"))
    tell(hand, (("parcels", 0), Error.NONE, 9))

    assert asked() == {("parcels", 0): 9}
    assert hand.machine.positions.position(P0) == 0
    assert hand.machine._leaders.wanted == ("orders",)


@pytest.mark.parametrize("time", [-1, 1.5, True])
def test_a_time_that_is_none_is_refused_and_shown(time):
    with pytest.raises(BadInput, match=str(time)):
        ask(Hand(), {P0: time})


# --- The rest of the face --------------------------------------------------------------------


def test_without_a_group_partitions_are_assigned_by_hand_and_the_group_is_missed_by_its_name():
    hand = Hand(group_id=None)
    calls = (
        hand.subscribe,
        hand.commit,
        lambda: hand.machine.enforce_rebalance(0),
        lambda: hand.machine.committed("call", 0, [P0], 0),
    )
    for call in calls:
        with pytest.raises(BadInput, match="InvalidGroupIdException"):
            call()

    hand.machine.assign(0, [P0])
    assert hand.owned == (P0,)


def test_a_rebalance_that_is_enforced_is_joined_in_the_next_poll():
    """KIP-568."""
    hand = Hand().consuming(P0).rest()
    hand.machine.enforce_rebalance(hand.now_us)
    hand.follow()
    assert hand.sent.count("JoinGroup") == 1
    hand.poll()

    assert hand.sent.count("JoinGroup") == 2
    assert hand.heard[1:] == [("revoked", (P0,))]
