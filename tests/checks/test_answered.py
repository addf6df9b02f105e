"""Records that were handed over, and what their producer heard of them."""

import pytest

from simulator.checks.answered import answered_at_last
from simulator.checks.verdict import Status
from simulator.trace.trace import Trace
from tests.tiny_traces import tiny

GIVEN_UP = ("record_failed", "e1", "orders", "REQUEST_TIMED_OUT", False)


def with_failure(failed, *after):
    """`p` hands e1 over, it fails so, and then the rest."""
    trace = Trace()
    rest = tiny(*after)
    trace.record(1, "p", (), ("record_sent", "e1", "orders", None))
    trace.record(2, "p", (), failed)
    for entry in rest.flat:
        trace.record(entry[1] + 2, entry[2], (), entry[4])
    return trace


def test_what_is_acknowledged_is_answered():
    verdict = answered_at_last(tiny("p: sent e1", "p: sent e2", "p: acked e1 0", "p: acked e2 1"))

    assert verdict.status is Status.KEPT
    assert verdict.reached == 2


@pytest.mark.parametrize("certain", ["certain", "uncertain"])
def test_a_refusal_is_an_answer(certain):
    """Also one after which nobody knows whether an earlier attempt was written."""
    assert answered_at_last(tiny("p: sent e1", f"p: failed e1 {certain}", "quiet"))


@pytest.mark.parametrize("error", ["REQUEST_TIMED_OUT", "NETWORK_EXCEPTION"])
def test_what_is_given_up_is_not_answered(error):
    """However the run ends: it will not come back."""
    failed = (*GIVEN_UP[:3], error, False)
    verdict = answered_at_last(with_failure(failed, "horizon"))

    assert verdict.status is Status.BROKEN
    assert verdict.evidence[0].sentence == f"e1 was handed over and given up ({error})"
    assert verdict.evidence[0].event_ids == ("e1",)
    assert verdict.entries == (0, 1)


def test_what_was_given_up_is_certain_though_others_may_be_answered_yet():
    """Broken beats unknown; and what is only waited for is no case, for nobody knows."""
    cut = answered_at_last(with_failure(GIVEN_UP, "p: sent e2", "horizon"))
    over = answered_at_last(with_failure(GIVEN_UP, "p: sent e2", "quiet"))

    assert (cut.status, cut.cases, cut.entries) == (Status.BROKEN, 1, (0, 1))
    assert (over.status, over.cases, over.entries) == (Status.BROKEN, 2, (0, 1, 2))


def test_what_is_handed_over_again_is_waited_for_again():
    assert answered_at_last(with_failure(GIVEN_UP, "p: sent e1", "p: acked e1 3", "quiet"))
    assert not answered_at_last(with_failure(GIVEN_UP, "p: sent e1", "quiet"))


def test_an_acknowledgement_may_come_after_it_was_given_up():
    assert answered_at_last(with_failure(GIVEN_UP, "p: acked e1 3", "quiet"))


def test_silence_at_the_end_is_no_answer():
    verdict = answered_at_last(tiny("p: sent e1", "quiet"))

    assert verdict.status is Status.BROKEN
    assert "never answered" in verdict.evidence[0].sentence


@pytest.mark.parametrize("ending", [(), ("horizon",), ("quiet without healing",)])
def test_who_still_waits_when_a_run_is_cut_may_be_answered_yet(ending):
    assert answered_at_last(tiny("p: sent e1", *ending)).status is Status.CANNOT_TELL


def test_nobody_waits_for_the_records_of_a_producer_that_crashed():
    assert answered_at_last(tiny("p: sent e1", "p: crashed", "quiet"))
    assert not answered_at_last(tiny("p: sent e1", "q: crashed", "quiet"))
