"""Which partition a record goes to: the hash of its key, or a partition that sticks for a while.

Rule 1: an explicit partition of the record wins (the producer sees to that).
Rule 2: a record with a key goes to murmur2(key) & 0x7fffffff, modulo *all* partitions of the
topic, led or not; so adding partitions moves keys. An empty key is a key, a null key is not.
Rule 3: records without a key stick to one partition per topic and producer until a batch's worth
of bytes has gone there, then a new one is drawn (KIP-480, KIP-794); it may be the same again.

Sources: Utils.murmur2, BuiltInPartitioner.java.

Not modelled: partitioner.class, and leaving out partitions of slow brokers by
partitioner.availability.timeout.ms (its default, 0, leaves out none).
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate

import attrs

from simulator.protocol.records import Bytes

_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """The signed 32-bit hash that Kafka's clients take of a serialized key (Utils.murmur2)."""
    length = len(key)
    digest = _SEED ^ length
    whole = length & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * _MULTIPLIER & _MASK
        word = (word ^ word >> 24) * _MULTIPLIER & _MASK
        digest = digest * _MULTIPLIER & _MASK ^ word
    if whole < length:
        digest = (digest ^ int.from_bytes(key[whole:], "little")) * _MULTIPLIER & _MASK
    digest = (digest ^ digest >> 13) * _MULTIPLIER & _MASK
    digest ^= digest >> 15
    return digest - 0x1_0000_0000 if digest & 0x8000_0000 else digest


@lru_cache(maxsize=65_536)
def positive_hash(key: Bytes) -> int:
    """murmur2 with its sign bit masked away (Utils.toPositive); a str stands for its UTF-8."""
    return murmur2(key if isinstance(key, bytes) else key.encode()) & 0x7FFFFFFF


def partition_of_key(key: Bytes, partitions: int) -> int:
    """The partition of a record with this key in a topic of so many partitions."""
    return positive_hash(key) % partitions


def cumulative_weights(queue_sizes: Sequence[int]) -> tuple[int, ...]:
    """How likely each partition is drawn, added up: the longest queue weighs 1, an empty most.

    queue_sizes: batches waiting, one number a partition. Source: updatePartitionLoadStats.
    """
    most = max(queue_sizes) + 1
    return tuple(accumulate(most - size for size in queue_sizes))


@attrs.define
class StickyPartitioner:
    """Where one producer's keyless records of one topic go.

    batch_bytes: batch.size; `pick(n)` draws one of 0..n-1, whenever a partition is chosen.
    """

    batch_bytes: int
    pick: Callable[[int], int]
    _current: int | None = None
    _bytes: int = 0
    _loaded: tuple[int, ...] = ()
    _weights: tuple[int, ...] = ()

    def partition(self, available: Sequence[int], partitions: int) -> int:
        """The partition for the next record: the one that sticks, or a first one.

        available: the partitions that have a leader; partitions: how many there are in all.
        """
        if self._current is None:
            self._current = self._draw(available, partitions)
        return self._current

    def appended(
        self, size_bytes: int, available: Sequence[int], partitions: int, *, batch_closed: bool
    ) -> None:
        """Count bytes appended to the current partition, and move on when it has had its share.

        batch_closed: no further record fits this batch, so that moving on costs no batching; at
        twice the share it moves on all the same.
        """
        self._bytes += size_bytes
        if self._bytes >= (self.batch_bytes if batch_closed else 2 * self.batch_bytes):
            self._current = self._draw(available, partitions)
            self._bytes = 0

    def load(self, queue_sizes: Sequence[int], partitions: Sequence[int]) -> None:
        """Learn how many batches wait for each of these partitions (adaptive partitioning).

        Equal queues, or fewer than two partitions, bring the uniform draw back.
        """
        if len(partitions) < 2 or len(set(queue_sizes)) == 1:
            self._loaded, self._weights = (), ()
        else:
            self._loaded, self._weights = tuple(partitions), cumulative_weights(queue_sizes)

    def _draw(self, available: Sequence[int], partitions: int) -> int:
        if self._weights:
            return self._loaded[bisect_right(self._weights, self.pick(self._weights[-1]))]
        if available:
            return available[self.pick(len(available))]
        return self.pick(partitions)
