"""Sinks: three ways to apply an event's effect to a store. What they know of events that were
applied before is the whole difference between applying twice and not.

naive       nothing: the effect, each time a record is handled
idempotent  the event's id is inserted in the transaction of the effect: a second is refused
memory      ids that were seen are in a set, in the handler's memory: a restart empties it

Each is given the effect, a function from a record to an operation of the store, and gives a factory
of handlers: `Consumers(handler=idempotent_sink(effect))`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.errors import UniqueViolation
from simulator.protocol.store import Insert

if TYPE_CHECKING:
    from simulator.cluster.context import Context
    from simulator.cluster.service import HandlerFactory
    from simulator.protocol.fetching import ConsumerRecord

LEDGER = "ledger"  # The store that all three write to.
PROCESSED = "processed"  # Its table of the ids of applied events.

Effect = Callable[["ConsumerRecord"], Any]


def naive_sink(effect: Effect) -> "HandlerFactory":
    """The effect, each time."""

    def factory(context: "Context") -> Callable[..., Any]:
        ledger = context.store(LEDGER)

        def handle(record: "ConsumerRecord") -> Any:
            yield ledger.transact(effect(record))

        return handle

    return factory


def idempotent_sink(effect: Effect) -> "HandlerFactory":
    """The mark and the effect in one transaction: a second time, the mark is refused."""

    def factory(context: "Context") -> Callable[..., Any]:
        ledger = context.store(LEDGER)

        def handle(record: "ConsumerRecord") -> Any:
            mark = Insert(PROCESSED, record.event_id, effect=False)
            try:
                yield ledger.transact(mark, effect(record))
            except UniqueViolation:
                return  # It was applied before: nothing is left to do.

        return handle

    return factory


def memory_sink(effect: Effect) -> "HandlerFactory":
    """The ids that were applied, in a set that the first restart empties."""

    def factory(context: "Context") -> Callable[..., Any]:
        ledger = context.store(LEDGER)
        processed: set[str] = set()

        def handle(record: "ConsumerRecord") -> Any:
            if record.event_id in processed:
                return
            yield ledger.transact(effect(record))
            processed.add(record.event_id)

        return handle

    return factory
