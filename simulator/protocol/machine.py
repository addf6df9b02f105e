"""The one shape of every machine on a broker: decide, then apply.

Rule 1: a machine knows no clock, no simpy and no randomness. It is told the time (`now_us`); it
asks for timers as ranges, and its driver draws the jitter.
Rule 2: `decide(message, now_us)` only looks; `apply(fact)` is the one writer.
Rule 3: an answer never leaves before its facts are applied. Facts without an answer (a crash in
between) are a fault that the world produces: the client will ask again.
Rule 4: facts are hard (kept by the node's disk) or soft (gone with a crash). Replaying the hard
ones rebuilds the hard state; `recover` re-arms what a restarted broker really rebuilds.

This is the shape of Kafka's own coordinators (CoordinatorResult.java: a handler returns records
and a response, and `replay` alone changes hard state).

Clients (`sending`, `polling`) keep nothing on disk: all of their state is soft, so the split
would protect nothing. They are pure too, but their methods change the state and return effects.
"""

from collections.abc import Hashable
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request as a broker's machine sees it: `id` is what its answer must name.

    `client` is the name of the client's node, for ids and texts, never for decisions.
    """

    id: Any
    body: Any
    client: str = ""


class Reply(NamedTuple):
    """Answer the request `to`, now or much later; `body` is the response message."""

    to: Any
    body: Any


class Send(NamedTuple):
    """Send a request of our own to a node."""

    to: str
    body: Any


class SetTimer(NamedTuple):
    """Be told `Timer(name)` between `least_us` and `most_us` from now; replaces one so named."""

    name: Hashable
    least_us: int
    most_us: int


class CancelTimer(NamedTuple):
    """Forget the timer of that name, if there is one."""

    name: Hashable


class Timer(NamedTuple):
    """The message by which a machine learns that a timer of its own has expired."""

    name: Hashable


Effect = Reply | Send | SetTimer | CancelTimer


class Step(NamedTuple):
    """What a machine decided: facts to make true first, then effects to carry out."""

    facts: tuple[Any, ...] = ()
    effects: tuple[Effect, ...] = ()


NOTHING = Step()
