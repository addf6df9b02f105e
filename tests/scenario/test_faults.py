"""A planned fault is a forced choice or a time; a hazard is a rate."""

import pickle

import pytest

from simulator.chance.laws import constant
from simulator.chance.witness import format_witness
from simulator.errors import BadInput
from simulator.scenario.faults import (
    Clog,
    Crash,
    CrashHazard,
    Delay,
    DiskLoss,
    Drop,
    Duplicate,
    FaultPlan,
    Hazards,
    Partition,
    Pause,
    PauseHazard,
    Skew,
)

LOST_ANSWER = Drop("broker-0", "orders-producer", "ProduceResponse")
AFTER_PROCESS = Crash("billing-0", "after_process", nth=2, down_ms=70)


def test_faults_of_messages_and_points_are_forced_choices():
    plan = FaultPlan(
        [
            LOST_ANSWER,
            Duplicate("a", "b", "FetchRequest", nth=1, later_ms=3),
            Delay("a", "b", "FetchRequest", nth=4, extra_ms=2),
            AFTER_PROCESS,
        ]
    )

    assert plan.deviations() == {
        ("drop@broker-0>orders-producer/ProduceResponse", 0): 1,
        ("duplicate@a>b/FetchRequest", 1): 3_001,
        ("delay@a>b/FetchRequest", 4): 2_000,
        ("crash@billing-0/after_process", 2): 1,
    }
    assert plan.timed == ()


def test_a_plan_reads_as_a_witness():
    assert format_witness(FaultPlan((LOST_ANSWER, AFTER_PROCESS)).deviations()) == (
        "drop@broker-0>orders-producer/ProduceResponse#0=1;crash@billing-0/after_process#2=1"
    )


TIMED = (
    Crash("broker-0", at_ms=5, down_ms=10),
    Pause("billing-0", 1, 2),
    Partition(("billing-*",), ("broker-0",), 3, 40),
    Clog("a", "*", 5, 6),
    Skew("billing-0", 900, jump_ms=-5, drift_ppm=100),
    DiskLoss("broker-0", 7, 8),
)


def test_faults_at_a_time_are_left_to_the_nemesis():
    plan = FaultPlan((LOST_ANSWER, *TIMED))

    assert plan.timed == TIMED
    assert list(plan.deviations()) == [("drop@broker-0>orders-producer/ProduceResponse", 0)]


@pytest.mark.parametrize(("fault", "ends_ms"), [*zip(TIMED, (15, 3, 40, 6, 900, 15), strict=True)])
def test_a_plan_ends_when_its_last_timed_fault_is_over(fault, ends_ms):
    assert FaultPlan((LOST_ANSWER, fault)).ends_ms == ends_ms
    assert FaultPlan((LOST_ANSWER,)).ends_ms == 0


def test_a_plan_is_iterated_and_added_to():
    plan = FaultPlan() + LOST_ANSWER + FaultPlan((AFTER_PROCESS,))

    assert list(plan) == [LOST_ANSWER, AFTER_PROCESS]
    assert len(plan) == 2
    with pytest.raises(BadInput, match="only a fault can be added to a plan: 'drop'"):
        plan + "drop"


def test_the_crashes_of_a_plan_say_how_long_and_how():
    plan = FaultPlan((LOST_ANSWER, AFTER_PROCESS, TIMED[0]))

    assert plan.crashes() == {("crash@billing-0/after_process", 2): AFTER_PROCESS}


def test_a_fault_stated_twice_is_one_and_a_contradiction_is_refused():
    again = FaultPlan((LOST_ANSWER, LOST_ANSWER))
    late = Delay("a", "b", "FetchRequest", extra_ms=1)

    assert len(again.deviations()) == 1
    with pytest.raises(BadInput, match="contradict each other at delay@a>b/FetchRequest#0"):
        FaultPlan((late, Delay("a", "b", "FetchRequest", extra_ms=2)))


def test_a_fault_has_a_class():
    classes = FaultPlan((LOST_ANSWER, AFTER_PROCESS, *TIMED)).fault_classes

    assert classes == ("drop", "crash", "pause", "delay", "skew", "disk")


@pytest.mark.parametrize(
    ("mode", "of"), [("process", "crash"), ("power", "disk"), ("disk", "disk")]
)
def test_what_a_power_cut_takes_was_written(mode, of):
    assert Crash("broker-0", at_ms=1, mode=mode).fault_class == of


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Crash("a"), "needs either a point or at_ms, and not both"),
        (lambda: Crash("a", "after_process", at_ms=3), "needs either a point or at_ms"),
        (lambda: Crash("a", at_ms=3, nth=1), "nth: counts points"),
        (lambda: Crash("a", "after_proces"), "did you mean 'after_process'"),
        (lambda: Crash("a", "after#1"), r"Crash\.point: is not a name: 'after#1'"),
        (lambda: Crash("a", at_ms=-1), r"Crash\.at_ms: .*from 0: -1 .*milliseconds"),
        (lambda: Crash("a", at_ms=1, mode="kill"), "mode: must be one of process, power, disk"),
        (lambda: Crash("billing-*", at_ms=1), "node: is not a name"),
        (lambda: Drop("a", "b", "ProduceResponce"), "did you mean 'ProduceResponse'"),
        (lambda: Drop("a", "b", "Produce Request"), "is not the name of a message"),
        (lambda: Drop("a", "b", "FetchRequest", -1), r"Drop\.nth: .*from 0: -1"),
        (lambda: Drop("a", "b", "FetchRequest", True), r"Drop\.nth: .*True"),
        (lambda: Drop("*", "b", "FetchRequest"), r"Drop\.source: is not a name: '\*'"),
        (lambda: Delay("a", "b", "FetchRequest", extra_ms=1.5), "extra_ms: .*1.5"),
        (lambda: Pause("a", 1, 0), r"Pause\.for_ms: must be a whole number from 1: 0"),
        (lambda: Partition(("a",), ("b",), 5, 5), "must be later than from_ms = 5, not: 5"),
        (lambda: Partition("ab", ("b",), 1, 5), "must be a tuple or a list: 'ab'"),
        (lambda: Partition((), ("b",), 1, 5), "must name at least one node"),
        (lambda: Clog("a", "b", 5, 3), "must be later than from_ms = 5, not: 3"),
        (lambda: Skew("a", 1, drift_ppm=-1_000_000), "drift_ppm: .*-1000000 .*millionths"),
        (lambda: FaultPlan(("drop",)), "must hold only values of Drop, Duplicate"),
        (lambda: FaultPlan(LOST_ANSWER), "must be a tuple or a list"),
        (lambda: CrashHazard(p=1.5), r"CrashHazard\.p: must be a probability"),
        (lambda: CrashHazard(p=float("nan")), r"CrashHazard\.p: must be a probability.*nan"),
        (lambda: CrashHazard(down=5), r"CrashHazard\.down: must be a delay law"),
        (lambda: PauseHazard(every_ms=0), "every_ms: .*from 1: 0"),
        (lambda: Hazards(crash=CrashHazard()), "must be a tuple or a list"),
        (lambda: Hazards(crash=(PauseHazard(),)), "must hold only values of CrashHazard"),
    ],
)
def test_what_cannot_be_meant_is_refused(make, said):
    with pytest.raises(BadInput, match=said):
        make()


def test_a_model_may_have_messages_and_points_of_its_own():
    assert Drop("a", "b", "PedestrianPressed").message == "PedestrianPressed"
    assert Crash("a", "store-3").point == "store-3"
    assert Crash("a", "between_lights").point == "between_lights"


def test_hazards_are_off_unless_asked_for():
    assert Hazards() == Hazards(crash=(), pause=())
    assert (CrashHazard().p, CrashHazard().down) == (0.0, constant(1_000_000))


def test_a_plan_without_some_faults_is_the_others():
    """What is in it twice goes once, and what is not in it cannot go."""
    plan = FaultPlan((LOST_ANSWER, AFTER_PROCESS, LOST_ANSWER))

    assert plan.without(()) == plan
    assert plan.without((LOST_ANSWER,)).faults == (LOST_ANSWER, AFTER_PROCESS)
    assert plan.without(plan) == FaultPlan()
    with pytest.raises(BadInput, match="is not in the plan"):
        plan.without((AFTER_PROCESS, AFTER_PROCESS))


def test_a_plan_pickles():
    plan = FaultPlan((LOST_ANSWER, AFTER_PROCESS, *TIMED))

    assert pickle.loads(pickle.dumps(plan)) == plan
