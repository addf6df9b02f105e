"""What a handler is: a plain function, a generator function or an `async def`, of one record."""

import inspect
from collections.abc import Callable, Generator
from typing import Any

from simulator.errors import BadInput

Steps = Generator[Any, Any, Any]


def handler_waits(handler: Callable[..., Any]) -> bool:
    """Whether the handler is a generator function or an `async def`.

    Raises:
        BadInput: it is both, and nothing of it would ever run.
    """
    call: Any = handler
    if not inspect.isroutine(handler):
        call = getattr(handler, "__call__", handler)  # noqa: B004 - the function behind it
    if inspect.isasyncgenfunction(call) or inspect.isasyncgenfunction(handler):
        fix = "await what you wait for, and take the yield out"
        name = getattr(handler, "__qualname__", handler)
        raise BadInput("a handler is a function, a generator or an async def, not all in one:",
                       value=name, fix=fix)
    return inspect.isgeneratorfunction(call) or inspect.iscoroutinefunction(call)


def steps_of(work: Any) -> Steps:
    """A coroutine or generator as steps of the caller."""
    if inspect.iscoroutine(work):
        result = yield from _awaiting(work)
        return result
    result = yield from work
    return result


def _awaiting(work: Any) -> Steps:
    return (yield from work.__await__())
