"""Who does a saga's steps: a service reads commands, carries them out, and answers.

1. Each command is carried out in one transaction, once (see `carrying_out`); its answer follows,
   and follows again if the command comes again.
2. Requests and cancellations have lanes of their own, so that a cancellation need not wait behind
   work; so it may overtake the request that it cancels.
3. With the semantic lock, a resource on which a saga has reserved something is that saga's until
   it undoes it, or a later step makes a fact of it. The commands of others are stashed; they are
   answered when the lock is gone.
"""

import json
from collections.abc import Mapping
from typing import Any

import attrs

from models.patterns.sagas.carrying_out import RIGHTLY, Conduct, Desk, Needs, carry_out
from models.patterns.sagas.saga import Command, Saga
from simulator import Get, Insert, UniqueViolation, Upsert

REPLIES = "replies"


def written(command: Command, order: Mapping[str, Any]) -> str:
    """A command as it is sent, with what it is about."""
    fields = {"saga": command.saga, "step": command.step, "verb": command.verb}
    return json.dumps({**fields, "order": dict(order)}, sort_keys=True)


def read(value: str) -> tuple[Command, Mapping[str, Any]]:
    """The command, and the order, in a record's value."""
    found = json.loads(value)
    return Command(found["saga"], found["step"], found["verb"]), found["order"]


def participant(
    store: str,
    saga: Saga,
    needs: Needs,
    opening: Mapping[str, int],
    conduct: Conduct = RIGHTLY,
) -> Any:
    """A factory of handlers of commands.

    Args:
        store: of the service.
        saga: whose steps they are.
        needs: what a step needs.
        opening: what there is of each resource at first.
        conduct: how it works.
    """
    frees = {step.name: step.frees for step in saga}

    def factory(context: Any) -> Any:
        desk = Desk(context, context.store(store), frees, needs, opening, conduct)

        def handle(record: Any) -> Any:
            yield from _settle(desk, record.value, record.event_id)
            if conduct.locks:
                yield from _wake(desk, record.value)

        return handle

    return factory


def _settle(desk: Desk, value: str, request: str) -> Any:
    """One command, and its answer; another try where others were at it meanwhile."""
    command, order = read(value)
    while True:
        try:
            answer = yield from carry_out(desk, command, order, value, request)
            break
        except UniqueViolation:
            continue
    if answer is None:
        return
    context = desk.context
    if not context.node.point("before_reply"):
        yield context.node.event()
    said = json.dumps({**json.loads(value), "answer": answer}, sort_keys=True)
    yield context.send(REPLIES, said, command.saga, event_id=f"{command.id}/reply")


def _wake(desk: Desk, value: str) -> Any:
    """Answer those who waited for what this command has freed, the first of them first."""
    name, _ = desk.need(*read(value)) or ("", 0)
    while True:
        (have,) = yield desk.db.transact(Get("resources", name))
        if have is None or not have.waiting:
            return
        first = have.waiting[0]
        command = read(first)[0]
        if have.holder not in ("", command.saga):
            return
        yield from _settle(desk, first, command.id)
        (have,) = yield desk.db.transact(Get("resources", name))
        rest = tuple(one for one in have.waiting if one != first)
        after = attrs.evolve(have, waiting=rest, moves=have.moves + 1)
        mark = Insert("moves", (name, after.moves), effect=False)
        try:
            yield desk.db.transact(mark, Upsert("resources", name, after, effect=False))
        except UniqueViolation:
            continue
