"""What is said on the wire: requests and answers, named and shaped after Kafka's protocol APIs.

A request class ends in Request, its answer in Response; the words between are the API's name.
They are flat tuples with names, because a run sends millions of them. Fields that only
authorization, compression, quotas or tagged extensions need are not modelled.
"""

from typing import Any, NamedTuple

from simulator.protocol.errors import Error
from simulator.protocol.names import (
    NO_GENERATION,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    UNKNOWN_MEMBER,
    UNKNOWN_OFFSET,
    TopicPartition,
)
from simulator.protocol.records import Batch

EARLIEST_TIMESTAMP = -2
LATEST_TIMESTAMP = -1

# --- Records -------------------------------------------------------------------------------


class ProduceRequest(NamedTuple):
    """At most one batch a partition. acks: 0, 1 or -1 (all)."""

    acks: int
    timeout_ms: int
    batches: tuple[tuple[TopicPartition, Batch], ...]
    transactional_id: str | None = None


class PartitionProduced(NamedTuple):
    """The answer for one partition; a duplicate is a success with its first offset."""

    partition: TopicPartition
    error: Error
    base_offset: int = UNKNOWN_OFFSET
    log_start_offset: int = UNKNOWN_OFFSET


class ProduceResponse(NamedTuple):
    """`leaders`: who leads the refused partitions now, as far as the broker knows (KIP-951)."""

    results: tuple[PartitionProduced, ...]
    leaders: "tuple[PartitionMetadata, ...]" = ()


class FetchPartition(NamedTuple):
    partition: TopicPartition
    offset: int
    max_bytes: int
    leader_epoch: int = -1
    last_fetched_epoch: int = -1


class FetchRequest(NamedTuple):
    """replica: the follower's name with its broker epoch, or "" for a consumer."""

    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    partitions: tuple[FetchPartition, ...]
    isolation_level: str = "read_uncommitted"
    replica: str = ""
    broker_epoch: int = -1


class PartitionFetched(NamedTuple):
    partition: TopicPartition
    error: Error
    high_watermark: int = UNKNOWN_OFFSET
    last_stable_offset: int = UNKNOWN_OFFSET
    log_start_offset: int = UNKNOWN_OFFSET
    batches: tuple[Batch, ...] = ()
    aborted: tuple[tuple[int, int], ...] = ()  # (producer id, first offset)


class FetchResponse(NamedTuple):
    """One result a partition: PartitionFetched for a consumer, ReplicaFetched for a follower."""

    results: tuple[Any, ...]


class OffsetAsked(NamedTuple):
    """timestamp_ms: a time, or EARLIEST_TIMESTAMP or LATEST_TIMESTAMP.

    leader_epoch: of the leader that is meant, or -1 (whoever is asked may answer if it leads).
    """

    partition: TopicPartition
    timestamp_ms: int
    leader_epoch: int = -1


class ListOffsetsRequest(NamedTuple):
    """replica: the follower's name, or "" for a consumer."""

    partitions: tuple[OffsetAsked, ...]
    isolation_level: str = "read_uncommitted"
    replica: str = ""


class OffsetListed(NamedTuple):
    """leader_epoch: in which the record at `offset` was written, or -1 where that is not told."""

    partition: TopicPartition
    error: Error
    offset: int = UNKNOWN_OFFSET
    timestamp_ms: int = -1
    leader_epoch: int = -1


class ListOffsetsResponse(NamedTuple):
    results: tuple[OffsetListed, ...]


class DeleteRecordsRequest(NamedTuple):
    """For each partition the offset below which everything is deleted; -1: the high watermark."""

    partitions: tuple[tuple[TopicPartition, int], ...]


class RecordsDeleted(NamedTuple):
    """low_watermark: where the log starts now."""

    partition: TopicPartition
    error: Error
    low_watermark: int = UNKNOWN_OFFSET


class DeleteRecordsResponse(NamedTuple):
    results: tuple[RecordsDeleted, ...]


# --- Where things are ----------------------------------------------------------------------


class MetadataRequest(NamedTuple):
    """topics: names, or None for all."""

    topics: tuple[str, ...] | None


class PartitionMetadata(NamedTuple):
    partition: TopicPartition
    leader: str  # A broker's node name, or "" when there is none.
    leader_epoch: int = 0
    replicas: tuple[str, ...] = ()
    isr: tuple[str, ...] = ()


class TopicMetadata(NamedTuple):
    topic: str
    error: Error
    partitions: tuple[PartitionMetadata, ...] = ()


class MetadataResponse(NamedTuple):
    """`racks`: where each of `brokers` stands, or nothing where brokers have no racks."""

    brokers: tuple[str, ...]
    topics: tuple[TopicMetadata, ...]
    racks: tuple[str, ...] = ()


class FindCoordinatorRequest(NamedTuple):
    key: str
    key_type: str = "group"  # or "transaction"


class FindCoordinatorResponse(NamedTuple):
    error: Error
    node: str = ""


# --- Groups --------------------------------------------------------------------------------


class JoinGroupRequest(NamedTuple):
    """protocols: (assignor name, subscription) in the member's order of preference."""

    group_id: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    member_id: str
    protocols: tuple[tuple[str, Any], ...]
    group_instance_id: str | None = None
    protocol_type: str = "consumer"
    client_id: str = ""
    requires_known_member_id: bool = True  # JoinGroup v4 and later (KIP-394).


class JoinGroupMember(NamedTuple):
    member_id: str
    group_instance_id: str | None
    metadata: Any


class JoinGroupResponse(NamedTuple):
    """members is empty except in the leader's answer."""

    error: Error
    generation: int = NO_GENERATION
    protocol: str = ""
    leader: str = ""
    member_id: str = UNKNOWN_MEMBER
    members: tuple[JoinGroupMember, ...] = ()
    skip_assignment: bool = False


class SyncGroupRequest(NamedTuple):
    """assignments: (member id, assignment), from the leader; empty from the others."""

    group_id: str
    generation: int
    member_id: str
    assignments: tuple[tuple[str, Any], ...] = ()
    group_instance_id: str | None = None
    protocol: str | None = None
    protocol_type: str | None = None


class SyncGroupResponse(NamedTuple):
    error: Error
    assignment: Any = None


class HeartbeatRequest(NamedTuple):
    group_id: str
    generation: int
    member_id: str
    group_instance_id: str | None = None


class HeartbeatResponse(NamedTuple):
    error: Error


class LeaveGroupRequest(NamedTuple):
    """members: (member id, group.instance.id or None)."""

    group_id: str
    members: tuple[tuple[str, str | None], ...]


class LeaveGroupResponse(NamedTuple):
    error: Error
    members: tuple[tuple[str, str | None, Error], ...] = ()


class CommittedOffset(NamedTuple):
    partition: TopicPartition
    offset: int
    leader_epoch: int = -1
    metadata: str = ""


class OffsetCommitRequest(NamedTuple):
    group_id: str
    generation: int
    member_id: str
    offsets: tuple[CommittedOffset, ...]
    group_instance_id: str | None = None


class OffsetCommitResponse(NamedTuple):
    results: tuple[tuple[TopicPartition, Error], ...]


class OffsetFetchRequest(NamedTuple):
    """partitions: None asks for all that the group has committed.

    require_stable: do not tell of a partition where an open transaction has offsets, too (KIP-447).
    member_id and member_epoch: those of a member that speaks KIP-848, which is told nothing in an
    epoch that it does not know yet; None and -1 say nothing.
    """

    group_id: str
    partitions: tuple[TopicPartition, ...] | None
    require_stable: bool = False
    member_id: str | None = None
    member_epoch: int = NO_GENERATION


class OffsetFetchResponse(NamedTuple):
    """A partition without a committed offset is answered with UNKNOWN_OFFSET.

    errors: the partitions that are not told of, and why (UNSTABLE_OFFSET_COMMIT).
    """

    error: Error
    offsets: tuple[CommittedOffset, ...] = ()
    errors: tuple[tuple[TopicPartition, Error], ...] = ()


# --- Idempotence ---------------------------------------------------------------------------


class InitProducerIdRequest(NamedTuple):
    transactional_id: str | None = None
    transaction_timeout_ms: int = 60_000
    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH


class InitProducerIdResponse(NamedTuple):
    error: Error
    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH


# --- Transactions --------------------------------------------------------------------------


class AddPartitionsToTxnRequest(NamedTuple):
    """A producer tells its transaction coordinator where it is about to write.

    verify_only: a leader asks whether the partitions take part, and adds none (KIP-890).
    """

    transactional_id: str
    producer_id: int
    producer_epoch: int
    partitions: tuple[TopicPartition, ...]
    verify_only: bool = False


class AddPartitionsToTxnResponse(NamedTuple):
    results: tuple[tuple[TopicPartition, Error], ...]


class EndTxnRequest(NamedTuple):
    """result: "commit" or "abort"."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    result: str


class EndTxnResponse(NamedTuple):
    """Under version 2: what the producer is to go on with (KIP-890); else -1."""

    error: Error
    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH


class TxnMarker(NamedTuple):
    """A coordinator's word on one producer's transaction. result: "commit" or "abort"."""

    producer_id: int
    producer_epoch: int
    result: str
    partitions: tuple[TopicPartition, ...]
    coordinator_epoch: int = 0


class WriteTxnMarkersRequest(NamedTuple):
    """From a transaction coordinator to a leader of the partitions."""

    markers: tuple[TxnMarker, ...]


class WriteTxnMarkersResponse(NamedTuple):
    """One result a marker and partition, in the order of the request."""

    results: tuple[tuple[int, TopicPartition, Error], ...]


# --- The store (ours, not Kafka's) -----------------------------------------------------------


class TransactRequest(NamedTuple):
    """Run `operations` in one transaction, all or nothing. `event_id`: whose effect this is."""

    operations: tuple[Any, ...]
    event_id: str = ""


class TransactResponse(NamedTuple):
    """status: committed, unique_violation or aborted; results: one an operation."""

    status: str
    results: tuple[Any, ...] = ()
    detail: str = ""
