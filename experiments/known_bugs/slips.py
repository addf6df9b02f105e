"""Mistakes in the code of one product, as patches of our own code: inside the `with`, they are
there.

Each stands for a few wrong lines that were found and mended elsewhere; the protocol is right.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from simulator.cluster.partitions import Partitions
from simulator.matrix.patching import refuse_compiled
from simulator.protocol import partition as partitions
from simulator.protocol.errors import Error
from simulator.protocol.idempotence import Idempotence
from simulator.protocol.messages import ProduceResponse
from simulator.protocol.names import NO_SEQUENCE, UNKNOWN_OFFSET
from simulator.protocol.partition import Partition
from simulator.protocol.producer_state import NO_STATE
from simulator.protocol.replication import Replica

Slip = Callable[[], AbstractContextManager[None]]


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Inside, `owner` has another value by that name.

    Raises:
        BadInput: the package is compiled.
    """
    refuse_compiled()
    right = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, right)


# --- Brokers ----------------------------------------------------------------------------------


def without_a_window() -> AbstractContextManager[None]:
    """A broker that knows a producer's last sequence, and none of its last batches.

    So what is sent again is out of order (redpanda#3039).
    """
    return patched(partitions, "duplicate_of", lambda *_: None)


def fails_at_duplicates() -> AbstractContextManager[None]:
    """A broker that fails internally when it is sent a batch which it has (redpanda#5355)."""
    decide = Partition.decide_append

    def failing(self: Partition, *arguments: Any, **more: Any) -> Any:
        fact, answer = decide(self, *arguments, **more)
        if fact is None and answer.error is Error.NONE:
            answer = answer._replace(error=Error.UNKNOWN_SERVER_ERROR)
        return fact, answer

    return patched(Partition, "decide_append", failing)


def fails_in_the_transaction_index() -> AbstractContextManager[None]:
    """A broker whose index of aborted transactions fails, after the marker that ends one is in the
    log and before the log's end has moved beyond it (KAFKA-7866).

    The request fails, and wakes no reader. The last stable offset stays where it was, as it does
    where this is mended; a second marker ends nothing, needs no index, and is written.
    """
    produce = Partitions._produce  # noqa: SLF001

    def failing(
        self: Partitions, connection: Any, number: int, body: Any, told: Any = None
    ) -> Any:
        where, batch = body.batches[0]
        log = self.logs[where].log
        began = log.producers.get(batch.producer_id, NO_STATE).transaction_first_offset
        if batch.control != "abort" or began == UNKNOWN_OFFSET:
            return produce(self, connection, number, body, told)
        assert len(body.batches) == 1, "a coordinator asks for one marker at a time"
        fact, answer = self.logs[where].decide_append(batch, self._node.now_us)
        if fact is not None:
            end, mark = log.log_end_offset, log.high_watermark
            log.apply(fact)
            log.index.aborted.pop()
            log.opened = dict(sorted({**log.opened, began: batch.producer_id}.items()))
            log.log_end_offset, log.high_watermark = end, mark
            answer = answer._replace(error=Error.KAFKA_STORAGE_ERROR)
        return ProduceResponse((answer,))

    return patched(Partitions, "_produce", failing)


def acknowledges_what_is_still_there() -> AbstractContextManager[None]:
    """A leader that has become a follower, and answers who waits by its own log (redpanda#3003)."""
    acked = Replica.acked

    def hasty(self: Replica, offset: int) -> Error | None:
        if self.leading is None and offset <= self.log_end_offset:
            return Error.NONE
        return acked(self, offset)

    return patched(Replica, "acked", hasty)


def lists_offsets_of_any_replica() -> AbstractContextManager[None]:
    """A broker that answers ListOffsets from its own log, whether it leads or follows, and
    whatever leader epoch it is asked of (redpanda#2954).

    Ours, like Kafka's, refuses as soon as it knows that it leads no more. One that is cut off from
    the controller does not know, and answers by its high watermark in Kafka too: only a client
    that names a newer leader epoch is refused then (KIP-320).
    """

    def careless(
        self: Replica, timestamp_ms: int, isolation: str = "read_uncommitted", _epoch: int = -1
    ) -> Any:
        return self.partition.list_offset(timestamp_ms, isolation)

    return patched(Replica, "list_offset", careless)


# --- Producers --------------------------------------------------------------------------------


def numbers_in_another_order() -> AbstractContextManager[None]:
    """A producer that keeps its unanswered batches in a heap, and numbers them anew in the order
    of the heap's array, not of the sequences (KAFKA-8483).
    """
    start = Idempotence._start_at_beginning  # noqa: SLF001

    def shuffled(self: Idempotence, queue: Any) -> None:
        queue.tracked.sort(key=lambda batch: -batch.base_sequence)
        start(self, queue)

    return patched(Idempotence, "_start_at_beginning", shuffled)


def keeps_sequences_of_idle_partitions() -> AbstractContextManager[None]:
    """A producer that raises its epoch, and begins at sequence 0 only where batches are on their
    way; elsewhere the new epoch goes on with the old sequence (KAFKA-12152).
    """
    number = Idempotence.number

    def forgetful(self: Idempotence, queue: Any, batch: Any) -> None:
        if batch.base_sequence == NO_SEQUENCE and queue.producer_id == self.producer_id:
            if queue.producer_epoch != self.producer_epoch:
                queue.last_acked = NO_SEQUENCE
            queue.producer_epoch = self.producer_epoch
        number(self, queue, batch)

    return patched(Idempotence, "number", forgetful)
