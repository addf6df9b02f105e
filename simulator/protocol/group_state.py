"""The words of a classic consumer group: its states, its members, and the facts that change it.

Rule 1: these are all of a group's facts; whoever watches a group needs nothing else. What each
means is said at its class: a new generation is GenerationStarted, a removal MemberRemoved, ...
Rule 2: HARD facts lie on the coordinator's disk, as Kafka keeps them in __consumer_offsets
(GroupMetadataValue, OffsetCommitValue, their tombstones, and the markers of transactions). All
others are gone with a crash: a rebalance that has not reached its leader's SyncGroup is forgotten,
and its members join anew.
Rule 3: TRANSITIONS names every change of state, by what it was in answer to.

Sources: ClassicGroup.java, ClassicGroupState.java, GroupMetadataManager.java.
"""

from enum import Enum
from typing import Any, NamedTuple

import attrs

from simulator.protocol.messages import (
    CommittedOffset,
    JoinGroupRequest,
    LeaveGroupRequest,
    OffsetCommitRequest,
    SyncGroupRequest,
)
from simulator.protocol.names import TopicPartition
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest

EMPTY_ASSIGNMENT: Any = ()


class State(Enum):
    """Where a group is."""

    ABSENT = "Absent"  # There is no such group (yet, or any more).
    EMPTY = "Empty"  # No member, perhaps committed offsets.
    PREPARING = "PreparingRebalance"  # Members are joining.
    COMPLETING = "CompletingRebalance"  # They wait for the leader's assignment.
    STABLE = "Stable"
    DEAD = "Dead"  # This coordinator has given the group up.

    def __repr__(self) -> str:
        return self.name


# --- Timers, and messages that the coordinator sends itself -----------------------------------
# Not tuples: two tuples without fields would be equal, and one timer would stand for the other.


@attrs.frozen
class JoinDeadline:
    """The join phase ends, or the initial delay is over."""


@attrs.frozen
class SyncDeadline:
    """Members that have not asked for their assignment are removed."""


@attrs.frozen
class SessionDeadline:
    """The member was not heard of for its session timeout, unless it was meanwhile."""

    member_id: str


@attrs.frozen
class RetentionCheck:
    """Look for offsets to forget; sent every offsets.retention.check.interval.ms by the broker."""


@attrs.frozen
class Load:
    """The coordinator has read the group from its disk (GroupMetadataManager.onLoaded)."""


@attrs.frozen
class Unload:
    """Another broker coordinates the group from now on (GroupMetadataManager.onUnloaded)."""


TRANSITIONS: dict[tuple[State, type], tuple[State, ...]] = {
    (State.ABSENT, JoinGroupRequest): (State.EMPTY,),
    (State.ABSENT, OffsetCommitRequest): (State.EMPTY,),
    (State.ABSENT, TxnOffsetCommitRequest): (State.EMPTY,),
    (State.ABSENT, Load): (State.EMPTY, State.STABLE),
    (State.EMPTY, JoinGroupRequest): (State.PREPARING,),
    (State.EMPTY, RetentionCheck): (State.ABSENT,),
    (State.PREPARING, JoinGroupRequest): (State.COMPLETING,),
    (State.PREPARING, LeaveGroupRequest): (State.COMPLETING, State.EMPTY),
    (State.PREPARING, JoinDeadline): (State.COMPLETING, State.EMPTY),
    (State.PREPARING, SessionDeadline): (State.COMPLETING, State.EMPTY),
    (State.PREPARING, SyncDeadline): (State.EMPTY,),
    (State.COMPLETING, JoinGroupRequest): (State.PREPARING,),
    (State.COMPLETING, SyncGroupRequest): (State.STABLE,),
    (State.COMPLETING, LeaveGroupRequest): (State.PREPARING,),
    (State.COMPLETING, SyncDeadline): (State.PREPARING,),
    (State.COMPLETING, SessionDeadline): (State.PREPARING,),
    (State.STABLE, JoinGroupRequest): (State.PREPARING,),
    (State.STABLE, LeaveGroupRequest): (State.PREPARING,),
    (State.STABLE, SyncDeadline): (State.PREPARING,),
    (State.STABLE, SessionDeadline): (State.PREPARING,),
    (State.STABLE, Load): (State.PREPARING,),
    **{(state, Unload): (State.DEAD,) for state in State if state is not State.DEAD},
}


# --- Members -----------------------------------------------------------------------------------


@attrs.frozen
class Member:
    """A member as the coordinator knows it.

    protocols: (assignor, subscription), the preferred one first.
    """

    member_id: str
    group_instance_id: str | None
    client_id: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: tuple[tuple[str, Any], ...]
    protocol_type: str = "consumer"
    assignment: Any = EMPTY_ASSIGNMENT

    def metadata(self, protocol: str) -> Any:
        """What the member said of itself under that protocol."""
        return next(said for name, said in self.protocols if name == protocol)


# --- Hard facts ----------------------------------------------------------------------------------


@attrs.frozen
class GroupMetadata:
    """The group as of now, whole: the newest alone counts (GroupMetadataValue).

    Written when a group comes to be, at the leader's SyncGroup, when a static member is replaced
    without a rebalance, and when the last member is gone. Members carry the chosen protocol only.
    """

    generation: int
    protocol_type: str
    protocol: str
    leader: str
    members: tuple[Member, ...]
    since_us: int


class OffsetsCommitted(NamedTuple):
    """Accepted commits of one request (OffsetCommitValue); the newest of a partition counts.

    member_id "" and generation -1: from outside the group.
    """

    member_id: str
    generation: int
    offsets: tuple[CommittedOffset, ...]
    at_us: int


class TransactionalOffsetsCommitted(NamedTuple):
    """Accepted offsets of a transaction that is open: they count if and when it commits.

    at_us: when they were accepted; retention counts from then.
    """

    producer_id: int
    producer_epoch: int
    member_id: str
    generation: int
    offsets: tuple[CommittedOffset, ...]
    at_us: int


class TransactionEnded(NamedTuple):
    """The marker of a producer's transaction. Also the message that tells of it.

    result: "commit" or "abort". Whatever the producer has staged counts from here on, or is void.
    """

    producer_id: int
    producer_epoch: int
    result: str


@attrs.frozen
class OffsetsForgotten:
    """Retention took these commits (tombstones)."""

    partitions: tuple[TopicPartition, ...]


@attrs.frozen
class GroupRemoved:
    """No member and no offset was left: the group is gone (a tombstone)."""


HARD = (
    GroupMetadata,
    OffsetsCommitted,
    TransactionalOffsetsCommitted,
    TransactionEnded,
    OffsetsForgotten,
    GroupRemoved,
)


# --- Soft facts: what a run's trace wants to tell -----------------------------------------------


@attrs.frozen
class StateChanged:
    """on: the class of the message that it was in answer to."""

    before: State
    after: State
    on: type
    at_us: int


@attrs.frozen
class GenerationStarted:
    """The join phase is over. members: their ids, none when the group is empty now."""

    generation: int
    protocol: str
    leader: str
    members: tuple[str, ...]


@attrs.frozen
class MemberAdded:
    """A new member; it waits for the answer to its JoinGroup."""

    member: Member


@attrs.frozen
class MemberUpdated:
    """A known member said new things of itself."""

    member: Member


@attrs.frozen
class MemberReplaced:
    """A static member came back under a new id; requests under the old id are fenced."""

    old_id: str
    member: Member


@attrs.frozen
class MemberRemoved:
    """reason: session_timeout, rebalance_timeout, left, never_joined, never_synced, group_full."""

    member_id: str
    reason: str


@attrs.frozen
class PendingRemoved:
    """A member id that was given out is void. reason: never_joined, left or group_full."""

    member_id: str
    reason: str


# --- Soft facts: book-keeping -----------------------------------------------------------------


@attrs.frozen
class MemberNamed:
    """A member id has been given out and is never given out again."""

    member_id: str


@attrs.frozen
class PendingAdded:
    """The client must join again under the id that it was told (KIP-394)."""

    member_id: str


@attrs.frozen
class LeaderElected:
    """The old leader did not rejoin in time."""

    member_id: str


@attrs.frozen
class JoinParked:
    """The member's JoinGroup waits for the end of the join phase; it replaces an older one."""

    member_id: str
    request_id: Any


@attrs.frozen
class JoinAnswered:
    """The member's JoinGroup waits no longer."""

    member_id: str


@attrs.frozen
class SyncParked:
    """The member has asked for its assignment; the answer waits for the leader's."""

    member_id: str
    request_id: Any


@attrs.frozen
class SyncAnswered:
    """The member's SyncGroup waits no longer."""

    member_id: str


@attrs.frozen
class MemberSynced:
    """The member has asked for its assignment in this generation."""

    member_id: str


@attrs.frozen
class SyncsForgotten:
    """A new rebalance: nobody is waited for any more in the sync phase."""


@attrs.frozen
class Assigned:
    """Every member's assignment, by id; a member that is not named has an empty one."""

    assignments: tuple[tuple[str, Any], ...]


@attrs.frozen
class InitialDelayed:
    """A new group waits for more members: by so much now, by at most so much afterwards."""

    delay_ms: int
    remaining_ms: int


class MemberSeen(NamedTuple):
    """The member was heard of: its session ends at deadline_us unless it is heard of again."""

    member_id: str
    deadline_us: int


@attrs.frozen
class SessionTimerSet:
    """The member's timer will fire at at_us; heartbeats move the deadline, not the timer."""

    member_id: str
    at_us: int


@attrs.frozen
class SessionTimerLapsed:
    """The timer fired while the member waits for an answer of ours: that is no silence."""

    member_id: str


@attrs.frozen
class Loaded:
    """The members are those of the newest GroupMetadata."""
