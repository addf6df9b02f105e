"""An orchestrated saga: one service keeps its state, sends its commands, and minds its time.

1. What a saga decides is a history: facts by number. A fact of the same number as another is
   refused, so of two that decide at once (a reply, and the clock) one decides anew.
2. State, deadline and command are written in one transaction; a relay sends what lies in the
   outbox, and a command's id is the same however often it is sent.
3. Deadlines are rows, which no crash forgets.
4. What must come from outside before a saga can start may come in any order: what is early is
   kept.

The twins of 2 stand in `sending`; the twin of 3 has no patience; that of 4 takes what is early for
a mistake, and drops it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from models.patterns.sagas.carrying_out import DONE
from models.patterns.sagas.deciding import RIGHT, Rules, awaited, decide, evolve
from models.patterns.sagas.participants import REPLIES, read, written
from models.patterns.sagas.saga import UNDO, Fact, Reply, Saga, State, TimedOut
from models.patterns.sagas.sending import STORE, Saving, may_crash, through_outbox
from simulator import (
    Delete,
    Get,
    Insert,
    ProducerFailed,
    Row,
    Select,
    StoreError,
    UniqueViolation,
    Upsert,
)  # fmt: skip

PLACED = "placed"
TICK_US = 20_000


# --- What comes before a saga can start --------------------------------------------------------


def kept(_: str, __: Mapping[str, Any]) -> bool:
    """Whatever comes first is kept."""
    return True


def dropped(what: str, had: Mapping[str, Any]) -> bool:
    """Twin: of a saga that nobody has heard of, only the order itself is taken."""
    return what == PLACED or PLACED in had


@attrs.frozen
class Orchestrating:
    """How an orchestrator works; the defaults are right.

    Args:
        sagas: by the order's `kind`.
        rules: how they decide.
        saving: how state and command go together.
        patience_ms: so long an answer is waited for; None: for ever.
        starters: what must have come from outside.
        early: whether something from outside is taken, given what has come before it.
    """

    sagas: Mapping[str, Saga]
    rules: Rules = RIGHT
    saving: Saving = through_outbox
    patience_ms: int | None = 500
    starters: tuple[str, ...] = (PLACED,)
    early: Callable[[str, Mapping[str, Any]], bool] = kept

    def saga_of(self, order: Mapping[str, Any]) -> Saga:
        """The steps that an order goes through."""
        return self.sagas[order.get("kind", "order")]


def orchestrator(how: Orchestrating) -> Any:
    """A factory of handlers of what comes from outside, and of replies."""

    def factory(context: Any) -> Any:
        def handle(record: Any) -> Any:
            if record.topic != REPLIES:
                yield from _outside(context, how, json.loads(record.value))
                return
            command, _ = read(record.value)
            done = json.loads(record.value)["answer"] == DONE
            yield from _advance(context, how, command.saga, Reply(command, done))

        return handle

    return factory


def minding(context: Any, how: Orchestrating) -> Any:
    """The relay and the clock, for ever: sends what lies in the outbox, tells what is too late."""
    db = context.store(STORE)

    def due(row: Row) -> bool:
        return bool(row.value[0] <= context.node.now_us)

    while True:
        try:
            outbox, late = yield db.transact(
                Select("outbox", limit=20), Select("deadlines", where=due)
            )
            for number, (topic, key, value, message), _ in outbox:
                yield context.send(topic, value, key, event_id=message)
                yield from may_crash(context, "after_send")
                yield db.transact(Delete("outbox", number, effect=False))
            for name, (_, command), _ in late:
                yield from _advance(context, how, name, TimedOut(command))
        except (StoreError, ProducerFailed):
            pass  # Whatever was left undone is still there.
        yield context.sleep(TICK_US)


@attrs.frozen
class _Decided:
    """A fact, which one it is, and where the saga of an order is after it."""

    number: int
    fact: Fact
    state: State
    order: Mapping[str, Any]
    saga: Saga


def _outside(context: Any, how: Orchestrating, message: Mapping[str, Any]) -> Any:
    """Something from outside, of which a copy may have come before."""
    name, what, db = message["saga"], message["what"], context.store(STORE)
    started, had = yield db.transact(Get("states", name), Get("starting", name))
    had = had or {}
    if started is not None or not how.early(what, had):
        return
    had = {**had, what: message["order"]}
    if not set(how.starters) <= set(had):
        yield db.transact(Upsert("starting", name, had, effect=False))
        return
    order = {key: value for part in had.values() for key, value in part.items()}
    state = State(name)
    decided = _Decided(0, Fact("started", ""), state, order, how.saga_of(order))
    yield from _kept(context, how, decided, (Upsert("sagas", name, state.phase),))


def _advance(context: Any, how: Orchestrating, name: str, message: Any) -> Any:
    """What a reply, or the clock, makes of a saga."""
    db = context.store(STORE)
    while True:
        (found,) = yield db.transact(Get("states", name))
        if found is None:
            return
        number, old, order = found
        saga = how.saga_of(order)
        fact = decide(saga, old, message, how.rules)
        if fact is None:
            return
        state = evolve(saga, old, fact, how.rules)
        phase = () if state.phase == old.phase else (Upsert("sagas", name, state.phase),)
        decided = _Decided(number + 1, fact, state, order, saga)
        try:
            yield from _kept(context, how, decided, phase)
        except UniqueViolation:
            continue  # Another fact was there first.
        return


def _kept(
    context: Any, how: Orchestrating, decided: _Decided, phase: tuple[Any, ...]
) -> Any:
    """Write the fact, the state and the deadline; have the command sent that is awaited now."""
    state, name = decided.state, decided.state.saga
    writes = (
        Insert("history", (name, decided.number), decided.fact, effect=False),
        Upsert("states", name, (decided.number, state, decided.order), effect=False),
        *phase,
    )
    command = awaited(decided.saga, state)
    topic = value = ""
    if command is None:
        writes += (Delete("deadlines", name, effect=False),)
    else:
        service = next(step.service for step in decided.saga if step.name == command.step)
        topic = f"{service}-{'cancellations' if command.verb == UNDO else 'requests'}"
        value = written(command, decided.order)
        if how.patience_ms is not None:
            at_us = context.node.now_us + how.patience_ms * 1_000
            writes += (Upsert("deadlines", name, (at_us, command), effect=False),)
    yield from how.saving(context, writes, topic, command, value)
