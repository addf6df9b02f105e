"""Replicas that disagree, what was committed and is gone, two leaders, a falling high watermark."""

import pytest

from simulator.checks.replicas import Replica
from simulator.checks.replication import (
    committed_is_kept,
    high_watermark_never_falls,
    one_leader_an_epoch,
    replicas_agree,
)
from simulator.checks.verdict import Status
from tests.tiny_traces import tiny


def sentences(verdict):
    return [one.sentence for one in verdict.evidence]


# --- A replica -----------------------------------------------------------------------------------


def test_a_log_is_what_was_appended_and_not_cut_or_deleted():
    log = Replica("b0")
    log.append(0, ("e1", "e2", "e3"), 7)
    log.append(5, ("e6",), 8)
    log.begin(1)
    log.cut(6)

    assert (log.start, log.end) == (1, 6)
    assert log.between(1, 6) == ["e2", "e3", None, None, "e6"]
    assert (log.event_at(0), log.event_at(1), log.event_at(6)) == (None, "e2", None)
    assert (log.seq_at(2), log.seq_at(5), log.seq_at(6)) == (7, 8, -1)


def test_what_is_written_twice_is_what_was_written_last():
    log = Replica("b0")
    log.append(0, ("e1", "e2"), 1)
    log.append(1, ("e3",), 2)

    assert log.between(0, 2) == ["e1", "e3"]


# --- Replicas agree ------------------------------------------------------------------------------

LEADER = ("b0: leads 0", "b0: appended 0 e1 e2")
BOTH = (*LEADER, "b1: replicated 0 e1 e2", "b0: mark 2", "b1: mark 2")


def test_replicas_that_hold_the_same_agree():
    verdict = replicas_agree(tiny(*BOTH))

    assert verdict
    assert verdict.reached == 2


def test_replicas_that_hold_different_records_disagree():
    """Two leaders wrote at one offset, and both believe that it is committed."""
    trace = tiny(*LEADER, "b1: replicated 0 e1", "b1: leads 1", "b1: appended 1 e3", "b1: mark 2",
                 "b0: mark 2", "b0: mark 2")  # fmt: skip
    verdict = replicas_agree(trace)

    assert verdict.status is Status.BROKEN
    assert (verdict.cases, verdict.reached, verdict.entries) == (1, 2, (1, 4, 6))
    assert sentences(verdict) == [
        "orders-0@1 is e2 on b0, and e3 on b1, below both high watermarks"
    ]
    assert verdict.evidence[0].event_ids == ("e2", "e3")


def test_above_a_high_watermark_replicas_may_differ():
    assert replicas_agree(tiny(*LEADER, "b1: appended 0 e1 e3", "b0: mark 2", "b1: mark 1"))


def test_what_was_cut_does_not_disagree_and_what_is_written_instead_is_compared():
    cut = (*BOTH, "b1: truncated 1 e2", "b1: replicated 1 e3")

    assert replicas_agree(tiny(*cut))
    assert not replicas_agree(tiny(*cut, "b1: mark 2"))


def test_a_high_watermark_beyond_the_log_counts_when_the_log_has_come_so_far():
    early = (*LEADER, "b0: mark 2", "b1: mark 2")

    assert replicas_agree(tiny(*early, "b1: replicated 0 e1 e2")).reached == 2
    assert not replicas_agree(tiny(*early, "b1: replicated 0 e1 e3"))


def test_a_hole_where_another_has_a_record_is_a_disagreement():
    verdict = replicas_agree(tiny("b0: appended 0 e1 e2 e3", "b1: replicated 0 e1",
                                  "b1: replicated 2 e3", "b0: mark 3", "b1: mark 3"))

    assert sentences(verdict) == [
        "orders-0@1 is e2 on b0, and a gap on b1, below both high watermarks"
    ]


def test_markers_leave_the_same_gap_everywhere():
    logs = ("b0: appended 0 e1", "b0: appended 2 e2", "b1: replicated 0 e1", "b1: replicated 2 e2")

    assert replicas_agree(tiny(*logs, "b0: mark 3", "b1: mark 3"))


def test_what_one_cleaner_took_the_other_may_still_have():
    """Or a follower took the log over when it had been cleaned."""
    marks = ("b0: mark 3", "b1: mark 3")
    leader = ("b0: appended 0 e1 e2 e3", "b0: cleaned 0 3 e1 e2")

    assert replicas_agree(tiny(*leader, "b1: replicated 0 e1 e2 e3", *marks))
    assert replicas_agree(tiny(*leader, "b1: replicated 2 e3", *marks))
    assert replicas_agree(tiny(*leader, "b1: replicated 0 - - e3", *marks)).reached == 3


def test_retention_may_have_come_to_different_offsets():
    assert replicas_agree(tiny(*BOTH, "b0: trimmed 1", "b0: appended 2 e3", "b1: replicated 2 e3",
                               "b0: mark 3", "b1: mark 3")).reached == 3


def test_what_a_crash_took_is_not_compared_until_it_is_there_again():
    for lost in (("b1: crashed power at", "b1: restarted", "b1: recovered 1"),
                 ("b1: crashed disk at", "b1: restarted", "b1: recovered 0")):  # fmt: skip
        assert replicas_agree(tiny(*BOTH, *lost, "b1: replicated 1 e3"))
    again = ("b1: crashed power at", "b1: restarted", "b1: recovered 1", "b1: appended 1 e3")
    assert not replicas_agree(tiny(*BOTH, *again, "b1: mark 2"))


def test_a_process_crash_leaves_the_log():
    back = ("b1: crashed", "b1: restarted", "b1: recovered 2", "b1: mark 2")

    assert replicas_agree(tiny(*BOTH, *back)).reached == 4


def test_a_follower_that_begins_anew_farther_on_is_compared_from_there():
    verdict = replicas_agree(tiny(*LEADER, "b0: trimmed 2", "b0: appended 2 e3",
                                  "b1: replicated 0 e9", "b1: truncated 2 e9",
                                  "b1: replicated 2 e3", "b0: mark 3", "b1: mark 3"))

    assert verdict
    assert verdict.reached == 1


def test_one_replica_alone_agrees_with_nobody():
    verdict = replicas_agree(tiny(*LEADER, "b0: mark 2"))

    assert verdict
    assert "no partition has a second replica" in str(verdict)


# --- Committed is kept ---------------------------------------------------------------------------


def test_what_was_committed_and_is_in_the_last_leaders_log_is_kept():
    verdict = committed_is_kept(tiny(*BOTH, "b0: crashed", "b1: leads 1"))

    assert verdict
    assert verdict.reached == 2


def test_what_was_committed_and_the_last_leader_never_had_is_lost():
    trace = tiny(*LEADER, "b1: replicated 0 e1", "b0: mark 2", "b0: crashed", "b1: leads 1")
    verdict = committed_is_kept(trace)

    assert verdict.status is Status.BROKEN
    assert (verdict.cases, verdict.entries) == (1, (3, 5))
    assert sentences(verdict) == [
        "e2 was committed at orders-0@1, and b1, which leads at last, does not hold it"
    ]


def test_what_another_record_stands_for_is_lost_and_the_other_may_be_lost_too():
    clash = ("b0: crashed", "b1: leads 1", "b1: appended 1 e3", "b1: mark 2")
    verdict = committed_is_kept(tiny(*LEADER, "b1: replicated 0 e1", "b0: mark 2", *clash))
    back = committed_is_kept(tiny(*LEADER, "b1: replicated 0 e1", "b0: mark 2", *clash,
                                  "b1: crashed", "b0: restarted", "b0: leads 2"))

    assert sentences(verdict)[0].endswith("and b1, which leads at last, holds e3 there")
    assert sentences(back)[0].startswith("e3 was committed at orders-0@1, and b0")
    assert (verdict.cases, back.cases) == (1, 1)


def test_what_was_never_below_a_leaders_high_watermark_may_go():
    """acks=1: acknowledged is not committed."""
    trace = tiny(*LEADER, "b1: replicated 0 e1", "p: acked e2 1", "b0: mark 1", "b0: crashed",
                 "b1: leads 1")  # fmt: skip

    assert committed_is_kept(trace).reached == 1
    assert committed_is_kept(trace)


def test_a_followers_high_watermark_commits_nothing():
    verdict = committed_is_kept(tiny(*LEADER, "b1: replicated 0 e1 e2", "b1: mark 2"))

    assert verdict
    assert "no leader told of a high watermark" in str(verdict)


def test_of_two_who_believe_that_they_lead_the_later_epoch_counts():
    trace = tiny(*LEADER, "b1: replicated 0 e1", "b1: leads 1", "b0: mark 2")

    assert committed_is_kept(trace).cases == 1


def test_a_disk_that_is_lost_takes_what_it_alone_had():
    gone = ("b0: crashed disk at", "b0: restarted", "b0: recovered 0", "b0: leads 1")

    assert committed_is_kept(tiny(*LEADER, "b0: mark 2", *gone)).cases == 2


def test_what_retention_or_the_cleaner_took_need_not_be_kept():
    for took in ("b0: trimmed 2", "b0: cleaned 0 2 e1 e2"):
        assert committed_is_kept(tiny(*LEADER, "b0: mark 2", took, "b0: follows 1 b1",
                                      "b1: leads 1", "b1: replicated 2 e3"))


def test_while_nobody_leads_what_no_log_holds_may_still_come_back():
    """From a disk that is down; what a replica holds is not lost."""
    down = (*LEADER, "b0: mark 2", "b1: replicated 0 e1", "b0: crashed disk at")
    verdict = committed_is_kept(tiny(*down))

    assert verdict.status is Status.CANNOT_TELL
    assert (verdict.cases, verdict.why) == (1, "nobody leads the partition at the end")
    assert committed_is_kept(tiny(*BOTH, "b0: crashed")).status is Status.KEPT


# --- One leader an epoch -------------------------------------------------------------------------


def test_each_epoch_has_its_leader():
    verdict = one_leader_an_epoch(tiny("k: elected b0 0", "b0: leads 0", "b0: leads 0",
                                       "k: elected nobody 1", "k: elected b1 2", "b1: leads 2",
                                       "b1: leads@1 0"))

    assert verdict
    assert verdict.reached == 3


@pytest.mark.parametrize("first", ["b0: leads 0", "k: elected b0 0"])
def test_two_leaders_of_one_epoch_break_it(first):
    verdict = one_leader_an_epoch(tiny(first, "b1: leads 0"))

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (0, 1)
    assert sentences(verdict) == ["b0 and b1 lead orders-0 in epoch 0"]


def test_without_elections_nothing_is_judged():
    assert "no broker became a leader" in str(one_leader_an_epoch(tiny("quiet")))


# --- The high watermark never falls --------------------------------------------------------------


def test_a_new_leader_may_lag_until_its_followers_have_fetched():
    lagging = (*LEADER, "b1: replicated 0 e1 e2", "b1: mark 1", "b0: mark 2", "b0: crashed")
    verdict = high_watermark_never_falls(tiny(*lagging, "b1: leads 1", "b1: mark 2", "quiet"))

    assert verdict
    assert verdict.reached == 2


def test_a_follower_may_fall_and_a_leader_after_it():
    trace = tiny(*LEADER, "b1: mark 2", "b0: mark 2", "b1: mark 1", "b0: crashed", "b1: leads 1",
                 "b1: mark 2", "quiet")  # fmt: skip
    verdict = high_watermark_never_falls(trace)

    assert verdict
    assert verdict.reached == 2


def test_a_leader_that_falls_within_its_epoch_breaks_it():
    verdict = high_watermark_never_falls(tiny(*LEADER, "b0: mark 2", "b0: mark 1", "b0: mark 3"))

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (2, 3)
    assert sentences(verdict) == ["b0, which leads orders-0 in epoch 0, had @2, and then @1"]


def test_a_leader_that_never_comes_so_far_breaks_it_in_the_end():
    short = (*LEADER, "b0: mark 2", "b1: replicated 0 e1", "b0: crashed", "b1: leads 1",
             "b1: mark 1")  # fmt: skip
    verdict = high_watermark_never_falls(tiny(*short, "quiet"))

    assert sentences(verdict) == [
        "b0 had @2 as the high watermark of orders-0, and b1 @1 at last"
    ]
    for ending in (["horizon"], [], ["quiet without healing"]):
        assert high_watermark_never_falls(tiny(*short, *ending)).status is Status.CANNOT_TELL


@pytest.mark.parametrize("ends", [(), ("b1: leads 1",)])
def test_a_high_watermark_that_nobody_tells_cannot_be_judged(ends):
    verdict = high_watermark_never_falls(tiny(*LEADER, "b0: mark 2", "b0: crashed", *ends, "quiet"))

    assert verdict.status is Status.CANNOT_TELL
    assert verdict.why


def test_a_leader_that_comes_back_with_nothing_has_fallen():
    gone = ("b0: crashed power at", "b0: restarted", "b0: recovered 0", "b0: leads 1", "quiet")
    verdict = high_watermark_never_falls(tiny(*LEADER, "b0: mark 2", *gone))

    assert sentences(verdict) == [
        "b0 had @2 as the high watermark of orders-0, and b0 @0 at last"
    ]


def test_after_a_restart_a_leader_begins_where_its_checkpoint_is():
    back = ("b0: crashed", "b0: restarted", "b0: recovered 2", "b0: mark 1", "b0: leads 1",
            "b0: mark 2", "quiet")  # fmt: skip

    assert high_watermark_never_falls(tiny(*LEADER, "b0: mark 2", *back))
