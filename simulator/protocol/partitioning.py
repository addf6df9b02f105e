"""Which partition a record goes to: the hash of its key, or a partition that sticks for a while.

Rule 1: an explicit partition of the record wins (the producer sees to that).
Rule 2: a record with a key goes to murmur2(key) & 0x7fffffff, modulo *all* partitions of the
topic, led or not; so adding partitions moves keys. An empty key is a key, a null key is not.
Rule 3: records without a key stick to one partition per topic and producer until a batch's worth
of bytes has gone there, then a new one is drawn (KIP-480, KIP-794); it may be the same again.
Rule 4: with partitioner.class, rules 2 and 3 do not hold: ROUND_ROBIN and RANDOM look at no key,
and a user's own function is asked for every record that names no partition.

Sources: Utils.murmur2, BuiltInPartitioner.java, RoundRobinPartitioner.java,
KafkaProducer.partition.

Not modelled: partitioners that are told of new batches (Partitioner.onNewBatch is gone since 4.0,
and with it the partitions that round robin skipped, KAFKA-9965).
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate

import attrs

from simulator.errors import BadInput
from simulator.protocol.records import Bytes

ROUND_ROBIN = "RoundRobinPartitioner"
RANDOM = "random"  # Not one of Kafka's: each record goes anywhere, whatever its key.

OwnPartitioner = Callable[[str, Bytes | None, Bytes | None, int], int]
Choose = Callable[[str, Bytes | None, Bytes | None, Sequence[int], int], int]

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

    def load(self, queue_sizes: Sequence[int], partitions: Sequence[int], of: int = 0) -> None:
        """Learn how many batches wait for each of these partitions (adaptive partitioning).

        of: how many there would be if none had been left out; by default none was. Equal queues
        of all of them bring the uniform draw back, and so do no partitions, or one in all.
        """
        of = of or len(partitions)
        alike = len(partitions) == of and len(set(queue_sizes)) == 1
        if not partitions or of < 2 or alike:
            self._loaded, self._weights = (), ()
        else:
            self._loaded, self._weights = tuple(partitions), cumulative_weights(queue_sizes)

    def _draw(self, available: Sequence[int], partitions: int) -> int:
        if self._weights:
            return self._loaded[bisect_right(self._weights, self.pick(self._weights[-1]))]
        if available:
            return available[self.pick(len(available))]
        return self.pick(partitions)


def chosen_by(partitioner: str | OwnPartitioner, pick: Callable[[str, int], int]) -> Choose:
    """What chooses for a record of a topic: `choose(topic, key, value, available, partitions)`.

    partitioner: ROUND_ROBIN, RANDOM, or a function `(topic, key, value, partitions) -> int`;
    pick: `pick(topic, n)` draws one of 0..n-1; available: the partitions that have a leader;
    partitions: how many there are in all.

    Raises:
        BadInput: (when it chooses) a user's function gave something else than a partition.
    """
    if partitioner == ROUND_ROBIN:
        return _round_robin()
    if partitioner == RANDOM:
        return _at_random(pick)
    assert callable(partitioner), f"the settings let {partitioner!r} through"
    return _own(partitioner)


def _round_robin() -> Choose:
    """A count for each topic, over the partitions that have a leader, or over all."""
    counts: dict[str, int] = {}

    def choose(
        topic: str,
        _: Bytes | None,
        __: Bytes | None,
        available: Sequence[int],
        partitions: int,
    ) -> int:
        count = counts.get(topic, 0)
        counts[topic] = count + 1
        turn = count & 0x7FFFFFFF
        return available[turn % len(available)] if available else turn % partitions

    return choose


def _at_random(pick: Callable[[str, int], int]) -> Choose:
    """One of the partitions that have a leader, or of all."""

    def choose(
        topic: str,
        _: Bytes | None,
        __: Bytes | None,
        available: Sequence[int],
        partitions: int,
    ) -> int:
        return available[pick(topic, len(available))] if available else pick(topic, partitions)

    return choose


def _own(partitioner: OwnPartitioner) -> Choose:
    """What a user's function says, if it can be."""

    def choose(
        topic: str,
        key: Bytes | None,
        value: Bytes | None,
        _: Sequence[int],
        partitions: int,
    ) -> int:
        chosen = partitioner(topic, key, value, partitions)
        if type(chosen) is not int or not 0 <= chosen < partitions:
            raise BadInput(
                f"partitioner.class gave for the key {key!r} no partition of {topic}:",
                "",
                chosen,
                f"it must give a whole number from 0 to {partitions - 1}",
            )
        return chosen

    return choose
