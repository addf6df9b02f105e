"""What a producer may do with its transaction: a rule answers an error, or what is to be written.

Rule 1: whoever names another producer id than the current one is nobody's producer
(INVALID_PRODUCER_ID_MAPPING); whoever names the right one with another epoch is fenced.
Rule 2: an epoch is given to one producer only. InitProducerId without an expected epoch bumps, so
whoever had the id before is fenced; with it, a retry finds what the first try was given (KIP-360).
Rule 3: under version 1 a transaction has no name: EndTxn ends whichever is open. Under version 2
(KIP-890) every EndTxn bumps the epoch, so one that comes late or twice names a past transaction.

Source: TransactionCoordinator.scala (prepareInitProducerIdTransit, endTransaction,
endTransactionWithTV1, handleAddPartitionsToTransaction, handleVerifyPartitionsInTransaction),
TransactionMetadata.java (prepareIncrementProducerEpoch, prepareAbortOrCommit, ...).
"""

from typing import NamedTuple

import attrs

from simulator.protocol.errors import Error
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)
from simulator.protocol.names import (
    EPOCH_MAX,
    MICROS_PER_MS,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    TopicPartition,
)
from simulator.protocol.transactions_facts import (
    NO_TIME_US,
    PREPARED,
    RESTING,
    State,
    TransactionMetadata,
)
from simulator.protocol.transactions_state import EPOCH_EXHAUSTED, Decision, Entry, nobody


class Change(NamedTuple):
    """What is to be written of an id, and its last epoch from then on."""

    record: TransactionMetadata
    last_epoch: int


# --- InitProducerId ------------------------------------------------------------------------------


def init_producer_id(
    decision: Decision, entry: Entry | None, body: InitProducerIdRequest
) -> Error | Change:
    """Which producer id and epoch a producer gets; PrepareAbort: what is open must end first."""
    assert body.transactional_id is not None, "only transactional ids have a coordinator"
    if not 0 < body.transaction_timeout_ms <= decision.settings.transaction_max_timeout_ms:
        return Error.INVALID_TRANSACTION_TIMEOUT
    if entry is None:
        producer_id = decision.fresh_producer_id()
        if producer_id is None:
            return Error.COORDINATOR_LOAD_IN_PROGRESS
        new = attrs.evolve(nobody(body.transactional_id), producer_id=producer_id)
        return _next_epoch(decision, Entry(new), body)
    if entry.busy:
        return Error.CONCURRENT_TRANSACTIONS
    if not _may_go_on(entry.current, body):
        return Error.PRODUCER_FENCED
    if entry.current.state is State.ONGOING:
        return fence(decision, entry)
    return _next_epoch(decision, entry, body)


def _may_go_on(current: TransactionMetadata, body: InitProducerIdRequest) -> bool:
    """Whether the producer id that is expected, if one is, could be the current one's."""
    producer_id, epoch = body.producer_id, body.producer_epoch
    return (
        producer_id in (NO_PRODUCER_ID, current.producer_id)
        # A retry of a bump that led to a new producer id.
        or (producer_id == current.previous_producer_id and epoch >= EPOCH_EXHAUSTED)
    )


def _next_epoch(
    decision: Decision, entry: Entry, body: InitProducerIdRequest
) -> Error | Change:
    current = entry.current
    expects = body.producer_id != NO_PRODUCER_ID
    fresh = attrs.evolve(
        current,
        timeout_ms=body.transaction_timeout_ms,
        state=State.EMPTY,
        partitions=(),
        start_us=NO_TIME_US,
        update_us=decision.now_us,
        previous_producer_id=current.producer_id,
    )
    epoch = current.producer_epoch
    if entry.exhausted:
        if expects and body.producer_epoch != epoch:
            return Error.UNKNOWN_SERVER_ERROR  # An IllegalStateException there.
        producer_id = decision.fresh_producer_id()
        if producer_id is None:
            return Error.COORDINATOR_LOAD_IN_PROGRESS
        rotated = attrs.evolve(fresh, producer_id=producer_id, producer_epoch=0)
        return Change(rotated, epoch if expects else NO_PRODUCER_EPOCH)
    bumped = attrs.evolve(fresh, producer_epoch=epoch + 1)
    if not expects:
        return Change(bumped, NO_PRODUCER_EPOCH)
    if epoch in (NO_PRODUCER_EPOCH, body.producer_epoch):
        return Change(bumped, epoch)
    if body.producer_epoch == entry.last_epoch:
        return Change(fresh, entry.last_epoch)  # A retry. Whoever else bumped left -1 there.
    return Error.PRODUCER_FENCED


def fence(decision: Decision, entry: Entry) -> Change:
    """Abort what is open under an epoch that nobody has.

    The epoch rises to fence (PrepareEpochFence), and under version 2 once more, as with every
    end. It stays at its maximum: the next InitProducerId then leads to a new producer id.
    """
    current = entry.current
    fenced = min(current.producer_epoch + 1, EPOCH_MAX)
    raised = attrs.evolve(current, producer_epoch=fenced)
    return _prepared(decision, raised, State.PREPARE_ABORT, NO_PRODUCER_EPOCH, NO_PRODUCER_ID)


# --- Partitions ----------------------------------------------------------------------------------


def add_partitions(
    decision: Decision,
    entry: Entry | None,
    identity: tuple[int, int],
    partitions: tuple[TopicPartition, ...],
) -> Error | Change:
    """Partitions take part in the transaction, which begins with the first."""
    refusal = _refuse_stranger(entry, identity)
    if refusal is not None or entry is None:
        return refusal or Error.INVALID_PRODUCER_ID_MAPPING
    if entry.busy:
        return Error.CONCURRENT_TRANSACTIONS
    current = entry.current
    known = dict.fromkeys(current.partitions)
    begins = current.state in RESTING
    if not begins and all(partition in known for partition in partitions):
        return Error.NONE
    record = attrs.evolve(
        current,
        state=State.ONGOING,
        partitions=tuple({**known, **dict.fromkeys(partitions)}),
        start_us=decision.now_us if begins else current.start_us,
        update_us=decision.now_us,
        previous_producer_id=current.producer_id,
    )
    return Change(record, entry.last_epoch)


def verify_partitions(
    entry: Entry | None, body: AddPartitionsToTxnRequest
) -> tuple[tuple[TopicPartition, Error], ...]:
    """Whether each partition takes part in a transaction that is open (KIP-890).

    What was written and is not durable yet is not looked at: the leader that asks makes sure
    that no marker came in between.
    """
    error = _refuse_stranger(entry, (body.producer_id, body.producer_epoch))
    if error is None and entry is not None and entry.current.state in PREPARED:
        error = Error.CONCURRENT_TRANSACTIONS
    if error is not None or entry is None:
        error = error or Error.INVALID_PRODUCER_ID_MAPPING
        return tuple((partition, error) for partition in body.partitions)
    takes_part = dict.fromkeys(entry.current.partitions)
    return tuple(
        (partition, Error.NONE if partition in takes_part else Error.TRANSACTION_ABORTABLE)
        for partition in body.partitions
    )


def _refuse_stranger(entry: Entry | None, identity: tuple[int, int]) -> Error | None:
    if entry is None or entry.current.producer_id != identity[0]:
        return Error.INVALID_PRODUCER_ID_MAPPING
    return None if entry.current.producer_epoch == identity[1] else Error.PRODUCER_FENCED


# --- EndTxn --------------------------------------------------------------------------------------


def end_1(decision: Decision, entry: Entry | None, body: EndTxnRequest) -> Error | Change:
    """End a transaction under version 1: the same end again is no error."""
    refusal = _refuse_stranger(entry, (body.producer_id, body.producer_epoch))
    if refusal is not None or entry is None:
        return refusal or Error.INVALID_PRODUCER_ID_MAPPING
    if entry.busy:
        return Error.CONCURRENT_TRANSACTIONS
    prepared, complete = _ends(body)
    if entry.current.state is State.ONGOING:
        return _prepared(decision, entry.current, prepared, entry.last_epoch, NO_PRODUCER_ID)
    return Error.NONE if entry.current.state is complete else Error.INVALID_TXN_STATE


def end_2(decision: Decision, entry: Entry | None, body: EndTxnRequest) -> Error | Change:
    """End a transaction under version 2: its epoch names it.

    A retry is of the epoch before the current. An abort of the current epoch is taken in every
    state of rest, for a producer that failed cannot know whether a partition was added.
    """
    if entry is None:
        return Error.INVALID_PRODUCER_ID_MAPPING
    current = entry.current
    epoch = current.producer_epoch
    rotated = (
        current.previous_producer_id == body.producer_id
        and body.producer_epoch == EPOCH_EXHAUSTED
        and epoch == 0
    )
    retry = rotated or epoch == body.producer_epoch + 1
    if current.producer_id != body.producer_id and not rotated:
        return Error.INVALID_PRODUCER_ID_MAPPING
    if not _is_named(current.state, retry=retry, same=body.producer_epoch == epoch):
        return Error.PRODUCER_FENCED
    if entry.busy:
        return Error.CONCURRENT_TRANSACTIONS
    prepared, complete = _ends(body)
    if current.state is not State.ONGOING:
        if retry:
            return Error.NONE if current.state is complete else Error.INVALID_TXN_STATE
        if prepared is State.PREPARE_COMMIT:
            return Error.INVALID_TXN_STATE
    next_producer_id = NO_PRODUCER_ID
    if entry.exhausted:
        fresh = decision.fresh_producer_id()
        if fresh is None:
            return Error.COORDINATOR_LOAD_IN_PROGRESS
        next_producer_id = fresh
    return _prepared(decision, current, prepared, entry.last_epoch, next_producer_id)


def _is_named(state: State, *, retry: bool, same: bool) -> bool:
    """Whether an EndTxn's epoch is one that the state admits."""
    if state in PREPARED:
        return retry
    return same or (retry and state in (State.COMPLETE_COMMIT, State.COMPLETE_ABORT))


def _ends(body: EndTxnRequest) -> tuple[State, State]:
    """The states that a result leads to: prepared, then complete."""
    assert body.result in ("commit", "abort"), f"no result: {body}"
    commits = body.result == "commit"
    prepared = State.PREPARE_COMMIT if commits else State.PREPARE_ABORT
    return prepared, PREPARED[prepared][0]


def _prepared(
    decision: Decision,
    current: TransactionMetadata,
    state: State,
    last_epoch: int,
    next_producer_id: int,
) -> Change:
    """A transaction's end is decided (TransactionMetadata.prepareAbortOrCommit)."""
    epoch = current.producer_epoch
    bumps = decision.version > 1
    began = current.start_us if current.state is State.ONGOING else decision.now_us
    record = attrs.evolve(
        current,
        producer_epoch=min(epoch + 1, EPOCH_MAX) if bumps else epoch,
        state=state,
        start_us=began,
        update_us=decision.now_us,
        previous_producer_id=current.producer_id,
        next_producer_id=next_producer_id,
    )
    return Change(record, epoch if bumps else last_epoch)


def completed(current: TransactionMetadata, now_us: int) -> TransactionMetadata:
    """A prepared transaction once every partition has its marker."""
    rotates = current.next_producer_id != NO_PRODUCER_ID
    return attrs.evolve(
        current,
        producer_id=current.next_producer_id if rotates else current.producer_id,
        producer_epoch=0 if rotates else current.producer_epoch,
        state=PREPARED[current.state][0],
        partitions=(),
        update_us=now_us,
        previous_producer_id=current.producer_id,
        next_producer_id=NO_PRODUCER_ID,
    )


def timed_out(entry: Entry, now_us: int) -> bool:
    """Whether a transaction has been open for longer than its producer allowed."""
    current = entry.current
    open_us = now_us - current.start_us
    idle = not entry.busy and current.state is State.ONGOING
    return idle and open_us > current.timeout_ms * MICROS_PER_MS
