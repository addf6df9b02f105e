"""State is what its events come to: load by folding, decide, append where you have looked.

A command is decided on the state of its own stream, and what it makes happen is appended at the
version that was looked at. If somebody was faster the append is refused, and the command is
decided again, on the new state: it may now be refused, which is the point.

The twins differ in one function:

append_anywhere     takes whatever version is next: what was decided on an old state stands
replay_commands     keeps the orders instead of what came of them, and gives them again
StateOnly           keeps the state and throws away how it came about

Twins of `evolve` and `decide` stand by the domain: `models.patterns.event_sourcing.stock`.
"""

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from models.patterns.event_sourcing.event_store import (
    ANY,
    Event,
    EventStore,
    Recorded,
    WrongExpectedVersion,
)
from simulator import BadInput

Evolve = Callable[[Any, Event], Any]


@attrs.frozen
class Aggregate:
    """What is decided about as one.

    Args:
        initial: the state before the first event.
        decide: from a state and a command to the events that it makes happen; ().
        evolve: from a state and an event to the next state.
        state_version: raise it when `evolve` or the state's form changes: snapshots of another
            version are not used.
        upcast: from a stored event to those that today's code would have written.
    """

    initial: Any
    decide: Callable[[Any, Any], tuple[Event, ...]]
    evolve: Evolve
    state_version: int = 1
    upcast: Callable[[Event], Iterable[Event]] | None = None


def fold(aggregate: Aggregate, events: Iterable[Event], state: Any = None) -> Any:
    """The state that events lead to, from the initial one or another."""
    state = aggregate.initial if state is None else state
    evolve, upcast = aggregate.evolve, aggregate.upcast
    if upcast is None:
        for event in events:
            state = evolve(state, event)
        return state
    for stored in events:
        for event in upcast(stored):
            state = evolve(state, event)
    return state


def replay(aggregate: Aggregate, recorded: Iterable[Recorded]) -> Any:
    """The state that recorded events lead to."""
    return fold(aggregate, [one[3] for one in recorded])


def load(store: EventStore, aggregate: Aggregate, stream: str) -> tuple[Any, int]:
    """A stream's state and version.

    Raises:
        BadInput: its first events are not kept any more: a fold of the rest would be wrong. Load
            it by a snapshot.
    """
    if store.first_kept(stream):
        missing = f"0 to {store.first_kept(stream) - 1}"
        raise BadInput("the stream was cut, there are no versions", stream, missing, "a snapshot")
    return replay(aggregate, store.read(stream)), store.version(stream)


def as_of(store: EventStore, aggregate: Aggregate, stream: str, position: int) -> Any:
    """The state as it was when the log ended with `position`."""
    if store.first_kept(stream):
        return load(store, aggregate, stream)  # It refuses.
    return replay(aggregate, (one for one in store.read(stream) if one.position <= position))


def append_exactly(store: EventStore, stream: str, events: tuple[Event, ...], version: int) -> int:
    """The right way: only where we have looked."""
    return store.append(stream, events, version)


def append_anywhere(store: EventStore, stream: str, events: tuple[Event, ...], _: int) -> int:
    """The twin: whatever has happened in between."""
    return store.append(stream, events, ANY)


def execute(
    store: EventStore,
    aggregate: Aggregate,
    stream: str,
    command: Any,
    append: Callable[..., int] = append_exactly,
    *,
    attempts: int = 10,
) -> tuple[Event, ...]:
    """Load, decide, append; decide again if somebody was faster. The answer is what happened.

    Raises:
        WrongExpectedVersion: somebody was faster each time.
    """
    for attempt in range(1, attempts + 1):
        state, version = load(store, aggregate, stream)
        events = aggregate.decide(state, command)
        if not events:
            return ()
        try:
            append(store, stream, events, version)
        except WrongExpectedVersion:
            if attempt == attempts:
                raise
        else:
            return events
    return ()


# --- Twins --------------------------------------------------------------------------------------


class StateOnly:
    """The twin: each command overwrites the state, and nobody knows any more how it came about."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._aggregate = aggregate
        self.state = aggregate.initial

    def execute(self, command: Any) -> None:
        """Decide, and overwrite."""
        for event in self._aggregate.decide(self.state, command):
            self.state = self._aggregate.evolve(self.state, event)

    def as_of(self, _: int) -> Any:
        """All it has is the last state."""
        return self.state


def replay_events(
    aggregate: Aggregate, events: Iterable[Event], act: Callable[[Event], None]
) -> Any:
    """What has happened is not done again: a replay only folds, and `act` is never called."""
    del act
    return fold(aggregate, events)


def replay_commands(
    aggregate: Aggregate, commands: Iterable[Any], act: Callable[[Event], None]
) -> Any:
    """The twin: a log of orders. A replay gives them again: decides, and acts, again."""
    state = aggregate.initial
    for command in commands:
        for event in aggregate.decide(state, command):
            act(event)
            state = aggregate.evolve(state, event)
    return state
