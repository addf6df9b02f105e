"""A consumer whose group.protocol is consumer: what its polls do, and what goes on without them."""

import pytest

from simulator.errors import CommitFailed
from simulator.protocol.consumer_group_messages import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from simulator.protocol.consumer_reconciling import ConsumerReconciling
from simulator.protocol.errors import Error
from simulator.protocol.messages import FetchRequest, ListOffsetsRequest, OffsetFetchRequest
from tests.consuming import P0, P1, P2, Hand, batch

BEAT = ConsumerGroupHeartbeatRequest


def told(hand, epoch, *partitions, error=Error.NONE):
    """Answer a heartbeat; what it said."""
    return hand.answer(BEAT, ConsumerGroupHeartbeatResponse(error, "", epoch, 5_000, partitions))


def no_news(hand, epoch):
    return hand.answer(BEAT, ConsumerGroupHeartbeatResponse(Error.NONE, "", epoch, 5_000))


def member(*partitions, **settings):
    """A consumer that owns these in epoch 1, and has said so, and stands at 0 in each."""
    hand = Hand(group_protocol="consumer", past={"member_id": "c#7"}, **settings)
    hand.subscribe()
    hand.poll(10)
    hand.coordinator()
    hand.metadata()
    told(hand, 1, *partitions)
    no_news(hand, 1)
    if partitions:
        hand.committed(**{f"p{one.partition}": 0 for one in partitions})
    hand.wait(10)
    hand.heard.clear()
    return hand


def test_a_first_poll_finds_joins_takes_finds_positions_and_fetches_in_this_order():
    hand = member(P0, P1)

    assert hand.sent[:2] == ["FindCoordinator", "Metadata"]
    assert hand.sent[2:] == [*["ConsumerGroupHeartbeat"] * 2, "OffsetFetch", "Fetch"]
    assert hand.owned == (P0, P1)
    assert hand.happened[0] == ("partitions_assigned", "g", 1, (("orders", 0), ("orders", 1)))


def test_a_member_goes_by_the_name_that_it_is_given():
    hand = Hand(group_protocol="consumer", past={"member_id": "c#7"}, group_remote_assignor="range")
    hand.subscribe()
    hand.poll()
    hand.coordinator()

    join = hand.pending(BEAT).body
    assert (join.member_id, join.server_assignor, join.member_epoch) == ("c#7", "range", 0)


def test_what_stays_is_read_on_while_the_commit_before_is_on_its_way():
    hand = member(P0, P1, enable_auto_commit=True, auto_commit_interval_ms=60_000)
    hand.wait(5_000)
    told(hand, 1, P0)
    assert hand.poll(10_000) == "waits"
    hand.fetched(p0=[batch(0, 2)], p1=[batch(0, 2)])
    assert hand.polled() == [(0, 0), (0, 1)]
    assert hand.heard == []

    hand.commit_answered()
    assert hand.heard == []
    hand.poll(0)
    assert hand.heard == [("revoked", (P1,)), ("assigned", ())]


def test_no_position_is_looked_for_before_on_assigned_has_returned():
    """KAFKA-16556."""
    hand = member(P0)
    hand.wait(5_000)
    told(hand, 2, P0, P1)
    hand.holding = True
    hand.poll()
    hand.wait(3_000)
    assert not hand.waiting(OffsetFetchRequest)
    assert not hand.waiting(ListOffsetsRequest)

    hand.listened()
    assert hand.pending(OffsetFetchRequest).body.partitions == (P1,)


def test_a_position_that_is_reset_before_skips_what_was_committed(monkeypatch):
    """The same where that goes wrong: a log's end takes the place of the committed offset."""
    sound = ConsumerReconciling._own

    def resets_at_once(self, task):
        sound(self, task)
        for partition in task.added:
            self._positions.assigned[partition].await_reset("latest")

    hand = member(P0)
    monkeypatch.setattr(ConsumerReconciling, "_own", resets_at_once)
    hand.wait(5_000)
    told(hand, 2, P0, P1)
    hand.poll()

    assert not hand.waiting(OffsetFetchRequest)
    assert hand.listed(99).partitions == ((P1, -1, 0),)
    assert hand.machine.positions.position(P1) == 99


def test_reading_goes_on_without_a_coordinator():
    hand = member(P0)
    hand.wait(5_000)
    told(hand, 1, error=Error.NOT_COORDINATOR)
    assert hand.poll() == "waits"
    hand.fetched(p0=[batch(0)])

    assert hand.polled() == [(0, 0)]
    assert hand.sent[-1] != "ConsumerGroupHeartbeat"
    hand.wait(1)
    hand.coordinator("broker-1")
    assert hand.pending(BEAT).to == "broker-1"


def test_a_poll_that_waits_is_no_miss_of_max_poll_interval():
    hand = member(P0, max_poll_interval_ms=12_000)
    hand.poll(60_000)
    for _ in range(6):
        hand.wait(5_000)
        assert no_news(hand, 1).member_epoch == 1

    assert hand.owned == (P0,)


def test_a_stale_member_s_commit_fails_and_its_next_poll_loses_everything():
    hand = member(P0, max_poll_interval_ms=12_000)
    for _ in range(2):
        hand.wait(5_000)
        no_news(hand, 1)
    hand.wait(3_000)
    assert hand.pending(BEAT).body.member_epoch == -1

    result = hand.commit({P0: 1})
    hand.commit_answered(Error.UNKNOWN_MEMBER_ID)
    assert isinstance(result(), CommitFailed)
    hand.poll()
    assert hand.heard == [("lost", (P0,))]
    assert hand.happened[-1] == ("partitions_lost", "g", -1, (("orders", 0),))


@pytest.mark.parametrize(("instance", "epoch"), [(None, -1), ("i", -2)])
def test_closing_gives_back_and_leaves_and_waits_for_the_answer(instance, epoch):
    hand = member(P0, P1, group_instance_id=instance)
    closed = hand.close()
    assert hand.heard == [("revoked", (P0, P1))]
    assert closed() == "waits"
    assert no_news(hand, epoch).member_epoch == epoch

    assert closed() is None
    hand.wait(100_000)
    assert not hand.waiting(BEAT)


def test_unsubscribing_leaves_and_subscribing_anew_joins_in_the_next_poll():
    hand = member(P0)
    hand.call(hand.machine.unsubscribe)
    assert hand.heard == [("revoked", (P0,))]
    hand.subscribe()
    assert [ask.body.member_epoch for ask in hand.asked if isinstance(ask.body, BEAT)] == [-1]

    hand.poll()
    assert [ask.body.member_epoch for ask in hand.asked if isinstance(ask.body, BEAT)] == [-1, 0]


def test_a_new_subscription_is_told_with_the_next_heartbeat():
    hand = member(P0)
    hand.subscribe("orders", "payments")
    hand.poll(0)
    hand.wait(5_000)

    assert hand.pending(BEAT).body.topics == ("orders", "payments")
    assert hand.owned == (P0,)


def test_partitions_assigned_by_hand_ask_for_no_membership():
    hand = Hand(group_protocol="consumer")
    hand.machine.assign(hand.now_us, [P2])
    hand.poll()
    hand.metadata()
    hand.coordinator()
    hand.committed(p2=4)

    assert hand.pending(FetchRequest).body.partitions[0].offset == 4
    hand.wait(60_000)
    assert "ConsumerGroupHeartbeat" not in hand.sent
