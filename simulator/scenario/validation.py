"""A field holds exactly what it asks for; anything else is refused with the value and a cure.

1. Nothing is coerced: 2.7 is not 2, "3" is not 3, true is not 1. Only a list may stand for a
   tuple, and a dict for a frozen mapping.
2. Every name that may stand in a witness (`drop@a>b/ProduceRequest#3=1`) keeps to Kafka's own
   alphabet for topic names, so that a witness reads back as it was written.
"""

import difflib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

import attrs

from simulator.chance import laws
from simulator.errors import BadInput
from simulator.protocol import (
    consumer_group_messages,
    messages,
    replica_messages,
    share_messages,
    transaction_messages,
)

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]

NAME = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")  # Topic.validate in Kafka's clients.
GLOB = re.compile(r"[A-Za-z0-9._*?\[\]!-]{1,249}\Z")
MESSAGES = tuple(
    name
    for name in {
        **vars(messages),
        **vars(replica_messages),
        **vars(share_messages),
        **vars(consumer_group_messages),
        **vars(transaction_messages),
    }
    if name.endswith(("Request", "Response"))
)
LOOKS_LIKE = 0.8  # So alike that a name of the user's own is less probable than a slip.


def refuse(instance: Any, field: str, rule: str, value: object, fix: str = "") -> NoReturn:
    """Raise the BadInput of one field: `Link.loss: must be ...: 1.5 (write ...)`."""
    owner = type(instance).__name__
    shown = f"{rule}: None" if value is None else f"{rule}:"
    raise BadInput(shown, f"{owner}.{field}" if field else owner, value, fix)


def near(name: str, known: Iterable[str]) -> str:
    """`did you mean X?`, or which names there are."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(names)


def whole(least: int = 0, most: int | None = None) -> Validator:
    """A whole number within bounds, and no bool."""
    bounds = f"from {least}" + ("" if most is None else f" to {most}")

    def check(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
        good = type(value) is int and value >= least and (most is None or value <= most)
        if not good:
            units = {"ms": "milliseconds", "us": "microseconds", "ppm": "millionths"}
            unit = units.get(field.name.rsplit("_", 1)[-1], "")
            fix = f"give a whole number of {unit}" if unit else "give a whole number"
            refuse(instance, field.name, f"must be a whole number {bounds}", value, fix)

    return check


def positive(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A finite number above zero, whole or not."""
    good = type(value) in (int, float) and _is_finite(value) and value > 0
    if not good:
        refuse(instance, field.name, "must be a finite number above 0", value)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # A whole number that no float can hold.
        return False


def probability(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A number from 0 to 1, both included."""
    good = type(value) in (int, float) and 0 <= value <= 1  # NaN fails both comparisons.
    if not good:
        fix = "five percent is 0.05"
        refuse(instance, field.name, "must be a probability from 0 to 1", value, fix)


def switch(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """True or false."""
    if type(value) is not bool:
        refuse(instance, field.name, "must be true or false", value)


def one_of(*allowed: str) -> Validator:
    """One of the words."""

    def check(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
        if value not in allowed:
            rule = "must be one of " + ", ".join(allowed)
            refuse(instance, field.name, rule, value, near(str(value), allowed))

    return check


def some_of(*allowed: str) -> Validator:
    """A tuple of the words, each at most once."""

    def check(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
        for word in value:
            if word not in allowed:
                rule = "must be taken from " + ", ".join(allowed)
                refuse(instance, field.name, rule, word, near(str(word), allowed))
            if value.count(word) > 1:
                refuse(instance, field.name, "stands twice", word, "leave one")

    return check


def is_name(value: object) -> bool:
    """Whether it may name a topic, a node or a group."""
    return isinstance(value, str) and NAME.match(value) is not None and value not in (".", "..")


def name(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A name in Kafka's alphabet."""
    if not is_name(value):
        fix = "letters, digits, '.', '_' and '-', at most 249"
        refuse(instance, field.name, "is not a name", value, fix)


def names(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A tuple of names in Kafka's alphabet."""
    for one in value:
        name(instance, field, one)


def glob(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A name in which *, ? and [...] stand for anything."""
    if not (isinstance(value, str) and GLOB.match(value)):
        fix = "a name, in which * stands for anything"
        refuse(instance, field.name, "is not a pattern of names", value, fix)


def globs(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """At least one pattern of names."""
    if not value:
        refuse(instance, field.name, "must name at least one node", value, 'all are ("*",)')
    for one in value:
        glob(instance, field, one)


def not_mistyped(instance: Any, field: str, value: str, known: Iterable[str], what: str) -> None:
    """Refuse what nearly is a known word; a model may well have words of its own."""
    names = list(known)
    if value not in names and difflib.get_close_matches(value, names, n=1, cutoff=LOOKS_LIKE):
        refuse(instance, field, f"is no {what}", value, near(value, names))


def message_class(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A message's class name, such as ProduceRequest."""
    if not (isinstance(value, str) and value.isidentifier()):
        fix = "write one such as 'ProduceRequest'"
        refuse(instance, field.name, "is not the name of a message", value, fix)
    not_mistyped(instance, field.name, value, MESSAGES, "message")


def message_glob(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A message's class name, or a pattern of such."""
    glob(instance, field, value)
    if not any(sign in value for sign in "*?["):
        message_class(instance, field, value)


def of_type(*types: type) -> Validator:
    """An instance of one of the types."""
    rule = "must be a " + " or ".join(one.__name__ for one in types)

    def check(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
        if not isinstance(value, types):
            refuse(instance, field.name, rule, value)

    return check


def each_of_type(*types: type) -> Validator:
    """A tuple of instances of the types."""
    rule = "must hold only values of " + ", ".join(one.__name__ for one in types)

    def check(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
        for one in value:
            if not isinstance(one, types):
                refuse(instance, field.name, rule, one)

    return check


def delay(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A delay law of simulator.chance.laws."""
    if not isinstance(value, laws.Delay):
        fix = "such as constant(1_000), in microseconds"
        refuse(instance, field.name, "must be a delay law", value, fix)


def callable_or_none(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A function, or nothing."""
    if value is not None and not callable(value):
        refuse(instance, field.name, "must be a function or None", value)


def as_tuple(value: Any) -> Any:
    """A list as a tuple; what is neither is refused, a lone string too."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, list):
        return tuple(value)
    raise BadInput("must be a tuple or a list:", "", value, "write (value,) for a single one")


@attrs.frozen(eq=False, repr=False)
class FrozenMapping(Mapping[str, Any]):
    """A mapping that cannot be changed, equal to any mapping of the same items; it pickles."""

    _items: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        """The value of a key."""
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        """The keys, in the order they were given."""
        return iter(self._items)

    def __len__(self) -> int:
        """How many."""
        return len(self._items)

    def __repr__(self) -> str:
        """As the dict it was made from."""
        return repr(self._items)


def as_settings(value: Any) -> Any:
    """A frozen copy of a mapping of Kafka settings, names to plain values.

    Which names there are is known to who is set (`simulator.protocol.settings`), when it is made.
    """
    if isinstance(value, FrozenMapping):
        return value
    if not isinstance(value, Mapping):
        raise BadInput("must be a mapping of settings:", "", value, 'such as {"linger.ms": 5}')
    for key, one in value.items():
        if not (isinstance(key, str) and key):
            raise BadInput("a setting's name must be text:", "", key)
        plain = isinstance(one, bool | int | str) or (isinstance(one, float) and math.isfinite(one))
        if not plain:
            fix = "text, a finite number, true or false"
            raise BadInput(f"the setting {key} cannot have the value", "", one, fix)
    return FrozenMapping(dict(value))
