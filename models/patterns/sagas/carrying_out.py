"""One command of a saga, carried out: done once, and never if it was cancelled before.

1. The inbox, the work and the answer are one transaction: a command that comes again is answered
   as it was the first time.
2. A cancellation that has overtaken its request leaves a tombstone: an inbox entry in the request's
   name, by which the request is refused when it comes. To cancel what was never done succeeds.
3. What was read is still so when it is written: each move of a resource has a number, and the
   second of two with the same number is refused, and decides anew.

A command that needs a resource of which nobody has heard is parked, without an answer.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from models.patterns.sagas.reservations import Resource, left, released, reserved, stashed
from models.patterns.sagas.saga import UNDO, Command
from simulator import Add, Get, Insert, Upsert

DONE, REFUSED, CANCELLED = "done", "refused", "cancelled"

Needs = Callable[[str, Mapping[str, Any]], tuple[str, int] | None]
"""From a step and an order to the resource that it needs, and how much."""


def leaves_tombstone(request: Command) -> tuple[Any, ...]:
    """The request was never seen: should it come, it is refused."""
    return (Insert("inbox", request.id, CANCELLED, effect=False),)


def forgets_it(_: Command) -> tuple[Any, ...]:
    """Twin: nothing was done, so there is nothing to do."""
    return ()


def refuses_it(_: Command) -> None:
    """Twin: what was never done cannot be undone; it gives no answer."""
    return


@attrs.frozen
class Conduct:
    """How participants work; the defaults are right, but for isolation, which is a choice.

    Args:
        unknown: what is written for a cancellation whose request was never seen.
        locks: whether reserving takes the semantic lock.
    """

    unknown: Callable[[Command], tuple[Any, ...] | None] = leaves_tombstone
    locks: bool = False


RIGHTLY = Conduct()


@attrs.frozen
class Desk:
    """What a participant has at hand: its store, and how it works (see `participant`)."""

    context: Any
    db: Any
    frees: Mapping[str, str]
    needs: Needs
    opening: Mapping[str, int]
    conduct: Conduct

    def need(self, command: Command, order: Mapping[str, Any]) -> tuple[str, int] | None:
        """The resource that a command is about: its own, or that of the step which it frees."""
        return self.needs(self.frees[command.step] or command.step, order)


def carry_out(
    desk: Desk, command: Command, order: Mapping[str, Any], value: str, request: str
) -> Any:
    """Do a command, or undo it, in one transaction; the answer, or None if there is none yet.

    Args:
        value: the command as it was sent, for a stash.
        request: the id of the message by which it came: what the inbox knows it by.

    Raises:
        UniqueViolation: others were at it at the same time; nothing was written.
    """
    asked = Command(command.saga, command.step)
    name, amount = desk.need(command, order) or ("", 0)
    undoes = command.verb == UNDO
    seen, undone, row = yield desk.db.transact(
        Get("inbox", asked.id if undoes else request),
        Get("inbox", command.id),
        Get("resources", name),
    )
    before = undone if undoes else seen
    if before is not None:
        return before
    have = row or Resource(desk.opening.get(name, -1))
    after, answer = have, DONE
    writes: tuple[Any, ...] | None
    if not undoes:
        writes, answer, after = _forward(
            desk, command, have, (name, amount), value=value, request=request
        )
    elif seen is None:
        writes, after = desk.conduct.unknown(asked), left(have, command.saga)
    else:
        writes = (Insert("inbox", command.id, DONE, effect=False),)
        if seen == DONE:
            writes += (Add(command.step, command.saga, -1),)
            after = released(have, command.saga, amount)
    if writes is None:
        return None
    if after != have:
        after = attrs.evolve(after, moves=have.moves + 1, by=command.id)
        mark = Insert("moves", (name, after.moves), effect=False)
        writes += (mark, Upsert("resources", name, after))
    yield desk.db.transact(*writes)
    return answer


def _forward(
    desk: Desk,
    command: Command,
    have: Resource,
    need: tuple[str, int],
    *,
    value: str,
    request: str,
) -> tuple[tuple[Any, ...], Any, Resource]:
    """What doing a step writes, the answer to it, and the resource after it."""
    done = (Insert("inbox", request, DONE, effect=False), Add(command.step, command.saga, 1))
    if not need[0]:
        return done, DONE, have
    if desk.frees[command.step]:  # What was reserved is a fact from now on.
        return done, DONE, released(have, command.saga)
    if have.free < 0:
        return (Upsert("parked", request, value, effect=False),), None, have
    if have.holder not in ("", command.saga):
        return (), None, stashed(have, value)
    if have.free < need[1]:
        refused = Insert("refused", request, need[0])
        return (Insert("inbox", request, REFUSED, effect=False), refused), REFUSED, have
    return done, DONE, reserved(have, command.saga if desk.conduct.locks else "", need[1])
