"""Mistakes in the code of one product, as patches of our own code: inside the `with`, they are
there.

Each stands for a few wrong lines that were found and mended elsewhere; the protocol is right.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from simulator.protocol import partition as partitions
from simulator.protocol.errors import Error
from simulator.protocol.idempotence import Idempotence
from simulator.protocol.names import NO_SEQUENCE
from simulator.protocol.partition import Partition
from simulator.protocol.replication import Replica

Slip = Callable[[], AbstractContextManager[None]]


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Inside, `owner` has another value by that name."""
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


def acknowledges_what_is_still_there() -> AbstractContextManager[None]:
    """A leader that has become a follower, and answers who waits by its own log (redpanda#3003)."""
    acked = Replica.acked

    def hasty(self: Replica, offset: int) -> Error | None:
        if self.leading is None and offset <= self.log_end_offset:
            return Error.NONE
        return acked(self, offset)

    return patched(Replica, "acked", hasty)


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
