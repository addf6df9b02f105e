"""What a handler is: a plain function, a generator function or an `async def`, of one record.

A factory makes it, at each start of its process: what a handler keeps in memory is gone then.
"""

import inspect
from collections.abc import Callable, Generator
from typing import Any

from simulator.errors import BadInput
from simulator.protocol.fetching import ConsumerRecord

Steps = Generator[Any, Any, Any]

FACTORY = "give a function which, called at each start, returns the handler, a function of a record"


def handler_of(
    factory: Callable[..., Any],
    *given: object,
    where: str = "handler",
    behind: tuple[object, ...] = (),
) -> Callable[..., Any]:
    """What a factory makes of a Context, or of a store.

    Args:
        where: what the factory is called where it was handed over.
        behind: what stands behind stores that are watched.

    Raises:
        BadInput: it is a handler itself, cannot be called so, or makes none.
        Exception: what the factory raises for reasons of its own.
    """
    name = getattr(factory, "__qualname__", repr(factory))
    try:
        made = factory(*given)
    except AttributeError as error:
        asked = error.name in ConsumerRecord._fields
        if not asked or not any(error.obj is one for one in (*given, *behind)):
            raise
        said = f"{name} is a handler, and not what makes one: it asks for record.{error.name}"
        raise BadInput(said, where, fix=FACTORY) from error
    except TypeError as error:
        if _takes(factory, given):
            raise
        raise BadInput(f"cannot be called: {error}", where, fix=FACTORY) from error
    if not callable(made):
        if hasattr(made, "throw"):
            made.close()  # Steps that nobody will take.
        raise BadInput(f"{name} returned no handler, but {made!r}", where, fix=FACTORY)
    return made  # type: ignore[no-any-return]


def _takes(factory: Callable[..., Any], given: tuple[object, ...]) -> bool:
    """Whether it can be called so, as far as can be told."""
    try:
        inspect.signature(factory).bind(*given)
    except ValueError:
        return True
    except TypeError:
        return False
    return True


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
