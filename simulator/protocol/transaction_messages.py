"""What is said of offsets that are committed within a transaction (KIP-98, KIP-447).

The producer first tells its transaction coordinator of the group, then the group's coordinator of
the offsets. Under version 2 of transactions the group's coordinator tells the other one itself.
"""

from typing import NamedTuple

from simulator.protocol.errors import Error
from simulator.protocol.messages import CommittedOffset
from simulator.protocol.names import NO_GENERATION, UNKNOWN_MEMBER, TopicPartition


class AddOffsetsToTxnRequest(NamedTuple):
    """The partition in which the group's offsets lie takes part in the transaction."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    group_id: str


class AddOffsetsToTxnResponse(NamedTuple):
    """Whether it does now."""

    error: Error


class TxnOffsetCommitRequest(NamedTuple):
    """Offsets that count when the transaction commits. To the group's coordinator.

    generation, member_id, group_instance_id: the consumer's own, by which a zombie is found out
    (KIP-447); -1, "" and None say nothing, and nothing is then looked at.
    """

    transactional_id: str
    group_id: str
    producer_id: int
    producer_epoch: int
    offsets: tuple[CommittedOffset, ...]
    generation: int = NO_GENERATION
    member_id: str = UNKNOWN_MEMBER
    group_instance_id: str | None = None


class TxnOffsetCommitResponse(NamedTuple):
    """One result a partition."""

    results: tuple[tuple[TopicPartition, Error], ...]
