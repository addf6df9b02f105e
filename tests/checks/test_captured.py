"""A connector's promises, judged on hand-written traces."""

import pytest

from simulator import Status
from simulator.checks.captured import (
    changes_captured,
    deletes_are_buried,
    log_retained_within,
    offset_never_ahead,
    repeats_are_rewinds,
    repeats_bounded,
)
from tests.checks.captured_traces import CONNECTOR, SHOP, TABLE, captured

every_change = changes_captured(SHOP, CONNECTOR, TABLE)
rewinds = repeats_are_rewinds(CONNECTOR)
twice = repeats_bounded(CONNECTOR, 2)
buried = deletes_are_buried(CONNECTOR)
behind = offset_never_ahead(CONNECTOR)
TOLD = ("> c a 1", "! c a 1")


def says(check, *lines):
    return check(captured(*lines)).status


# --- changes_captured -----------------------------------------------------------------------


def test_every_change_is_told():
    verdict = every_change(captured("+ a 1", *TOLD, "+ a -", "> d a -", "! d a -", "quiet"))

    assert verdict
    assert verdict.reached == 2


@pytest.mark.parametrize(
    "lines",
    [
        ("+ a 1",),
        ("+ a 1", "> c a 1"),  # Handed over, and nowhere.
        ("+ a 1", "+ a 2", "> u a 2", "! u a 2"),  # What it was in between counts too.
        ("+ a 1", *TOLD, "+ a -"),
        ("+ a 1", "+ a 1", *TOLD, *TOLD),  # One event is told again: that is one change.
    ],
)
def test_a_change_that_is_told_nowhere_is_lost(lines):
    assert says(every_change, *lines, "quiet") is Status.BROKEN
    assert says(every_change, *lines, "cut") is Status.CANNOT_TELL


def test_what_a_snapshot_passes_over_need_not_be_told():
    """The last value is enough; of a row that is gone, nothing."""
    before = ("+ a 1", "+ a 2", "+ b 1", "+ b -", "> r a 2", "! r a 2", "noted snapshot read")

    assert says(every_change, *before, "quiet") is Status.KEPT
    assert says(every_change, *before, "+ a 3", "quiet") is Status.BROKEN


def test_a_row_that_was_told_of_and_is_gone_when_a_second_snapshot_is_read_is_lost():
    """Nobody is told of the delete: the row stays in every copy."""
    lines = ("+ a 1", *TOLD, "+ a -", "noted snapshot read", "quiet")

    assert says(every_change, *lines) is Status.BROKEN


def test_without_a_snapshot_only_what_comes_later_is_told():
    lines = ("+ a 1", "noted stream begins", "+ a 2", "> u a 2", "! u a 2", "quiet")

    assert says(every_change, *lines) is Status.KEPT
    # Beginning a second time, further on, excuses nothing.
    assert says(every_change, *lines[:2], "+ a 2", "noted stream begins", "quiet") is Status.BROKEN


# --- repeats_are_rewinds, repeats_bounded ---------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("> c a 1", "> u a 2", "> u a 3", "> u a 2", "> u a 3", "> u a 4"), Status.KEPT),
        (("> c a 1", "> u a 2", "> c a 1", "> c a 1", "> u a 2"), Status.KEPT),
        (("> c a 1", "> u a 2", "> c a 1", "> u a 4"), Status.BROKEN),
        (("> c a 1", "> u a 2", "> u a 3", "> c a 1", "> u a 3"), Status.BROKEN),
        (("> c a 1", "> c b 1", "> u b 2", "> r a 1", "> r b 2", "> u a 4"), Status.BROKEN),
    ],
)
def test_what_is_told_again_is_a_suffix(lines, status):
    verdict = rewinds(captured(*lines))

    assert verdict.status is status
    assert verdict.reached


def test_nothing_told_again_is_nothing_to_judge():
    assert rewinds(captured("> c a 1", "> u a 2")).reached == 0


def test_each_life_may_tell_so_much_again():
    again = ("> c a 1", "> u a 2")

    assert says(twice, *again, "restarted", *again, "restarted", *again) is Status.KEPT
    assert says(twice, *again, "> u a 3", "restarted", *again, "> u a 3") is Status.BROKEN
    assert twice(captured(*again)).reached == 0


# --- The others ---------------------------------------------------------------------------------


def test_a_delete_has_a_tombstone():
    assert says(buried, "> d a - o@2/0", "> tombstone a - o@2/0/tombstone", "quiet") is Status.KEPT
    assert says(buried, "> d a - o@2/0", "quiet") is Status.BROKEN
    assert says(buried, "> d a - o@2/0", "cut") is Status.CANNOT_TELL
    assert buried(captured("> c a 1", "quiet")).reached == 0


@pytest.mark.parametrize(
    ("stored", "status"),
    [
        ("stored 1 2 0", Status.KEPT),
        ("stored 1 2 1", Status.KEPT),
        ("stored 1 2 2", Status.BROKEN),
        ("stored 2 2 0", Status.BROKEN),
    ],
)
def test_an_offset_covers_what_is_acknowledged(stored, status):
    """Of LSN 2 the first change is in the log, and the second under way."""
    lines = ("> u a 1 o@2/0", "> u b 1 o@2/1", "! u a 1 o@2/0")

    assert says(behind, *lines, stored) is status


def test_what_is_acknowledged_after_a_crash_was_not_before():
    lines = ("> u a 1 o@2/0", "restarted", "stored 2 2 0", "> u a 1 o@2/0", "! u a 1 o@2/0")

    assert says(behind, *lines) is Status.BROKEN
    assert behind(captured(*lines[:2])).reached == 0


def test_what_a_new_snapshot_has_need_not_be_acknowledged():
    assert says(behind, "> u a 1 o@2/0", "noted snapshot read", "stored 3 3 0") is Status.KEPT


def test_the_log_is_kept_within_bounds():
    assert says(log_retained_within(5), "retained 5", "retained 0") is Status.KEPT
    assert says(log_retained_within(5), "retained 6") is Status.BROKEN
    assert log_retained_within(5)(captured("quiet")).reached == 0


def test_crashes_may_cost_some_of_the_log_until_it_becomes_shorter_again():
    bound = log_retained_within(5, per_crash=3)

    assert says(bound, "crashed", "retained 8", "crashed", "retained 11") is Status.KEPT
    assert says(bound, "crashed", "retained 9") is Status.BROKEN
    assert says(bound, "crashed", "retained 5", "retained 8") is Status.KEPT
    assert says(bound, "crashed", "retained 5", "retained 1", "retained 6") is Status.BROKEN
    assert says(bound, "retained 5", "crashed", "retained 1", "retained 6") is Status.KEPT
