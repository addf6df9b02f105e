"""Sagas in a world: what becomes of orders, of their commands, and of those who wait."""

import pytest

from models.patterns.sagas.carrying_out import Conduct
from models.patterns.sagas.choreography import choreographed
from models.patterns.sagas.orchestration import PLACED, Orchestrating
from models.patterns.sagas.order_saga import CONFIRMED, OPENING, ORDER, Shop, order, shop_scenario
from models.patterns.sagas.reactions import first_time, restocking
from models.patterns.sagas.saga import saga
from models.patterns.sagas.saga_checks import (
    all_or_nothing,
    late_is_refused,
    one_command_a_step,
    sagas_end,
)
from models.patterns.sagas.saga_isolation import undisturbed
from simulator import Crash, FaultPlan, Seeded, simulate

STEPS = [step.name for step in ORDER]
MIXED = (order(1), order(2, "bob"), order(3, sku="lamp"), order(4, sku="lamp"))
STOCK_FIRST = saga(ORDER[2], ORDER[1], ORDER[3], ORDER[4])


def ends(trace):
    """The phase in which each saga ended."""
    rows = (entry[4] for entry in trace.of("effect_applied"))
    return {name: phase for _, table, name, phase, _ in rows if table == "sagas"}


def run(*orders, conduct=None, chooser=None, faults=(), opening=OPENING, **how):
    """A shop's run."""
    how.setdefault("sagas", {"order": ORDER})
    shop = Shop(
        orders, how=Orchestrating(**how), conduct=conduct or Conduct(), opening=opening
    )
    return simulate(shop_scenario(shop, faults=FaultPlan(tuple(faults))), chooser)


def test_an_order_is_refused_by_what_is_in_it():
    trace = run(*MIXED)

    assert ends(trace) == {
        "o-1": "completed", "o-2": "compensated", "o-3": "completed", "o-4": "compensated",
    }  # fmt: skip
    assert all_or_nothing(*STEPS)(trace)


def test_a_choreographed_order_comes_to_the_same_end():
    steps = [name for name in STEPS if name not in ("create_order", "pick", "approve")]
    for table in ({}, {"table": restocking(first_time)}):
        trace = simulate(choreographed(*MIXED, **table))

        assert ends(trace) == ends(run(*MIXED))
        assert all_or_nothing(*steps)(trace)


@pytest.mark.parametrize(
    "crash",
    [
        Crash("saga-0", "after_process", nth=1),
        Crash("saga-minder", "after_send", nth=1),
        Crash("stock-requests-0", "before_reply"),
        Crash("payment-requests-0", "before_commit"),
        Crash("shop", "before_send"),
        Crash("broker-0", "after_append", nth=3),
        Crash("stock-store", "after_append"),
        Crash("orders-store", "after_append", nth=4),
    ],
    ids=str,
)
def test_whoever_crashes_an_order_is_done_or_undone(crash):
    trace = run(order(1), faults=[crash])

    assert len(trace.of("node_crashed")) == 1
    for check in (sagas_end(), all_or_nothing(*STEPS), one_command_a_step, late_is_refused):
        assert check(trace)


def test_a_late_request_finds_its_tombstone():
    """The stock is away for longer than the saga waits; when it is back, it is told both."""
    trace = run(order(1), faults=[Crash("stock-requests-0", "before_process")])

    assert ends(trace) == {"o-1": "compensated"}
    assert late_is_refused(trace).reached > 0
    assert not [one for one in trace.of("effect_applied") if one[4][1] == "reserve_stock"]


def test_who_finds_a_lock_waits_and_then_gets_what_was_given_back():
    """Without the lock the second order is refused for an article that the first gives back."""
    orders = order(1, "bob", "lamp"), order(2, sku="lamp")
    sagas = {"order": STOCK_FIRST}

    without = run(*orders, sagas=sagas)
    locked = run(*orders, sagas=sagas, conduct=Conduct(locks=True))

    assert ends(without) == {"o-1": "compensated", "o-2": "compensated"}
    assert not undisturbed(without)
    assert ends(locked) == {"o-1": "compensated", "o-2": "completed"}
    assert undisturbed(locked)


def test_several_wait_for_one_lock_in_turn():
    orders = [order(number, sku="chair") for number in range(1, 4)]
    sagas = {"order": STOCK_FIRST}
    trace = run(*orders, sagas=sagas, conduct=Conduct(locks=True), patience_ms=None)

    assert set(ends(trace).values()) == {"completed"}
    free = [
        one[4][3].free for one in trace.of("effect_applied")
        if one[4][1:3] == ("resources", "chair")
    ]  # fmt: skip
    assert free[-1] == OPENING["chair"] - 3


def test_an_order_that_is_placed_twice_is_one_saga():
    trace = run(order(1), order(1))

    assert one_command_a_step(trace)
    assert sagas_end()(trace)


@pytest.mark.parametrize("seed", range(5))
def test_both_starters_are_needed_in_whatever_order(seed):
    trace = run(order(1), order(2), starters=(PLACED, CONFIRMED), chooser=Seeded(seed))

    assert set(ends(trace).values()) == {"completed"}
