"""What a log is made of: records, and the batches in which they are appended.

These are flat tuples with names: a log holds millions of them, and nothing in a log may change.
Keys and values are bytes or str, never objects that a handler could alter behind the log's back.

Not modelled: compression, CRC, record deltas; a size is what an uncompressed v2 batch would take,
with every varint counted at its longest useful length.
"""

from collections.abc import Sequence
from typing import NamedTuple

from simulator.protocol.names import (
    NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    UNKNOWN_OFFSET,
    next_sequence,
)

Bytes = bytes | str  # A str stands for its UTF-8 bytes.

BATCH_OVERHEAD_BYTES = 61  # DefaultRecordBatch.RECORD_BATCH_OVERHEAD
RECORD_OVERHEAD_BYTES = 21  # DefaultRecord.MAX_RECORD_OVERHEAD


class Record(NamedTuple):
    """One record as it lies in a log.

    `event_id` is the identity of the fact that the record tells: a record sent again by the
    application keeps it. It travels as a header of that name would; it stands apart because
    every check asks for it.
    """

    key: Bytes | None
    value: Bytes | None
    event_id: str
    timestamp_us: int = NO_TIMESTAMP
    headers: tuple[tuple[str, Bytes], ...] = ()


class Batch(NamedTuple):
    """Records appended together, all or none.

    `base_offset` is unknown (-1) until a leader has appended the batch. A batch of an idempotent
    producer covers the sequences `base_sequence` .. `last_sequence`.
    """

    records: Sequence[Record]
    base_offset: int = UNKNOWN_OFFSET
    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH
    base_sequence: int = NO_SEQUENCE
    leader_epoch: int = -1
    transactional: bool = False
    control: str = ""  # "commit" or "abort" in a marker, which carries no record.
    coordinator_epoch: int = -1  # Only in markers.
    append_time_us: int = NO_TIMESTAMP

    @property
    def offsets_taken(self) -> int:
        """How many offsets the batch takes: one a record, one for a marker."""
        return 1 if self.control else len(self.records)

    @property
    def next_offset(self) -> int:
        """The offset after the last of the batch."""
        return self.base_offset + self.offsets_taken

    @property
    def last_offset(self) -> int:
        """The offset of the last record."""
        return self.base_offset + self.offsets_taken - 1

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record; it wraps around after 2147483647."""
        if self.base_sequence == NO_SEQUENCE:
            return NO_SEQUENCE
        return next_sequence(self.base_sequence, len(self.records) - 1)


def marker_batch(
    producer_id: int, producer_epoch: int, result: str, coordinator_epoch: int
) -> Batch:
    """The end of a producer's transaction, as it is appended to a partition.

    result: "commit" or "abort".
    """
    return Batch(
        (),
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        transactional=True,
        control=result,
        coordinator_epoch=coordinator_epoch,
    )


def byte_length(data: Bytes | None) -> int:
    """The length in bytes of a key or value; null takes none."""
    if data is None:
        return 0
    return len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode())


def record_bytes(record: Record) -> int:
    """An upper bound of the record's size, as the producer's accumulator reckons it."""
    size = RECORD_OVERHEAD_BYTES + byte_length(record.key) + byte_length(record.value)
    for name, value in record.headers:
        size += byte_length(name) + byte_length(value) + 10
    return size


def batch_bytes(batch: Batch) -> int:
    """The batch's size on the wire and on disk."""
    return BATCH_OVERHEAD_BYTES + sum(record_bytes(record) for record in batch.records)
