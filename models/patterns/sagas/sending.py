"""How what an orchestrator writes and the command that it sends go together.

Rightly they are one transaction, and a relay sends what lies in the outbox. The twins write and
send by themselves, in either order, and a crash may come in between.
"""

from collections.abc import Callable
from typing import Any

from models.patterns.sagas.saga import Command
from simulator import Insert, Nextval

STORE = "orders-store"

Saving = Callable[[Any, tuple[Any, ...], str, Command | None, str], Any]
"""From a context, what is to be written, and where which command is to be sent, to the steps."""


def through_outbox(
    context: Any, writes: tuple[Any, ...], topic: str, command: Command | None, value: str
) -> Any:
    """Both in one transaction; the relay sends."""
    if command is not None:
        row = (topic, command.saga, value, command.id)
        writes += (Insert("outbox", Nextval("outbox"), row, effect=False),)
    yield context.store(STORE).transact(*writes)


def save_then_send(
    context: Any, writes: tuple[Any, ...], topic: str, command: Command | None, value: str
) -> Any:
    """Twin: a crash in between, and the saga waits for the answer to what was never asked."""
    yield context.store(STORE).transact(*writes)
    yield from may_crash(context, "before_send")
    if command is not None:
        yield context.send(topic, value, command.saga, event_id=command.id)


def send_then_save(
    context: Any, writes: tuple[Any, ...], topic: str, command: Command | None, value: str
) -> Any:
    """Twin: a crash in between, and the command is sent again, as another message.

    Nothing is written that could tell the message's id; so each that is sent has its own.
    """
    if command is not None:
        minted = f"{command.id}~{context.node.incarnation}"
        yield context.send(topic, value, command.saga, event_id=minted)
    yield from may_crash(context, "before_save")
    yield context.store(STORE).transact(*writes)


def may_crash(context: Any, point: str) -> Any:
    """A place at which a crash may strike."""
    if not context.node.point(point):
        yield context.node.event()  # Of a dead incarnation: nothing comes of it.
