"""An outside service that each record needs, what is wrong with it, and the events that need it.

fails     it answers wrongly so often for an event, and then rightly: a hiccup
rejects   the event itself cannot be handled, until a mended version is deployed: a permanent error
kills     the process that handles the event dies of it, each time: poison
down      nobody gets an answer for a while: an outage

The service is outside: what it has counted survives its callers. Each attempt is noted when it
begins (`attempted`) and when it has failed (`failed`), whatever its caller knows of it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from models.patterns.retrying.wrapping import Factory, Handler
from simulator import (
    Add,
    ConsumerRecord,
    Context,
    CrashHazard,
    Hazards,
    KafkaError,
    Upsert,
    WorkItem,
    constant,
)

TOPIC, DEAD, LEDGER, GROUP = "orders", "orders-dlt", "ledger", "billing"
POISON = "poison"  # The crash point of a record that kills.
FROM_MS = 1_000  # By then a group has formed.

Effect = Callable[[ConsumerRecord], Any]
Visit = Callable[[Context, ConsumerRecord], Any]


class Unavailable(KafkaError):
    """The service gave no answer, or a wrong one, for now: to try again may help."""


class Rejected(KafkaError):
    """The record itself cannot be handled: to try again never helps."""


@attrs.frozen
class Troubles:
    """What is wrong, by event id.

    Args:
        fails: how often the service answers wrongly before it answers rightly.
        rejects: events that nobody can handle, until `mended_ms`; None is never.
        kills: events of which the process dies that handles them.
        down_ms: from when until when nobody gets an answer.
        takes_us: how long one answer takes.
    """

    fails: Mapping[str, int] = attrs.field(factory=dict, hash=False)
    rejects: tuple[str, ...] = ()
    mended_ms: int | None = None
    kills: tuple[str, ...] = ()
    down_ms: tuple[int, int] = (0, 0)
    takes_us: int = 5_000

    @property
    def hazards(self) -> Hazards:
        """What makes a killing record kill: for certain, as long as there are hazards."""
        crash = CrashHazard(point=POISON, p=1.0, down=constant(500_000))
        return Hazards(crash=(crash,) if self.kills else ())


def service(troubles: Troubles) -> Visit:
    """The service of one run: `yield from visit(context, record)` asks it for one record.

    The visit raises Unavailable or Rejected, or does not come back.
    """
    answers: dict[str, int] = {}
    mended_us = None if troubles.mended_ms is None else troubles.mended_ms * 1_000
    down_from_us, down_until_us = (1_000 * at_ms for at_ms in troubles.down_ms)

    def visit(context: Context, record: ConsumerRecord) -> Any:
        node, event_id = context.node, record.event_id
        context.note("attempted", event_id)
        yield node.sleep(troubles.takes_us)
        if event_id in troubles.kills and not node.point(POISON):
            yield node.event()  # It is dead, and waits for nothing.
        answers[event_id] = answers.get(event_id, 0) + 1
        error: KafkaError | None = None
        if down_from_us <= node.now_us < down_until_us:
            error = Unavailable("the service is down")
        elif answers[event_id] <= troubles.fails.get(event_id, 0):
            error = Unavailable(f"no luck with {event_id}")
        elif event_id in troubles.rejects and (mended_us is None or node.now_us < mended_us):
            error = Rejected(f"{event_id} cannot be handled")
        if error is not None:
            context.note("failed", event_id)
            raise error

    return visit


def depending(visit: Visit, effect: Effect) -> Factory:
    """A handler that asks the service, and then writes its effect."""

    def factory(context: Context) -> Handler:
        ledger = context.store(LEDGER)

        def handle(record: ConsumerRecord) -> Any:
            yield from visit(context, record)
            yield ledger.transact(effect(record))

        return handle

    return factory


# --- Events and effects -------------------------------------------------------------------------


def changes(
    keys: int | tuple[str, ...] = 1,
    each: int = 2,
    *,
    every_ms: int = 10,
    from_ms: int = FROM_MS,
) -> tuple[WorkItem, ...]:
    """`k0/1`, `k1/1`, ..., `k0/2`, ...: each says which version of its key it makes.

    Args:
        keys: what they are called, or how many there are.
        each: versions of each key.
    """
    names = tuple(f"k{number}" for number in range(keys)) if isinstance(keys, int) else keys
    items: list[WorkItem] = []
    for version in range(1, each + 1):
        for key in names:
            at_us = (from_ms + len(items) * every_ms) * 1_000
            value = json.dumps({"version": version})
            items.append(WorkItem(at_us, TOPIC, key, value, f"{key}/{version}"))
    return tuple(items)


def version(record: ConsumerRecord) -> int:
    """Which version of its key an event makes."""
    assert record.value is not None
    made: int = json.loads(record.value)["version"]
    return made


def overwritten(record: ConsumerRecord) -> Upsert:
    """The key's row becomes this event's version, whatever it was: the last writer wins."""
    return Upsert("state", record.key, version(record))


def newer(record: ConsumerRecord) -> Upsert:
    """The key's row becomes this event's version, unless it is newer than that."""
    made = version(record)
    return Upsert("state", record.key, made, when=lambda known: known < made)


def added_up(record: ConsumerRecord) -> Add:
    """The event's version is added to its key's total: in any order the sum is the same."""
    return Add("total", record.key, version(record))
