"""What a partition remembers of each producer, so that a retry is not appended twice.

A state is a value: every rule here is a function from one state to the next, or to an error.

Rule 1: the last 5 batches are remembered (as many as a producer may have in flight), each by its
first and last sequence. A batch is a duplicate if both are equal, and its epoch is the current.
Rule 2: no state at all means that any first sequence is taken; a known producer must go on where
it stopped, or start at 0 with a higher epoch.
Rule 3: a marker of a higher epoch forgets the batches; one of the same epoch keeps them, so that
sequences go on over transactions.

Rule 4: a log that does not keep idle producers (before KAFKA-7190, Kafka 2.4) forgets a batch
with its record, and a producer with its last batch. One that it does not know, or no batch of,
must start at 0: anything else is an unknown producer id.

Source: ProducerAppendInfo.java, ProducerStateEntry.java, ProducerStateManager.java (storage).

Not modelled: the lowest sequence remembered while a transaction is being verified.
"""

from typing import NamedTuple

from simulator.protocol.errors import Error
from simulator.protocol.names import NO_PRODUCER_EPOCH, NO_SEQUENCE, SEQUENCE_MAX, UNKNOWN_OFFSET

_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.
REMEMBERED_BATCHES = 5  # ProducerStateEntry.NUM_BATCHES_TO_RETAIN

Remembered = tuple[int, int, int, int]  # first and last sequence, base and last offset


class ProducerState(NamedTuple):
    """One producer id on one partition. `batches` are the newest at most 5, oldest first."""

    epoch: int = NO_PRODUCER_EPOCH
    coordinator_epoch: int = -1
    last_time_us: int = 0
    transaction_first_offset: int = UNKNOWN_OFFSET  # -1: no transaction is open here.
    batches: tuple[Remembered, ...] = ()

    @property
    def last_sequence(self) -> int:
        """The newest sequence, or -1 if no batch of this epoch is known."""
        return self.batches[-1][1] if self.batches else NO_SEQUENCE


NO_STATE = ProducerState()


def duplicate_of(state: ProducerState, epoch: int, first: int, last: int) -> Remembered | None:
    """The remembered batch that this one repeats, or None."""
    if state[0] != epoch:
        return None
    for remembered in state[4]:
        if remembered[0] == first and remembered[1] == last:
            return remembered
    return None


def refuse_data(
    state: ProducerState, epoch: int, first: int, *, transactional: bool, sequenced: bool
) -> Error | None:
    """Why a client's batch may not be appended after `state`, or None if it may.

    `sequenced` is false for what a group coordinator writes on a producer's behalf
    (transactional offset commits): the epoch is checked, the sequence is not.
    """
    known_epoch, _, _, open_since, batches = state
    if epoch < known_epoch:
        return Error.INVALID_PRODUCER_EPOCH
    if sequenced:
        if epoch != known_epoch:
            if first != 0 and known_epoch != NO_PRODUCER_EPOCH:
                return Error.OUT_OF_ORDER_SEQUENCE_NUMBER
        else:
            last = batches[-1][1] if batches else NO_SEQUENCE
            if first != last + 1 and not (last == SEQUENCE_MAX and first == 0):
                return Error.OUT_OF_ORDER_SEQUENCE_NUMBER
    if open_since != UNKNOWN_OFFSET and not transactional:
        return Error.INVALID_TXN_STATE
    return None


def refuse_stranger(state: ProducerState, epoch: int, first: int) -> Error | None:
    """What a log that does not keep idle producers says to who does not start at 0."""
    unknown = state[0] in (NO_PRODUCER_EPOCH, epoch) and not state[4]
    return Error.UNKNOWN_PRODUCER_ID if unknown and first else None


def without_deleted(
    producers: dict[int, ProducerState], log_start_offset: int
) -> dict[int, ProducerState]:
    """What is left of producers when everything below an offset is forgotten with its records.

    Source: ProducerStateManager.scala (truncateHead, isProducerRetained) of Kafka 2.3.
    """
    kept = {}
    for producer_id, state in producers.items():
        batches = tuple(one for one in state[4] if one[3] >= log_start_offset)
        if batches:
            kept[producer_id] = state._replace(batches=batches)
    return kept


def refuse_marker(state: ProducerState, epoch: int, coordinator_epoch: int) -> Error | None:
    """Why a transaction marker may not be appended after `state`, or None if it may."""
    if epoch < state.epoch:
        return Error.INVALID_PRODUCER_EPOCH
    if coordinator_epoch < state.coordinator_epoch:
        return Error.TRANSACTION_COORDINATOR_FENCED
    return None


def after_data(
    state: ProducerState, epoch: int, batch: Remembered, time_us: int, *, transactional: bool
) -> ProducerState:
    """The state once the batch is in the log."""
    known_epoch, coordinator_epoch, _, open_since, batches = state
    if epoch != known_epoch:
        batches = ()
    if transactional and open_since == UNKNOWN_OFFSET:
        open_since = batch[2]
    if len(batches) >= REMEMBERED_BATCHES:
        batches = batches[1 - REMEMBERED_BATCHES :]
    known = (epoch, coordinator_epoch, time_us, open_since, (*batches, batch))
    return _new(ProducerState, known)


def after_marker(
    state: ProducerState, epoch: int, coordinator_epoch: int, time_us: int
) -> ProducerState:
    """The state once the marker is in the log: no transaction is open."""
    batches = state.batches if epoch == state.epoch else ()
    return ProducerState(epoch, coordinator_epoch, time_us, UNKNOWN_OFFSET, batches)


def newest_batch_only(state: ProducerState) -> ProducerState:
    """What a snapshot file keeps of a producer (ProducerStateManager.writeSnapshot)."""
    return state._replace(batches=state.batches[-1:])


def as_if_reloaded(state: ProducerState, snapshot_offset: int) -> ProducerState:
    """The state that a snapshot file taken at that offset, and the batches since, lead to.

    Of the batches before the snapshot only the newest is known.
    """
    batches = state.batches
    before = sum(1 for batch in batches if batch[2] < snapshot_offset)
    return state if before < 2 else state._replace(batches=batches[before - 1 :])
