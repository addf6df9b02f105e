"""Kafka's dotted settings, read strictly: a name is accepted, refused with its reason, or unknown.

A settings class is `attrs.frozen`; the field `linger_ms` is Kafka's `linger.ms`. Fields whose
Kafka name does not follow from theirs say so: `metadata={"kafka": "..."}`.
"""

import difflib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

import attrs

from simulator.errors import BadInput

T = TypeVar("T")

MADE_MOST = 1_024  # So many settings of a class are kept, to be given again.

_MADE: dict[type, dict[Any, Any]] = {}


def kafka_name(field: "attrs.Attribute[Any]") -> str:
    """The name Kafka gives the setting."""
    name: str = field.metadata.get("kafka", field.name.replace("_", "."))
    return name


@lru_cache(maxsize=64)
def _fields(cls: type) -> Mapping[str, str]:
    """Every name of every setting, and its field's."""
    fields = {}
    for field in attrs.fields(cls):
        fields[kafka_name(field)] = field.name
        fields[field.name] = field.name
    return fields


def _made(cls: type[T], values: Mapping[str, Any]) -> T:
    """The settings of these values; they are frozen, so that the same are made only once.

    A search runs thousands of worlds with the same settings, and validating takes its time.
    """
    # 1, 1.0 and True are equal, and not the same setting.
    key = tuple((name, type(value), value) for name, value in values.items())
    made = _MADE.setdefault(cls, {})
    try:
        found: T | None = made.get(key)
    except TypeError:  # A value that cannot be a key, such as a list.
        return cls(**values)
    if found is None:
        if len(made) >= MADE_MOST:
            made.clear()
        found = made[key] = cls(**values)
    return found


def parse_settings(
    cls: type[T], given: Mapping[str, Any], *, not_modelled: Mapping[str, str], where: str
) -> T:
    """Build `cls` from Kafka's names.

    Args:
        given: Kafka's dotted names (or the fields' own) to values.
        not_modelled: names that Kafka has and we refuse, with the reason.
        where: what the settings are of, for the error's text.

    Raises:
        BadInput: a name is unknown or not modelled; or a value is not allowed.
    """
    fields = _fields(cls)  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in not_modelled:
            raise BadInput(f"{name} is not modelled:", where, value, not_modelled[name])
        if name not in fields:
            known = [kafka_name(field) for field in attrs.fields(cls)]  # type: ignore[arg-type]
            near = difflib.get_close_matches(name, [*known, *not_modelled], n=1)
            hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(sorted(known))
            raise BadInput("unknown setting", where, name, hint)
        if fields[name] in values:
            raise BadInput("set twice:", where, name, "give it once, by Kafka's name")
        values[fields[name]] = value
    try:
        return _made(cls, values)
    except BadInput as error:
        if error.where:
            raise
        raise BadInput(error.what, where, error.value, error.fix) from None


def whole(least: int, most: int | None = None) -> Any:
    """An attrs validator: a whole number (no bool) within bounds; the message shows the value."""

    def check(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
        bounds = f"a whole number from {least}" + ("" if most is None else f" to {most}")
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise BadInput(f"{kafka_name(field)} must be {bounds}:", "", value)
        if most is not None and value > most:
            raise BadInput(f"{kafka_name(field)} must be {bounds}:", "", value)

    return check


def one_of(*allowed: Any) -> Any:
    """An attrs validator: one of the named values."""

    def check(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
        if value not in allowed or isinstance(value, bool) != isinstance(allowed[0], bool):
            names = ", ".join(str(one) for one in allowed)
            raise BadInput(f"{kafka_name(field)} must be one of {names}:", "", value)

    return check


def switch(_: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """An attrs validator: true or false."""
    if not isinstance(value, bool):
        raise BadInput(f"{kafka_name(field)} must be true or false:", "", value)
