"""SimPy's traps, each closed, and the twin that shows the trap in stock SimPy where it is one."""

import asyncio
import gc
import inspect

import pytest
import simpy

from simulator.errors import EventBudgetExceeded, UnsupportedAwaitable
from simulator.world.kernel import PURGE_LEAST, Gate, Kernel, Process


class KeywordOnly(Exception):
    """An exception that cannot be built again from its args."""

    def __init__(self, *, site):
        super().__init__(f"at {site}")
        self.site = site


class ControlFlow(BaseException):
    """What a tool above the run uses to stop it."""


def test_equal_instants_happen_in_the_order_in_which_they_were_asked_for():
    """Integers: 100 + 200 is 300, whereas 0.1 + 0.2 comes after 0.3."""
    kernel, order = Kernel(), []

    def twice():
        yield kernel.timeout(100)
        yield kernel.timeout(200)
        order.append("second")

    def once():
        yield kernel.timeout(300)
        order.append("first")

    kernel.process(twice())
    kernel.process(once())
    kernel.run()

    assert order == ["first", "second"]
    assert type(kernel.now) is int


def test_callbacks_and_events_share_one_queue_in_fifo_order():
    kernel, order = Kernel(), []
    kernel.call_later(5, order.append, "callback")
    kernel.timeout(5).callbacks.append(lambda _: order.append("event"))
    kernel.call_later(5, order.append, "callback again")
    kernel.run()

    assert order == ["callback", "event", "callback again"]


def test_a_timer_that_has_fired_can_be_set_again():
    kernel, fired = Kernel(), []

    def due(name):
        fired.append((kernel.now, name))
        if len(fired) < 3:
            kernel.again(timer, 5)

    timer = kernel.timer(2, Gate(), due, "a")
    kernel.run()

    assert fired == [(2, "a"), (7, "a"), (12, "a")]


def test_an_event_happens_once():
    event = Kernel().event()
    event.succeed(1)

    with pytest.raises(RuntimeError, match="<Event> has already been triggered"):
        event.succeed(2)


def test_a_negative_delay_is_refused():
    with pytest.raises(ValueError, match="negative: -1"):
        Kernel().timeout(-1)


def test_what_a_process_raises_reaches_the_caller_as_the_same_object():
    """SimPy builds exceptions anew from their args, which these do not survive."""
    kernel = Kernel()
    original = KeywordOnly(site="x")

    def wrong():
        yield kernel.timeout(1)
        raise original

    kernel.process(wrong())
    with pytest.raises(KeywordOnly) as caught:
        kernel.run()

    assert caught.value is original


def test_stock_simpy_cannot_rebuild_such_an_exception():
    """The trap itself: were SimPy mended, the code that closes it could go."""
    env = simpy.Environment()

    def wrong():
        yield env.timeout(1)
        raise KeywordOnly(site="x")

    env.process(wrong())
    with pytest.raises(TypeError):
        env.run()


def test_a_failed_event_throws_its_own_exception_into_the_process():
    kernel, caught = Kernel(), []
    event = kernel.event()
    original = KeywordOnly(site="y")

    def waits():
        try:
            yield event
        except KeywordOnly as error:
            caught.append(error)

    kernel.process(waits())
    event.fail(original)
    kernel.run()

    assert caught == [original]


def test_control_flow_from_above_leaves_the_run_at_once_and_untouched():
    """Hypothesis stops a test case by raising a BaseException inside it."""
    kernel, later = Kernel(), []

    def draws():
        yield kernel.timeout(1)
        raise ControlFlow("stop")

    def catches_everything(process):
        try:
            yield process
        except BaseException:  # noqa: BLE001
            later.append("swallowed")

    kernel.process(catches_everything(kernel.process(draws())))
    kernel.call_later(2, later.append, "went on")
    with pytest.raises(ControlFlow):
        kernel.run()

    assert later == []


def test_a_failure_that_nobody_waits_for_ends_the_run():
    kernel = Kernel()
    kernel.event().fail(KeywordOnly(site="z"))
    with pytest.raises(KeywordOnly):
        kernel.run()


def test_a_closed_gate_ends_a_process_without_its_finally_blocks():
    """A crash is a power cut; SimPy's interrupt runs `finally`, and a collected generator too."""
    kernel, ran = Kernel(), []
    gate = Gate()

    def victim():
        try:
            yield kernel.timeout(10)
            ran.append("went on")
        finally:
            ran.append("finally")

    kept = kernel.process(victim(), gate, "victim")
    kernel.run(until=5)
    gate.open = False
    kernel.run()
    gc.collect()

    assert ran == []
    assert kept.is_alive


def test_stock_simpys_interrupt_runs_finally():
    env, ran = simpy.Environment(), []

    def victim():
        try:
            yield env.timeout(10)
        except simpy.Interrupt:
            return
        finally:
            ran.append("finally")

    process = env.process(victim())
    env.run(until=5)
    process.interrupt()
    env.run()

    assert ran == ["finally"]


def test_stock_simpys_interrupted_get_swallows_a_message():
    """Why there is no Store here: a message would be lost that no network lost."""
    env, got = simpy.Environment(), []
    store = simpy.Store(env)

    def reader(name):
        try:
            while True:
                message = yield store.get()
                got.append((name, message))
        except simpy.Interrupt:
            return

    first = env.process(reader("first"))

    def restart():
        yield env.timeout(1)
        first.interrupt()
        env.process(reader("second"))
        yield env.timeout(1)
        yield store.put("m0")
        yield store.put("m1")

    env.process(restart())
    env.run(until=10)

    assert got == [("second", "m1")]


def test_a_held_gate_makes_steps_wait_and_then_happen_in_order():
    kernel, order = Kernel(), []
    gate = Gate()

    def steps(name, delay):
        yield kernel.timeout(delay)
        order.append(name)

    kernel.process(steps("a", 1), gate, "a")
    kernel.process(steps("b", 2), gate, "b")
    kernel.timer(3, gate, order.append, "timer")

    def pause(_):
        gate.open, gate.held = False, []

    kernel.call_later(0, pause, None)
    kernel.run(until=10)
    assert order == []

    held, gate.held, gate.open = gate.held, None, True
    for function, argument in held:
        function(argument)
    kernel.run()

    assert order == ["a", "b", "timer"]


def test_a_cancelled_timer_does_not_fire():
    kernel, fired = Kernel(), []
    for number in range(2 * PURGE_LEAST):
        timer = kernel.timer(1_000_000, Gate(), fired.append, number)
        timer.cancel()
        timer.cancel()
    kernel.call_later(5, fired.append, "done")
    kernel.run()

    assert fired == ["done"]


def test_a_stopped_run_ends_at_once_whatever_is_still_on_the_heap():
    """So a cancelled timer, or the loser of a race, does not keep the clock running."""
    kernel = Kernel()
    kernel.timer(1_000_000, Gate(), print, None).cancel()
    kernel.call_later(5, lambda _: kernel.stop(), None)
    kernel.run()

    assert kernel.now == 5


def test_dead_timers_are_purged_when_they_outnumber_the_living():
    kernel = Kernel()
    for _ in range(10 * PURGE_LEAST):
        kernel.timer(1_000_000, Gate(), print, None).cancel()

    assert len(kernel._queue) <= PURGE_LEAST + 1


def test_an_endless_run_ends_by_its_event_budget():
    kernel = Kernel(event_budget=1_000)

    def again(_):
        kernel.call_later(1, again, None)

    kernel.call_later(1, again, None)
    with pytest.raises(EventBudgetExceeded, match="1000 events"):
        kernel.run()


def test_events_can_be_awaited():
    kernel, seen = Kernel(), []

    async def works():
        seen.append(await kernel.timeout(3, "value"))
        seen.append(await kernel.process(child(), name="child"))

    async def child():
        await kernel.timeout(4)
        return "from the child"

    kernel.process(works())
    kernel.run()

    assert seen == ["value", "from the child"]
    assert kernel.now == 7


async def _sleeps():
    await asyncio.sleep(1)


async def _yields_to_the_loop():
    await asyncio.sleep(0)


async def _gathers():
    work = _nothing()
    try:
        await asyncio.gather(work)
    finally:
        work.close()


async def _nothing():
    return None


def _yields_a_number():
    yield 3


def _yields_another_runs_event():
    yield Kernel().timeout(1)


@pytest.mark.parametrize(
    "steps",
    [_sleeps, _yields_to_the_loop, _yields_a_number, _yields_another_runs_event],
    ids=lambda steps: steps.__name__,
)
def test_anything_else_that_is_waited_for_gets_one_clear_error(steps):
    kernel = Kernel()
    kernel.process(steps(), name="handler")
    with pytest.raises(UnsupportedAwaitable, match="handler"):
        kernel.run()


@pytest.mark.filterwarnings("ignore:There is no current event loop:DeprecationWarning")
def test_gathering_on_an_asyncio_loop_is_refused():
    kernel = Kernel()
    kernel.process(_gathers(), name="handler")
    with pytest.raises((UnsupportedAwaitable, RuntimeError)):
        kernel.run()


def test_a_process_must_be_a_generator_or_a_coroutine():
    with pytest.raises(UnsupportedAwaitable, match="not int"):
        Kernel().process(3, name="wrong")


def test_no_text_of_an_event_shows_an_address():
    kernel = Kernel()
    assert "0x" not in repr(kernel.event())
    assert "0x" not in repr(kernel.process(_yields_a_number(), name="p"))


def test_simpys_private_parts_are_as_this_kernel_expects_them():
    """Canaries: a SimPy that changes these must be looked at before it is allowed."""
    assert simpy.__version__.startswith("4.1.")
    env = simpy.Environment()
    env.timeout(7)
    assert env._queue[0][:3] == (7, simpy.events.NORMAL, 0)
    assert env._now == 0
    assert "_resume" in vars(simpy.Process)
    assert list(inspect.signature(simpy.Process._resume).parameters) == ["self", "event"]
    assert issubclass(Process, simpy.Process)


def test_an_event_that_nobody_waits_for_is_settled_without_a_turn_of_its_own():
    """Whoever waits for it later goes on at once; who waits already is told in his turn."""
    kernel, told = Kernel(), []
    alone, awaited = kernel.event(), kernel.event()

    def waits(event):
        told.append((yield event))

    kernel.process(waits(awaited))
    kernel.run()
    alone.settle("alone")
    assert alone.processed
    assert not kernel._queue

    kernel.process(waits(alone))
    awaited.settle("awaited")
    kernel.run()

    assert told == ["alone", "awaited"]  # SimPy starts a process before ordinary events.


def test_an_event_is_settled_once():
    event = Kernel().event()
    event.settle()
    with pytest.raises(RuntimeError, match="already"):
        event.settle()
