"""What a copy of a table promises, judged on hand-written traces."""

import pytest

from simulator import Status
from simulator.checks.copying import (
    copies_are_whole,
    copy_converges,
    copy_never_goes_back,
    copy_never_invents,
)
from tests.checks.captured_traces import CONNECTOR, COPY, SHOP, TABLE, captured

READ = "noted snapshot read"
SOURCE, TARGET = (SHOP, TABLE), (COPY, TABLE)
converges = copy_converges(SOURCE, TARGET)
onwards = copy_never_goes_back(SOURCE, TARGET)
true = copy_never_invents(SOURCE, TARGET)
whole = copies_are_whole(SHOP, COPY, TABLE, "payments")


def says(check, *lines):
    return check(captured(*lines)).status


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("+ a 1", "= a 1"), Status.KEPT),
        (("+ a 1", "+ a 2", "= a 2"), Status.KEPT),
        (("+ a 1", "= a 1", "+ a -", "= a -"), Status.KEPT),
        (("+ a 1", "+ a -"), Status.KEPT),
        (("+ a 1", "= a 1", "+ a 2"), Status.BROKEN),
        (("+ a 1",), Status.BROKEN),
        (("+ a 1", "= a 1", "+ a -"), Status.BROKEN),
        (("= a 1",), Status.BROKEN),
    ],
)
def test_in_the_end_the_copy_is_the_table(lines, status):
    assert says(converges, *lines, "quiet") is status
    if status is Status.BROKEN:
        assert says(converges, *lines, "cut") is Status.CANNOT_TELL


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((READ, "+ a 1", "= a 1", "+ a -", READ), Status.KEPT),
        ((READ, "+ a 1", "= a 1", READ, "+ a -"), Status.BROKEN),
        (("+ a 1", "= a 1", "+ a -", READ), Status.BROKEN),  # It is the first.
        ((READ, "+ a 1", "= a 1", "+ a -", READ, "+ a 2"), Status.BROKEN),
    ],
)
def test_a_second_snapshot_excuses_what_was_deleted_before(lines, status):
    excused = copy_converges(SOURCE, TARGET, CONNECTOR)

    assert says(excused, *lines, "quiet") is status
    assert says(converges, *lines, "quiet") is Status.BROKEN


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("+ a 1", "+ a 2", "= a 1", "= a 2", "= a 2"), Status.KEPT),
        (("+ a 1", "+ a 2", "= a 2"), Status.KEPT),
        (("+ a 1", "+ a 2", "+ a 1", "= a 2", "= a 1"), Status.KEPT),  # It had 1 twice.
        (("+ a 1", "+ a 2", "= a 2", "= a 1"), Status.BROKEN),
        (("+ a 1", "= a 1", "+ a -", "= a -", "= a 1"), Status.BROKEN),
    ],
)
def test_a_row_never_returns_to_an_older_version(lines, status):
    verdict = onwards(captured(*lines))

    assert verdict.status is status
    assert verdict.reached


def test_a_row_is_only_what_it_was():
    assert says(true, "+ a 1", "+ a 2", "= a 2", "= a 1") is Status.KEPT
    assert says(true, "+ a 1", "= a 7") is Status.BROKEN
    assert true(captured("+ a 1")).reached == 0


def test_a_transaction_is_shown_whole():
    both = "+ a 1 & + a 1 payments"

    assert says(whole, both, "= a 1 & = a 1 payments") is Status.KEPT
    assert says(whole, both, "= a 1", "= a 1 payments") is Status.BROKEN
    assert says(whole, both, "= a 1 payments") is Status.BROKEN
    assert whole(captured(both)).reached == 0
    assert whole(captured("+ a 1", "+ a 1 payments", "= a 1")).reached == 0


def test_a_row_that_is_newer_already_does_not_make_a_transaction_less_whole():
    lines = ("+ a 1 & + b 1", "+ b 2", "= b 2", "= a 1")

    assert says(whole, *lines) is Status.KEPT
