"""A check is a value: its name, what it promises, and how to begin watching.

Rule 1: a check reads the trace entry by entry and does constant work for each, so it judges a run
whose trace is not kept as it judges a kept one; `check(trace)` is the latter.
Rule 2: it draws nothing, changes nothing, and knows only what the entries say.
Rule 3: safety is judged in any prefix of a run; liveness only once the world has been healed and
given time, and otherwise it cannot tell.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import attrs

from simulator.checks.verdict import Verdict, combine
from simulator.errors import BadInput
from simulator.trace.trace import FlatEntry, Observer, Trace

SHOWN_MOST = 100  # Characters of what went wrong with a file's trace.

Answer = TypeVar("Answer")


@attrs.frozen
class Watching:
    """One run being watched: who is told of which kind of event, and the verdict at the end."""

    observers: Mapping[str, Observer]
    finish: Callable[[], Verdict]


@attrs.frozen
class Check:
    """A promise that can be judged.

    Args:
        name: as it is called in experiments and on the command line.
        promise: what it promises, as a sentence.
        start: begins to watch one run.
    """

    name: str
    promise: str
    start: Callable[[], Watching] = attrs.field(repr=False)

    def __call__(self, trace: Trace) -> Verdict:
        """Judge a kept trace.

        Raises:
            BadInput: the trace was not kept, so there is nothing to read.
        """
        if not trace.kept:
            fix = "keep it, or give watch()'s observers to the run"
            raise BadInput("the trace was not kept, and cannot be judged afterwards", self.name,
                           fix=fix)
        watching = self.start()
        feed(watching.observers, trace.flat)
        return watching.finish()


def feed(observers: Mapping[str, Observer], entries: Iterable[FlatEntry]) -> None:
    """Tell observers of entries that were recorded before."""
    find = observers.get
    for entry in entries:
        observer = find(entry[4][0])
        if observer is not None:
            observer(entry)


def watch(
    checks: Iterable[Check],
) -> tuple[list[tuple[str, Observer]], Callable[[], tuple[Verdict, ...]]]:
    """Begin to watch one run: the observers for its trace, and how to end.

    The observers go to `Trace(observers=...)` or `simulate(..., observers=...)`; the function
    gives a verdict for each check, in order, once the run is over.
    """
    watchings = [check.start() for check in checks]
    observers = [pair for watching in watchings for pair in watching.observers.items()]

    def finish() -> tuple[Verdict, ...]:
        return tuple(watching.finish() for watching in watchings)

    return observers, finish


def judge(trace: Trace, checks: Iterable[Check], where: str = "") -> tuple[Verdict, ...]:
    """A verdict for each check of a kept trace, in order.

    Args:
        where: the file that the trace was read from: what it tells may never have happened, and
            then a check need not make sense of it.

    Raises:
        BadInput: the trace was not kept; or a file tells what a check cannot make sense of.
    """
    if not where:
        return tuple(check(trace) for check in checks)
    return tuple(made_sense_of(where, check.name, check, trace) for check in checks)


def made_sense_of(
    where: str, whose: str, function: Callable[..., Answer], *arguments: object
) -> Answer:
    """What a function makes of a trace from a file.

    Raises:
        BadInput: it fails, so the entries are at odds with each other.
    """
    try:
        return function(*arguments)
    except BadInput:
        raise
    except Exception as error:  # What is at odds shows in as many ways as code relies on it.
        said = f"{type(error).__name__}: {error}".splitlines()[0][:SHOWN_MOST]
        fix = "its entries are at odds with each other; if no one changed it, the check is wrong"
        raise BadInput(f"{whose} cannot make sense of it:", where, said, fix) from error


def all_of(*checks: Check, name: str = "all") -> Check:
    """Several checks as one: it is kept if all are; broken beats cannot tell."""

    def start() -> Watching:
        pairs, finish = watch(checks)
        together: dict[str, list[Observer]] = {}
        for kind, observer in pairs:
            together.setdefault(kind, []).append(observer)
        observers = {kind: _each(told) for kind, told in together.items()}
        return Watching(observers, lambda: combine(finish(), name))

    return Check(name, " ".join(check.promise for check in checks), start)


def _each(observers: list[Observer]) -> Observer:
    if len(observers) == 1:
        return observers[0]

    def observe(entry: FlatEntry) -> None:
        for observer in observers:
            observer(entry)

    return observe
