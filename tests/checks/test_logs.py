"""Each anomaly of a log is named by its check, and what only looks like one is let pass."""

import pytest

from simulator.checks.logs import (
    acknowledged_is_read,
    failed_is_never_read,
    offsets_agree,
    polls_in_order,
    sends_in_order,
    stored_once,
)
from simulator.checks.verdict import Status
from simulator.trace.trace import Trace
from tests.tiny_traces import tiny

WRITTEN = ("c: assigned", "p: sent e1", "p: acked e1 5")


def sentences(verdict):
    return [one.sentence for one in verdict.evidence]


# --- Acknowledged is read: lost-write and unseen -------------------------------------------------


def test_what_is_acknowledged_and_polled_is_read():
    verdict = acknowledged_is_read(tiny(*WRITTEN, "c: polled e1 5", "quiet"))

    assert verdict
    assert verdict.reached == 1


def test_what_nobody_polled_is_unseen():
    verdict = acknowledged_is_read(tiny(*WRITTEN, "quiet"))

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (2,)
    assert sentences(verdict) == [
        "e1 was acknowledged (orders-0@5) and billing never polled it: unseen"
    ]


def test_what_its_readers_have_passed_is_lost():
    verdict = acknowledged_is_read(tiny(*WRITTEN, "c: polled e2 6", "quiet"))

    assert sentences(verdict)[0].endswith("never polled it: lost, for @6 was polled")


def test_what_another_record_took_the_place_of_is_lost():
    verdict = acknowledged_is_read(tiny(*WRITTEN, "c: polled e2 5", "quiet"))

    assert sentences(verdict)[0].endswith("never polled it: lost, for e2 lies there instead")


def test_a_record_without_a_known_offset_is_read_or_unseen():
    """acks=0: nobody told its producer where it lies."""
    blind = ("c: assigned", "p: sent e1", "p: acked e1 -1", "c: polled e0 7")

    assert acknowledged_is_read(tiny(*blind, "c: polled e1 8", "quiet"))
    assert sentences(acknowledged_is_read(tiny(*blind, "quiet")))[0].endswith(": unseen")


def test_a_record_is_read_wherever_it_lies_at_last():
    """Then offsets_agree or stored_once have something to say."""
    assert acknowledged_is_read(tiny(*WRITTEN, "c: polled e1 9", "quiet"))
    both = tiny(*WRITTEN, "c: polled e1 5", "c: revoked", "c: assigned", "c: polled e2 5", "quiet")
    assert acknowledged_is_read(both)


def test_each_group_reads_for_itself():
    trace = Trace()
    events = (
        ("c", ("partitions_assigned", "billing", 1, (("orders", 0),))),
        ("d", ("partitions_assigned", "audit", 1, (("orders", 0),))),
        ("p", ("record_acknowledged", "e1", "orders", 0, 5)),
        ("c", ("record_polled", "billing", "orders", 0, 5, "e1")),
        ("world", ("faults_ended",)),
        ("world", ("run_ended", "quiet")),
    )
    for number, (node, event) in enumerate(events):
        trace.record(number, node, (), event)
    verdict = acknowledged_is_read(trace)

    assert (verdict.cases, verdict.reached) == (1, 2)
    assert "audit never polled it" in sentences(verdict)[0]


def test_a_group_whose_only_reader_has_come_back_should_read():
    """Nothing was left for it to read when the run ended: so it was never given the partition."""
    came_back = ("c: assigned", "c: crashed", "p: acked e1 5", "c: restarted")

    assert not acknowledged_is_read(tiny(*came_back, "quiet"))
    gone = tiny(*came_back, "d: assigned", "d: revoked", "quiet")
    assert acknowledged_is_read(gone).why == "no group read to the end what was acknowledged"


@pytest.mark.parametrize("leaves", ["c: revoked", "c: lost", "c: crashed"])
def test_a_group_that_has_left_need_not_read(leaves):
    verdict = acknowledged_is_read(tiny("c: assigned", leaves, "p: acked e1 5", "quiet"))

    assert verdict
    assert "no group read to the end" in str(verdict)


def test_a_member_that_comes_back_must_read():
    back = ("c: assigned", "c: crashed", "c: restarted", "c: assigned")

    assert not acknowledged_is_read(tiny(*back, "p: acked e1 5", "quiet"))


def test_who_reads_without_having_been_assigned_must_go_on_reading():
    assert not acknowledged_is_read(tiny("p: acked e1 0", "p: acked e2 1", "c: polled e1 0",
                                         "quiet"))


def test_an_unread_partition_is_nobodys():
    assert acknowledged_is_read(tiny("c: assigned@1", "p: acked e1 5", "quiet")).reached == 0


def test_what_retention_or_the_cleaner_took_need_not_be_read():
    for took in ("b: trimmed 6", "b: cleaned 0 9 e1"):
        assert acknowledged_is_read(tiny(*WRITTEN, took, "c: polled e2 8", "quiet"))
    for spared in ("b: trimmed 5", "b: trimmed@1 6", "b: cleaned 0 9 e0"):
        assert not acknowledged_is_read(tiny(*WRITTEN, spared, "c: polled e2 8", "quiet"))


def test_a_cut_run_cannot_tell_what_will_yet_be_read():
    for ending in (["horizon"], [], ["quiet without healing"]):
        verdict = acknowledged_is_read(tiny(*WRITTEN, *ending))
        assert verdict.status is Status.CANNOT_TELL
        assert verdict.why


def test_without_any_reader_it_cannot_be_told():
    assert acknowledged_is_read(tiny("p: acked e1 5", "quiet")).status is Status.CANNOT_TELL


def test_a_run_without_records_reaches_nothing():
    assert acknowledged_is_read(tiny("c: assigned", "quiet")).reached == 0


def test_what_failed_or_was_never_answered_need_not_be_read():
    sent = ("c: assigned", "p: sent e1", "p: sent e2", "p: failed e1 maybe")

    assert acknowledged_is_read(tiny(*sent, "quiet")).reached == 0


def test_the_story_of_a_lost_record_tells_whose_log_counted():
    trace = tiny(
        "k: elected b0 0", "b0: leads 0", "c: assigned", "p: sent e1", "b0: appended 0 e1",
        "p: acked e1 0", "b1: replicated 0 e1", "k: in_sync b0", "b0: crashed power at",
        "k: elected b2 1 unclean", "p: sent e2", "b2: appended 0 e2", "p: acked e2 0",
        "b0: restarted", "b1: truncated 0 e1", "c: polled e2 0", "quiet",
    )  # fmt: skip

    assert [line[13:] for line in acknowledged_is_read(trace).explain(trace).splitlines()[3:]] == [
        "p sends it",
        "b0 appends it at orders-0@0; acknowledged (in sync: b0)",
        "b1 takes it over",
        "in sync on orders-0 now: b0",
        "b0 crashes (power), down until 0.014 s",
        "b2 is elected to lead orders-0 (unclean), without it",
        "b2 appends e2 at orders-0@0 instead",
        "b1 cuts its log at orders-0@0: it is gone",
        "nobody was ever given it",
    ]


# --- Offsets agree -------------------------------------------------------------------------------


def test_an_offset_that_holds_one_record_for_everybody_agrees():
    verdict = offsets_agree(tiny(*WRITTEN, "c: polled e1 5", "d: polled e1 5"))

    assert verdict
    assert verdict.reached == 2


@pytest.mark.parametrize("second", ["p: acked e2 5", "c: polled e2 5"])
def test_an_offset_that_holds_two_records_does_not(second):
    verdict = offsets_agree(tiny(*WRITTEN, second, "d: polled e2 5"))

    assert verdict.status is Status.BROKEN
    assert (verdict.cases, verdict.entries) == (1, (2, 3))
    assert sentences(verdict) == ["orders-0@5 holds e1, and e2 as well"]


def test_offsets_of_two_partitions_and_unknown_ones_have_nothing_in_common():
    assert offsets_agree(tiny("p: acked e1 5", "p: acked@1 e2 5")).reached == 0
    assert offsets_agree(tiny("p: acked e1 -1", "p: acked e2 -1")).reached == 0


# --- Stored once ---------------------------------------------------------------------------------


def test_an_event_that_is_polled_again_at_its_offset_is_stored_once():
    """Redelivery is not a duplicate in the log."""
    verdict = stored_once(tiny(*WRITTEN, "c: polled e1 5", "c: assigned", "c: polled e1 5",
                               "d: polled e1 5"))

    assert verdict
    assert verdict.reached == 1


@pytest.mark.parametrize("again", ["c: polled e1 6", "c: polled@1 e1 5", "p: acked e1 6"])
def test_an_event_at_two_offsets_is_stored_twice(again):
    verdict = stored_once(tiny(*WRITTEN, again, again))

    assert verdict.status is Status.BROKEN
    assert (verdict.cases, verdict.entries) == (1, (2, 3))
    assert sentences(verdict)[0].startswith("e1 lies at orders-0@5 and at orders-")


def test_an_unknown_offset_is_no_second_one():
    assert stored_once(tiny("p: acked e1 -1", "c: polled e1 5"))


def test_nothing_seen_is_nothing_judged():
    assert stored_once(tiny("p: sent e1", "b: appended 0 e1", "b: appended 1 e1")).reached == 0


# --- Sends in order ------------------------------------------------------------------------------

THREE = ("p: sent e1", "p: sent e2", "p: sent e3")


def test_growing_offsets_are_the_order_of_sending_whatever_lies_between():
    verdict = sends_in_order(tiny(*THREE, "p: acked e1 0", "p: acked e2 4", "p: acked e3 5"))

    assert verdict
    assert verdict.reached == 3


def test_acknowledgements_may_come_in_any_order():
    """And polls may come before them."""
    assert sends_in_order(tiny(*THREE, "c: polled e3 5", "p: acked e1 0", "p: acked e2 4"))


def test_a_record_behind_a_later_one_is_out_of_order():
    verdict = sends_in_order(tiny(*THREE, "p: acked e2 0", "p: acked e3 1", "p: acked e1 2"))

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (3, 5)
    assert sentences(verdict) == ["e1 was sent before e2, and lies behind it (@2, @0)"]
    assert verdict.evidence[0].event_ids == ("e1", "e2")


def test_two_in_the_middle_are_compared_too():
    verdict = sends_in_order(tiny(*THREE, "c: polled e3 9", "c: polled e1 5", "c: polled e2 3"))

    assert sentences(verdict) == ["e1 was sent before e2, and lies behind it (@5, @3)"]


def test_a_record_between_two_others_is_compared_with_both():
    verdict = sends_in_order(tiny(*THREE, "c: polled e1 1", "c: polled e3 2", "c: polled e2 7"))

    assert sentences(verdict) == ["e2 was sent before e3, and lies behind it (@7, @2)"]


def test_partitions_producers_and_incarnations_have_no_common_order():
    swapped = ("p: acked e2 0", "p: acked e1 1")

    assert not sends_in_order(tiny("p: sent e1", "p: sent e2", *swapped))
    assert sends_in_order(tiny("p: sent e1", "q: sent e2", *swapped))
    assert sends_in_order(tiny("p: sent e1", "p: crashed", "p: sent e2", *swapped))
    assert sends_in_order(tiny("p: sent e1", "p: sent e2", "p: acked e2 0", "p: acked@1 e1 1"))
    assert sends_in_order(tiny("p: sent e1", "p: sent e2", "p: acked e2 0", "p: acked e1 -1"))


def test_of_copies_the_first_that_is_known_counts():
    """That there are two is stored_once's matter."""
    assert sends_in_order(tiny("p: sent e1", "p: sent e2", "c: polled e1 0", "c: polled e2 1",
                               "p: acked e1 2"))


def test_of_an_event_that_was_sent_twice_nobody_can_tell_which_copy_is_which():
    again = ("p: sent e1", "p: sent e2", "p: sent e1", "p: acked e2 0", "p: acked e1 1")
    later = ("p: sent e1", "p: acked e1 0", "p: sent e2", "p: acked e2 1", "p: sent e1",
             "c: polled e1 0")

    assert sends_in_order(tiny(*again))
    assert sends_in_order(tiny(*later))


# --- Polls in order ------------------------------------------------------------------------------


def test_growing_offsets_without_anything_between_are_in_order():
    """A marker and what the cleaner took leave gaps that nobody knows a record of."""
    verdict = polls_in_order(tiny("p: acked e1 0", "c: polled e1 0", "c: polled e2 5", "quiet"))

    assert verdict
    assert verdict.reached == 2


def test_an_offset_that_does_not_grow_goes_back():
    verdict = polls_in_order(tiny("c: polled e2 7", "c: polled e1 3"))

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (0, 1)
    assert sentences(verdict) == ["c was given orders-0@3 after @7"]


@pytest.mark.parametrize("between", ["c: assigned", "c: revoked", "c: lost", "c: reset 3",
                                     "c: crashed", "c: found_cut 8 3"])
def test_with_a_new_beginning_a_member_may_go_back_or_on(between):
    known = ("p: acked e1 3", "p: acked e2 7", "p: acked e3 5")

    assert polls_in_order(tiny(*known, "c: polled e2 7", between, "c: polled e1 3"))
    assert polls_in_order(tiny(*known, "c: polled e1 3", between, "c: polled e2 7"))


KNOWN = ("p: acked e2 5", "d: polled e2 5")


@pytest.mark.parametrize("known", KNOWN)
def test_a_record_that_others_know_of_is_not_jumped_over(known):
    """Whether they have learnt of it before or after the jump."""
    jump = ("c: polled e1 4", "c: polled e3 6")
    before, after = polls_in_order(tiny(known, *jump)), polls_in_order(tiny(*jump, known))

    assert before.status is after.status is Status.BROKEN
    assert before.entries == after.entries == (0, 1, 2)
    assert sentences(before) == ["c jumped over e2 (orders-0@5): from @4 to @6"]
    assert before.evidence[0].event_ids == ("e2",)


def test_a_wide_jump_is_searched_for_what_is_known():
    verdict = polls_in_order(tiny("c: polled e1 0", "c: polled e3 1000000000", "p: acked e2 5"))

    assert verdict.cases == 1


def test_what_the_cleaner_or_retention_took_is_not_jumped_over():
    jump = ("p: acked e2 5", "c: polled e1 4", "c: polled e3 6")

    assert polls_in_order(tiny("b: cleaned 0 6 e2", *jump))
    assert polls_in_order(tiny("b: trimmed 6", *jump))


def test_members_and_partitions_have_positions_of_their_own():
    assert polls_in_order(tiny("c: polled e2 7", "d: polled e1 3", "c: polled@1 e0 0"))


def test_without_a_poll_no_order_is_judged():
    assert polls_in_order(tiny("p: acked e1 0")).reached == 0


# --- Failed is never read ------------------------------------------------------------------------

FAILED = ("p: sent e1", "p: failed e1")


def test_what_certainly_failed_and_is_not_polled_was_never_read():
    verdict = failed_is_never_read(tiny(*FAILED, "c: polled e2 0"))

    assert verdict
    assert verdict.reached == 1


def test_what_certainly_failed_and_is_polled_breaks_it():
    """Be it polled before its producer was told, or after."""
    for order in ((*FAILED, "c: polled e1 0"), ("p: sent e1", "c: polled e1 0", "p: failed e1")):
        verdict = failed_is_never_read(tiny(*order))
        assert verdict.status is Status.BROKEN
        assert verdict.entries == (1, 2)
        assert sentences(verdict) == [
            "e1 had certainly failed, and was given to billing (orders-0@0)"
        ]


def test_what_may_have_failed_may_be_read():
    verdict = failed_is_never_read(tiny("p: sent e1", "p: failed e1 maybe", "c: polled e1 0"))

    assert verdict
    assert "nothing failed for certain" in str(verdict)


def test_what_was_sent_again_may_be_read():
    """Only one of the tries has failed."""
    assert failed_is_never_read(tiny(*FAILED, "p: sent e1", "p: acked e1 0", "c: polled e1 0"))
    assert not failed_is_never_read(tiny(*FAILED, *FAILED, "c: polled e1 0"))


# --- Transactions --------------------------------------------------------------------------------


def of_a_transaction(*more, result="abort"):
    """e1 lies in a transaction at @5, which ends with @6; e2 behind it."""
    written = ("p: opened", "p: sent e1", "b: appended 5 e1", "p: acked e1 5")
    end = ("b: ended 6 " + result,) if result else ()
    return tiny("c: assigned", "c: polled e0 4", *written, *end, "p: sent e2", *more, "quiet")


def test_what_was_aborted_need_not_be_read():
    behind = ("p: acked e2 7", "c: polled e2 7")

    assert acknowledged_is_read(of_a_transaction(*behind))
    assert acknowledged_is_read(of_a_transaction(*behind, result="commit")).status is Status.BROKEN
    assert acknowledged_is_read(of_a_transaction(*behind, result="")).status is Status.BROKEN


def test_what_was_aborted_may_be_jumped_over():
    behind = ("p: acked e2 7", "c: polled e2 7")

    assert polls_in_order(of_a_transaction(*behind))
    assert polls_in_order(of_a_transaction(*behind, result="commit")).status is Status.BROKEN
    assert polls_in_order(of_a_transaction(*behind, result="")).status is Status.BROKEN


def test_what_was_aborted_and_written_again_lies_there_once():
    again = ("b: appended 7 e1", "p: acked e1 7")

    assert stored_once(of_a_transaction(*again, "b: ended 8 commit"))
    assert stored_once(of_a_transaction(*again))  # The second is not committed yet.
    both = of_a_transaction(*again, "b: ended 8 commit", result="commit")
    assert sentences(stored_once(both)) == ["e1 lies at orders-0@5 and at orders-0@7"]
    thrice = ("b: ended 8 commit", "b: appended 9 e1", "p: acked e1 9", "b: ended 10 commit")
    verdict = stored_once(of_a_transaction(*again, *thrice))
    assert sentences(verdict) == ["e1 lies at orders-0@7 and at orders-0@9"]
