"""The envelope around every business event: what any consumer may rely on.

    {"event_type": "OrderCreated", "schema_version": 2, "event_id": "uuid-123",
     "ts": "2025-12-04T12:00:00Z", "payload": {"order_id": "o-42", "total": 199.99}}

event_type      what happened, in the past tense
schema_version  which version of the payload's schema, from 1
event_id        the identity of the fact: the same fact told twice has the same id
ts              when it happened (ISO 8601, with its zone)
payload         the facts themselves

Three more may stand there, and are left out where nobody knows them:

source          who told it: an id is unique among those of its source
correlation_id  the same in everything that one thing set off
causation_id    the event_id of what set this off, directly

A reader is tolerant where that is safe and strict where it is not: fields it does not know are
ignored, so that a producer may add one; a field that is missing or malformed is refused by name.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import attrs

from simulator import BadInput

FIELDS = ("event_type", "schema_version", "event_id", "ts", "payload")
OPTIONAL = ("source", "correlation_id", "causation_id")


@attrs.frozen
class Envelope:
    """One business event. Raises BadInput, with the field's name, for what cannot be one."""

    event_type: str
    schema_version: int
    event_id: str
    ts: str
    payload: Mapping[str, Any]
    source: str = ""
    correlation_id: str = ""
    causation_id: str = ""

    def __attrs_post_init__(self) -> None:
        for name, rule, holds in _RULES:
            value = getattr(self, name)
            if not holds(value):
                raise BadInput(f"{name} must be {rule}:", "envelope", value)

    def to_json(self) -> str:
        """One line of JSON, keys in the envelope's order, those within the payload sorted.

        Raises:
            BadInput: the payload holds what JSON cannot say.
        """
        said = {name: getattr(self, name) for name in FIELDS[:-1]}
        said |= {name: known for name in OPTIONAL if (known := getattr(self, name))}
        head = _text(said, sort=False)
        try:
            payload = _text(dict(self.payload), sort=True)
        except (TypeError, ValueError) as error:
            raise BadInput(f"payload cannot be JSON ({error}):", "envelope", self.payload) from None
        return f'{head[:-1]},"payload":{payload}}}'


def read_envelope(value: str | bytes | None) -> Envelope:
    """The envelope in a record's value.

    Raises:
        BadInput: it is no JSON object, or a field is missing or malformed; the field is named.
    """
    try:
        found = json.loads(value, parse_constant=_refuse) if value is not None else None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not JSON ({error}):", "envelope", value) from None
    if not isinstance(found, dict):
        raise BadInput("must be a JSON object:", "envelope", found)
    for name in FIELDS:
        if name not in found:
            raise BadInput(f"{name} is missing; it has", "envelope", ", ".join(found) or "nothing")
    known = {name: found[name] for name in OPTIONAL if name in found}
    return Envelope(**{name: found[name] for name in FIELDS}, **known)


def follows(
    cause: Envelope, event_type: str, schema_version: int, ts: str, payload: Mapping[str, Any]
) -> Envelope:
    """What `cause` set off: it says so, and whoever is given the cause again tells the same id."""
    return Envelope(
        event_type,
        schema_version,
        f"{cause.event_id}/{event_type}",
        ts,
        payload,
        source=cause.source,
        correlation_id=cause.correlation_id or cause.event_id,
        causation_id=cause.event_id,
    )


def _text(value: Any, *, sort: bool) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=sort, allow_nan=False)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON's")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _may_be_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_version(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_moment(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


_RULES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("event_type", "a name", _is_text),
    ("schema_version", "a whole number from 1", _is_version),
    ("event_id", "a text that is not empty", _is_text),
    ("ts", "a moment such as 2025-12-04T12:00:00Z", _is_moment),
    ("payload", "an object", _is_object),
    *((name, "a text", _may_be_text) for name in OPTIONAL),
)
