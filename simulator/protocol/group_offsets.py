"""Which committed offsets a group accepts, keeps and forgets.

Rule 1: a commit is accepted from a member of the current generation, while the group is Stable or
prepares a rebalance (so that members can commit what they give up); between generations and from
any other generation it is refused. From outside the group, generation -1, it is accepted only
while the group has no members.
Rule 2: nobody checks that the member owns the partition, nor that the offset grows.
Rule 3: offsets of an empty group are kept for offsets.retention.minutes from the moment it became
empty, of a group without membership from each commit; a Stable group loses only offsets of topics
to which nobody subscribes (KIP-211).

Sources: ClassicGroup.validateOffsetCommit, offsetExpirationCondition; OffsetMetadataManager.java.

Not modelled: pending offsets of transactions (require_stable is not looked at), the size limit
of a commit's metadata, and forgetting the offsets of deleted topics.
"""

from simulator.protocol.assignors import Subscription
from simulator.protocol.errors import Error
from simulator.protocol.group_members import Members
from simulator.protocol.group_state import State
from simulator.protocol.messages import CommittedOffset, OffsetFetchRequest, OffsetFetchResponse
from simulator.protocol.names import (
    MICROS_PER_MS,
    UNKNOWN_MEMBER,
    UNKNOWN_OFFSET,
    TopicPartition,
)

Offsets = dict[TopicPartition, tuple[CommittedOffset, int]]  # What was committed, and when (µs).

MICROS_PER_MINUTE = 60_000 * MICROS_PER_MS


def commit_refusal(
    group: Members,
    member_id: str,
    instance_id: str | None,
    generation: int,
    *,
    transactional: bool = False,
) -> Error | None:
    """Why a commit is refused, or None if it is accepted (ClassicGroup.validateOffsetCommit).

    transactional: it came through TxnOffsetCommit, which minds member and generation, not state.
    """
    status = group.status
    if status is State.DEAD:
        return Error.COORDINATOR_NOT_AVAILABLE
    if status is State.ABSENT:
        if generation < 0:
            return None
        return Error.ILLEGAL_GENERATION if transactional else Error.GROUP_ID_NOT_FOUND
    if generation < 0 and status is State.EMPTY:
        return None
    if generation >= 0 or member_id != UNKNOWN_MEMBER or instance_id is not None:
        refusal = group.refusal(member_id, instance_id)
        if refusal is not None:
            return refusal
        if generation != group.generation:
            return Error.ILLEGAL_GENERATION
    elif not transactional:
        return Error.UNKNOWN_MEMBER_ID
    if status is State.COMPLETING and not transactional:
        return Error.REBALANCE_IN_PROGRESS
    return None


def fetch(offsets: Offsets, body: OffsetFetchRequest) -> OffsetFetchResponse:
    """The committed offsets asked for; a partition without one is answered with -1."""
    if body.partitions is None:
        return OffsetFetchResponse(Error.NONE, tuple(kept for kept, _ in offsets.values()))
    return OffsetFetchResponse(
        Error.NONE,
        tuple(
            offsets[one][0] if one in offsets else CommittedOffset(one, UNKNOWN_OFFSET)
            for one in body.partitions
        ),
    )


def expired(
    group: Members, offsets: Offsets, now_us: int, retention_minutes: int
) -> tuple[TopicPartition, ...]:
    """The partitions whose commits have been kept long enough (offsetExpirationCondition)."""
    before_us = now_us - retention_minutes * MICROS_PER_MINUTE
    if not group.protocol_type:  # Never had members: each commit counts by itself.
        return tuple(one for one, (_, at_us) in offsets.items() if at_us <= before_us)
    if group.status is State.EMPTY:
        return tuple(offsets) if group.since_us <= before_us else ()
    topics = _subscribed(group) if group.status is State.STABLE else None
    if topics is None:
        return ()
    return tuple(
        one for one, (_, at_us) in offsets.items() if one.topic not in topics and at_us <= before_us
    )


def _subscribed(group: Members) -> frozenset[str] | None:
    """The topics that members subscribe to, or None when they do not say so in our terms."""
    said = [one.metadata(group.protocol) for one in group.members.values()]
    if group.protocol_type != "consumer" or not all(isinstance(x, Subscription) for x in said):
        return None
    return frozenset(topic for subscription in said for topic in subscription.topics)
