"""The words of a transaction coordinator: its states, its settings, and the facts that change it.

Rule 1: HARD facts lie in the coordinator's log, one partition of __transaction_state. Each is
about one transactional id, and the newest of an id alone counts: the log may be compacted by it.
Rule 2: the last epoch (KIP-360) is not in the log. A retry that meets a new coordinator is
therefore taken for a zombie, as in Kafka.
Rule 3: TRANSITIONS names every change of state, by what it was in answer to.

Sources: TransactionMetadata.java, TransactionState.java, TransactionLog.scala,
TransactionStateManagerConfig.java.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import attrs

from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnMarker,
)
from simulator.protocol.names import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TopicPartition
from simulator.protocol.settings import parse_settings, whole
from simulator.protocol.transaction_messages import AddOffsetsToTxnRequest

LEADERS = ""  # To whom markers are sent: whoever leads their partitions then.
NO_TIME_US = -1
RETRY_MS = 100  # After a marker was not written; retry.backoff.ms of clients.


class State(Enum):
    """Where a transactional id is. In Kafka's words, of its last transaction."""

    EMPTY = "Empty"  # A producer has its id; there was no transaction with it yet.
    ONGOING = "Ongoing"
    PREPARE_COMMIT = "PrepareCommit"  # Decided: from here on it can only be committed.
    PREPARE_ABORT = "PrepareAbort"
    COMPLETE_COMMIT = "CompleteCommit"  # Every partition has its marker.
    COMPLETE_ABORT = "CompleteAbort"
    DEAD = "Dead"  # Expired; the tombstone is on its way into the log.
    PREPARE_EPOCH_FENCE = "PrepareEpochFence"  # Passed through within a decision, never logged.

    def __repr__(self) -> str:
        return self.name


PREPARED = {
    State.PREPARE_COMMIT: (State.COMPLETE_COMMIT, "commit"),
    State.PREPARE_ABORT: (State.COMPLETE_ABORT, "abort"),
}
RESTING = (State.EMPTY, State.COMPLETE_COMMIT, State.COMPLETE_ABORT)

# What a state may come from, whatever the message (TransactionState.validPreviousStates).
COMES_FROM: dict[State, tuple[State, ...]] = {
    State.EMPTY: RESTING,
    State.ONGOING: (State.ONGOING, *RESTING),
    State.PREPARE_COMMIT: (State.ONGOING,),
    State.PREPARE_ABORT: (State.ONGOING, State.PREPARE_EPOCH_FENCE, *RESTING),
    State.COMPLETE_COMMIT: (State.PREPARE_COMMIT,),
    State.COMPLETE_ABORT: (State.PREPARE_ABORT,),
    State.DEAD: RESTING,
    State.PREPARE_EPOCH_FENCE: (State.ONGOING,),
}


@attrs.frozen
class TransactionSettings:
    """How one broker coordinates transactions (TransactionStateManagerConfig.java)."""

    transaction_max_timeout_ms: int = attrs.field(default=900_000, validator=whole(1))
    transactional_id_expiration_ms: int = attrs.field(default=604_800_000, validator=whole(1))
    transaction_abort_timed_out_transaction_cleanup_interval_ms: int = attrs.field(
        default=10_000, validator=whole(1)
    )
    transaction_remove_expired_transaction_cleanup_interval_ms: int = attrs.field(
        default=3_600_000, validator=whole(1)
    )

    @classmethod
    def parse(
        cls, given: Mapping[str, Any], where: str = "transaction coordinator"
    ) -> "TransactionSettings":
        """Read Kafka's dotted names.

        Raises:
            BadInput: a name is unknown or not modelled, or a value is not allowed.
        """
        return parse_settings(cls, given, not_modelled=NOT_MODELLED, where=where)


NOT_MODELLED = {
    "transaction.two.phase.commit.enable": "a producer alone ends its own, without KIP-939",
    "transaction.state.log.load.buffer.size": "a coordinator's log is read in no time",
}


# --- Messages that the coordinator's driver sends, and timers ----------------------------------


@attrs.frozen
class Durable:
    """The newest fact of this id in the log is there to stay (below the high watermark)."""

    transactional_id: str


@attrs.frozen
class MarkersToSend:
    """Write this marker, each partition's on its leader, and tell MarkersAnswered of each."""

    transactional_id: str
    marker: TxnMarker


@attrs.frozen
class MarkersAnswered:
    """What became of markers, of some of their partitions or of all.

    results: Kafka's error for each; NETWORK_EXCEPTION where no answer came,
    LEADER_NOT_AVAILABLE where nobody leads, None where there is no such partition any more.
    """

    transactional_id: str
    marker: TxnMarker
    results: tuple[tuple[TopicPartition, Error | None], ...]


@attrs.frozen
class TimeoutScan:
    """Transactions that were open for too long are aborted."""


@attrs.frozen
class ExpirationScan:
    """Transactional ids of which nothing was heard for long are removed."""


@attrs.frozen
class MarkerRetry:
    """Markers that were not written are sent again."""

    transactional_id: str


@attrs.frozen
class Load:
    """The coordinator has read its log (TransactionStateManager.loadTransactionMetadata)."""


def _table() -> dict[tuple[State, type], tuple[State, ...]]:
    ended = (State.PREPARE_COMMIT, State.PREPARE_ABORT)
    table: dict[tuple[State, type], tuple[State, ...]] = {}
    for state in RESTING:
        table[state, InitProducerIdRequest] = (State.EMPTY,)
        table[state, AddPartitionsToTxnRequest] = (State.ONGOING,)
        table[state, AddOffsetsToTxnRequest] = (State.ONGOING,)
        table[state, EndTxnRequest] = (State.PREPARE_ABORT,)  # Version 2 alone: nothing was added.
        table[state, ExpirationScan] = (State.DEAD,)
    table[State.ONGOING, AddPartitionsToTxnRequest] = (State.ONGOING,)
    table[State.ONGOING, AddOffsetsToTxnRequest] = (State.ONGOING,)
    table[State.ONGOING, EndTxnRequest] = ended
    # Through PrepareEpochFence: the epoch rises first.
    table[State.ONGOING, InitProducerIdRequest] = (State.PREPARE_ABORT,)
    table[State.ONGOING, TimeoutScan] = (State.PREPARE_ABORT,)
    for state, (complete, _) in PREPARED.items():
        table[state, MarkersAnswered] = (complete,)
        table[state, Durable] = (complete,)  # No partition takes part.
        table[state, Load] = (complete,)
    return table


TRANSITIONS = _table()


# --- Hard facts ----------------------------------------------------------------------------------


@attrs.frozen
class TransactionMetadata:
    """All that is kept of one transactional id (TransactionLogValue).

    Attributes:
        producer_id, producer_epoch: what a producer must name; a prepared transaction's markers
            carry them too.
        previous_producer_id: the producer id before the last change.
        next_producer_id: which one comes when this transaction is complete, because the epochs of
            this one are used up; else -1.
        partitions: who takes part, in the order in which they were added.
        start_us: when the transaction began; -1 where there was none since InitProducerId.
        update_us: when this was decided.
    """

    transactional_id: str
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    state: State
    partitions: tuple[TopicPartition, ...] = ()
    start_us: int = NO_TIME_US
    update_us: int = NO_TIME_US
    previous_producer_id: int = NO_PRODUCER_ID
    next_producer_id: int = NO_PRODUCER_ID


@attrs.frozen
class TransactionalIdRemoved:
    """The id has expired (a tombstone)."""

    transactional_id: str


HARD = (TransactionMetadata, TransactionalIdRemoved)


# --- Soft facts ----------------------------------------------------------------------------------


@attrs.frozen
class TransitionBegan:
    """The next hard fact of this id is in answer to `on`; it counts once it is durable."""

    transactional_id: str
    on: type
    last_producer_epoch: int = NO_PRODUCER_EPOCH


@attrs.frozen
class TransitionCompleted:
    """The id's newest hard fact counts from now on. on: the class of what it was in answer to."""

    transactional_id: str
    before: State
    after: State
    on: type
    at_us: int


@attrs.frozen
class Loaded:
    """Whatever lies in the log counts, durable or not: a new coordinator reads all of it."""


@attrs.frozen
class MarkersWritten:
    """These partitions have their marker, or are gone."""

    transactional_id: str
    partitions: tuple[TopicPartition, ...]


@attrs.frozen
class MarkersFailed:
    """These partitions have no marker yet: they wait for another try."""

    transactional_id: str
    partitions: tuple[TopicPartition, ...]


@attrs.frozen
class MarkersResent:
    """What waited for another try is on its way."""

    transactional_id: str


@attrs.frozen
class MarkersAbandoned:
    """A newer producer or coordinator owns this transaction: nothing more is sent from here."""

    transactional_id: str


@attrs.frozen
class ProducerIdsGranted:
    """The coordinator may give out `length` producer ids from `first` on, once each."""

    first: int
    length: int


@attrs.frozen
class ProducerIdTaken:
    """One of them is used."""

    producer_id: int


@attrs.frozen
class ScanArmed:
    """Whether the timer of a scan is set."""

    scan: type
    armed: bool


def is_hard(fact: Any) -> bool:
    """Whether the fact lies in the coordinator's log."""
    return isinstance(fact, HARD)
