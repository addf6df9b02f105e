"""A workload says what is produced, when, and under which key, before anything can go wrong.

1. Its chance is drawn at two sites only, `arrival@<producer>` and `key@<producer>`, so that the
   same chooser sends the same events to every variant of a system.
2. Weights of keys are integers, made by exact decimal arithmetic: the same on every platform.
3. The value of an event is an envelope as JSON text (event_type, schema_version, event_id, ts,
   payload); `ts` is virtual time, counted from 1970.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from simulator.chance.laws import Pick, exponential
from simulator.chance.sites import CHOICE, Site
from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS, MICROS_PER_S
from simulator.scenario import validation
from simulator.scenario.spelling import pretty

if TYPE_CHECKING:
    from simulator.chance.choosers import Chooser

MAX_EVENTS = 1_000_000_000
MAX_KEYS = 1_000_000
MAX_SKEWED_KEYS = 100_000  # Their weights are exact, which takes a while.
SHARE_UNITS = 1_000_000
HEAVIEST = 1 << 20  # The weight of k0 under skewed_keys; the least any key gets is 1.
LAST_S = 253_402_300_799  # The end of the year 9999, in which timestamps end.
LONGEST_GAP = 64  # So many means are more than a run's drawn gaps come to, one with another.


_new = tuple.__new__  # Half the cost of a named tuple's own constructor, in the hot path.


class WorkItem(NamedTuple):
    """One event to be produced at a time, in microseconds from the start of the run."""

    at_us: int
    topic: str
    key: str | None
    value: str
    event_id: str


# --- When ----------------------------------------------------------------------------------


@attrs.frozen
class Steady:
    """See `steady`."""

    per_s: float = attrs.field(validator=validation.positive)


def _check_rate(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    validation.positive(instance, field, value)
    if value > MICROS_PER_S:
        validation.refuse(instance, field.name, "must be at most one a microsecond", value)


@attrs.frozen
class Poisson:
    """See `poisson`."""

    per_s: float = attrs.field(validator=_check_rate)


@attrs.frozen
class Bursts:
    """See `bursts`."""

    size: int = attrs.field(validator=validation.whole(1))
    every_ms: int = attrs.field(validator=validation.whole(1))


Arrivals = Steady | Poisson | Bursts


def steady(per_s: float) -> Steady:
    """One event every 1/per_s seconds, the first at once."""
    return Steady(per_s)


def poisson(per_s: float) -> Poisson:
    """Independent events, per_s in a second on average."""
    return Poisson(per_s)


def bursts(size: int, every_ms: int) -> Bursts:
    """`size` events at one instant, every `every_ms` milliseconds, the first at once."""
    return Bursts(size, every_ms)


# --- Under which key -----------------------------------------------------------------------


@attrs.frozen
class UniformKeys:
    """See `uniform_keys`."""

    n: int = attrs.field(validator=validation.whole(1, MAX_KEYS))


@attrs.frozen
class SkewedKeys:
    """See `skewed_keys`."""

    n: int = attrs.field(validator=validation.whole(1, MAX_SKEWED_KEYS))
    exponent: float = attrs.field(validator=validation.positive)


@attrs.frozen
class HotKey:
    """See `hot_key`."""

    n: int = attrs.field(validator=validation.whole(1, MAX_KEYS))
    share: float = attrs.field(validator=validation.probability)


@attrs.frozen
class NoKeys:
    """See `no_keys`."""


Keys = UniformKeys | SkewedKeys | HotKey | NoKeys


def uniform_keys(n: int) -> UniformKeys:
    """Keys k0 to k(n-1), each as often."""
    return UniformKeys(n)


def skewed_keys(n: int, exponent: float) -> SkewedKeys:
    """Keys k0 to k(n-1) by Zipf's law: k(i) is drawn in proportion to 1/(i+1)^exponent."""
    return SkewedKeys(n, exponent)


def hot_key(n: int, share: float) -> HotKey:
    """Keys k0 to k(n-1), of which k0 gets this share of the events, the others the rest."""
    return HotKey(n, share)


def no_keys() -> NoKeys:
    """Events without a key: the producer chooses the partition."""
    return NoKeys()


@lru_cache(maxsize=16)
def cumulative_weights(keys: Keys) -> tuple[int, ...]:
    """For each key the sum of the weights up to and with it; empty when there are no keys."""
    match keys:
        case UniformKeys(n) | HotKey(n=1 as n):
            weights = [1] * n
        case SkewedKeys(n, exponent):
            weights = _zipf(n, exponent)
        case HotKey(n, share):
            hot = round(share * SHARE_UNITS)
            weights = [hot * (n - 1)] + [SHARE_UNITS - hot] * (n - 1)
        case _:
            weights = []
    return tuple(accumulate(weights))


def _zipf(n: int, exponent: float) -> list[int]:
    from decimal import Context, Decimal

    # libm's pow differs in the last bit between platforms; decimal arithmetic does not. What is
    # too large for it is infinite, and weighs nothing.
    context = Context(prec=28, Emin=-999_999, Emax=999_999, traps=[])
    power = Decimal(repr(exponent))
    heaviest = Decimal(HEAVIEST)
    weights = []
    for rank in range(1, n + 1):
        weight = int(context.divide(heaviest, context.power(Decimal(rank), power)))
        if weight <= 1:  # And so are all that follow.
            weights += [1] * (n + 1 - rank)
            break
        weights.append(weight)
    return weights


# --- All of it -----------------------------------------------------------------------------


def _last_s(arrivals: Arrivals, events: int) -> int:
    """When the last event comes, in seconds; at most, where that is drawn."""
    match arrivals:
        case Steady(per_s):
            numerator, denominator = per_s.as_integer_ratio()
            return max(0, events - 1) * denominator // numerator
        case Poisson(per_s):
            numerator, denominator = per_s.as_integer_ratio()
            return LONGEST_GAP * events * denominator // numerator
        case Bursts(size, every_ms):
            return max(0, events - 1) // size * every_ms // 1_000


def _as_items(value: Any) -> Any:
    items = []
    for item in validation.as_tuple(value):
        if not isinstance(item, tuple) or len(item) != len(WorkItem._fields):
            fix = "WorkItem(at_us, topic, key, value, event_id)"
            raise BadInput("must hold work items:", "Workload.items", item, fix)
        items.append(WorkItem(*item))
    return tuple(items)


def _check_items(instance: Any, field: "attrs.Attribute[Any]", items: Any) -> None:
    last_us = 0
    first: dict[str, int] = {}
    for position, item in enumerate(items):
        name = f"{field.name}[{position}]"
        if type(item.at_us) is not int or item.at_us < 0:
            rule = "at_us must be a whole number from 0"
            validation.refuse(instance, name, rule, item.at_us, "give microseconds")
        if item.at_us < last_us:
            rule = f"comes after an item at {last_us} us but is at"
            validation.refuse(instance, name, rule, item.at_us, "sort the items by time")
        if not validation.is_name(item.topic):
            validation.refuse(instance, name, "topic is not a name", item.topic)
        if not (item.key is None or isinstance(item.key, str)):
            validation.refuse(instance, name, "key must be text or None", item.key)
        if not isinstance(item.value, str):
            validation.refuse(instance, name, "value must be text", item.value)
        if not (isinstance(item.event_id, str) and item.event_id):
            validation.refuse(instance, name, "event_id must be text", item.event_id)
        earlier = first.setdefault(item.event_id, position)
        if earlier != position:
            rule = f"has the event id of items[{earlier}]"
            validation.refuse(instance, name, rule, item.event_id, "give each event its own")
        last_us = item.at_us


@attrs.frozen
class Workload:
    """What one producer sends.

    Args:
        topic, events, arrivals, keys: of the generated events, with the ids e1, e2, ...
        producer: the node that sends them.
        items: explicit events in order of time, instead of generated ones; each names its
            own topic.
    """

    topic: str = attrs.field(default="orders", validator=validation.name)
    events: int = attrs.field(default=100, validator=validation.whole(0, MAX_EVENTS))
    arrivals: Arrivals = attrs.field(
        default=Steady(100), validator=validation.of_type(Steady, Poisson, Bursts)
    )
    keys: Keys = attrs.field(
        default=UniformKeys(10),
        validator=validation.of_type(UniformKeys, SkewedKeys, HotKey, NoKeys),
    )
    producer: str = attrs.field(default="orders-producer", validator=validation.name)
    items: tuple[WorkItem, ...] = attrs.field(
        default=(), converter=_as_items, validator=_check_items
    )

    def __attrs_post_init__(self) -> None:
        """Refuse what would last longer than timestamps can tell."""
        if not self.items and _last_s(self.arrivals, self.events) > LAST_S:
            rule = "would last until after the year 9999:"
            fix = "let events come faster, or fewer"
            raise BadInput(rule, "Workload.arrivals", self.arrivals, fix)

    _repr_pretty_ = pretty

    @property
    def size(self) -> int:
        """How many events there will be."""
        return len(self.items) or self.events

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics written to, each once, in order of first use."""
        if self.items:
            return tuple(dict.fromkeys(item.topic for item in self.items))
        return (self.topic,)

    def stream(self, chooser: "Chooser") -> Iterator[WorkItem]:
        """The events in order of time; what is left open is drawn from the chooser.

        Explicit items draw nothing, and nor does what has only one outcome.
        """
        if self.items:
            return iter(self.items)
        return self._generated(chooser)

    def _generated(self, chooser: "Chooser") -> Iterator[WorkItem]:
        topic, second, stamp = self.topic, -1, ""
        # The range comes first: when it is over, nothing more is drawn.
        numbers, times, keys = range(1, self.events + 1), self._times(chooser), self._keys(chooser)
        for number, at_us, key in zip(numbers, times, keys, strict=False):
            event_id = f"e{number}"
            shown = "null" if key is None else f'"{key}"'
            seconds, micros = divmod(at_us, MICROS_PER_S)
            if seconds != second:
                second, stamp = seconds, _stamp(seconds)
            # Written out by hand, for every character of it is known to need no escape.
            value = (
                f'{{"event_id": "{event_id}", "event_type": "{topic}", '
                f'"payload": {{"key": {shown}}}, "schema_version": 1, '
                f'"ts": "{stamp}.{micros:06}Z"}}'
            )
            yield _new(WorkItem, (at_us, topic, key, value, event_id))

    def _times(self, chooser: "Chooser") -> Iterator[int]:
        number = 0
        match self.arrivals:
            case Steady(per_s):
                events, seconds = per_s.as_integer_ratio()
                while True:
                    yield number * seconds * MICROS_PER_S // events
                    number += 1
            case Poisson(per_s):
                events, seconds = per_s.as_integer_ratio()
                law = exponential(seconds * MICROS_PER_S // events)
                gap_us = chooser.source(Site(f"arrival@{self.producer}", CHOICE), law)
                yield from accumulate(iter(gap_us, None))
            case Bursts(size, every_ms):
                while True:
                    yield number // size * every_ms * MICROS_PER_MS
                    number += 1

    def _keys(self, chooser: "Chooser") -> Iterator[str | None]:
        sums = cumulative_weights(self.keys)
        if not sums or len(sums) == 1:
            only = "k0" if sums else None
            while True:
                yield only
        names = [f"k{number}" for number in range(len(sums))]
        draw = chooser.source(Site(f"key@{self.producer}", CHOICE), Pick(sums[-1]))
        if len(sums) == sums[-1]:  # All weigh the same.
            yield from map(names.__getitem__, iter(draw, None))
        while True:
            yield names[bisect_right(sums, draw())]


def _stamp(seconds: int) -> str:
    """A whole second since the epoch, as ISO 8601 writes it."""
    days, seconds = divmod(seconds, 86_400)
    day = "1970-01-01"
    if days:
        from datetime import date, timedelta

        day = (date(1970, 1, 1) + timedelta(days=days)).isoformat()
    return f"{day}T{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
