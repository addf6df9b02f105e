"""Drained at the end: given to the group, and committed."""

from simulator.checks.progress import drained
from simulator.checks.verdict import Status
from tests.tiny_traces import tiny

WRITTEN = ("c: assigned", "p: sent e1", "p: acked e1 4")


def test_what_is_given_and_committed_is_drained():
    verdict = drained(tiny(*WRITTEN, "c: polled e1 4", "b: committed 5", "quiet"))

    assert verdict
    assert verdict.reached == 1


def test_a_group_that_commits_nothing_need_only_be_given_everything():
    assert drained(tiny(*WRITTEN, "c: polled e1 4", "quiet"))


def test_what_a_former_coordinator_tells_late_was_committed_before():
    read = (*WRITTEN, "c: polled e1 4", "b0: loaded", "b1: loaded", "b1: committed 5")

    assert drained(tiny(*read, "b0: committed 3", "quiet"))
    assert not drained(tiny(*read, "b1: committed 3", "quiet"))


def test_who_learns_late_that_it_was_to_coordinate_makes_nobody_a_former_coordinator():
    newer = ("b2: coordinates 2", "b2: loaded", "b1: coordinates 1", "b1: loaded")
    read = (*WRITTEN, "c: polled e1 4", "b0: coordinates 0", "b0: loaded", "b0: committed 3")

    assert drained(tiny(*read, *newer, "b2: committed 5", "quiet"))
    assert not drained(tiny(*read, *newer, "b2: committed 4", "b1: committed 5", "quiet"))


def test_what_nobody_was_given_is_not_drained():
    verdict = drained(tiny(*WRITTEN, "quiet"))

    assert not verdict
    assert verdict.evidence[0].sentence == (
        "orders-0 was acknowledged up to @4, and billing had nothing at last"
    )


def test_what_a_transaction_aborts_at_a_partitions_end_is_for_nobody():
    read = ("c: assigned", "p: opened", "b: appended 4 e1", "p: acked e1 4", "c: polled e0 3")

    assert drained(tiny(*read, "b: ended 5 abort", "quiet"))
    assert not drained(tiny(*read, "b: ended 5 commit", "quiet"))


def test_what_is_not_committed_by_a_group_that_commits_is_not_drained():
    verdict = drained(tiny(*WRITTEN, "c: polled e1 4", "b: committed 4", "quiet"))

    assert not verdict
    assert "committed @4 at last" in verdict.evidence[0].sentence


def test_a_run_that_was_cut_cannot_tell():
    for ending in (["horizon"], [], ["quiet without healing"]):
        assert drained(tiny(*WRITTEN, *ending)).status is Status.CANNOT_TELL


def test_a_run_that_was_cut_after_all_was_drained_is_kept():
    assert drained(tiny(*WRITTEN, "c: polled e1 4", "b: committed 5", "horizon"))


def test_without_readers_it_cannot_tell_and_without_records_it_reaches_nothing():
    assert drained(tiny(*WRITTEN[1:], "quiet")).status is Status.CANNOT_TELL
    assert drained(tiny("c: assigned", "quiet")).reached == 0


def test_what_was_aborted_is_nobodys_to_be_given():
    """The last that was not aborted is what must have arrived."""
    aborted = ("p: sent e2", "b: appended 5 e2", "p: acked e2 5", "b: ended 6 abort")
    both = (WRITTEN[0], "p: opened", *WRITTEN[1:], *aborted)

    assert drained(tiny(*both, "c: polled e1 4", "b: committed 7", "quiet"))
    assert not drained(tiny(*both, "quiet"))
    committed = (*both[:-1], "b: ended 6 commit")
    assert not drained(tiny(*committed, "c: polled e1 4", "b: committed 7", "quiet"))


def test_where_all_was_aborted_nothing_is_left_to_arrive():
    aborted = ("p: opened", "p: sent e1", "b: appended 4 e1", "p: acked e1 4", "b: ended 5 abort")

    assert drained(tiny("c: assigned", *aborted, "quiet")).reached == 0
