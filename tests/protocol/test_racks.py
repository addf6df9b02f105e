"""What a consumer says of its rack, and how the leader of a group heeds racks (KIP-881)."""

from simulator.protocol.consumer_group_messages import ConsumerGroupHeartbeatResponse
from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    JoinGroupMember,
    JoinGroupRequest,
    MetadataRequest,
    MetadataResponse,
    PartitionMetadata,
    SyncGroupRequest,
    TopicMetadata,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.subscriptions import Subscription
from tests.consuming import Hand
from tests.membering import Member

EAST, WEST = "broker-0", "broker-1"
RACKS = {EAST: "east", WEST: "west"}


def told(epoch, *partitions):
    """An answer of the coordinator to a heartbeat."""
    return ConsumerGroupHeartbeatResponse(Error.NONE, "a", epoch, 5_000, partitions)


def metadata(alive=(EAST, WEST), replicas=((EAST,), (WEST,))):
    """An answer: the replicas of each partition of orders, and where those alive stand."""
    of_partitions = tuple(
        PartitionMetadata(TopicPartition("orders", number), its[0], 0, its)
        for number, its in enumerate(replicas)
    )
    racks = tuple(RACKS[broker] for broker in alive)
    return MetadataResponse(alive, (TopicMetadata("orders", Error.NONE, of_partitions),), racks)


def leading(rack="west", **told):
    """A leader that has sent its assignment; what it sent, by member."""
    hand = Hand(client_rack=rack)
    hand.subscribe()
    hand.poll()
    hand.coordinator()
    hand.answer(MetadataRequest, metadata(**told))
    (_, said), *_ = hand.pending(JoinGroupRequest).body.protocols
    other = JoinGroupMember("d-1", None, Subscription(("orders",), "east"))
    hand.joined(leader="c-1", members=(JoinGroupMember("c-1", None, said), other))
    sent = dict(hand.pending(SyncGroupRequest).body.assignments)
    return hand, {name: [where.partition for where in its] for name, its in sent.items()}


def refreshed(hand, **told):
    """Whether the leader, stable, rejoins when it is told this."""
    hand.synced(TopicPartition("orders", 1))
    hand.machine._leaders.stale()
    hand.live(1_000)
    hand.answer(MetadataRequest, metadata(**told))
    return hand.machine._membership.rejoin_needed or bool(hand.waiting(JoinGroupRequest))


def test_a_member_says_its_rack_with_each_of_its_protocols():
    hand = Hand(client_rack="west")
    hand.subscribe()
    hand.poll()
    hand.coordinator()

    said = [one.rack for _, one in hand.pending(JoinGroupRequest).body.protocols]
    assert said == ["west", "west"]


def test_the_leader_hands_the_replicas_racks_to_the_assignor():
    assert leading("west")[1] == {"c-1": [1], "d-1": [0]}
    assert leading("west", replicas=((WEST,), (EAST,)))[1] == {"c-1": [0], "d-1": [1]}


def test_a_broker_that_is_not_told_of_has_no_rack_that_is_known():
    """All that is known to be somewhere is in the east, so racks tell nothing apart."""
    hand, sent = leading("west", alive=(EAST,), replicas=((EAST,), (EAST, WEST)))
    first, second = hand.machine._leaders.racks(("orders",)).values()

    assert (first, second) == (("east",), ("", "east"))
    assert sent == {"c-1": [0], "d-1": [1]}


def test_a_leader_with_a_rack_rejoins_when_a_replica_is_in_another_rack():
    both = ((EAST, WEST), (WEST, EAST))

    assert not refreshed(leading()[0])
    assert refreshed(leading()[0], replicas=both)
    assert refreshed(leading(replicas=both)[0], alive=(WEST,), replicas=both)


def test_a_leader_without_a_rack_does_not_care():
    assert not refreshed(leading("")[0], replicas=((EAST, WEST), (WEST, EAST)))


def test_a_heartbeat_says_the_rack_when_it_says_everything():
    """When the member joins, and after an answer that did not come."""
    member = Member(client_rack="west")
    member.poll()
    assert member.pending().rack_id == "west"

    member.answer(told(1))
    member.poll()
    assert (member.pending().owned, member.pending().rack_id) == ((), None)

    member.answer(None)
    member.wait(1_000)
    assert member.pending().rack_id == "west"


def test_without_a_rack_a_heartbeat_says_none():
    member = Member()
    member.poll()

    assert member.pending().rack_id is None
