"""A source hands records over in time, whatever becomes of them, and goes on after a crash."""

import pytest

from simulator.errors import BadInput
from simulator.scenario.faults import Crash, Partition, Pause, Skew
from simulator.scenario.scenario import Scenario
from simulator.scenario.workload import WorkItem, Workload, steady
from simulator.study.simulate import simulate
from tests.clustered import BROKER, events, run, times_ms

WRITER = "writer"


def items(count, every_ms=100):
    return [
        WorkItem(number * every_ms * 1_000, "orders", None, "v", f"e{number}")
        for number in range(count)
    ]


def written(*faults, stream=None, settings=None, **more):
    def deploy(cluster):
        cluster.source(WRITER, items(4) if stream is None else stream, settings or {"linger.ms": 0})

    return run(None, *faults, deploy=deploy, **more)


def sent(trace):
    return [(entry[1] / 1_000, entry[4][1]) for entry in trace.of("record_sent")]


def test_each_record_is_handed_over_when_its_time_has_come():
    trace = written()

    assert sent(trace) == [(0, "e0"), (100, "e1"), (200, "e2"), (300, "e3")]
    assert events(trace, "workload_ended") == [(4,)]
    assert times_ms(trace, "workload_ended") == [300]


def test_arrivals_are_open_nobody_waits_for_acknowledgements():
    """The broker is out of reach all the time; the records are handed over none the less."""
    trace = written(Partition((WRITER,), (BROKER,), 0, 2_000), settings={"request.timeout.ms": 500})

    assert [at_ms for at_ms, _ in sent(trace)] == [0, 100, 200, 300]
    assert times_ms(trace, "record_acknowledged")[0] > 2_000


def test_where_it_stands_in_its_list_survives_a_crash_and_what_was_in_memory_does_not():
    """e1 was handed over before the crash and lingered; what came due meanwhile goes out at once.

    The first incarnation's e0 is in the log; nothing is handed over twice.
    """
    crash = Crash(WRITER, at_ms=150, down_ms=100)
    trace = written(crash, settings={"linger.ms": 90, "delivery.timeout.ms": 40_000})

    assert sent(trace) == [(0, "e0"), (100, "e1"), (250, "e2"), (300, "e3")]
    assert [event[0] for event in events(trace, "record_acknowledged")] == ["e0", "e2", "e3"]
    assert events(trace, "workload_ended") == [(4,)]
    assert events(trace, "run_ended") == [("quiet",)]


def test_a_crash_after_the_last_record_ends_the_load_once():
    trace = written(Crash(WRITER, at_ms=350, down_ms=100), Crash(WRITER, at_ms=600, down_ms=100))

    assert events(trace, "workload_ended") == [(4,)]
    assert len(sent(trace)) == 4


def test_the_load_lasts_until_the_last_record_was_handed_over_even_if_it_is_down_by_then():
    trace = written(Crash(WRITER, at_ms=250, down_ms=5_000))

    assert sent(trace)[-1] == (5_250, "e3")
    assert times_ms(trace, "workload_ended") == [5_250]


def test_a_drifting_clock_and_a_pause_do_not_change_how_much_is_handed_over():
    drifting = written(Skew(WRITER, 50, jump_ms=5_000, drift_ppm=500_000))
    paused = written(Pause(WRITER, 150, 100))

    assert [at_ms for at_ms, _ in sent(drifting)] == [0, 100, 200, 300]
    assert [at_ms for at_ms, _ in sent(paused)] == [0, 100, 250, 300]


def test_records_of_one_instant_are_handed_over_in_their_order():
    stream = [WorkItem(0, "orders", None, "v", name) for name in ("c", "a", "b")]
    trace = written(stream=stream)

    assert [event for _, event in sent(trace)] == ["c", "a", "b"]


def test_a_list_without_records_ends_its_load_at_once():
    trace = written(stream=[])

    assert events(trace, "workload_ended", "run_ended") == [(0,), ("quiet",)]


def test_a_run_is_not_over_before_everything_is_acknowledged_or_given_up():
    """The records linger for ten seconds, long after the load has ended."""
    trace = written(settings={"linger.ms": 10_000})

    assert times_ms(trace, "run_ended")[0] > 10_300
    assert len(events(trace, "record_acknowledged")) == 4


def test_several_sources_end_the_load_together():
    def deploy(cluster):
        cluster.source("one", items(2), {})
        cluster.source("two", items(5), {})

    trace = run(None, deploy=deploy)

    assert events(trace, "workload_ended") == [(7,)]
    assert times_ms(trace, "workload_ended") == [400]


def test_a_workload_is_its_own_stream():
    workload = Workload(events=3, arrivals=steady(10))

    trace = simulate(
        Scenario(
            application=lambda cluster: cluster.source(WRITER, workload, {}), workload=workload
        )
    )

    assert sent(trace) == [(0, "e1"), (100, "e2"), (200, "e3")]


def test_two_sources_of_one_name_are_refused():
    def deploy(cluster):
        cluster.source(WRITER, [], {})
        cluster.source(WRITER, [], {})

    with pytest.raises(BadInput, match="two nodes are called 'writer'"):
        run(None, deploy=deploy)
