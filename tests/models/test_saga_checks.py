"""What sagas promise: kept, broken and cannot tell, on traces written by hand."""

import pytest

from models.patterns.sagas.order_saga import ORDER
from models.patterns.sagas.reservations import Resource
from models.patterns.sagas.saga_checks import (
    all_or_nothing,
    late_is_refused,
    one_command_a_step,
    sagas_end,
)
from models.patterns.sagas.saga_isolation import undisturbed
from models.patterns.sagas.saga_order import (
    compensated_in_reverse,
    never_forward_again,
    no_way_back,
)
from simulator import Status
from tests.told_traces import CUT, QUIET, applied, processed, sent, told

KEPT, BROKEN, CANNOT_TELL = Status.KEPT, Status.BROKEN, Status.CANNOT_TELL
PLACED = sent("o-1/placed", "order-events")
RUNNING = applied("sagas", "o-1", "running")
COMPLETED = applied("sagas", "o-1", "completed")
COMPENSATED = applied("sagas", "o-1", "compensated")
BOTH = all_or_nothing("reserve", "charge")
NO_WAY_BACK = no_way_back(ORDER)


def do(step, mint=""):
    return sent(f"o-1/{step}/do{mint}", "stock-requests")


def undo(step):
    return sent(f"o-1/{step}/undo", "stock-cancellations")


def undone(step):
    return sent(f"o-1/{step}/undo/reply", "replies")


def effect(step, count):
    return applied(step, "o-1", count, f"o-1/{step}/do")


def moved(free, by, waiting=()):
    return applied("resources", "lamp", Resource(free, by=by, waiting=waiting), by)


CASES = [
    (sagas_end(), KEPT, [PLACED, RUNNING, COMPLETED, QUIET]),
    (sagas_end(), KEPT, [sent("o-1/OrderPlaced", "order-events"), COMPENSATED, QUIET]),
    (sagas_end(within_s=0), BROKEN, [PLACED, RUNNING, QUIET]),
    (sagas_end(within_s=0), BROKEN, [PLACED, QUIET]),
    (sagas_end(), CANNOT_TELL, [PLACED, RUNNING, QUIET]),
    (sagas_end(), CANNOT_TELL, [PLACED, QUIET[0], ("node_restarted", 1), QUIET[1]]),
    (sagas_end(), CANNOT_TELL, [PLACED, RUNNING]),
    (BOTH, KEPT, [effect("reserve", 1), effect("charge", 1), COMPLETED, QUIET]),
    (BOTH, KEPT, [effect("reserve", 1), effect("reserve", 0), COMPENSATED, QUIET]),
    (BOTH, KEPT, [effect("reserve", 1), RUNNING, QUIET]),
    (BOTH, BROKEN, [effect("reserve", 1), COMPLETED, QUIET]),
    (BOTH, BROKEN, [effect("reserve", 2), effect("charge", 1), COMPLETED, QUIET]),
    (BOTH, BROKEN, [COMPENSATED, effect("reserve", 1), QUIET]),
    (BOTH, CANNOT_TELL, [COMPENSATED, effect("reserve", 1), CUT]),
    (compensated_in_reverse, KEPT, [
        do("a"), effect("a", 1), do("b"), effect("b", 1), undo("b"), undone("b"), undo("a"),
    ]),
    (compensated_in_reverse, KEPT, [
        do("a"), effect("a", 1), do("b"), undo("b"), undone("b"), undo("a"), undo("a"),
    ]),
    (compensated_in_reverse, BROKEN, [
        do("a"), effect("a", 1), do("b"), effect("b", 1), undo("a"), undone("a"), undo("b"),
    ]),
    (compensated_in_reverse, BROKEN, [
        do("a"), effect("a", 1), do("b"), effect("b", 1), undo("b"), undo("a"),
    ]),
    (compensated_in_reverse, BROKEN, [undo("a")]),
    (never_forward_again, KEPT, [do("a"), do("b"), undo("b"), do("b"), undo("a")]),
    (never_forward_again, BROKEN, [do("a"), undo("a"), do("b")]),
    (NO_WAY_BACK, KEPT, [effect("reserve_credit", 1), undo("reserve_credit")]),
    (NO_WAY_BACK, BROKEN, [effect("charge", 1), undo("reserve_credit")]),
    (one_command_a_step, KEPT, [do("a"), do("a"), effect("a", 1), effect("a", 0)]),
    (one_command_a_step, BROKEN, [do("a", "~0"), do("a", "~1")]),
    (one_command_a_step, BROKEN, [do("a"), effect("a", 2)]),
    (one_command_a_step, BROKEN, [do("a"), effect("a", -1)]),
    (one_command_a_step, BROKEN, [do("a"), effect("a", 1), effect("a", 0), effect("a", 1)]),
    (late_is_refused, KEPT, [
        effect("a", 1), processed("o-1/a/undo", "stock-cancellations"), undone("a"),
    ]),
    (late_is_refused, BROKEN, [
        processed("o-1/a/undo", "stock-cancellations"), undone("a"), effect("a", 1),
    ]),
    (late_is_refused, BROKEN, [processed("o-1/a/undo", "stock-cancellations")]),
    (undisturbed, KEPT, [moved(0, "o-1/s/do"), moved(1, "o-1/s/undo"), moved(0, "o-2/s/do")]),
    (undisturbed, KEPT, [moved(1, "o-1/s/do"), moved(0, "o-2/s/do")]),
    (undisturbed, KEPT, [
        moved(1, "o-1/s/do"), moved(1, "o-2/s/do", ("it",)), moved(2, "o-1/s/undo"),
    ]),
    (undisturbed, BROKEN, [moved(1, "o-1/s/do"), moved(0, "o-2/s/do"), moved(1, "o-1/s/undo")]),
    (undisturbed, BROKEN, [
        moved(0, "o-1/s/do"), applied("refused", "o-2/s/do", "lamp"), moved(1, "o-1/s/undo"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("check", "status", "events"), CASES, ids=lambda one: getattr(one, "name", "")
)
def test_a_check_says(check, status, events):
    assert check(told(*events)).status is status


@pytest.mark.parametrize(
    "check",
    [compensated_in_reverse, never_forward_again, NO_WAY_BACK, one_command_a_step, undisturbed,
     late_is_refused, BOTH, sagas_end()],
    ids=lambda one: one.name,
)  # fmt: skip
def test_what_met_nothing_says_so(check):
    verdict = check(told(QUIET))

    assert verdict.status is KEPT
    assert verdict.reached == 0


def test_a_saga_that_ends_late_has_not_ended_in_time():
    slow = told(PLACED, QUIET[0], ("noted", "a long time", ""), COMPLETED, QUIET[1], step_ms=6_000)

    assert sagas_end(within_s=12)(slow).status is KEPT
    assert sagas_end(within_s=11)(slow).status is BROKEN


def test_a_safety_check_cannot_tell_nothing():
    """Of what has happened each prefix tells; so a cut run leaves none of them open."""
    for check in (compensated_in_reverse, never_forward_again, one_command_a_step, undisturbed):
        assert check(told(do("a"), CUT)).status is KEPT
