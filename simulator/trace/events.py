"""Everything a run can say happened: one frozen class a verb, in the past tense.

Inside a trace an event is a flat tuple `(kind, field, field, ...)`, because a run records
millions; these classes are what a reader gets (`read`), and the one definition of each tuple's
fields and their order. Losses and refusals are events too, never absences.

What clients and effects saw is evidence; what servers say of themselves is only a hint: a broker
that lost its disk also forgot that it did.
"""

from typing import Any, ClassVar

import attrs

EVENTS: "dict[str, type[Event]]" = {}


@attrs.frozen
class Event:
    """Any event; not for use by itself."""

    kind: ClassVar[str] = ""

    def __init_subclass__(cls, **_: Any) -> None:
        """Register the class under its kind: RecordPolled is `record_polled`."""
        name = cls.__name__
        cls.kind = "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
        EVENTS[cls.kind] = cls


def raw(event: Event) -> tuple[Any, ...]:
    """The flat tuple of an event."""
    return (event.kind, *(getattr(event, field.name) for field in attrs.fields(type(event))))


def read(flat: tuple[Any, ...]) -> Event:
    """The event of a flat tuple.

    Raises:
        KeyError: the kind is unknown.
        TypeError: the fields are not those of the kind.
    """
    return EVENTS[flat[0]](*flat[1:])


# --- The run -------------------------------------------------------------------------------


@attrs.frozen
class RunStarted(Event):
    """Chance is not named: a replay of the run is the same run."""

    scenario: str


@attrs.frozen
class WorkloadEnded(Event):
    """The producers' applications have handed over their last record."""

    records: int


@attrs.frozen
class FaultsEnded(Event):
    """Everything has been healed: from here on liveness may be asked for."""


@attrs.frozen
class RunEnded(Event):
    """reason: quiet (nothing left to do), horizon (time was up) or stopped (by the caller)."""

    reason: str


@attrs.frozen
class Warned(Event):
    """Something is accepted as Kafka accepts it, and is probably not meant."""

    text: str


@attrs.frozen
class Noted(Event):
    """A model's own word, for stories and models' promises."""

    name: str
    detail: str


# --- Faults --------------------------------------------------------------------------------


@attrs.frozen
class NodeCrashed(Event):
    """mode: process (the page cache stays), power (unflushed writes go) or disk (all goes).

    point: where the node was, such as `after_process`, or `at` for a planned time.
    """

    mode: str
    point: str


@attrs.frozen
class NodeRestarted(Event):
    incarnation: int


@attrs.frozen
class NodePaused(Event):
    for_us: int


@attrs.frozen
class NodeResumed(Event):
    pass


@attrs.frozen
class ClockSkewed(Event):
    """The node's clock jumped by `jump_us`, and now gains `drift_ppm` millionths."""

    jump_us: int
    drift_ppm: int


@attrs.frozen
class LinkCut(Event):
    """Nothing passes from source to target any more."""

    source: str
    target: str


@attrs.frozen
class LinkClogged(Event):
    """What is sent from source to target is held until the clog is gone."""

    source: str
    target: str


@attrs.frozen
class LinkHealed(Event):
    source: str
    target: str


# --- The network ---------------------------------------------------------------------------


@attrs.frozen
class MessageSent(Event):
    """api: the message's class name, such as ProduceRequest; about: what a reader wants to know."""

    message: int
    source: str
    target: str
    api: str
    about: tuple[Any, ...]


@attrs.frozen
class MessageDelivered(Event):
    message: int
    source: str
    target: str
    api: str


@attrs.frozen
class MessageDropped(Event):
    """reason: loss, cut, behind_a_loss (TCP delivers nothing behind a gap), target_down,
    stale_connection or copy (of a doubled message: TCP hands nothing over twice).
    """

    message: int
    source: str
    target: str
    api: str
    reason: str


@attrs.frozen
class MessageDuplicated(Event):
    message: int
    source: str
    target: str
    api: str


# --- What clients saw ------------------------------------------------------------------------


@attrs.frozen
class RecordSent(Event):
    """An application handed a record to its producer."""

    event_id: str
    topic: str
    key: Any


@attrs.frozen
class RecordAcknowledged(Event):
    """The producer's promise: the record is in the log. offset -1: not told (acks=0)."""

    event_id: str
    topic: str
    partition: int
    offset: int


@attrs.frozen
class RecordFailed(Event):
    """The producer gave the record up; `definite`: it is certainly not in the log."""

    event_id: str
    topic: str
    error: str
    definite: bool


@attrs.frozen
class BatchRetried(Event):
    """A producer sends a batch again. attempt: 1 is the first retry."""

    topic: str
    partition: int
    event_ids: tuple[str, ...]
    attempt: int
    error: str


@attrs.frozen
class RecordPolled(Event):
    """poll() handed a record to the application of a group's member."""

    group: str
    topic: str
    partition: int
    offset: int
    event_id: str


@attrs.frozen
class ProcessingStarted(Event):
    group: str
    topic: str
    partition: int
    offset: int
    event_id: str


@attrs.frozen
class ProcessingEnded(Event):
    """outcome: done, or the name of what the handler raised."""

    group: str
    topic: str
    partition: int
    offset: int
    event_id: str
    outcome: str


@attrs.frozen
class CommitAnswered(Event):
    """What the client learnt of its commit; error: NONE, or Kafka's name."""

    group: str
    topic: str
    partition: int
    offset: int
    error: str


@attrs.frozen
class PositionReset(Event):
    """A consumer took a position without, or against, a committed offset. policy: see
    auto.offset.reset; seek for the application's own.
    """

    group: str
    topic: str
    partition: int
    offset: int
    policy: str


@attrs.frozen
class PartitionsAssigned(Event):
    group: str
    generation: int
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen
class PartitionsRevoked(Event):
    group: str
    generation: int
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen
class PartitionsLost(Event):
    group: str
    generation: int
    partitions: tuple[tuple[str, int], ...]


# --- What brokers did ------------------------------------------------------------------------


@attrs.frozen
class BatchAppended(Event):
    topic: str
    partition: int
    base_offset: int
    event_ids: tuple[str, ...]
    producer_id: int
    producer_epoch: int
    base_sequence: int


@attrs.frozen
class BatchDeduplicated(Event):
    """The batch was there already: answered with its first offset, not appended."""

    topic: str
    partition: int
    base_offset: int
    event_ids: tuple[str, ...]


@attrs.frozen
class AppendRefused(Event):
    topic: str
    partition: int
    event_ids: tuple[str, ...]
    error: str


@attrs.frozen
class TransactionMarkerWritten(Event):
    """A leader has appended the end of a transaction to a partition. result: commit or abort."""

    topic: str
    partition: int
    offset: int
    producer_id: int
    producer_epoch: int
    result: str


@attrs.frozen
class TransactionStateChanged(Event):
    """A transition of a transactional id is committed, as its coordinator says.

    before and after are equal when a producer takes an id over that is at rest (its epoch rises),
    and when partitions are added. producer_id and producer_epoch are those from now on.
    """

    transactional_id: str
    producer_id: int
    producer_epoch: int
    before: str
    after: str


@attrs.frozen
class TransactionLoaded(Event):
    """A new coordinator has read a transactional id in its log: committed or not, it counts now."""

    transactional_id: str
    producer_id: int
    producer_epoch: int
    state: str


@attrs.frozen
class GroupStateChanged(Event):
    group: str
    before: str
    after: str


@attrs.frozen
class GroupLoaded(Event):
    """A new coordinator has read a group in its log: committed or not, it counts now.

    protocol: classic or consumer (KIP-848); generation: of the latter, the group epoch. What each
    member of a consumer group holds follows, as member_reconciled.
    """

    group: str
    protocol: str
    generation: int
    members: tuple[str, ...]


@attrs.frozen
class GroupConverted(Event):
    """A group speaks another protocol from here on: classic or consumer (KIP-848)."""

    group: str
    protocol: str


@attrs.frozen
class MemberReconciled(Event):
    """A member of a consumer group has taken a step, as its coordinator sees it (KIP-848).

    epoch: how far it has come. assigned: what it may hold. revoking: what it has to give back, and
    has not yet said that it has.
    """

    group: str
    member: str
    epoch: int
    state: str
    assigned: tuple[tuple[str, int], ...]
    revoking: tuple[tuple[str, int], ...]


@attrs.frozen
class GenerationStarted(Event):
    group: str
    generation: int
    leader: str
    protocol: str
    members: tuple[str, ...]


@attrs.frozen
class MemberRemoved(Event):
    """reason: session_timeout, rebalance_timeout, left, never_joined, never_synced, group_full."""

    group: str
    member: str
    reason: str


@attrs.frozen
class MemberReplaced(Event):
    """A static member of a classic group is back under another id; the old one is fenced."""

    group: str
    member: str
    by: str


@attrs.frozen
class OffsetCommitted(Event):
    """The coordinator accepted it. member "" and generation -1: from outside the group."""

    group: str
    topic: str
    partition: int
    offset: int
    member: str
    generation: int


@attrs.frozen
class CommitRefused(Event):
    group: str
    topic: str
    partition: int
    offset: int
    member: str
    generation: int
    error: str


# --- What brokers and their controller did with replicas -----------------------------------------


@attrs.frozen
class LogRecovered(Event):
    """A restarted broker has loaded a replica that was not shut down in order.

    log_end_offset: where the log ends that its disk kept; what lay beyond is lost.
    """

    topic: str
    partition: int
    log_start_offset: int
    log_end_offset: int


@attrs.frozen
class ReplicaAppended(Event):
    """A follower has taken a batch over, at its leader's offset.

    event_ids: one for each offset from there; "" where the leader's cleaner removed the record.
    """

    topic: str
    partition: int
    base_offset: int
    event_ids: tuple[str, ...]
    leader_epoch: int


@attrs.frozen
class LogTruncated(Event):
    """A follower has cut off everything from `offset` on; event_ids: what it cut."""

    topic: str
    partition: int
    offset: int
    event_ids: tuple[str, ...]


@attrs.frozen
class HighWatermarkMoved(Event):
    """A replica's high watermark, as it knows it now; a follower is told it late."""

    topic: str
    partition: int
    offset: int


@attrs.frozen
class BecameLeader(Event):
    """A broker has learnt that it leads a partition."""

    topic: str
    partition: int
    leader_epoch: int
    log_end_offset: int


@attrs.frozen
class BecameFollower(Event):
    """A broker has learnt that another leads a partition; leader "" is nobody."""

    topic: str
    partition: int
    leader_epoch: int
    leader: str


@attrs.frozen
class LeaderElected(Event):
    """The controller has chosen a leader; "" is nobody.

    election: clean (from the in-sync set), eligible (an eligible leader replica), unclean,
    preferred, or none (there was nobody to choose).
    """

    topic: str
    partition: int
    leader: str
    leader_epoch: int
    isr: tuple[str, ...]
    election: str


@attrs.frozen
class IsrChanged(Event):
    """The controller has changed a partition's in-sync set, under the same leader."""

    topic: str
    partition: int
    leader_epoch: int
    isr: tuple[str, ...]
    eligible: tuple[str, ...]


@attrs.frozen
class BrokerFenced(Event):
    """The controller counts a broker as gone."""

    broker: str


@attrs.frozen
class BrokerUnfenced(Event):
    """The controller lets a broker lead and be in sync."""

    broker: str
    broker_epoch: int


@attrs.frozen
class PartitionsAdded(Event):
    """A topic has more partitions: keys may go to other ones from now on."""

    topic: str
    partitions: int


@attrs.frozen
class LogStartMoved(Event):
    """A replica has deleted its oldest records: reason is retention.ms, retention.bytes or
    delete_records, or leader (a follower does as its leader).
    """

    topic: str
    partition: int
    log_start_offset: int
    reason: str


@attrs.frozen
class LogCleaned(Event):
    """The cleaner has removed records between two offsets; event_ids: what it removed."""

    topic: str
    partition: int
    from_offset: int
    until_offset: int
    event_ids: tuple[str, ...]


@attrs.frozen
class TruncationFound(Event):
    """A consumer has found that the log was cut below its position: its leader's ends there."""

    group: str
    topic: str
    partition: int
    offset: int
    diverging_offset: int


# --- What stores did -------------------------------------------------------------------------


@attrs.frozen
class EffectApplied(Event):
    """A committed transaction changed a row on behalf of an event."""

    table: str
    key: Any
    value: Any
    event_id: str


@attrs.frozen
class EffectRefused(Event):
    """A transaction on behalf of an event was rolled back, such as by a unique constraint."""

    table: str
    key: Any
    event_id: str
    reason: str


@attrs.frozen
class StoreCommitted(Event):
    """A transaction of several statements was committed, and is in the log; its effects precede.

    lsn: its place in the order of commits. A transaction of one request tells only its effects.
    """

    lsn: int
    xid: int


@attrs.frozen
class StoreRolledBack(Event):
    """A transaction of several statements came to nothing. xid 0: it had written nothing.

    reason: requested, session_ended (the client died, or was silent for too long), replaced (its
    connection began another), or why it was refused, such as serialization_failure.
    """

    xid: int
    reason: str


# --- What a transactional producer asked for, and learnt ------------------------------------------


@attrs.frozen
class TransactionBegan(Event):
    """A producer has begun a transaction, which its coordinator does not know of yet."""

    transactional_id: str
    producer_id: int
    producer_epoch: int


@attrs.frozen
class TransactionEnding(Event):
    """An application has asked for the end of its transaction. result: commit or abort.

    event_ids: the records that it handed over in it, whatever became of them.
    offsets: the consumers' offsets that it sent to it: (group, topic, partition, offset).
    """

    transactional_id: str
    result: str
    event_ids: tuple[str, ...]
    offsets: tuple[tuple[str, str, int, int], ...]


@attrs.frozen
class TransactionEnded(Event):
    """What became of the end that was asked for, as far as the producer knows.

    outcome: done; failed (this result is certainly not the transaction's by this producer's
    doing); or unknown (it was asked for, no answer came, and none will).
    error: NONE, or Kafka's name.
    """

    transactional_id: str
    result: str
    outcome: str
    error: str


@attrs.frozen
class TransactionFailed(Event):
    """A producer can go on with its transaction no more. fatal: nor with any other."""

    transactional_id: str
    error: str
    fatal: bool


@attrs.frozen
class RecordTransformed(Event):
    """An instance has made records of one that it read; they are not handed over yet.

    sink: the topic that they are for. outputs: their event ids; none if nothing is made of it.
    """

    group: str
    topic: str
    partition: int
    offset: int
    event_id: str
    sink: str
    outputs: tuple[str, ...]


# --- Share groups --------------------------------------------------------------------------------


@attrs.frozen
class ShareAssigned(Event):
    """A share group's coordinator says where a member may acquire records, from this epoch on."""

    group: str
    epoch: int
    member: str
    partitions: tuple[tuple[str, int], ...]


@attrs.frozen
class ShareLoaded(Event):
    """A leader has read what was written of a share partition; nothing of it is acquired.

    start_offset -1: nothing was written, so the group begins where share.auto.offset.reset says.
    """

    group: str
    topic: str
    partition: int
    start_offset: int


@attrs.frozen
class ShareAcquired(Event):
    """A member holds records `first` to `last`; delivery_count: how often they were delivered."""

    group: str
    topic: str
    partition: int
    first: int
    last: int
    member: str
    delivery_count: int


@attrs.frozen
class ShareAcknowledged(Event):
    """A leader has taken a member's word on records. type: accept, release, reject or gap."""

    group: str
    topic: str
    partition: int
    first: int
    last: int
    member: str
    type: str


@attrs.frozen
class ShareAcknowledgeRefused(Event):
    """A leader has refused all that a member said of a partition; first, last: its bounds."""

    group: str
    topic: str
    partition: int
    first: int
    last: int
    member: str
    error: str


@attrs.frozen
class ShareReleased(Event):
    """A member's session was closed while it held records: they are let go."""

    group: str
    topic: str
    partition: int
    first: int
    last: int
    member: str


@attrs.frozen
class ShareLockExpired(Event):
    """A member held records for too long: they are let go, and it is not told."""

    group: str
    topic: str
    partition: int
    first: int
    last: int
    member: str


@attrs.frozen
class ShareArchived(Event):
    """Records that were let go are not delivered again: they were as often as they may be."""

    group: str
    topic: str
    partition: int
    first: int
    last: int
    delivery_count: int


@attrs.frozen
class ShareStartMoved(Event):
    """Everything below `offset` is finished, not in the log any more, or before the group began."""

    group: str
    topic: str
    partition: int
    offset: int


@attrs.frozen
class ShareCommitAnswered(Event):
    """What a member learnt of an acknowledgement; error: NONE, or Kafka's name.

    NETWORK_EXCEPTION: no answer came, so it may have been taken or not.
    """

    group: str
    topic: str
    partition: int
    first: int
    last: int
    type: str
    error: str


# --- Change data capture -------------------------------------------------------------------------


@attrs.frozen
class ChangeCaptured(Event):
    """A connector hands its producer what it made of a row's change, or of a row it read.

    op: c, u, d, tombstone, or r. lsn, number: the transaction, and which of its changes; for a row
    that was read, the place in the log as of which it was.
    """

    event_id: str
    table: str
    key: Any
    value: Any
    op: str
    lsn: int
    number: int


@attrs.frozen
class SourceOffsetStored(Event):
    """A connector has stored how far it is: all until `done`, and `events` changes of `lsn`."""

    done: int
    lsn: int
    events: int
