"""An architecture as values: topics, events, and services that handle and send them.

Rule 1: what is None was not told. A rule is silent on it, and says that it is open.
Rule 2: an event handled or sent without naming it is any event of its topic.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from simulator.errors import BadInput

FOR_EVER = -1  # Retries without a limit.
KINDS = ("event", "command", "technical")
AFTER_LIMIT = ("dead letters", "skip", "stop")
SINKS = ("naive", "idempotent", "versioned", "none")
THROUGH = ("direct", "outbox", "transaction", "capture")
CLAIMS = ("at-most-once", "at-least-once", "exactly-once")
NO_KEY = "none"
RANDOM_KEYS = ("random", NO_KEY, "uuid", "event_id")

Where = tuple[str, int]  # A service, and which of its handlings or sendings.


def _names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _all_of(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(values)


def _one_of(*known: str) -> Any:
    def check(holder: Any, attribute: Any, value: Any) -> None:
        if value is not None and value not in known:
            where = f"{type(holder).__name__.lower()}.{attribute.name}"
            raise BadInput("must be one of " + ", ".join(known) + ":", where, value)

    return check


def _whole(least: int) -> Any:
    def check(holder: Any, attribute: Any, value: Any) -> None:
        if value is not None and (type(value) is not int or value < least):
            where = f"{type(holder).__name__.lower()}.{attribute.name}"
            raise BadInput(f"must be a whole number from {least}:", where, value)

    return check


@attrs.frozen
class TopicDesign:
    """A topic. partitions: how many; None: not told."""

    name: str
    partitions: int | None = attrs.field(default=None, validator=_whole(1))


@attrs.frozen
class EventDesign:
    """A type of event.

    Args:
        kind: event (a business fact), command (somebody is to act) or technical (a log of what a
            machine did, of which nobody keeps the order); None: its name tells, if anything does.
        schema_version: of its newest schema; 0: its messages say none.
    """

    name: str
    kind: str | None = attrs.field(default=None, validator=_one_of(*KINDS))
    schema_version: int | None = attrs.field(default=None, validator=_whole(0))


@attrs.frozen
class Handles:
    """How a service handles what it reads of a topic.

    Args:
        events: which types; (): all of the topic.
        group: its group.id; "": it has none.
        instances: how many of them run.
        retries: attempts after the first; FOR_EVER (in a file: "for ever"): no limit.
        after_limit: dead letters, skip or stop.
        sink: what a second delivery does: naive (the effect again), idempotent (nothing),
            versioned (nothing, and an older one neither), none (there is no effect).
        stores: databases that it writes.
        claims: the delivery guarantee that its makers speak of.
        awaits: the topic whose record it waits for while it handles another.
        within_ms: how soon a record must have come for it to work.
        decides_on: the read model that it decides on.
    """

    topic: str
    events: tuple[str, ...] = attrs.field(default=(), converter=_names)
    group: str | None = None
    instances: int | None = attrs.field(default=None, validator=_whole(1))
    retries: int | None = attrs.field(default=None, validator=_whole(FOR_EVER))
    after_limit: str | None = attrs.field(default=None, validator=_one_of(*AFTER_LIMIT))
    sink: str | None = attrs.field(default=None, validator=_one_of(*SINKS))
    stores: tuple[str, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(_names)
    )
    claims: str | None = attrs.field(default=None, validator=_one_of(*CLAIMS))
    awaits: str = ""
    within_ms: int | None = attrs.field(default=None, validator=_whole(1))
    decides_on: str = ""


@attrs.frozen
class Sends:
    """What a service sends.

    Args:
        key: the field of the event that is the record's key; random or uuid: another each time;
            none: no key.
        through: direct (its producer), outbox, transaction (Kafka's) or capture (of its database).
        stores: databases that it writes for the same reason.
        after: the events whose handling makes it send; (): something else does.
        guarded: whether something ends the reaction that this may be part of.
    """

    topic: str
    events: tuple[str, ...] = attrs.field(default=(), converter=_names)
    key: str | None = None
    through: str | None = attrs.field(default=None, validator=_one_of(*THROUGH))
    stores: tuple[str, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(_names)
    )
    after: tuple[str, ...] = attrs.field(default=(), converter=_names)
    guarded: bool = False


@attrs.frozen
class ServiceDesign:
    """A service: what it handles, and what it sends."""

    name: str
    handles: tuple[Handles, ...] = attrs.field(default=(), converter=_all_of)
    sends: tuple[Sends, ...] = attrs.field(default=(), converter=_all_of)


@attrs.frozen
class Architecture:
    """Services, and the topics and events between them.

    Topics and events that only a service names exist as well; nothing else is told of them.

    Raises:
        BadInput: a name is empty, or there twice.
    """

    name: str = "architecture"
    topics: tuple[TopicDesign, ...] = attrs.field(default=(), converter=_all_of)
    events: tuple[EventDesign, ...] = attrs.field(default=(), converter=_all_of)
    services: tuple[ServiceDesign, ...] = attrs.field(default=(), converter=_all_of)

    def __attrs_post_init__(self) -> None:
        for what in ("topics", "events", "services"):
            names = [one.name for one in getattr(self, what)]
            for name in names:
                if not name:
                    raise BadInput("has no name", f"{self.name}.{what}")
                if names.count(name) > 1:
                    raise BadInput("is there twice:", f"{self.name}.{what}", name)

    def topic(self, name: str) -> TopicDesign:
        """What is told of a topic."""
        return next((one for one in self.topics if one.name == name), TopicDesign(name))

    def event(self, name: str) -> EventDesign:
        """What is told of a type of event."""
        return next((one for one in self.events if one.name == name), EventDesign(name))

    def handlings(self) -> Iterator[tuple[Where, Handles]]:
        """Every handling, with its place."""
        for service in self.services:
            for number, one in enumerate(service.handles):
                yield (service.name, number), one

    def sendings(self) -> Iterator[tuple[Where, Sends]]:
        """Every sending, with its place."""
        for service in self.services:
            for number, one in enumerate(service.sends):
                yield (service.name, number), one

    def types_in(self, topic: str) -> tuple[str, ...]:
        """The types that are sent to a topic, or that somebody looks for in it."""
        found: dict[str, None] = {}
        for one in self._all():
            if one.topic == topic:
                found.update(dict.fromkeys(one.events))
        return tuple(found)

    def all_types(self) -> tuple[str, ...]:
        """Every type that is declared, sent or handled."""
        found = dict.fromkeys(one.name for one in self.events)
        for one in self._all():
            found.update(dict.fromkeys(one.events))
        return tuple(found)

    def handlers_of(self, event: str) -> tuple[Where, ...]:
        """The places of those who handle a type of event."""
        topics = {one.topic for one in self._all_sends() if event in one.events}
        return tuple(
            where
            for where, one in self.handlings()
            if event in one.events or (not one.events and one.topic in topics)
        )

    def reactions(self) -> Iterator[tuple[str, str, Where]]:
        """(event that is handled, event that is sent for it, where), unless it is guarded."""
        for where, one in self.sendings():
            if not one.guarded:
                for before in one.after:
                    for after in one.events:
                        yield before, after, where

    def _all_sends(self) -> Iterable[Sends]:
        return (one for _, one in self.sendings())

    def _all(self) -> Iterator[Sends | Handles]:
        yield from self._all_sends()
        yield from (one for _, one in self.handlings())
