"""Which committed offsets a group accepts, keeps and forgets.

Rule 1: a commit is accepted from a member of the current generation, while the group is Stable or
prepares a rebalance (so that members can commit what they give up); between generations and from
any other generation it is refused. From outside the group, generation -1, it is accepted only
while the group has no members.
Rule 2: nobody checks that the member owns the partition, nor that the offset grows.
Rule 3: offsets of an empty group are kept for offsets.retention.minutes from the moment it became
empty, of a group without membership from each commit; a Stable group loses only offsets of topics
to which nobody subscribes (KIP-211). Where a transaction has a pending offset none is forgotten.

Sources: ClassicGroup.validateOffsetCommit, offsetExpirationCondition; OffsetMetadataManager.java.

Not modelled: the size limit of a commit's metadata, and forgetting the offsets of deleted topics.
"""

from collections.abc import Container

from simulator.protocol.assignors import Subscription
from simulator.protocol.errors import Error
from simulator.protocol.group_members import Members
from simulator.protocol.group_pending import Offsets
from simulator.protocol.group_state import State
from simulator.protocol.messages import CommittedOffset, OffsetFetchRequest, OffsetFetchResponse
from simulator.protocol.names import (
    MICROS_PER_MS,
    UNKNOWN_MEMBER,
    UNKNOWN_OFFSET,
    TopicPartition,
)

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
    """The committed offsets asked for; a partition without one is answered with -1.

    Who asks for all of them is not told of a partition that has a pending offset alone.
    """
    kept = offsets.committed
    asked = tuple(kept) if body.partitions is None else body.partitions
    errors: tuple[tuple[TopicPartition, Error], ...] = ()
    if body.require_stable and offsets.pending:
        unstable = tuple(one for one in asked if offsets.is_pending(one))
        errors = tuple((one, Error.UNSTABLE_OFFSET_COMMIT) for one in unstable)
        asked = tuple(one for one in asked if one not in unstable)
    told = tuple(
        kept[one][0] if one in kept else CommittedOffset(one, UNKNOWN_OFFSET) for one in asked
    )
    return OffsetFetchResponse(Error.NONE, told, errors)


def expired(
    group: Members, offsets: Offsets, now_us: int, retention_minutes: int
) -> tuple[TopicPartition, ...]:
    """The partitions whose commits have been kept long enough (offsetExpirationCondition)."""
    before_us = now_us - retention_minutes * MICROS_PER_MINUTE
    if not group.protocol_type:  # Never had members: each commit counts by itself.
        return older(offsets, before_us)
    if group.status is State.EMPTY:
        return older(offsets, now_us) if group.since_us <= before_us else ()
    topics = _subscribed(group) if group.status is State.STABLE else None
    return () if topics is None else older(offsets, before_us, topics)


def older(offsets: Offsets, before_us: int, but: Container[str] = ()) -> tuple[TopicPartition, ...]:
    """The partitions of all other topics with commits of that time or before, and none pending."""
    return tuple(
        one
        for one, (_, at_us) in offsets.committed.items()
        if at_us <= before_us and one.topic not in but and not offsets.is_pending(one)
    )


def _subscribed(group: Members) -> frozenset[str] | None:
    """The topics that members subscribe to, or None when they do not say so in our terms."""
    said = [one.metadata(group.protocol) for one in group.members.values()]
    if group.protocol_type != "consumer" or not all(isinstance(x, Subscription) for x in said):
        return None
    return frozenset(topic for subscription in said for topic in subscription.topics)
