"""Your own handler, put through every crash: three properties, a line each.

idempotent         an event that is handled again, wholly or from the middle, changes nothing more
exactly_once       ... as far as crashes make it be handled again; and effects are counted
order_insensitive  events of different keys may come in any order

    from simulator.testing import idempotent

    def make_handler(store):             # called at each start of the process
        def handle(record):              # record.key, record.value, record.event_id, ...
            store[record.key] = store.get(record.key, 0) + 1
        return handle

    def test_my_handler():
        idempotent(make_handler).check()

Rule 1: what is compared is the state of the store when all is handled, with that of a run in which
nothing went wrong. Nothing is known of what your handler should do.
Rule 2: all schedules of no fault are tried, then all of one, and so on: what is found first needs
the fewest. Then fewer events are tried, from one up: what is shown is the smallest.
Rule 3: "kept" says within which scope, and how many runs that were. Where nothing was put to the
test (no event handled, no crash met, no state changed) it cannot be told.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from simulator.testing.attempts import Property, decide
from simulator.testing.events import Log, by_key, doublings, interleavings
from simulator.testing.outcome import Outcome
from simulator.testing.played import Subject, must_be_called
from simulator.testing.states import State

CRASHES = 2
RUNS_MOST = 2_000


def idempotent(
    make_handler: Callable[..., Any],
    *,
    events: Any = 3,
    store: Callable[[], Any] | None = dict,
    state: State | None = None,
    crash: Callable[[Any], Any] | None = None,
    crashes: int = CRASHES,
    doubled: bool = True,
    most: int = RUNS_MOST,
    witness: str | None = None,
    stores: Sequence[str] = ("ledger",),
) -> Outcome:
    """Whether handling an event again changes nothing.

    Args:
        make_handler: called at each start of the process with the store; it gives the handler: a
            plain function, a generator function or an `async def` of a record. With a second
            parameter it is given the `Context` as well; without a store of its own, only that.
        events: what is in the log: how many, or a list of (key, value), or a Hypothesis strategy
            of such lists. A value is text, bytes, or a dict, which is written as JSON; an
            "event_id" in it is the event's.
        store: opens a new, empty store; None: the handler uses the simulator's, by the Context.
        state: what of the store is compared; by default all of it.
        crash: given the store at a crash, what is left of it; by default all, and of an sqlite3
            connection what was committed.
        crashes: at most so many in a run.
        doubled: also put each event into the log twice, as a retry of its producer does.
        most: so many runs at most; then the verdict says how far they reached.
        witness: try this one schedule only: the line that a failure printed.
        stores: names of the simulator's stores that there are, if `store` is None.

    Raises:
        BadInput: the events, the store, the witness or a function cannot be used.
        Exception: what the handler raises although nothing went wrong.
    """
    subject = Subject(make_handler, store, state, crash, tuple(stores))
    variants = doublings if doubled else _as_it_is
    asked = Property("idempotent", subject, variants, crashes, most, varied_crashes=min(crashes, 1))
    return decide(asked, events, witness)


def exactly_once(
    make_handler: Callable[..., Any],
    *,
    events: Any = 3,
    store: Callable[[], Any] | None = dict,
    effects: Callable[[Any], Iterable[Any]] | None = None,
    state: State | None = None,
    crash: Callable[[Any], Any] | None = None,
    crashes: int = CRASHES,
    most: int = RUNS_MOST,
    witness: str | None = None,
    stores: Sequence[str] = ("ledger",),
) -> Outcome:
    """Whether each event takes effect once, however its consumer crashes.

    A handler that remembers offsets keeps this, and is not idempotent: the same event at another
    offset is new to it.

    Args:
        effects: given the store, the effects that were had (payments, mails, rows), as a list in
            any order. By default the whole state is the effect.

    The others, and what is raised, are those of `idempotent`.
    """
    looked = state if effects is None else _counted(effects)
    subject = Subject(make_handler, store, looked, crash, tuple(stores))
    asked = Property("exactly_once", subject, _as_it_is, crashes, most, effects=effects is not None)
    return decide(asked, events, witness)


def order_insensitive(
    make_handler: Callable[..., Any],
    *,
    by: Callable[[Any], Any] | None = by_key,
    events: Any = 4,
    store: Callable[[], Any] | None = dict,
    state: State | None = None,
    crash: Callable[[Any], Any] | None = None,
    crashes: int = 0,
    most: int = RUNS_MOST,
    witness: str | None = None,
    stores: Sequence[str] = ("ledger",),
) -> Outcome:
    """Whether events may come in another order, as long as those of one key keep theirs.

    That is what a topic of several partitions promises. State which is a list of what came will
    differ: say by `state` what of it counts.

    Args:
        by: given an event (its key, value, event_id), what it shares with those that stay in
            order with it; by default its key. None: nothing, so that any order may come.

    The others, and what is raised, are those of `idempotent`.
    """
    subject = Subject(make_handler, store, state, crash, tuple(stores))
    if by is not None:
        must_be_called("by", by, "give a function of an event, or None")

    def variants(log: Log) -> Iterable[Log]:
        return interleavings(log, by)

    asked = Property(
        "order_insensitive", subject, variants, crashes, most, varied_crashes=crashes, orders=True
    )
    return decide(asked, events, witness)


def _as_it_is(_: Log) -> Iterable[Log]:
    return ()


def _counted(effects: Callable[[Any], Iterable[Any]]) -> State:
    must_be_called("effects", effects, "give a function of the store")
    return lambda store: sorted(repr(one) for one in effects(store))


__all__ = ["exactly_once", "idempotent", "order_insensitive"]
