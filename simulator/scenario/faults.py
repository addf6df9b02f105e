"""What goes wrong: a FaultPlan says when exactly, Hazards say how often.

1. A planned fault of a message or a point is keyed by what happens, not by when: the `nth`
   (from 0) ProduceRequest from a to b, the `nth` time billing-0 has processed. Such a fault is
   one forced answer at a choice's site, `drop@a>b/ProduceRequest#0=1`, so a plan, a witness and
   a shrunk counterexample are the same thing.
2. Planned faults at a time are carried out by the nemesis at that time.
3. A crash has a mode. process: memory is gone, the operating system writes what it holds.
   power: what was not flushed is gone too. disk: the disk is gone.
4. A fault belongs to a class, by which guarantees say what they stand.

Not modelled: corrupted messages (TCP's and the batch's checksums find them), and disks that are
full, slow or rotting.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import attrs

from simulator.chance.laws import Delay as DelayLaw
from simulator.chance.laws import constant
from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS, MICROS_PER_S
from simulator.scenario import validation
from simulator.scenario.spelling import pretty

MODES = ("process", "power", "disk")
POINTS = (
    "after_poll",
    "before_process",
    "after_process",
    "before_commit",
    "after_commit",
    "after_append",
    # Of a connector:
    "after_read",
    "before_send",
    "after_send",
    "before_flush",
    "after_flush",
    "after_confirm",
    "after_position",
    "after_select",
    "after_open",
    "after_chunk",
    "after_close",
)


def _whole(default: int, least: int = 0, most: int | None = None) -> Any:
    return attrs.field(default=default, validator=validation.whole(least, most))


def _check_point(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    if value != "":
        validation.name(instance, field, value)
        validation.not_mistyped(instance, field.name, value, POINTS, "crash point")


def _end_after_start(instance: Any, field: "attrs.Attribute[Any]", value: Any) -> None:
    validation.whole()(instance, field, value)
    from_ms = getattr(instance, "from_ms", None)  # A reader of files asks before it is set.
    if from_ms is not None and value <= from_ms:
        rule = f"must be later than from_ms = {from_ms}, not"
        validation.refuse(instance, field.name, rule, value)


# --- Of one message ------------------------------------------------------------------------


@attrs.frozen
class Drop:
    """The nth message of this class from source to target never arrives."""

    fault_class: ClassVar[str] = "drop"

    source: str = attrs.field(validator=validation.name)
    target: str = attrs.field(validator=validation.name)
    message: str = attrs.field(validator=validation.message_class)
    nth: int = _whole(0)


@attrs.frozen
class Duplicate:
    """The nth message of this class arrives twice, the copy `later_ms` after the original.

    TCP doubles nothing: the copy stands for a first attempt, on a connection that the client gave
    up, which is read behind its second attempt. Kafka's clients and brokers ask again by
    themselves, and calls are asked again by what lies between. Nothing comes of a doubled answer,
    or of a doubled request to a store. See `simulator.world.network`, rule 6.
    """

    fault_class: ClassVar[str] = "duplicate"

    source: str = attrs.field(validator=validation.name)
    target: str = attrs.field(validator=validation.name)
    message: str = attrs.field(validator=validation.message_class)
    nth: int = _whole(0)
    later_ms: int = _whole(0)


@attrs.frozen
class Delay:
    """The nth message of this class takes `extra_ms` above the least that its link needs."""

    fault_class: ClassVar[str] = "delay"

    source: str = attrs.field(validator=validation.name)
    target: str = attrs.field(validator=validation.name)
    message: str = attrs.field(validator=validation.message_class)
    nth: int = _whole(0)
    extra_ms: int = _whole(0)


# --- Of one node ---------------------------------------------------------------------------


@attrs.frozen
class Crash:
    """A node dies when it is at a point for the nth time, or at a time, and comes back.

    Args:
        point: after_poll, before_process, after_process, before_commit, after_commit,
            after_append, or `store-0`, `produce-1`, ...: a plain handler's calls, counted.
        at_ms: instead of a point, the time.
        down_ms: how long it is away.
        mode: process (memory is lost), power (what was not flushed, too), disk (everything).
    """

    node: str = attrs.field(validator=validation.name)
    point: str = attrs.field(default="", validator=_check_point)
    nth: int = _whole(0)
    at_ms: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(validation.whole())
    )
    down_ms: int = _whole(1_000)
    mode: str = attrs.field(default="process", validator=validation.one_of(*MODES))

    def __attrs_post_init__(self) -> None:
        if (self.point == "") == (self.at_ms is None):
            rule = "needs either a point or at_ms, and not both; it has"
            validation.refuse(self, "", rule, (self.point, self.at_ms))
        if self.at_ms is not None and self.nth:
            validation.refuse(self, "nth", "counts points, and this crash is at a time", self.nth)

    @property
    def fault_class(self) -> str:
        """Power cuts and lost disks take what was written: they are of the class disk."""
        return "crash" if self.mode == "process" else "disk"


@attrs.frozen
class Pause:
    """A node stands still (a long garbage collection): time passes, it does nothing."""

    fault_class: ClassVar[str] = "pause"

    node: str = attrs.field(validator=validation.name)
    at_ms: int = attrs.field(validator=validation.whole())
    for_ms: int = attrs.field(validator=validation.whole(1))


@attrs.frozen
class Skew:
    """A node's clock jumps, and from then on runs fast or slow by so many millionths."""

    fault_class: ClassVar[str] = "skew"

    node: str = attrs.field(validator=validation.name)
    at_ms: int = attrs.field(validator=validation.whole())
    jump_ms: int = _whole(0, least=-(10**12))
    drift_ppm: int = _whole(0, -999_999, 1_000_000)


@attrs.frozen
class DiskLoss:
    """A node dies and comes back with an empty disk."""

    fault_class: ClassVar[str] = "disk"

    node: str = attrs.field(validator=validation.name)
    at_ms: int = attrs.field(validator=validation.whole())
    down_ms: int = _whole(1_000)


# --- Of the network ------------------------------------------------------------------------


@attrs.frozen
class Partition:
    """Between these times nothing passes from side a to side b, nor back if symmetric."""

    fault_class: ClassVar[str] = "drop"

    side_a: tuple[str, ...] = attrs.field(converter=validation.as_tuple, validator=validation.globs)
    side_b: tuple[str, ...] = attrs.field(converter=validation.as_tuple, validator=validation.globs)
    from_ms: int = attrs.field(validator=validation.whole())
    until_ms: int = attrs.field(validator=_end_after_start)
    symmetric: bool = attrs.field(default=True, validator=validation.switch)


@attrs.frozen
class Clog:
    """Between these times messages from source to target (patterns) wait; then all arrive."""

    fault_class: ClassVar[str] = "delay"

    source: str = attrs.field(validator=validation.glob)
    target: str = attrs.field(validator=validation.glob)
    from_ms: int = attrs.field(validator=validation.whole())
    until_ms: int = attrs.field(validator=_end_after_start)


Fault = Drop | Duplicate | Delay | Crash | Pause | Partition | Clog | Skew | DiskLoss
FAULTS = (Drop, Duplicate, Delay, Crash, Pause, Partition, Clog, Skew, DiskLoss)


def deviation(fault: Fault) -> tuple[tuple[str, int], int] | None:
    """The forced choice `((site name, k), value)` of a fault, or None if it is at a time."""
    match fault:
        case Drop(source, target, message, nth):
            return (f"drop@{source}>{target}/{message}", nth), 1
        case Duplicate(source, target, message, nth, later_ms):
            return (f"duplicate@{source}>{target}/{message}", nth), 1 + later_ms * MICROS_PER_MS
        case Delay(source, target, message, nth, extra_ms):
            return (f"delay@{source}>{target}/{message}", nth), extra_ms * MICROS_PER_MS
        case Crash(node, point, nth) if point:
            return (f"crash@{node}/{point}", nth), 1
    return None


@attrs.frozen
class FaultPlan:
    """The faults of a run, as a list.

    Raises:
        BadInput: two of them want different things of the same message or point.
    """

    faults: tuple[Fault, ...] = attrs.field(
        default=(),
        converter=validation.as_tuple,
        validator=validation.each_of_type(*FAULTS),
    )

    def __attrs_post_init__(self) -> None:
        first: dict[tuple[str, int], Fault] = {}
        for fault in self.faults:
            found = deviation(fault)
            if found is not None and first.setdefault(found[0], fault) != fault:
                site, k = found[0]
                rule = f"two faults contradict each other at {site}#{k}: {first[found[0]]} and"
                validation.refuse(self, "faults", rule, fault, "leave one")

    _repr_pretty_ = pretty

    def deviations(self) -> dict[tuple[str, int], int]:
        """The forced choices: `(site name, k)` to value, in microseconds where it is a time.

        A drop or a crash is 1; a duplicate is 1 and the microseconds its copy is late; a delay
        is its extra microseconds.
        """
        return dict(found for fault in self.faults if (found := deviation(fault)) is not None)

    def crashes(self) -> dict[tuple[str, int], Crash]:
        """The crashes at points by `(site name, k)`: how long the node is away, in which mode."""
        return {
            found[0]: fault
            for fault in self.faults
            if isinstance(fault, Crash) and (found := deviation(fault)) is not None
        }

    @property
    def timed(self) -> tuple[Fault, ...]:
        """The faults that come at a time, in the order given."""
        return tuple(fault for fault in self.faults if deviation(fault) is None)

    @property
    def fault_classes(self) -> tuple[str, ...]:
        """The classes of fault in the plan, each once, in order of first appearance."""
        return tuple(dict.fromkeys(fault.fault_class for fault in self.faults))

    @property
    def ends_ms(self) -> int:
        """When the last timed fault is over."""
        return max((_over_ms(fault) for fault in self.timed), default=0)

    def __iter__(self) -> Iterator[Fault]:
        """The faults in the order given."""
        return iter(self.faults)

    def __len__(self) -> int:
        """How many."""
        return len(self.faults)

    def __add__(self, more: "Fault | FaultPlan") -> "FaultPlan":
        """The plan with one more fault, or with those of another plan."""
        if isinstance(more, FaultPlan):
            return FaultPlan((*self.faults, *more.faults))
        if isinstance(more, FAULTS):
            return FaultPlan((*self.faults, more))
        raise BadInput("only a fault can be added to a plan:", "FaultPlan", more)

    def without(self, faults: "Iterable[Fault]") -> "FaultPlan":
        """The plan without these faults; of those that are in it twice, the last goes first.

        Raises:
            BadInput: one of them is not in the plan.
        """
        left = list(reversed(self.faults))
        for fault in faults:
            if fault not in left:
                raise BadInput("is not in the plan:", "FaultPlan.without", fault)
            left.remove(fault)
        return FaultPlan(tuple(reversed(left)))


def _over_ms(fault: Fault) -> int:
    match fault:
        case Crash(at_ms=int(at_ms), down_ms=down_ms) | DiskLoss(at_ms=at_ms, down_ms=down_ms):
            return at_ms + down_ms
        case Pause(_, at_ms, for_ms):
            return at_ms + for_ms
        case Partition(until_ms=until_ms) | Clog(until_ms=until_ms):
            return until_ms
        case Skew(at_ms=at_ms):
            return at_ms
    return 0


# --- By chance -----------------------------------------------------------------------------


_A_SECOND = constant(MICROS_PER_S)


@attrs.frozen
class CrashHazard:
    """Whenever a matching node is at a matching point, it crashes with probability `p`."""

    node: str = attrs.field(default="*", validator=validation.glob)
    point: str = attrs.field(default="*", validator=validation.glob)
    p: float = attrs.field(default=0.0, validator=validation.probability)
    down: DelayLaw = attrs.field(default=_A_SECOND, validator=validation.delay)
    mode: str = attrs.field(default="process", validator=validation.one_of(*MODES))


@attrs.frozen
class PauseHazard:
    """Every `every_ms`, a matching node is paused with probability `p`, for a while."""

    node: str = attrs.field(default="*", validator=validation.glob)
    every_ms: int = _whole(1_000, least=1)
    p: float = attrs.field(default=0.0, validator=validation.probability)
    lasting: DelayLaw = attrs.field(default=_A_SECOND, validator=validation.delay)


def _hazards(kind: Callable[..., Any]) -> Any:
    return attrs.field(
        default=(),
        converter=validation.as_tuple,
        validator=validation.each_of_type(kind),  # type: ignore[arg-type]
    )


@attrs.frozen
class Hazards:
    """Rates of what may go wrong, drawn at each choice; the first hazard that matches counts.

    Loss and duplication of messages are rates of their `Link`.
    """

    crash: tuple[CrashHazard, ...] = _hazards(CrashHazard)
    pause: tuple[PauseHazard, ...] = _hazards(PauseHazard)
