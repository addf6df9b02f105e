"""What members and the coordinator of a consumer group say to each other (KIP-848).

A field that is None, or -1 where it is a number, says "as before". A member says everything when it
joins and after anything went wrong; then the answer says its whole assignment too.

Source: ConsumerGroupHeartbeatRequest.json and ConsumerGroupDescribeResponse.json of Kafka 4.0.

Not modelled: subscriptions by regular expression, and the ids of topics, which stand under their
names.
"""

from typing import NamedTuple

from simulator.protocol.errors import Error
from simulator.protocol.names import TopicPartition

JOINS = 0  # The epoch of a request that joins, or joins again.
LEAVES = -1  # The epoch of a request that leaves for good.
LEAVES_FOR_A_WHILE = -2  # The same of a static member that means to come back.


class ConsumerGroupHeartbeatRequest(NamedTuple):
    """member_id: chosen by the client. owned: what it holds now, and has not yet given back."""

    group_id: str
    member_id: str
    member_epoch: int
    group_instance_id: str | None = None
    rack_id: str | None = None
    rebalance_timeout_ms: int = -1
    topics: tuple[str, ...] | None = None
    server_assignor: str | None = None
    owned: tuple[TopicPartition, ...] | None = None


class ConsumerGroupHeartbeatResponse(NamedTuple):
    """assignment: all that the member may hold from now on, or None: no news."""

    error: Error
    member_id: str = ""
    member_epoch: int = 0
    heartbeat_interval_ms: int = 0
    assignment: tuple[TopicPartition, ...] | None = None


class ConsumerGroupDescribeRequest(NamedTuple):
    """Who is in the group, and what each holds."""

    group_id: str


class DescribedMember(NamedTuple):
    """assignment: what it may hold; target: what it is to hold in the end."""

    member_id: str
    group_instance_id: str | None
    member_epoch: int
    topics: tuple[str, ...]
    assignment: tuple[TopicPartition, ...]
    target: tuple[TopicPartition, ...]


class ConsumerGroupDescribeResponse(NamedTuple):
    """state: as Kafka spells it (Empty, Assigning, Reconciling, Stable)."""

    error: Error
    group_id: str
    state: str = ""
    group_epoch: int = 0
    assignment_epoch: int = 0
    assignor: str = ""
    members: tuple[DescribedMember, ...] = ()
