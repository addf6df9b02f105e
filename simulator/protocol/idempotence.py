"""How a producer numbers its batches, so that a broker can tell a retry from a new one.

1. A producer id and epoch come from InitProducerId, once per producer: a new instance is a
   stranger, and its records are never recognized as those of the one before.
2. Sequences count the records of one partition from 0. A batch gets its own when it is first
   taken to be sent, and keeps them over all retries.
3. A batch that is tried again goes back to its place in the order of sequences. While one waits,
   only the first unanswered batch of the partition may be sent.
4. A gap in the sequences would block a partition for ever. Where the client knows that there is
   one, it raises its epoch by itself and numbers the partition's unanswered batches anew from 0
   (KIP-360). What was written already under the old epoch is then written again.
5. A batch that expired after a retry leaves its sequences *unresolved*: nothing new is numbered
   until the others are answered; then either their success shows that there is no gap, or the
   epoch is raised.
6. A new epoch reaches a partition when its batches of the old epoch are done.
7. Without `bumps_own_epoch` (before KIP-360, Kafka 2.5) UNKNOWN_PRODUCER_ID does not raise the
   epoch. If all that was acknowledged has been deleted, the partition's unanswered batches are
   numbered anew from 0 under the old epoch; else the batch fails. So one (epoch, sequence) may
   stand for two batches.

8. With a `transaction` the epoch is the coordinator's to raise. A gap then fails the transaction;
   a batch that is refused for good gives its sequences to those after it.

Source: TransactionManager.java (canRetry, handleFailedBatch, maybeResolveSequences),
TxnPartitionEntry.java; the same of Kafka 2.4.

Not modelled: the other answers of producers before 2.5, which took a new producer id and dropped
what was in flight after a gap, and moved sequences up after a failure.
"""

from typing import TYPE_CHECKING

from simulator.protocol.accumulator import PartitionQueue, PendingBatch
from simulator.protocol.errors import Error
from simulator.protocol.messages import PartitionProduced
from simulator.protocol.names import (
    EPOCH_MAX,
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    SEQUENCE_MAX,
    UNKNOWN_OFFSET,
    next_sequence,
)

if TYPE_CHECKING:
    from simulator.protocol.transaction_manager import TransactionManager


class Idempotence:
    """The producer id, its epoch, and the rules of their sequences."""

    __slots__ = (
        "_bumps",
        "_rewrite",
        "_unresolved",
        "producer_epoch",
        "producer_id",
        "transaction",
    )

    def __init__(self, *, bumps_own_epoch: bool = True) -> None:
        self._bumps = bumps_own_epoch
        self.transaction: TransactionManager | None = None  # It sets itself.
        self.producer_id = NO_PRODUCER_ID
        self.producer_epoch = NO_PRODUCER_EPOCH
        self._rewrite: dict[int, PartitionQueue] = {}  # These asked for a new epoch.
        self._unresolved: dict[int, PartitionQueue] = {}

    @property
    def unsettled(self) -> bool:
        """Whether `settle` has something to look at."""
        return bool(self._rewrite or self._unresolved)

    def started(self, producer_id: int, producer_epoch: int) -> None:
        """InitProducerId was answered; or EndTxn, which raises the epoch too (KIP-890)."""
        self.producer_id = producer_id
        self.producer_epoch = producer_epoch
        if self.transaction is not None:
            for queue in self._unresolved.values():
                queue.unresolved = None
            self._unresolved.clear()
        self._number_anew()

    # --- Before a batch is sent ------------------------------------------------------------

    def must_wait(self, queue: PartitionQueue, head: PendingBatch) -> bool:
        """Whether the first batch of a queue may not be sent yet."""
        if head.base_sequence != NO_SEQUENCE:
            return queue.tracked[0] is not head
        if self.transaction is not None and not self.transaction.takes(queue.partition):
            return True
        return queue.unresolved is not None or (bool(queue.tracked) and self._stale(queue))

    def number(self, queue: PartitionQueue, batch: PendingBatch) -> None:
        """Give a batch its sequences, unless it has them already."""
        if batch.base_sequence != NO_SEQUENCE:
            return
        if queue.producer_id != self.producer_id or queue.producer_epoch != self.producer_epoch:
            self._start_at_beginning(queue)
        batch.producer_id = self.producer_id
        batch.producer_epoch = self.producer_epoch
        batch.base_sequence = sequence = queue.next_sequence
        queue.next_sequence = next_sequence(sequence, len(batch.records))
        queue.tracked.append(batch)

    def place_of(self, batch: PendingBatch) -> int:
        """Where in its queue a batch stands that is to be sent again."""
        queue = batch.queue
        order = queue.tracked
        mine = order.index(batch)
        for place, other in enumerate(queue.batches):
            if other.base_sequence == NO_SEQUENCE or order.index(other) > mine:
                return place
        return len(queue.batches)

    def split(self, batch: PendingBatch, parts: list[PendingBatch]) -> None:
        """The parts of a batch share its sequences among them."""
        sequence = batch.base_sequence
        for part in parts:
            part.producer_id = batch.producer_id
            part.producer_epoch = batch.producer_epoch
            part.base_sequence = sequence
            sequence = next_sequence(sequence, len(part.records))
        order = batch.queue.tracked
        if batch in order:
            mine = order.index(batch)
            order[mine : mine + 1] = parts

    # --- When it is answered ---------------------------------------------------------------

    def acknowledged(self, batch: PendingBatch, base_offset: int) -> None:
        """A batch is in the log; perhaps one that had expired already."""
        queue = batch.queue
        tracked = queue.tracked
        if tracked and tracked[0] is batch:
            del tracked[0]
        elif batch in tracked:
            tracked.remove(batch)
        if base_offset >= 0:
            last_offset = base_offset + len(batch.records) - 1
            queue.last_acked_offset = max(queue.last_acked_offset, last_offset)
        if batch.producer_epoch != queue.producer_epoch:
            return  # An answer from before the epoch was raised.
        last = next_sequence(batch.base_sequence, len(batch.records) - 1)
        if (last - queue.last_acked) % (SEQUENCE_MAX + 1) <= SEQUENCE_MAX >> 1:
            queue.last_acked = last

    def can_retry(self, batch: PendingBatch, result: PartitionProduced) -> bool:
        """Whether a refused batch may be sent again; a gap in the sequences is noted."""
        queue, error = batch.queue, result.error
        if error is Error.UNKNOWN_PRODUCER_ID:
            if result.log_start_offset == UNKNOWN_OFFSET or batch.renumbered:
                return True
            if self._bumps and self.transaction is None:
                self._ask_for_epoch(queue)
            elif queue.last_acked_offset < result.log_start_offset:
                self._start_at_beginning(queue)
            else:
                return False
            return True
        if error is Error.OUT_OF_ORDER_SEQUENCE_NUMBER:
            if self.transaction is not None:
                waits = batch.renumbered or not self._is_next(queue, batch.base_sequence)
                return waits and queue.unresolved is None
            if queue.unresolved is None:
                # Not the next one in line: one before it is on its way again.
                if not batch.renumbered and self._is_next(queue, batch.base_sequence):
                    self._ask_for_epoch(queue)
            elif batch.base_sequence == queue.unresolved:
                self._ask_for_epoch(queue)
            return True
        return error.retriable

    def failed(self, batch: PendingBatch, error: Error, *, closes_gap: bool) -> None:
        """A batch was given up; `closes_gap`: its sequences will certainly never be written."""
        queue = batch.queue
        place = queue.tracked.index(batch) if batch in queue.tracked else -1
        if place >= 0:
            del queue.tracked[place]
        if self.transaction is not None:
            if error is Error.UNKNOWN_PRODUCER_ID:
                self._start_at_beginning(queue)
            elif closes_gap and place >= 0:
                self._move_up(queue, place, len(batch.records))
            return
        gap = error in (Error.OUT_OF_ORDER_SEQUENCE_NUMBER, Error.UNKNOWN_PRODUCER_ID)
        if gap or closes_gap:
            self._ask_for_epoch(queue)

    def expired_in_retry(self, batch: PendingBatch) -> None:
        """Nobody will ever know whether this batch was written: see rule 5."""
        queue = batch.queue
        after = next_sequence(batch.last_sequence)
        queue.unresolved = after if queue.unresolved is None else max(queue.unresolved, after)
        self._unresolved[queue.number] = queue

    # --- From time to time -------------------------------------------------------------------

    def settle(self) -> None:
        """Resolve what can be resolved, then raise the epoch if a partition asked for it."""
        for queue in list(self._unresolved.values()):
            if queue.tracked:
                continue
            if not self._is_next(queue, queue.next_sequence):
                if self.transaction is not None:
                    self.transaction.lost_track()
                else:
                    self._ask_for_epoch(queue)
            queue.unresolved = None
            del self._unresolved[queue.number]
        if not self._rewrite or self.producer_id == NO_PRODUCER_ID:
            return
        if self.producer_epoch == EPOCH_MAX:
            # Exhausted: a new producer id is asked for, and the numbering waits for it.
            self.producer_id = NO_PRODUCER_ID
            self.producer_epoch = NO_PRODUCER_EPOCH
            return
        self.producer_epoch += 1
        self._number_anew()

    def _ask_for_epoch(self, queue: PartitionQueue) -> None:
        self._rewrite[queue.number] = queue

    def _number_anew(self) -> None:
        for queue in self._rewrite.values():
            self._start_at_beginning(queue)
            queue.unresolved = None
            self._unresolved.pop(queue.number, None)
        self._rewrite.clear()

    def _start_at_beginning(self, queue: PartitionQueue) -> None:
        """Number the unanswered batches of a partition from 0 under the current epoch."""
        sequence = 0
        for batch in queue.tracked:
            batch.producer_id = self.producer_id
            batch.producer_epoch = self.producer_epoch
            batch.base_sequence = sequence
            batch.body = None
            batch.renumbered = True
            sequence = next_sequence(sequence, len(batch.records))
        queue.next_sequence = sequence
        queue.last_acked = NO_SEQUENCE
        queue.producer_id = self.producer_id
        queue.producer_epoch = self.producer_epoch

    @staticmethod
    def _move_up(queue: PartitionQueue, place: int, count: int) -> None:
        """Batches from `place` on take the `count` sequences that nobody will use."""
        for batch in queue.tracked[place:]:
            batch.base_sequence = (batch.base_sequence - count) % (SEQUENCE_MAX + 1)
            batch.body = None
            batch.renumbered = True
        queue.next_sequence = (queue.next_sequence - count) % (SEQUENCE_MAX + 1)

    def _stale(self, queue: PartitionQueue) -> bool:
        return queue.producer_id != self.producer_id or queue.producer_epoch != self.producer_epoch

    def _is_next(self, queue: PartitionQueue, sequence: int) -> bool:
        return sequence == next_sequence(queue.last_acked)
