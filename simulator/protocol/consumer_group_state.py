"""The words of a consumer group of KIP-848: its states, its members, and the facts that change it.

Rule 1: three numbers only grow. The group epoch counts the changes (a member comes, goes or
subscribes anew, a topic changes), the target's epoch says for which of them the target was
computed, and a member's epoch how far it has come: member <= target <= group.
Rule 2: HARD facts lie on the coordinator's disk, as Kafka keeps them in __consumer_offsets; each
names its record. So a coordinator that starts again knows who holds what.
Rule 3: TRANSITIONS names every change of state, by what it was in answer to. The state is not
kept, but follows from the numbers (ConsumerGroup.maybeUpdateGroupState).

Offsets are the classic group's: OffsetsCommitted, TransactionalOffsetsCommitted, TransactionEnded,
OffsetsForgotten, GroupRemoved; so are the facts of sessions (MemberSeen, SessionTimerSet).

Sources: ConsumerGroup.java, ConsumerGroupMember.java, GroupCoordinatorRecordHelpers.java.
"""

from enum import Enum
from typing import Any

import attrs

from simulator.protocol.consumer_group_messages import ConsumerGroupHeartbeatRequest
from simulator.protocol.group_state import (
    GroupRemoved,
    Load,
    OffsetsCommitted,
    OffsetsForgotten,
    RetentionCheck,
    SessionDeadline,
    TransactionalOffsetsCommitted,
    TransactionEnded,
    Unload,
)
from simulator.protocol.messages import (
    JoinGroupRequest,
    LeaveGroupRequest,
    OffsetCommitRequest,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest


class ConsumerGroupState(Enum):
    """Where a group is."""

    ABSENT = "Absent"  # There is no such group (yet, or any more).
    EMPTY = "Empty"
    ASSIGNING = "Assigning"  # The target is older than the group: the next heartbeat computes it.
    RECONCILING = "Reconciling"  # Some member has not yet come to its target.
    STABLE = "Stable"
    DEAD = "Dead"  # This coordinator has given the group up.

    def __repr__(self) -> str:
        return self.name


class MemberState(Enum):
    """How far a member is on its way to the target."""

    STABLE = "Stable"  # It has come to the target of its epoch.
    UNREVOKED_PARTITIONS = "UnrevokedPartitions"  # It has to give partitions back first.
    UNRELEASED_PARTITIONS = "UnreleasedPartitions"  # It waits for what others give back.

    def __repr__(self) -> str:
        return self.name


# --- Members -----------------------------------------------------------------------------------


@attrs.frozen
class ClassicSide:
    """What else is known of a member that speaks the classic protocol."""

    session_timeout_ms: int
    protocols: tuple[tuple[str, Any], ...]


@attrs.frozen
class ConsumerMember:
    """A member as the coordinator knows it.

    epoch: 0 before it has come to a target, -2 while a static one is away. assigned: what it may
    hold. revoking: what it has been told to give back, and has not; it holds that too.
    """

    member_id: str
    group_instance_id: str | None = None
    client_id: str = ""
    rack_id: str = ""
    rebalance_timeout_ms: int = -1
    topics: tuple[str, ...] = ()  # Sorted.
    server_assignor: str | None = None
    classic: ClassicSide | None = None
    epoch: int = 0
    previous_epoch: int = 0
    state: MemberState = MemberState.STABLE
    assigned: tuple[TopicPartition, ...] = ()  # Sorted, as all partitions here.
    revoking: tuple[TopicPartition, ...] = ()


# --- Timers ------------------------------------------------------------------------------------


@attrs.frozen
class RevocationDeadline:
    """The member did not give back in time what it was told to."""

    member_id: str


@attrs.frozen
class JoinedDeadline:
    """A classic member did not join again in time, when it was told to."""

    member_id: str


@attrs.frozen
class SyncedDeadline:
    """A classic member joined and did not ask for its assignment in time."""

    member_id: str


# --- Hard facts ----------------------------------------------------------------------------------


@attrs.frozen
class MemberDescribed:
    """What a member says of itself, all of it (ConsumerGroupMemberMetadataValue)."""

    member_id: str
    group_instance_id: str | None
    client_id: str
    rack_id: str
    rebalance_timeout_ms: int
    topics: tuple[str, ...]
    server_assignor: str | None
    classic: ClassicSide | None = None


@attrs.frozen
class GroupEpochBumped:
    """Something has changed that the target depends on (ConsumerGroupMetadataValue)."""

    epoch: int


@attrs.frozen
class TopicsSeen:
    """The subscribed topics that there are, with their sizes (ConsumerGroupPartitionMetadata)."""

    topics: tuple[tuple[str, int], ...]


@attrs.frozen
class MemberTargeted:
    """What a member is to hold (ConsumerGroupTargetAssignmentMemberValue)."""

    member_id: str
    partitions: tuple[TopicPartition, ...]


@attrs.frozen
class TargetComputed:
    """The members' targets are those of that epoch (ConsumerGroupTargetAssignmentMetadata)."""

    epoch: int


@attrs.frozen
class MemberMoved:
    """How far a member has come, and what it holds (ConsumerGroupCurrentMemberAssignment)."""

    member_id: str
    epoch: int
    previous_epoch: int
    state: MemberState
    assigned: tuple[TopicPartition, ...]
    revoking: tuple[TopicPartition, ...]


@attrs.frozen
class MemberFenced:
    """The member is out, and holds nothing any more (its three tombstones).

    reason: left, session_timeout, rebalance_timeout, replaced, never_joined or never_synced.
    """

    member_id: str
    reason: str


@attrs.frozen
class GroupConverted:
    """The group speaks that protocol from here on: "classic" or "consumer".

    Its members are those of whom what follows tells; its offsets stay.
    """

    protocol: str


HARD = (
    MemberDescribed,
    GroupEpochBumped,
    TopicsSeen,
    MemberTargeted,
    TargetComputed,
    MemberMoved,
    MemberFenced,
    OffsetsCommitted,
    TransactionalOffsetsCommitted,
    TransactionEnded,
    OffsetsForgotten,
    GroupRemoved,
)


# --- Soft facts ------------------------------------------------------------------------------


@attrs.frozen
class ConsumerGroupStateChanged:
    """on: the class of the message that it was in answer to."""

    before: ConsumerGroupState
    after: ConsumerGroupState
    on: type
    at_us: int


@attrs.frozen
class TopicsKnown:
    """The cluster's topics, with their sizes. Also the message that tells of them.

    The coordinator looks at it again when the next heartbeat comes (requestMetadataRefresh).
    """

    topics: tuple[tuple[str, int], ...]


@attrs.frozen
class TopicsLookedAt:
    """The group's topics have been compared with the cluster's."""


@attrs.frozen
class RevocationAwaited:
    """The member has to give partitions back before its timer fires, or it is fenced.

    epoch: the timer counts only while the member is in it; None: it is no longer waited for.
    """

    member_id: str
    epoch: int | None


@attrs.frozen
class ClassicAwaited:
    """A classic member has to join or to sync before that timer fires. timer None: it has.

    what: JoinedDeadline or SyncedDeadline.
    """

    member_id: str
    what: type
    awaited: bool


_S = ConsumerGroupState
_LIVE = (_S.ASSIGNING, _S.RECONCILING, _S.STABLE)
_GONE = (_S.ASSIGNING, _S.EMPTY)  # After a member has gone the target is old, or of nobody.
_LEAVING = (ConsumerGroupHeartbeatRequest, LeaveGroupRequest, SessionDeadline, RevocationDeadline,
            JoinedDeadline, SyncedDeadline)  # fmt: skip


def _transitions() -> dict[tuple[ConsumerGroupState, type], tuple[ConsumerGroupState, ...]]:
    table: dict[tuple[ConsumerGroupState, type], tuple[ConsumerGroupState, ...]] = {
        (_S.ABSENT, OffsetCommitRequest): (_S.EMPTY,),
        (_S.ABSENT, TxnOffsetCommitRequest): (_S.EMPTY,),
        (_S.ABSENT, Load): (_S.EMPTY, *_LIVE),
        (_S.EMPTY, RetentionCheck): (_S.ABSENT,),
    }
    for before in (_S.ABSENT, _S.EMPTY, *_LIVE):
        table[before, Unload] = (_S.DEAD,)
        for on in (ConsumerGroupHeartbeatRequest, JoinGroupRequest):
            table[before, on] = (_S.STABLE, _S.RECONCILING)
    for before in _LIVE:
        for left in _LEAVING:
            table[before, left] = tuple(dict.fromkeys((*table.get((before, left), ()), *_GONE)))
    return table


TRANSITIONS = _transitions()
