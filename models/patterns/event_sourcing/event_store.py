"""An append-only store of events as a value in memory: streams of versions, and one global log.

1. A stream's versions are 0, 1, 2, ... without a gap; a position is an event's place among all.
2. An append says which version it expects the stream to be at (the numbers are KurrentDB's):
   exactly `n`, NO_STREAM, STREAM_EXISTS, or ANY. Whoever expects what is not so is refused, and
   nothing is written.
3. A retry is known by its place: with an exact expectation, the same event ids at the same
   versions are an append that has happened, and it is answered as at first. The same ids at a
   newer version that is right are appended again: ids are no index.
4. ANY looks the ids up in a cache of the last ones, which a restart empties: best effort.
5. What is stored is never changed. A stream can be cut from the front (`keep`, KurrentDB's
   $maxCount; `delete`, which cuts all of it and lets it go on with the next version), or be closed
   for ever (`tombstone`).

The twin `edit` writes over what is stored, as a migration in place does.
"""

from collections.abc import Iterator, Sequence
from itertools import count, repeat
from typing import Any, NamedTuple

from simulator import SimulatorError

NO_STREAM, ANY, STREAM_EXISTS = -1, -2, -4
REMEMBERED = 10_000  # Ids that ANY knows again.

_new = tuple.__new__


class WrongExpectedVersion(SimulatorError):
    """The stream is not where the append expects it to be: load again, and decide again."""


class StreamDeleted(SimulatorError):
    """The stream was closed for ever."""


class Event(NamedTuple):
    """What happened, in the past tense; `data` are plain values, which nobody changes."""

    event_type: str
    data: Any
    event_id: str = ""
    schema_version: int = 1


class Recorded(NamedTuple):
    """An event in its place."""

    position: int
    stream: str
    version: int
    event: Event


class EventStore:
    """All streams.

    Args:
        remembers: so many ids the cache behind ANY holds.
    """

    def __init__(self, remembers: int = REMEMBERED) -> None:
        self.log: list[Recorded] = []
        self._streams: dict[str, list[Recorded]] = {}
        self._kept_from: dict[str, int] = {}  # Streams that were cut.
        self._softly: dict[str, None] = {}  # Deleted, and may go on.
        self._closed: dict[str, None] = {}
        self._cache: dict[str, tuple[str, int]] = {}
        self._cached = 0  # The position up to which the log is in the cache.
        self._remembers = remembers

    # --- Writing -------------------------------------------------------------------------------

    def append(self, stream: str, events: Sequence[Event], expected: int = ANY) -> int:
        """Append events as one, at the version expected; the answer is the last one's version.

        Raises:
            WrongExpectedVersion: the stream is not there; nothing was written.
            StreamDeleted: it is closed.
        """
        found = self._streams.get(stream)
        if found is None:
            found = self._streams[stream] = []
        version = len(found) - 1
        if expected != version or self._softly or self._closed:
            done = self._settled(stream, events, expected, found)
            if done is not None:
                return done
        position = len(self.log)
        if len(events) == 1:  # As most appends are.
            recorded = [_new(Recorded, (position, stream, version + 1, events[0]))]
        else:
            places = zip(count(position), repeat(stream), count(version + 1), events)
            recorded = list(map(_new, repeat(Recorded), places))
        found += recorded
        self.log += recorded
        return version + len(recorded)

    def _settled(
        self, stream: str, events: Sequence[Event], expected: int, found: list[Recorded]
    ) -> int | None:
        """Where a retry ended at first; None if the events are to be appended."""
        head = len(found) - 1
        if stream in self._closed:
            raise StreamDeleted(f"{stream} is deleted for ever")
        if expected == STREAM_EXISTS and (head < 0 or stream in self._softly):
            raise WrongExpectedVersion(f"{stream} does not exist")
        if expected in (ANY, STREAM_EXISTS):
            known = self._known(events)
            first = known[0] if known else None
            if first is not None and known == [(stream, first[1] + n) for n in range(len(known))]:
                return first[1] + len(known) - 1
            self._softly.pop(stream, None)
            return None
        if expected == head or (expected == NO_STREAM and stream in self._softly):
            self._softly.pop(stream, None)
            return None
        there = found[expected + 1 : expected + 1 + len(events)] if expected < head else []
        if there and [one.event.event_id for one in there] == [one.event_id for one in events]:
            return expected + len(events)
        raise WrongExpectedVersion(f"{stream} is at {head}, not at {expected}")

    def _known(self, events: Sequence[Event]) -> list[tuple[str, int] | None]:
        """Where the cache has seen these ids; it is brought up to date when somebody asks."""
        cache, log = self._cache, self.log
        for _, stream, version, event in log[max(self._cached, len(log) - self._remembers) :]:
            cache[event.event_id] = (stream, version)
        self._cached = len(log)
        for old in list(cache)[: max(0, len(cache) - self._remembers)]:
            del cache[old]
        return [cache.get(event.event_id) for event in events]

    def keep(self, stream: str, most: int) -> None:
        """Cut a stream's front, so that its last `most` events can be read ($maxCount)."""
        self._kept_from[stream] = max(0, len(self._streams[stream]) - most)

    def delete(self, stream: str) -> None:
        """Delete softly: nothing can be read; a new stream of the name goes on in numbering."""
        self.keep(stream, 0)
        self._softly[stream] = None

    def tombstone(self, stream: str) -> None:
        """Delete for ever: nothing can be read, and nothing appended."""
        self.keep(stream, 0)
        self._closed[stream] = None

    def edit(self, position: int, event: Event) -> None:
        """The twin: history is written anew; who has read it knows another one."""
        old = self.log[position]
        new = old._replace(event=event)
        self.log[position] = self._streams[old.stream][old.version] = new

    # --- Reading -------------------------------------------------------------------------------

    def version(self, stream: str) -> int:
        """The version of a stream's last event; NO_STREAM if it never had one."""
        return len(self._streams.get(stream, ())) - 1

    def first_kept(self, stream: str) -> int:
        """The first version that can still be read."""
        return self._kept_from.get(stream, 0)

    def read(self, stream: str, from_version: int = 0) -> Sequence[Recorded]:
        """A stream's events from a version on, as far as they are kept."""
        found = self._streams.get(stream, [])
        first = max(from_version, self._kept_from.get(stream, 0))
        return found[first:] if first else found

    def read_all(self, after: int = -1) -> Iterator[Recorded]:
        """Every event behind a position, in order, as far as it is kept."""
        cut = self._kept_from
        for place in range(after + 1, len(self.log)):
            recorded = self.log[place]
            if not cut or recorded.version >= cut.get(recorded.stream, 0):
                yield recorded
