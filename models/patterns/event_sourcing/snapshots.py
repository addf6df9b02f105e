"""Snapshots make loading short, and change nothing else: without them every answer is the same.

1. A snapshot is a state, the version of the last event in it, and the version of the code that
   made it. One of another code is as good as none: it is left alone, and the stream folded.
2. It is written after the append, every `every` versions, and may fail to be: nobody waits for it.
3. A stream that was cut needs one: then it is no cache any more, and must be kept like the events.

The twins differ in one function:

trusts_any_code     loads a snapshot whatever code made it: new code goes on from an old state
one_too_far         writes the version of the next event: loading leaves that one out
as_the_truth        loads the snapshot, and has nothing if it is gone
whatever_is_left    folds a stream that was cut as if it were whole
"""

from collections.abc import Callable
from typing import Any

import attrs

from models.patterns.event_sourcing.event_sourcing import Aggregate, load, replay
from models.patterns.event_sourcing.event_store import EventStore

EVERY = 100


@attrs.frozen
class Snapshot:
    """A stream's state at a version, by the code of a version."""

    version: int
    state_version: int
    state: Any


Usable = Callable[[Snapshot, Aggregate], bool]


def of_this_code(snapshot: Snapshot, aggregate: Aggregate) -> bool:
    """Whether the code that is to go on is the one that made it."""
    return snapshot.state_version == aggregate.state_version


def trusts_any_code(snapshot: Snapshot, aggregate: Aggregate) -> bool:
    """The twin: every snapshot will do."""
    del snapshot, aggregate
    return True


def at_last_event(version: int) -> int:
    """What a snapshot's version is: that of the last event in it."""
    return version


def one_too_far(version: int) -> int:
    """The twin: that of the next event, which is not in it."""
    return version + 1


@attrs.define
class Snapshots:
    """The newest snapshot of each stream.

    Args:
        every: so many versions lie between one and the next.
        usable: whether a snapshot may be loaded.
        numbered: the version that is written for a state at a version.
    """

    every: int = EVERY
    usable: Usable = of_this_code
    numbered: Callable[[int], int] = at_last_event
    kept: dict[str, Snapshot] = attrs.field(factory=dict)

    def load(self, store: EventStore, aggregate: Aggregate, stream: str) -> tuple[Any, int]:
        """A stream's state and version: the newest snapshot that is usable, and the rest.

        Raises:
            BadInput: there is none, and the stream is not whole either.
        """
        snapshot = self.kept.get(stream)
        if snapshot is None or not self.usable(snapshot, aggregate):
            return load(store, aggregate, stream)
        if snapshot.version + 1 < store.first_kept(stream):
            return load(store, aggregate, stream)  # Events between are gone: it refuses.
        rest = store.read(stream, snapshot.version + 1)
        after = attrs.evolve(aggregate, initial=snapshot.state)
        return replay(after, rest), store.version(stream)

    def appended(
        self, store: EventStore, aggregate: Aggregate, stream: str, events: int = 1
    ) -> None:
        """Write a snapshot, if one of so many new events is at a multiple of `every`."""
        version = store.version(stream)
        if (version + 1) // self.every > (version + 1 - events) // self.every:
            self.take(store, aggregate, stream)

    def take(self, store: EventStore, aggregate: Aggregate, stream: str) -> None:
        """Write a snapshot now."""
        state, version = self.load(store, aggregate, stream)
        self.kept[stream] = Snapshot(self.numbered(version), aggregate.state_version, state)


# --- Twins of load ------------------------------------------------------------------------------


def as_the_truth(
    snapshots: Snapshots, store: EventStore, aggregate: Aggregate, stream: str
) -> tuple[Any, int]:
    """The twin: what the snapshot says is so; where there is none, there is nothing."""
    snapshot = snapshots.kept.get(stream)
    if snapshot is None:
        return aggregate.initial, store.version(stream)
    return snapshots.load(store, aggregate, stream)


def whatever_is_left(
    snapshots: Snapshots, store: EventStore, aggregate: Aggregate, stream: str
) -> tuple[Any, int]:
    """The twin: folds what can be read, from the initial state."""
    del snapshots
    return replay(aggregate, store.read(stream)), store.version(stream)
