"""A group's offsets: what is committed, and what open transactions would make of it.

Rule 1: what a transaction commits is pending, by producer, until the marker of that producer's
transaction. A commit makes it count, an abort drops it; nobody else's word ends it, and nothing
else does (KAFKA-16371 is what happens when it is not so).
Rule 2: the newest by log order counts, and a transactional offset stands in the log where it was
accepted, not where its marker is. What was committed after it, by whomever, has outrun it: it is
still pending, but comes to nothing.
Rule 3: who asks for stable offsets is told nothing of a partition that has a pending one: if it
read the old offset it would do again what the transaction is about to have done (KIP-447).
Rule 4: a producer's older epochs are not heard any more. Else what a fenced producer commits late
would count with its successor's next transaction.

Source: OffsetMetadataManager.java of Kafka 4.0 (Offsets, pendingTransactionalOffsets,
completeTransaction). Rule 4 is there the producer state of the partition of __consumer_offsets.

Not modelled: forgetting a producer's epoch after producer.id.expiration.ms.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import attrs

from simulator.protocol.errors import Error
from simulator.protocol.group_state import (
    OffsetsCommitted,
    TransactionalOffsetsCommitted,
    TransactionEnded,
)
from simulator.protocol.messages import CommittedOffset
from simulator.protocol.names import (
    NO_GENERATION,
    NO_PRODUCER_EPOCH,
    UNKNOWN_MEMBER,
    TopicPartition,
)
from simulator.protocol.transaction_messages import TxnOffsetCommitRequest, TxnOffsetCommitResponse

Committed = tuple[CommittedOffset, int]  # What was committed, and when (µs).


class Staged(NamedTuple):
    """An offset of an open transaction.

    written: its place among all that was ever staged. outrun: a newer one is committed already.
    """

    offset: CommittedOffset
    at_us: int
    producer_epoch: int
    written: int
    outrun: bool = False


@attrs.define
class Offsets:
    """The offsets of one group; its machine applies facts to them.

    pending: producer id to what its open transaction has staged. epochs: the newest that is known
    of each producer.
    """

    committed: dict[TopicPartition, Committed] = attrs.field(factory=dict)
    pending: dict[int, dict[TopicPartition, Staged]] = attrs.field(factory=dict)
    epochs: dict[int, int] = attrs.field(factory=dict)
    written: int = 0

    # --- Reading ---------------------------------------------------------------------------

    def __bool__(self) -> bool:
        """Whether there are any, so that the group exists even without members."""
        return bool(self.committed or self.pending)

    def is_pending(self, partition: TopicPartition) -> bool:
        """Whether an open transaction may still commit an offset there."""
        return any(partition in staged for staged in self.pending.values())

    def refusal(self, producer_id: int, producer_epoch: int) -> Error | None:
        """Why a producer is not heard, or None (rule 4)."""
        if producer_epoch < self.epochs.get(producer_id, NO_PRODUCER_EPOCH):
            return Error.INVALID_PRODUCER_EPOCH
        return None

    def stage(
        self, body: TxnOffsetCommitRequest, refusal: Error | None, now_us: int
    ) -> tuple[tuple[Any, ...], TxnOffsetCommitResponse]:
        """The facts and the answer of a TxnOffsetCommit. refusal: what the members say of it."""
        error = refusal or self.refusal(body.producer_id, body.producer_epoch) or Error.NONE
        answer = TxnOffsetCommitResponse(tuple((one.partition, error) for one in body.offsets))
        if error is not Error.NONE or not body.offsets:
            return (), answer
        whose = body.producer_id, body.producer_epoch, body.member_id, body.generation
        return (TransactionalOffsetsCommitted(*whose, body.offsets, now_us),), answer

    def end(self, message: TransactionEnded) -> tuple[Any, ...]:
        """The facts of a marker: none if it says nothing new of a producer of this group.

        So all groups of a partition of __consumer_offsets may be told of every marker in it, and
        all of them may apply it: to a stranger's, `apply` does nothing.
        """
        producer_id, epoch, _ = message
        known = self.epochs.get(producer_id)
        if known is None or epoch < known:
            return ()
        return (message,) if producer_id in self.pending or epoch > known else ()

    def staged(self, producer_id: int) -> tuple[CommittedOffset, ...]:
        """What the producer's open transaction has staged."""
        return tuple(one.offset for one in self.pending.get(producer_id, {}).values())

    def facts(self) -> tuple[Any, ...]:
        """The fewest hard facts that rebuild these offsets.

        What is outrun stands before what is committed, and all else that is pending behind it. A
        producer that has nothing pending stands with nothing staged.
        """
        staged = sorted(
            (
                (one, producer_id)
                for producer_id, each in self.pending.items()
                for one in each.values()
            ),
            key=lambda pair: pair[0].written,
        )
        nobody = UNKNOWN_MEMBER, NO_GENERATION
        heard = (
            TransactionalOffsetsCommitted(producer_id, epoch, *nobody, (), 0)
            for producer_id, epoch in sorted(self.epochs.items())
            if not self._is_told(producer_id, epoch)
        )
        return (
            *heard,
            *(_staged(one, producer_id) for one, producer_id in staged if one.outrun),
            *(OffsetsCommitted(*nobody, (one,), at_us) for one, at_us in self.committed.values()),
            *(_staged(one, producer_id) for one, producer_id in staged if not one.outrun),
        )

    def _is_told(self, producer_id: int, epoch: int) -> bool:
        """Whether the epoch is that of something pending."""
        staged = self.pending.get(producer_id, {})
        return any(one.producer_epoch == epoch for one in staged.values())

    # --- Writing ---------------------------------------------------------------------------

    def apply(self, fact: TransactionalOffsetsCommitted | TransactionEnded) -> None:
        """Make a fact of a transaction true."""
        if type(fact) is TransactionEnded:
            self._end(fact)
            return
        assert type(fact) is TransactionalOffsetsCommitted
        producer_id, epoch, _, _, offsets, at_us = fact
        self.epochs[producer_id] = max(epoch, self.epochs.get(producer_id, NO_PRODUCER_EPOCH))
        if not offsets:
            return
        self.written += 1
        staged = self.pending.setdefault(producer_id, {})
        for one in offsets:
            staged[one.partition] = Staged(one, at_us, epoch, self.written)

    def _end(self, fact: TransactionEnded) -> None:
        if self.epochs.get(fact.producer_id, fact.producer_epoch + 1) > fact.producer_epoch:
            return  # Of a stranger, or of old.
        self.epochs[fact.producer_id] = fact.producer_epoch
        for one in self.pending.pop(fact.producer_id, {}).values():
            if fact.result == "commit" and not one.outrun:
                self.committed[one.offset.partition] = (one.offset, one.at_us)
                self.outrun((one.offset,), one.written)

    def outrun(self, offsets: Iterable[CommittedOffset], written: int | None = None) -> None:
        """These are committed now, as of that place in the log (None: of now)."""
        for one in offsets:
            for staged in self.pending.values():
                older = staged.get(one.partition)
                if older is not None and (written is None or older.written < written):
                    staged[one.partition] = older._replace(outrun=True)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Retention took these."""
        for partition in partitions:
            self.committed.pop(partition, None)  # Compaction may have been there before.

    def vanish(self) -> None:
        """The group is gone, and with it what is known of producers."""
        self.epochs.clear()


def _staged(one: Staged, producer_id: int) -> TransactionalOffsetsCommitted:
    nobody = UNKNOWN_MEMBER, NO_GENERATION
    return TransactionalOffsetsCommitted(
        producer_id, one.producer_epoch, *nobody, (one.offset,), one.at_us
    )
