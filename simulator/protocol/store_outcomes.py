"""What a store tells its driver: facts to make true, then what to tell, then answers and timers."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from simulator.protocol.machine import Effect
from simulator.protocol.store_operations import Committed


class Outcome(NamedTuple):
    """What has come of a request, or of what it set free.

    The driver makes the facts true and flushes them, writes the events into the trace, and only
    then carries out the effects, and asks for the next outcome.

    Args:
        events: of the trace, as flat tuples.
        flush: whether the log is to be flushed though there are no facts.
    """

    facts: tuple[Committed, ...] = ()
    events: tuple[tuple[Any, ...], ...] = ()
    effects: tuple[Effect, ...] = ()
    flush: bool = False


Outcomes = Iterator[Outcome]
