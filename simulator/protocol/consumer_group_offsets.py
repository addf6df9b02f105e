"""Which offsets a consumer group of KIP-848 accepts, tells and forgets.

Rule 1: a member commits in its own epoch, at any time; while it gives partitions back it is still
in the epoch in which it held them. It is known by its member id: its instance id is not looked at.
Rule 2: from outside the group, epoch -1, offsets are committed only while it has no members; within
a transaction always, if no member is named: then the transactional.id alone fences (KIP-447).
Rule 3: a commit is kept for offsets.retention.minutes, and while somebody subscribes to its topic,
and while a transaction has a pending offset there.

Source: ConsumerGroup.validateOffsetCommit, validateOffsetFetch, offsetExpirationCondition.
"""

from typing import Any

from simulator.protocol.consumer_group_members import ConsumerMembers
from simulator.protocol.consumer_group_state import ConsumerGroupState, ConsumerGroupStateChanged
from simulator.protocol.errors import Error
from simulator.protocol.group_offsets import MICROS_PER_MINUTE, older
from simulator.protocol.group_pending import Offsets
from simulator.protocol.group_state import GroupRemoved, OffsetsForgotten, RetentionCheck
from simulator.protocol.names import UNKNOWN_MEMBER


def commit_refusal(
    group: ConsumerMembers, member_id: str, epoch: int, *, transactional: bool
) -> Error | None:
    """Why a commit would be refused now, or None.

    Through TxnOffsetCommit a stale epoch is called ILLEGAL_GENERATION, as producers know it.
    """
    if group.status is ConsumerGroupState.DEAD:
        return Error.COORDINATOR_NOT_AVAILABLE
    if not group.exists:
        if epoch < 0:
            return None
        return Error.ILLEGAL_GENERATION if transactional else Error.GROUP_ID_NOT_FOUND
    if transactional and epoch < 0 and member_id == UNKNOWN_MEMBER:
        return None
    refusal = group.commit_refusal(member_id, epoch)
    if transactional and refusal is Error.STALE_MEMBER_EPOCH:
        return Error.ILLEGAL_GENERATION
    return refusal


def fetch_refusal(group: ConsumerMembers, member_id: str | None, epoch: int) -> Error | None:
    """Why one who reads offsets under a member id and epoch would be refused, or None.

    member_id None and epoch -1: nobody in particular, who is never refused. A member that is told
    of a partition before it knows its own new epoch asks again (STALE_MEMBER_EPOCH).
    """
    if (member_id is None and epoch < 0) or not group.exists:
        return None
    return group.epoch_refusal(member_id or "", epoch)


def born(on: type, now_us: int) -> ConsumerGroupStateChanged:
    """There is a group now, because somebody commits: without members."""
    return ConsumerGroupStateChanged(
        ConsumerGroupState.ABSENT, ConsumerGroupState.EMPTY, on, now_us
    )


def forgotten(
    group: ConsumerMembers, offsets: Offsets, now_us: int, retention_minutes: int
) -> tuple[Any, ...]:
    """What retention takes: old commits, and at last the group itself (KIP-211)."""
    if group.status in (ConsumerGroupState.ABSENT, ConsumerGroupState.DEAD):
        return ()
    before_us = now_us - retention_minutes * MICROS_PER_MINUTE
    gone = older(offsets, before_us, group.subscribed())
    facts: tuple[Any, ...] = (OffsetsForgotten(gone),) if gone else ()
    rest = len(gone) < len(offsets.committed) or offsets.pending
    if group.status is ConsumerGroupState.EMPTY and not rest:
        empty, absent = ConsumerGroupState.EMPTY, ConsumerGroupState.ABSENT
        died = ConsumerGroupStateChanged(empty, absent, RetentionCheck, now_us)
        facts = (*facts, GroupRemoved(), died)
    return facts
