"""SimPy as the kernel, with its traps closed: integer time, callbacks, honest exceptions.

1. Time is integer microseconds. With floats 0.1 + 0.2 comes after 0.3, and ties stop being ties.
2. Equal instants are first in, first out: the heap's key is (time, priority, number).
3. A message or a timer is a callback, not a process: `call_later` puts the function itself on
   the heap, which costs about half of a SimPy timeout.
4. SimPy rebuilds an exception from its `args` when it throws it on; that destroys keyword-only
   exceptions and the control flow of tools above us. Here the original object is thrown, and
   what is not an `Exception` leaves the run at once, untouched.
5. A cancelled timer never fires, and when dead entries outnumber the live ones they are purged.
   A world ends by its own word (`stop`), not by an empty heap, so the dead prolong no run.
6. Every event can be awaited, so a handler may be a generator or an `async def`.
7. An event budget ends a run that would never end, with a named error.

SimPy's `_queue`, `_eid`, `_now` and `_resume` are private: the dependency is pinned to 4.1, and
canary tests watch them.
"""

from collections.abc import Callable, Coroutine, Generator
from heapq import heapify, heappop, heappush
from itertools import repeat
from typing import Any

import simpy
from simpy.events import NORMAL, PENDING, Initialize

from simulator.errors import EventBudgetExceeded, UnsupportedAwaitable

DEFAULT_EVENT_BUDGET = 20_000_000
MOST_TURNS = 1_000_000  # So often may a process go on in one instant, without an event between.
PURGE_LEAST = 512  # Below this many dead entries a purge would cost more than it frees.

Steps = Generator[Any, Any, Any] | Coroutine[Any, Any, Any]
HeapEntry = tuple[int, int, int, Callable[[Any], None], Any]
Choose = Callable[[list[HeapEntry], HeapEntry], HeapEntry]  # Ties.choose: see ties.py.


class Event(simpy.Event):
    """An event of this world: `yield` it in a generator, `await` it in an `async def`."""

    __slots__ = ()

    callbacks: Any  # Those who wait for it; None once it has happened.

    def __await__(self) -> Generator["Event", Any, Any]:
        return (yield self)

    def succeed(self, value: Any = None) -> "Event":
        """Let it happen, at the end of what happens at this instant."""
        if self._value is not PENDING:
            raise RuntimeError(f"{self!r} has already been triggered")
        self._ok = True
        self._value = value
        kernel: Any = self.env
        heappush(kernel._queue, (kernel._now, NORMAL, next(kernel._eid), happen, self))
        return self

    def settle(self, value: Any = None) -> None:
        """Let it happen; where nobody waits for it yet, without a turn of its own on the heap."""
        if self.callbacks:
            self.succeed(value)
            return
        if self._value is not PENDING:
            raise RuntimeError(f"{self!r} has already been triggered")
        self._ok = True
        self._value = value
        self.callbacks = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # SimPy's shows an address, which differs every run.


class Timeout(Event):
    """An event that happens `delay_us` from now."""

    __slots__ = ()

    def __init__(self, kernel: "Kernel", delay_us: int, value: Any = None) -> None:
        self.env = kernel
        self.callbacks = []
        self._value = value
        self._ok = True
        if delay_us < 0:
            raise ValueError(f"a delay cannot be negative: {delay_us}")
        heappush(
            kernel._queue,
            (kernel._now + delay_us, NORMAL, next(kernel._eid), kernel._happen, self),
        )


class Gate:
    """Whether the steps of one incarnation of a node may run; shut for good by its crash."""

    __slots__ = ("held", "open", "owner")

    def __init__(self, owner: str = "") -> None:
        self.owner = owner  # The node's name: who acts, when an instant is everybody's.
        self.open = True
        self.held: list[tuple[Callable[[Any], None], Any]] | None = None  # A list while paused.


ALWAYS = Gate()


class Process(simpy.Process):
    """A SimPy process behind a gate: when the gate is shut its steps wait, or never come.

    The generator of a crashed process is not closed, because closing would run its `finally`
    blocks, and a power cut runs nothing.
    """

    def __init__(self, kernel: "Kernel", steps: Steps, gate: Gate, name: str) -> None:
        if not hasattr(steps, "throw"):
            raise UnsupportedAwaitable(
                f"{name}: a process is a generator or a coroutine, not {type(steps).__name__}"
            )
        self.env = kernel
        self.callbacks = []
        self._generator = steps  # type: ignore[assignment]
        self._gate = gate
        self._title = name
        self._target = Initialize(kernel, self)

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self)

    def __repr__(self) -> str:
        return f"<Process {self._title}>"

    def _resume(self, event: Any) -> None:
        """Run the generator to its next event."""
        gate = self._gate
        if not gate.open:
            if gate.held is not None:
                gate.held.append((self._resume, event))
            elif not event._ok:
                event._defused = True
            return
        kernel = self.env
        kernel._active_proc = self
        steps = self._generator
        turns = 0
        while True:
            try:
                if event._ok:
                    event = steps.send(event._value)
                else:
                    event._defused = True
                    event = steps.throw(event._value)
            except StopIteration as stop:
                self._finish(ok=True, value=stop.value)
                break
            except Exception as error:  # noqa: BLE001 - it is handed to whoever waits for us
                self._finish(ok=False, value=_translated(error, self._title))
                break
            try:
                waiting = event.callbacks
                if event.env is not kernel:
                    raise AttributeError
            except AttributeError:
                raise UnsupportedAwaitable(
                    f"{self._title} waits for {event!r}: only events of this run can be waited "
                    "for (a poll, a send, a store's answer, a sleep of the node)"
                ) from None
            if waiting is not None:
                waiting.append(self._resume)
                self._target = event
                break
            turns += 1
            if turns > MOST_TURNS:
                raise EventBudgetExceeded(
                    f"{self._title} went on {MOST_TURNS} times at {kernel._now} us of virtual "
                    "time: what it waits for has happened already (a poll with timeout 0?); let "
                    "time pass"
                )
        kernel._active_proc = None

    def _finish(self, *, ok: bool, value: Any) -> None:
        self._ok = ok
        self._value = value
        self._target = None  # type: ignore[assignment]
        self.env.schedule(self)


def _translated(error: Exception, name: str) -> Exception:
    """Asyncio's complaint that it has no loop, in words that help here."""
    if isinstance(error, RuntimeError) and "event loop" in str(error):
        wrong = UnsupportedAwaitable(
            f"{name} uses asyncio ({error}): there is no wall clock here; await the simulator's "
            "own events instead, such as node.sleep(...)"
        )
        wrong.__cause__ = error
        return wrong
    return error


class Timer:
    """A callback that can be called off: `cancel()`."""

    __slots__ = ("argument", "cancelled", "function", "gate", "kernel")

    def __init__(
        self, kernel: "Kernel", gate: Gate, function: Callable[[Any], None], argument: Any
    ) -> None:
        self.kernel = kernel
        self.gate = gate
        self.function = function
        self.argument = argument
        self.cancelled = False

    def cancel(self) -> None:
        """Never call; doing it twice, or after the call, is harmless."""
        if not self.cancelled:
            self.cancelled = True
            self.kernel.one_died()


def fire(timer: Timer) -> None:
    """Call a timer's function, unless it was called off or its incarnation is gone."""
    if timer.cancelled:
        timer.kernel.one_buried()
        return
    if timer.gate.open:
        timer.cancelled = True
        timer.function(timer.argument)
    elif timer.gate.held is not None:
        timer.gate.held.append((fire, timer))


class _Stop(Exception):
    """Ends `run` from inside."""


class Kernel(simpy.Environment):
    """The clock and the queue; `now` is in microseconds."""

    _now: int
    _queue: list[Any]  # (time, priority, number, function, argument)

    def __init__(self, *, event_budget: int = DEFAULT_EVENT_BUDGET) -> None:
        super().__init__(0)
        self._budget = event_budget
        self._dead = 0  # Cancelled timers that are still on the heap.
        self._happen = happen

    # SimPy binds these names to its own classes in the base class only.
    def event(self) -> Event:
        """An event that somebody will trigger."""
        return Event(self)

    def timeout(self, delay: int = 0, value: Any = None) -> Timeout:  # type: ignore[override]
        """An event that happens `delay` microseconds from now."""
        return Timeout(self, delay, value)

    def process(
        self, generator: Steps, gate: Gate = ALWAYS, name: str = "process"
    ) -> Process:
        """Start a process."""
        return Process(self, generator, gate, name)

    def schedule(  # type: ignore[override]
        self, event: simpy.Event, priority: int = NORMAL, delay: int = 0
    ) -> None:
        """Put a triggered event on the heap."""
        heappush(self._queue, (self._now + delay, priority, next(self._eid), happen, event))

    def call_later(self, delay_us: int, function: Callable[[Any], None], argument: Any) -> None:
        """Call `function(argument)` in `delay_us`; it cannot be called off."""
        heappush(self._queue, (self._now + delay_us, NORMAL, next(self._eid), function, argument))

    def timer(
        self, delay_us: int, gate: Gate, function: Callable[[Any], None], argument: Any
    ) -> Timer:
        """Call `function(argument)` in `delay_us`, unless it is cancelled or the gate shuts."""
        timer = Timer(self, gate, function, argument)
        heappush(self._queue, (self._now + delay_us, NORMAL, next(self._eid), fire, timer))
        return timer

    def again(self, timer: Timer, delay_us: int) -> None:
        """Set a timer that has fired once more, for `delay_us` from now."""
        assert timer.cancelled, "a timer that has not fired is on the heap already"
        timer.cancelled = False
        heappush(self._queue, (self._now + delay_us, NORMAL, next(self._eid), fire, timer))

    def step(self) -> None:
        """Make the next thing happen. Raises IndexError when there is none."""
        self._now, _, _, function, argument = heappop(self._queue)
        function(argument)

    def run(self, until: Any = None, choose: "Choose | None" = None) -> None:
        """Run until nothing is left, until a time (exclusive), or until `stop()`.

        Args:
            choose: who goes first where several things happen at one instant; by default the
                first come.

        Raises:
            EventBudgetExceeded: more events happened than the budget allows.
        """
        if until is not None:
            heappush(self._queue, (until, -1, next(self._eid), _stop, None))
        queue, pop = self._queue, heappop
        try:
            if choose is not None:
                self._run_choosing(choose)
                return
            for _ in repeat(None, self._budget):
                if not queue:
                    return
                self._now, _, _, function, argument = pop(queue)
                function(argument)
        except _Stop:
            return
        raise self._too_many()

    def _run_choosing(self, choose: "Choose") -> None:
        """As `run`, but where something else is due at the same instant, `choose` says what."""
        queue, pop = self._queue, heappop
        for _ in repeat(None, self._budget):
            if not queue:
                return
            entry = pop(queue)
            if queue and queue[0][0] == entry[0]:
                entry = choose(queue, entry)
            self._now, _, _, function, argument = entry
            function(argument)
        raise self._too_many()

    def _too_many(self) -> EventBudgetExceeded:
        return EventBudgetExceeded(
            f"more than {self._budget} events by {self._now} us of virtual time: raise "
            "event_budget, or look for something that never comes to rest"
        )

    def stop(self) -> None:
        """End the run: at once, or, when a process asks for it, once that has taken its step."""
        if self._active_proc is None:
            raise _Stop
        self.call_later(0, _stop, None)

    def forget(self) -> None:
        """Let go of all that was still to happen: nothing will run any more."""
        self._queue.clear()

    def one_died(self) -> None:
        """A timer on the heap was cancelled."""
        self._dead += 1
        if self._dead > PURGE_LEAST and self._dead * 2 > len(self._queue):
            self._queue[:] = [
                entry
                for entry in self._queue
                if not (entry[3] is fire and entry[4].cancelled)
            ]
            heapify(self._queue)
            self._dead = 0

    def one_buried(self) -> None:
        """A cancelled timer has left the heap."""
        if self._dead:
            self._dead -= 1


def happen(event: Any) -> None:
    """Tell those who wait for an event; a failure that nobody waits for ends the run."""
    callbacks, event.callbacks = event.callbacks, None
    for callback in callbacks:
        callback(event)
    if not event._ok and not hasattr(event, "_defused"):
        error = event._value
        raise error


def _stop(_: Any) -> None:
    raise _Stop


__all__ = [
    "ALWAYS",
    "DEFAULT_EVENT_BUDGET",
    "PENDING",
    "Event",
    "Gate",
    "Kernel",
    "Process",
    "Steps",
    "Timeout",
    "Timer",
]
