"""The kernel's events against SimPy's own: a hundred things that happen again and again."""

from collections.abc import Generator
from functools import partial
from typing import Any

import simpy

from benchmarks.measuring import Case, Cost, Costs, cost, sized
from simulator.world.kernel import Kernel, Steps

EVENTS = 40_000
WIDTH = 100  # So many are on the heap together.


def raw_timeouts(events: int) -> None:
    """The base of all ratios: processes of plain SimPy, each in a loop of timeouts."""
    environment = simpy.Environment()

    def loop(delay: float) -> Generator[simpy.Event, Any, Any]:
        timeout = environment.timeout
        for _ in range(events // WIDTH):
            yield timeout(delay)

    for number in range(WIDTH):
        environment.process(loop(1 + number * 1e-4))
    environment.run()


def kernel_timeouts(events: int) -> None:
    """The same through the kernel's processes, in whole microseconds."""
    kernel = Kernel()

    def loop(delay_us: int) -> Steps:
        timeout = kernel.timeout
        for _ in range(events // WIDTH):
            yield timeout(delay_us)

    for number in range(WIDTH):
        kernel.process(loop(1_000_000 + number * 100))
    kernel.run()


def kernel_callbacks(events: int) -> None:
    """The same by callbacks, as messages and timers inside the simulator are."""
    kernel = Kernel()
    left = events

    def again(delay_us: int) -> None:
        nonlocal left
        left -= 1
        if left >= WIDTH:
            call_later(delay_us, again, delay_us)

    call_later = kernel.call_later
    for number in range(WIDTH):
        call_later(1_000_000 + number * 100, again, 1_000_000 + number * 100)
    kernel.run()


def base(size: float) -> Cost:
    """The cost of one timeout of raw SimPy."""
    events = sized(size, EVENTS, WIDTH)
    return cost(partial(raw_timeouts, events), events)


def processes_costs(size: float) -> Costs:
    """An event of a process, against the same in SimPy."""
    events = sized(size, EVENTS, WIDTH)
    return Costs(cost(partial(kernel_timeouts, events), events), base(size))


def callbacks_costs(size: float) -> Costs:
    """An event that is a callback, against a SimPy process's."""
    events = sized(size, EVENTS, WIDTH)
    return Costs(cost(partial(kernel_callbacks, events), events), base(size))


CASES = (
    Case("processes", "kernel timeouts in processes per raw SimPy timeout", 0.9, processes_costs),
    Case("callbacks", "kernel callbacks per raw SimPy timeout", 1.3, callbacks_costs),
)
