"""How a saga decides: a pure machine that says which command is awaited next.

    decide(saga, state, message) -> facts        evolve(saga, state, fact) -> state
    awaited(saga, state) -> the one command that the state waits for, or None at its end

A saga goes forward step by step. A compensatable step that is refused, or whose answer does not
come in time, makes it go back: what was done is undone, the last first, each awaited.

A step whose answer did not come may have been done, or not, or be done later: it is undone first
of all, and who does the steps must stand that (see `carrying_out`). An answer to the pivot is
waited for, and asked for again, as long as it takes: nobody knows whether it is too late.

What may be decided otherwise, and wrongly, stands in `Rules`, each beside its twins.
"""

from collections.abc import Callable
from typing import Any

import attrs

from models.patterns.sagas.saga import (
    COMPENSATABLE,
    COMPENSATED,
    COMPENSATING,
    COMPLETED,
    DO,
    RETRIABLE,
    RUNNING,
    UNDO,
    Command,
    Fact,
    Reply,
    Saga,
    State,
    Step,
    TimedOut,
)


def awaited(saga: Saga, state: State) -> Command | None:
    """The command whose answer is waited for; None where the saga has ended."""
    if state.phase == RUNNING:
        return Command(state.saga, saga[len(state.done)].name)
    if state.phase == COMPENSATING:
        return Command(state.saga, state.undoing[0], UNDO)
    return None


# --- What may be decided wrongly ---------------------------------------------------------------


def answers_it(command: Command, reply: Reply) -> bool:
    """Only the answer to the command that is awaited counts."""
    return reply.command == command


def any_answer(command: Command, reply: Reply) -> bool:
    """Twin: whatever answer comes for the saga; a stale one moves it as well."""
    return reply.command.saga == command.saga


def before_the_pivot(step: Step) -> bool:
    """Only a step before the pivot is given up."""
    return step.kind == COMPENSATABLE


def any_step(_: Step) -> bool:
    """Twin: each step is given up, and what was done is undone, also after the pivot."""
    return True


def last_first(done: tuple[str, ...]) -> tuple[str, ...]:
    """What was done last is undone first."""
    return done[::-1]


def first_first(done: tuple[str, ...]) -> tuple[str, ...]:
    """Twin: in the order in which it was done."""
    return done


def forgetting(step: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """Twin: the compensation of one step was never written."""
    return lambda done: tuple(name for name in last_first(done) if name != step)


@attrs.frozen
class Rules:
    """How a saga decides; the defaults are right.

    Args:
        counts: whether a reply counts for the command that is awaited.
        gives_up: whether a step whose answer does not come is given up, or asked for again.
        undo_order: from what was done to the order in which it is undone.
    """

    counts: Callable[[Command, Reply], bool] = answers_it
    gives_up: Callable[[Step], bool] = before_the_pivot
    undo_order: Callable[[tuple[str, ...]], tuple[str, ...]] = last_first


RIGHT = Rules()


# --- What follows, and what is then --------------------------------------------------------------


def decide(saga: Saga, state: State, message: Any, rules: Rules = RIGHT) -> Fact | None:
    """What follows from a message; nothing from one that is not awaited."""
    command = awaited(saga, state)
    if command is None:
        return None
    if isinstance(message, TimedOut):
        if message.command != command:
            return None
        given_up = command.verb == DO and rules.gives_up(_step(saga, command.step))
        return Fact("timed_out" if given_up else "asked_again", command.step)
    if not rules.counts(command, message):
        return None
    answered = message.command
    if answered.verb == UNDO:
        return Fact("undone", answered.step)  # An undo is not refused: it must be possible.
    if message.done:
        return Fact("done", answered.step)
    if _step(saga, answered.step).kind == RETRIABLE:
        return None  # It is asked for again in time.
    return Fact("refused", answered.step)


def evolve(saga: Saga, state: State, fact: Fact, rules: Rules = RIGHT) -> State:
    """The state after a fact."""
    match fact.what:
        case "done":
            done = (*state.done, fact.step)
            phase = COMPLETED if len(done) >= len(saga) else RUNNING
            return State(state.saga, phase, done)
        case "refused":
            return _going_back(state, rules.undo_order(state.done))
        case "timed_out":
            return _going_back(state, rules.undo_order((*state.done, fact.step)))
        case "undone":
            return _going_back(state, tuple(one for one in state.undoing if one != fact.step))
    return attrs.evolve(state, asked=state.asked + 1)


def _going_back(state: State, undoing: tuple[str, ...]) -> State:
    phase = COMPENSATING if undoing else COMPENSATED
    return State(state.saga, phase, state.done, undoing)


def _step(saga: Saga, name: str) -> Step:
    return next(step for step in saga if step.name == name)
