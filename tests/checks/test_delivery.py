"""Kept, broken and cannot tell, on traces written by hand."""

from simulator.checks.delivery import (
    never_applied_twice,
    never_delivered_twice,
    never_invented,
    never_lost,
)
from simulator.checks.verdict import Status
from tests.tiny_traces import tiny

SENT = ("p: sent e1 k", "c: assigned", "p: acked e1 5")
THROUGH = (*SENT, "c: polled e1 5", "s: applied e1 ledger")


# --- Lost --------------------------------------------------------------------------------------


def test_what_was_acknowledged_and_applied_is_not_lost():
    verdict = never_lost(tiny(*THROUGH, "quiet"))

    assert verdict
    assert verdict.reached == 1


def test_what_was_acknowledged_and_never_applied_is_lost():
    verdict = never_lost(tiny(*SENT, "c: polled e1 5", "quiet"))

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (2,)
    assert verdict.evidence[0].sentence == "e1 was acknowledged (orders-0@5) and never applied"


def test_an_effect_may_come_before_the_acknowledgement():
    assert never_lost(tiny("p: sent e1", "c: polled e1 5", "s: applied e1 t", "p: acked e1 5",
                           "quiet"))


def test_a_run_that_was_cut_cannot_tell_whether_a_record_is_lost():
    for ending in (["horizon"], [], ["quiet without healing"]):
        verdict = never_lost(tiny(*SENT, *ending))
        assert verdict.status is Status.CANNOT_TELL
        assert verdict.why


def test_a_run_that_was_cut_after_everything_arrived_is_kept():
    assert never_lost(tiny(*THROUGH, "horizon"))


def test_what_was_never_acknowledged_cannot_be_lost():
    verdict = never_lost(tiny("p: sent e1", "c: assigned", "quiet"))

    assert verdict
    assert verdict.reached == 0


def test_where_readers_change_no_table_a_finished_handler_counts():
    only_one = tiny("p: sent e1", "p: sent e2", "p: acked e1 5", "p: acked e2 6", "c: polled e1 5",
                    "c: processed e1 5", "c: processed e2 6 StoreTimeout", "quiet")
    verdict = never_lost(only_one)

    assert [one.event_ids for one in verdict.evidence] == [("e2",)]


def test_where_readers_change_tables_a_finished_handler_does_not_count():
    trace = tiny(*THROUGH, "p: sent e2", "p: acked e2 6", "c: processed e2 6", "quiet")

    assert [one.event_ids for one in never_lost(trace).evidence] == [("e2",)]


def test_what_was_aborted_was_taken_back_and_is_not_lost():
    """Its readers are never to be given it; of a transaction without an end it cannot be said."""
    sent = ("c: assigned", "p: opened", "p: sent e1", "b: appended 0 e1", "p: acked e1 0")

    assert never_lost(tiny(*sent, "b: ended 1 abort", "quiet"))
    assert not never_lost(tiny(*sent, "b: ended 1 commit", "quiet"))
    assert not never_lost(tiny(*sent, "quiet"))


def test_what_was_aborted_is_lost_if_it_was_committed_as_well():
    """The application handed it over twice, and was told of both."""
    sent = ("c: assigned", "p: opened", "p: sent e1", "b: appended 0 e1", "p: acked e1 0")
    again = ("p: sent e1", "b: appended 2 e1", "p: acked e1 2")

    assert not never_lost(tiny(*sent, "b: ended 1 abort", *again, "b: ended 3 commit", "quiet"))
    assert not never_lost(tiny(*sent, "b: ended 1 commit", *again, "b: ended 3 abort", "quiet"))
    assert never_lost(tiny(*sent, "b: ended 1 abort", *again, "b: ended 3 abort", "quiet"))


def test_a_topic_that_nobody_reads_is_outside_but_a_run_without_readers_is_undecided():
    elsewhere = tiny(*THROUGH, "quiet").flat
    unread = [entry for entry in elsewhere if entry[4][0] == "record_acknowledged"]
    audit = ("record_acknowledged", "e9", "audit", 0, 0)
    trace = tiny(*THROUGH)
    trace.record(9_000, "p", (), audit)
    for _, at_us, node, causes, event in tiny("quiet").flat:
        trace.record(at_us, node, causes, event)

    assert unread
    assert never_lost(trace).reached == 1
    assert never_lost(trace)
    assert never_lost(tiny("p: sent e1", "p: acked e1 0", "quiet")).status is Status.CANNOT_TELL


# --- Twice -------------------------------------------------------------------------------------


def test_a_record_that_is_polled_once_is_not_delivered_twice():
    assert never_delivered_twice(tiny("c: polled e1 5", "c: polled e2 6"))


def test_a_record_that_is_polled_again_is_delivered_twice_to_its_group():
    verdict = never_delivered_twice(tiny("c: polled e1 5", "d: polled e1 5", "d: polled e1 9"))

    assert not verdict
    assert verdict.cases == 2
    assert verdict.evidence[1].entries == (0, 2)


def test_other_groups_have_deliveries_of_their_own():
    trace = tiny("c: polled e1 5")
    trace.record(9, "d", (), ("record_polled", "shipping", "orders", 0, 5, "e1"))

    assert never_delivered_twice(trace)


def test_an_effect_in_a_second_transaction_is_applied_twice():
    verdict = never_applied_twice(tiny("s: applied e1 ledger", "c: polled e1 5",
                                       "s: applied e1 ledger"))

    assert not verdict
    assert verdict.entries == (0, 2)


def test_each_table_and_each_event_may_be_changed_once():
    assert never_applied_twice(
        tiny("s: applied e1 ledger", "s: applied e1 stock", "s: applied e2 ledger")
    )


def test_rows_of_one_transaction_are_one_application():
    assert never_applied_twice(tiny("s: applied e1 ledger alice", "s: applied e1 ledger bob"))


def test_the_same_row_twice_is_no_single_transaction():
    """Transactions of a plain function may follow one another without anything in between."""
    assert not never_applied_twice(tiny("s: applied e1 ledger alice", "s: applied e1 ledger alice"))


def test_a_second_transaction_counts_once_whichever_of_its_tables_repeats():
    verdict = never_applied_twice(tiny(
        "s: applied e1 ledger", "c: polled e1 5", "s: applied e1 stock", "s: applied e1 ledger",
        "c: polled e1 5", "s: applied e1 stock", "s: applied e1 ledger"))  # fmt: skip

    assert verdict.cases == 2


def test_effects_on_behalf_of_no_event_are_nobodys():
    trace = tiny()
    for _ in range(2):
        trace.record(0, "s", (), ("effect_applied", "ledger", "k", 1, ""))

    assert never_applied_twice(trace).reached == 0


def test_without_an_effect_it_says_that_it_reached_nothing():
    verdict = never_applied_twice(tiny("quiet"))

    assert verdict
    assert "nothing was there to be judged" in str(verdict)


# --- Invented ----------------------------------------------------------------------------------


def test_what_was_sent_may_be_polled_and_applied():
    assert never_invented(tiny(*THROUGH)).reached == 2


def test_what_nobody_sent_is_invented_wherever_it_appears():
    verdict = never_invented(tiny("c: polled e1 5", "p: sent e1", "s: applied e2 ledger"))

    assert not verdict
    assert [one.event_ids for one in verdict.evidence] == [("e1",), ("e2",)]
