"""The programs of the rows C..: mended, and where nothing goes wrong, they do all there is, once.

So what a search finds in them is what their habits make of a fault.
"""

import pytest

from experiments.known_bugs.table import ROWS
from simulator import CHECKS, Status, Zero, simulate

CONSUMING = [name for name in ROWS if name.startswith("C")]
MENDED = [(name, label) for name in CONSUMING for label in ROWS[name].mended]
WITHOUT_A_LEDGER = ("C11", "C13")
KEPT = ("never_applied_twice", "committed_never_regresses", "one_owner", "fenced_never_commits")


@pytest.mark.parametrize(("name", "label"), MENDED)
def test_a_mended_row_reads_all_orders_and_rests(name, label):
    trace = simulate(ROWS[name].mended[label], Zero())
    done = "acknowledged_is_read" if name in WITHOUT_A_LEDGER else "never_lost"

    assert trace.flat[-1][4] == ("run_ended", "quiet")
    for promise in (done, *KEPT):
        verdict = CHECKS[promise](trace)
        assert verdict.status is Status.KEPT, verdict.explain(trace)
    assert CHECKS[done](trace).reached


def test_there_are_fourteen_of_them():
    assert len(CONSUMING) == 14
