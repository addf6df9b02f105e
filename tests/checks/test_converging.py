"""What replicas hold when all has come to rest."""

import pytest

from simulator.checks.converging import replicas_converge
from simulator.checks.replication import replicas_agree
from simulator.checks.verdict import Status
from tests.tiny_traces import tiny

PARTED = (
    "b0: leads 0", "b0: appended 0 e1 e2", "b1: replicated 0 e1 e3", "b0: mark 2", "b1: mark 2"
)  # fmt: skip
MENDED = ("b1: truncated 1 e3", "b1: replicated 1 e2", "b1: mark 2")


def test_replicas_that_hold_the_same_have_converged():
    lines = (*PARTED[:2], "b1: replicated 0 e1 e2", *PARTED[3:], "quiet")
    verdict = replicas_converge(tiny(*lines))

    assert verdict.status is Status.KEPT
    assert verdict.reached == 2


def test_replicas_that_hold_different_records_at_last_have_parted():
    verdict = replicas_converge(tiny(*PARTED, "quiet"))

    assert verdict.status is Status.BROKEN
    assert verdict.evidence[0].sentence == "orders-0@1 is e2 on b0, and e3 on b1 at last"
    assert verdict.evidence[0].event_ids == ("e2", "e3")
    assert verdict.cases == 1


def test_what_was_mended_in_time_is_no_harm():
    """Where the stricter check counts the moment before."""
    trace = tiny(*PARTED, *MENDED, "quiet")

    assert replicas_converge(trace).status is Status.KEPT
    assert replicas_agree(trace).status is Status.BROKEN


@pytest.mark.parametrize("ending", [(), ("horizon",)])
def test_replicas_that_have_parted_may_still_be_mended_when_a_run_is_cut(ending):
    assert replicas_converge(tiny(*PARTED, *ending)).status is Status.CANNOT_TELL


def test_only_what_both_believe_committed_counts():
    assert replicas_converge(tiny(*PARTED[:4], "b1: mark 1", "quiet"))


def test_a_broker_that_is_down_holds_nothing():
    assert replicas_converge(tiny(*PARTED, "b1: crashed", "quiet"))


def test_a_gap_agrees_with_everything():
    """A marker, or what a cleaner took of one of the two."""
    verdict = replicas_converge(
        tiny("b0: appended 0 e1", "b0: appended 2 e3", "b1: replicated 0 e1 e2 e3", "b0: mark 3",
             "b1: mark 3", "quiet")
    )  # fmt: skip

    assert verdict.status is Status.KEPT
