"""How long a transaction may hold up who reads committed records only."""

import pytest

from simulator.checks.stable import LIMIT_MS, stable_offset_moves, stable_offset_moves_within
from simulator.checks.verdict import Status
from simulator.trace.trace import Trace

BEGAN = ("app", ("transaction_began", "pay", 7, 0))
QUIET = ("world", ("run_ended", "quiet"))
HEALED = ("world", ("faults_ended",))
SOON = stable_offset_moves_within(50)


def wrote(*event_ids, producer_id=7):
    return "b", ("batch_appended", "bills", 0, 3, event_ids, producer_id, 0, 0)


def marker(result="commit"):
    return "b", ("transaction_marker_written", "bills", 0, 4, 7, 0, result)


def at(*steps):
    """A trace of (ms, (node, event))."""
    trace = Trace()
    for at_ms, (node, event) in steps:
        trace.record(at_ms * 1_000, node, (), event)
    return trace


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (((1, wrote("e1")), (50, marker()), (90, QUIET)), Status.KEPT),
        (((1, wrote("e1")), (50, marker("abort")), (90, QUIET)), Status.KEPT),
        (((1, wrote("e1")), (52, marker()), (90, QUIET)), Status.BROKEN),
        (((1, wrote("e1")), (90, QUIET)), Status.BROKEN),  # It never ends.
        (((1, wrote("e1")), (40, QUIET)), Status.CANNOT_TELL),
        (((1, wrote("e1")),), Status.CANNOT_TELL),  # Nor is it told how the run ended.
        (((1, wrote("e1", producer_id=8)), (90, QUIET)), Status.KEPT),  # In no transaction.
    ],
)
def test_a_transaction_ends_in_time(steps, status):
    assert SOON(at((0, BEGAN), (0, HEALED), *steps)).status is status


def test_time_runs_from_when_all_was_healed():
    late = ((0, BEGAN), (1, wrote("e1")), (80, HEALED), (100, marker()), (110, QUIET))

    assert SOON(at(*late))


def test_while_faults_last_nothing_is_too_late():
    trace = at((0, BEGAN), (1, wrote("e1")), (100, QUIET))

    assert SOON(trace).status is Status.CANNOT_TELL


def test_what_holds_readers_up_is_told():
    trace = at((0, HEALED), (0, BEGAN), (1, wrote("e1", "e2")), (90, marker()), (95, QUIET))
    verdict = SOON(trace)

    assert verdict.entries == (2, 3)
    said = "a transaction of pay holds bills-0@3 up for 0.089 s, until it ended"
    assert verdict.evidence[0].sentence == said
    assert said in verdict.explain(trace)


def test_by_itself_it_waits_as_long_as_a_coordinator_may():
    """transaction.max.timeout.ms is a quarter of an hour."""
    open_long = ((0, BEGAN), (0, HEALED), (1, wrote("e1")))

    assert not stable_offset_moves(at(*open_long, (LIMIT_MS + 2, QUIET)))
    assert stable_offset_moves(at(*open_long, (900_000, marker()), (LIMIT_MS + 2, QUIET)))
