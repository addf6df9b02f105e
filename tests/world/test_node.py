"""Incarnations, clocks, disks and crash points: what a node loses and what it keeps."""

import gc

import pytest

from simulator.chance import Overlay, Replay, Seeded, Zero, constant
from simulator.errors import BadInput
from simulator.scenario.faults import (
    Crash,
    CrashHazard,
    DiskLoss,
    FaultPlan,
    Hazards,
    Pause,
    PauseHazard,
    Skew,
)
from simulator.scenario.scenario import Scenario
from simulator.trace.trace import Trace
from simulator.world.node import PowerCut
from simulator.world.world import World


def world_of(boot, *faults, chooser=None, hazards=None, **more):
    """One node called `n`, started; `boot` lives on it."""
    plan = FaultPlan(faults)
    scenario = Scenario(faults=plan, hazards=hazards or Hazards(), **more)
    door = Overlay(plan.deviations(), chooser or Zero())
    door.start()
    world = World(scenario, door, Trace())
    world.add("n", boot)
    return world


def kinds(world):
    return [event[0] for *_, event in world.trace.flat]


def test_a_crash_cuts_processes_and_timers_and_runs_no_finally():
    ran = []

    def live(node):
        try:
            yield node.sleep(5_000)
            ran.append("went on")
        finally:
            ran.append("finally")

    def boot(node):
        if node.incarnation == 0:
            node.start(live(node))
            node.after(5_000, ran.append, "timer")

    world = world_of(boot, Crash("n", at_ms=1, down_ms=1))
    world.nodes["n"].boot()
    world.nemesis.start()
    world.kernel.run(until=20_000)

    assert ran == []
    assert kinds(world)[:2] == ["node_crashed", "node_restarted"]


def test_what_the_dead_do_after_the_run_leaves_no_trace():
    """Their `finally` blocks run at last, when the run is over, behind a shut gate."""
    closed = []

    def live(node):
        try:
            yield node.sleep(1_000_000)
        finally:
            closed.append(node.record(("noted", "finally", "")))

    def boot(node):
        node.start(live(node))

    world = world_of(boot, Crash("n", at_ms=1, down_ms=1))
    world.run()

    assert closed == [-1, -1]
    assert "noted" not in kinds(world)


def test_a_generator_that_refuses_to_close_does_not_hold_up_the_end():
    def live(node):
        while True:
            try:
                yield node.sleep(1_000)
            except GeneratorExit:
                yield node.sleep(1)

    world = world_of(lambda node: node.start(live(node)), Crash("n", at_ms=1, down_ms=1))
    world.run()

    assert kinds(world)[-1] == "run_ended"


def test_each_incarnation_boots_with_the_disk_alone():
    boots = []

    def boot(node):
        journal = node.disk.journal("log")
        boots.append((node.incarnation, list(journal.facts)))
        journal.append("unflushed")
        if node.incarnation == 0:
            journal.flush()
            journal.append("after the flush")

    for fault, kept in (
        (Crash("n", at_ms=1, down_ms=1), ["unflushed", "after the flush"]),
        (Crash("n", at_ms=1, down_ms=1, mode="power"), ["unflushed"]),
        (DiskLoss("n", at_ms=1, down_ms=1), []),
    ):
        boots.clear()
        world_of(boot, fault).run()

        assert boots == [(0, []), (1, kept)], fault


def test_a_torn_write_is_a_choice_of_a_power_loss():
    def boot(node):
        if node.incarnation == 0:
            node.disk.journal("log").append("half")

    fault = Crash("n", at_ms=1, down_ms=1, mode="power")
    world = world_of(boot, fault, chooser=Replay({("torn@n", 0): 1}))
    world.run()

    assert world.nodes["n"].disk.journal("log").mend()


def test_a_paused_node_does_everything_later_and_in_order():
    done = []

    def boot(node):
        for name, at_us in (("a", 2_000), ("b", 3_000)):
            node.after(at_us, lambda name: done.append((name, node.kernel.now)), name)

    world_of(boot, Pause("n", at_ms=1, for_ms=9)).run()

    assert done == [("a", 10_000), ("b", 10_000)]


def test_a_crash_during_a_pause_ends_the_pause():
    done = []

    def boot(node):
        if node.incarnation == 0:
            node.after(2_000, done.append, "never")

    world = world_of(boot, Pause("n", at_ms=1, for_ms=9), Crash("n", at_ms=4, down_ms=2))
    world.run()

    assert done == []
    assert "node_resumed" not in kinds(world)


def test_a_nodes_timers_run_by_its_own_clock():
    """A clock that gains 10 % is early by a tenth; one that jumps does not move a sleep."""
    done = []

    def boot(node):
        node.after(2_000, lambda _: node.after(11_000, lambda _: done.append(node.now_us)))

    world = world_of(boot, Skew("n", at_ms=1, jump_ms=100, drift_ppm=100_000))
    world.run()
    (showed,) = done

    assert showed == 100_000 + 1_000 + (1_000 + 10_000) * 11 // 10


@pytest.mark.parametrize("drift_ppm", [-500, -1, 1, 500, 100_000])
def test_a_timer_on_a_drifting_clock_is_never_early(drift_ppm):
    """Who is woken early sets the timer again, for the microsecond that is left: for ever."""
    late = []

    def boot(node):
        def wait(due_us):
            late.append(node.now_us - due_us)
            if len(late) < 50:
                delay_us = len(late) % 7 + 1
                node.after(delay_us, wait, node.now_us + delay_us)

        node.after(2_000, lambda _: wait(node.now_us))

    world_of(boot, Skew("n", at_ms=1, jump_ms=0, drift_ppm=drift_ppm)).run()

    assert len(late) == 50
    assert set(late) <= {0, 1}


def test_a_point_that_can_never_strike_need_not_be_passed():
    """Where a plan or a hazard names the point, `crash_point` gives what passes it."""
    found = []

    def boot(node):
        found.append([node.crash_point("elsewhere"), node.crash_point("here")])
        node.crash_point("here")()

    world = world_of(boot, Crash("n", "here", nth=0))
    world.run()

    assert [elsewhere for elsewhere, _ in found] == [None] * len(found)
    assert kinds(world).count("node_crashed") == 1


def test_the_garbage_collector_is_as_before_after_a_run_that_failed_too():
    before = gc.get_threshold()
    during = []

    def boot(node):
        def fail(_):
            during.append(gc.get_threshold())
            raise LookupError

        node.after(1, fail)

    with pytest.raises(LookupError):
        world_of(boot).run()

    assert during[0][0] > before[0]
    assert gc.get_threshold() == before


def test_a_planned_crash_strikes_at_the_nth_time_of_its_point():
    passed = []

    def live(node):
        while True:
            if not node.point("after_process"):
                passed.append("struck")
                yield node.event()
            passed.append(node.kernel.now)
            yield node.sleep(1_000)

    def boot(node):
        if node.incarnation == 0:
            node.start(live(node))

    world = world_of(boot, Crash("n", "after_process", nth=2, down_ms=7, mode="power"))
    world.run()
    (crash,) = world.trace.of("node_crashed")
    (restart,) = world.trace.of("node_restarted")

    assert passed == [0, 1_000, "struck"]
    assert crash[4][1:] == ("power", "after_process")
    assert restart[1] - crash[1] == 7_000


def test_hazards_crash_by_chance_until_the_world_heals():
    def live(node):
        while True:
            if not node.point("here"):
                yield node.event()
            yield node.sleep(1_000)

    hazard = Hazards(crash=(CrashHazard(point="here", p=0.2, down=constant(500)),))
    world = world_of(
        lambda node: node.start(live(node)), chooser=Seeded(1), hazards=hazard, heal_after_ms=300
    )
    world.run()
    crashes = [entry[1] for entry in world.trace.of("node_crashed")]
    (healed,) = [entry[1] for entry in world.trace.of("faults_ended")]

    assert 30 < len(crashes) < 90
    assert healed == 300_000
    assert max(crashes) <= healed


def test_pause_hazards_stop_a_node_by_chance():
    hazard = Hazards(pause=(PauseHazard(every_ms=10, p=0.5, lasting=constant(1_000)),))
    world = world_of(lambda _: None, chooser=Seeded(1), hazards=hazard, heal_after_ms=1_000)
    world.run()

    assert 30 < len([entry for entry in world.trace.of("node_paused") if entry[2] == "n"]) < 70


def test_the_zero_chooser_makes_no_fault_of_any_hazard():
    hazard = Hazards(
        crash=(CrashHazard(p=0.9),), pause=(PauseHazard(every_ms=10, p=0.9),)
    )
    world = world_of(lambda node: node.point("x"), hazards=hazard, heal_after_ms=500)
    world.run()

    assert not world.trace.of("node_crashed", "node_paused")


def test_a_fault_that_names_an_unknown_node_is_refused_by_name():
    world = world_of(lambda _: None, Pause("m", at_ms=1, for_ms=1))
    with pytest.raises(BadInput, match="'m'"):
        world.run()


def test_two_nodes_of_one_name_are_refused():
    world = world_of(lambda _: None)
    with pytest.raises(BadInput, match="two nodes are called 'n'"):
        world.add("n", lambda _: None)


def test_a_power_cut_cannot_be_caught_as_an_error():
    assert not issubclass(PowerCut, Exception)


def test_a_run_ends_quiet_when_nothing_is_left_and_at_its_horizon_when_it_never_is():
    world = world_of(lambda _: None)
    world.run()
    assert world.trace.flat[-1][4] == ("run_ended", "quiet")

    busy = world_of(lambda _: None, horizon_ms=1_000, heal_after_ms=0)
    busy.at_rest = lambda: False
    busy.run()
    assert busy.trace.flat[-1][4] == ("run_ended", "horizon")
    assert busy.trace.flat[-1][1] == 1_000_000
