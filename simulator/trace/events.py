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
    """reason: loss, cut, behind_a_loss (TCP delivers nothing behind a gap), target_down or
    stale_connection.
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
class GroupStateChanged(Event):
    group: str
    before: str
    after: str


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
