"""How a pattern wraps any handler: a plain function, a generator function or an `async def`.

    handle = calling(context, factory(context))
    ...
    yield from handle(record)

A plain function is let run to its end in one instant, as it would without the pattern; the steps
of any other become the pattern's own.
"""

from collections.abc import Callable
from typing import Any

from simulator import ConsumerRecord, Context, handler_waits, steps_of

Handler = Callable[[ConsumerRecord], Any]
Factory = Callable[[Context], Handler]


def calling(context: Context, handler: Handler) -> Callable[[ConsumerRecord], Any]:
    """The steps of one call of a handler; they raise what it raises."""
    waits = handler_waits(handler)

    def call(record: ConsumerRecord) -> Any:
        context.plain = not waits
        try:
            made = handler(record)
        finally:
            context.plain = False
        if waits or hasattr(made, "throw"):  # The latter wraps one that waits.
            return (yield from steps_of(made))
        return made

    return call
