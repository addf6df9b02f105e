"""Old records of a log, kept small: columns instead of one tuple, one number and one text each.

1. A packed batch is equal to the batch that it was made of; only how it is kept has changed, as
   page files are to a process's memory. Nothing decides on it.
2. What is read lately, and the end of every log, is not packed: appending and polling cost what
   they cost before.
3. Batches that replicas hold in common are not packed: one that is shared by three takes less room
   than three packed ones.
4. Keys and values are not copied. Event ids are one text, timestamps one string of bytes.

Not modelled: compression; these are not the bytes that Kafka would store, and no size counts them.
"""

from array import array
from collections.abc import Iterator
from itertools import repeat
from typing import Any

from simulator.protocol.records import Batch, Record

_APART = "\x1f"  # Stands between two event ids; who has one of his own in an id is not packed.
_WORTH = 2  # One record alone takes no less room as columns.
_KEPT = 512  # Batches that stay unpacked after they were read, a few more or less.

_new = tuple.__new__


class PackedRecords:
    """The records of a batch, as a sequence that makes them anew each time that it is read."""

    __slots__ = ("_contents", "_event_ids", "_times")

    def __init__(self, contents: tuple[Any, ...], event_ids: str, times: bytes) -> None:
        self._contents = contents  # All keys, then all values.
        self._event_ids = event_ids
        self._times = times

    def unpacked(self) -> tuple[Record, ...]:
        """The records as they were."""
        contents = self._contents
        values = contents[len(contents) >> 1 :]
        ids = self._event_ids.split(_APART)
        times = array("q", self._times)
        rows = zip(contents, values, ids, times, repeat(()), strict=False)
        return tuple([_new(Record, row) for row in rows])

    def __len__(self) -> int:
        return len(self._contents) >> 1

    def __iter__(self) -> Iterator[Record]:
        return iter(self.unpacked())

    def __getitem__(self, place: Any) -> Any:
        return self.unpacked()[place]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedRecords):
            return self.unpacked() == other.unpacked()
        return self.unpacked() == other

    # Nothing that stands in a log is a key of anything.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.unpacked())


def packed(batch: Batch) -> Batch:
    """The same batch with its records packed, or itself where that would not help or not do."""
    records = batch.records
    if batch.__class__ is not Batch or records.__class__ is not tuple or len(records) < _WORTH:
        return batch
    keys, values, ids, times, headers = zip(*records, strict=False)
    event_ids = _APART.join(ids)
    if any(headers) or event_ids.count(_APART) != len(records) - 1:
        return batch
    columns = PackedRecords(keys + values, event_ids, array("q", times).tobytes())
    return _new(Batch, (columns, *batch[1:]))


def unpacked(batch: Batch) -> Batch:
    """The batch as it was before it was packed."""
    records: Any = batch.records
    if records.__class__ is PackedRecords:
        return batch._replace(records=records.unpacked())
    return batch


class Unpacked:
    """What was read lately of a log's packed batches, by position, as it was before."""

    __slots__ = ("_known", "_read")

    def __init__(self) -> None:
        self._known: dict[int, Batch] = {}
        self._read: dict[int, tuple[Batch, ...]] = {}  # What the last read from there brought.

    def clear(self) -> None:
        """Forget all: positions have changed."""
        self._known.clear()
        self._read.clear()

    def batches(self, facts: list[Batch], first: int, stop: int) -> tuple[Batch, ...]:
        """`facts[first:stop]`, none of them packed."""
        read = self._read.get(first)
        if read is not None and len(read) == stop - first:
            return read
        known = self._known
        if len(known) > _KEPT or len(self._read) > _KEPT:
            self.clear()
        batches = []
        for position in range(first, stop):
            batch = known.get(position)
            if batch is None:
                batch = known[position] = unpacked(facts[position])
            batches.append(batch)
        self._read[first] = again = tuple(batches)
        return again
