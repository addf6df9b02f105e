"""Committed offsets: never back, and never ahead of what was processed."""

from simulator.checks.groups import committed_never_regresses, never_committed_past_processed
from simulator.checks.verdict import Status
from tests.tiny_traces import tiny


def test_commits_that_grow_or_repeat_do_not_regress():
    verdict = committed_never_regresses(tiny("b: committed 3", "b: committed 3", "b: committed 4"))

    assert verdict
    assert verdict.reached == 3


def test_a_lower_commit_regresses():
    verdict = committed_never_regresses(tiny("b: committed 3", "b: committed 2 zombie"))

    assert not verdict
    assert verdict.entries == (0, 1)
    assert "zombie" in verdict.evidence[0].sentence


def test_partitions_and_groups_are_committed_apart():
    assert committed_never_regresses(
        tiny("b: committed 3", "b: committed@1 2", "b: committed 2 m audit")
    )


def test_a_seek_is_the_applications_will_and_a_reset_is_not():
    assert committed_never_regresses(tiny("b: committed 3", "c: reset 0", "b: committed 1"))
    assert not committed_never_regresses(
        tiny("b: committed 3", "c: reset 0 earliest", "b: committed 1")
    )


SUCCEEDED = ("b0: loaded", "b0: committed 3", "b1: loaded", "b1: committed 6")


def test_what_a_former_coordinator_tells_late_was_committed_before():
    assert committed_never_regresses(tiny(*SUCCEEDED, "b0: committed 5", "b1: committed 7"))
    assert not committed_never_regresses(tiny(*SUCCEEDED, "b1: committed 5"))


def test_a_successor_that_goes_back_behind_what_is_told_late_regresses():
    verdict = committed_never_regresses(tiny(*SUCCEEDED, "b0: committed 9"))

    assert verdict.status is Status.BROKEN
    assert verdict.entries == (3, 4)


def test_who_coordinates_again_is_no_former_coordinator():
    again = (*SUCCEEDED, "b0: loaded")

    assert not committed_never_regresses(tiny(*again, "b0: committed 5"))
    assert committed_never_regresses(tiny(*again, "b0: committed 8"))


NEWER = ("b0: coordinates 0", "b0: loaded", "b2: coordinates 2", "b2: loaded", "b2: committed 6")
OLDER = ("b1: coordinates 1", "b1: loaded")


def test_who_learns_late_that_it_was_to_coordinate_is_a_former_coordinator():
    """It stood still when it was elected, and when its successor was."""
    assert committed_never_regresses(tiny(*NEWER, *OLDER, "b1: committed 5", "b2: committed 7"))
    assert not committed_never_regresses(tiny(*NEWER, *OLDER, "b2: committed 5"))


def test_the_leader_epochs_of_another_partition_do_not_count():
    other = ("b1: coordinates@1 7", "b1: loaded audit")

    assert not committed_never_regresses(tiny(*NEWER, *other, *OLDER, "b2: committed 5"))
    assert committed_never_regresses(tiny(*NEWER, *other, *OLDER, "b1: committed 5"))


def test_a_run_without_commits_reaches_nothing():
    assert committed_never_regresses(tiny("quiet")).reached == 0


GIVEN = ("c: polled e1 1", "c: polled e2 2", "c: started e1 1")


def test_commits_up_to_what_is_processed_are_right():
    assert never_committed_past_processed(
        tiny(*GIVEN, "c: processed e1 1", "b: committed 2", "c: processed e2 2", "b: committed 3")
    )


def test_a_commit_before_the_work_is_early():
    verdict = never_committed_past_processed(tiny(*GIVEN, "c: processed e1 1", "b: committed 3"))

    assert not verdict
    assert verdict.entries == (1, 4)
    said = "billing committed orders-0@3 before e2 (@2) was processed"
    assert verdict.evidence[0].sentence == said


def test_the_lowest_unfinished_record_bounds_a_commit():
    """Parallel handlers: e2 is done, and e1 is not."""
    assert not never_committed_past_processed(tiny(*GIVEN, "c: processed e2 2", "b: committed 3"))


def test_what_was_left_out_may_be_given_later_and_is_open_then():
    """The application seeks back to where its group never was, and commits too early there."""
    back = (*GIVEN, "c: processed e1 1", "c: processed e2 2", "b: committed 3", "c: reset 0")

    verdict = never_committed_past_processed(tiny(*back, "c: polled e0 0", "b: committed 1"))

    assert not verdict
    (case,) = verdict.evidence
    assert case.sentence == "billing committed orders-0@1 before e0 (@0) was processed"
    assert never_committed_past_processed(
        tiny(*back, "c: polled e0 0", "c: processed e0 0", "b: committed 1")
    )


def test_of_several_that_were_left_out_the_lowest_is_the_first():
    back = (*GIVEN, "c: processed e1 1", "c: polled e4 4", "c: reset 3", "c: polled e3 3")

    verdict = never_committed_past_processed(tiny(*back, "c: processed e2 2", "b: committed 5"))

    assert "before e3 (@3)" in verdict.evidence[0].sentence


def test_where_the_log_was_cut_other_records_lie_and_are_open():
    """Also if its place was processed before; and what is done with the old one is not with it."""
    cut = (*GIVEN, "c: processed e1 1", "c: polled e9 1")

    assert not never_committed_past_processed(tiny(*cut, "b: committed 2"))
    assert not never_committed_past_processed(tiny(*cut, "c: processed e1 1", "b: committed 2"))
    assert never_committed_past_processed(tiny(*cut, "c: processed e9 1", "b: committed 2"))


def test_failed_work_is_not_processed():
    assert not never_committed_past_processed(
        tiny(*GIVEN, "c: processed e1 1 StoreTimeout", "b: committed 2")
    )


def test_what_is_given_again_after_it_was_processed_may_be_committed():
    assert never_committed_past_processed(
        tiny(*GIVEN, "c: processed e1 1", "d: polled e1 1", "b: committed 2")
    )


def test_whoever_of_the_group_does_the_work_counts():
    assert never_committed_past_processed(
        tiny("c: polled e1 1", "c: crashed", "d: polled e1 1", "d: processed e1 1",
             "b: committed 2")
    )


def test_of_a_group_that_does_not_tell_of_its_work_it_cannot_tell():
    verdict = never_committed_past_processed(tiny("c: polled e1 1", "b: committed 2"))

    assert verdict.status is Status.CANNOT_TELL
    assert "does not say" in verdict.why
